"""The live picture: FLV over HTTP for players, fragmented MP4 over a WebSocket for the page."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator

from aiohttp import WSCloseCode, web

from edgeseg.flv import retime
from edgeseg.service._viewer import Viewer
from edgeseg.service._viewers import TooManyViewersError, Viewers
from edgeseg.service.fmp4 import Fmp4Muxer, UnplayableError
from edgeseg.types import StreamHeader

# Someone who takes no byte for this long is gone, or as good as gone.
_STALL_S = 10.0
# The kernel would buffer seconds of video for a slow viewer; who is late must be late here, where tags are dropped.
_SEND_BUFFER = 128 * 1024

_FLV_HEADERS = {"Content-Type": "video/x-flv", "Cache-Control": "no-store"}


async def live_flv(request: web.Request, viewers: Viewers, name: str) -> web.StreamResponse:
    """Chunked FLV without an end; ``HEAD`` gets the headers only."""
    if request.method == "HEAD":
        return web.Response(headers=_FLV_HEADERS)
    response = web.StreamResponse(headers=_FLV_HEADERS)
    response.enable_chunked_encoding()
    try:
        with viewers.seat(name) as (viewer, status):
            await response.prepare(request)
            _keep_send_buffer_small(request)
            async for chunk, tags in _flv_chunks(viewer):
                async with asyncio.timeout(_STALL_S):
                    await response.write(chunk)
                status.sent_bytes += len(chunk)
                status.sent_tags += tags
            async with asyncio.timeout(1):
                await response.write_eof()
    except TooManyViewersError as exc:
        raise web.HTTPServiceUnavailable(text=str(exc), headers={"Retry-After": "5"}) from exc
    except (TimeoutError, ConnectionError):
        _hang_up(request)
    return response


async def _flv_chunks(viewer: Viewer) -> AsyncIterator[tuple[bytes, int]]:
    begun = False
    while (items := await viewer.next()) is not None:
        parts: list[bytes] = []
        at_ms = 0
        for item in items:
            if isinstance(item, StreamHeader):
                # A file has one header; another configuration comes as tags, which players take in their stride.
                if not begun:
                    parts.append(item.file_header)
                parts += [retime(tag, at_ms).wire for tag in item.tags]
                begun = True
            else:
                at_ms = item.timestamp_ms
                parts.append(item.wire)
        yield b"".join(parts), len(items)


async def live_mp4(request: web.Request, viewers: Viewers, name: str) -> web.StreamResponse:
    """A WebSocket that says ``{"mime": …, "sound": …}`` first and then sends fragments as binary messages.

    ``sound`` tells whether there is any, taken or not; ``?sound=0`` leaves it out. Closes with 1012 ("service restart":
    connect again) when the encoding changed, with 1013 when all seats are taken, with 1003 when browsers cannot play
    the codec.
    """
    socket_ = web.WebSocketResponse(heartbeat=20, compress=False, max_msg_size=1024, timeout=1.0)
    await socket_.prepare(request)
    _keep_send_buffer_small(request)
    sound = request.query.get("sound", "1") != "0"
    try:
        with viewers.seat(name) as (viewer, _):
            # Reading is what notices that the page has gone, and answers its pings.
            reading = asyncio.create_task(_read_until_closed(socket_, viewer))
            try:
                await _send_mp4(socket_, viewers, name, viewer, sound=sound)
            finally:
                reading.cancel()
    except TooManyViewersError as exc:
        await _close(socket_, WSCloseCode.TRY_AGAIN_LATER, str(exc))
    except UnplayableError as exc:
        await _close(socket_, WSCloseCode.UNSUPPORTED_DATA, str(exc))
    except (TimeoutError, ConnectionError):
        _hang_up(request)
    return socket_


async def _send_mp4(
    socket_: web.WebSocketResponse, viewers: Viewers, name: str, viewer: Viewer, *, sound: bool
) -> None:
    status = viewers.status(name)
    muxer: Fmp4Muxer | None = None
    while (items := await viewer.next()) is not None and not socket_.closed:
        ready: list[bytes] = []
        for item in items:
            if isinstance(item, StreamHeader):
                if muxer is not None:
                    return await _close(socket_, WSCloseCode.SERVICE_RESTART, "the encoding has changed")
                muxer = Fmp4Muxer(item, sound=sound)
                await socket_.send_str(json.dumps({"mime": muxer.mime, "sound": muxer.has_sound}))
                ready.append(muxer.init)
            elif muxer is not None:
                ready.append(muxer.mux(item))
        if message := b"".join(ready):
            async with asyncio.timeout(_STALL_S):
                await socket_.send_bytes(message)
            status.sent_bytes += len(message)
            status.sent_tags += len(items)
    await _close(socket_, WSCloseCode.GOING_AWAY, "the stream has ended")
    return None


async def _read_until_closed(socket_: web.WebSocketResponse, viewer: Viewer) -> None:
    async for _ in socket_:
        pass  # the page says nothing that matters
    viewer.end()


async def _close(socket_: web.WebSocketResponse, code: int, reason: str) -> None:
    await socket_.close(code=code, message=reason.encode()[:120])


def _hang_up(request: web.Request) -> None:
    # Without a farewell: whoever does not read would not read that either.
    if request.transport is not None:
        request.transport.abort()


def _keep_send_buffer_small(request: web.Request) -> None:
    transport = request.transport
    connection = transport.get_extra_info("socket") if transport else None
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
