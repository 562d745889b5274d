"""The SMTP client engine fed whole, octet by octet and cut at every place; and what it writes, cut at every place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import LocalFault, PeerFault, Unavailable
from mailshare.wire.client_engine import Overflow
from mailshare.wire.sasl.login import LoginClient
from mailshare.wire.sasl.plain import PlainClient
from mailshare.wire.smtp_client import SMTPClient
from mailshare.wire.smtp_client_body import BodyScan, BodyWriter
from mailshare.wire.smtp_client_lines import SMTPReply, mail_line, rcpt_line, size_limit, xtext

EHLO = b"250-isp.example hello\r\n250-PIPELINING\r\n250-SIZE 5000\r\n250-AUTH=LOGIN\r\n250 AUTH PLAIN SCRAM-SHA-256\r\n"
FLIGHT = b"250 2.1.0 ok\r\n550-5.1.1 nobody\r\n550 5.1.1 here\r\n250 2.1.5 fine\r\n354 go\r\n"
ENVELOPE = Envelope(
    Address.parse("a@b.example"), (Recipient(Address.parse("x@y.example")), Recipient(Address.parse("z@y.example")))
)


def hello(secure: bool = True) -> SMTPClient:
    engine = SMTPClient(secure=secure)
    engine.feed(b"220 isp\r\n")
    assert engine.next_event() is not None
    engine.ehlo("me.example")
    engine.take_output()
    engine.feed(EHLO)
    assert engine.next_event() is not None
    return engine


def replies(engine: SMTPClient, pieces: list[bytes]) -> list[SMTPReply]:
    found = []
    for piece in pieces:
        engine.feed(piece)
        while (reply := engine.next_event()) is not None:
            found.append(reply)
    return found


def offer(engine: SMTPClient) -> None:
    engine.mail(ENVELOPE, 10, eight_bit=False)
    for recipient in ENVELOPE.recipients:
        engine.rcpt(recipient)
    engine.data()


@pytest.mark.parametrize("cut", range(len(FLIGHT)))
def test_one_flight_and_its_replies_cut_everywhere(cut: int) -> None:
    """MAIL, RCPT, RCPT, DATA leave together; each gets its own reply."""
    engine = hello()
    offer(engine)
    assert engine.take_output() == (
        b"MAIL FROM:<a@b.example> SIZE=10\r\nRCPT TO:<x@y.example>\r\nRCPT TO:<z@y.example>\r\nDATA\r\n"
    )
    found = replies(engine, [FLIGHT[:cut], FLIGHT[cut:]])
    assert [(reply.command.name, reply.code, reply.status) for reply in found] == [
        ("MAIL", 250, "2.1.0"),
        ("RCPT", 550, "5.1.1"),
        ("RCPT", 250, "2.1.5"),
        ("DATA", 354, ""),
    ]
    assert found[1].text == "nobody here"


def test_the_next_message_goes_behind_the_dot() -> None:
    """RFC 2920: MAIL does not wait for the reply to the dot; nothing slips between 354 and the body."""
    engine = hello()
    offer(engine)
    engine.take_output()
    replies(engine, [FLIGHT])
    offer(engine)
    assert engine.take_output() == b""
    engine.begin_body(10)
    engine.body(b"hello\r\n")
    engine.end_body()
    output = engine.take_output()
    assert output.startswith(b"hello\r\n.\r\nMAIL FROM:")
    assert output.endswith(b"DATA\r\n")
    assert [r.command.name for r in replies(engine, [b"250 taken\r\n250 ok\r\n"])] == ["message", "MAIL"]


def test_extensions_are_read() -> None:
    """Also AUTH in its old spelling."""
    engine = hello()
    assert engine.size_limit == 5000
    assert engine.extensions["AUTH"].split() == ["LOGIN", "PLAIN", "SCRAM-SHA-256"]
    assert size_limit({"SIZE": "x"}) == 0


def test_lock_step_without_pipelining() -> None:
    """One at a time."""
    engine = hello()
    engine.extensions = {}
    offer(engine)
    assert engine.take_output() == b"MAIL FROM:<a@b.example>\r\n"
    assert engine.take_output() == b""


@pytest.mark.parametrize(
    "said",
    [
        b"25\r\n",
        b"99 x\r\n",
        b"600 x\r\n",
        b"250-a\r\n550 b\r\n",
        b"354 go\r\n",
        b"250 ok\r\n250 ok\r\n250 ok\r\n",
        b"OK\r\n",
        b"250x\r\n",
    ],
)
def test_what_is_no_reply_ends_the_session(said: bytes) -> None:
    """Codes, mixed lines, a 354 to MAIL, more replies than commands."""
    engine = hello()
    engine.mail(ENVELOPE, 1, eight_bit=False)
    engine.take_output()
    with pytest.raises(PeerFault):
        replies(engine, [said])
    assert engine.closing


@pytest.mark.parametrize("said", [b"250 taken\r\n", b"200 ok\r\n", b"354 go\r\n250 taken\r\n"])
def test_no_yes_without_a_message(said: bytes) -> None:
    """DATA answered with success, or with 354 and success at once, is a fault."""
    engine = hello()
    engine.data()
    engine.take_output()
    with pytest.raises(PeerFault):
        engine.feed(said)
        assert engine.next_event() is not None
        engine.begin_body(5)


def test_a_yes_while_the_message_is_sent_is_none() -> None:
    """The last octet has to be out."""
    engine = hello()
    engine.data()
    engine.take_output()
    replies(engine, [b"354 go\r\n"])
    engine.begin_body(5)
    engine.body(b"half")
    engine.take_output()
    engine.feed(b"250 taken\r\n")
    with pytest.raises(PeerFault):
        engine.next_event()


def test_a_refusal_while_the_message_is_sent_closes() -> None:
    """It is heard, and nothing more is sent."""
    engine = hello()
    engine.data()
    engine.take_output()
    replies(engine, [b"354 go\r\n"])
    engine.begin_body(5)
    engine.body(b"half")
    found = replies(engine, [b"552 5.3.4 too much\r\n"])
    assert (found[0].command.name, found[0].code, engine.closing) == ("message", 552, True)


def test_421_at_any_time() -> None:
    """Unasked it is an end with words; as a reply it closes."""
    engine = hello()
    engine.feed(b"421 going down\r\n")
    with pytest.raises(Unavailable, match="going down"):
        engine.next_event()
    other = hello()
    other.mail(ENVELOPE, 1, eight_bit=False)
    other.take_output()
    assert replies(other, [b"421 later\r\n"])[0].code == 421
    assert other.closing


def test_caps_hold() -> None:
    """A line of 4 kB, a reply of a hundred lines."""
    for said in (b"250 " + b"x" * 5000, b"250-x\r\n" * 101):
        engine = hello()
        engine.rset()
        engine.take_output()
        with pytest.raises(Overflow):
            replies(engine, [said])


@pytest.mark.parametrize("late", [False, True])
def test_injection_behind_starttls(late: bool) -> None:
    """In the same segment, or before TLS began."""
    engine = hello(secure=False)
    engine.starttls()
    engine.take_output()
    with pytest.raises(PeerFault):
        if late:
            engine.feed(b"220 go\r\n")
            engine.next_event()
            engine.feed(b"250 AUTH PLAIN\r\n")
        else:
            engine.feed(b"220 go\r\n250 AUTH PLAIN\r\n")
            engine.next_event()


def test_no_password_outside_tls() -> None:
    """AUTH refuses."""
    with pytest.raises(LocalFault):
        hello(secure=False).auth(PlainClient("u", "p"))


def test_login_in_steps_and_a_yes_too_early() -> None:
    """LOGIN's prompts are answered; 235 before the password is a lie."""
    engine = hello()
    engine.auth(LoginClient("u", "p"))
    engine.take_output()
    replies(engine, [b"334 VXNlcm5hbWU6\r\n"])
    assert engine.take_output() == b"dQ==\r\n"
    with pytest.raises(PeerFault):
        replies(engine, [b"235 in\r\n"])


