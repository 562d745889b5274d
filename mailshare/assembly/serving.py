"""Which room makes what answers on a listener."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mailshare.assembly.entrance import Entrance, connections
from mailshare.assembly.print_door import PrintDoor
from mailshare.assembly.web_room import WebRoom
from mailshare.config import Config


def factories(entrance: Entrance, printing: PrintDoor, web: WebRoom) -> Callable[[str, Config], Any]:
    """What makes the factory of any listener."""

    def factory(service: str, config: Config) -> Any:
        if service == "web":
            return web.factory(connections(config.tables.limits))
        if printing.serves(service):
            return printing.factory(service, config, connections(config.tables.limits))
        return entrance.factory(service, config)

    return factory
