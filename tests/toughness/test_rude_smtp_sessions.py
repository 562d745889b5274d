"""Logins, TLS, floods, other protocols and broken connections, tried on an SMTP server through sockets."""

from __future__ import annotations

import base64
import socket
import ssl
import struct

import pytest

from tests.toughness.raw_dialogue import Raw, Target, greeted, stranger, target, token

__all__ = ["target"]

MAIL, RCPT = b"MAIL FROM:<a@far.example>", b"RCPT TO:<joe@mail.office.example>"
RIGHT = token(b"", b"joe", b"secret")
WRONG = range(500, 560)


# ---------------------------------------------------------------------- logins

BAD_LOGINS = {
    "no mechanism": (b"AUTH", ()),
    "an unknown mechanism": (b"AUTH BOGUS", ()),
    "octets that are no text": (b"AUTH \xff\xfe", ()),
    "no base64": (b"AUTH PLAIN !!!!", ()),
    "base64 of no length": (b"AUTH PLAIN AAAAA", ()),
    "base64 with something inside": (b"AUTH PLAIN " + RIGHT[:6] + b"!" + RIGHT[6:], ()),
    "an empty message": (b"AUTH PLAIN =", ()),
    "no NUL": (b"AUTH PLAIN " + token(b"joesecret"), ()),
    "one NUL": (b"AUTH PLAIN " + token(b"joe", b"secret"), ()),
    "five NULs": (b"AUTH PLAIN " + token(b"", b"", b"joe", b"", b"secret", b""), ()),
    "an empty password": (b"AUTH PLAIN " + token(b"", b"joe", b""), ()),
    "another password": (b"AUTH PLAIN " + token(b"", b"joe", b"wrong"), ()),
    "a beginning of the password": (b"AUTH PLAIN " + token(b"", b"joe", b"secre"), ()),
    "more than the password": (b"AUTH PLAIN " + token(b"", b"joe", b"secretx" * 5), ()),
    "NUL in the password": (b"AUTH PLAIN " + token(b"", b"joe", b"secret", b"x"), ()),
    "no UTF-8": (b"AUTH PLAIN " + token(b"", b"\xff\xfe", b"\xff"), ()),
    "somebody else's name in front": (b"AUTH PLAIN " + token(b"admin1", b"joe", b"secret"), ()),
    "SQL": (b"AUTH PLAIN " + token(b"", b"' OR 1=1--", b"' OR '1'='1"), ()),
    "a path": (b"AUTH PLAIN " + token(b"", b"../../etc/passwd", b"x"), ()),
    "PLAIN taken back": (b"AUTH PLAIN", (b"*",)),
    "LOGIN taken back": (b"AUTH LOGIN", (b"*",)),
    "LOGIN taken back later": (b"AUTH LOGIN", (base64.b64encode(b"joe"), b"*")),
    "LOGIN without base64": (b"AUTH LOGIN", (b"!!!",)),
    "LOGIN of nobody": (b"AUTH LOGIN", (b"", b"")),
    "LOGIN with a long name": (b"AUTH LOGIN", (base64.b64encode(b"u" * 8_000), base64.b64encode(b"x"))),
    "SCRAM that makes no sense": (b"AUTH SCRAM-SHA-256", (base64.b64encode(b"n,,x"),)),
    "SCRAM with channel binding": (b"AUTH SCRAM-SHA-256", (base64.b64encode(b"p=tls-unique,,n=joe,r=abcdefgh"),)),
    "SCRAM of another nonce": (
        b"AUTH SCRAM-SHA-256", (base64.b64encode(b"n,,n=joe,r=abcdefgh"), base64.b64encode(b"c=biws,r=x,p=eHg=")),
    ),
    "12 kB": (b"AUTH PLAIN " + token(b"", b"u" * 4_000, b"p" * 4_000), ()),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_LOGINS)
