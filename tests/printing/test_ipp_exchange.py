"""IPP towards a printer over HTTP: whom we believe to be it, and what an answer may be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
import trustme
from attrs import define
from devices import HERE
from twisted.internet.defer import Deferred, succeed
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.task import Clock, deferLater

from mailshare.core.errors import Doubtful, MailshareError, NotTaken, Unavailable
from mailshare.printing.drivers.ipp import IPPKind
from mailshare.printing.drivers.ipp_exchange import ANSWER, CONNECT, STALL, IPPExchange
from mailshare.testing.pretend_printer import PretendPrinter
from mailshare.testing.printer_contract import TASK, Sheet
from mailshare.wire.ipp_client import ask_status
from mailshare.wire.ipp_codec import encode


@pytest.fixture
def inside_tls(tmp_path: Path) -> Iterator[tuple[PretendPrinter, int, str]]:
    """A printer whose certificate is for localhost, its port, and the file of its authority."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate = authority.issue_cert("localhost")
    pem = b"".join((certificate.private_key_pem.bytes(), *(one.bytes() for one in certificate.cert_chain_pems)))
    printer = PretendPrinter()
    port = HERE.listenSSL(
        0, printer.site(), PrivateCertificate.loadPEM(pem).options(), interface="127.0.0.1"
    )
    yield printer, port.getHost().port, str(tmp_path / "ca.pem")
    pytest_twisted.blockon(port.stopListening())
    for _ in range(100):  # the printer's half of a connection ends a moment after ours
        if not HERE.getDelayedCalls():
            break
        pytest_twisted.blockon(deferLater(HERE, 0))


async def _print(uri: str) -> None:
    async def named(_: object) -> None: ...

    await IPPKind("ipps", HERE).driver("office", uri).submit(TASK, Sheet(), named)


@pytest_twisted.ensureDeferred
async def test_inside_tls_the_name_must_be_right(inside_tls: tuple[PretendPrinter, int, str]) -> None:
    """Its own name and a known authority; another name, or nobody known, and not an octet is sent."""
    printer, port, authority = inside_tls
    await _print(f"ipps://localhost:{port}/ipp/print?ca={authority}")
    assert len(printer.printed) == 1
    await _print(f"ipps://127.0.0.1:{port}/ipp/print?ca={authority}&name=localhost")
    assert len(printer.printed) == 2
    for uri in (
        f"ipps://127.0.0.1:{port}/ipp/print?ca={authority}",
        f"ipps://localhost:{port}/ipp/print",
    ):
        with pytest.raises(NotTaken, match="certificate of the printer is not trusted"):
            await _print(uri)
    assert len(printer.jobs) == 2


class _Said:
    """An answer as it comes over HTTP."""

    def __init__(self, body: bytes, code: int = 200, length: int | None = None) -> None:
        self.code = code
        self.length = len(body) if length is None else length
        self._body = body

    def deliverBody(self, protocol: Any) -> None:
        from twisted.internet.testing import StringTransport
        from twisted.python.failure import Failure
        from twisted.web.client import ResponseDone

        protocol.makeConnection(StringTransport())
        for at in range(0, len(self._body), 65_536):
            protocol.dataReceived(self._body[at : at + 65_536])
        protocol.connectionLost(Failure(ResponseDone()))


@define
class _Agent:
    """Takes whatever comes and gives one answer; ``None`` = none ever comes."""

    answer: _Said | None

    def request(self, method: bytes, uri: bytes, headers: object = None, bodyProducer: Any = None) -> Deferred[Any]:
        class Consumer:
            def write(self, data: bytes) -> None: ...

        produced: Deferred[Any] = bodyProducer.startProducing(Consumer())
        if self.answer is None:
            return Deferred()
        return produced.addCallback(lambda _: succeed(self.answer))


QUESTION = ask_status(7, "ipp://printer.example/ipp/print")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (_Said(b"<html>I am a web page, and no printer at all</html>"), ""),
        (_Said(b""), "no IPP"),
        (_Said(encode(QUESTION)[:-1]), "no IPP"),
        (_Said(b"", code=500), "HTTP status 500"),
        (_Said(b"", length=1 << 30), "larger than any answer"),
        (_Said(b"\2\0\0\0\0\0\0\7\1" + b"\x44\0\1a\0\1b" * 1_000_000), ""),
        (_Said(encode(ask_status(8, "ipp://printer.example/"))), "another question"),
    ],
)
@pytest.mark.parametrize("document", [None, Sheet()])
@pytest_twisted.ensureDeferred
async def test_what_is_no_answer_leaves_doubt_only_about_documents(
    answer: _Said, words: str, document: Sheet | None
) -> None:
    """Web pages, halves, floods, answers to something else: bounded, in words, and never an error of ours."""
    exchange = IPPExchange(_Agent(answer), "http://printer.example/ipp/print", Clock())  # type: ignore[arg-type]
    with pytest.raises(MailshareError, match=words or None) as fault:
        await exchange.ask(QUESTION, document)
    assert isinstance(fault.value, Unavailable if document is None else Doubtful)


@pytest.mark.parametrize(("document", "kind"), [(None, Unavailable), (Sheet(), Doubtful)])
def test_a_printer_that_never_answers_is_not_waited_for(document: Sheet | None, kind: type[MailshareError]) -> None:
    """A minute after the last octet has gone."""
    clock = Clock()
    exchange = IPPExchange(_Agent(None), "http://printer.example/ipp/print", clock)  # type: ignore[arg-type]
    faults: list[Any] = []
    Deferred.fromCoroutine(exchange.ask(QUESTION, document)).addErrback(faults.append)
    clock.advance(ANSWER - 1)
    assert faults == []
    clock.advance(CONNECT + 1)
    assert [one.type for one in faults] == [kind]
    assert STALL > ANSWER
    assert clock.getDelayedCalls() == []
