"""Builds the object graph of a server from its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mailshare.assembly.office import Office
    from mailshare.config import Config

__all__ = ["build"]


def build(config: Config, reactor: Any, *, data: str | None = None) -> Office:
    """The office of a configuration, as a Twisted service that is not started yet.

    :param data: the data directory that stands in for the file's own, when the file is read again.
    """
    from mailshare.assembly.office import Office, read_again  # noqa: PLC0415 - keeps importing this package cheap

    return Office(config, reactor, reload_config=read_again(config, data))
