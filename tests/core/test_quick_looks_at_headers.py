"""What is read quickly is read as slowly: short ways through a header give what the long ones give."""

from __future__ import annotations

from itertools import product

import pytest

from mailshare.core.bounds import BOUNDS
from mailshare.core.headers import Headers, forget_fields, read_message_ids
from mailshare.core.returned_parts import is_report


@pytest.mark.parametrize(
    "sender",
    [
        b"MAILER-DAEMON",
        b"Mail Delivery System <MAILER-DAEMON@mx.example>",
        b'"mailer\\-daemon"@mx.example',
        b"postmaster@mx.example",
        b"Post <Bounces@mx.example>",
        b"x@y.example, ndr@mx.example",
        b"mdaemon (a robot) <mdaemon@mx.example>",
        b"<>",
        b'"" <>',
        b"Nobody <>",
    ],
)
def test_mail_of_a_robot_is_seen_by_its_sender(sender: bytes) -> None:
    """A From field that names no person makes a report, in any of its forms."""
    assert is_report(Headers.parse(b"Subject: x\r\nFrom: " + sender + b"\r\n\r\n"))


@pytest.mark.parametrize(
    "sender", [b"Andrew <andrew@x.example>", b"bouncer@x.example", b"Postmaster General <pg@x.example>"]
)
def test_mail_of_a_person_is_no_report(sender: bytes) -> None:
    """A word that only looks like a robot's makes none."""
    assert not is_report(Headers.parse(b"From: " + sender + b"\r\n\r\n"))


@pytest.mark.parametrize(
    "value",
    [
        b"<1.a@b.example>",
        b" \t<1@b>  ",
        b"1@b.example",
        b"<a b@c>",
        b"<a@b> <c@d>",
        b"\r\n <1@b>",
        b"<\xe9@b>",
        b"",
        b"x",
    ],
)
def test_the_own_id_is_the_first_id_of_its_field(value: bytes) -> None:
    """A usual Message-ID is taken as it stands; every other is read as all ids are, with the same result."""
    headers = Headers.parse(b"Message-ID:" + value + b"\r\nFrom: x@y.example\r\n\r\n")
    ids = read_message_ids(headers.first("message-id") or "")
    assert headers.own_id == (ids[0] if ids else "")


def test_fields_that_come_again_are_read_once_until_a_bound_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next message with the same line has the same mailboxes; long lines are not kept, and new bounds hold."""
    block = b"To: a@x.example, b@x.example\r\nCc: " + b"x" * 200 + b"@x.example\r\n\r\n"
    first, second = Headers.parse(block), Headers.parse(block)
    assert first.mailboxes("to") is second.mailboxes("to")
    assert first.mailboxes("cc") is not second.mailboxes("cc")
    assert len(second.mailboxes("to")) == 2
    monkeypatch.setattr(BOUNDS, "header_addresses", 1)
    forget_fields()
    assert Headers.parse(block).oversize
    forget_fields()


@pytest.mark.parametrize(("lines", "octets"), [(2000, 65_536), (1, 65_536), (2, 65_536), (3, 4), (4, 3)])
def test_usual_blocks_are_read_as_all_others(monkeypatch: pytest.MonkeyPatch, lines: int, octets: int) -> None:
    """Whatever ends their lines and wherever they are cut off, a pattern finds the fields that lines give."""
    monkeypatch.setattr(BOUNDS, "header_lines", lines)
    monkeypatch.setattr(BOUNDS, "header_field", octets)
    pieces = [b"a:", b"\n", b"\r", b" ", b"\n\r\n"]
    blocks = [b"".join(some) for size in range(7) for some in product(pieces, repeat=size)]
    quickly = [Headers.parse(block) for block in blocks]
    monkeypatch.setattr("mailshare.core.headers._fields_found", lambda _: None)
    for block, quick in zip(blocks, quickly, strict=True):
        assert quick == Headers.parse(block), block
