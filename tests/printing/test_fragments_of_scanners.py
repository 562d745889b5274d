"""Mails that a scanner cut into ``message/partial``: joined from raw octets, behind the same doors as all others."""

from __future__ import annotations

import os
from base64 import encodebytes

import pytest
from printing_server import PrintingServer

from mailshare.printing.local_printer import MailLimits

PDF = b"%PDF-1.4\n" + os.urandom(30_000) + b"\n%%EOF\n"


@pytest.fixture
def server() -> PrintingServer:
    """A printer that takes mail of those who log in."""
    return PrintingServer()


def scanned(pieces: int, name: str = "scan-1@scanner", *, total_in_last: bool = False) -> list[bytes]:
    """A mail with a PDF as a scanner cuts it, between lines."""
    inner = (
        b"Subject: Scan [x2]\r\nMessage-ID: <inner@scanner>\r\nMIME-Version: 1.0\r\nX-Inner: not kept\r\n"
        b'Content-Type: application/pdf; name="scan.pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
        + encodebytes(PDF).replace(b"\n", b"\r\n")
    )
    lines = inner.splitlines(keepends=True)
    share = -(-len(lines) // pieces)
    out = []
    for number in range(1, pieces + 1):
        total = f"; total={pieces}" if number == pieces or not total_in_last else ""
        head = (
            f"From: Anna <anna@far.example>\r\nTo: office@print.example\r\nSubject: part {number}\r\n"
            f"Message-ID: <{number}.{name}>\r\nMIME-Version: 1.0\r\n"
            f'Content-Type: message/partial; id="{name}"; number={number}{total}\r\n\r\n'
        )
        out.append(head.encode() + b"".join(lines[(number - 1) * share : number * share]))
    return out


@pytest.mark.parametrize("late", [False, True])
def test_pieces_in_any_order_are_the_mail(server: PrintingServer, late: bool) -> None:
    """Its own subject and document; the total may stand in the last alone; a piece that comes twice changes nothing."""
    mails = scanned(4, total_in_last=late)
    for index in (3, 0, 0, 2):
        assert "is here" in server.mail(mails[index], login=True)
    assert server.jobs() == []
    server.restart()
    assert "Taken as job" in server.mail(mails[1], login=True)
    (job,) = server.jobs()
    assert (job.ticket.name, job.ticket.options, job.documents[0].name) == ("Scan", {"copies": 2}, "scan.pdf")
    assert server.documents() == [PDF]
    assert server.mail(mails[1], login=True) == "It was taken before"
    server.wait(100_000)
    assert (len(server.jobs()), server.collecting()) == (1, [])


def test_pieces_of_strangers_are_not_kept(server: PrintingServer) -> None:
    """Nor do pieces that were proved otherwise join those of somebody else; what is never whole is let go."""
    mails = scanned(2)
    assert "Not printed" in server.mail(mails[0])
    assert server.collecting() == []
    server.mail(mails[0], login=True)
    server.mail(mails[1])
    assert (len(server.collecting()), server.jobs()) == (1, [])
    server.wait(25 * 3600)
    assert server.collecting() == []


@pytest.mark.parametrize(
    "media", ["message/partial", "message/partial; id=x; number=0", "message/partial; id=x; number=5; total=4"]
)
def test_nonsense_is_refused(server: PrintingServer, media: str) -> None:
    """Fragments that do not say of what."""
    mail = scanned(1)[0].replace(b'message/partial; id="scan-1@scanner"; number=1; total=1', media.encode())
    assert "fragment that does not say of what" in server.mail(mail, login=True)
    assert server.collecting() == []


def test_octets_of_a_sender_are_bounded_over_all_his_scans(server: PrintingServer) -> None:
    """Nothing announces how large a scan will be: what has come counts, his own and everybody's."""
    size = len(PDF) * 4 // 3 // 2
    server.declare(limits=MailLimits(collecting=size * 2 + 4_000))
    assert "is here" in server.mail(scanned(2, "one@scanner")[0], login=True)
    assert "is here" in server.mail(scanned(2, "two@scanner")[0], login=True)
    assert "as large as they may be together" in server.mail(scanned(2, "three@scanner")[0], login=True)
    server.declare(limits=MailLimits(printer_collecting=size * 2 + 4_000))
    assert "All jobs that are on their way" in server.mail(scanned(2, "four@scanner")[0], login=True)
    server.declare(limits=MailLimits())
    assert "Taken as job" in server.mail(scanned(2, "one@scanner")[1], login=True)
