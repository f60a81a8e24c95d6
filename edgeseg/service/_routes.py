"""Which address gives what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from edgeseg.service._access import Access
from edgeseg.service._health import not_ready
from edgeseg.service._live import live_flv, live_mp4
from edgeseg.service._report import report
from edgeseg.service._snapshot import Snapshots
from edgeseg.service._viewers import Viewers
from edgeseg.service.metrics import build_registry, exposition
from edgeseg.status import DaemonStatus, StreamView

_ASSETS = {
    "index.html": "text/html",
    "page.js": "text/javascript",
    "player.js": "text/javascript",
    "page.css": "text/css",
}


@dataclass(frozen=True, slots=True)
class _Asset:
    body: bytes
    content_type: str

    def response(self) -> web.Response:
        return web.Response(
            body=self.body, content_type=self.content_type, charset="utf-8", headers={"Cache-Control": "no-cache"}
        )


class Routes:
    """The handlers of every address, over the statuses and streams that they serve."""

    def __init__(
        self, streams: Mapping[str, StreamView], daemon: DaemonStatus, access: Access, ready_within_s: float
    ) -> None:
        self._streams = streams
        self._daemon = daemon
        self._access = access
        self._ready_within_s = ready_within_s
        self._registry = build_registry(streams, daemon)
        self._static = {name: _Asset(_read(name), content_type) for name, content_type in _ASSETS.items()}
        self.viewers = Viewers(streams)
        self.snapshots = Snapshots(streams)

    def add_to(self, app: web.Application) -> None:
        """Register every address."""
        app.router.add_get("/", self._page)
        app.router.add_get("/static/{name}", self._asset)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/api/streams", self._api)
        app.router.add_get("/streams/{stream}/live.flv", self._live_flv)
        app.router.add_get("/streams/{stream}/live.mp4ws", self._live_mp4, allow_head=False)
        app.router.add_get("/streams/{stream}/snapshot.jpg", self._snapshot)

    async def _page(self, request: web.Request) -> web.Response:
        response = self._static["index.html"].response()
        self._access.admit_browser(request, response)
        return response

    async def _asset(self, request: web.Request) -> web.Response:
        asset = self._static.get(request.match_info["name"])
        if asset is None:
            raise web.HTTPNotFound
        return asset.response()

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        late = not_ready(self._streams, self._daemon, self._ready_within_s, detailed=self._access.is_known(request))
        ready = bool(self._streams) and not late
        return web.json_response({"ready": ready, "not_ready": late}, status=200 if ready else 503)

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=exposition(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _api(self, _request: web.Request) -> web.Response:
        return web.json_response(report(self._streams, self._daemon, needs_token=self._access.needs_token))

    async def _live_flv(self, request: web.Request) -> web.StreamResponse:
        return await live_flv(request, self.viewers, self._stream(request))

    async def _live_mp4(self, request: web.Request) -> web.StreamResponse:
        return await live_mp4(request, self.viewers, self._stream(request))

    async def _snapshot(self, request: web.Request) -> web.Response:
        name = self._stream(request)
        picture = await self.snapshots.take(name)
        if picture is None:
            raise web.HTTPServiceUnavailable(
                text=f"stream {name} gives no picture at the moment", headers={"Retry-After": "2"}
            )
        return web.Response(body=picture, content_type="image/jpeg")

    def _stream(self, request: web.Request) -> str:
        name = request.match_info["stream"]
        if name not in self._streams:
            there_are = ", ".join(sorted(self._streams)) or "none"
            raise web.HTTPNotFound(text=f"no stream has this name (there are: {there_are})")
        return name


def _read(name: str) -> bytes:
    return files("edgeseg.service").joinpath("static", name).read_bytes()
