"""Shows the slate while a live source gives no pictures."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from edgeseg.errors import EdgesegError
from edgeseg.outlet import Outlet
from edgeseg.slate import Slate, SlateSettings

_log = logging.getLogger(__name__)

_STOPPING_S = 5.0
# For who has just come: FFmpeg's players look at up to 125 pictures before they show the first.
_NEWCOMERS_FPS = 25.0


class Idle:
    """A thread that looks at the outlet, and calls ``show`` some times a second while no picture comes.

    It does so whatever the source's thread hangs in: opening, reading, or waiting to try again.

    Args:
        settings: when, and what the slate looks like.
        outlet: knows when the last picture came.
        show: puts a slate out, unless one came within so many seconds after all.
        name: of the stream.
        newcomers: whether somebody has begun to watch a moment ago.

    Raises:
        StreamError: the slate's picture cannot be read.
    """

    def __init__(
        self,
        settings: SlateSettings,
        outlet: Outlet,
        show: Callable[[Slate, float], None],
        name: str,
        newcomers: Callable[[], bool] = lambda: False,
    ) -> None:
        self._settings = settings
        self._slate = Slate(settings)
        self._outlet = outlet
        self._show = show
        self._name = name
        self._newcomers = newcomers
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch. More than once is once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"{self._name}:slate", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End; no slate is shown when it returns, unless an encoder's driver holds it for longer than anybody waits."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_STOPPING_S)

    def _run(self) -> None:
        shown = False
        while not self._stop.wait(self._period_s() if shown else self._patience_s()):
            away = time.monotonic() - self._outlet.last_picture_at >= self._settings.after_s
            if away and not shown:
                self._slate.begin()
                _log.warning("%s: no picture for %g s: showing the slate", self._name, self._settings.after_s)
            elif shown and not away:
                _log.info("%s: pictures are back", self._name)
            shown = away
            if away:
                try:
                    self._show(self._slate, self._settings.after_s)
                except EdgesegError as exc:
                    _log.error("%s: the slate cannot be shown: %s", self._name, exc)

    def _period_s(self) -> float:
        """Until the next slate."""
        return 1 / (_NEWCOMERS_FPS if self._newcomers() else self._settings.fps)

    def _patience_s(self) -> float:
        """Until a picture would be overdue."""
        left_s = self._outlet.last_picture_at + self._settings.after_s - time.monotonic()
        return max(0.05, left_s)
