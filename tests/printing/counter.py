"""A print service over a store in memory, asked as an IPP client asks, without a socket."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailshare.core.print_abilities import Abilities
from mailshare.core.values import PrintChange, PrintJob, PrintState
from mailshare.interfaces import IStore
from mailshare.printing.destinations import Destination, PrintRules
from mailshare.printing.exchange import Caller, Exchange
from mailshare.printing.http import OPERATIONS
from mailshare.printing.service import PrintService
from mailshare.store.memory import MemoryStore
from mailshare.wire.ipp_codec import decode, encode
from mailshare.wire.ipp_codes import Operation, Status
from mailshare.wire.ipp_values import Attribute, Group, Message, Tag, Value, integer, name_of, uri

PDF = b"%PDF-1.4\n1 0 obj\n%%EOF\n"
NOW = 1_800_000_000
URI = "ipp://print.example:631/ipp/print/office"


def common(*, printer: str = URI, user: str = "anna") -> tuple[Attribute, ...]:
    """What every request begins with."""
    return (
        Attribute("attributes-charset", (Value(Tag.CHARSET, "utf-8"),)),
        Attribute("attributes-natural-language", (Value(Tag.LANGUAGE, "en"),)),
        *((uri("printer-uri", printer),) if printer else ()),
        name_of("requesting-user-name", user),
    )


def settled(work: Any) -> Any:
    """The result of a coroutine that waits for nothing."""
    out: list[Any] = []
    Deferred.fromCoroutine(work).addCallbacks(out.append, lambda failure: failure.raiseException())
    assert out, "it waits for something"
    return out[0]


@define
class Counter:
    """The service, and a client of it."""

    clock: Clock = field(factory=Clock)
    service: PrintService = field(init=False)
    noted: list[tuple[str, str, Mapping[str, object]]] = field(factory=list)
    operator: bool = True
    _tokens: Iterator[int] = field(init=False, factory=lambda: itertools.count(1))

    def __attrs_post_init__(self) -> None:
        self.clock.advance(NOW)
        store = MemoryStore(clock=self.clock)
        settled(store.open())
        self._serve(store)

    def _serve(self, store: IStore) -> None:
        self.service = PrintService(
            store,
            self.clock,
            "print.example",
            lambda count: next(self._tokens).to_bytes(count),
            note=lambda kind, user, data: self.noted.append((kind, user, data)),
        )
        self.follow([Destination("office", "dir:out"), Destination("mono", "dir:m", abilities=Abilities(color=False))])
        settled(self.service.open())

    def restart(self, *, down: float = 0, killed: bool = False) -> None:
        """Another service over the same store, after that many seconds; a killed one writes nothing any more."""
        if killed:
            for call in self.clock.getDelayedCalls():
                call.cancel()
            assert self.service._stop_following is not None
            self.service._stop_following()
        else:
            settled(self.service.close())
        self.clock.advance(down)
        self._serve(self.service.store)

    def follow(self, destinations: Iterable[Destination], **rules: Any) -> None:
        """Take over destinations and rules."""
        self.service.follow(list(destinations), PrintRules(**rules))

    def send(self, message: Message, data: bytes = b"") -> Message:
        """A request through the codec and back."""
        caller = Caller("127.0.0.1", "print.example:631", operator=self.operator, ports={"ipp": 631, "ipps": 632})
        exchange = Exchange(self.service, OPERATIONS, decode(encode(message))[0], caller)
        if data:
            exchange.write(data)
        return decode(encode(settled(exchange.finish())))[0]

    def ask(
        self,
        code: int,
        *attributes: Attribute,
        groups: Iterable[Group] = (),
        data: bytes = b"",
        user: str = "anna",
        printer: str = URI,
    ) -> Message:
        """An operation of that user on the queue ``office``."""
        operation = Group(Tag.OPERATION, (*common(printer=printer, user=user), *attributes))
        return self.send(Message((2, 0), code, 1, (operation, *groups)), data)

    def print(
        self, *options: Attribute, attributes: Iterable[Attribute] = (), data: bytes = PDF, **how: Any
    ) -> Message:
        """Print-Job."""
        groups = [Group(Tag.JOB, options)] if options else []
        return self.ask(Operation.PRINT_JOB, *attributes, groups=groups, data=data, **how)

    def printed(self, *options: Attribute, **how: Any) -> int:
        """Print-Job, and the number of its job."""
        said = self.print(*options, **how)
        assert said.code == Status.OK, said
        return number(said)

    def job(self, job_id: int) -> PrintJob:
        """As the store has it."""
        found: PrintJob | None = settled(self.service.store.print_jobs.job(job_id))
        assert found is not None
        return found

    def change(self, job_id: int, state: PrintState, **what: Any) -> None:
        """What the agent learns."""
        change = PrintChange(state=state, **what)
        settled(self.service.store.print_jobs.change(job_id, change, self.service.now()))

    def on(self, code: int, job_id: int, *attributes: Attribute, **how: Any) -> int:
        """An operation on a job; its status."""
        return self.ask(code, integer("job-id", job_id), *attributes, **how).code


def number(message: Message) -> int:
    """The job-id of an answer."""
    found = message.group(Tag.JOB).get("job-id")
    assert found is not None, message
    return found.first.number


def names(group: Group) -> list[str]:
    """Of a group's attributes."""
    return [one.name for one in group.attributes]


def value(group: Group, name: str) -> Any:
    """The data of an attribute's first value."""
    found = group.get(name)
    assert found is not None, (name, names(group))
    return found.first.data
