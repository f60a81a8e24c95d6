"""Secrets do not survive ``redact``; what an operator needs to recognise does."""

from __future__ import annotations

import json
import threading
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg import redact as module
from edgeseg.redact import MIN_SECRET, learn_secret, learn_url, redact, redact_url


@pytest.fixture(autouse=True)
def _nothing_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_spellings", ())


# text, what must be gone, what must be left
CORPUS = [
    ("rtsp://admin:hunter2@cam/1", ["hunter2", "admin"], ["rtsp://", "@cam/1"]),
    ("rtsp://jo.hn.doe:hunter2@cam:554/h264?channel=1", ["hunter2", "jo.hn"], ["@cam:554/h264?channel=1"]),
    ("rtsp://user:p%40ss%3Aw0rd@cam/1", ["p%40ss", "w0rd"], ["@cam/1"]),
    ("rtsp://me%40example.org:hunter2@cam/1", ["hunter2", "me%40"], ["@cam/1"]),
    ("rtsp://:hunter2@cam/1", ["hunter2"], ["@cam/1"]),
    ("rtsp://user:@cam/1", ["user"], ["@cam/1"]),
    ("rtsp://user:hun:ter2@cam/1", ["hun", "ter2"], ["@cam/1"]),
    ("rtsp://user:hun@ter2@cam/1", ["hun", "ter2"], ["@cam/1"]),
    ("rtsp://user:hun/ter2@cam/1", ["hun", "ter2"], ["@cam/1"]),
    ("rtsp://user:12/34secret@cam/1", ["12/", "34secret"], ["@cam/1"]),
    ("rtsp://user:hun#ter2@cam/1", ["hun", "ter2"], ["@cam/1"]),
    ("rtsp://user:hun?ter2@cam/1", ["hun", "ter2"], ["@cam/1"]),
    ("rtsp://user:it's@cam/1", ["it's"], ["@cam/1"]),
    ("https://ghp_0123456789@example.org/x", ["ghp_"], ["@example.org/x"]),
    ("rtsp://user:hunter2@[fe80::1]:554/1", ["hunter2"], ["@[fe80::1]:554/1"]),
    ("RTSP://user:hunter2@CAM/1", ["hunter2"], ["@CAM/1"]),
    ("rtmp://a.rtmp.example.com/live2/abcd-efgh-ijkl", ["abcd", "ijkl"], ["rtmp://a.rtmp.example.com/live2/"]),
    ("rtmp://h:1935/app/instance/thekey", ["thekey", "instance"], ["rtmp://h:1935/app/"]),
    (
        "rtmps://live.example.com:443/rtmp/FB-123-0-Abc?s_bl=1&s_sw=0",
        ["FB-123", "s_bl"],
        ["live.example.com:443/rtmp/"],
    ),
    ("rtmp://h/app/live_1_x?bandwidthtest=true", ["live_1_x"], ["rtmp://h/app/"]),
    ("rtmp://h/app?auth=thekey", ["thekey"], ["rtmp://h/app"]),
    ("rtmp://u:hunter2@h/app/thekey", ["hunter2", "thekey"], ["@h/app/"]),
    ("RTMP://h/app/thekey", ["thekey"], ["RTMP://h/app/"]),
    ("rtmpts://h//live/thekey", ["thekey"], ["rtmpts://h//live/"]),
    ("rtmp://h/app playpath=thekey live=1", ["thekey"], ["rtmp://h/app"]),
    ("srt://h:9000?passphrase=thekey1234&latency=200", ["thekey"], ["srt://h:9000?", "latency=200"]),
    ("srt://h:9000?latency=200&passphrase=thekey", ["thekey"], ["latency=200"]),
    ("srt://h:9000?streamid=publish:live/thekey&pkt_size=1316", ["thekey"], ["pkt_size=1316"]),
    ("srt://h:9000?mode=caller&streamid=#!::r=live,u=joe,s=thekey", ["thekey", "joe"], ["mode=caller"]),
    ("http://cam/cgi-bin/video?usr=joe&pwd=hunter2&chn=1", ["joe", "hunter2"], ["http://cam/cgi-bin/video?", "chn=1"]),
    ("http://cam/mjpg?user=joe&password=hunter2", ["joe", "hunter2"], ["http://cam/mjpg?"]),
    ("http://h/x.m3u8?token=hunter2&t=5", ["hunter2"], ["t=5"]),
    ("http://h/x.m3u8?access_token=hunter2", ["hunter2"], ["access_token="]),
    ("https://h/x?X-Amz-Signature=abcdef&X-Amz-Date=2024", ["abcdef"], ["X-Amz-Date=2024"]),
    ("https://h/x?sig=abcdef%3D&se=2024", ["abcdef"], ["se=2024"]),
    ("https://h/x?api_key=hunter2;secret=hunter3", ["hunter2", "hunter3"], ["https://h/x?"]),
    ("https://h/x?hdnts=exp=1~acl=/*~hmac=abcdef", ["abcdef"], ["https://h/x?"]),
    ("rtsp://10.0.0.9:554/user=admin_password=tlJwpbo6_channel=1_stream=0.sdp", ["tlJwpbo6"], ["rtsp://10.0.0.9:554/"]),
    ("http://proxy/?url=rtsp%3A%2F%2Fjoe%3Ahunter2%40cam%2F1", ["joe", "hunter2"], ["http://proxy/", "cam"]),
    ("rtsp://h:554/1,rtsp://joe:hunter2@h2/2", ["joe", "hunter2"], ["rtsp://h:554/1", "@h2/2"]),
    ("[f=flv]rtmp://h/app/thekey|[f=mp4]x.mp4", ["thekey"], ["rtmp://h/app/"]),
    ("[rtmp @ 0x5581] Cannot open rtmp://h/app/thekey: Connection refused", ["thekey"], [": Connection refused"]),
    ("Error opening 'rtsp://joe:hunter2@cam/1': timeout", ["hunter2"], ["@cam/1': timeout"]),
    ('{"url":"rtsp://joe:hunter2@cam/1","n":1}', ["hunter2"], ['@cam/1","n":1}']),
    ("<a href=rtmp://h/app/thekey>x</a>", ["thekey"], [">x</a>"]),
    ("Authorization: Bearer abcdefghij.klm", ["abcdefghij"], ["Authorization: Bearer"]),
    ("authorization: Basic QWxhZGRpbg==", ["QWxh"], ["authorization: Basic"]),
    ('Authorization: Digest username="joe", response="abcdef"', ["joe", "abcdef"], ["Authorization: Digest"]),
    ("{'Authorization': 'Bearer abcdefghij'}", ["abcdefghij"], ["Authorization"]),
    ("Cookie: session=abcdef; other=1", ["abcdef", "other"], ["Cookie:"]),
    ("sent bearer abcdefghij.klm", ["abcdefghij"], ["sent bearer"]),
    ("{'password': 'hunter2', 'n': 1}", ["hunter2"], ["'n': 1}"]),
    ('{"token": "hunter2"}', ["hunter2"], ["token"]),
    ("passphrase=hunter2, latency=5", ["hunter2"], [", latency=5"]),
    ("ffmpeg -re -passphrase hunter2 -f mpegts srt://h:1", ["hunter2"], ["-f mpegts srt://h:1"]),
]


