"""The configuration: YAML in, frozen models out. The only package that knows YAML and pydantic."""

from edgeseg.config.load import load_config, load_config_text
from edgeseg.config.notes import warnings
from edgeseg.config.schema import Config, StreamConfig
from edgeseg.config.show import show

__all__ = ["Config", "StreamConfig", "load_config", "load_config_text", "show", "warnings"]
