"""The HTTP API for programs: the operations of the control socket, for whoever shows a token or is logged in.

Errors are problem documents (RFC 9457); edits take ``If-Match`` with the ``ETag`` of what was read (RFC 9110 section
13.1.1). A request with a token looks at no cookie.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from twisted.logger import Logger
from twisted.web.iweb import IRequest

from mailshare.core.errors import LocalFault, LoginRefused, MailshareError, NotAllowed
from mailshare.core.values import Caller
from mailshare.web.control import json_answer, problem, request_body, request_query
from mailshare.web.cursors import next_link, unfolded
from mailshare.web.events import EventStream, named_json
from mailshare.web.object_tags import Editing
from mailshare.web.openapi import document
from mailshare.web.operations import BASE, OPERATIONS, Operation
from mailshare.web.rooms import Rooms

_log = Logger()


def caller_of(rooms: Rooms, request: Any) -> Caller:
    """Who asks: the owner of a token with the token's level, or who is logged in.

    :raises LoginRefused: nobody that is known.
    """
    given = request.getHeader("Authorization")
    if given is not None:
        word, _, secret = given.partition(" ")
        token = rooms.tokens.find(secret.strip()) if word.lower() == "bearer" else None
        owner = rooms.administrators.find(token.owner) if token is not None else None
        if token is None or owner is None:
            raise LoginRefused("The token is not valid; the manager's settings show which are")
        caller = Caller.of(owner)
        level = min(token.level, caller.level)
        keeper = caller.keeper and level == caller.level
        return Caller(f"{owner.name} ({token.label})", level, caller.accounts, keeper)
    me, session = rooms.visitor(request)
    if me is None or session is None or session.locked:
        raise LoginRefused("Log in first, or show a token: Authorization: Bearer ...")
    return Caller.of(me)


def api_routes(rooms: Rooms) -> Sequence[tuple[str, str, Any]]:
    """``(method, path, function)`` of everything below ``/api/v1``."""
    editing = Editing(rooms.office.version)
    made = [(one.method, BASE + one.path, _serving(rooms, editing, one)) for one in OPERATIONS if one.remote]
    made.append(("GET", f"{BASE}/events", _events(rooms)))
    made.append(("GET", f"{BASE}/openapi.json", _description(rooms)))
    return made


def _serving(rooms: Rooms, editing: Editing, operation: Operation) -> Any:
    async def answer(request: IRequest, **path: str) -> bytes:
        try:
            caller = caller_of(rooms, request)
            if not rooms.office.may(caller, operation.name):
                raise NotAllowed("The token, or the role of its owner, does not reach so far")
            body = {} if operation.raw else request_body(request)
            given = {**request_query(request), **body, **path}
            _proved(rooms, request, operation, given)
            document = request.content if operation.raw else None
            wanted = request.getHeader(b"If-Match")
            ask = partial(rooms.office.perform, caller)
            work = partial(ask, operation.name, unfolded(operation, given), document)
            result = await editing.guarded(wanted, operation, given, ask, work)
            tag = await editing.tag(operation, given, ask, result)
        except MailshareError as error:
            return refused(request, error)
        except Exception:  # noqa: BLE001 - the one shell of this API: what escapes is a program error, logged here once
            _log.failure("{name} failed", name=operation.name)
            return problem(request, LocalFault())
        request.setHeader("ETag", tag)
        if further := next_link(operation, request.path.decode("ascii"), given, result):
            request.setHeader("Link", further)
        return json_answer(request, 200, result)

    answer.__name__ = f"api_{operation.name}"
    return answer


def _proved(rooms: Rooms, request: Any, operation: Operation, given: Mapping[str, Any]) -> None:
    """See that a browser gave the password in the last minutes, where the pages ask for it; a token is proof itself.

    :raises NotAllowed: it did not.
    """
    if request.getHeader("Authorization") is not None or not operation.secret(given):
        return
    _, session = rooms.visitor(request)
    if session is None or not rooms.sessions.fresh(session):
        raise NotAllowed("This asks for your own password: lock the manager and unlock it, or show a token")


def refused(request: IRequest, error: MailshareError) -> bytes:
    """A problem document; who is not known is told how to be."""
    if isinstance(error, LoginRefused):
        request.setHeader("WWW-Authenticate", 'Bearer realm="mailshare"')
        return problem(request, error, 401)
    return problem(request, error)


def _events(rooms: Rooms) -> Any:
    async def events(request: IRequest) -> Any:
        try:
            caller = caller_of(rooms, request)
            rooms.admit(request, caller.name)
            status: Any = await rooms.office.perform(caller, "status", {})
        except MailshareError as error:
            return refused(request, error)

        def still() -> bool:
            try:
                return caller_of(rooms, request) == caller
            except LoginRefused:
                return False

        def frame(kind: str, value: Mapping[str, object]) -> str:
            # What is told to all is of all accounts: whoever sees only some gets the six numbers.
            return named_json(kind, value) if caller.accounts is None or kind == "indicators" else ""

        stream = EventStream(request, rooms.reactor, frame, still)
        rooms.keep(stream, request, caller.name)
        stop = rooms.office.watch(stream.send)
        stream.done.addBoth(lambda _: stop())
        over = stream.start()
        stream.send("status", status)
        stream.send("indicators", status["indicators"])
        return await over

    return events


def _description(rooms: Rooms) -> Any:
    async def openapi(request: IRequest) -> bytes:
        request.setHeader("Content-Type", "application/json")
        request.setHeader("Cache-Control", "no-store")
        return json.dumps(document(rooms.version), ensure_ascii=False, indent=1).encode()

    return openapi
