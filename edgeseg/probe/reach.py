"""Whether a server answers, a port is free, a folder can be written: one function each.

The functions return a few words on what they found, or raise ProbeError with one sentence. Nothing is published,
nothing that was there before is changed.
"""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import struct
import tempfile
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from edgeseg.errors import EdgesegError

_PORTS = {"rtmp": 1935, "rtmps": 443, "rtsp": 554}
_LITTLE_SPACE = 500_000_000


class ProbeError(EdgesegError):
    """What was tried does not work."""


def server(url: str, timeout_s: float = 5.0) -> str:
    """Ask the server of a publish URL for the first answer of its protocol.

    The name of the stream and the password are not sent: whether the server takes them shows only in a real publish.

    Raises:
        ProbeError: nobody answers there, or not in this protocol.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    try:
        if parts.scheme == "srt":
            return _srt(parts, host, port, timeout_s)
        with socket.create_connection((host, port), timeout_s) as plain:
            if parts.scheme == "rtmps":
                return _rtmps(plain, host)
            if parts.scheme == "rtmp":
                return _rtmp(plain)
            return _rtsp(plain, parts, host, port)
    except TimeoutError as exc:
        raise ProbeError(
            f"no answer from {host}:{port} within {timeout_s:g} s", hint="check the address and the firewall"
        ) from exc
    except OSError as exc:
        raise ProbeError(f"cannot reach {host}:{port}: {_reason(exc)}", hint=_reach_hint(exc)) from exc


def free_port(host: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> str:
    """Bind ``host:port`` as a server does, and let go of it.

    Raises:
        ProbeError: it is in use, or not an address of this machine, or not allowed.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, kind) as server_socket:
            server_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server_socket.bind(address)
            if kind == socket.SOCK_STREAM:
                server_socket.listen(1)
    except OSError as exc:
        hint = "is edgeseg running already?" if "in use" in str(exc).lower() else "use an address of this machine"
        hint = "ports below 1024 need rights" if isinstance(exc, PermissionError) else hint
        raise ProbeError(f"cannot listen on {host}:{port}: {_reason(exc)}", hint=hint) from exc
    return f"{host}:{port} is free"


def folder(path: Path) -> str:
    """Make the folder when it is missing, write a file into it and take it away again.

    Raises:
        ProbeError: the folder cannot be made or written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path, prefix=".edgeseg-check-") as file:
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
        free = shutil.disk_usage(path).free
    except OSError as exc:
        raise ProbeError(
            f"cannot write in {path}: {_reason(exc)}", hint="give the folder to the user that edgeseg runs as"
        ) from exc
    little = ", which is little" if free < _LITTLE_SPACE else ""
    return f"{path} can be written, {free / 1e9:.1f} GB free{little}"


def readable(path: Path) -> None:
    """Read a byte of the file.

    Raises:
        ProbeError: it is not there, may not be read, or is empty.
    """
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise ProbeError(f"{path} is empty")
    except OSError as exc:
        raise ProbeError(f"cannot read {path}: {_reason(exc)}") from exc


def _rtmp(connection: socket.socket) -> str:
    """C0 and C1 of the handshake; a server answers with S0, the version byte 3."""
    connection.sendall(b"\x03" + bytes(8) + os.urandom(1528))
    if connection.recv(1) != b"\x03":
        raise ProbeError("something listens there, but it does not speak RTMP")
    return "answers in RTMP"


def _rtmps(plain: socket.socket, host: str) -> str:
    context = ssl.create_default_context()
    try:
        with context.wrap_socket(plain, server_hostname=host) as secure:
            return _rtmp(secure) + "S, certificate is trusted"
    except ssl.SSLCertVerificationError as exc:
        raise ProbeError(f"the certificate of {host} is not trusted: {exc.verify_message}") from exc
    except ssl.SSLError as exc:
        raise ProbeError(
            f"{host} does not speak TLS there: {exc.reason or exc}", hint="rtmp:// is the unencrypted one"
        ) from exc


def _rtsp(connection: socket.socket, parts: SplitResult, host: str, port: int) -> str:
    name = f"[{host}]" if ":" in host else host
    request = f"OPTIONS rtsp://{name}:{port}{parts.path or '/'} RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: edgeseg\r\n\r\n"
    connection.sendall(request.encode())
    if not connection.recv(64).startswith(b"RTSP/1."):
        raise ProbeError("something listens there, but it does not speak RTSP")
    return "answers in RTSP"


def _srt(parts: SplitResult, host: str, port: int, timeout_s: float) -> str:
    if "mode=listener" in parts.query:
        return free_port(host or "0.0.0.0", port, socket.SOCK_DGRAM)  # noqa: S104 - what an SRT listener does
    # The induction handshake: control packet 0; version 4, extension 2, MTU 1500, window 8192, request 1.
    # https://datatracker.ietf.org/doc/html/draft-sharabayko-srt-01#section-4.3.1.1
    socket_id = int.from_bytes(os.urandom(4), "big") >> 2 | 1
    packet = struct.pack(">IIII", 0x80000000, 0, 0, 0)
    packet += struct.pack(">IHHIIIIII", 4, 0, 2, 1, 1500, 8192, 1, socket_id, 0) + bytes(16)
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, socket.SOCK_DGRAM) as udp:
        udp.settimeout(timeout_s)
        udp.connect(address)
        udp.send(packet)
        answer = udp.recv(2048)
    if len(answer) < 64 or answer[:2] != b"\x80\x00":
        raise ProbeError("something listens there, but it does not speak SRT")
    return "answers in SRT"


def _reason(exc: OSError) -> str:
    if isinstance(exc, socket.gaierror):
        return "the name is not known"
    return (exc.strerror or str(exc) or type(exc).__name__).lower()


def _reach_hint(exc: OSError) -> str:
    if isinstance(exc, socket.gaierror):
        return "check the spelling and the DNS"
    if isinstance(exc, ConnectionRefusedError):
        return "is the server running?"
    return ""
