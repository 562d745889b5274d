"""The manager whole: its pages, its API and its event streams, as a factory to listen with."""

from __future__ import annotations

from typing import Any

from mailshare.core.errors import MailshareError
from mailshare.shell.limits import ConnectionLimits
from mailshare.web.api import api_routes, caller_of
from mailshare.web.control import Aside, MadeWhenAsked
from mailshare.web.operations import BASE, OPERATIONS
from mailshare.web.pages import PAGES
from mailshare.web.pages.mail_programs import AUTODISCOVER
from mailshare.web.rooms import Rooms
from mailshare.web.routing import resource
from mailshare.web.same_place import SAFE, host_refusal, named, origin_refusal
from mailshare.web.site import ManagerSite, Refusal, Room
from mailshare.web.uploads import LARGEST, MOST_AT_ONCE, OVERHEAD, FormBody, boundary_of


class Manager:
    """Serves the manager over any number of listeners.

    :param aside: does work elsewhere than on the reactor's thread.
    """

    def __init__(self, rooms: Rooms, aside: Aside) -> None:
        self.rooms = rooms
        self._uploading = 0
        self._rooms_for = {
            **{(page.method, page.path): (page.takes, page.needs) for page in PAGES if page.takes},
            **{(one.method, BASE + one.path): (LARGEST, one.name) for one in OPERATIONS if one.raw and one.remote},
        }
        self._resource = MadeWhenAsked(lambda: resource(rooms, PAGES, api_routes(rooms)), aside)

    def site(self, limits: ConnectionLimits) -> ManagerSite:
        """The factory for one listener."""
        rooms = self.rooms
        rooms.bound(limits)
        return ManagerSite(self._resource, rooms.reactor, limits, self._refusal, rooms.end_streams, self._room)

    def _refusal(self, request: Any) -> Refusal:
        """What holds for every request, whatever it asks for."""
        path: bytes = request.path
        return self._refused(request, request.method.decode("ascii", "replace"), path.decode("ascii", "replace"))

    def _refused(self, request: Any, method: str, path: str) -> Refusal:
        if len(request.requestHeaders.getRawHeaders(b"Host") or ()) != 1:
            return 400, "Name exactly one host"  # RFC 9112 section 3.2
        host = request.getHeader("Host") or ""
        # Whoever runs the local DNS points these names here, so that mail programs find their settings.
        if (refused := host_refusal(host, self.rooms.hosts())) and named(host) not in self.rooms.handouts.names():
            return refused
        if request.getHeader("Authorization") and path.startswith(f"{BASE}/"):
            return None  # a program with a token; the API looks at no cookie then, which pages would
        if method in SAFE or path.lower() == AUTODISCOVER:
            return None  # mail programs that ask for their settings by POST change nothing, and have no page of ours
        scheme = "https" if request.isSecure() else "http"
        origin, fetch_site = request.getHeader("Origin") or "", request.getHeader("Sec-Fetch-Site") or ""
        return origin_refusal(method, scheme, host, origin, fetch_site)

    def _room(self, request: Any, method: str, path: str) -> Room | Refusal:
        """Room for a document, for those who may send one: decided by the headers, before any of it is read."""
        most, needs = self._rooms_for.get((method, path), (0, ""))
        if not most or self._refused(request, method, path):
            return None
        try:
            caller = caller_of(self.rooms, request)
        except MailshareError:
            return None
        if not self.rooms.office.may(caller, needs):
            return None
        if self._uploading >= MOST_AT_ONCE:
            return 503, "Too many documents are on their way here; try again in a minute"
        boundary = boundary_of(request.getHeader("Content-Type") or "")
        try:
            content = FormBody(boundary, self.rooms.new_file) if boundary else self.rooms.new_file()
        except OSError as fault:
            return 507, f"Documents cannot be kept here: {fault.strerror}"
        self._uploading += 1
        return Room(content, min(most, self.rooms.free()) + OVERHEAD, self._closed)

    def _closed(self) -> None:
        self._uploading -= 1
