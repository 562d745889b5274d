"""Nonsense and malice fed to the POP3 server engine."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailshare.core.errors import LocalFault
from mailshare.wire.replies import ANSWERED
from mailshare.wire.sasl.exchange import encode
from tests.wire.pop3_dialogue import LOGIN, build, talk


def test_faults_are_counted_and_mere_misses_are_not():
    """The shell slows down nonsense; a number that leads nowhere is no nonsense."""
    engine = build()
    talk(engine, LOGIN + b"RETR 99\r\nDELE 1\r\nDELE 1\r\n")
    assert engine.errors == 0
    talk(engine, b"FROB\r\nLIST x\r\nSTAT 1\r\n" + b"z" * 300 + b"\r\n")
    assert engine.errors == 4


def test_each_fault_is_an_event_of_its_own():
    """So that the shell can slow down between two of them."""
    engine = build()
    engine.feed(b"A\r\nB\r\n")
    assert engine.next_event() is ANSWERED
    assert engine.errors == 1
    assert engine.next_event() is ANSWERED
    assert engine.errors == 2


@pytest.mark.parametrize("line", [b"GET / HTTP/1.1", b"POST /x HTTP/1.1", b"CONNECT a:25 HTTP/1.0"])
def test_web_clients_are_sent_away(line):
    """One reply and the connection closes; the rest of the request is not read."""
    engine = build()
    assert talk(engine, line + b"\r\nHost: x\r\n\r\n") == b"-ERR This is a POP3 server\r\n"
    assert engine.closing


def test_a_tls_handshake_on_a_plain_port_is_dropped():
    """There is nothing to say to it."""
    engine = build()
    assert talk(engine, b"\x16\x03\x01\x00\xc8\x01") == b""
    assert engine.closing


def test_endless_lines_cost_no_memory():
    """Before login one reply, then the end; after it one reply, the rest is eaten and the session goes on."""
    engine = build()
    assert talk(engine, *[b"A" * 65536] * 20) == b"-ERR That line is too long\r\n"
    assert engine.closing
    assert engine.buffered < 65537
    engine = build()
    talk(engine, LOGIN)
    assert talk(engine, *[b"A" * 65536] * 20, b"\r\nNOOP\r\n") == b"-ERR That line is too long\r\n+OK\r\n"


def test_long_auth_lines_are_taken_and_others_are_not():
    """12,288 octets for AUTH (RFC 4954), 255 for all else (RFC 2449)."""
    long = encode(b"\0" + b"u" * 8000 + b"\0p")
    wrong = b"-ERR [AUTH] Wrong user name or password\r\n"
    assert talk(build(), b"AUTH PLAIN " + long + b"\r\n") == wrong
    assert talk(build(), b"AUTH PLAIN\r\n", long + b"\r\n") == b"+ \r\n" + wrong
    assert talk(build(), b"USER " + b"u" * 248 + b"\r\n") == b"+OK Now the password\r\n"


def test_shutting_down():
    """The reason is said, unless a message is half sent; an event that is out is dropped."""
    engine = build()
    engine.shut("SYS/TEMP", "Going down")
    assert engine.take_output() == b"-ERR [SYS/TEMP] Going down\r\n"
    assert engine.closing
    engine = build()
    talk(engine, LOGIN + b"LIST\r\n")
    engine.feed(b"RETR 1\r\n")
    engine.next_event()
    engine.begin_message(43, 16)
    engine.take_output()
    engine.shut("SYS/TEMP", "Going down")
    assert engine.take_output() == b""
    assert not engine.waiting


def test_replies_cannot_be_forged():
    """Text from elsewhere stays on its line and in ASCII."""
    engine = build()
    engine.feed(LOGIN)
    engine.next_event()
    engine.turn_away("SYS/TEMP", "bad\r\n+OK forged \u20ac " + "x" * 600)
    said = engine.take_output().split(b"\r\n", 1)[1]
    assert said.count(b"\r\n") == 1
    assert len(said) <= 512


def test_answers_out_of_turn_are_our_own_mistake():
    """A session that answers what was not asked is told so at once."""
    engine = build()
    for wrong in (
        lambda: engine.admit(1, 1),
        engine.secured,
        engine.resume,
        lambda: engine.fail("x"),
        lambda: engine.finished(0),
        lambda: engine.begin_message(1, 1),
        engine.end_message,
    ):
        with pytest.raises(LocalFault):
            wrong()




WORDS = [
    b"USER joe", b"PASS secret", b"PASS bad", b"AUTH PLAIN", b"AUTH LOGIN", b"AUTH PLAIN AGpvZQBzZWNyZXQ=", b"*",
    b"AUTH SCRAM-SHA-256", b"biws", b"STLS", b"UTF8", b"CAPA", b"STAT", b"LIST", b"LIST 1", b"RETR 1", b"RETR 9",
    b"DELE 1", b"DELE 2", b"RSET", b"TOP 1 1", b"UIDL", b"UIDL 4", b"NOOP", b"QUIT", b"", b"\0", b"\xff", b"x" * 300,
    b"\r", b"\n", b" ",
]  # fmt: skip


@settings(max_examples=300)
@given(st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=20)), max_size=30), st.integers(1, 50))
def test_no_input_raises_and_all_is_answered_in_lines(lines, step):
    """Any commands, cut anywhere: no exception, nothing said but whole lines, and each starts as POP3 wants."""
    engine = build(scram=True, starttls=True)
    octets = b"".join(line + b"\r\n" for line in lines)
    said = talk(engine, *[octets[start : start + step] for start in range(0, len(octets), step)])
    assert said == b"" or said.endswith(b"\r\n")
    assert b"\n" not in said.replace(b"\r\n", b"")
    assert said == b"" or said.startswith((b"+OK", b"-ERR", b"+ "))


def test_a_long_input_is_read_in_linear_time():
    """Ten times the commands cost about ten times the searching, counted in calls, not in seconds."""

    def calls(count: int) -> int:
        engine = build()
        talk(engine, LOGIN)
        made = 0

        def count_call(_frame, what, _argument):
            nonlocal made
            made += what in {"call", "c_call"}

        sys.setprofile(count_call)
        try:
            said = talk(engine, b"NOOP\r\n" * count)
        finally:
            sys.setprofile(None)
        assert said == b"+OK\r\n" * count
        return made

    assert calls(10_000) <= 12 * calls(1_000)
