"""What the configuration refers to comes in, and is masked from then on."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from edgeseg import redact as redact_module
from edgeseg.config import Config, load_config_text, show
from edgeseg.errors import ConfigError
from edgeseg.redact import redact


@pytest.fixture(autouse=True)
def _nothing_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact_module, "_spellings", ())


def load(text: str, base: Path = Path("/"), **environ: str) -> Config:
    return load_config_text(dedent(text), base, environ=environ)


def door(source: str, base: Path = Path("/"), **environ: str) -> str:
    return load(f"streams: {{door: {{source: '{source}'}}}}", base, **environ).streams["door"].source.url


def problem(source: str, base: Path = Path("/"), **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        door(source, base, **environ)
    (only,) = caught.value.problems
    return only.removeprefix("config.yaml:1: streams.door.source: ")


def test_environment_variables() -> None:
    assert door("rtsp://joe:${PASSWORD}@cam/1", PASSWORD="hunter2") == "rtsp://joe:hunter2@cam/1"
    assert redact("the word hunter2 in a line") == "the word *** in a line"
    assert door("rtsp://${HOST:-cam}/${N:-1}", N="2") == "rtsp://cam/2"
    assert door("rtsp://cam/${EMPTY:-x}", EMPTY="") == "rtsp://cam/x"


def test_dollar_signs() -> None:
    assert door("rtsp://joe:pa$$w0rd$$$${X}@cam/1") == "rtsp://joe:pa$w0rd$${X}@cam/1"
    assert door("rtsp://cam/$1") == "rtsp://cam/$1"


def test_files(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("thekey-1\r\n\n", encoding="utf-8")
    (tmp_path / "url").write_text("rtsp://joe:hunter2@cam/1\n", encoding="utf-8")
    assert door("rtmp://h/app/${file:key}", tmp_path) == "rtmp://h/app/thekey-1"
    assert door(f"file:{tmp_path}/url") == "rtsp://joe:hunter2@cam/1"
    assert door("file:url", tmp_path) == "rtsp://joe:hunter2@cam/1"
    assert redact("thekey-1 hunter2") == "*** ***"


def test_a_file_url_is_no_secret(tmp_path: Path) -> None:
    assert door("file:///srv/clip.mp4", tmp_path) == "file:///srv/clip.mp4"


def test_credentials(tmp_path: Path) -> None:
    (tmp_path / "cam.password").write_text("hunter2", encoding="utf-8")
    url = door("rtsp://joe:${credential:cam.password}@cam/1", CREDENTIALS_DIRECTORY=str(tmp_path))
    assert url == "rtsp://joe:hunter2@cam/1"
    assert redact("hunter2") == "***"


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("${NOPE}", "environment variable NOPE is not set"),
        ("x${EMPTY}", "environment variable EMPTY is empty"),
        ("${NOPE}/${NEITHER}", "environment variable NOPE is not set; environment variable NEITHER is not set"),
        ("rtsp://cam/${NOPE", "'${' is not closed (write $${ for the characters themselves)"),
        ("${A-B}", "'${A-B}' is not understood (known: NAME, NAME:-default, file:, credential:)"),
        ("file:nope", "secret file nope cannot be read: no such file or directory"),
        ("${file:}", "'file:' needs a path"),
        ("file:blank", "secret file blank is empty"),
        ("file:clip", "secret file clip is not text (a clip is named without 'file:')"),
        ("file:large", "secret file large is larger than a secret can be (a clip is named without 'file:')"),
        ("${credential:x}", "credential 'x' is not there: CREDENTIALS_DIRECTORY is not set"),
        ("rtsp://joe:${ODD}@cam/1", "the value of ${ODD} has characters that a URL takes for its own"),
    ],
)
def test_what_cannot_be_put_in(tmp_path: Path, source: str, sentence: str) -> None:
    (tmp_path / "blank").write_text("\n", encoding="utf-8")
    (tmp_path / "clip").write_bytes(b"\x00\xff\xfe")
    (tmp_path / "large").write_text("x" * 70_000, encoding="utf-8")
    found = problem(source, tmp_path, EMPTY="", ODD="hunter2/@")
    assert found.startswith(sentence)
    assert "hunter2" not in found


@pytest.mark.parametrize("name", ["..", "../shadow", "a/b", ""])
def test_a_credential_is_a_name_and_no_path(tmp_path: Path, name: str) -> None:
    found = problem(f"${{credential:{name}}}", CREDENTIALS_DIRECTORY=str(tmp_path))
    assert "is not a name for a credential" in found


def test_numbers_and_flags_may_come_from_the_environment() -> None:
    config = load(
        "http: {port: '${PORT}'}\nstreams: {a: {source: {url: x, loop: '${LOOP}'}, mask: {temporal: '${T}'}}}",
        PORT="9000",
        LOOP="true",
        T="0.5",
    )
    stream = config.streams["a"]
    assert (config.http.port, stream.source.loop, stream.mask.temporal) == (9000, True, 0.5)
    with pytest.raises(ConfigError, match="must be a whole number from 0 to 65535, not '9000'"):
        load("http: {port: '9000'}\nstreams: {a: {source: x}}")


def test_settings_and_addresses_are_no_secrets() -> None:
    load(
        """
        log: {level: '${LEVEL}'}
        streams:
          a: {source: 'rtsp://joe:${PASSWORD}@${CAMERA}:${PORT}/1', publish: '${WHOLE}'}
        """,
        LEVEL="info",
        PASSWORD="hunter2",
        CAMERA="camera",
        PORT="5544",
        WHOLE="rtmp://server/live/thekey",
    )
    assert redact("info camera 5544 server live hunter2 thekey") == "info camera 5544 server live *** ***"


def test_a_stream_that_is_off_may_lack_its_secrets() -> None:
    config = load("streams: {a: {source: x}, b: {enabled: false, source: 'rtsp://${NOPE}@cam/1'}}")
    assert config.streams["b"].source.url == "rtsp://${NOPE}@cam/1"


def test_a_missing_secret_hides_no_other_problem() -> None:
    with pytest.raises(ConfigError) as caught:
        load("streams: {a: {source: '${NOPE}', fps: 1}, b: {publish: 1}}")
    assert [line.split(": ")[1] for line in caught.value.problems] == [
        "streams.a.fps",
        "streams.a.source",
        "streams.b.publish",
        "streams.b.source",
    ]


def test_show_is_the_configuration_in_force() -> None:
    text = """
        http: {port: 9000}
        streams:
          a:
            source: {url: clip.mp4, size: 640x360, fps: 29.97, options: {analyzeduration: 5, live: true}}
            effect: {type: replace, picture: x.jpg}
            mask: {threshold: 0.5}
            encoder: {codec: h264_qsv, bitrate: 3M}
            publish: srt://h:9000?latency=20
            record: {directory: rec, segment_s: 30}
          b: {source: /dev/video0, effect: {type: overlay, color: "#010203"}}
    """
    config = load(text, Path("/srv"))
    again = load(show(config), Path("/elsewhere"))
    assert again == config


def test_show_masks_what_is_secret() -> None:
    config = load(
        """
        http: {token: tokentokentoken99}
        streams:
          a:
            source: {url: 'rtsp://joe:hunter2@cam/1', options: {headers: 'Authorization: Basic QWxhZGRpbg=='}}
            publish: [rtmp://h/app/thekey, 'srt://h:9?passphrase=hunter3hunter3', 'rtmp://h/other/${KEY}']
            encoder: {options: {x: '${KEY}'}}
        """,
        KEY="envsecret",
    )
    shown = show(config)
    for secret in ("tokentoken", "joe", "hunter2", "QWxh", "thekey", "hunter3", "envsecret"):
        assert secret not in shown
    for kept in ("@cam/1", "rtmp://h/app/", "srt://h:9?passphrase="):
        assert kept in shown
    load(shown)  # still YAML, still a configuration