BODIES = [
    b"",
    b".",
    b".\r\n",
    b"a\r\n.\r\nb",
    b"a\n.\nb\r.\rc",
    b"\r\n..\r\n\r\r\n.\r\n",
    b"x" * 50 + b"\r\n.end\r\n",
    b"\r",
    b"\n",
]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("step", [1, 2, 3, 1000])
def test_no_body_ends_early(body: bytes, step: int) -> None:
    """Cut anywhere: the one CRLF.CRLF is the last, and no CR or LF is bare."""
    writer = BodyWriter()
    sent = b"".join(writer.write(body[at : at + step]) for at in range(0, len(body), step)) + writer.finish()
    framed = b"\r\n" + sent
    assert framed.find(b"\r\n.\r\n") == len(framed) - 5
    assert sent.count(b"\r") == sent.count(b"\n") == sent.count(b"\r\n")
    whole = BodyWriter()
    assert whole.write(body) + whole.finish() == sent


@pytest.mark.parametrize(
    ("body", "clean", "eight_bit"),
    [
        (b"a\r\n", True, False),
        (b"a", False, False),
        (b"a\nb\r\n", False, False),
        (b"\xe4\r\n", True, True),
        (b"a\0\r\n", False, False),
        (b"a\r\r\n", False, False),
    ],
)
def test_a_scan_knows_the_message(body: bytes, clean: bool, eight_bit: bool) -> None:
    """Whole and octet by octet."""
    for step in (1, 100):
        found = BodyScan()
        for at in range(0, len(body), step):
            found.feed(body[at : at + step])
        assert (found.clean, found.eight_bit, found.size) == (clean, eight_bit, len(body))


