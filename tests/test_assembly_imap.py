"""The assembled office collects from an IMAP server on a socket."""

from __future__ import annotations

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from mailshare.testing.imap_double import Mailbox, PretendIMAP
from mailshare.testing.liars import PASSWORD, USER
from tests.test_assembly_office import Room, room, user

__all__ = ["room"]
LETTER = b"From: Alice <alice@far.example>\r\nTo: %b <mail@company.example>\r\nSubject: hello\r\n\r\nHello %b.\r\n"


class Spoken(Protocol):
    """The double on a socket."""

    secure = False

    def __init__(self, server: PretendIMAP) -> None:
        self._client = server.for_one_client()

    def connectionMade(self) -> None:
        self._client.connected(self)

    def dataReceived(self, data: bytes) -> None:
        self._client.received(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        del reason

    def say(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)

    def cut(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()


@pytest_twisted.ensureDeferred
async def test_the_office_collects_over_imap(room: Room) -> None:
    """From both folders to the people whom the mail names; nothing is left there, a missing folder is told."""
    server = PretendIMAP(
        {
            "INBOX": Mailbox.of([LETTER % (b"Andrew", b"Andrew"), LETTER % (b"Greg", b"Greg")]),
            "Spam": Mailbox.of([LETTER % (b"Andrew", b"spam")], flags="\\Junk"),
        }
    )
    spoken = Factory.forProtocol(lambda: Spoken(server))
    port = reactor.listenTCP(0, spoken, interface="127.0.0.1")  # type: ignore[attr-defined]
    room.write(
        f"""[[account]]
address = "mail@company.example"
collect = "imap://{USER}@127.0.0.1:{port.getHost().port}?tls=none"
password = "{PASSWORD}"
options = {{ folders = ["INBOX", {{ name = "Spam", role = "junk" }}, "Absent"] }}
"""
        + user("andrew")
        + user("greg")
    )
    try:
        office = await room.start()
        answer = await office.acts.send_receive()
        assert answer["mail@company.example"]["collected"] == {"andrew": 2, "greg": 1}  # type: ignore[index]
        told = await office.acts.log(kinds=["route"])
        assert str(told).count("for what the provider takes for junk") == 1
        assert not any(box.messages for box in server.folders.values())
        status = (await office.acts.status())["accounts"][0]["collect"]  # type: ignore[index]
        assert status["error"] == ""
        assert status["note"] == "The server has no folder Absent; it has: INBOX, Spam"
    finally:
        await port.stopListening()
