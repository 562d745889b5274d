"""Printing: the codec of IPP, its operations on a service with a store in memory, and LPD."""

from __future__ import annotations

import itertools
from typing import Any

from mutants.of_the_wire import pieces
from mutants.subject import Subject
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailshare.printing.destinations import Destination, PrintRules
from mailshare.printing.exchange import Caller, Exchange
from mailshare.printing.http import OPERATIONS, Feeding
from mailshare.printing.service import PrintService
from mailshare.store.memory import MemoryStore
from mailshare.wire.ipp_codec import decode, encode
from mailshare.wire.ipp_codes import Operation
from mailshare.wire.ipp_values import (
    Attribute,
    Group,
    Message,
    Tag,
    Value,
    boolean,
    collection,
    integer,
    keyword,
    name_of,
    ranges,
    uri,
)
from mailshare.wire.lpd import FileOffered, JobOffered, LPDServer, RemovalWanted, StateWanted

_TOKENS = itertools.count(1)
PDF = b"%PDF-1.4\n%%EOF\n"


def codec(data: bytes) -> None:
    """What can be read is written as it came."""
    message, rest = decode(data)
    assert encode(message) + rest == data


def asked(code: int, *attributes: Attribute, groups: tuple[Group, ...] = (), data: bytes = b"") -> bytes:
    """A request of a client."""
    common = (
        Attribute("attributes-charset", (Value(Tag.CHARSET, "utf-8"),)),
        Attribute("attributes-natural-language", (Value(Tag.LANGUAGE, "en"),)),
        uri("printer-uri", "ipp://h/ipp/print/office"),
        name_of("requesting-user-name", "anna"),
    )
    return encode(Message((2, 0), code, 1, (Group(Tag.OPERATION, (*common, *attributes)), *groups))) + data


def _now(work: Any) -> Any:
    out: list[Any] = []
    Deferred.fromCoroutine(work).addCallbacks(out.append, lambda failure: failure.raiseException())
    return out[0]


def operations(data: bytes) -> None:
    """A request on a queue that has a job already; whatever comes, the answer is IPP."""
    clock = Clock()
    clock.advance(1_800_000_000)
    store = MemoryStore(clock=clock)
    _now(store.open())
    service = PrintService(store, clock, "print.example", lambda count: next(_TOKENS).to_bytes(count))
    service.follow([Destination("office", "dir:x")], PrintRules(most_octets=100_000, fetch_from=("h",)))
    _now(service.open())
    caller = Caller("127.0.0.1", "h:631", operator=True)
    feeding = Feeding(lambda message: Exchange(service, OPERATIONS, message, caller), 1 << 20, "")
    first = Feeding(lambda message: Exchange(service, OPERATIONS, message, caller), 1 << 20, "")
    first.feed(asked(Operation.PRINT_JOB, data=PDF))
    _now(first.finish())
    try:
        for piece in pieces(data):
            feeding.feed(piece)
        answer, _ = decode(_now(feeding.finish()))
        assert answer.code != 0x0500, "an internal error"
        assert answer.groups[0].tag == Tag.OPERATION
    finally:
        feeding.abort()
        _now(service.close())


def lpd(data: bytes) -> None:
    """LPD, server's side: everything is taken."""
    engine = LPDServer()
    for piece in [*pieces(data), b""]:
        if engine.closing:
            break
        engine.feed(piece)
        while (event := engine.next_event()) is not None:
            if isinstance(event, JobOffered):
                engine.into(event.queue)
            if isinstance(event, (StateWanted, RemovalWanted)):
                engine.tell("words\n")
            elif isinstance(event, FileOffered) and (event.size or 0) > 1_000_000:
                engine.refuse()
            elif engine.waiting:
                engine.accept()
        engine.take_output()
    assert engine.closing or not data


_WISH = Group(
    Tag.JOB,
    (
        integer("copies", 2),
        keyword("media", "iso_a4_210x297mm"),
        ranges("page-ranges", (1, 3)),
        collection(
            "media-col", (collection("media-size", (integer("x-dimension", 21000), integer("y-dimension", 29700))),)
        ),
        collection("overrides", (ranges("pages", (1, 1)), keyword("sides", "one-sided"))),
    ),
)
_REQUESTS = (
    asked(Operation.PRINT_JOB, name_of("job-name", "x"), groups=(_WISH,), data=PDF),
    asked(Operation.GET_PRINTER_ATTRIBUTES, keyword("requested-attributes", "all", "media-col-database")),
    asked(Operation.SET_JOB_ATTRIBUTES, integer("job-id", 1), groups=(_WISH,)),
    asked(Operation.SEND_DOCUMENT, integer("job-id", 1), boolean("last-document", True), data=PDF),
    asked(
        Operation.CREATE_PRINTER_SUBSCRIPTIONS,
        groups=(
            Group(
                Tag.SUBSCRIPTION, (keyword("notify-pull-method", "ippget"), keyword("notify-events", "job-completed"))
            ),
        ),
    ),
    asked(
        Operation.SET_PRINTER_ATTRIBUTES,
        groups=(Group(Tag.PRINTER, (Attribute("printer-info", (Value(Tag.TEXT, "x"),)),)),),
    ),
    *(asked(code, integer("job-id", 1), integer("document-number", 1)) for code in Operation),
)
_JOB = b"\x02office\n\x0220 cfA001h\nHh\nPp\nfdfA001h\nUx\n\n\0\x035 dfA001h\nabcde\0"
_WORDS = (
    b"\x4a\0\0",
    b"\x34\0\0\0\0",
    b"\x37\0\0\0\0",
    b"\x21\0\0\0\4\0\0\0\1",
    b"\x44\0\0\0\3all",
    b"\x13\0\0\0\0",
    b"\2",
    b"\3",
)
PRINTING = (
    Subject("ipp", codec, _REQUESTS, _WORDS),
    Subject("ipp_operations", operations, tuple(b"\5" + one for one in _REQUESTS), _WORDS),
    Subject(
        "lpd",
        lpd,
        (b"\5" + _JOB, b"\0\3office\n", b"\0\5office root 1\n"),
        (b"\2office\n", b"\1\n", b"\0", b"\n", b" dfA001h\n"),
    ),
)