def test_a_login_that_must_fail(target: Target, name: str) -> None:
    """5xx in the end, nobody is logged in, and the right password is still taken."""
    first, answers = BAD_LOGINS[name]

    def talk() -> tuple[list[int], list[int]]:
        with greeted(target, stranger(), tls=True) as client:
            found = client.codes(first)
            for answer in answers:
                if found[-1] != 334:
                    break
                found += client.codes(answer)
            return found, client.codes(b"MAIL FROM:<joe@mail.office.example>", b"AUTH PLAIN " + RIGHT)

    found, after = talk()
    assert set(found[:-1]) <= {334}
    assert found[-1] in WRONG
    assert after == [530, 235]


def test_when_a_login_may_be(target: Target) -> None:
    """Inside TLS, once, and not within a transaction; TLS begun later ends what was known."""

    def talk() -> dict[str, list[int]]:
        found = {}
        with greeted(target, stranger()) as client:
            found["before TLS"] = client.codes(b"AUTH PLAIN " + RIGHT, b"AUTH LOGIN")
        with greeted(target, stranger(), tls=True) as client:
            found["twice"] = client.codes(b"AUTH PLAIN " + RIGHT, b"AUTH PLAIN " + RIGHT)
        with greeted(target) as client:
            found["in a transaction"] = client.codes(MAIL, b"AUTH PLAIN " + RIGHT)
        with greeted(target) as client:
            found["TLS behind it"] = client.codes(b"AUTH PLAIN " + RIGHT, b"STARTTLS")
            client.tls()
            found["TLS behind it"] += client.codes(MAIL, b"EHLO x", b"AUTH PLAIN " + RIGHT)
        return found

    found = talk()
    assert set(found.pop("before TLS")) <= {530, 538, 504}
    assert found == {
        "twice": [235, 503],
        "in a transaction": [250, 503],
        "TLS behind it": [235, 220, 503, 250, 235],
    }


def test_five_wrong_passwords_end_a_connection(target: Target) -> None:
    """The fifth refusal is the last one."""

    def talk() -> list[int]:
        with greeted(target, stranger(), tls=True) as client:
            return client.codes(*(b"AUTH PLAIN " + token(b"", b"nobody", b"same") for _ in range(6)))

    found = talk()
    assert found[:4] == [535] * 4
    assert set(found[4:]) <= {421, 0}


# ---------------------------------------------------------------------- TLS

LOGIN = b"AUTH PLAIN " + RIGHT + b"\r\n"
BEHIND_STARTTLS = [b"RSET\r\n", b"EHLO x\r\n", MAIL + b"\r\n" + RCPT + b"\r\n", b"QUIT\r\n", LOGIN, b"NO", b"\n"]


@pytest.mark.parametrize("more", BEHIND_STARTTLS)
def test_nothing_in_clear_is_run_inside_tls(target: Target, more: bytes) -> None:
    """Octets behind STARTTLS in the same packet end the connection, or are gone; none is answered inside."""

    def talk() -> list[int]:
        with greeted(target) as client:
            client.send(b"STARTTLS\r\n" + more)
            if client.code() != 220 or client.pending():
                return []
            try:
                client.tls()
            except (ssl.SSLError, OSError):
                return []
            return client.codes(b"NOOP")  # an answer to what was smuggled would come first

    assert talk() in ([], [0], [250], [503])


@pytest.mark.parametrize("octets", [b"EHLO x\r\n", bytes(2000), b"\x16\x03\x01\xff\xff" + bytes(70_000), b"\xa5" * 500])
def test_a_handshake_that_is_none(target: Target, octets: bytes) -> None:
    """The connection ends without an answer in clear."""

    def talk() -> bytes:
        with greeted(target) as client:
            assert client.codes(b"STARTTLS") == [220]
            client.send(octets)
            return client.rest()

    assert b"250" not in talk()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_is_not_spoken(target: Target, version: ssl.TLSVersion) -> None:
    """1.2 is the least."""

    def talk() -> None:
        with greeted(target) as client:
            assert client.codes(b"STARTTLS") == [220]
            client.tls(most=version)

    with pytest.raises((ssl.SSLError, OSError)):
        talk()


