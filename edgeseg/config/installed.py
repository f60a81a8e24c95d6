"""Names in the configuration that stand for what is installed: built in, or another package's."""

from __future__ import annotations

from edgeseg import plugins
from edgeseg.config.values import guess, quoted


def plugin_name(kind: str, word: str, value: str, *extra: str) -> str:
    """``value``, if it is one of ``extra`` or the name of a plug-in of ``kind``, which people call a ``word``.

    Raises:
        ValueError: it is not; the message names what comes closest.
    """
    known = [*extra, *plugins.names(kind)]
    if value not in known:
        raise ValueError(f"no {word} is called {quoted(value)} {guess(value, known)}")
    return value
