"""Behind its first whole envelope a connection's envelopes are answered without an event, and by the same rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.cred.checkers import AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet.task import Clock
from zope.interface import implementer

from mailshare.core.envelope import Envelope
from mailshare.core.errors import PolicyRefusal
from mailshare.interfaces import ISession, ISubmission, ISubmitter, IWholeEnvelopes
from mailshare.shell.limits import BODY_AT_ONCE, BODY_FIRST, COMMANDS_AT_ONCE
from mailshare.smtp.factory import SMTPFactory
from mailshare.wire.smtp_server import SMTPServerEngine
from mailshare.wire.smtp_server_events import EnvelopeOffered
from tests.smtp.conftest import Book, Client, MemorySubmission, MemorySubmitter
from tests.smtp.test_smtp_sessions import PLAIN, TRUSTED

OPENING = b"MAIL FROM:<a@b.test>\r\nRCPT TO:<joe@test.local>\r\nDATA\r\n"
MESSAGE = b"Subject: x\r\n\r\nx\r\n.\r\n"


@implementer(ISubmitter, IWholeEnvelopes)
class WholeSubmitter(MemorySubmitter):
    """Agrees to whole envelopes, as the book says."""

    agrees = True
    fault: Exception | None = None

    def whole(self, envelope: Envelope, session: ISession) -> ISubmission | None:
        if self.fault is not None:
            raise self.fault
        if not self.agrees or any(one.address.local != "joe" for one in envelope.recipients):
            return None
        return MemorySubmission(self.book, self.user + session.protocol, envelope)

    async def submit(self, envelope: Envelope, session: ISession) -> ISubmission:
        return MemorySubmission(self.book, self.user + session.protocol, envelope)


@implementer(IRealm)
class WholeRealm:
    """Gives such submitters, and keeps the last one."""

    def __init__(self, book: Book) -> None:
        self.book = book

    def requestAvatar(self, avatarId: Any, mind: object, *interfaces: object) -> tuple[object, object, object]:
        self.last = WholeSubmitter(self.book, avatarId.decode() if isinstance(avatarId, bytes) else "")
        return ISubmitter, self.last, lambda: None


@pytest.fixture
def realm(book: Book) -> WholeRealm:
    return WholeRealm(book)


@pytest.fixture
def portal(realm: WholeRealm) -> Portal:
    """Instead of the one of the other tests."""
    portal = Portal(realm)
    portal.registerChecker(InMemoryUsernamePasswordDatabaseDontUse(joe=b"secret"))
    portal.registerChecker(AllowAnonymousAccess())
    return portal


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Envelopes that engines offered by an event."""
    seen: list[object] = []
    receive = SMTPServerEngine.receive

    def look(engine: SMTPServerEngine, data: bytes) -> object | None:
        event = receive(engine, data)
        if isinstance(event, EnvelopeOffered):
            seen.append(event.envelope)
        return event

    monkeypatch.setattr(SMTPServerEngine, "receive", look)
    return seen


@pytest.fixture
def client(connect: Callable[..., Client], make_factory: Callable[..., SMTPFactory]) -> Client:
    """One that has said EHLO and handed in one message, from a trusted network."""
    client = connect(make_factory(**TRUSTED))
    client.codes(b"EHLO client.test")
    assert client.say(OPENING, MESSAGE)[-1].startswith("250 ")
    return client


def test_the_first_one_is_offered_and_no_other(client: Client, book: Book, offered: list[object]) -> None:
    """The replies, the light and the messages are the same."""
    offered.clear()
    for number in range(2, 5):
        assert [line[:3] for line in client.say(OPENING)] == ["250", "250", "354"]
        assert book.lights[-1] == 1
        assert client.say(MESSAGE) == [f"250 2.0.0 Message taken as {number:016x}"]
        assert book.lights[-1] == -1
    assert (len(book.taken), offered) == (4, [])
    assert len({body for _, _, body in book.taken}) == 1


def test_who_logged_in_meanwhile_is_asked(client: Client, book: Book, realm: WholeRealm) -> None:
    """The avatar is the one in force, and the word for the Received field is of now."""
    assert client.say(PLAIN + b"\r\n")[-1].startswith("235 ")
    client.say(OPENING, MESSAGE)
    client.codes(b"HELO client.test")
    client.say(OPENING, MESSAGE)
    assert [user for user, _, _ in book.taken] == ["ESMTP", "joeESMTPA", "joeSMTP"]