def test_tls_forgets_what_was_said(target: Target) -> None:
    """EHLO, sender and recipients of before are gone; a second STARTTLS is refused."""

    def talk() -> list[int]:
        with greeted(target) as client:
            found = client.codes(MAIL, RCPT, b"STARTTLS")
            client.tls()
            return found + client.codes(b"DATA", b"EHLO x", b"DATA", b"STARTTLS")

    assert talk() == [250, 250, 220, 503, 250, 503, 503]


# ---------------------------------------------------------------------- floods, and people who do not wait

def test_mistakes_end_a_session(target: Target) -> None:
    """Five thousand wrong lines in a row: fifteen answers, the last one 421."""

    def talk() -> list[int]:
        with greeted(target, stranger()) as client:
            client.send(b"FROBNICATE\r\n\xff\xfe\r\nMAIL FROM:<\r\n" * 2_000)
            found = []
            while code := client.code():
                found.append(code)
            return found

    found = talk()
    assert len(found) <= 17
    assert found[-1] == 421


def test_commands_that_bring_nothing_end_a_session(target: Target) -> None:
    """A hundred without a message are enough."""

    def talk() -> list[int]:
        with greeted(target, stranger()) as client:
            client.send(b"NOOP\r\n" * 100)
            found = []
            while code := client.code():
                found.append(code)
            return found

    found = talk()
    assert found[-1] == 421
    assert found[:-1] == [250] * (len(found) - 1)
    assert 50 < len(found) < 80


def test_guessing_names_is_slowed_down(target: Target) -> None:
    """After twenty unknown recipients there are no more answers about names, and soon the end."""

    def talk() -> list[int]:
        with greeted(target) as client:
            found = client.codes(MAIL)
            client.send(b"".join(b"RCPT TO:<guess%d@mail.office.example>\r\n" % number for number in range(300)))
            while code := client.code():
                found.append(code)
            return found

    found = talk()
    assert found.count(550) <= 20
    assert len(found) < 60
    assert found[-1] == 421


def test_pipelines_are_answered_in_order(target: Target) -> None:
    """RFC 2920: transactions in one packet, with mistakes in them, get one answer for each command."""

    def talk() -> list[int]:
        with greeted(target) as client:
            unknown = b"RCPT TO:<nobody@mail.office.example>"
            client.send(b"\r\n".join([MAIL, RCPT, unknown, b"FROB", b"RSET", MAIL, RCPT, b"DATA", b""]))
            found = [client.code() for _ in range(8)]
            client.send(b"Message-ID: <pipe@x>\r\n\r\nx\r\n.\r\nNOOP\r\n")
            return [*found, client.code(), client.code()]

    assert talk() == [250, 250, 550, 500, 250, 250, 250, 354, 250, 250]
    assert len(target.stored()) == 1


FOREIGN = {
    "a browser's form": b"POST / HTTP/1.1\r\nHost: x\r\n\r\n" + MAIL + b"\r\n" + RCPT + b"\r\nDATA\r\nx\r\n.\r\n",
    "a browser": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a proxy's CONNECT": b"CONNECT x:25 HTTP/1.1\r\n\r\n",
    "TLS without asking": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "PROXY": b"PROXY TCP4 10.0.0.1 10.0.0.2 1 25\r\n" + MAIL + b"\r\n",
    "a megabyte of anything": bytes(range(256)) * 4096,
}


@pytest.mark.parametrize("name", FOREIGN)
def test_another_protocol(target: Target, name: str) -> None:
    """No line of it becomes mail."""

    def talk() -> None:
        with Raw(target.smtp, stranger()) as client:
            client.send(FOREIGN[name])
            client.socket.settimeout(5)
            client.rest()

    talk()
    assert target.stored() == []


def test_who_does_not_wait_for_the_greeting_is_turned_away(target: Target) -> None:
    """554 and the end, before the greeting or behind it: of all he sent, nothing is run."""

    def talk() -> bytes:
        with Raw(target.smtp, stranger()) as client:
            client.send(b"EHLO x\r\n" + MAIL + b"\r\n" + RCPT + b"\r\nDATA\r\nx\r\n.\r\nQUIT\r\n")
            return client.rest()

    lines = talk().split(b"\r\n")
    assert lines[-1] == b""
    assert lines[-2].startswith(b"554 ")
    assert [line[:4] for line in lines[:-2]] in ([], [b"220 "])


