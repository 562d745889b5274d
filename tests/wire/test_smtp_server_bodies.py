"""SMTP engine: what DATA and BDAT bring, how it is judged, and that a fault never turns body into commands."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailshare.core.errors import StorageFull, Unavailable
from mailshare.wire.smtp_server import SMTPServerEngine
from mailshare.wire.smtp_server_events import BodyBegun, BodyDropped, BodyEnded, BodyRead, SMTPSettings

OPENING = (b"EHLO client.test\r\n", b"MAIL FROM:<a@b.test>\r\nRCPT TO:<joe@test.local>\r\n")
EVIL = b"MAIL FROM:<evil@x>\r\n"


class Intake:
    """An engine with a transaction open; keeps the message, says yes to everything."""

    def __init__(self, **options: object) -> None:
        self.engine = SMTPServerEngine(SMTPSettings("mail.test", **options), nonce=str)
        self.engine.greet()
        self.events: list[object] = []
        self.body = b""
        self.full_after = -1
        self.refuse_begin = False
        self.say(*OPENING)

    def pump(self) -> None:
        while (event := self.engine.next_event()) is not None:
            self.events.append(event)
            if isinstance(event, BodyRead):
                self.body += event.data
                if 0 <= self.full_after < len(self.body):
                    self.engine.fail_body(StorageFull())
            if self.engine.waiting:
                if isinstance(event, BodyBegun) and self.refuse_begin:
                    self.engine.refuse(Unavailable())
                else:
                    self.engine.accept()

    def say(self, *octets: bytes) -> list[str]:
        for some in octets:
            self.engine.feed(some)
            self.pump()
        return [line[:10].rstrip() for line in self.engine.take_output().decode().splitlines()]

    def count(self, kind: type) -> int:
        return sum(isinstance(event, kind) for event in self.events)


def data(body: bytes, step: int = 65536, **options: object) -> tuple[Intake, list[str]]:
    """Send a body by DATA in pieces of ``step``, then NOOP."""
    intake = Intake(**options)
    assert intake.say(b"DATA\r\n") == ["354 End th"]
    flight = body + b"\r\n.\r\nNOOP\r\n"
    return intake, intake.say(*(flight[at : at + step] for at in range(0, len(flight), step)))


FAULTS = [
    (b"a: b\r\n\r\nx\n.\n" + EVIL, "550 5.6.11"),
    (b"a: b\r\n\r\nx\r.\r" + EVIL, "550 5.6.11"),
    (b"a: b\r\n\r\nx\n.\r\n" + EVIL, "550 5.6.11"),
    (b"a: b\r\n\r\nx\r\n.\n" + EVIL, "550 5.6.11"),
    (b"a: b\r\n\r\nx\r\r\n.\r\r\n" + EVIL, "550 5.6.11"),
    (b"a: b\r\n\r\nx\0y\r\n" + EVIL, "550 5.6.0"),
    (b"a: b\r\n\r\n" + b"y" * 65537 + b"\r\n" + EVIL, "554 5.6.0"),
    (b"a: b\r\n\r\n" + b"z\r\n" * 400_00 + EVIL, "552 5.3.4"),
    (b"ReCeived: x\r\n" * 31 + b"\r\n" + EVIL, "554 5.4.6"),
]


@pytest.mark.parametrize(("body", "reply"), FAULTS, ids=[str(number) for number in range(len(FAULTS))])
@pytest.mark.parametrize("step", [65536, 1000, 7])
def test_faulty_body_is_eaten_then_refused_once(body: bytes, reply: str, step: int) -> None:
    """One reply after the true end, nothing of the body run as a command, the session goes on."""
    intake, replies = data(body, step, max_size=100_000)
    assert [line.strip() for line in replies] == [reply, "250 2.0.0"]
    assert intake.count(BodyDropped) == 1
    assert intake.count(BodyEnded) == 0
    assert not intake.engine.receiving
    assert intake.engine.errors == 1


@pytest.mark.parametrize(
    "body",
    [
        b"Received: x\r\n" * 30 + b"\r\nReceived: in the body\r\n" * 50,
        b"a: b\r\n\r\n" + b"y" * 65534 + b"\r\nend",
        b"\r\n\r\n\r\n",
        b"no header at all \xff\xfe",
    ],
    ids=["hops", "longest line", "blank", "octets"],
)
@pytest.mark.parametrize("step", [65536, 1000, 7])
def test_good_bodies_pass(body: bytes, step: int) -> None:
    """What is at a limit, and what is merely odd, is taken octet for octet."""
    intake, replies = data(body, step)
    assert [line.strip() for line in replies] == ["250 2.0.0", "250 2.0.0"]
    assert intake.body == body + b"\r\n"


def test_empty_message() -> None:
    """A dot at once ends a message of no octets."""
    intake = Intake()
    intake.say(b"DATA\r\n")
    assert intake.say(b".\r\n") == ["250 2.0.0"]
    assert intake.count(BodyEnded) == 1


def test_full_disk_in_mid_body() -> None:
    """When octets cannot be kept the rest is eaten and the reply is the store's own."""
    intake = Intake()
    intake.full_after = 10
    intake.say(b"DATA\r\n")
    assert intake.say(b"x" * 20, b"y" * 20 + b"\r\n", EVIL, b".\r\n", b"NOOP\r\n") == ["452 4.3.1", "250 2.0.0"]
    assert intake.body == b"x" * 20


