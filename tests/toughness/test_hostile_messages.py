"""Messages made to hurt whoever parses them: stored or refused, never stuck, and nobody else waits for it."""

from __future__ import annotations

import base64
import smtplib
import time
import zlib
from collections.abc import Callable, Mapping

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from mailshare.testing.stall_watch import StallWatch

MOST = 0.05  # seconds of a turn
HEAD = b"Received: from far by mx.isp.example; x\r\nFrom: a@far.example\r\nMessage-ID: <id@far.example>\r\n"
TO = b"To: Andrew <mail@company.example>\r\n"


def nested(depth: int) -> bytes:
    """Parts in parts."""
    opening = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (level, level) for level in range(depth)
    )
    return HEAD + TO + opening + b"\r\nx\r\n" + b"".join(b"--b%d--\r\n" % level for level in reversed(range(depth)))


def parts(count: int) -> bytes:
    """Parts beside parts."""
    kind = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
    return HEAD + TO + kind + b"--b\r\n\r\nx\r\n" * count + b"--b--\r\n"


def report(count: int) -> bytes:
    """A bounce that returns a great many messages, whose ids are looked for."""
    kind = b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
    part = b"--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <%d@x.example>\r\n\r\n"
    return HEAD + TO + kind + b"".join(part % number for number in range(count)) + b"--b--\r\n"


def bomb() -> bytes:
    """A few octets that unpack to a gigabyte."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    kind = b"Content-Type: application/gzip\r\nContent-Encoding: gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return HEAD + TO + kind + base64.encodebytes(packed).replace(b"\n", b"\r\n")


def field(name: bytes, piece: bytes, count: int, end: bytes = b"") -> bytes:
    """One field, folded where lines would be too long."""
    return HEAD + TO + name + b": " + (piece * 10 + b"\r\n ") * (count // 10) + end + b"\r\nSubject: s\r\n\r\nx\r\n"


MESSAGES: Mapping[str, Callable[[], bytes]] = {
    "nested_10000_deep": lambda: nested(10_000),
    "100000_parts": lambda: parts(100_000),
    "report_of_5000": lambda: report(5_000),
    "header_lines_100000": lambda: HEAD + TO + b"X-A: b\r\n" * 100_000 + b"\r\nx\r\n",
    "header_lines_250_kB": lambda: HEAD + TO + b"X-A: b\r\n" * 30_000 + b"\r\nx\r\n",
    "received_fields": lambda: HEAD + b"Received: from a by b with SMTP id 1; x\r\n" * 6_000 + TO + b"\r\nx\r\n",
    "no_header_end": lambda: HEAD + TO + b"X-A: b\r\n" * 1_000_000,
    "line_of_10_MB": lambda: HEAD + TO + b"\r\n" + b"y" * 10_000_000 + b"\r\n",
    "header_line_of_10_MB": lambda: HEAD + TO + b"Subject: " + b"y" * 10_000_000 + b"\r\n\r\nx\r\n",
    "empty_lines_5_MB": lambda: HEAD + TO + b"\r\n" * 2_500_000,
    "dots_5_MB": lambda: HEAD + TO + b"\r\n" + b".\r\n" * 1_600_000,
    "encoded_words": lambda: field(b"Subject", b"=?utf-8?b?w7w=?= ", 12_000),
    "encoded_words_in_to": lambda: field(b"Cc", b"=?utf-8?q?=C3=BC?= <a@b.example>, ", 6_000, b"z@b.example"),
    "addresses_100000": lambda: field(b"Cc", b"a@b.example,", 100_000, b"z@b.example"),
    "addresses_20000": lambda: field(b"Cc", b"a@b.example,", 20_000, b"z@b.example"),
    "names_in_to": lambda: field(b"Cc", b"Andrew <mail@company.example>,", 8_000, b"z@b.example"),
    "quotes": lambda: field(b"Cc", b'"\\"', 60_000, b'" <a@b>'),
    "comments": lambda: field(b"Cc", b"(", 200_000, b"a@b.example"),
    "groups": lambda: field(b"Cc", b"g:a@b.example;,", 16_000, b"z@b.example"),
    "angles": lambda: field(b"Cc", b"<", 200_000, b"a@b.example"),
    "references": lambda: field(b"References", b"<a@b.example>", 18_000),
    "pieces_of_names": lambda: HEAD + b"X: a" + b"".join(b";\r\n name*%d=x" % n for n in range(15_000)) + b"\r\n\r\nx",
    "gzip_bomb": bomb,
}  # fmt: skip


@pytest.fixture(scope="module")
def letters() -> Mapping[str, bytes]:
    """All of them, made once."""
    return {name: make().replace(b"<id@", f"<{name}@".encode(), 1) for name, make in MESSAGES.items()}


@pytest_twisted.ensureDeferred
async def test_collected(house, letters) -> None:
    """Each reaches a mailbox, octet for octet behind what we put on top; the turn of the longest one is short."""
    await house.start('[[user]]\nname = "andrew"\npassword = "x"\naccounts = ["mail@company.example"]\n')
    for name, octets in letters.items():
        house.isp.box.put(octets, name)
    # The provider is pretended in this very process: its own turns count too, which only makes it harder.
    with StallWatch(reactor) as watch:
        answer = (await house.office.acts.send_receive())["mail@company.example"]
    assert house.isp.box.letters == {}
    assert sum(answer["collected"].values()) == len(letters), answer
    sizes = {row["user"]: row["messages"] for row in await house.office.acts.mailboxes()}
    assert sizes["andrew"] + sizes["admin1"] == len(letters)
    assert watch.turns > 100
    assert watch.longest < MOST, f"a turn took {watch.longest:.3f} s"


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("name", MESSAGES)
async def test_handed_in(house, letters, name: str) -> None:
    """Each is taken or refused with one reply, the session goes on, and meanwhile others are greeted at once."""
    await house.start('[[user]]\nname = "andrew"\npassword = "x"\naccounts = ["mail@company.example"]\n')
    octets = letters[name].replace(b"mail@company.example", b"andrew@mail.office.example")

    def talk(client: smtplib.SMTP) -> tuple[int, int]:
        client.mail("a@far.example")
        client.rcpt("andrew@mail.office.example")
        code, _ = client.data(octets)
        return code, client.noop()[0]

    with StallWatch(reactor) as watch:
        code, after = await house.smtp(talk)
    assert (code in (250, 552, 554, 550), after) == (True, 250), code
    assert watch.longest < MOST, f"a turn took {watch.longest:.3f} s"
    if code == 250:
        (kept,) = await house.mail_of("andrew", "x")
        assert len(kept) >= len(octets) // 2


@pytest_twisted.ensureDeferred
async def test_the_watch_sees_a_stall() -> None:
    """Work of a tenth of a second in one turn is measured; waiting for as long is not."""

    def work() -> None:
        until = time.thread_time() + 0.1
        while time.thread_time() < until:
            pass

    with StallWatch(reactor) as watch:
        await deferLater(reactor, 0.15)
        assert watch.longest < MOST
        done: Deferred[None] = Deferred()
        reactor.callLater(0, work)
        reactor.callLater(0.01, done.callback, None)
        await done
        await deferLater(reactor, 0.01)
    assert watch.longest > 0.09
