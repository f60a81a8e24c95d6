"""The configuration in force as YAML, every default filled in, every secret masked."""

from __future__ import annotations

from typing import Any

import yaml

from edgeseg.config.schema import Config
from edgeseg.redact import MASK, redact, redact_url


def show(config: Config) -> str:
    """YAML that says what is in force; without secrets and ``$`` it loads again as the same."""
    data = _masked(config.model_dump(exclude_none=False), "")
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
    return str(text)


def _masked(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        return {name: _masked(item, str(name)) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(item, key) for item in value]
    if not isinstance(value, str):
        return value
    if key == "token":
        return MASK
    return redact_url(value) if "://" in value else redact(value)
