"""SMTP sessions: what the realm is asked, what becomes of its answers, and that nothing is left behind."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable

import pytest
from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from mailshare.core.errors import PolicyRefusal, StorageFull, TooManyTries
from mailshare.interfaces import IGate, ISubmitter, IVerifierSource
from mailshare.shell.logins import IVerifiedLogin, PasswordLogin, VerifiedLogin
from mailshare.smtp.factory import SMTPFactory
from mailshare.wire.sasl.scram import ScramClient, make_verifier

HELLO = b"EHLO client.test"
MAIL = b"MAIL FROM:<a@b.test>"
RCPT = b"RCPT TO:<joe@test.local>"
PLAIN = b"AUTH PLAIN " + b64encode(b"\0joe\0secret")
TRUSTED = {"trusted_networks": ("192.0.2.0/24",)}


@implementer(ICredentialsChecker)
class Believes:
    """Lets proven logins in, and remembers what proved them."""

    credentialInterfaces = (IVerifiedLogin,)

    def __init__(self) -> None:
        self.mechanisms: list[str] = []

    def requestAvatarId(self, credentials: VerifiedLogin) -> bytes:
        self.mechanisms.append(credentials.mechanism)
        return credentials.username


def test_a_message_is_taken(connect, book) -> None:
    """What was sent is what the realm has, with its envelope; the light is on while it comes in."""
    client = connect()
    assert client.read() == ["220 mail.test ESMTP ready"]
    assert client.codes(HELLO, MAIL, RCPT, b"DATA") == ["250", "250", "250", "354"]
    assert book.lights == [1]
    assert client.say(b"Subject: x\r\n\r\n..hi\r\n.\r\n") == ["250 2.0.0 Message taken as 0000000000000001"]
    (user, envelope, body), = book.taken
    assert (user, str(envelope.sender), body) == ("", "a@b.test", b"Subject: x\r\n\r\n.hi\r\n")
    assert book.lights == [1, -1]
    assert client.codes(b"QUIT") == ["221"]
    assert client.gone
    assert book.logins == book.logouts == [""]


def test_reply_waits_until_durable(connect, book) -> None:
    """The 250 comes when the realm says that the message is safe, and what was pipelined behind it comes after."""
    client = connect()
    client.codes(HELLO, MAIL, RCPT, b"DATA")
    book.hold = Deferred()
    assert client.say(b"x\r\n.\r\nNOOP\r\n", b"NOOP\r\n") == []
    book.hold.callback(None)
    assert [line[:3] for line in client.read()] == ["250", "250", "250"]
    assert len(book.taken) == 1


def test_answers_in_order_when_the_realm_is_slow(connect, book) -> None:
    """A later command never overtakes an earlier one whose answer is outstanding."""
    client = connect()
    client.codes(HELLO)
    book.hold = Deferred()
    assert client.say(MAIL + b"\r\n" + RCPT + b"\r\nRCPT TO:<x@outside.test>\r\nVRFY x\r\n") == []
    book.hold.callback(None)
    assert [line[:3] for line in client.read()] == ["250", "250", "550", "252"]


def test_relay_only_after_login(connect, make_factory, book) -> None:
    """Nobody relays; joe does, and the anonymous avatar is let go when he logs in."""
    client = connect(make_factory(**TRUSTED))
    client.read()
    assert client.codes(HELLO, MAIL, b"RCPT TO:<x@outside.test>", b"RSET") == ["250", "250", "550", "250"]
    assert client.codes(PLAIN, PLAIN) == ["235", "503"]
    assert client.codes(MAIL, b"RCPT TO:<x@outside.test>", b"DATA") == ["250", "250", "354"]
    client.say(b".\r\n")
    assert book.taken[0][0] == "joe"
    assert (book.logins, book.logouts) == (["", "joe"], [""])
    client.transport.loseConnection()
    assert book.logouts == ["", "joe"]


def test_clear_text_login_is_refused_outside(connect, make_factory) -> None:
    """Without TLS a password is taken from trusted networks only (RFC 4954 section 6: 538)."""
    factory = make_factory(trusted_networks=("198.51.100.0/24",))
    client = connect(factory)
    assert not any("AUTH" in line for line in client.say(HELLO + b"\r\n"))
    assert client.say(PLAIN + b"\r\n") == ["538 5.7.11 Start TLS first"]
    near = connect(factory, "198.51.100.9")
    assert near.say(HELLO + b"\r\n")[-1] == "250 AUTH PLAIN LOGIN"
    assert near.codes(PLAIN) == ["235"]


def test_login_mechanism(connect, make_factory) -> None:
    """AUTH LOGIN asks twice; a star cancels."""
    client = connect(make_factory(**TRUSTED))
    client.codes(HELLO)
    assert client.codes(b"AUTH LOGIN", b64encode(b"joe"), b"*") == ["334", "334", "501"]
    assert client.codes(b"AUTH LOGIN", b64encode(b"joe"), b64encode(b"secret")) == ["334", "334", "235"]


def test_five_wrong_passwords(connect, make_factory, book) -> None:
    """The fifth failed login of a connection ends it, mechanisms' own faults among them."""
    client = connect(make_factory(**TRUSTED))
    client.codes(HELLO)
    wrong = b"AUTH PLAIN " + b64encode(b"\0joe\0wrong")
    assert client.codes(wrong, b"AUTH PLAIN !", wrong, b"AUTH BOGUS", wrong) == ["535", "501", "535", "504", "421"]
    assert client.gone
    assert book.logins == []


