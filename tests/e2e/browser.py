"""Headless Chromium, driven over its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import pytest

_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
]


class Browser:
    """One page of a Chromium with an empty profile; an asynchronous context manager. Skips where there is none."""

    async def __aenter__(self) -> Self:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        if chromium is None:
            pytest.skip("chromium is not installed (apt install chromium)")
        self._profile = Path(tempfile.mkdtemp(prefix="edgeseg-browser-"))
        self._chromium = subprocess.Popen(
            [chromium, *_FLAGS, f"--user-data-dir={self._profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        port = await self._debugging_port()
        self._http = aiohttp.ClientSession()
        async with self._http.get(f"http://127.0.0.1:{port}/json") as answer:
            pages = [target for target in await answer.json() if target["type"] == "page"]
        self._devtools = await self._http.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0)
        self._calls = 0
        self.log: list[str] = []
        self.requests: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._devtools.close()
        await self._http.close()
        self._chromium.terminate()
        await asyncio.to_thread(self._chromium.wait, 10)
        shutil.rmtree(self._profile, ignore_errors=True)

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One DevTools command; what the page logged and requested meanwhile is kept in ``log`` and ``requests``."""
        self._calls += 1
        await self._devtools.send_json({"id": self._calls, "method": method, "params": params})
        while True:
            message = json.loads((await self._devtools.receive(timeout=30)).data)
            if message.get("id") == self._calls:
                assert "error" not in message, message["error"]
                return dict(message["result"])
            self._note(message)

    async def open(self, url: str) -> None:
        await self.call("Page.navigate", url=url)

    async def resize(self, width: int, height: int) -> None:
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    async def evaluate(self, expression: str) -> Any:
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def wait_for(self, expression: str, timeout_s: float = 15.0) -> Any:
        """The first true value of a JavaScript expression."""
        deadline = time.monotonic() + timeout_s
        while not (value := await self.evaluate(expression)):
            assert time.monotonic() < deadline, f"never true within {timeout_s} s: {expression}; log: {self.log}"
            await asyncio.sleep(0.02)
        return value

    async def screenshot(self, path: Path) -> None:
        answer = await self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(answer["data"]))

    def _note(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif message.get("method") == "Log.entryAdded":
            self.log.append(f"{params['entry']['level']}: {params['entry']['text']} {params['entry'].get('url', '')}")
        elif message.get("method") == "Runtime.exceptionThrown":
            self.log.append(f"exception: {params['exceptionDetails']}")

    async def _debugging_port(self) -> int:
        deadline = time.monotonic() + 20
        announced = self._profile / "DevToolsActivePort"
        while time.monotonic() < deadline:
            if announced.exists() and (found := re.match(r"(\d+)\n", announced.read_text())):
                return int(found[1])
            await asyncio.sleep(0.05)
        raise AssertionError("chromium did not start within 20 s")
