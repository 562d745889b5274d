"""An envelope whose commands came together is offered whole; on the wire nobody sees a difference."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope
from mailshare.core.errors import NoSuchUser, PolicyRefusal
from mailshare.wire.smtp_server import SMTPServerEngine
from mailshare.wire.smtp_server_events import (
    BodyBegun,
    BodyRead,
    EnvelopeOffered,
    MailOffered,
    RecipientOffered,
    SMTPSettings,
)

PIECES = (
    b"MAIL FROM:<a@b.test>\r\n", b"MAIL FROM:<> SIZE=9 BODY=8BITMIME\r\n", b"MAIL FROM:<bad@b.test>\r\n",
    b"MAIL FROM:<a@b.test> SIZE=99999999999\r\n", b"mail from:<a@b.test>\r\n", b"MAIL FROM: <a@b.test> \r\n",
    b"RCPT TO:<joe@test.local>\r\n", b"RCPT TO:<ann@test.local> NOTIFY=NEVER\r\n", b"RCPT TO:<no@test.local>\r\n",
    b"RCPT TO:<joe@test.local>\r\n", b"RCPT TO:<>\r\n", b"RCPT TO:<a\x01b@test.local>\r\n", b"RCPT TO:<joe>\n\r\n",
    b"DATA\r\n", b"DATA\r\n", b"DATA \r\n", b"data\r\n", b"Subject: x\r\n\r\nbody\r\n.\r\n", b".\r\n", b"RSET\r\n",
    b"BDAT 3 LAST\r\nabc", b"NOOP\r\n", b"EHLO again.test\r\n", b"QUIT\r\n",
    b"RCPT TO:<" + b"x" * 3_000 + b"@y.test>\r\n",
)  # fmt: skip


class Peer:
    """Answers the engine's questions by what the addresses say, and keeps what came of it."""

    def __init__(self, *, whole: bool, agrees: bool = True) -> None:
        self.engine = SMTPServerEngine(
            SMTPSettings("mail.test", max_recipients=3, unknown_recipients=2, whole_envelopes=whole),
            nonce=lambda: "n" * 24,
        )
        self.agrees = agrees
        self.seen: list[object] = []
        self.whole = 0
        self.engine.greet()

    def say(self, octets: bytes) -> bytes:
        """Feed, answer, and give the replies."""
        self.engine.feed(octets)
        while (event := self.engine.next_event()) is not None:
            if isinstance(event, EnvelopeOffered):
                self._offered(event.envelope)
            elif isinstance(event, BodyBegun):
                self._begun(event.envelope)
            elif isinstance(event, BodyRead):
                self.seen.append(event.data)
            elif isinstance(event, MailOffered) and _bad(event.envelope):
                self.engine.refuse(PolicyRefusal())
            elif isinstance(event, RecipientOffered) and _unknown(event.recipient.address):
                self.engine.refuse(NoSuchUser())
            if self.engine.waiting:
                self.engine.accept()
        return self.engine.take_output()

    def _offered(self, envelope: Envelope) -> None:
        if not self.agrees or _bad(envelope) or any(_unknown(one.address) for one in envelope.recipients):
            self.engine.one_by_one()
            return
        self.whole += 1
        self._begun(envelope)

    def _begun(self, envelope: Envelope) -> None:
        self.seen.append((envelope.sender, envelope.recipients, envelope.size, envelope.body))
        self.engine.accept()


def _bad(envelope: Envelope) -> bool:
    return envelope.sender is not None and envelope.sender.local == "bad"


def _unknown(address: Address) -> bool:
    return address.local == "no"


@settings(max_examples=400, database=None, derandomize=True, deadline=None)
@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=6).map(b"".join), max_size=8), st.booleans())
def test_nobody_sees_a_difference(chunks: list[bytes], agrees: bool) -> None:
    """Whatever comes in whichever pieces: the same replies, envelopes, octets and faults."""
    one, other = Peer(whole=True, agrees=agrees), Peer(whole=False)
    for chunk in (b"EHLO client.test\r\n", *chunks):
        assert one.say(chunk) == other.say(chunk)
        assert one.engine.receiving == other.engine.receiving
    assert one.seen == other.seen
    assert (one.engine.errors, one.engine.closing) == (other.engine.errors, other.engine.closing)


def test_the_usual_one_is_one_question() -> None:
    """Each time, not the first alone; not before EHLO, and not after commands came singly until the message is over."""
    usual = PIECES[0] + PIECES[6] + PIECES[7] + b"DATA\r\n"
    peer = Peer(whole=True)
    assert peer.say(usual).startswith(b"220 mail.test ESMTP ready\r\n503 5.5.1 Say EHLO first")
    peer.say(b"EHLO client.test\r\n")
    for number in range(1, 4):
        assert peer.say(usual).count(b"\r\n") == 4
        assert peer.say(b"x: y\r\n\r\nz\r\n.\r\n").startswith(b"250 ")
        assert peer.whole == number
    peer.say(PIECES[0])
    peer.say(PIECES[6] + b"DATA\r\n")
    assert peer.whole == 3
    peer.say(b".\r\n")
    peer.say(usual)
    assert peer.whole == 4


def test_a_refusal_of_the_whole_is_told_to_the_commands() -> None:
    """A session that raises instead of answering is asked once more for each."""
    peer = Peer(whole=True)
    peer.say(b"EHLO client.test\r\n")
    peer.engine.feed(PIECES[0] + PIECES[6] + b"DATA\r\n")
    assert isinstance(peer.engine.next_event(), EnvelopeOffered)
    peer.engine.refuse(PolicyRefusal())
    assert peer.engine.take_output() == b""
    assert isinstance(peer.engine.next_event(), MailOffered)