@pytest.mark.parametrize(("text", "gone", "left"), CORPUS, ids=range(len(CORPUS)))
def test_awkward_texts(text: str, gone: list[str], left: list[str]) -> None:
    masked = redact(text)
    assert [secret for secret in gone if secret in masked] == []
    assert [wanted for wanted in left if wanted not in masked] == []
    assert redact(masked) == masked


@pytest.mark.parametrize(
    ("text", "gone", "left"), [row for row in CORPUS if row[0][:3].lower() in ("rts", "rtm", "srt", "htt")]
)
def test_awkward_urls_alone(text: str, gone: list[str], left: list[str]) -> None:
    masked = redact_url(text)
    assert [secret for secret in gone if secret in masked] == []
    assert masked.startswith(text.partition("://")[0] + "://")


@pytest.mark.parametrize(
    "text",
    [
        "door: cannot open /dev/video0: device busy (another process holds it)",
        "http://127.0.0.1:8790/metrics",
        "rtsp://192.168.1.20:554/stream1?channel=1&subtype=0",
        "rtmp://127.0.0.1:1935/live",
        "srt://h:9000?latency=200&mode=caller",
        "see https://example.org/docs?page=2#top.",
        "12:00:01 info door: running at 25 fps, keyframe every 2 s",
        "streams.door.effect.colour: unknown key (did you mean 'color'?)",
        "the model's licence is Apache-2.0; basic operation",
        "",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_a_url_with_blanks_and_quotes_is_taken_whole() -> None:
    masked = redact_url('rtsp://joe:my "pass word"@cam/1')
    assert masked == "rtsp://***@cam/1"
    assert redact_url("rtmp://h/app/key with) blanks)") == "rtmp://h/app/***"


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)
SECRET = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=MIN_SECRET, max_size=24)


@settings(deadline=None)
@given(before=TEXT, secrets=st.lists(SECRET, min_size=1, max_size=3), after=TEXT)
def test_a_learned_secret_never_survives(before: str, secrets: list[str], after: str) -> None:
    module._spellings = ()
    for secret in secrets:
        learn_secret(secret)
    for secret in secrets:
        for spelling in (secret, quote(secret, safe=""), quote(secret), quote_plus(secret), json.dumps(secret)[1:-1]):
            for text in (before + spelling + after, f"rtsp://{spelling}@h/{spelling}?x={spelling}"):
                assert spelling not in redact(text)
                assert spelling not in redact_url(text)


@settings(deadline=None)
@given(TEXT)
def test_redacting_twice_changes_nothing(text: str) -> None:
    module._spellings = ()
    once = redact(text)
    assert redact(once) == once


def test_overlapping_secrets_leave_no_rest() -> None:
    learn_secret("alphabeta")
    learn_secret("betagamma")
    assert redact("x alphabetagamma y") == "x *** y"


def test_short_values_are_not_learned() -> None:
    learn_secret("abc")
    learn_secret("  ")
    assert redact("abc abc") == "abc abc"


def test_learn_url_takes_the_secret_parts() -> None:
    learn_url("rtmp://joe:hunter2@host/live/thekey?sign=abcdef&n=20000")
    assert redact("host live hunter2 thekey abcdef 20000") == "host live *** *** *** 20000"


def test_learning_while_others_redact() -> None:
    wrong: list[str] = []
    stop = threading.Event()

    def redact_all_the_time() -> None:
        while not stop.is_set():
            text = redact("plain text with firstsecret in it")
            if "firstsecret" in text:
                wrong.append(text)

    learn_secret("firstsecret")
    threads = [threading.Thread(target=redact_all_the_time) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(200):
        learn_secret(f"another-secret-{number}")
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert redact("another-secret-199 another-secret-0") == "*** ***"


@pytest.mark.timeout(10)
def test_long_hostile_text_takes_no_time() -> None:
    # Each would take minutes with an expression that backtracks.
    for text in (
        "rtsp://" + "a:" * 20_000,
        "?key" * 20_000,
        "://" * 20_000,
        "rtmp:" + "/" * 20_000,
        "%3A%2F%2F" * 9_000,
    ):
        redact(text)
