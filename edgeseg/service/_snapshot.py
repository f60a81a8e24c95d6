"""Still pictures of what leaves the box, made when somebody asks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from edgeseg.service._jpeg import encode_jpeg
from edgeseg.status import LatestFrame, StreamView

_TIMEOUT_S = 2.0


class Snapshots:
    """Takes JPEGs off running streams. Who asks while one is being made gets the same one."""

    def __init__(self, streams: Mapping[str, StreamView]) -> None:
        self._streams = streams
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="snapshot")
        self._pending: dict[str, asyncio.Task[bytes | None]] = {}

    async def take(self, name: str) -> bytes | None:
        """The next composited frame of the stream as JPEG, or None when none comes within two seconds."""
        task = self._pending.get(name)
        if task is None:
            task = asyncio.create_task(self._make(self._streams[name].latest))
            self._pending[name] = task
            task.add_done_callback(lambda _: self._pending.pop(name, None))
        # One impatient client must not take the picture away from the others.
        return await asyncio.shield(task)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _make(self, latest: LatestFrame) -> bytes | None:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _take_and_encode, latest)


def _take_and_encode(latest: LatestFrame) -> bytes | None:
    frame = latest.take(_TIMEOUT_S)
    return None if frame is None else encode_jpeg(frame)
