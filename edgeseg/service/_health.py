"""Is it alive, is it doing its job."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from edgeseg.redact import redact
from edgeseg.status import DaemonStatus, StreamView
from edgeseg.types import State


def not_ready(
    streams: Mapping[str, StreamView], daemon: DaemonStatus, within_s: float, *, detailed: bool
) -> list[dict[str, Any]]:
    """One entry for each stream that has put out no new frame in the last ``within_s`` seconds; empty means ready.

    ``detailed`` adds the reason that the stream gives, which may name a camera's address.
    """
    now = time.monotonic()
    late: list[dict[str, Any]] = []
    for name, view in list(streams.items()):
        status = view.status
        age_s = now - (status.last_output_at or daemon.started_at)
        if status.last_output_at and age_s <= within_s and status.state is not State.STOPPED:
            continue
        why = f"no new picture for {age_s:.1f} s" if status.last_output_at else "no picture yet"
        if detailed and status.reason:
            why += f": {redact(status.reason)}"  # it may be a plug-in's own words
        late.append({"stream": name, "state": status.state.value, "why": why})
    return late
