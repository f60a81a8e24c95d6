"""Reading a configuration: the long form, every problem at once and where it is."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from textwrap import dedent

import pytest
from pydantic import ValidationError

from edgeseg import plugins
from edgeseg.config import Config, StreamConfig, load_config, load_config_text, warnings
from edgeseg.config.effects import BlurEffect, OverlayEffect, PassthroughEffect, PluginEffect, ReplaceEffect
from edgeseg.errors import EXIT_CONFIG, ConfigError

BASE = Path("/etc/edgeseg")


def load(text: str) -> Config:
    return load_config_text(dedent(text), BASE, environ={})


def stream(text: str) -> StreamConfig:
    """The one stream of which ``text`` is the body."""
    body = "\n".join("    " + line for line in dedent(text).strip().splitlines())
    return load(f"streams:\n  door:\n    source: clip.mp4\n{body}\n").streams["door"]


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert caught.value.exit_code == EXIT_CONFIG
    return caught.value.problems


def problems_of(text: str) -> list[str]:
    """Problems of one stream with the body ``text``, without file, line and stream."""
    with pytest.raises(ConfigError) as caught:
        stream(text)
    return [line.split(": ", 1)[1].removeprefix("streams.door.") for line in caught.value.problems]


def test_one_line_is_a_stream_with_all_defaults() -> None:
    config = load("streams: {door: {source: clip.mp4}}")
    door = config.streams["door"]
    assert (config.http.host, config.http.port, config.ffmpeg) == ("127.0.0.1", 8790, "auto")
    assert door.source.url == "/etc/edgeseg/clip.mp4"
    assert (door.model.name, door.model.backend, door.mask.smooth_step) == ("selfie", "auto", (0.35, 0.85))
    assert door.effect == BlurEffect(strength=1.0)
    assert (door.publish, door.record, door.outputs) == ((), None, ())


def test_short_forms_become_long() -> None:
    door = stream("""
        model: models/mine
        effect: overlay
        publish: rtmp://h/app/key
        record: recordings
    """)
    assert door.model.name == "/etc/edgeseg/models/mine"
    assert door.effect == OverlayEffect(color=(255, 0, 0), opacity=0.5, region="kept")
    assert [(target.url, target.listen) for target in door.publish] == [("rtmp://h/app/key", False)]
    assert door.record is not None
    assert (door.record.directory, door.record.segment_s) == (BASE / "recordings", 60.0)


def test_publish_takes_urls_and_mappings_in_one_list() -> None:
    door = stream("publish: [rtsp://h/1, {url: rtmp://127.0.0.1:1936/live/x, listen: true, name: viewer}]")
    assert [(t.url, t.name, t.listen) for t in door.publish] == [
        ("rtsp://h/1", None, False),
        ("rtmp://127.0.0.1:1936/live/x", "viewer", True),
    ]


@pytest.mark.parametrize(
    ("text", "kind", "url"),
    [
        ("clip.mp4", "av", "/etc/edgeseg/clip.mp4"),
        ("/srv/clip.mp4", "av", "/srv/clip.mp4"),
        ("rtsp://cam/1", "av", "rtsp://cam/1"),
        ("file:///srv/clip.mp4", "av", "file:///srv/clip.mp4"),
        ("/dev/video0", "v4l2", "/dev/video0"),
        ("/dev/v4l/by-id/usb-cam-index0", "v4l2", "/dev/v4l/by-id/usb-cam-index0"),
        ("test", "test", "test:"),
        ("'test:smptebars'", "test", "test:smptebars"),
        ("{type: test}", "test", ""),
        ("{type: av, url: /dev/video0}", "av", "/dev/video0"),
    ],
)
def test_the_source_is_what_its_url_looks_like(text: str, kind: str, url: str) -> None:
    source = load(f"streams: {{door: {{source: {text}}}}}").streams["door"].source
    assert (source.kind, source.url) == (kind, url)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{size: 1280x720}", (1280, 720)),
        ("{size: source}", "source"),
        ("{fps: 25}", Fraction(25)),
        ("{fps: 12.5}", Fraction(25, 2)),
        ("{fps: 30000/1001}", Fraction(30000, 1001)),
        ("{fps: 29.97}", Fraction(30000, 1001)),
        ("{fps: source}", "source"),
    ],
)
def test_video_values(text: str, value: object) -> None:
    video = stream(f"video: {text}").video
    assert value in (video.size, video.fps)


@pytest.mark.parametrize(
    ("text", "bits"),
    [("3M", 3_000_000), ("2500k", 2_500_000), ("800000", 800_000), ("1.5M", 1_500_000), ("auto", "auto")],
)
def test_bit_rates(text: str, bits: object) -> None:
    assert stream(f"encoder: {{bitrate: {text}}}").encoder.bitrate == bits


def test_replace_takes_one_background_and_green_by_default() -> None:
    assert stream("effect: replace").effect == ReplaceEffect(color=(0, 255, 0))
    assert stream("effect: {type: replace, color: '#FF8000'}").effect == ReplaceEffect(color=(255, 128, 0))
    picture = stream("effect: {type: replace, picture: office.jpg, fit: contain}").effect
    assert picture == ReplaceEffect(picture=BASE / "office.jpg", fit="contain")
    assert problems_of("effect: {type: replace, color: red, video: x.mp4}") == [
        "effect: takes one background, not color and video (remove color or video)"
    ]


def test_a_colour_that_yaml_took_for_a_comment() -> None:
    hint = "(a colour such as '#00ff00' needs quotes: YAML takes # for a comment)"
    for kind in ("replace", "overlay"):
        assert problems_of(f"effect:\n  type: {kind}\n  color: #00ff00") == [f"effect.color: is empty {hint}"]


def test_threshold_takes_the_place_of_the_smooth_step() -> None:
    mask = stream("mask: {threshold: 0.5}").mask
    assert (mask.threshold, mask.smooth_step) == (0.5, None)
    assert problems_of("mask: {threshold: 0.5, smooth_step: [0.1, 0.9]}") == [
        "mask: takes threshold or smooth_step, not both (remove one)"
    ]


def test_the_preset_is_left_to_the_profile() -> None:
    assert stream("encoder: {codec: libx264}").encoder.preset is None
    assert stream("encoder: {codec: libx264}").encoder.profile == "balanced"
    assert stream("encoder: {codec: h264_nvenc, preset: p1}").encoder.preset == "p1"


def test_sections_with_nothing_in_them_are_defaults() -> None:
    config = load("http:\nlog:\nstreams:\n  door:\n    source: x.mp4\n    mask:\n    encoder:\n    publish:\n")
    assert config == load("streams: {door: {source: x.mp4}}")


def test_anchors_share_what_cameras_have_in_common() -> None:
    config = load("""
        streams:
          door: &camera
            source: rtsp://one/1
            effect: {type: replace, color: red}
          back:
            <<: *camera
            source: rtsp://two/1
    """)
    assert config.streams["back"].effect == config.streams["door"].effect
    assert config.streams["back"].source.url == "rtsp://two/1"


def test_files_that_may_be_left_out() -> None:
    door = stream("slate: {picture: away.png, text: ''}\nmodel: {name: selfie, cache: /var/cache/models}")
    assert (door.slate.picture, door.slate.text) == (Path("/etc/edgeseg/away.png"), "")
    assert door.model.cache == Path("/var/cache/models")
    assert problems_of("slate: {picture: 3}") == ["slate.picture: must be text, not 3 (put it in quotes)"]


def test_who_writes_false_is_told_how_to_switch_it_off() -> None:
    assert problems_of("governor: false") == [
        "governor: must be a mapping of keys, not false (to switch it off: {enabled: false})"
    ]
    assert problems_of("presence: false") == ["presence: must be a mapping of keys, not false"]


def test_models_cannot_be_changed() -> None:
    config = load("streams: {door: {source: x.mp4}}")
    with pytest.raises(ValidationError, match="frozen"):
        config.http.port = 1  # type: ignore[misc]


def test_models_do_not_show_addresses_in_their_repr() -> None:
    config = load(
        "http: {token: hunter2hunter2}\nstreams: {d: {source: 'rtsp://u:hunter2@c/1', publish: rtmp://h/a/hunter2}}"
    )
    assert "hunter2" not in repr(config)


def test_every_problem_at_once_with_its_line() -> None:
    assert problems("""\
        http: {port: 87900, hots: 1.2.3.4}
        log: {level: inf}
        streams:
          door:
            source: rtsp://user:${CAM_PASSWORD}@camera/1
            effect: {type: replace, colour: red}
            mask: {temporal: 2}
            publish: [rtmp://s/app/key, {url: "http://x", lisen: true}]
            record: {directory: a, segment_s: "60"}
            record: rec
          back:
            source: {url: clip.mp4, size: 99}
            effect: passthrough
          Bad Name:
            effect: blurr
    """) == [
        "config.yaml:1: http.hots: unknown key (did you mean 'host'?)",
        "config.yaml:1: http.port: must be a whole number from 0 to 65535, not 87900",
        "config.yaml:2: log.level: must be debug, info, warning or error, not 'inf' (did you mean 'info'?)",
        "config.yaml:5: streams.door.source: environment variable CAM_PASSWORD is not set",
        "config.yaml:6: streams.door.effect.colour: unknown key (did you mean 'color'?)",
        "config.yaml:7: streams.door.mask.temporal: must be a number from 0 to 0.99, not 2",
        "config.yaml:8: streams.door.publish[1].lisen: unknown key (did you mean 'listen'?)",
        "config.yaml:9: streams.door.record.segment_s: must be a number from 1 to 86400, not '60'",
        "config.yaml:10: streams.door.record: is written twice (first in line 9)",
        "config.yaml:12: streams.back.source.size: must be a size such as 1280x720, not 99",
        "config.yaml:13: streams.back.effect: passthrough shows the bare camera picture, "
        "which needs 'allow_uncovered: true' on the stream",
        "config.yaml:14: streams.Bad Name: is not a name for a stream "
        "(1 to 32 of a-z, 0-9, - and _, and the first is a letter or a digit)",
        "config.yaml:14: streams.Bad Name.source: is missing",
        "config.yaml:15: streams.Bad Name.effect: no effect is called 'blurr' (did you mean 'blur'?)",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("effect: 5", "effect: must be the name of an effect or a mapping with its type, not 5"),
        ("effect: {strength: 1}", "effect: needs a type (replace, blur, overlay, matte, passthrough, or that of a plug-in)"),
        ("effect: {type: blur, strenght: 2}", "effect.strenght: unknown key (did you mean 'strength'?)"),
        ("effect: {type: blur, strength: 0}", "effect.strength: must be a number above 0 and at most 4, not 0"),
        ("effect: {type: overlay, color: grene}", "effect.color: must be a colour name or '#rrggbb', not 'grene' (did you mean 'green'?)"),
        ("model: {backend: opnvino}", "model.backend: no backend is called 'opnvino' (did you mean 'openvino'?)"),
        ("allow_uncovered: 'true'", "allow_uncovered: must be true or false, not 'true'"),
        ("mask: {invert: 1}", "mask.invert: must be true or false, not 1"),
        ("mask: {smooth_step: [0.8, 0.2]}", "mask.smooth_step: must be two numbers, 0 <= low < high <= 1, not [0.8, 0.2]"),
        ("mask: {smooth_step: null}", "mask: needs threshold or smooth_step"),
        ("mask: {feather: .nan}", "mask.feather: must be a number from 0 to 64, not nan"),
        ("mask: []", "mask: must be a mapping of keys, not a list"),
        ("mask: {on_mask_loss: uncovered}", "mask.on_mask_loss: 'uncovered' shows the bare picture without a mask, which needs 'allow_uncovered: true' on the stream"),
        ("video: {size: 1x1}", "video.size: must be 'source', or a size from 16x16 to 8192x8192, not '1x1'"),
        ("video: {fps: 30/0}", "video.fps: must be 'source', or a rate such as 25, 29.97 or 30000/1001 (0.1 to 240), not '30/0'"),
        ("encoder: {codec: x264}", "encoder.codec: must be libx264, h264_vaapi, h264_qsv, h264_nvenc or h264_v4l2m2m, not 'x264' (did you mean 'libx264'?)"),
        ("encoder: {bitrate: 3 Mbit}", "encoder.bitrate: must be 'auto', or a bit rate such as 3M or 2500k (10k to 500M), not '3 Mbit'"),
        ("encoder: {preset: warp9}", "encoder.preset: must be a preset of libx264 (ultrafast, superfast, veryfast, faster, fast, medium, slow, slower, veryslow, placebo), not 'warp9'"),
        ("encoder: {fallback: libx265}", "encoder.fallback: must be libx264 or null, not 'libx265' (did you mean 'libx264'?)"),
        ("encoder: {options: [1]}", "encoder.options: must be a mapping of names to values, not a list"),
        ("publish: ftp://h/x", "publish: must start with one of rtmp://, rtmps://, rtsp://, srt://"),
        ("publish: [rtmp:///app/x]", "publish[0]: has no host"),
        ("publish: rtmp://h:99999/app/x", "publish: must start with one of rtmp://, rtmps://, rtsp://, srt://"),
        ("publish: srt://h", "publish: needs a port (SRT has no usual one)"),
        ("publish: {url: rtsp://h/x, listen: true}", "publish.url: with 'listen: true' must be rtmp://, not rtsp://"),
        ("publish: {url: rtmp://h/x, listen: true}", "publish.url: with 'listen: true' must name an application and a stream (rtmp://host:port/live/name)"),
        ("publish: {listen: true}", "publish.url: is missing"),
        ("publish: [{url: rtmp://h/a/x, name: a}, {url: rtmp://h/a/y, name: a}]", "publish[1].name: 'a' names another output already"),
        ("record: {container: mp4}", "record.directory: is missing"),
        ("outputs: [{type: record}]", "outputs[0].type: 'record' is built in (write it under 'record' instead)"),
        ("nonsense: 1", "nonsense: unknown key"),
    ],
)  # fmt: skip
def test_sentences(text: str, problem: str) -> None:
    found = problems_of(text)
    assert len(found) == 1
    assert found[0].startswith(problem)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "config.yaml: is empty"),
        ("# nothing", "config.yaml: is empty"),
        ("just text", "config.yaml:1: must be a mapping of keys, not 'just text'"),
        ("- a\n- b", "config.yaml:1: must be a mapping of keys, not a list"),
        ("http: {}", "config.yaml:1: streams: is missing"),
        ("streams: {}", "config.yaml:1: streams: is empty (at least one stream is needed)"),
        ("streams:", "config.yaml:1: streams: must be a mapping of keys, not empty"),
        ("streams: {a: {enabled: false, source: x}}", "config.yaml:1: streams: has no stream with 'enabled: true'"),
        ("streams:\n  a: {source: x\n", "config.yaml:3: is not valid YAML: while parsing a flow mapping"),
        ("streams:\n\ta: 1", "config.yaml:2: is not valid YAML: while scanning for the next token"),
        ("a: 1\n---\nb: 1", "config.yaml:2: is not valid YAML: expected a single document in the stream"),
        ("streams: *nope", "config.yaml:1: is not valid YAML: found undefined alias"),
        ("streams: {1: {source: x}}", "config.yaml:1: streams.1: is not text (put the key in quotes)"),
        ("streams: {a: {source: x}}\nlog: !!python/object:os.system {}", "config.yaml:2: log"),
        ("streams: {a: {source: !!python/name:os.system x}}", "config.yaml:1: streams.a.source: could not determine"),
        (
            "streams: {a: {source: x, record: 2024-13-45}}",
            "config.yaml:1: streams.a.record: '2024-13-45' is not a valid",
        ),
        ("streams: &s\n  a: *s", "config.yaml:1:"),
        ("[" * 700, "config.yaml: is nested too deeply"),
        ("streams: {a: {source: {}}}", "config.yaml:1: streams.a.source: needs a url"),
        ("streams: {a: {source: {type: rstp}}}", "config.yaml:1: streams.a.source.type: no source is called 'rstp'"),
        ("streams: {a: {source: ''}}", "config.yaml:1: streams.a.source: is empty"),
        ("http: {host: 0.0.0.0}\nstreams: {a: {source: x}}", "config.yaml:1: http.host: '0.0.0.0' can be reached"),
        ("http: {token: 1234}\nstreams: {a: {source: x}}", "config.yaml:1: http.token: must be text, not 1234"),
        (
            "streams: {a: {source: x, record: on_presence}}",
            "config.yaml:1: streams.a.record: needs a folder (write {directory: …, when: on_presence})",
        ),
        (
            "streams: {a: {source: x, record: {directory: y, cut: clock, segment_s: 7}}}",
            "config.yaml:1: streams.a.record.segment_s: must divide a day with 'cut: clock' (60, 300, 900 or 3600, say)",
        ),
        (
            "streams: {a: {source: x, record: {directory: y, when: on_presence, pre_roll_s: 60}, encoder: {bitrate: 50M}}}",
            "config.yaml:1: streams.a.record.pre_roll_s: takes 370 MiB of memory at that bit rate; 64 MiB are allowed",
        ),
    ],
    ids=range(26),
)
def test_files_that_are_wrong_as_a_whole(text: str, problem: str) -> None:
    assert any(line.startswith(problem) for line in problems(text)), problems(text)


def test_aliases_cannot_blow_up() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert any("aliases make it too large" in line for line in problems("\n".join(lines)))


def test_two_things_cannot_listen_on_one_port() -> None:
    text = """
        http: {port: 8000}
        streams:
          a: {source: x, publish: {url: 'rtmp://127.0.0.1:8000/live/a', listen: true}}
          b: {source: x, publish: {url: 'rtmp://localhost/live/b', listen: true}}
          c: {source: x, publish: {url: 'rtmp://0.0.0.0:1935/live/c', listen: true}}
          d: {source: x, enabled: false, publish: {url: 'rtmp://0.0.0.0:1935/live/d', listen: true}}
    """
    assert problems(text) == [
        "config.yaml:4: streams.a.publish.url: listens on port 8000, as http.port does (use another port)",
        "config.yaml:6: streams.c.publish.url: listens on port 1935, as streams.b.publish[0].url does (use another port)",
    ]


def test_two_streams_cannot_publish_to_one_place() -> None:
    text = """
        streams:
          a: {source: x, publish: rtmp://h/app/key}
          b: {source: x, publish: [rtmp://h/app/other, rtmp://h/app/key]}
    """
    assert problems(text) == [
        "config.yaml:4: streams.b.publish[1]: is where streams.a.publish[0].url publishes too (a server takes one stream there)"
    ]


def test_what_does_not_fit_is_found_beside_what_is_wrong() -> None:
    found = problems("http: {host: 0.0.0.0, prot: 1}\nstreams: {a: {source: x, effect: passthrough, ecnoder: {}}}")
    assert [line.split(": ")[1] for line in found] == [
        "http.host",
        "http.prot",
        "streams.a.ecnoder",
        "streams.a.effect",
    ]


def test_a_wrong_value_causes_no_second_complaint() -> None:
    assert problems_of("effect: passthrough\nallow_uncovered: yes please") == [
        "allow_uncovered: must be true or false, not 'yes please'"
    ]


def test_a_key_that_yaml_reads_as_something_else_is_one_problem() -> None:
    assert problems("streams: {off: {source: x}, a: {source: x}}") == [
        "config.yaml:1: streams.off: is not text (put the key in quotes)"
    ]


def test_a_plugin_effect_takes_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "names", lambda kind: ["sparkle"])
    effect = stream("model: {backend: sparkle}\neffect: {type: sparkle, options: {a: [1, 2]}}").effect
    assert effect == PluginEffect(type="sparkle", options={"a": [1, 2]})
    assert problems_of("model: {backend: sparkle}\neffect: {type: sparkle, strength: 1}") == [
        "effect.strength: unknown key (known here: type, options)"
    ]


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_text("streams: {door: {source: clip.mp4}}", encoding="utf-8")
    assert load_config(file).streams["door"].source.url == str(tmp_path / "clip.mp4")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"streams:\n  \xff\xfe", ":2: is not UTF-8 text"),
        (b"streams: \x00", ": is not valid YAML: unacceptable character #x0000"),
        (b"# " + b"x" * 1_000_001, ": is too large for a configuration"),
        (b"\n\nstreams: {a: {sauce: x}}", ":3: streams.a.sauce: unknown key (did you mean 'source'?)"),
    ],
    ids=["bytes", "nul", "huge", "line"],
)
def test_files_that_cannot_be_read(tmp_path: Path, content: bytes, problem: str) -> None:
    file = tmp_path / "my.yaml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert any(line.startswith(f"{file}{problem}") for line in caught.value.problems), caught.value.problems


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nope\.yaml: cannot be read: no such file or directory"):
        load_config(tmp_path / "nope.yaml")
    with pytest.raises(ConfigError, match="cannot be read: is a directory"):
        load_config(tmp_path)


def test_warnings_tell_what_is_allowed_and_risky() -> None:
    config = load("""
        http: {host: 0.0.0.0, token: short}
        streams:
          a: {source: x, effect: passthrough, allow_uncovered: true}
          b: {source: x, allow_uncovered: true, mask: {temporal: 0.95}}
          c: {source: x, enabled: false}
          d: {source: x, publish: [{url: 'rtmp://0.0.0.0:1935/live/d', listen: true}, 'rtmp://u:p@h/a/k']}
          e: {source: x, allow_uncovered: true, mask: {on_mask_loss: uncovered}}
          f: {source: x, record: {directory: y, pre_roll_s: 10}}
          g: {source: x, slate: {enabled: false}, video: {timestamps: constant}}
    """)
    told = "\n".join(warnings(config))
    for words in (
        "without encryption (put a proxy",
        "http.token: is shorter",
        "a: the bare camera picture leaves the box",
        "b: allow_uncovered is on and nothing needs it",
        "b: mask.temporal 0.95",
        "not running: c",
        "d: whoever reaches the listening",
        "d: a password goes over rtmp://",
        "e: the bare camera picture leaves the box whenever",
        "f: everything is recorded, and nothing is done by record.pre_roll_s: add 'when: on_presence'",
        "g: what is missing while the source is away is made up for with the last picture",
    ):
        assert words in told
    assert isinstance(config.streams["a"].effect, PassthroughEffect)
    assert warnings(load("streams: {a: {source: x}}")) == []
