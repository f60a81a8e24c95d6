"""What ``edgeseg bench streams`` takes, and the configurations that it measures."""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from edgeseg.benchmark import settings
from edgeseg.benchmark.settings import Played
from edgeseg.cli import main
from edgeseg.commands import bench as command
from edgeseg.config import StreamConfig
from edgeseg.errors import EXIT_CONFIG, EXIT_USAGE


def played(clip: Path, fps: float = 30.0, **keys: Any) -> Played:
    stream = StreamConfig.model_validate({"source": "rtsp://me:opensesame@192.0.2.7/one", **keys})
    return Played("door", stream, {"url": str(clip), "type": "av", "loop": True}, 1280, 720, fps)


def test_nothing_of_the_users_addresses_and_folders_is_in_the_trial(tmp_path: Path) -> None:
    one = played(
        tmp_path / "clip.mp4",
        publish=["rtmp://live.example.org/app/streamkey", {"url": "rtmp://127.0.0.1:1935/a/b", "listen": True}],
        record={"directory": "/srv/precious", "when": "on_presence"},
    )
    file = settings.write(tmp_path, [one], "auto")
    for word in ("opensesame", "192.0.2.7", "streamkey", "precious", "1935"):
        assert word not in file.read_text()
    config = settings.read(file)
    stream = config.streams["s0"]
    assert stream.publish == ()
    assert stream.record is not None
    assert stream.record.directory.parent == tmp_path
    assert stream.record.when == "always"
    assert config.http.port == 0


def test_what_costs_time_is_as_the_user_has_it(tmp_path: Path) -> None:
    keys = {
        "model": "selfie-landscape",
        "effect": {"type": "replace", "color": "#102030"},
        "mask": {"threshold": 0.4, "temporal": 0.5, "motion_gate": True},
        "video": {"size": "640x360", "fps": "30000/1001"},
        "encoder": {"profile": "quality", "bitrate": "2M"},
    }
    one = played(tmp_path / "a$b ü.mp4", **keys)
    stream = settings.read(settings.write(tmp_path, [one, one], "auto")).streams["s1"]
    for section in ("effect", "video", "encoder"):
        assert getattr(stream, section) == getattr(one.stream, section)
    assert stream.model == one.stream.model.model_copy(update={"cache": tmp_path / "models"})  # not the user's
    assert (stream.mask.threshold, stream.mask.temporal) == (0.4, 0.5)
    assert not stream.mask.motion_gate.enabled  # it would be measured on whatever stands still in the clip
    assert stream.source.url == str(tmp_path / "a$b ü.mp4")
    assert stream.source.loop


def test_a_highest_rate_lowers_and_never_raises(tmp_path: Path) -> None:
    fast, slow = played(tmp_path / "a.mp4"), played(tmp_path / "b.mp4", 10.0)
    streams = settings.read(settings.write(tmp_path, [fast, slow], "auto", fps=12.5, realtime=False)).streams
    assert streams["s0"].video.fps == Fraction(25, 2)
    assert streams["s1"].video.fps == "source"
    assert not streams["s0"].source.realtime


def test_the_rate_and_the_size_that_a_stream_shows(tmp_path: Path) -> None:
    assert played(tmp_path, video={"fps": 25}).fps == 25
    assert played(tmp_path, 20.0, video={"fps": 25}).fps == 20
    assert played(tmp_path).size == (1280, 720)
    assert played(tmp_path, video={"size": "640x360"}).size == (640, 360)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--seconds", "0"), EXIT_USAGE, "no number of seconds from 0.5 to 60"),
        (("--seconds", "nan"), EXIT_USAGE, "no number of seconds"),
        (("streams", "--seconds", "x"), EXIT_USAGE, "no number of seconds"),
        (("--fps-floor", "0.5"), EXIT_USAGE, "no rate from 1 to 240"),
        (("nonsense",), EXIT_USAGE, "invalid choice"),
        (("--stream", "a"), EXIT_USAGE, "add -c FILE"),
        (("--clip", "none.mp4"), EXIT_USAGE, "--clip: none.mp4 is not a file"),
        (("--clip", "text.mp4"), EXIT_USAGE, "--clip: cannot open"),
        (("--clip", "."), EXIT_USAGE, "--clip: . is not a file"),
        (("--chart", "chart.pdf"), EXIT_USAGE, "neither an .svg nor a .png"),
        (("-c", "none.yaml"), EXIT_CONFIG, "none.yaml: cannot be read"),
        (("-c", "one.yaml", "--stream", "dor"), EXIT_USAGE, "did you mean 'door'?"),
        (("-c", "one.yaml"), 1, "cannot open"),
        (("--clip", "x", "model", "selfie"), EXIT_USAGE, "--clip is of bench streams"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    (tmp_path / "text.mp4").write_text("no clip")
    (tmp_path / "one.yaml").write_text('streams: {door: {source: "rtsp://me:opensesame@127.0.0.1:1/one"}}')
    assert main(["bench", *arguments]) == code
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said
    assert "opensesame" not in said
    assert not list((tmp_path / "temporary").iterdir())


def test_options_may_stand_before_the_subject_and_after() -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    for words in (
        ["--seconds", "2", "--json"],
        ["--seconds", "2", "streams", "--json"],
        ["streams", "--seconds", "2", "--json"],
    ):
        args = parser.parse_args(words)
        assert (args.seconds, args.json) == (2.0, True)
        assert args.measure is parser.get_default("measure")
