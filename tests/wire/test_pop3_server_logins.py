"""Logging in to the POP3 server engine: passwords, SASL, and TLS begun in between."""

import base64

import pytest

from mailshare.wire.pop3_server_events import (
    PasswordGiven,
    ProofRejected,
    VerifierWanted,
)
from mailshare.wire.replies import ANSWERED, START_TLS
from mailshare.wire.sasl.exchange import encode
from mailshare.wire.sasl.scram import ScramClient
from tests.wire.pop3_dialogue import build, talk


def test_a_password_keeps_its_blanks():
    """Everything behind the one blank is the password (RFC 1939 section 7)."""
    engine = build()
    engine.feed(b"USER joe\r\nPASS  se cret \r\n")
    assert engine.next_event() == PasswordGiven(b"joe", b" se cret ")


def test_every_wrong_login_reads_the_same():
    """Unknown name, wrong password, wrong mechanism data of a right form: one text."""
    wrong = b"-ERR [AUTH] Wrong user name or password\r\n"
    assert talk(build(), b"USER joe\r\nPASS bad\r\n").endswith(wrong)
    assert talk(build(), b"USER nobody\r\nPASS bad\r\n").endswith(wrong)
    assert talk(build(), b"AUTH PLAIN " + encode(b"\0joe\0bad") + b"\r\n") == wrong
    assert talk(build(), b"AUTH PLAIN " + encode(b"ann\0joe\0secret") + b"\r\n") == wrong


def test_after_a_wrong_password_the_name_is_needed_again():
    """PASS alone does not try again, and nothing behind it is served."""
    said = talk(build(), b"USER joe\r\nPASS bad\r\nPASS secret\r\nSTAT\r\nRETR 1\r\nQUIT\r\n")
    assert said.splitlines()[1:] == [
        b"-ERR [AUTH] Wrong user name or password",
        b"-ERR USER comes first",
        b"-ERR Log in first",
        b"-ERR Log in first",
        b"+OK Bye",
    ]


@pytest.mark.parametrize("between", [b"PASS", b"USER", b"AUTH PLAIN !!"])
def test_a_mistake_in_between_forgets_the_name(between):
    """A name does not outlive a PASS, a USER or an AUTH that went wrong."""
    said = talk(build(), b"USER joe\r\n" + between + b"\r\nPASS secret\r\n")
    assert said.splitlines()[-1] == b"-ERR USER comes first"


def test_five_wrong_logins_close_the_connection():
    """The fifth is answered and ends it; a try that was throttled counts, a busy maildrop does not."""
    engine = build()
    engine.feed(b"USER joe\r\nPASS bad\r\n" * 9)
    for number in range(1, 6):
        assert isinstance(engine.next_event(), PasswordGiven)
        if number == 2:
            engine.turn_away("SYS/TEMP", "Too many tries; please wait a while", counts=True)
        else:
            engine.refuse_login()
        assert engine.closing == (number == 5)
    assert engine.next_event() is None
    other = build()
    for _ in range(9):
        other.feed(b"USER joe\r\nPASS secret\r\n")
        assert isinstance(other.next_event(), PasswordGiven)
        other.turn_away("IN-USE", "Busy")
    assert not other.closing
    assert other.take_output().endswith(b"-ERR [IN-USE] Busy\r\n")


def test_sasl_plain_and_login():
    """Both, with and without an initial response, let joe in."""
    message = encode(b"\0joe\0secret")
    end = b"+OK 4 messages (85 octets)\r\n"
    assert talk(build(), b"AUTH PLAIN " + message + b"\r\n") == end
    assert talk(build(), b"AUTH PLAIN\r\n", message + b"\r\n") == b"+ \r\n" + end
    login = b"AUTH LOGIN\r\n", encode(b"joe") + b"\r\n", encode(b"secret") + b"\r\n"
    assert talk(build(), *login) == b"+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n" + end


def test_sasl_cancelled_and_broken_off():
    """A star ends the exchange, and so does what is no base64; commands are commands again."""
    for line in (b"*", b"not base64", b"USER joe"):
        said = talk(build(), b"AUTH PLAIN\r\n", line + b"\r\n", b"STAT\r\n")
        assert said.startswith(b"+ \r\n-ERR ")
        assert said.endswith(b"\r\n-ERR Log in first\r\n")


