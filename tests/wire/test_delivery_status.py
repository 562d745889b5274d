"""What other servers say of a mail of ours, read out of their bounces (RFC 3464)."""

from __future__ import annotations

import pytest

from mailshare.core.print_parts import says_too_large, too_large
from mailshare.wire.delivery_status import DeliveryStatusCollector, RecipientStatus
from mailshare.wire.mime import MIMEReader

BOUNCE = b"""\
From: MAILER-DAEMON@mx.example\r
Content-Type: multipart/report; report-type=delivery-status; boundary=b\r
\r
--b\r
\r
Sorry.\r
--b\r
Content-Type: message/delivery-status\r
\r
%b\r
--b\r
Content-Type: text/rfc822-headers\r
\r
Message-ID: <x@y>\r
--b--\r
"""


def read(machine_part: bytes) -> list[RecipientStatus]:
    """The statuses of a bounce, whole and octet by octet."""
    results = []
    octets = BOUNCE % machine_part
    for step in (len(octets), 1):
        reader, collector = MIMEReader(), DeliveryStatusCollector()
        for at in range(0, len(octets), step):
            for event in reader.feed(octets[at : at + step]):
                collector.take(event)
        for event in reader.end():
            collector.take(event)
        results.append(list(collector.result()))
    assert results[0] == results[1]
    return results[0]


@pytest.mark.parametrize(
    ("machine_part", "found"),
    [
        (
            b"Reporting-MTA: dns; x\r\n\r\nAction: failed\r\nStatus: 5.3.4\r\nDiagnostic-Code: smtp; 552 A\r\n b\r\n",
            [RecipientStatus("failed", "5.3.4", 552, "552 A b")],
        ),
        (
            b"Reporting-MTA: dns; x\n\nAction: Delayed (later)\nStatus: 4.4.1 (no answer)\n \nAction: delivered\n",
            [RecipientStatus("delayed", "4.4.1"), RecipientStatus("delivered")],
        ),
        (b"Action: failed\r\nDiagnostic-Code: X-Notes; nobody\r\n", [RecipientStatus("failed", reply="nobody")]),
        (b"Reporting-MTA: dns; x\r\n", []),
        (b"\x00\xff: nonsense\r\n\r\n:::\r\n", []),
    ],
    ids=["whole", "bare line ends", "another network", "no recipient", "nonsense"],
)
def test_recipients_are_read(machine_part: bytes, found: list[RecipientStatus]) -> None:
    """Each block with an action is one; what cannot be read is nothing."""
    assert read(machine_part) == found


def test_an_endless_part_is_cut() -> None:
    """What a stranger's server writes costs no more than its bound."""
    assert len(read(b"\r\n\r\nAction: failed\r\n" * 20_000)) <= 101


@pytest.mark.parametrize(
    ("code", "status", "about_size"),
    [
        (552, "", True),
        (552, "5.3.4", True),
        (554, "5.2.3", True),
        (552, "5.2.2", False),
        (552, "5.7.0", False),
        (550, "5.1.1", False),
        (0, "", False),
    ],
)
def test_only_the_size_is_the_size(code: int, status: str, about_size: bool) -> None:
    """A full mailbox and unwanted contents have the same code, and smaller mails would not help."""
    assert too_large(code, status) is about_size
    words = f"host mx.example said: {code or 250} {status}".strip()
    assert says_too_large(words.encode()) is about_size
