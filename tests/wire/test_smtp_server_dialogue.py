"""SMTP engine: commands, their order, their parameters, and the replies to each."""

from __future__ import annotations

import pytest

from mailshare.core.errors import NoSuchUser, PolicyRefusal
from mailshare.wire.replies import START_TLS
from mailshare.wire.smtp_server import SMTPServerEngine
from mailshare.wire.smtp_server_events import (
    BodyBegun,
    BodyDropped,
    BodyEnded,
    BodyRead,
    MailOffered,
    RecipientOffered,
    SMTPSettings,
)

HELLO = b"EHLO client.test"
MAIL = b"MAIL FROM:<a@b.test>"
RCPT = b"RCPT TO:<joe@test.local>"


class Peer:
    """Feeds an engine and answers yes to whatever it asks; keeps what it was told."""

    def __init__(self, **settings: object) -> None:
        self.engine = SMTPServerEngine(SMTPSettings("mail.test", **settings), nonce=lambda: "n" * 24)
        self.events: list[object] = []
        self.body = b""
        self.refuse_recipients = False
        self.engine.greet()
        self.out()

    def out(self) -> list[str]:
        return self.engine.take_output().decode().splitlines()

    def pump(self) -> None:
        while (event := self.engine.next_event()) is not None:
            self.events.append(event)
            if isinstance(event, BodyRead):
                self.body += event.data
            if self.engine.waiting:
                if isinstance(event, RecipientOffered) and self.refuse_recipients:
                    self.engine.refuse(NoSuchUser())
                else:
                    self.engine.accept()

    def say(self, *octets: bytes) -> list[str]:
        for some in octets:
            self.engine.feed(some)
            self.pump()
        return self.out()

    def lines(self, *lines: bytes) -> list[str]:
        return self.say(*(line + b"\r\n" for line in lines))

    def codes(self, *lines: bytes) -> list[str]:
        return [line[:3] for line in self.lines(*lines) if line[3:4] == " "]


def greeted(**settings: object) -> Peer:
    peer = Peer(**settings)
    peer.lines(HELLO)
    return peer


def test_greeting_and_extensions() -> None:
    """EHLO names what is offered and nothing else; STARTTLS and AUTH only when they can be had."""
    assert Peer().lines(HELLO) == [
        "250-mail.test", "250-PIPELINING", "250-SIZE 50000000", "250-8BITMIME", "250-SMTPUTF8",
        "250-ENHANCEDSTATUSCODES", "250-DSN", "250-CHUNKING", "250 LIMITS RCPTMAX=200",
    ]  # fmt: skip
    lines = Peer(tls=True, mechanisms=("PLAIN",)).lines(HELLO)
    assert lines[-1] == "250 STARTTLS"
    assert Peer(mechanisms=("PLAIN", "LOGIN"), clear_auth=True).lines(HELLO)[-1] == "250 AUTH PLAIN LOGIN"