# ---------------------------------------------------------------------- recipients, chunks

def test_how_many_recipients(target: Target) -> None:
    """A hundred are taken, as RFC 5321 has it; beyond two hundred 452; the same one five times gets one copy."""

    def talk() -> tuple[list[int], int]:
        with greeted(target) as client:
            found = client.codes(MAIL)
            client.send(b"".join(b"RCPT TO:<joe@mail.office.example>\r\n" for _ in range(5)))
            found += [client.code() for _ in range(5)]
            found += client.codes(b"DATA")
            client.send(b"Message-ID: <five@x>\r\n\r\nx\r\n.\r\n")
            found.append(client.code())
        with greeted(target, tls=True) as client:
            client.codes(b"AUTH PLAIN " + RIGHT, b"MAIL FROM:<mail@company.example>")
            client.send(b"".join(b"RCPT TO:<p%d@out.example>\r\n" % number for number in range(250)))
            codes = [client.code() for _ in range(250)]
            return found, codes.count(250) if set(codes[200:]) == {452} else 0

    found, many = talk()
    assert found == [250] * 6 + [354, 250]
    assert many == 200
    assert len(target.stored()) == 1


def test_chunks(target: Target) -> None:
    """A dot between line ends is content there, an empty last one ends a message, too large a one is refused."""

    def talk() -> list[int]:
        with greeted(target) as client:
            found = client.codes(MAIL, RCPT)
            octets = b"Message-ID: <chunk@x>\r\n\r\na\r\n.\r\nb\r\n"
            client.send(b"BDAT %d\r\n" % len(octets) + octets + b"BDAT 0 LAST\r\n")
            found += [client.code(), client.code()]
            found += client.codes(MAIL, RCPT)
            client.send(b"BDAT 99999999999999999999\r\n")
            return [*found, client.code()]

    found = talk()
    assert found[:6] == [250] * 6
    assert found[6] in WRONG
    (message,) = target.stored()
    assert message.endswith(b"\r\n\r\na\r\n.\r\nb\r\n")


# ---------------------------------------------------------------------- sockets

def test_connections_that_are_cut(target: Target) -> None:
    """Two hundred that come and reset, ten in the handshake of TLS: the next one is served."""

    def talk() -> list[int]:
        source = stranger()
        for number in range(210):
            client = Raw(target.smtp, source)
            if number >= 200:
                client.code()
                client.codes(b"EHLO x", b"STARTTLS")
                client.send(b"\x16\x03\x01\x02\x00\x01")
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.socket.close()
        with greeted(target) as client:
            return client.codes(b"NOOP")

    assert talk() == [250]


def test_octet_by_octet(target: Target) -> None:
    """A whole session, an octet at a time."""

    def talk() -> list[int]:
        with Raw(target.smtp) as client:
            found = [client.code()]
            client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for line in (b"EHLO x", MAIL, RCPT, b"DATA", b"Message-ID: <drip@x>\r\n\r\n..dot\r\n.", b"QUIT"):
                for octet in line + b"\r\n":
                    client.send(bytes([octet]))
                found.append(client.code())
            return found

    assert talk() == [220, 250, 250, 250, 354, 250, 221]
    (message,) = target.stored()
    assert message.endswith(b"\r\n\r\n.dot\r\n")


def test_many_at_once(target: Target) -> None:
    """Twenty of one address are served at the same time, the one behind them is told why not."""

    def talk() -> tuple[list[int], int, int]:
        source = stranger()
        clients = [greeted(target, source) for _ in range(20)]
        with Raw(target.smtp, source) as one_too_many, greeted(target) as other:
            found = [client.codes(b"NOOP")[0] for client in clients]
            refused, served = one_too_many.code(), other.codes(b"NOOP")[0]
        for client in clients:
            client.socket.close()
        return found, refused, served

    assert talk() == ([250] * 20, 421, 250)
