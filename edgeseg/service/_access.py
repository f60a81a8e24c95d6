"""Who may ask: tokens, and what protects a port without one from foreign web pages."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from http.cookies import SimpleCookie
from urllib.parse import urlsplit

from aiohttp import web

COOKIE = "edgeseg"
OPEN_PATHS = frozenset({"/healthz", "/readyz"})
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Access:
    """Decides on each request. With a token it has to be shown; without one the service is for this machine only.

    A browser shows the token once (``/?token=…``) and gets a cookie that proves it and does not contain it. Without a
    token the ``Host`` header has to be this machine's name, else a foreign page could reach the service by
    rebinding its own name to 127.0.0.1.

    Args:
        token: the configured token, or None.
        host: the configured address, a name that is also let through.
    """

    def __init__(self, token: str | None, host: str) -> None:
        self._token = token
        self._hosts = _LOCAL_NAMES | {host.strip("[]").lower()}
        self._proof = hmac.new((token or "").encode(), b"edgeseg page", hashlib.sha256).hexdigest()

    @property
    def needs_token(self) -> bool:
        """Whether requests have to show a token."""
        return self._token is not None

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse with 401 or 403 and one sentence, or go on."""
        if request.path not in OPEN_PATHS:
            self._check(request)
        return await handler(request)

    def is_known(self, request: web.Request) -> bool:
        """Whether the request may learn more than the health endpoints tell everybody."""
        return self._is_local(request) if self._token is None else self._shows_token(request)

    def admit_browser(self, request: web.Request, response: web.StreamResponse) -> None:
        """Give the page's cookie to a browser that has shown the token."""
        if self._token is not None:
            response.set_cookie(
                COOKIE, self._proof, httponly=True, samesite="Strict", secure=request.secure, max_age=30 * 86400
            )

    def _check(self, request: web.Request) -> None:
        if self._token is None:
            if not self._is_local(request):
                raise web.HTTPForbidden(text="this port is for this machine only; set http.token to open it to others")
        elif not self._shows_token(request):
            raise web.HTTPUnauthorized(
                text="a token is needed: send 'Authorization: Bearer TOKEN' or add ?token=TOKEN to the address",
                headers={"WWW-Authenticate": "Bearer"},
            )
        # Browsers let any page open a WebSocket to any host; they do say which page it is.
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc.lower() != request.host.lower():
            raise web.HTTPForbidden(text="this service answers its own pages only")

    def _is_local(self, request: web.Request) -> bool:
        return _host_name(request.host) in self._hosts

    def _shows_token(self, request: web.Request) -> bool:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        shown = [bearer.strip()] if scheme.lower() == "bearer" else []
        shown += request.query.getall("token", [])
        cookie = SimpleCookie(request.headers.get("Cookie", "")).get(COOKIE)
        by_token = [_same(text, self._token or "") for text in shown]
        return any([*by_token, cookie is not None and _same(cookie.value, self._proof)])


def _same(shown: str, expected: str) -> bool:
    # In constant time, so that the answer's delay does not tell how much of it is right.
    return hmac.compare_digest(shown.encode("utf-8", "surrogateescape"), expected.encode())


def _host_name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