def test_throttled_login(connect, make_factory, portal) -> None:
    """What a checker says in our own words reaches the client with its code."""
    client = connect(make_factory(**TRUSTED))
    client.codes(HELLO)

    def throttled(*_: object) -> None:
        raise TooManyTries

    portal.login = throttled
    assert client.codes(PLAIN) == ["454"]


@implementer(IVerifierSource)
class OneVerifier:
    """Knows joe's password by its verifier."""

    async def verifier(self, name: str) -> str:
        return make_verifier("secret", b"salt" * 4, 4096)


@pytest.mark.parametrize(("password", "codes"), [("secret", ["334", "334", "235"]), ("wrong", ["334", "535"])])
def test_scram(connect, make_factory, portal, book, password: str, codes: list[str]) -> None:
    """SCRAM lets the right password in without the server seeing it, and no other."""
    portal.registerChecker(Believes())
    client = connect(make_factory(verifier=OneVerifier(), **TRUSTED))
    assert client.say(HELLO + b"\r\n")[-1] == "250 AUTH SCRAM-SHA-256 PLAIN LOGIN"
    scram = ScramClient("joe", password, "c" * 24)
    line = b"AUTH SCRAM-SHA-256 " + b64encode(scram.initial() or b"")
    got = []
    while True:
        (reply,) = client.say(line + b"\r\n")
        got.append(reply[:3])
        if reply[:3] != "334":
            break
        line = b64encode(scram.respond(b64decode(reply[4:])))
    assert got == codes
    assert book.logins == (["joe"] if password == "secret" else [])


def test_wrong_proofs_are_counted_where_passwords_are(connect, make_factory, portal) -> None:
    """A wrong SCRAM proof asks the portal with a random password and waits for its answer; that is never a yes."""
    asked: list[tuple[bytes, str]] = []
    waiting: Deferred[object] = Deferred()

    def slow(credentials: PasswordLogin, *_: object) -> Deferred[object]:
        asked.append((credentials.username, credentials.peer))
        assert len(credentials.password) > 20
        return waiting

    portal.login = slow
    client = connect(make_factory(verifier=OneVerifier(), **TRUSTED))
    client.codes(HELLO)
    scram = ScramClient("joe", "wrong", "c" * 24)
    (reply,) = client.say(b"AUTH SCRAM-SHA-256 " + b64encode(scram.initial() or b"") + b"\r\n")
    assert client.say(b64encode(scram.respond(b64decode(reply[4:]))) + b"\r\n") == []
    assert asked == [(b"joe", "192.0.2.7")]
    waiting.callback((ISubmitter, object(), lambda: None))
    assert [line[:3] for line in client.read()] == ["535"]


def test_anonymous_can_be_closed(connect, make_factory) -> None:
    """A submission server tells those who did not log in to do so."""
    client = connect(make_factory(anonymous=False))
    client.codes(HELLO)
    assert client.say(MAIL + b"\r\n") == ["530 5.7.0 Log in first"]


def test_device_identity(connect, make_factory, portal, book) -> None:
    """A scanner that cannot log in sends as the login that stands for its address."""
    checker = Believes()
    portal.registerChecker(checker)
    client = connect(make_factory(device=lambda host: "scanner" if host == "192.0.2.7" else ""))
    assert client.codes(HELLO, MAIL, b"RCPT TO:<x@outside.test>", b"RSET", MAIL)[2] == "250"
    assert book.logins == ["scanner"]
    assert checker.mechanisms == ["DEVICE"]


@implementer(IGate)
class Gate:
    """Says no at one place."""

    def __init__(self, place: str) -> None:
        self.place = place

    async def _no(self, place: str) -> None:
        if place == self.place:
            raise PolicyRefusal("Not through this gate", code=554, enhanced=(5, 7, 1))

    async def connect(self, session: object) -> None:
        await self._no("connect")

    async def sender(self, envelope: object, session: object, user: str) -> None:
        await self._no("sender")

    async def recipient(self, envelope: object, recipient: object, session: object, user: str) -> None:
        await self._no("recipient")

    async def data(self, envelope: object, session: object, user: str) -> None:
        await self._no("data")


