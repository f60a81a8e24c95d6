"""What all models of the configuration have in common."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator


class Section(BaseModel):
    """A mapping of the configuration: unknown keys are errors, values never change.

    ``short_key`` names the key that a bare value stands for: ``source: clip.mp4`` is ``source: {url: clip.mp4}``.
    ``may_be_empty`` sections may be written with nothing under them, which means their defaults.
    """

    # Input is hidden in pydantic's own messages: it may hold a password.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    short_key: ClassVar[str] = ""
    may_be_empty: ClassVar[bool] = False

    @model_validator(mode="before")
    @classmethod
    def _long_form(cls, data: Any) -> Any:
        if data is None and cls.may_be_empty:
            return {}
        if isinstance(data, str) and cls.short_key:
            return {cls.short_key: data}
        return data
