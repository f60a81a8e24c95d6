"""Takes secrets out of text before it leaves the process.

Two nets. *Learned* secrets (from the environment, files, credentials) are masked wherever they occur, percent-encoded
too. *Shapes* that give secrets away are masked in any text: the user and password of a URL, the stream key of an RTMP
URL (what follows the application), telling parameters such as ``passphrase=``, ``Authorization`` headers. Scheme, host,
port and RTMP application stay, so that an operator recognises what is meant.

The address of a listening output is masked like any other. Whoever has to hand it to a viewer prints it on purpose.
"""

from __future__ import annotations

import json
import re
import threading
from urllib.parse import quote, quote_plus, unquote, urlsplit

MASK = "***"
# Shorter ones would be found in every other word; the shapes below still mask them in URLs.
MIN_SECRET = 4

_lock = threading.Lock()
# Every spelling of every learned secret. Replaced as a whole, never changed: readers need no lock.
_spellings: tuple[str, ...] = ()

_TAIL = r"[^\s\"<>]"
# Up to the last @ before the path; or, with a colon, up to the last @ at all, for passwords with a bare slash.
_USERINFO = re.compile(r"(?<=://)(?:[^\s/\"<>]*@|[^\s/\"<>:]*:(?:(?!://)[^\s\"<>])*@)")
_ENCODED_USERINFO = re.compile(r"(?<=%3A%2F%2F)(?:(?!%3A%2F%2F)[^\s&/\"<>])*?%40", re.IGNORECASE)
_RTMP = re.compile(rf"(rtmp[a-z]{{0,3}}:/++[^\s/?\"<>]*(?:/+[^\s/?\"<>]+)?+[/?]+){_TAIL}+", re.IGNORECASE)
_CLOSING = re.compile(r"['\]),.;:}|]*$")
_TELLING = r"pass|pwd|token|key|auth|secret|sig|cred|hmac|jwt|hdn|streamid|usr|user|login"
_QUERY = re.compile(rf"([?&;][\w.%-]{{0,40}}(?:{_TELLING})[\w.%-]{{0,40}}=)[^\s&\"<>]+", re.IGNORECASE)
_NAMES = (
    r"pass(?:word|wd|phrase)?|pwd|usr|(?:access|api|auth|stream|secret)?[_-]?(?:token|key)|(?:client_)?secret"
    r"|sig(?:nature)?|auth|(?:srt_)?streamid|(?:rtmp_)?playpath"
)
_VALUE = r"(\"[^\"]*\"|'[^']*'|[^\s&\"'<>]+)"
_BARE_VALUE = r"(\"[^\"]*\"|'[^']*'|[^\s&\"'<>,}]+)"
_ASSIGNED = re.compile(rf"((?<![A-Za-z0-9])(?:{_NAMES})=){_VALUE}", re.IGNORECASE)
_MAPPED = re.compile(rf"([\"'][\w-]{{0,20}}(?:{_NAMES})[\"']\s*:\s*){_BARE_VALUE}", re.IGNORECASE)
_OPTION = re.compile(r"(\s-{1,2}(?:passphrase|password|token|(?:srt_)?streamid|rtmp_playpath)\s+)(\S+)", re.IGNORECASE)
_HEADER = re.compile(
    r"((?<![A-Za-z])(?:proxy-)?(?:authorization|(?:set-)?cookie)[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic|digest)\b)?)"
    r"[^\r\n\"'][^\r\n]*",
    re.IGNORECASE,
)
_BEARER = re.compile(r"((?<![A-Za-z])bearer\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_ODD_IN_URL = re.compile(r"[\s\"<>]")


def learn_secret(value: str) -> None:
    """Mask ``value`` from now on, in every spelling that it may take. Any thread may call.

    A value of fewer than ``MIN_SECRET`` characters is not learned.
    """
    global _spellings
    value = value.strip()
    if len(value) < MIN_SECRET:
        return
    spellings = {
        value,
        quote(value, safe=""),
        quote(value, safe="/"),
        quote_plus(value),
        re.sub(r"%[0-9A-F]{2}", lambda m: m[0].lower(), quote(value, safe="")),
        json.dumps(value)[1:-1],
        repr(value)[1:-1],
        unquote(value),
    }
    with _lock:
        known = spellings | set(_spellings)
        _spellings = tuple(sorted((s for s in known if len(s) >= MIN_SECRET), key=len, reverse=True))


def learn_url(url: str) -> None:
    """Mask the secret parts of ``url`` from now on: its password, its RTMP stream key, its telling parameters."""
    address, _, query = url.partition("?")
    try:
        parts = urlsplit(address)
        password = parts.password
    except ValueError:
        return
    if password:
        learn_secret(password)
    if parts.scheme.startswith("rtmp"):
        for segment in parts.path.split("/")[2:]:
            learn_secret(segment)
    for name, _, value in (item.partition("=") for item in query.split("&")):
        if re.search(_TELLING, name, re.IGNORECASE):
            learn_secret(value)


def redact(text: str) -> str:
    """``text`` without secrets. Cheap when there is nothing to do; any thread may call."""
    text = _without_learned(text)
    if "://" in text or ":/" in text:
        text = _USERINFO.sub(MASK + "@", text)
        text = _RTMP.sub(_masked_tail, text)
    if "=" in text:
        text = _QUERY.sub(_masked_tail, text)
        text = _ASSIGNED.sub(_masked_value, text)
    if "%" in text:
        text = _ENCODED_USERINFO.sub(MASK + "%40", text)
    if ":" in text and ('"' in text or "'" in text):
        text = _MAPPED.sub(_masked_value, text)
    lower = text.lower()
    if "authorization" in lower or "cookie" in lower:
        text = _HEADER.sub(_masked_header, text)
    if "bearer" in lower:
        text = _BEARER.sub(rf"\1{MASK}", text)
    if " -" in text:
        text = _OPTION.sub(rf"\1{MASK}", text)
    return text


def redact_url(url: str) -> str:
    """``url`` as it may be shown. The whole of ``url`` is taken for one URL, blanks and quotes in it too."""
    url = _without_learned(url)
    if "://" not in url:
        return redact(url)
    # A letter at the end keeps redact from taking a bracket there for the text's own.
    return redact(_ODD_IN_URL.sub("_", url) + "_").removesuffix("_")


def _masked_tail(match: re.Match[str]) -> str:
    """The end of a URL in a text may be the text's own: a bracket, a quotation mark, the colon of a message."""
    closing = _CLOSING.search(match[0])
    return f"{match[1]}{MASK}{closing[0] if closing else ''}"


def _masked_value(match: re.Match[str]) -> str:
    if match[2][0] in "\"'":
        return f"{match[1]}{match[2][0]}{MASK}{match[2][0]}"
    return _masked_tail(match)


def _masked_header(match: re.Match[str]) -> str:
    return f"{match[1].rstrip()} {MASK}"


def _without_learned(text: str) -> str:
    spellings = _spellings
    # What is left after one pass may join to a secret again, as '*****' does around '***' when '****' is one.
    while any(spelling in text for spelling in spellings):
        text = _mask_spans(text, _spans(text, spellings))
    return text


def _spans(text: str, spellings: tuple[str, ...]) -> list[tuple[int, int]]:
    spans = []
    for spelling in spellings:
        at = text.find(spelling)
        while at >= 0:
            spans.append((at, at + len(spelling)))
            at = text.find(spelling, at + 1)
    return sorted(spans)


def _mask_spans(text: str, spans: list[tuple[int, int]]) -> str:
    """Overlapping secrets are masked as one: the end of one must not survive the mask of the other."""
    pieces: list[str] = []
    done = 0
    for start, end in spans:
        if start >= done:
            pieces += (text[done:start], MASK)
        done = max(done, end)
    return "".join(pieces) + text[done:]
