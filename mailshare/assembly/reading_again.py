"""Reads the configuration file again, for a reload."""

from __future__ import annotations

from collections.abc import Callable

from mailshare.config import BrokenConfig, Config, load_config
from mailshare.core.errors import ConfigFault


def read_again(config: Config, data: str | None) -> Callable[[], Config]:
    """What reads the file of a configuration again; its mistakes come out as one fault."""

    def read() -> Config:
        try:
            return load_config(config.path, data=data)
        except BrokenConfig as fault:
            raise ConfigFault(str(fault)) from fault

    return read
