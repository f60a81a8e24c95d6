"""The exceptions that edgeseg raises on purpose.

Each reads as one sentence: what failed, on what, why; ``hint`` says what to do. ``permanent`` errors are not
cured by trying again.
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_UNEXPECTED = 1
EXIT_USAGE = 2
EXIT_MODEL = 3
EXIT_CONFIG = 78


class EdgesegError(Exception):
    """Base of every error that a user may read. ``str()`` gives the sentence with the hint in brackets."""

    exit_code = EXIT_UNEXPECTED
    permanent = False

    def __init__(self, message: str, *, hint: str = "", permanent: bool | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if permanent is not None:
            self.permanent = permanent

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(EdgesegError):
    """The command line asks for something that does not exist or does not fit together."""

    exit_code = EXIT_USAGE
    permanent = True


class ConfigError(EdgesegError):
    """The configuration cannot be used. ``problems`` holds one line for each thing that is wrong."""

    exit_code = EXIT_CONFIG
    permanent = True

    def __init__(self, problems: list[str] | str, *, hint: str = "") -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems), hint=hint)


class ListenError(EdgesegError):
    """An address cannot be listened on at the moment: it is taken, or the network is not up."""


class StreamError(EdgesegError):
    """One stream cannot go on; the others do. The supervisor retries unless it is permanent."""


class SourceError(StreamError):
    """The input cannot be opened or read."""


class ModelError(StreamError):
    """The model cannot be loaded."""

    exit_code = EXIT_MODEL
    permanent = True


class DeviceError(ModelError):
    """The device that a model is to run on is not there, or not yet: drivers and sticks may come late at boot."""

    exit_code = EXIT_UNEXPECTED


class InferenceError(StreamError):
    """The model was asked and did not answer. The frame is covered."""


class EncoderError(StreamError):
    """The encoder cannot be started, or died."""


class OutputError(EdgesegError):
    """One output cannot be opened or written. Its feed retries unless it is permanent."""
