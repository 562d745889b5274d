"""What must not be said to a POP3 server, said to it through a socket: one answer each, and no harm."""

from __future__ import annotations

import base64
import os
import re
import socket
import ssl
import struct

import pytest

from tests.toughness.raw_dialogue import Raw, Target, greeted, stranger, target, token

__all__ = ["target"]

RIGHT = token(b"", b"joe", b"secret")
LOGIN = b"USER joe\r\nPASS secret\r\n"
TLS_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)
MESSAGES = (
    b"Subject: one\r\nMessage-ID: <1@x>\r\n\r\nfirst\r\n.dot\r\n..two\r\nlast\r\n",
    b"Subject: two\r\nMessage-ID: <2@x>\r\n\r\n" + (b"q" * 77 + b"\r\n.\r\n") * 3_000,
    b"Subject: three\r\nMessage-ID: <3@x>\r\n\r\nthird\r\n",
)


def hand_in(target: Target, message: bytes) -> None:
    """Put a message into joe's mailbox."""
    with greeted(target) as client:
        found = client.codes(b"MAIL FROM:<a@far.example>", b"RCPT TO:<joe@mail.office.example>", b"DATA")
        client.send(message.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        assert [*found, client.code()] == [250, 250, 354, 250]


@pytest.fixture(scope="module")
def filled(target: Target) -> Target:
    """An office with three messages in joe's mailbox."""
    for message in MESSAGES:
        hand_in(target, message)
    return target


def pop3(target: Target, source: str = "127.0.0.1", *, login: bool = True) -> Raw:
    """A client that was greeted, and logged in."""
    client = Raw(target.pop3, source)
    assert client.line().startswith(b"+OK")
    while login:
        client.said(b"USER joe")
        answer = client.say(b"PASS secret")
        if answer.startswith(b"+OK"):
            break
        assert b"[IN-USE]" in answer  # the one before has gone, and the server will see it in a moment
    return client


def dialogue(target: Target, *lines: bytes, login: bool = True) -> list[str]:
    """``+OK`` or ``-ERR`` for each line, and for a NOOP (CAPA before a login) at the end."""

    def talk() -> list[str]:
        with pop3(target, login=login) as client:
            found = client.said(*lines, b"NOOP" if login else b"XNOOP")
            client.send(b"QUIT\r\n")
            return found

    return talk()


# ---------------------------------------------------------------------- states and syntax

@pytest.mark.parametrize("line", [b"STAT", b"LIST", b"LIST 1", b"RETR 1", b"DELE 1", b"RSET", b"TOP 1 0", b"UIDL"])
def test_before_a_login(filled: Target, line: bytes) -> None:
    """Nothing of the mailbox is told."""
    assert dialogue(filled, line, login=False) == ["-ERR", "-ERR"]


@pytest.mark.parametrize("line", [b"USER ann", b"PASS x", b"APOP joe " + b"0" * 32, b"AUTH PLAIN AGEAYg==", b"STLS"])
def test_behind_a_login(filled: Target, line: bytes) -> None:
    """Nobody logs in twice, and TLS comes before."""
    assert dialogue(filled, line) == ["-ERR", "+OK"]


NUMBERS = {
    "of text": "abc", "0": "0", "-1": "-1", "+1": "+1", "1.0": "1.0", "of 26 digits": "9" * 26, "2^31": str(2**31),
    "2^32+1": str(2**32 + 1), "2^64+1": str(2**64 + 1), "in hex": "0x1", "with an underscore": "0_1", "4": "4",
}  # fmt: skip
ODD = {
    "nothing": b"", "blanks": b"   ", "an unknown word": b"FROB", "no text": b"\xff\xfe\xfd", "NUL": b"ST\0AT",
    "a blank in front": b" STAT", "a format string": b"%s%n%x", "an attribute": b"__class__", "a dot": b".",
    "XTND": b"XTND XMIT", "LIST in Arabic": b"LIST \xd9\xa1", "LIST of two": b"LIST 1 2",
    "LIST of 500 digits": b"LIST " + b"9" * 500, "RETR alone": b"RETR", "DELE alone": b"DELE", "TOP alone": b"TOP",
    "TOP of one": b"TOP 1", "TOP of text": b"TOP 1 x", "TOP of less than nothing": b"TOP 1 -1",
    "TOP of lines in hex": b"TOP 1 0x1", "APOP alone": b"APOP", "APOP of one": b"APOP joe",
    "AUTH of nothing known": b"AUTH BOGUS", "a path": b"RETR ../../etc/passwd", "a quoted number": b'RETR "1"',
    **{f"{verb} {kind}": f"{verb} {argument}".encode() for verb in ("LIST", "RETR", "DELE", "UIDL", "TOP")
       for kind, argument in NUMBERS.items()},
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_an_odd_line(filled: Target, name: str) -> None:
    """-ERR, and the session goes on."""
    assert dialogue(filled, ODD[name]) == ["-ERR", "+OK"]


@pytest.mark.parametrize("line", [b"stat", b"sTaT", b"LIST 1", b"UIDL 1", b"DELE 1", b"NOOP", b"RSET"])
def test_a_right_line(filled: Target, line: bytes) -> None:
    """Verbs are verbs in any case; what is marked is unmarked by RSET."""
    assert dialogue(filled, line, b"RSET") == ["+OK", "+OK", "+OK"]


@pytest.mark.parametrize("lines", [b"0", b"1", b"99999999999"])
def test_lines_of_top(filled: Target, lines: bytes) -> None:
    """As many as there are, and no more than were asked for."""

    def talk() -> list[bytes]:
        with pop3(filled) as client:
            client.send(b"TOP 1 " + lines + b"\r\nQUIT\r\n")
            assert client.line().startswith(b"+OK")
            found = client.listing()
            return found[found.index(b"") + 1 :]

    whole = [b"first", b"..dot", b"...two", b"last"]
    assert talk() == whole[: int(lines)]


@pytest.mark.parametrize("login", [False, True])
@pytest.mark.parametrize("word", [b"USER ", b"PASS ", b"RETR ", b"AUTH PLAIN ", b""])
@pytest.mark.parametrize("length", [300, 600, 2_000, 20_000, 2_000_000])
def test_a_long_line(filled: Target, word: bytes, length: int, login: bool) -> None:
    """-ERR or the end of the connection; never two answers to one line."""

    def talk() -> bytes:
        with pop3(filled, login=login) as client:
            client.send(word + b"x" * length + b"\r\nQUIT\r\n")
            return client.rest()

    answers = [line for line in talk().split(b"\r\n") if line]
    assert len(answers) <= 2
    assert all(answer.startswith((b"-ERR", b"+OK")) for answer in answers)
    assert word == b"USER " or not answers or answers[0].startswith(b"-ERR")


def test_a_flood_of_nonsense_ends(filled: Target) -> None:
    """Three hundred unknown words: a few answers, then the end."""

    def talk() -> int:
        with pop3(filled, stranger(), login=False) as client:
            client.send(b"FROB\r\n" * 300)
            return client.rest().count(b"-ERR")

    assert talk() <= 16


# ---------------------------------------------------------------------- logins

BAD_LOGINS = {
    "another password": (b"USER joe", b"PASS wrong"),
    "an unknown name": (b"USER nobody", b"PASS secret"),
    "an empty password": (b"USER joe", b"PASS "),
    "no password": (b"USER joe", b"PASS"),
    "a beginning": (b"USER joe", b"PASS secre"),
    "a blank behind": (b"USER joe", b"PASS secret "),
    "NUL behind": (b"USER joe", b"PASS secret\0"),
    "a path": (b"USER ../../joe", b"PASS secret"),
    "a slash": (b"USER joe/../joe", b"PASS secret"),
    "NUL in the name": (b"USER joe\0", b"PASS secret"),
    "SQL": (b"USER ' OR '1'='1", b"PASS ' OR '1'='1"),
    "no UTF-8": (b"USER \xff\xfe", b"PASS \xff"),
    "a star": (b"USER *", b"PASS secret"),
    "a format string": (b"USER %n%s", b"PASS secret"),
    "PASS first": (b"PASS secret",),
    "APOP": (b"APOP joe 00000000000000000000000000000000",),
    "PLAIN without base64": (b"AUTH PLAIN !!!!",),
    "PLAIN with something inside": (b"AUTH PLAIN " + RIGHT[:6] + b"!" + RIGHT[6:],),
    "PLAIN of nothing": (b"AUTH PLAIN =",),
    "PLAIN without NUL": (b"AUTH PLAIN " + token(b"joesecret"),),
    "PLAIN with one NUL": (b"AUTH PLAIN " + token(b"joe", b"secret"),),
    "PLAIN, wrong": (b"AUTH PLAIN " + token(b"", b"joe", b"nope"),),
    "PLAIN, another name in front": (b"AUTH PLAIN " + token(b"admin1", b"joe", b"secret"),),
    "PLAIN taken back": (b"AUTH PLAIN", b"*"),
    "LOGIN taken back": (b"AUTH LOGIN", b"*"),
    "12 kB": (b"AUTH PLAIN", token(b"", b"u" * 8_000, b"p")),
    "SCRAM, nonsense": (b"AUTH SCRAM-SHA-256", base64.b64encode(b"n,,x")),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_LOGINS)
def test_a_login_that_must_fail(filled: Target, name: str) -> None:
    """-ERR in the end, and nothing of the mailbox is told."""

    def talk() -> list[str]:
        with pop3(filled, stranger(), login=False) as client:
            client.secure()
            return client.said(*BAD_LOGINS[name], b"STAT")

    found = talk()
    assert found[-2:] == ["-ERR", "-ERR"] or found[-2:] == ["-ERR", ""]


def test_no_password_in_clear(filled: Target) -> None:
    """Who is not trusted is told to begin TLS, before he says a password."""

    def talk() -> list[bytes]:
        with pop3(filled, stranger(), login=False) as client:
            client.send(b"CAPA\r\n")
            client.line()
            offered = client.listing()
            assert b"USER" not in offered
            assert {line for line in offered if line.startswith(b"SASL")} <= {b"SASL SCRAM-SHA-256"}
            assert b"STLS" in offered
            return [client.say(b"USER joe"), client.say(b"AUTH PLAIN " + RIGHT), client.say(b"PASS secret")]

    assert all(line.startswith(b"-ERR") for line in talk())


def test_what_a_greeting_promises(filled: Target) -> None:
    """No timestamp, so no APOP; a name that was given before TLS is forgotten inside it."""

    def talk() -> tuple[bytes, list[str]]:
        with Raw(filled.pop3) as client:
            greeting = client.line()
            found = client.said(b"USER joe")
            client.secure()
            return greeting, found + client.said(b"PASS secret", b"USER joe", b"PASS secret", b"QUIT")

    greeting, found = talk()
    assert b"<" not in greeting
    assert found == ["+OK", "-ERR", "+OK", "+OK", "+OK"]


def test_behind_a_failed_login(filled: Target) -> None:
    """Commands that were sent ahead of a login that fails get -ERR, each."""

    def talk() -> list[str]:
        with pop3(filled, stranger(), login=False) as client:
            client.secure()
            client.send(b"USER joe\r\nPASS no\r\nSTAT\r\nRETR 1\r\nQUIT\r\n")
            return [client.line()[:4].decode().strip() for _ in range(5)]

    assert talk() == ["+OK", "-ERR", "-ERR", "-ERR", "+OK"]


# ---------------------------------------------------------------------- TLS

@pytest.mark.parametrize("more", [b"CAPA\r\n", b"USER joe\r\n", b"QUIT\r\n", b"NO", LOGIN + b"STAT\r\n", b"\n"])
def test_nothing_in_clear_is_run_inside_tls(filled: Target, more: bytes) -> None:
    """Octets behind STLS in the same packet are dropped with their connection; none of them is answered inside."""

    def talk() -> bytes:
        with pop3(filled, login=False) as client:
            client.send(b"STLS\r\n" + more)
            if not client.line().startswith(b"+OK") or client.pending():
                return b"-ERR"
            try:
                client.tls()
            except (ssl.SSLError, OSError):
                return b"-ERR"
            return client.say(b"STAT")

    assert talk()[:4] in (b"-ERR", b"")


def test_tls_once(filled: Target) -> None:
    """Twice, with words behind, and with no handshake at all."""

    def talk() -> list[str]:
        with pop3(filled, login=False) as client:
            found = client.said(b"STLS now")
            client.secure()
            found += client.said(b"STLS")
        with pop3(filled, login=False) as client:
            client.said(b"STLS")
            client.send(os.urandom(3_000))
            client.rest()
        return found

    assert talk() == ["-ERR", "-ERR"]


# ---------------------------------------------------------------------- the mailbox

def listed(client: Raw, line: bytes) -> list[bytes]:
    """Rows of an answer."""
    assert client.say(line).startswith(b"+OK")
    return client.listing()


def test_sizes_and_octets_are_exact(filled: Target) -> None:
    """STAT, LIST and RETR's status line say what RETR sends; TOP is its beginning; unique-ids are of the right kind."""

    def talk() -> None:
        with pop3(filled) as client:
            count, total = map(int, client.say(b"STAT").split()[1:3])
            sizes = [int(row.split()[1]) for row in listed(client, b"LIST")]
            names = [row.split()[1] for row in listed(client, b"UIDL")]
            assert (count, total) == (3, sum(sizes))
            assert len(set(names)) == 3
            assert all(re.fullmatch(rb"[!-~]{1,70}", name) for name in names)
            for number, size in enumerate(sizes, 1):
                status = client.say(b"RETR %d" % number)
                found = b"".join(line.removeprefix(b".") + b"\r\n" for line in client.listing())
                assert int(status.split()[1]) == size == len(found)
                assert found.endswith(MESSAGES[number - 1].partition(b"\r\n\r\n")[2])
                top = b"".join(line + b"\r\n" for line in listed(client, b"TOP %d 0" % number))
                assert found.startswith(top)
                assert top.endswith(b"\r\n\r\n")
            client.said(b"QUIT")
        with pop3(filled) as client:
            assert [row.split()[1] for row in listed(client, b"UIDL")] == names

    talk()


def test_only_quit_deletes(filled: Target) -> None:
    """What is marked is gone from all answers; RSET, a lost connection and a reset bring it back."""

    def talk() -> None:
        with pop3(filled) as client:
            client.said(b"DELE 1")
            assert client.said(b"RETR 1", b"LIST 1", b"UIDL 1", b"TOP 1 0", b"DELE 1") == ["-ERR"] * 5
            assert client.say(b"STAT").startswith(b"+OK 2 ")
            assert len(listed(client, b"LIST")) == len(listed(client, b"UIDL")) == 2
            client.said(b"RSET")
            assert client.say(b"STAT").startswith(b"+OK 3 ")
            client.said(b"DELE 1", b"DELE 2", b"DELE 3")
        with pop3(filled) as client:
            client.said(b"DELE 1", b"DELE 2", b"DELE 3")
            client.leave("reset")
        with pop3(filled) as client:
            assert client.say(b"STAT").startswith(b"+OK 3 ")

    talk()


def test_one_session_at_a_time(filled: Target) -> None:
    """The second one is told that the mailbox is in use, and can come when the first has gone."""

    def talk() -> bytes:
        with pop3(filled) as client, pop3(filled, login=False) as other:
            other.said(b"USER joe")
            refused = other.say(b"PASS secret")
            client.said(b"QUIT")
            assert other.said(b"USER joe", b"PASS secret", b"QUIT") == ["+OK", "+OK", "+OK"]
            return refused

    assert talk().startswith(b"-ERR [IN-USE]")


def test_commands_in_one_packet(filled: Target) -> None:
    """RFC 2449: three thousand commands are answered in their order, each once."""

    def talk() -> list[bytes]:
        with pop3(filled) as client:
            client.send(b"NOOP\r\nFROB\r\nSTAT\r\nLIST 1\r\n" + b"NOOP\r\n" * 3_000 + b"UIDL 9\r\nQUIT\r\n")
            return client.rest().split(b"\r\n")

    found = talk()
    assert [line[:4].strip() for line in found[:4]] == [b"+OK", b"-ERR", b"+OK", b"+OK"]
    assert [line[:4].strip() for line in found[-3:]] == [b"-ERR", b"+OK", b""]
    assert len(found) == 3_007


def test_a_bare_line_feed_ends_no_command(filled: Target) -> None:
    """``NOOP`` LF ``NOOP`` is one line, and a wrong one."""
    assert dialogue(filled, b"NOOP\nNOOP") == ["-ERR", "+OK"]


# ---------------------------------------------------------------------- sockets

@pytest.mark.parametrize("octets", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", TLS_HELLO, bytes(range(256)) * 4_000])
def test_another_protocol(filled: Target, octets: bytes) -> None:
    """It ends, and tells nothing."""

    def talk() -> bytes:
        with pop3(filled, stranger(), login=False) as client:
            client.send(octets)
            client.socket.settimeout(5)
            return client.rest()

    assert b"+OK" not in talk()


def test_octet_by_octet(filled: Target) -> None:
    """A whole session, an octet at a time."""

    def talk() -> bytes:
        with Raw(filled.pop3) as client:
            client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for octet in b"USER joe\r\nPASS secret\r\nRETR 3\r\nQUIT\r\n":
                client.send(bytes([octet]))
            return client.rest()

    assert talk().endswith(b"\r\nthird\r\n.\r\n+OK Bye\r\n")


def test_connections_that_are_cut(filled: Target) -> None:
    """Two hundred resets, and ten in the middle of a message: the mailbox is free again, and whole."""

    def talk() -> None:
        source = stranger()
        for _ in range(200):
            client = Raw(filled.pop3, source)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.socket.close()
        for _ in range(10):
            with pop3(filled) as client:
                client.send(b"RETR 2\r\n")
                client.line()
                client.leave("reset")
        with pop3(filled) as client:
            assert client.say(b"STAT").startswith(b"+OK 3 ")

    talk()