def test_full_disk_at_the_last_octets() -> None:
    """The same when it is the very last piece that cannot be kept."""
    intake = Intake()
    intake.full_after = 0
    intake.say(b"DATA\r\n")
    assert intake.say(b"x\r\n.\r\n") == ["452 4.3.1"]
    assert intake.count(BodyEnded) == 0


def test_refused_data_leaves_command_state() -> None:
    """When no place can be had for the message there is no 354."""
    intake = Intake()
    intake.refuse_begin = True
    assert intake.say(b"DATA\r\n", b"NOOP\r\n") == ["451 4.3.0", "250 2.0.0"]


def test_chunks_make_one_message() -> None:
    """BDAT octets are taken as they are, a dot line among them too, and each chunk has its reply (RFC 3030)."""
    stream = b"BDAT 5\r\na: b\r" b"BDAT 0\r\n" b"BDAT 13 last\r\n\n\r\n.\r\nQUIT\r\n!" b"NOOP\r\n"
    for step in (1, 2, 5, 100):
        intake = Intake()
        got = intake.say(*(stream[at : at + step] for at in range(0, len(stream), step)))
        assert got == ["250 2.0.0"] * 4
        assert intake.body == b"a: b\r\n\r\n.\r\nQUIT\r\n!\r\n"
        assert (intake.count(BodyBegun), intake.count(BodyEnded), intake.count(BodyDropped)) == (1, 1, 0)


@pytest.mark.parametrize(
    ("stream", "replies"),
    [
        (b"BDAT\r\nNOOP\r\n", ["501 5.5.4", "250 2.0.0"]),
        (b"BDAT -1\r\nNOOP\r\n", ["501 5.5.4", "250 2.0.0"]),
        (b"BDAT 5 FIRST\r\nNOOP\r\n", ["501 5.5.4"]),
        (b"BDAT 0x10\r\nNOOP\r\n", ["501 5.5.4"]),
        (b"BDAT 99999999999999999999\r\nNOOP\r\n", ["552 5.3.4"]),
        (b"BDAT 5\r\nabc\r\nDATA\r\n", ["250 2.0.0", "503 5.5.1"]),
        (b"BDAT 5\r\nabc\r\n" + EVIL, ["250 2.0.0", "503 5.5.1"]),
        (b"BDAT 5\r\nabc\r\nRSET\r\nNOOP\r\n", ["250 2.0.0"] * 3),
        (b"RSET\r\nBDAT 6 LAST\r\nNOOP\r\nNOOP\r\n", ["250 2.0.0", "503 5.5.1", "250 2.0.0"]),
        (b"BDAT 3 LAST\r\na\nbNOOP\r\n", ["550 5.6.11", "250 2.0.0"]),
        (b"BDAT 2 LAST\r\na\rNOOP\r\n", ["550 5.6.11", "250 2.0.0"]),
        (b"BDAT 2\r\n\0\0BDAT 6 LAST\r\nRSET\r\nNOOP\r\n", ["550 5.6.0", "503 5.5.1", "250 2.0.0"]),
        (b"BDAT 0 LAST\r\nBDAT 0 LAST\r\n", ["250 2.0.0", "503 5.5.1"]),
    ],
)
def test_chunks_at_fault(stream: bytes, replies: list[str]) -> None:
    """A refused chunk is eaten by its count; where the count cannot be known the connection ends."""
    for step in (1, 3, 100):
        intake = Intake()
        got = intake.say(*(stream[at : at + step] for at in range(0, len(stream), step)))
        assert [line.strip() for line in got] == replies
        assert intake.engine.closing == (len(replies) == 1)


