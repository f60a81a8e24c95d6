"""What holds for every answer: security headers, and errors that are one sentence and one line in the log."""

from __future__ import annotations

import logging

from aiohttp import web

from edgeseg.redact import redact
from edgeseg.service._access import Handler

_log = logging.getLogger("edgeseg.http")

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Signal handler: the security headers, and no name of the server's software."""
    response.headers.update(_HEADERS)
    response.headers["Server"] = "edgeseg"
    response.headers.setdefault("Cache-Control", "no-store")


@web.middleware
async def one_sentence(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error with one sentence, and log those that are ours."""
    try:
        return await handler(request)
    except web.HTTPException as exc:
        if exc.status < 400:
            raise
        headers = {
            name: exc.headers[name] for name in ("WWW-Authenticate", "Retry-After", "Allow") if name in exc.headers
        }
        return web.Response(status=exc.status, text=f"{_sentence(request, exc)}\n", headers=headers)
    except ConnectionError:
        raise  # the client went away: nobody's error
    except Exception as exc:  # noqa: BLE001 -- one broken answer must not look like a broken daemon
        # The path only: a query may carry the token.
        _log.error("cannot answer %s %s: %s", request.method, request.path, redact(f"{type(exc).__name__}: {exc}"))
        return web.Response(status=500, text="this request could not be answered, the log says why\n")


def _sentence(request: web.Request, exc: web.HTTPException) -> str:
    if exc.text and not exc.text.startswith(f"{exc.status}:"):
        return exc.text
    if exc.status == 404:
        return f"there is nothing at {request.path}"
    if exc.status == 405:
        return f"{request.method} is not understood here, only {exc.headers.get('Allow', 'GET')}"
    return exc.reason.lower()