@pytest.mark.parametrize(
    ("before", "line", "code"),
    [
        ((), MAIL, "503"),
        ((), b"RSET", "250"),
        ((), b"NOOP", "250"),
        ((), b"QUIT", "221"),
        ((), b"EHLO", "501"),
        ((), b"HELO", "501"),
        ((), b"EHLO a b", "501"),
        ((), b"EHLO \xff", "501"),
        ((), b"HELO client.test", "250"),
        ((HELLO,), RCPT, "503"),
        ((HELLO,), b"DATA", "503"),
        ((HELLO, MAIL), b"DATA", "554"),
        ((HELLO, MAIL), MAIL, "503"),
        ((HELLO, MAIL, RCPT, b"RSET"), RCPT, "503"),
        ((HELLO, MAIL, RCPT, HELLO), RCPT, "503"),
        ((HELLO, MAIL, RCPT), b"DATA now", "501"),
        ((HELLO, MAIL, RCPT), b"DATA", "354"),
        ((HELLO,), b"nOoP words", "250"),
        ((HELLO,), b"NOOP  ", "250"),
        ((HELLO,), b"RSET now", "501"),
        ((HELLO,), b"QUIT now", "501"),
        ((HELLO,), b"VRFY joe", "252"),
        ((HELLO,), b"VRFY", "501"),
        ((HELLO,), b"EXPN staff", "502"),
        ((HELLO,), b"HELP", "214"),
        ((HELLO,), b"TURN", "500"),
        ((HELLO,), b"", "500"),
        ((HELLO,), b"  NOOP", "500"),
        ((HELLO,), b"NOOP\nNOOP", "500"),
        ((HELLO,), b"NOOP\0", "500"),
        ((HELLO,), b"STARTTLS", "502"),
        ((HELLO,), b"AUTH PLAIN", "502"),
        ((HELLO,), b"GET / HTTP/1.1", "421"),
        ((HELLO,), b"NOOP " + b"x" * 2041, "250"),
        ((HELLO,), b"NOOP " + b"x" * 2042, "500"),
    ],
)
def test_order_and_arguments(before: tuple[bytes, ...], line: bytes, code: str) -> None:
    """Each command gets its code in each state (RFC 5321 sections 4.1.4 and 4.3.2)."""
    peer = Peer()
    peer.lines(*before)
    assert peer.codes(line) == [code]


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b"MAIL FROM:<>", "250 2.1.0"),
        (b"mail from: <a@b.test>", "250 2.1.0"),
        (b'MAIL FROM:<"a b>c"@b.test> SIZE=5', "250 2.1.0"),
        (b"MAIL FROM:<a@[192.0.2.1]> BODY=8bitmime RET=HDRS ENVID=a+2Bb", "250 2.1.0"),
        ("MAIL FROM:<jörg@b.test> SMTPUTF8".encode(), "250 2.1.0"),
        ("MAIL FROM:<jörg@b.test>".encode(), "553 5.6.7"),
        (b"MAIL FROM:<\xff@b.test> SMTPUTF8", "501 5.1.3"),
        (b"MAIL", "501 5.5.4"),
        (b"MAIL FROM:", "501 5.1.3"),
        (b"MAIL FROM:a@b.test", "501 5.1.3"),
        (b"MAIL FROM:<a@b.test", "501 5.1.3"),
        (b"MAIL FROM:<<a@b.test>>", "501 5.1.3"),
        (b"MAIL FROM:<a@b.test>SIZE=1", "501 5.1.3"),
        (b"MAIL FROM:<a@b@c.test>", "501 5.1.3"),
        (b"MAIL FROM:<@x.test:a@b.test>", "553 5.1.3"),
        (b"MAIL FROM <a@b.test>", "501 5.5.4"),
        (b"MAIL TO:<a@b.test>", "501 5.5.4"),
        (MAIL + b" SIZE=", "501 5.5.4"),
        (MAIL + b" SIZE=-1", "501 5.5.4"),
        (MAIL + b" SIZE=0x10", "501 5.5.4"),
        (MAIL + b" SIZE=1 SIZE=2", "501 5.5.4"),
        (MAIL + b" SIZE=50000001", "552 5.3.4"),
        (MAIL + b" BODY=FOO", "501 5.5.4"),
        (MAIL + b" BODY=BINARYMIME", "501 5.5.4"),
        (MAIL + b" SMTPUTF8=1", "501 5.5.4"),
        (MAIL + b" RET=SOME", "501 5.5.4"),
        (MAIL + b" ENVID=a+2", "501 5.5.4"),
        (MAIL + b" ENVID=a+0D+0Ab", "501 5.5.4"),
        (MAIL + b" AUTH=<>", "555 5.5.4"),
        (MAIL + b" FOO=BAR", "555 5.5.4"),
        (MAIL + b" =", "501 5.5.4"),
    ],
)
def test_mail_from(line: bytes, reply: str) -> None:
    """Paths and parameters are read strictly, each fault has its code."""
    assert greeted().lines(line)[0].startswith(reply + " ")


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b"RCPT TO:<postmaster>", "250 2.1.5"),
        (RCPT + b" NOTIFY=SUCCESS,DELAY ORCPT=rfc822;joe+40x", "250 2.1.5"),
        (RCPT + b" NOTIFY=NEVER", "250 2.1.5"),
        (RCPT + b" NOTIFY=NEVER,DELAY", "501 5.5.4"),
        (RCPT + b" NOTIFY=BOGUS", "501 5.5.4"),
        (RCPT + b" NOTIFY=DELAY,DELAY", "501 5.5.4"),
        (RCPT + b" ORCPT=joe", "501 5.5.4"),
        (RCPT + b" ORCPT=utf-8;j\\x{F6}rg", "250 2.1.5"),
        (RCPT + b" SIZE=1", "555 5.5.4"),
        (b"RCPT TO:<>", "501 5.1.3"),
        (b"RCPT TO:<a\x07b@test.local>", "500 5.5.2"),
    ],
)
def test_rcpt_to(line: bytes, reply: str) -> None:
    """The recipient's path and its DSN parameters (RFC 3461)."""
    peer = greeted()
    peer.lines(MAIL)
    assert peer.lines(line)[0].startswith(reply + " ")


