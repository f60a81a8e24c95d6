"""``edgeseg check`` without ``--probe``."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from edgeseg import cli
from edgeseg.kernels import library

ROOT = Path(__file__).resolve().parents[2]

GOOD = """
http: {host: 0.0.0.0, token: tokentokentoken99}
streams:
  door:
    source: rtsp://joe:hunter2@cam/1
    model: selfie-landscape
    effect: {type: replace, color: magenta}
    publish: [rtmp://h/app/thekey, {url: rtmp://127.0.0.1:1935/live/x, listen: true}]
    record: /srv/rec
  hall:
    source: test
    effect: {type: overlay, region: other}
  spare: {enabled: false, source: x}
"""


@pytest.fixture
def good(tmp_path: Path) -> Path:
    file = tmp_path / "edgeseg.yaml"
    file.write_text(GOOD, encoding="utf-8")
    return file


def test_one_line_per_stream_and_the_warnings(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "-c", str(good)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == f"{good}: ok"
    assert lines[1] == (
        "  door: rtsp://***@cam/1 → selfie-landscape, replace by #ff00ff → "
        "rtmp://h/app/***, listen rtmp://127.0.0.1:1935/live/***, /srv/rec"
    )
    assert lines[2] == "  hall: test: → selfie, overlay #ff0000 over the other region → HTTP only"
    assert [line for line in lines[3:] if not line.startswith("warning: ")] == []
    assert "warning: not running: spare ('enabled: false')" in lines


def test_every_problem_and_exit_code_78(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "edgeseg.yaml"
    file.write_text(
        "http: {prot: 1}\nstreams:\n  door: {source: x, effect: {type: blur, stregth: 1}}\n", encoding="utf-8"
    )
    assert cli.main(["check", "-c", str(file)]) == 78
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"{file}:1: http.prot: unknown key (did you mean 'port'?)",
        f"{file}:3: streams.door.effect.stregth: unknown key (did you mean 'strength'?)",
    ]


def test_show_prints_yaml_without_secrets(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "-c", str(good), "--show"]) == 0
    out = capsys.readouterr().out
    data = yaml.safe_load(out)
    assert data["streams"]["door"]["encoder"]["profile"] == "balanced"
    assert data["streams"]["door"]["effect"]["color"] == "#ff00ff"
    assert [secret for secret in ("hunter2", "joe", "thekey", "tokentoken") if secret in out] == []


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "-c", "/nope.yaml"]) == 78
    assert capsys.readouterr().err == "edgeseg: /nope.yaml: cannot be read: no such file or directory\n"


def test_the_shipped_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "-c", str(ROOT / "config.yaml")]) == 0
    assert "test: test: → selfie, blur → HTTP only" in capsys.readouterr().out


def test_a_recording_of_events_says_when(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "edgeseg.yaml"
    record = "{directory: /srv/rec, when: on_presence, pre_roll_s: 10}"
    file.write_text(f"streams: {{door: {{source: 'test:', record: {record}}}}}", encoding="utf-8")
    assert cli.main(["check", "-c", str(file)]) == 0
    out, _ = capsys.readouterr()
    assert "→ /srv/rec (when somebody is there, from 10 s before to 5 s after)" in out


@pytest.mark.parametrize("built", ["avx2", ""])
def test_a_machine_without_kernels_is_told(
    good: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, built: str
) -> None:
    monkeypatch.setattr(library, "variant", lambda: built)
    assert cli.main(["check", "-c", str(good)]) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if "installed without its kernels" in line]
    assert len(told) == (not built)
    assert all(line.startswith("warning: ") and "apt install gcc libc6-dev" in line for line in told)
