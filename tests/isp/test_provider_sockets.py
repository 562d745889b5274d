"""Collector and relay on real sockets: TLS of both kinds, the certificate's name and chain, a large message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trustme
from attrs import evolve
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions, PrivateCertificate

from mailshare.core.errors import UntrustedServer
from mailshare.core.servers import parse_server
from mailshare.core.values import QueueState
from mailshare.isp.collect import Collector
from mailshare.isp.relay import Relay
from mailshare.isp.sign_on import open_smtp
from mailshare.testing.liars import PretendPOP3, PretendSMTP, honest
from mailshare.testing.pretend_office import MESSAGE, Office, ignore, letters, submit


class Socket(Protocol):
    """Lets a double speak over a socket."""

    def __init__(self, double: Any, options: CertificateOptions, implicit: bool) -> None:
        self.double, self.options, self.secure = double, options, False
        self.implicit = implicit

    def connectionMade(self) -> None:
        if self.implicit:
            self.transport.startTLS(self.options)  # type: ignore[union-attr]
            self.secure = True
        self.double.connected(self)

    def dataReceived(self, data: bytes) -> None:
        upper = data.upper()
        self.double.received(data)
        if upper.startswith((b"STLS", b"STARTTLS")):
            self.transport.startTLS(self.options)  # type: ignore[union-attr]
            self.secure = True

    def say(self, data: bytes) -> None:
        self.transport.write(data)  # type: ignore[union-attr]

    def cut(self) -> None:
        self.transport.loseConnection()  # type: ignore[union-attr]


class Place:
    """A provider on a port, and an office that knows it."""

    def __init__(self, double: Any, folder: Path, *, implicit: bool, names: tuple[str, ...] = ("127.0.0.1",)) -> None:
        authority = trustme.CA()
        certificate = authority.issue_cert(*names)
        pem = certificate.private_key_pem.bytes() + certificate.cert_chain_pems[0].bytes()
        options = PrivateCertificate.loadPEM(pem).options()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        self.listening: Any = reactor.listenTCP(  # type: ignore[attr-defined]
            0, Factory.forProtocol(lambda: Socket(double, options, implicit)), interface="127.0.0.1"
        )
        self.port = self.listening.getHost().port
        self.ca = str(folder / "ca.pem")
        self.office = Office()
        self.doors = evolve(self.office.doors, reactor=reactor, endpoint=lambda _: None)

    def collector(self) -> Collector:
        return Collector(self.office.store, self.office.door, self.doors)

    async def close(self) -> None:
        await self.listening.stopListening()
        gone: Deferred[None] = Deferred()
        reactor.callLater(0.05, gone.callback, None)  # type: ignore[attr-defined]
        await gone


@ensureDeferred
@pytest.mark.parametrize("scheme", ["pop3s", "pop3"])
async def test_collecting_inside_tls(tmp_path: Path, scheme: str) -> None:
    """Implicit and STLS, with the certificate's chain and name checked."""
    server = PretendPOP3({**letters(), "large": b"Subject: large\r\n\r\n" + b"0123456789abcdef.\r\n" * 200_000})
    wanted = list(server.messages.values())
    place = Place(server, tmp_path, implicit=scheme == "pop3s")
    account = place.office.change(collect=parse_server(f"{scheme}://mail@127.0.0.1:{place.port}?ca={place.ca}"))
    collecting = place.collector()
    counts = await collecting.collect(account)
    await place.close()
    assert (counts, collecting.status(account.id).error) == ({"andrew": 4}, "")
    assert place.office.mail_of("andrew") == wanted
    assert (server.clear_secrets, server.messages) == (0, {})


@ensureDeferred
@pytest.mark.parametrize("scheme", ["pop3s", "pop3"])
@pytest.mark.parametrize("fault", ["name", "chain"])
async def test_a_wrong_certificate_gets_no_password(tmp_path: Path, scheme: str, fault: str) -> None:
    """Another name, or an authority that nobody knows."""
    logins: list[str] = []
    server = PretendPOP3(letters(), lambda verb, reply: logins.append(verb) or honest(verb, reply))
    names = ("127.0.0.1",) if fault == "chain" else ("pop.other.example",)
    place = Place(server, tmp_path, implicit=scheme == "pop3s", names=names)
    ca = f"?ca={place.ca}" if fault == "name" else ""
    account = place.office.change(collect=parse_server(f"{scheme}://mail@127.0.0.1:{place.port}{ca}"))
    collecting = place.collector()
    await collecting.collect(account)
    await place.close()
    assert not {"AUTH", "USER", "PASS"} & set(logins)
    assert collecting.status(account.id).error
    assert len(server.messages) == 3


@ensureDeferred
@pytest.mark.parametrize("scheme", ["submissions", "submission"])
@pytest.mark.parametrize("fault", ["name", "chain"])
async def test_a_certificate_of_somebody_else_is_called_that(tmp_path: Path, scheme: str, fault: str) -> None:
    """Not "the server is away": the way is paused with the reason, and no password went out."""
    names = ("127.0.0.1",) if fault == "chain" else ("smtp.other.example",)
    server = PretendSMTP(extensions=("PIPELINING", "STARTTLS", "AUTH PLAIN"))
    place = Place(server, tmp_path, implicit=scheme == "submissions", names=names)
    ca = f"?ca={place.ca}" if fault == "name" else ""
    account = place.office.change(relay=parse_server(f"{scheme}://mail@127.0.0.1:{place.port}{ca}"))
    assert account.relay is not None
    with pytest.raises(UntrustedServer):
        await open_smtp(place.doors, account, account.relay)
    agent = Relay(place.office.store, place.office.door, place.doors)
    (outcome,) = await agent.deliver(submit(place.office), ignore)
    agent.close()
    await place.close()
    assert (outcome.state, outcome.counts) == (QueueState.QUEUED, False)
    assert "certificate" in outcome.reply
    assert agent.status(account.id).paused
    assert not any(command.startswith("AUTH") for command in server.commands)


@ensureDeferred
@pytest.mark.parametrize("scheme", ["submissions", "submission"])
async def test_relaying_inside_tls(tmp_path: Path, scheme: str) -> None:
    """Implicit and STARTTLS; a large message and a small one over one connection."""
    large = b"Subject: large\r\n\r\n" + b".0123456789abcdef\r\n" * 200_000
    server = PretendSMTP(extensions=("PIPELINING", "8BITMIME", "STARTTLS", "AUTH PLAIN"))
    place = Place(server, tmp_path, implicit=scheme == "submissions")
    place.office.change(relay=parse_server(f"{scheme}://mail@127.0.0.1:{place.port}?ca={place.ca}"))
    agent = Relay(place.office.store, place.office.door, place.doors)
    for message in (large, MESSAGE):
        outcomes = await agent.deliver(submit(place.office, message=message), ignore)
        assert [outcome.state for outcome in outcomes] == [QueueState.DELIVERED]
    agent.close()
    await place.close()
    arrived = [accepted.octets.partition(b"\r\n") for accepted in server.accepted]
    assert [octets for _, _, octets in arrived] == [large, MESSAGE]
    assert all(line.startswith(b"X-Mailshare-Trace: ") for line, _, _ in arrived)
    assert (server.sessions, server.clear_secrets) == (1, 0)
