"""A disk whose writes block for five seconds: neither the stream nor the recording loses anything, nothing restarts."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeseg.ffmpeg import find_ffmpeg
from tests.equipment.compiled import shared_library
from tests.faults.house import FPS, RICH, house, is_whole
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

_BLOCKED_S = 5
_SOURCE = Path(__file__).parents[1] / "equipment" / "slow_disk.c"


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_writes_that_block_for_five_seconds(container: str, tmp_path: Path) -> None:
    folder, trigger = tmp_path / "victim", tmp_path / "block"
    ffmpeg = _on_a_slow_disk(tmp_path / "ffmpeg", folder, trigger)
    stream = {**RICH, "record": {"directory": str(folder), "segment_s": 600, "container": container}}
    with house(tmp_path, stream, ffmpeg=str(ffmpeg)) as daemon, daemon.watch() as viewer:
        daemon.wait_for_frames(60)
        for _ in range(2):
            trigger.touch()
            wait_until(lambda: not trigger.exists(), 20, "a write that blocks")
            daemon.wait_for_frames((_BLOCKED_S + 3) * FPS, "witness", 60)
        assert daemon.output("record", "reconnects") == 0
        assert daemon.output("record", "dropped_tags") == 0
        assert viewer.longest_gap_s <= 0.5
    assert is_whole(folder)


def _on_a_slow_disk(script: Path, folder: Path, trigger: Path) -> Path:
    """An ffmpeg whose writes below ``folder`` block when ``trigger`` is there."""
    library = shared_library(_SOURCE, "slow_disk.so")
    said = f"LD_PRELOAD={library} SLOW_DISK_FOLDER={folder} SLOW_DISK_TRIGGER={trigger} SLOW_DISK_S={_BLOCKED_S}"
    script.write_text(f'#!/bin/sh\nexec env {said} "{find_ffmpeg()}" "$@"\n')
    script.chmod(0o755)
    return script
