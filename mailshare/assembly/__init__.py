"""Builds the object graph of a server from its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twisted.application.service import IService

    from mailshare.assembly.office import Office
    from mailshare.config import Config

__all__ = ["build", "build_service"]


def build(config: Config, reactor: Any, *, data: str | None = None) -> Office:
    """The office of a configuration, as a Twisted service that is not started yet.

    :param data: the data directory that stands in for the file's own, when the file is read again.
    """
    from mailshare.assembly.office import Office, read_again  # noqa: PLC0415 - keeps importing this package cheap

    return Office(config, reactor, reload_config=read_again(config, data))


def build_service(config: Config, reactor: Any, *, data: str | None = None) -> IService:
    """What ``twistd mailshare`` runs: the office, with a pretend provider beside it when the file asks for one."""
    if not config.tables.demonstration.isp:
        office: IService = build(config, reactor, data=data)
        return office
    from mailshare.assembly.demonstration import Demonstration, say_on_screen  # noqa: PLC0415 - rarely needed
    from mailshare.assembly.office import Office, read_again  # noqa: PLC0415 - as above

    told = Office(config, reactor, reload_config=read_again(config, data), said=say_on_screen)
    demonstration: IService = Demonstration(config, reactor, told, say_on_screen)
    return demonstration
