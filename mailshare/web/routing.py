"""Addresses to pages. The one module that knows klein."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import quote

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.web.iweb import IRequest

from mailshare.core.errors import (
    LocalFault,
    LoginRefused,
    MailshareError,
    NotAllowed,
    PeerFault,
)
from mailshare.core.values import Administrator, Caller, Role
from mailshare.web.control import http_status, problem
from mailshare.web.rooms import Rooms
from mailshare.web.visit import Visit

Work = Callable[[Visit], Awaitable[Any]]
_log = Logger()


@frozen
class Page:
    """What answers at an address.

    :ivar method: ``GET`` or ``POST``.
    :ivar public: for everybody, also before anybody can log in.
    :ivar takes: octets of a document that may come with the form, for those who may do the operation ``needs``.
    :ivar needs: the operation that the page is there for; whoever may not do it sees who may, and nothing else of it.
    """

    path: str
    work: Work
    method: str = "GET"
    public: bool = False
    takes: int = 0
    needs: str = ""


def resource(rooms: Rooms, pages: Sequence[Page], apis: Sequence[tuple[str, str, Any]]) -> Any:
    """The tree of all pages.

    :param apis: ``(method, path, function of request and path parts)`` of what is no page.
    """
    # klein installs a reactor when it is imported: by now there is one, which is not for this module to choose.
    from klein import Klein  # noqa: PLC0415

    app = Klein()
    for page in pages:
        app.route(page.path, methods=[page.method])(_serving(rooms, page))
    for method, path, function in apis:
        app.route(path, methods=[method])(function)
    app.route("/static/", branch=True)(_static(rooms))
    app.route("/", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], branch=True)(_nothing_here(rooms, pages))
    return app.resource()


def _static(rooms: Rooms) -> Any:
    def static(request: IRequest) -> Any:
        del request
        return rooms.static

    return static


def _pattern(page: Page) -> re.Pattern[str]:
    """What fits the path of a page, its parts as they came."""
    return re.compile(re.sub(r"<\w+>", "[^/]+", page.path))


def _nothing_here(rooms: Rooms, pages: Sequence[Page]) -> Any:
    acts = [_pattern(page) for page in pages if page.method == "POST"]
    shown = [_pattern(page) for page in pages if page.method == "GET"]

    async def missing(visit: Visit) -> bytes:
        """What an act showed stands at an address that can only be posted to: who comes back sees where it began."""
        way = visit.here
        if visit.request.method in (b"GET", b"HEAD") and any(act.fullmatch(way) for act in acts):
            while way and not any(page.fullmatch(way) for page in shown):
                way = way.rpartition("/")[0]
            return visit.go(way or "/")
        return visit.page("trouble.html", status=404, words="There is no such page", title="Not found")

    served = _serving(rooms, Page("", missing))

    async def nothing(request: Any) -> Any:
        if request.path.startswith(b"/api/"):
            return problem(request, PeerFault("There is no such operation; openapi.json lists what there is", code=404))
        return await served(request)

    return nothing


def _serving(rooms: Rooms, page: Page) -> Any:
    async def serve(request: IRequest, **path: str) -> Any:
        visit = Visit(request, rooms, path)
        try:
            answer = _stopped(visit, page) or await page.work(visit)
            return await answer if isinstance(answer, Deferred) else answer
        except CancelledError:  # the browser has gone away from a stream
            return b""
        except MailshareError as error:
            return _refused(visit, error)
        except Exception:  # noqa: BLE001 - the one shell of the pages: what escapes is a program error, logged here once
            _log.failure("the page {path} failed", path=visit.here)
            return _refused(visit, LocalFault("Something went wrong here; the server's log has the details"))

    serve.__name__ = f"serve_{page.method}_{page.path}"
    return serve


def _stopped(visit: Visit, page: Page) -> bytes:
    """Where to go first; empty when the page may be shown."""
    rooms = visit.rooms
    me, session = rooms.visitor(visit.request)
    visit.session = session
    visit.me = None if session is not None and session.locked else me
    if page.public:
        return b""
    if rooms.setup_code.needed():
        visit.go("/setup")
        return b" "
    if session is None or me is None:
        return _to(visit, "/login")
    if session.locked:
        return _to(visit, "/unlock")
    if not visit.by_itself:
        rooms.sessions.touch(session)
    return b"" if not page.needs or visit.may(page.needs) else _for_others(visit, page.needs)


def _for_others(visit: Visit, needs: str) -> bytes:
    """What may be done here, and by whom: the rule that the act itself asks is asked for every role."""
    office = visit.rooms.office
    who = [role.value for role in Role if office.may(Caller.of(Administrator("", role)), needs)]
    return visit.page("trouble.html", status=403, words=NotAllowed.default_public, title="Not allowed", who=who)


def _to(visit: Visit, path: str) -> bytes:
    """Lead there, and after that back here. What a form held is lost then, and said to be."""
    get = visit.request.method in (b"GET", b"HEAD")
    wanted = visit.request.uri.decode("ascii", "replace") if get else visit.back
    visit.go(path if wanted in ("/", path) else f"{path}?next={quote(wanted, safe='')}")
    return b" "


def _refused(visit: Visit, error: MailshareError) -> bytes:
    """A refusal: on the page that the form stood on, else as a page of its own."""
    if visit.request.method not in (b"GET", b"HEAD") and visit.me is not None and not visit.request.startedWriting:
        return visit.go(visit.back, error.public, bad=True)
    status = http_status(error)
    if isinstance(error, LoginRefused):
        status = 403
    return visit.page("trouble.html", status=status, words=error.public, title="Trouble")
