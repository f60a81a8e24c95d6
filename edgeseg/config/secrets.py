"""Puts in what the configuration only refers to: environment variables, files and systemd credentials.

``${NAME}`` and ``${NAME:-default}``, ``${file:/path}``, ``${credential:NAME}`` inside any text, ``file:/path`` as a
whole value, ``$$`` for a dollar sign. What comes in is given to ``redact``, so that it is masked wherever text leaves
the process.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any
from urllib.parse import urlsplit

from edgeseg.config.problems import Path, Problem
from edgeseg.config.values import Substituted
from edgeseg.redact import learn_secret, learn_url

_MAX_BYTES = 64 * 1024
_REFERENCE = re.compile(r"\$\$|\$\{([^{}]*)\}|\$\{")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(:-(.*))?", re.DOTALL)
# Environment variables also carry ports, levels and host names, which would be missed in every log line: only those
# that end up in one of these keys are taken for secrets. Files and credentials always are.
_SECRET_KEYS = ("url", "source", "publish", "token")


class _CannotResolveError(Exception):
    pass


@dataclass(slots=True)
class Substitution:
    """``data`` with everything put in; ``problems`` tells what could not be, and ``data`` has None there."""

    data: Any = None
    problems: list[Problem] = field(default_factory=list)


def substitute(data: Any, base: FilePath, environ: Mapping[str, str] | None = None) -> Substitution:
    """Resolve every reference in ``data``; relative files start at ``base``.

    References in a stream with ``enabled: false`` may stay unresolved: nobody opens it.
    """
    walk = _Walk(base, os.environ if environ is None else environ)
    result = walk.value(data, ())
    return Substitution(result, walk.problems)


class _Walk:
    def __init__(self, base: FilePath, environ: Mapping[str, str]) -> None:
        self._base = base
        self._environ = environ
        self._tolerant = False
        self.problems: list[Problem] = []

    def value(self, value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            if len(path) == 2 and path[0] == "streams":
                self._tolerant = value.get("enabled") is False
            return {key: self.value(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item, (*path, index)) for index, item in enumerate(value)]
        return self._text(value, path) if isinstance(value, str) else value

    def _text(self, text: str, path: Path) -> str | None:
        try:
            if text.startswith("file:") and not text.startswith("file://"):
                value = self._file(text.removeprefix("file:"))
                _learn(value, value, always=True)
                return Substituted(value)
            if "$" not in text:
                return text
            return self._expand(text, path)
        except _CannotResolveError as exc:
            if self._tolerant:
                return text
            self.problems.append(Problem(path, str(exc)))
            return None

    def _expand(self, text: str, path: Path) -> str:
        found: list[tuple[str, bool]] = []
        complaints: list[str] = []

        def put_in(match: re.Match[str]) -> str:
            if match[0] == "$$":
                return "$"
            try:
                value, secret = self._reference(match[1])
                _check_fits_url(match, value)
            except _CannotResolveError as exc:
                complaints.append(str(exc))
                return ""
            found.append((value, secret))
            return value

        result = _REFERENCE.sub(put_in, text)
        if complaints:
            raise _CannotResolveError("; ".join(complaints))
        leaf = next((part for part in reversed(path) if isinstance(part, str)), "")
        for value, always in found:
            if always or leaf in _SECRET_KEYS or "options" in path:
                _learn(value, result, always=always)
        return Substituted(result) if found else result

    def _reference(self, inside: str | None) -> tuple[str, bool]:
        """The value, and whether it is a secret wherever it stands."""
        if inside is None:
            raise _CannotResolveError("'${' is not closed (write $${ for the characters themselves)")
        if inside.startswith("file:"):
            return self._file(inside.removeprefix("file:")), True
        if inside.startswith("credential:"):
            return self._credential(inside.removeprefix("credential:")), True
        match = _VARIABLE.fullmatch(inside)
        if match is None:
            raise _CannotResolveError(
                f"'${{{inside}}}' is not understood (known: NAME, NAME:-default, file:, credential:)"
            )
        name, has_default, default = match[1], match[2], match[3]
        value = self._environ.get(name, "")
        if value:
            return value, False
        if has_default:
            return default, False
        state = "empty" if name in self._environ else "not set"
        raise _CannotResolveError(f"environment variable {name} is {state}")

    def _credential(self, name: str) -> str:
        folder = self._environ.get("CREDENTIALS_DIRECTORY", "")
        if not folder:
            raise _CannotResolveError(
                f"credential {name!r} is not there: CREDENTIALS_DIRECTORY is not set "
                "(systemd sets it for a unit with LoadCredential=)"
            )
        if not re.fullmatch(r"[A-Za-z0-9_.@-]+", name) or name in (".", ".."):
            raise _CannotResolveError(f"{name!r} is not a name for a credential")
        return self._read(FilePath(folder) / name, f"credential {name!r}")

    def _file(self, name: str) -> str:
        if not name or "\0" in name:
            raise _CannotResolveError("'file:' needs a path")
        return self._read(self._base / name, f"secret file {name}")

    @staticmethod
    def _read(path: FilePath, what: str) -> str:
        try:
            with path.open("rb") as file:
                raw = file.read(_MAX_BYTES + 1)
        except OSError as exc:
            raise _CannotResolveError(f"{what} cannot be read: {(exc.strerror or str(exc)).lower()}") from None
        if len(raw) > _MAX_BYTES:
            raise _CannotResolveError(f"{what} is larger than a secret can be (a clip is named without 'file:')")
        try:
            text = raw.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise _CannotResolveError(f"{what} is not text (a clip is named without 'file:')") from None
        if not text:
            raise _CannotResolveError(f"{what} is empty")
        return text


def _check_fits_url(match: re.Match[str], value: str) -> None:
    """A user or password with a bare ``/`` or ``@`` moves the host name: say so before a camera is asked."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    _, scheme, authority = before.rpartition("://")
    in_userinfo = bool(scheme) and "/" not in authority and "@" not in authority and "@" in after.partition("/")[0]
    if in_userinfo and re.search(r"[/?#@\s]", value):
        raise _CannotResolveError(
            f"the value of {match[0]} has characters that a URL takes for its own (write them as %XX)"
        )


def _learn(value: str, text: str, *, always: bool) -> None:
    if "://" in value:
        learn_url(value)
        if not always:
            return
    elif not always and value in _address_parts(text):
        return
    learn_secret(value)


def _address_parts(text: str) -> set[str]:
    """What of a URL tells where, not who: never a secret, and wanted in the logs."""
    try:
        parts = urlsplit(text)
        return {parts.scheme, parts.hostname or "", str(parts.port or ""), parts.netloc.rpartition("@")[2]}
    except ValueError:
        return set()