def test_chunk_without_a_transaction() -> None:
    """Its octets are skipped, not run (RFC 3030 section 2)."""
    engine = SMTPServerEngine(SMTPSettings("mail.test"), nonce=str)
    engine.greet()
    engine.feed(b"EHLO client.test\r\n")
    engine.next_event()
    engine.take_output()
    engine.feed(b"BDAT 6\r\nQUIT\r\nNOOP\r\n")
    while engine.next_event() is not None:
        pass
    assert [line[:9] for line in engine.take_output().decode().splitlines()] == ["503 5.5.1", "250 2.0.0"]


def test_refused_first_chunk_is_skipped() -> None:
    """When no place can be had for the message, the chunk is eaten before the refusal is said."""
    intake = Intake()
    intake.refuse_begin = True
    assert intake.say(b"BDAT 6 LAST\r\nQUIT", b"\r\nNOOP\r\n") == ["451 4.3.0", "250 2.0.0"]


def test_message_in_chunks_over_the_limit() -> None:
    """The running total counts, not what was declared."""
    intake = Intake(max_size=1000)
    got = intake.say(*[b"BDAT 400\r\n" + b"x" * 400] * 3)
    assert got == ["250 2.0.0", "250 2.0.0", "552 5.3.4"]


WORDS = st.sampled_from(
    [
        b"\r\n", b"\r", b"\n", b".", b"\r\n.\r\n", b" ", b"EHLO x", b"HELO x", b"MAIL FROM:<a@b>", b"RCPT TO:<c@d>",
        b"DATA\r\n", b"BDAT 3 LAST\r\n", b"BDAT 4\r\n", b"RSET\r\n", b"AUTH PLAIN", b"AUTH LOGIN\r\n", b"*\r\n",
        b"AUTH SCRAM-SHA-256 biwsbj11c2VyLHI9ck9wck5HZndFYmVSV2diTkVrcU8=\r\n", b"STARTTLS\r\n", b"\0", b"\xff", b"=",
        b"SIZE=", b"<", b">", b'"', b"QUIT\r\n", b"x" * 3000,
    ]
)  # fmt: skip


@settings(max_examples=300)
@given(st.lists(st.one_of(WORDS, st.binary(max_size=8)), max_size=40), st.integers(1, 50))
def test_no_input_breaks_the_engine(words: list[bytes], step: int) -> None:
    """Whatever comes, nothing raises, replies are lines of their form, and cutting it elsewhere changes no state."""
    stream = b"EHLO c.test\r\n" + b"".join(words)
    engine = SMTPServerEngine(
        SMTPSettings("mail.test", tls=True, mechanisms=("SCRAM-SHA-256", "PLAIN", "LOGIN"), clear_auth=True),
        nonce=lambda: "bm9uY2Vub25jZW5vbmNlbm9uY2U=",
    )
    engine.greet()
    out = b""
    for at in range(0, len(stream), step):
        engine.feed(stream[at : at + step])
        rounds = 0
        while (event := engine.next_event()) is not None:
            rounds += 1
            assert rounds < 200
            if engine.waiting:
                if type(event).__name__ == "VerifierWanted":
                    engine.verifier("nonsense")
                else:
                    engine.accept()
        out += engine.take_output()
    for line in out.split(b"\r\n")[:-1]:
        assert line[:3].isdigit()
        assert line[3:4] in (b" ", b"-")
        assert line.isascii()


def test_a_large_message_is_not_kept() -> None:
    """Octets go through in pieces no larger than they came, and nothing of them stays in the engine."""
    intake = Intake()
    intake.say(b"DATA\r\n")
    piece = b"0123456789abcdef" * 4095 + b"\r\n.dots\r\n"
    passed = 0
    for _ in range(200):
        intake.engine.feed(piece)
        while (event := intake.engine.next_event()) is not None:
            assert isinstance(event, BodyRead)
            assert len(event.data) <= len(piece) + 4
            passed += len(event.data)
        assert len(intake.engine._lines) == 0
    assert passed > 199 * 65_000