def test_envelope_as_the_avatar_sees_it() -> None:
    """Everything that MAIL and RCPT said is in the envelope, decoded; a recipient named twice is there once."""
    peer = greeted(mechanisms=("PLAIN",), clear_auth=True)
    peer.lines(MAIL + b" SIZE=99 BODY=8BITMIME RET=FULL ENVID=QQ+2B1 AUTH=<>")
    peer.lines(RCPT + b" NOTIFY=FAILURE ORCPT=rfc822;Joe+40x", RCPT, b"RCPT TO:<Greg@test.local>", b"DATA")
    begun = next(event for event in peer.events if isinstance(event, BodyBegun)).envelope
    assert (str(begun.sender), begun.size, begun.body, begun.ret, begun.envid) == (
        "a@b.test", 99, "8BITMIME", "FULL", "QQ+1",
    )  # fmt: skip
    assert [str(each.address) for each in begun.recipients] == ["joe@test.local", "Greg@test.local"]
    assert begun.recipients[0].notify == {"FAILURE"}
    assert begun.recipients[0].orcpt == "rfc822;Joe@x"


def test_no_parameters_after_helo() -> None:
    """HELO means that no extension is in use (RFC 5321 section 2.2.1)."""
    peer = Peer()
    peer.lines(b"HELO client.test")
    assert peer.codes(MAIL + b" SIZE=1", MAIL, RCPT + b" NOTIFY=NEVER") == ["555", "250", "555"]
    assert peer.engine.protocol == "SMTP"


def test_replies_wait_for_their_turn() -> None:
    """While a question is open nothing behind it is parsed, so no reply overtakes another (RFC 2920)."""
    peer = greeted()
    engine = peer.engine
    engine.feed(MAIL + b"\r\n" + RCPT + b"\r\nNOOP\r\n")
    assert isinstance(engine.next_event(), MailOffered)
    for _ in range(3):
        assert engine.next_event() is None
        assert engine.take_output() == b""
    engine.accept()
    assert isinstance(engine.next_event(), RecipientOffered)
    assert engine.next_event() is None
    engine.refuse(PolicyRefusal("No relaying"))
    peer.pump()
    assert [line[:9] for line in peer.out()] == ["250 2.1.0", "550 5.7.1", "250 2.0.0"]


def test_whole_dialogue_at_every_cut() -> None:
    """One session, each of its flights cut at every place, gives the same replies and the same message."""
    flights = [
        HELLO + b"\r\n",
        MAIL + b"\r\n" + RCPT + b"\r\nRCPT TO:<>\r\nDATA\r\n",
        b"Subject: x\r\n\r\n..dot\r\nend\r\n.\r\nNOOP\r\n",
        MAIL + b"\r\nRSET\r\nQUIT\r\n",
    ]
    whole = Peer()
    want = [whole.say(flight) for flight in flights]
    assert [line[:3] for line in want[1]] == ["250", "250", "501", "354"]
    assert whole.body == b"Subject: x\r\n\r\n.dot\r\nend\r\n"
    for number, flight in enumerate(flights):
        for at in range(1, len(flight)):
            peer = Peer()
            got = [peer.say(*((one[:at], one[at:]) if n == number else (one,))) for n, one in enumerate(flights)]
            assert (got, peer.body) == (want, whole.body)
    dripped = Peer()
    assert [dripped.say(*(bytes([octet]) for octet in flight)) for flight in flights] == want
    assert dripped.body == whole.body


def test_talking_before_the_greeting() -> None:
    """A client that does not wait for the greeting is turned away (RFC 5321 section 4.3.1)."""
    engine = SMTPServerEngine(SMTPSettings("mail.test"), nonce=str)
    engine.feed(HELLO + b"\r\n")
    assert engine.next_event() is None
    engine.greet()
    assert engine.take_output().startswith(b"554 5.5.0 ")
    assert engine.closing