def test_parameters_only_where_offered() -> None:
    """SIZE, BODY, SMTPUTF8, RET, ENVID, NOTIFY, ORCPT."""
    envelope = Envelope(Address("jö", "b.example"), ENVELOPE.recipients, ret="FULL", envid="a b")
    every = {"SIZE": "", "8BITMIME": "", "SMTPUTF8": "", "DSN": ""}
    assert mail_line(envelope, {}, 9, eight_bit=True) == "MAIL FROM:<jö@b.example>\r\n".encode()
    assert mail_line(envelope, every, 9, eight_bit=True) == (
        "MAIL FROM:<jö@b.example> SIZE=9 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID=a+20b\r\n".encode()
    )
    never = Recipient(Address.parse("x@y"), frozenset({"NEVER"}), "rfc822;x+y=z@y")
    assert rcpt_line(never, every) == b"RCPT TO:<x@y> NOTIFY=NEVER ORCPT=rfc822;x+2By+3Dz@y\r\n"
    assert mail_line(Envelope(None), {}, 0, eight_bit=False) == b"MAIL FROM:<>\r\n"
    assert xtext("\r\n") == "+0D+0A"


def test_an_address_cannot_end_the_line() -> None:
    """CRLF in an address is our fault, not a second command."""
    with pytest.raises(LocalFault):
        rcpt_line(Recipient(Address("a\r\nDATA", "b")), {})


@settings(max_examples=300)
@given(
    st.lists(
        st.one_of(st.binary(max_size=40), st.sampled_from([b"250 ok\r\n", b"354 go\r\n", b"550-", b"334 \r\n"])),
        max_size=30,
    )
)
def test_garbage_raises_nothing_but_faults(pieces: list[bytes]) -> None:
    """Whatever comes, there are replies or faults, and an end."""
    engine = hello()
    offer(engine)
    engine.take_output()
    try:
        replies(engine, pieces)
    except (PeerFault, Unavailable):
        assert engine.closing
