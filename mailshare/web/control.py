"""The control API: JSON over HTTP on a UNIX socket that only the server's own user may open.

Errors are problem documents (RFC 9457). Edits take ``If-Match`` with the ``ETag`` of the thing or of its list, so that
two editors do not overwrite each other; see :mod:`mailshare.web.object_tags`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.iweb import IRequest
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from mailshare.core.errors import (
    ConfigFault,
    LocalFault,
    MailshareError,
    NoSuchEntry,
    NoSuchJob,
    NoSuchUser,
    NotAllowed,
    PeerFault,
    TooManyTries,
    Unavailable,
)
from mailshare.web.events import EventStream, Watch
from mailshare.web.object_tags import Editing
from mailshare.web.operations import BASE, OPERATIONS, Operation

_MOST_BODY = 1_000_000


class _QuietSite(Site):
    """Logs no requests: what they do is in the journal."""

    noisy = False

    def log(self, request: Any) -> None:
        """Say nothing."""


Aside = Callable[[Callable[[], Any]], Awaitable[Any]]


async def _here(work: Callable[[], Any]) -> Any:
    return work()


class MadeWhenAsked(Resource):
    """A resource that is made at its first request, aside; requests that come meanwhile wait for it."""

    isLeaf = True
    _log = Logger()

    def __init__(self, make: Callable[[], Any], aside: Aside) -> None:
        super().__init__()
        self._make = make
        self._aside = aside
        self._made: Any = None
        self._waiting: dict[Any, None] = {}

    def render(self, request: Any) -> Any:
        """Let the made one answer; Twisted calls this."""
        if self._made is not None:
            return self._made.render(request)
        self._waiting[request] = None
        request.notifyFinish().addErrback(lambda _: self._waiting.pop(request, None))
        if len(self._waiting) == 1:
            making = Deferred.fromCoroutine(self._prepare())
            making.addErrback(lambda failure: self._log.failure("The control API cannot serve", failure))
        return NOT_DONE_YET

    async def _prepare(self) -> None:
        try:
            self._made = await self._aside(self._make)
        finally:
            waiting, self._waiting = self._waiting, {}
            for request in waiting:
                if self._made is not None:
                    request.render(self._made)
                else:
                    request.setResponseCode(500)
                    request.finish()


class Acts(Protocol):
    """What stands behind the API: a method for each operation, and these three."""

    def version(self) -> int:
        """The directory's version."""

    def audit(self, act: str, arguments: Mapping[str, object]) -> Awaitable[None]:
        """An operation that changes something was done; never raises for what the store does."""

    def watch(self, changed: Watch) -> Any:
        """Be called with ``(kind, JSON)`` whenever something changed; the result ends that."""