@pytest.mark.parametrize("line", [HELLO, b"HELO client.test", b"STARTTLS", b"DATA"])
def test_octets_behind_a_turn(line: bytes) -> None:
    """Commands that change who speaks must be the last of their flight (RFC 2920 section 3.1)."""
    peer = greeted(tls=True)
    peer.lines(MAIL, RCPT)
    assert peer.say(line + b"\r\nNOOP\r\n")[0].startswith("554 5.5.0")
    assert peer.engine.closing


def test_starttls_forgets_everything() -> None:
    """Nothing said in the clear is true inside TLS (RFC 3207 section 4.2)."""
    peer = greeted(tls=True, mechanisms=("PLAIN",))
    peer.lines(MAIL, RCPT)
    assert peer.codes(b"AUTH PLAIN AGpvZQBzZWNyZXQ=") == ["503"]
    assert peer.codes(b"RSET", b"AUTH PLAIN AGpvZQBzZWNyZXQ=", b"STARTTLS now") == ["250", "538", "501"]
    assert peer.codes(b"STARTTLS") == ["220"]
    assert peer.events[-1] is START_TLS
    peer.engine.secured()
    assert peer.codes(RCPT, MAIL) == ["503", "503"]
    assert peer.lines(HELLO)[-1] == "250 AUTH PLAIN"
    assert peer.codes(b"STARTTLS") == ["503"]
    assert peer.engine.protocol == "ESMTPS"


def test_recipient_limits() -> None:
    """Past the limit 452; after many wrong recipients the rest are not even looked up, and count as faults."""
    peer = greeted(max_recipients=100)
    peer.lines(MAIL)
    codes = peer.codes(*(b"RCPT TO:<r%d@test.local>" % number for number in range(101)))
    assert codes == ["250"] * 100 + ["452"]
    peer = greeted(max_recipients=100)
    assert peer.codes(MAIL, *[RCPT] * 101)[-2:] == ["250", "452"]
    peer = greeted()
    peer.refuse_recipients = True
    peer.lines(MAIL)
    codes = peer.codes(*(b"RCPT TO:<r%d@test.local>" % number for number in range(22)))
    assert codes == ["550"] * 20 + ["450"] * 2
    assert peer.engine.errors == 2


def test_commands_that_bring_nothing_are_mistakes_after_a_while() -> None:
    """They are counted from one message to the next; EHLO is the first of them."""
    peer = greeted(idle_commands=3)
    peer.lines(b"NOOP", b"RSET")
    assert peer.engine.errors == 0
    peer.lines(b"NOOP", b"HELP")
    assert peer.engine.errors == 2
    peer.lines(MAIL, RCPT, b"DATA", b"Subject: x", b"", b"x", b".")
    peer.lines(b"NOOP", b"RSET", b"VRFY x")
    assert peer.engine.errors == 2


def test_overlong_command_closes() -> None:
    """A command without end is answered once, not kept, and ends the connection."""
    peer = greeted()
    replies = []
    for _ in range(100):
        replies += peer.say(b"A" * 10_000)
    assert [line[:9] for line in replies] == ["500 5.5.2"]
    assert peer.engine.closing


def test_no_text_can_forge_a_reply() -> None:
    """A refusal's words cannot hold a second reply."""
    peer = greeted()
    peer.engine.feed(MAIL + b"\r\n")
    peer.engine.next_event()
    peer.engine.refuse(PolicyRefusal("no\r\n250 yes\x1b" + "x" * 2000))
    out = peer.engine.take_output()
    assert out.count(b"\r\n") == 1
    assert len(out) <= 512


def test_body_end_is_asked_once() -> None:
    """The dot asks for the message's fate, and the transaction is over with the answer."""
    peer = greeted()
    peer.lines(MAIL, RCPT, b"DATA")
    assert peer.say(b"x: y\r\n\r\nz\r\n.\r\n") == ["250 2.0.0 Message taken"]
    assert sum(isinstance(event, BodyEnded) for event in peer.events) == 1
    assert not any(isinstance(event, BodyDropped) for event in peer.events)
    assert peer.codes(RCPT) == ["503"]
