"""What comes in one piece is read in one go; wherever it is cut, nobody sees a difference."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailshare.core.errors import LoginRefused, PolicyRefusal
from mailshare.wire.sasl.scram import make_verifier
from mailshare.wire.smtp_server import SMTPServerEngine
from mailshare.wire.smtp_server_body import DataReader, whole_message
from mailshare.wire.smtp_server_events import (
    BodyDropped,
    BodyEnded,
    BodyRead,
    EnvelopeOffered,
    LoginProven,
    MailOffered,
    MessageRead,
    PasswordOffered,
    ProofRejected,
    SMTPSettings,
    VerifierWanted,
)

OPENING = b"MAIL FROM:<a@b.test>\r\nRCPT TO:<joe@test.local>\r\nDATA\r\n"
END = b"\r\n.\r\n"
HEADER = b"Subject: x\r\n\r\n"
BODIES = (
    b"", b"x", HEADER + b"plain", HEADER + b"..a\r\n...b\r\n.c\r\n..", b"..first", b".first\r\nsecond", b".", b"..",
    b"\r\n\r\nno header", b"\r\n", HEADER + b"bare\nLF", HEADER + b"bare\rCR", HEADER + b"x\n.\nMAIL FROM:<evil@x>",
    HEADER + b"x\r\n.\rNOOP", HEADER + b"\0", HEADER + b"x\r\n.\nNOOP", HEADER + b"y" * 41, HEADER + b"y" * 39,
    HEADER + b"x\r", b"x\n", b"Received: a\r\nreceived: b", b"Received: a\r\nRECEIVED: b\r\nreceived: c\r\n\r\nx",
    b"a: b\r\n\r\n" + b"Received: x\r\n" * 5, HEADER + b"z\r\n" * 70, HEADER + b"\r\n" * 3, b"no\r\nheader end",
    b"\xff\x80",
)  # fmt: skip
BEHIND = (b"", b"NOOP\r\n", OPENING, OPENING + b"Subject: y" + END, b"QUIT\r\n", b"NO", b"\r\n.\r\n")


class Peer:
    """Says yes to all; keeps the messages, the replies, and how many messages came whole."""

    def __init__(self, *, at_one_go: bool = True, agrees: bool = True) -> None:
        self.engine = SMTPServerEngine(
            SMTPSettings(
                "m.test", max_body_line=42, max_size=200, max_hops=2, whole_envelopes=True, clear_auth=True,
                mechanisms=("SCRAM-SHA-256", "PLAIN", "LOGIN"),
            ),
            nonce=lambda: "fyko+d2lbbFgONRv9qkxdawL",
        )  # fmt: skip
        self.take = self.engine.receive if at_one_go else self._one_by_one
        self.agrees = agrees
        self.messages: list[bytes] = []
        self.whole = 0
        self.replies = b""
        self._body = b""
        self.engine.greet()
        self.say(b"EHLO client.test\r\n")

    def _one_by_one(self, data: bytes) -> object | None:
        self.engine.feed(data)
        return self.engine.next_event()

    def say(self, data: bytes) -> None:
        """As a connection does it."""
        event = self.take(data)
        while event is not None:
            self._answer(event)
            event = None if self.engine.spent else self.engine.next_event()
        self.replies += self.engine.take_output()

    def _answer(self, event: object) -> None:
        if isinstance(event, VerifierWanted):
            self.engine.verifier(make_verifier("secret", b"0123456789abcdef", 4096))
        elif isinstance(event, (LoginProven, PasswordOffered, ProofRejected)) and not self.agrees:
            self.engine.refuse(LoginRefused())
        elif isinstance(event, EnvelopeOffered) and not self.agrees:
            self.engine.one_by_one()
        elif isinstance(event, BodyRead):
            self._body += event.data
        elif isinstance(event, BodyDropped):
            self._body = b""
        elif isinstance(event, (MessageRead, BodyEnded)):
            self.whole += isinstance(event, MessageRead)
            self.messages.append(self._body if isinstance(event, BodyEnded) else event.data)
            self._body = b""
        if self.engine.waiting:
            self.engine.accept()

    @property
    def outcome(self) -> tuple[object, ...]:
        """What everybody sees."""
        return self.replies, self.messages, self.engine.errors, self.engine.closing, self.engine.receiving


def said(*pieces: bytes, at_one_go: bool = True) -> Peer:
    """A peer to whom that was said."""
    peer = Peer(at_one_go=at_one_go)
    for piece in pieces:
        if not peer.engine.closing:
            peer.say(piece)
    return peer


@pytest.mark.parametrize("number", range(len(BODIES)))
def test_wherever_it_is_cut(number: int) -> None:
    """Whole, in two at every place, octet by octet; with all kinds of octets behind the end."""
    for behind in BEHIND:
        flight = BODIES[number] + END + behind
        singly = said(OPENING, *(flight[at : at + 1] for at in range(len(flight))), at_one_go=False)
        octets = said(OPENING, *(flight[at : at + 1] for at in range(len(flight))))
        assert octets.outcome == singly.outcome
        for cut in range(len(flight) + 1):
            pieces = [piece for piece in (flight[:cut], flight[cut:]) if piece]
            told, fed = said(OPENING, *pieces), said(OPENING, *pieces, at_one_go=False)
            assert told.outcome == fed.outcome
            assert behind or told.messages == singly.messages


def test_what_is_in_order_is_one_event() -> None:
    """A message that came whole; one that has a fault, or something behind it, is read as it always was."""
    assert [number for number, body in enumerate(BODIES) if said(OPENING, body + END).whole] == [
        0, 1, 2, 3, 8, 9, 20, 24, 25, 26,
    ]  # fmt: skip
    assert not any(said(OPENING, body + END + b"NOOP\r\n").whole for body in BODIES)


def test_refused_after_it_came_whole() -> None:
    """The session goes on with the next one."""
    peer = said(OPENING)
    assert isinstance(peer.engine.receive(HEADER + b"x" + END), MessageRead)
    peer.engine.refuse(PolicyRefusal("No"))
    peer.say(b"")
    assert peer.replies.endswith(b"550 5.7.1 No\r\n")
    assert not peer.engine.receiving
    peer.say(OPENING)
    peer.say(HEADER + b"y" + END)
    assert peer.messages == [HEADER + b"y\r\n"]


PIECES = (
    OPENING, b"MAIL FROM:<a@b.test>\r\n", b"RCPT TO:<joe@test.local>\r\n", b"DATA\r\n", HEADER + b"x" + END, b".\r\n",
    b"BDAT 3 LAST\r\nabc", b"BDAT 3\r\nabc", b"BDAT 9\r\nab", b"cdefghi", b"RSET\r\n", b"NOOP\r\n", b"EHLO again\r\n",
    b"HELO again\r\n", b"x" * 2_050, b"\r\n", b"\n", b"\r", b"QUIT\r\n", b"*\r\n", b"AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n",
    b"AUTH LOGIN\r\n", b"am9l\r\n", b"AUTH PLAIN\r\n", b"AGpvZQBzZWNyZXQ=\r\n",
    b"AUTH SCRAM-SHA-256 biwsbj1qb2Uscj1hYmNkZWZnaGlqa2xtbm9w\r\n",
)  # fmt: skip


@settings(max_examples=500, database=None, derandomize=True, deadline=None)
@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=5).map(b"".join), max_size=9), st.booleans())
def test_any_dialogue(chunks: list[bytes], agrees: bool) -> None:
    """Whatever comes in whichever pieces, in any state of the session."""
    one, other = Peer(agrees=agrees), Peer(at_one_go=False, agrees=agrees)
    for chunk in chunks:
        one.say(chunk)
        other.say(chunk)
        assert one.outcome == other.outcome


def test_an_envelope_is_given_back_where_it_is_not_agreed_to() -> None:
    """Its commands are then offered one by one, with those before them answered already."""
    peer = Peer(agrees=False)
    assert isinstance(peer.engine.receive(OPENING), EnvelopeOffered)
    assert peer.engine.spent
    peer.engine.one_by_one()
    assert isinstance(peer.engine.next_event(), MailOffered)


def test_the_word_for_the_received_field_follows_the_envelope() -> None:
    """A session that is asked for a whole envelope writes the same word as for one that came singly."""
    for octets in (OPENING, OPENING.replace(b">\r\nRCPT", b"> SMTPUTF8\r\nRCPT")):
        one, other = Peer(), Peer(agrees=False)
        assert isinstance(one.engine.receive(octets), EnvelopeOffered)
        other.say(octets)
        assert one.engine.protocol == other.engine.protocol == ("UTF8SMTP" if b"UTF8" in octets else "ESMTP")


@pytest.mark.parametrize("dots", [0, 50, 99, 100, 101, 5000])
@pytest.mark.parametrize("line", [b"a.b.c", b"..", b"..two", b"a\r\n...", b"bare\n.", b"bare\r."], ids=repr)
def test_however_many_dots_there_are(dots: int, line: bytes) -> None:
    """The whole message is what its reader gives octet by octet, whichever way its dots are looked for."""
    rules = SMTPSettings("m.test")
    data = HEADER + b"x.y\r\n" * dots + (line + b"\r\n") * 3 + b".\r\n"
    reader = DataReader(rules)
    message = b"".join(reader.read(data[at : at + 1])[0] for at in range(len(data)))
    assert reader.done
    assert whole_message(data, rules) == (None if reader.judge.fault else message)
    assert whole_message(data + b"..\r\n.\r\n", rules) is None