class ControlAPI:
    """Serves :data:`~mailshare.web.operations.OPERATIONS`.

    :param acts: gives the office, or whatever has the methods; called first where ``aside`` calls.
    :param reactor: IReactorTime, for the pulse of event streams.
    :param aside: does work elsewhere than on the reactor's thread.
    """

    _log = Logger()

    def __init__(self, acts: Callable[[], Acts], reactor: IReactorTime, aside: Aside = _here) -> None:
        self._acts = acts
        self._reactor = reactor
        self._aside = aside
        self._streams: set[EventStream] = set()

    def _routes(self) -> Any:
        # klein installs a reactor when it is imported: by now there is one, which is not for this module to choose.
        # It is a sixth of all that a start would import, so it waits for the first request, and no mail waits for it.
        from klein import Klein  # noqa: PLC0415

        self._acts()
        app = Klein()
        editing = Editing(lambda: self._acts().version())
        for operation in OPERATIONS:
            self._serve(app, editing, operation)
        app.route(f"{BASE}/events", methods=["GET"])(self._events)
        return app.resource()

    def site(self) -> Site:
        """The factory to listen with."""
        site = _QuietSite(MadeWhenAsked(self._routes, self._aside), timeout=60)
        site.displayTracebacks = False
        return site

    def close(self) -> None:
        """End the event streams, which would live for ever."""
        for stream in tuple(self._streams):
            stream.end()

    async def _ask(self, name: str, given: Mapping[str, object]) -> Any:
        return await getattr(self._acts(), name)(**given)

    def _serve(self, app: Any, editing: Editing, operation: Operation) -> None:
        async def answer(request: IRequest, **path: str) -> bytes:
            try:
                body = {} if operation.raw else request_body(request)
                arguments = operation.arguments({**request_query(request), **body, **path})
                if operation.raw:
                    arguments["document"] = request.content
                work = partial(getattr(self._acts(), operation.name), **arguments)
                result = await editing.guarded(request.getHeader(b"If-Match"), operation, arguments, self._ask, work)
                tag = await editing.tag(operation, arguments, self._ask, result)
                if operation.audited:
                    await self._acts().audit(operation.name, arguments)
            except MailshareError as error:
                return problem(request, error)
            except Exception:  # noqa: BLE001 - the one shell of the API: what escapes is a program error, logged here once
                self._log.failure("{name} failed", name=operation.name)
                return problem(request, LocalFault())
            request.setHeader("ETag", tag)
            return json_answer(request, 200, result)

        answer.__name__ = f"serve_{operation.name}"
        app.route(BASE + operation.path, methods=[operation.method])(answer)

    def _events(self, request: IRequest) -> Any:
        stream = EventStream(request, self._reactor)
        self._streams.add(stream)
        stop = self._acts().watch(stream.send)

        def ended(_: object) -> None:
            stop()
            self._streams.discard(stream)

        stream.done.addBoth(ended)
        return stream.start()


def request_query(request: Any) -> dict[str, str]:
    """The query's arguments, each once.

    :raises PeerFault: it is not UTF-8.
    """
    try:
        return {name.decode("utf-8"): values[-1].decode("utf-8") for name, values in request.args.items()}
    except UnicodeDecodeError as error:
        raise PeerFault("The query is not UTF-8", code=400) from error


def request_body(request: Any) -> dict[str, Any]:
    """The JSON object in the body; empty when there is no body.

    :raises PeerFault: it is none, or too large.
    """
    content = request.content.read(_MOST_BODY + 1)
    if not content:
        return {}
    if len(content) > _MOST_BODY:
        raise PeerFault("The request is too large", code=413)
    try:
        value = json.loads(content)
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:  # half of a pair is JSON, but no text that anything of ours could hold
        raise PeerFault("The request holds characters that do not exist", code=400) from error
    except (ValueError, RecursionError) as error:
        raise PeerFault("The request is not JSON", code=400) from error
    if not isinstance(value, dict):
        raise PeerFault("The request must be a JSON object", code=400)
    return value


def json_answer(request: Any, status: int, value: object, kind: str = "application/json") -> bytes:
    """An answer of JSON, kept by nobody on the way."""
    request.setResponseCode(status)
    request.setHeader("Content-Type", kind)
    request.setHeader("Cache-Control", "no-store")
    return json.dumps(value, ensure_ascii=False).encode("utf-8") + b"\n"


def http_status(error: MailshareError) -> int:
    """The HTTP status that says the same as an error of ours."""
    if isinstance(error, NoSuchUser | NoSuchEntry | NoSuchJob):
        return 404
    if isinstance(error, NotAllowed):
        return 403
    if isinstance(error, PeerFault):
        return error.code if error.code in (400, 404, 412, 413) else 400
    if isinstance(error, ConfigFault):
        return 422
    if isinstance(error, TooManyTries):
        return 429
    if isinstance(error, Unavailable):
        return 503
    return 500 if isinstance(error, LocalFault) else 409


def problem(request: IRequest, error: MailshareError, status: int = 0) -> bytes:
    """An error as a problem document (RFC 9457 section 3).

    :param status: in place of the error's own.
    """
    status = status or http_status(error)
    document: Mapping[str, object] = {
        "type": "about:blank",
        "title": type(error).__name__,
        "status": status,
        "detail": "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in error.public),
    }
    return json_answer(request, status, document, "application/problem+json")