@pytest.mark.parametrize("fault", [None, PolicyRefusal("No"), ValueError("odd")], ids=["none", "refusal", "foreign"])
def test_what_is_not_agreed_to_is_asked_singly(
    client: Client, book: Book, realm: WholeRealm, fault: Exception | None
) -> None:
    """Each command has its own answer; the next envelope may be whole again."""
    realm.last.agrees, realm.last.fault = False, fault
    assert [line[:3] for line in client.say(OPENING.replace(b"joe", b"nobody"))] == ["250", "550", "554"]
    assert client.codes(b"RSET") == ["250"]
    realm.last.agrees, realm.last.fault = True, None
    client.say(OPENING, MESSAGE)
    assert [user for user, _, _ in book.taken] == ["ESMTP", "ESMTP"]


PIECES = (
    OPENING, OPENING, MESSAGE, MESSAGE, OPENING + MESSAGE, MESSAGE + OPENING, b"MAIL FROM:<a@b.test>\r\n",
    b"MAIL FROM:<a@", b"b.test>\r\n", b"RCPT TO:<joe@test.local>\r\nDATA\r\n", OPENING.replace(b"joe", b"nobody"),
    b"BDAT 3 LAST\r\nabc", b"BDAT 3\r\nabc", b"BDAT 99\r\nab", b"RSET\r\n", b"NOOP\r\n", b"EHLO again\r\n",
    b"HELO again\r\n", b"x" * 3_000, b"AUTH LOGIN\r\n", b"QUIT\r\n", PLAIN + b"\r\n",
    OPENING.replace(b"test>\r\nRCPT", b"test> SMTPUTF8\r\nRCPT"),
)  # fmt: skip


@settings(max_examples=300, database=None, derandomize=True, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=14), st.integers(0, 13))
def test_any_dialogue(pieces: list[bytes], unwilling: int) -> None:
    """Whatever comes in any state, nobody sees a difference to a connection whose commands are read one by one.

    :param unwilling: from that piece on no envelope is agreed to.
    """
    seen = []
    for at_once in (True, False):
        book = Book()
        realm = WholeRealm(book)
        portal = Portal(realm)
        portal.registerChecker(InMemoryUsernamePasswordDatabaseDontUse(joe=b"secret"))
        portal.registerChecker(AllowAnonymousAccess())
        clock = Clock()
        factory = SMTPFactory(
            portal, reactor=clock, hostname="mail.test", trusted_networks=TRUSTED["trusted_networks"],
            observe=lambda step, _, book=book: book.lights.append(step),  # type: ignore[misc]
        )  # fmt: skip
        client = Client(factory)
        if not at_once:
            engine = client.protocol._session.engine  # type: ignore[union-attr]
            engine.settings, engine._whole = evolve(engine.settings, whole_envelopes=False), False  # type: ignore[attr-defined]
        said = [client.say(b"EHLO client.test\r\n", OPENING, MESSAGE)]
        for number, piece in enumerate(pieces):
            realm.last.agrees = number < unwilling
            said.append(client.say(piece))
            clock.pump([1] * 5)  # for those who made mistakes
            said.append(client.read())
        seen.append((said, book.taken, book.aborted, book.lights, client.gone))
    assert seen[0] == seen[1]


def test_a_body_has_its_deadlines(client: Client, clock: Clock, book: Book) -> None:
    """A slow one is ended after a minute, not as a late command after five."""
    client.say(OPENING)
    said = []
    for _ in range(62):
        said += client.say(b"x" * 150)
        clock.advance(1)
    assert said + client.read() == ["421 4.4.2 mail.test The message comes too slowly"]
    assert (client.gone, book.aborted, book.lights[-1]) == (True, 1, -1)


def test_a_silent_client_has_five_minutes_again(client: Client, clock: Clock) -> None:
    """After the message the deadline of commands holds."""
    client.say(OPENING, MESSAGE)
    clock.pump([1] * 299)
    assert not client.gone
    clock.pump([1] * 3)
    assert client.gone


def test_how_much_is_read_at_once(client: Client) -> None:
    """Little of commands, most messages whole, and more of one that goes on."""
    socket: Any = client.transport
    for opening in (OPENING, OPENING[:-6]):  # by the quick way, and by the other
        assert socket.bufferSize == COMMANDS_AT_ONCE
        client.say(opening, *([b"DATA\r\n"] if opening is not OPENING else []))
        assert socket.bufferSize == BODY_FIRST
        client.say(b"Subject: x\r\n\r\n" + b"x" * 70 + b"\r\n")
        assert socket.bufferSize == BODY_AT_ONCE
        assert client.say(b".\r\n")[-1].startswith("250 ")
