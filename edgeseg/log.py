"""Logging of the whole process: one line per record on stderr, redacted, as text or as JSON.

Loggers are named after their module; a record that is about one stream carries its name (see ``stream_logger``). The
formatters redact, not the callers: message, arguments and traceback pass ``redact`` on their way out.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
import traceback
from typing import Any, Literal, TextIO

from edgeseg.redact import redact

Format = Literal["text", "json"]

# syslog's numbers, which the journal reads from a leading <N>.
_PRIORITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class StreamAdapter(logging.LoggerAdapter[logging.Logger]):
    """A logger whose records tell which stream they are about."""

    def __init__(self, logger: logging.Logger, stream: str) -> None:
        super().__init__(logger, {"stream": stream})

    def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
        return msg, {**kwargs, "extra": {**(kwargs.get("extra") or {}), **(self.extra or {})}}


def stream_logger(name: str, stream: str) -> StreamAdapter:
    """The logger ``name`` (a module's ``__name__``) for what happens in ``stream``."""
    return StreamAdapter(logging.getLogger(name), stream)


def setup(level: str = "info", fmt: Format = "text", stream: TextIO | None = None) -> None:
    """Send every record of the process to ``stream`` (stderr), from ``level`` (debug, info, warning, error) up.

    Replaces what an earlier call set up. Warnings of Python and exceptions that end a thread are logged too.
    """
    target = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(target)
    handler.setFormatter(_formatter(fmt, _is_journal(target)))
    root = logging.getLogger()
    for old in list(root.handlers):
        if getattr(old, "_edgeseg", False):
            root.removeHandler(old)
    handler._edgeseg = True  # type: ignore[attr-defined]
    root.addHandler(handler)
    root.setLevel(level.upper())
    # Libraries tell at "info" what only their authors want to know.
    for noisy in ("aiohttp", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(True)
    threading.excepthook = _log_thread_exception


class TextFormatter(logging.Formatter):
    """``12:34:56 warning door: message``; for the journal, which knows the time, ``<4>door: message``."""

    def __init__(self, *, journal: bool = False) -> None:
        super().__init__()
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        stream = getattr(record, "stream", None)
        text = redact((f"{stream}: " if stream else "") + _message(record) + _traceback(record))
        if self._journal:
            # Each line is an entry of its own there, so each needs its priority.
            priority = f"<{_priority(record.levelno)}>"
            return "\n".join(priority + line for line in text.splitlines() or [""])
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        return f"{clock} {record.levelname.lower()} {text}"


class JsonFormatter(logging.Formatter):
    """One JSON object per record: time (RFC 3339, UTC), level, logger, message; stream and exception if any."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        entry = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(_message(record)),
        }
        stream = getattr(record, "stream", None)
        if stream:
            entry["stream"] = str(stream)
        trace = _traceback(record)
        if trace:
            entry["exception"] = redact(trace.strip())
        return json.dumps(entry, ensure_ascii=False)


def _formatter(fmt: Format, journal: bool) -> logging.Formatter:
    return JsonFormatter() if fmt == "json" else TextFormatter(journal=journal)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as exc:  # noqa: BLE001 - a wrong format string must not cost the message
        return f"{record.msg!s} {record.args!r} ({type(exc).__name__} in the log call)"


def _traceback(record: logging.LogRecord) -> str:
    text = ""
    if record.exc_info and record.exc_info[0] is not None:
        text = "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
    elif record.exc_text:
        text = "\n" + record.exc_text
    if record.stack_info:
        text += "\n" + record.stack_info
    return text


def _priority(level: int) -> int:
    return next((number for at, number in sorted(_PRIORITY.items(), reverse=True) if level >= at), 7)


def _is_journal(stream: TextIO) -> bool:
    """Whether ``stream`` is what systemd connected: JOURNAL_STREAM has its device and inode (systemd.exec(5))."""
    wanted = os.environ.get("JOURNAL_STREAM", "")
    if not wanted:
        return False
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return wanted == f"{found.st_dev}:{found.st_ino}"


def _log_thread_exception(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is SystemExit:
        return
    name = args.thread.name if args.thread is not None else "unknown"
    info = (args.exc_type, args.exc_value, args.exc_traceback) if args.exc_value is not None else None
    logging.getLogger(__name__).critical("thread %s died, which is our bug", name, exc_info=info)
