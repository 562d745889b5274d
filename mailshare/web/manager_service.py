"""The manager whole: its pages, its API and its event streams, as a factory to listen with."""

from __future__ import annotations

from typing import Any

from mailshare.shell.limits import ConnectionLimits
from mailshare.web.api import api_routes
from mailshare.web.control import Aside, MadeWhenAsked
from mailshare.web.pages import PAGES
from mailshare.web.rooms import Rooms
from mailshare.web.routing import resource
from mailshare.web.same_place import SAFE, host_refusal, origin_refusal
from mailshare.web.site import ManagerSite, Refusal


class Manager:
    """Serves the manager over any number of listeners.

    :param aside: does work elsewhere than on the reactor's thread.
    """

    def __init__(self, rooms: Rooms, aside: Aside) -> None:
        self.rooms = rooms
        self._resource = MadeWhenAsked(lambda: resource(rooms, PAGES, api_routes(rooms)), aside)

    def site(self, limits: ConnectionLimits) -> ManagerSite:
        """The factory for one listener."""
        return ManagerSite(self._resource, self.rooms.reactor, limits, self._refusal, self.rooms.end_streams)

    def _refusal(self, request: Any) -> Refusal:
        """What holds for every request, whatever it asks for."""
        host = request.getHeader("Host") or ""
        if refused := host_refusal(host, self.rooms.hosts()):
            return refused
        method = request.method.decode("ascii", "replace")
        if request.getHeader("Authorization"):
            return None  # a program with a token; the API looks at no cookie then
        if method in SAFE:
            return None
        return origin_refusal(
            method, host, request.getHeader("Origin") or "", request.getHeader("Sec-Fetch-Site") or ""
        )
