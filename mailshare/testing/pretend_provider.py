"""A fax provider inside the process: answers requests of :mod:`twisted.web.client` without any network."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock, Cooperator
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent
from zope.interface import implementer


@frozen
class Asked:
    """A request as it came.

    :ivar headers: by lower-case name, the first of each.
    """

    method: str
    url: str
    headers: dict[str, str]
    body: bytes

    @property
    def value(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@define
class Said:
    """An answer."""

    code: int = 200
    body: bytes = b""
    headers: Headers = field(factory=Headers)

    @classmethod
    def json(cls, value: object, code: int = 200) -> Said:
        """With a JSON body."""
        return cls(code, json.dumps(value).encode())

    def deliverBody(self, protocol: Any) -> None:
        """All of it at once; clients call this."""
        protocol.dataReceived(self.body)
        protocol.connectionLost(Failure(ResponseDone()))


@implementer(IAgent)
@define
class PretendProvider:
    """Hands each request to ``answers``, which gives what is said, raises what goes wrong, or gives a Deferred.

    :ivar asked: every request, in order.
    """

    answers: Callable[[Asked], Any]
    asked: list[Asked] = field(factory=list)

    def request(
        self, method: bytes, uri: bytes, headers: Headers | None = None, bodyProducer: Any = None
    ) -> Deferred[Any]:
        """A request; clients call this."""
        given = dict[str, str]()
        for name, values in (headers or Headers()).getAllRawHeaders():
            given[name.decode().lower()] = values[0].decode()
        body = _octets(bodyProducer) if bodyProducer is not None else b""
        one = Asked(method.decode(), uri.decode(), given, body)
        self.asked.append(one)
        try:
            said = self.answers(one)
        except Exception:  # noqa: BLE001 - whatever a test lets go wrong is what the client sees
            return fail(Failure())
        return said if isinstance(said, Deferred) else succeed(said)


def _octets(producer: Any) -> bytes:
    """What a body producer has to say."""
    sink = StringTransport()
    clock = Clock()
    cooperator = Cooperator(scheduler=lambda step: clock.callLater(0, step))
    producer._cooperate = cooperator.cooperate  # noqa: SLF001 - it has no other place for a clock
    producer.startProducing(sink)
    while clock.getDelayedCalls():
        clock.advance(0)
    octets: bytes = sink.value()
    return octets
