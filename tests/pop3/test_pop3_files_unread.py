"""A large message goes from its file to the socket without being read, unless dots or TLS stand in the way."""

from __future__ import annotations

import poplib
import socket

import pytest
import pytest_twisted
from twisted.cred.portal import Portal
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.testing import StringTransport
from twisted.internet.threads import deferToThread

from mailshare.interfaces import IMailboxOpener
from mailshare.pop3.factory import POP3Factory
from mailshare.portal.realm import LocalMailbox
from mailshare.shell.outlet import Outlet
from mailshare.shell.prompt_endpoint import PromptEndpoint
from mailshare.store import ready_bodies
from mailshare.store.sqlite import SQLiteStore
from mailshare.testing.store_office import HEADER, office
from tests.pop3.conftest import Checker, Realm

LARGE = HEADER + b"some text. It has dots.\r\n" * 100_000


class Sent:
    """Counts what is sent unread."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.octets = 0
        self.calls = 0
        plain = ready_bodies.send_file

        def counted(*given: object) -> int:
            sent = plain(*given)
            self.octets += sent
            self.calls += 1
            return sent

        monkeypatch.setattr(ready_bodies, "send_file", counted)


def fetched(port: int) -> list[bytes]:
    """All messages, as poplib gives them."""
    client = poplib.POP3("127.0.0.1", port, timeout=60)
    try:
        client.user("joe")
        client.pass_("secret")
        count, _ = client.stat()
        found = [b"\r\n".join(client.retr(n + 1)[1]) + b"\r\n" for n in range(count)]
        client.quit()
    finally:
        client.close()
    return found


@pytest_twisted.ensureDeferred
async def test_large_messages_are_sent_unread(tmp_path, monkeypatch):
    """Every octet arrives, those in front too; a message with dotted lines between two others is sent the usual way."""
    sent = Sent(monkeypatch)
    async with office(lambda: SQLiteStore(str(tmp_path / "store"), reactor=reactor)) as place:
        front = b"X-Front: yes\r\n"
        messages = [front + LARGE, front + LARGE + b".dotted\r\n", front + LARGE]
        for trace, message in enumerate(messages):
            await place.deliver(str(trace), [place.andrew], data=message[len(front) :], prefix=front)
        realm = Realm(IMailboxOpener, LocalMailbox(place.andrew, place.store.mailboxes), [])
        factory = POP3Factory(
            Portal(realm, [Checker()]), reactor=reactor, hostname="pop.example", trusted_networks=["127.0.0.0/8"]
        )
        port = await PromptEndpoint(TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")).listen(factory)
        try:
            assert await deferToThread(fetched, port.getHost().port) == messages
            assert sent.octets == 2 * len(LARGE)
            await gone_while_sending(port.getHost().port)
        finally:
            await port.stopListening()
            await factory.drain(0)


def test_inside_tls_nothing_goes_past_the_transport():
    """There every octet has to be read, to be encrypted; so has what goes to a transport that is no socket."""
    transport = StringTransport()
    assert Outlet(transport, None, secure=True).open_again() is None
    assert Outlet(StringTransport(), None, secure=False).open_again() is None


async def gone_while_sending(port: int) -> None:
    """Whoever leaves in the middle of a message takes nobody with him, and the mailbox is free again."""

    def leave() -> None:
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(b"USER joe\r\nPASS secret\r\nRETR 1\r\n")
        while b"octets\r\nX-Front" not in client.recv(4096):
            pass
        client.close()

    await deferToThread(leave)
    later: Deferred[None] = Deferred()
    reactor.callLater(0, later.callback, None)
    await later
    for _ in range(200):
        try:
            assert len(await deferToThread(fetched, port)) == 3
        except poplib.error_proto:  # the mailbox is locked until our side has heard of the end
            continue
        return
    raise AssertionError("the mailbox is still locked")
