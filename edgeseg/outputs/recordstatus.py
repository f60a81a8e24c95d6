"""What a recorder tells about itself beyond what every output does."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgeseg.status import OutputStatus


@dataclass(slots=True)
class RecordStatus(OutputStatus):
    """A recorder, what it has kept, and what was removed again.

    What is kept, and how much room there is, is as retention saw it last.
    """

    events: int = 0  # that were begun to be recorded, where only events are
    recovered: int = 0  # segments that were saved after a crash
    gaps_ms: int = 0  # stream that no segment holds
    kept_segments: int = 0
    kept_bytes: int = 0
    oldest_at: float = 0.0  # seconds since the epoch; 0 = there is none
    free_bytes: int = 0  # of the file system, for us
    removed: dict[str, int] = field(default_factory=dict)  # age, size, space -> segments