def test_sasl_scram():
    """Our client gets in, pipelining nothing, and a wrong password does not."""
    wrong = b"-ERR [AUTH] Wrong user name or password\r\n"
    for password, end in (("secret", b"+OK 4 messages (85 octets)\r\n"), ("bad", wrong)):
        engine, client = build(scram=True), ScramClient("joe", password, "clientnonce0123456789")
        first = client.initial()
        assert first is not None
        said = talk(engine, b"AUTH SCRAM-SHA-256 " + encode(first) + b"\r\n")
        while said.startswith(b"+ "):
            said = talk(engine, encode(client.respond(base64.b64decode(said[2:]))) + b"\r\n")
        assert said == end


def test_a_wrong_proof_is_reported_before_it_is_answered():
    """So that whatever slows down guessing counts it; the client is told nothing meanwhile."""
    engine, client = build(scram=True), ScramClient("joe", "bad", "clientnonce0123456789")
    first = client.initial()
    assert first is not None
    said = talk(engine, b"AUTH SCRAM-SHA-256 " + encode(first) + b"\r\n")
    engine.feed(encode(client.respond(base64.b64decode(said[2:]))) + b"\r\n")
    assert engine.next_event() == ProofRejected("joe", "SCRAM-SHA-256")
    assert engine.take_output() == b""
    engine.refuse_login()
    assert engine.take_output() == b"-ERR [AUTH] Wrong user name or password\r\n"


def test_a_damaged_verifier_reads_as_a_wrong_password():
    """What the store gives wrongly is not the client's business."""
    engine = build(scram=True)
    engine.feed(b"AUTH SCRAM-SHA-256 " + encode(b"n,,n=joe,r=clientnonce0123456789") + b"\r\n")
    assert engine.next_event() == VerifierWanted("joe")
    engine.give_verifier("rubbish")
    assert engine.next_event() == ProofRejected("joe", "SCRAM-SHA-256")


def test_passwords_in_clear_are_refused_where_they_are_not_wanted():
    """Neither offered nor taken outside TLS; inside, both."""
    engine = build(clear=False, scram=True, starttls=True)
    said = talk(engine, b"CAPA\r\n", b"USER joe\r\n", b"AUTH PLAIN\r\n")
    assert b"\r\nUSER\r\n" not in said
    assert b"\r\nSTLS\r\nSASL SCRAM-SHA-256\r\n" in said
    assert said.count(b"-ERR [AUTH] Passwords are taken inside TLS only") == 2
    secure = build(clear=False, scram=True, starttls=True, secure=True)
    assert b"\r\nUSER\r\nSASL SCRAM-SHA-256 PLAIN LOGIN\r\n" in talk(secure, b"CAPA\r\n")


def test_stls():
    """TLS begins after the reply; the name given before is forgotten; it is not offered twice."""
    engine = build(starttls=True)
    talk(engine, b"UTF8\r\nUSER joe\r\n")
    engine.feed(b"STLS\r\n")
    assert engine.next_event() is START_TLS
    assert engine.take_output() == b"+OK Begin TLS now\r\n"
    assert engine.next_event() is None
    engine.secured()
    assert not engine.utf8
    said = talk(engine, b"PASS secret\r\n", b"CAPA\r\n", b"STLS\r\n")
    assert said.startswith(b"-ERR USER comes first\r\n")
    assert b"STLS\r\n" not in said
    assert said.endswith(b"-ERR TLS is on already\r\n")


@pytest.mark.parametrize("extra", [b"CAPA\r\n", b"US", b"\r\n", b"USER joe\r\nPASS secret\r\n", b"\x16\x03\x01"])
def test_nothing_may_follow_stls_in_clear(extra):
    """Octets behind STLS would be taken for the client's own inside TLS: the connection ends instead."""
    engine = build(starttls=True)
    engine.feed(b"STLS\r\n" + extra)
    assert engine.next_event() is ANSWERED
    assert engine.take_output() == b"-ERR Nothing may follow STLS before TLS has begun\r\n"
    assert engine.closing
    assert engine.next_event() is None


def test_octets_between_the_reply_and_tls_end_the_session():
    """What comes in clear after the go-ahead is not read, and ends it."""
    engine = build(starttls=True)
    engine.feed(b"STLS\r\n")
    engine.next_event()
    engine.take_output()
    engine.feed(b"USER evil\r\n")
    engine.secured()
    assert engine.closing
    assert engine.next_event() is None
