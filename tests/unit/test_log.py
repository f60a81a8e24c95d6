"""Every record leaves redacted, in one of three shapes."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest

from edgeseg import log
from edgeseg import redact as redact_module


@pytest.fixture(autouse=True)
def _logging_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(redact_module, "_spellings", ())
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    root = logging.getLogger()
    handlers, level, hook = list(root.handlers), root.level, threading.excepthook
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    threading.excepthook = hook
    logging.captureWarnings(False)


def test_text_tells_time_level_stream_and_message() -> None:
    out = io.StringIO()
    log.setup("info", "text", out)
    log.stream_logger("edgeseg.x", "door").warning("lost %d frames", 3)
    logging.getLogger("edgeseg.x").debug("not this")
    assert re.fullmatch(r"\d\d:\d\d:\d\d warning door: lost 3 frames\n", out.getvalue())


def test_json_is_one_object_per_line() -> None:
    out = io.StringIO()
    log.setup("debug", "json", out)
    log.stream_logger("edgeseg.x", "door").error("broken\nin two lines")
    logging.getLogger("edgeseg.x").debug("é")
    first, second = (json.loads(line) for line in out.getvalue().splitlines())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("time"))
    assert first == {"level": "error", "logger": "edgeseg.x", "message": "broken\nin two lines", "stream": "door"}
    assert second["message"] == "é"


def test_the_journal_gets_priorities_and_no_time(tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch) -> None:
    path = os.path.join(tmp_path, "journal")  # noqa: PTH118
    with open(path, "w+", encoding="utf-8") as out:  # noqa: PTH123
        found = os.fstat(out.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        log.setup("info", "text", out)
        logging.getLogger("edgeseg.x").error("one\ntwo")
        logging.getLogger("edgeseg.x").info("three")
        out.seek(0)
        assert out.read() == "<3>one\n<3>two\n<6>three\n"


def test_a_journal_that_is_not_ours_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "1:2")
    out = io.StringIO()
    log.setup("info", "text", out)
    logging.getLogger("edgeseg.x").info("x")
    assert re.match(r"\d\d:", out.getvalue())


@pytest.mark.parametrize("fmt", ["text", "json"])
def test_nothing_secret_leaves(fmt: log.Format) -> None:
    out = io.StringIO()
    log.setup("info", fmt, out)
    redact_module.learn_secret("learned-secret")
    logger = logging.getLogger("edgeseg.x")
    logger.info("cannot open %s", "rtsp://joe:hunter2@cam/1")
    logger.info("learned-secret", stack_info=True)
    try:
        raise OSError("rtmp://h/app/thekey: refused")
    except OSError:
        logger.exception("failed with %r", {"password": "hunter3"})
    text = out.getvalue()
    assert "@cam/1" in text
    assert "OSError" in text
    assert [s for s in ("hunter2", "thekey", "hunter3") if s in text] == []
    assert "learned-secret" not in "\n".join(line for line in text.splitlines() if "logger.info(" not in line)


def test_warnings_and_dead_threads_are_logged() -> None:
    out = io.StringIO()
    log.setup("info", "text", out)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("old spelling of rtsp://joe:hunter2@cam/1", UserWarning, stacklevel=1)
        logging.captureWarnings(False)

    def die() -> None:
        raise RuntimeError("rtsp://joe:hunter2@cam/1")

    thread = threading.Thread(target=die, name="door:worker")
    thread.start()
    thread.join()
    text = out.getvalue()
    assert "old spelling of rtsp://***@cam/1" in text
    assert "critical thread door:worker died" in text
    assert "RuntimeError: rtsp://***@cam/1" in text


def test_a_wrong_format_string_does_not_lose_the_message() -> None:
    record = logging.LogRecord("edgeseg.x", logging.INFO, __file__, 1, "%d frames", ("many",), None)
    assert log.TextFormatter().format(record).endswith("%d frames ('many',) (TypeError in the log call)")


def test_setting_up_twice_logs_once() -> None:
    out = io.StringIO()
    log.setup("info", "text", sys.stderr)
    log.setup("warning", "text", out)
    logging.getLogger("edgeseg.x").warning("once")
    logging.getLogger("edgeseg.x").info("never")
    assert out.getvalue().count("\n") == 1