@pytest.mark.parametrize(
    ("place", "codes"),
    [
        ("connect", []),
        ("sender", ["250", "554", "503", "503"]),
        ("recipient", ["250", "250", "554", "554"]),
        ("data", ["250", "250", "250", "554"]),
        ("", ["250", "250", "250", "354"]),
    ],
)
def test_gates(connect, make_factory, place: str, codes: list[str]) -> None:
    """Each gate can refuse at each place, before the avatar is asked."""
    client = connect(make_factory(gates=(Gate(""), Gate(place))))
    greeting = client.read()
    assert client.codes(HELLO, MAIL, RCPT, b"DATA") == codes
    assert greeting[0].startswith("554 5.7.1 " if place == "connect" else "220 ")


def test_talking_while_a_gate_thinks(connect, make_factory) -> None:
    """Whoever does not wait for a greeting that takes its time is no mail client."""
    thought: Deferred[None] = Deferred()

    class SlowGate(Gate):
        async def connect(self, session: object) -> None:
            await thought

    client = connect(make_factory(gates=(SlowGate(""),)))
    assert client.say(HELLO + b"\r\n") == []
    thought.callback(None)
    assert client.read() == ["554 5.5.0 You talked before you were greeted"]
    assert client.gone


def test_full_disk(connect, book) -> None:
    """A write that fails is said after the dot, once, and the octets are dropped at once."""
    client = connect()
    client.codes(HELLO, MAIL, RCPT, b"DATA")
    book.write_error = StorageFull()
    assert client.say(b"x\r\n" * 10, b"y\r\n" * 10) == []
    assert book.aborted == 1
    assert client.codes(b".", b"NOOP") == ["452", "250"]
    assert book.lights == [1, -1]


def test_foreign_error_has_a_log_id(connect, book, logged_failures) -> None:
    """What a realm raises by mistake is a 451 that names the log, and says nothing else."""
    client = connect()
    book.sender_error = ZeroDivisionError("secret detail")
    client.codes(HELLO)
    (reply,) = client.say(MAIL + b"\r\n")
    assert reply.startswith("451 4.3.0 ")
    assert "secret" not in reply
    assert len(logged_failures.flush(ZeroDivisionError)) == 1
    book.sender_error = None
    assert client.codes(MAIL) == ["250"]


def test_lost_in_mid_body(connect, book) -> None:
    """A client that leaves before the dot leaves nothing behind."""
    client = connect()
    client.codes(HELLO, MAIL, RCPT, b"DATA")
    client.say(b"half a mess")
    client.transport.loseConnection()
    assert (book.taken, book.aborted, book.lights, book.logouts) == ([], 1, [1, -1], [""])


def test_lost_while_being_stored(connect, book) -> None:
    """A client that leaves after the dot does not stop the message from being stored; then all is given back."""
    client = connect()
    client.codes(HELLO, MAIL, RCPT, b"DATA")
    book.hold = Deferred()
    client.say(b"x\r\n.\r\n")
    client.transport.loseConnection()
    assert book.logouts == []
    book.hold.callback(None)
    assert len(book.taken) == 1
    assert (book.aborted, book.lights, book.logouts) == (0, [1, -1], [""])


def test_reset_in_mid_chunks(connect, book) -> None:
    """RSET between two chunks drops what came."""
    client = connect()
    client.codes(HELLO, MAIL, RCPT)
    assert client.say(b"BDAT 3\r\nabc") == ["250 2.0.0 Chunk taken"]
    assert client.codes(b"RSET") == ["250"]
    assert (book.aborted, book.lights) == (1, [1, -1])


def test_login_survives_messages_not_starttls(make_factory: Callable[..., SMTPFactory], connect, book) -> None:
    """What was proven in the clear is forgotten inside TLS (RFC 3207 section 4.2)."""
    client = connect(make_factory(**TRUSTED))
    client.codes(HELLO, PLAIN, MAIL, b"RSET", MAIL, b"RSET")
    assert book.logins == ["joe"]
    client.protocol._session.engine.secured()
    assert client.codes(HELLO, MAIL, b"RCPT TO:<x@outside.test>") == ["250", "250", "550"]
    assert book.logins == ["joe", ""]


def test_trusted_networks(make_factory: Callable[..., SMTPFactory], clock: Clock) -> None:
    """IPv4, IPv6 and IPv4 inside IPv6 are compared as addresses; what is no address is trusted by nobody."""
    factory = make_factory(trusted_networks=("192.0.2.0/24", "2001:db8::/32"))
    assert factory.trusts("192.0.2.200")
    assert factory.trusts("::ffff:192.0.2.1")
    assert factory.trusts("2001:db8::1%eth0")
    assert not factory.trusts("192.0.3.1")
    assert not factory.trusts("")
