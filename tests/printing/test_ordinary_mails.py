"""Ordinary mails to a printer: who may, what is printed of them, with which options, and how much."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any

import dkim
import pytest
from counter import settled
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from printing_server import PDF, PrintingServer

from mailshare.core.print_policy import GuestPolicy, SenderPolicy
from mailshare.core.values import SECOND, DocumentFacts, PrintState, QueueState, SetState, Window
from mailshare.printing.hand_on import PrintAgent
from mailshare.printing.local_printer import MailLimits

JPEG = b"\xff\xd8\xff\xe0" + b"photo" * 5_000
LOGO = b"\x89PNG\r\n\x1a\n" + b"logo" * 100
ANNA, EVE = "Anna <anna@far.example>", "Eve <eve@elsewhere.example>"


@pytest.fixture
def server() -> PrintingServer:
    """A printer for people of far.example, which takes a tag and a PIN for a proof."""
    made = PrintingServer()
    made.declare(allow=("@far.example",), tags=({"plain": "k3j9x2"},), pin={"plain": "271828"})
    return made


def part(data: bytes, kind: str, name: str = "", *more: str) -> bytes:
    head = [f"Content-Type: {kind}" + (f'; name="{name}"' if name else ""), "Content-Transfer-Encoding: base64", *more]
    return "\r\n".join([*head, "", ""]).encode() + b64encode(data) + b"\r\n"


def mail(
    *parts: bytes, text: str = "Please print.", sender: str = ANNA, subject: str = "Papers", head: str = ""
) -> bytes:
    """A mail with a text and attachments."""
    lines = f"From: {sender}\r\nTo: office@print.example\r\nSubject: {subject}\r\n"
    lines += f"Message-ID: <{subject.encode().hex()[:40]}@far.example>\r\n{head}"
    if not parts:
        return (lines + f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n").encode()
    body = part(text.encode(), "text/plain; charset=utf-8")
    whole = b"".join(b"--x\r\n" + one for one in (body, *parts)) + b"--x--\r\n"
    return (lines + 'Content-Type: multipart/mixed; boundary="x"\r\n\r\n').encode() + whole


def test_a_login_here_prints_without_more(server: PrintingServer) -> None:
    """Level 3; with the options of address, subject and text, what was said first before the rest."""
    text = "#copies 7\r\n#sides duplex\r\n#oops"
    octets = mail(part(PDF, "application/pdf", "a.pdf"), subject="Agenda [x2 mono]", text=text)
    server.mail(octets, tags=("A4",), login=True)
    (job,) = server.jobs()
    assert (job.ticket.name, job.documents[0].name) == ("Agenda", "a.pdf")
    assert job.ticket.options == {
        "media": "iso_a4_210x297mm",
        "copies": 2,
        "print-color-mode": "monochrome",
        "sides": "two-sided-long-edge",
    }
    assert job.ticket.mail is not None
    assert (job.ticket.mail.level, job.ticket.mail.ignored) == (3, ("#oops",))
    assert server.documents() == [PDF]


def test_a_phone_sends_two_photos_and_a_paper(server: PrintingServer) -> None:
    """One job each; the logo of the signature, the signature and the calendar are none; bad kinds are named."""
    octets = mail(
        part(JPEG, "image/jpeg", "one.jpg", "Content-ID: <1>", "Content-Disposition: inline"),
        part(LOGO, "image/png", "logo.png", "Content-ID: <2>", "Content-Disposition: inline"),
        part(JPEG + b"2", "application/octet-stream", "two.jpg"),
        part(PDF, "application/pdf", "paper.pdf"),
        part(b"x", "application/pkcs7-signature", "smime.p7s"),
        part(b"BEGIN:VCALENDAR", "text/calendar", "invite.ics"),
        part(b"PK\3\4zip", "application/zip", "all.zip"),
        part(b"%!PS\nquit", "application/postscript", "p.ps"),
        part(b"\x78\x9f\x3e\x22", "application/ms-tnef", "winmail.dat"),
    )
    words = server.mail(octets, login=True)
    assert [job.ticket.name for job in server.jobs()] == ["one.jpg", "two.jpg", "paper.pdf"]
    assert [job.documents[0].format for job in server.jobs()] == ["image/jpeg", "image/jpeg", "application/pdf"]
    for name in ("all.zip", "p.ps", "winmail.dat"):
        assert f"{name}: " in words
    assert "Outlook packed it" in words
    ignored = [job.ticket.mail.ignored for job in server.jobs() if job.ticket.mail is not None]
    assert [len(one) for one in ignored] == [3, 0, 0]


def test_without_an_attachment_the_text_is_printed(server: PrintingServer) -> None:
    """As UTF-8, whatever it came in; a mail with attachments that cannot be printed prints nothing."""
    octets = mail().replace(b"utf-8", b"iso-8859-1").replace(b"Please print.", b"Gr\xfc\xdfe")
    server.mail(octets, login=True)
    assert server.documents() == ["Grüße\r\n".encode()]
    assert "Not printed" in server.mail(mail(part(b"PK\3\4", "application/zip", "a.zip"), subject="2"), login=True)
    assert len(server.jobs()) == 1
    assert server.told.news[-1].error == "nothing-to-print"


def test_ten_attachments_are_printed(server: PrintingServer) -> None:
    """The rest is named."""
    parts = [part(PDF + b"%d" % number, "application/pdf", f"{number}.pdf") for number in range(12)]
    words = server.mail(mail(*parts), login=True)
    assert len(server.jobs()) == 10
    assert "11.pdf: only 10 attachments" in words


@pytest.mark.parametrize(
    ("how", "level"),
    [
        ({"tags": ("x2", "K3J9X2")}, 2),
        ({"subject": "Papers [pin=271828]"}, 2),
        ({"tags": ("k3j9x3",)}, 0),
        ({"subject": "Papers [pin=271829]"}, 0),
        ({}, 0),
    ],
)
def test_secrets_prove_and_guesses_do_not(server: PrintingServer, how: dict[str, Any], level: int) -> None:
    """From anybody who knows one; the PIN that opened the printer closes no job, a secret tag is no unknown word."""
    tags = how.pop("tags", ())
    server.mail(mail(part(PDF, "application/pdf"), sender=EVE, **how), tags=tags)
    jobs = server.jobs()
    assert [job.ticket.mail.level for job in jobs if job.ticket.mail is not None] == ([level] if level else [])
    if level:
        assert (jobs[0].held, jobs[0].ticket.mail.pin, jobs[0].ticket.mail.ignored) == (False, "", ())  # type: ignore[union-attr]
    else:
        assert server.told.news == []  # nothing ever goes back to a stranger


def test_a_pin_of_the_senders_own_holds_the_job(server: PrintingServer) -> None:
    """It waits for a release that names the PIN; only its digest is kept."""
    server.mail(mail(part(PDF, "application/pdf"), subject="Pay [pin=4711]"), login=True)
    (job,) = server.jobs()
    assert (job.held, job.state) == (True, PrintState.HELD)
    assert job.ticket.mail is not None
    assert len(job.ticket.mail.pin) == 64
    assert "4711" not in str(server.events())


# ---------------------------------------------------------------------- DKIM


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    """Of a domain."""
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)


def signed(octets: bytes, key: rsa.RSAPrivateKey, domain: str = "far.example", **how: Any) -> bytes:
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return bytes(dkim.sign(octets, b"s1", domain.encode(), pem, **how)) + octets


def record(key: rsa.RSAPrivateKey) -> bytes:
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return b"v=DKIM1; k=rsa; p=" + b64encode(der)


def test_a_signed_mail_of_somebody_on_the_list_prints(server: PrintingServer, key: rsa.RSAPrivateKey) -> None:
    """Level 1: the domain's own; changed, of another domain, or over a part of the body it is worth nothing."""
    server.records = {"s1._domainkey.far.example": record(key), "s1._domainkey.evil.example": record(key)}
    good = signed(mail(part(PDF, "application/pdf")), key)
    bad = {
        "changed": good.replace(b"Subject: Papers", b"Subject: Vapers"),
        "another domain": signed(mail(part(PDF, "application/pdf"), subject="2"), key, "evil.example"),
        "appended": signed(mail(part(PDF, "application/pdf"), subject="3"), key, length=True) + b"more",
        "no key": signed(mail(subject="4"), key, "sub.far.example"),
        "not on the list": signed(mail(subject="5", sender="Eve <eve@evil.example>"), key, "evil.example"),
        "two senders": signed(mail(subject="6", head="From: boss@far.example\r\n"), key),
        "garbage": b"DKIM-Signature: d=far.example; s=s1; b=x\r\n" + mail(subject="7"),
    }
    for why, octets in bad.items():
        server.mail(octets)
        assert server.jobs() == [], why
    assert server.told.news == []
    server.mail(good)
    (job,) = server.jobs()
    assert job.ticket.mail is not None
    assert (job.ticket.mail.level, job.ticket.mail.proof) == (1, "the signature of far.example fits")
    server.mail(signed(mail(subject="8", sender="Bo <bo@sub.far.example>"), key), printer="office")
    assert len(server.jobs()) == 1  # @far.example is not @sub.far.example


@pytest.mark.parametrize("vouched", [False, True], ids=["checked here", "checked by the provider"])
def test_a_copy_with_another_message_id_is_the_same_mail(
    server: PrintingServer, key: rsa.RSAPrivateKey, vouched: bool
) -> None:
    """Where the signature does not cover the Message-ID, or not the one on top, the signature names the mail."""
    server.records = {"s1._domainkey.far.example": record(key)}
    head = b""
    if vouched:
        server.declare(allow=("@far.example",), authserv=("mx.isp.example",))
        head = b"Authentication-Results: mx.isp.example; dkim=pass header.d=far.example\r\n"
    kept = [b"from", b"subject", b"date", b"to"]
    bare = signed(mail(part(PDF, "application/pdf")), key, include_headers=kept)
    whole = signed(mail(part(PDF, "application/pdf"), subject="2"), key, include_headers=[*kept, b"message-id"])
    own = re.search(rb"(?im)^message-id:.*\r\n", bare)
    assert own is not None
    assert "Taken as job" in server.mail(head + bare)
    for other in (bare.replace(own[0], b"Message-ID: <other@far.example>\r\n"), bare.replace(own[0], b"")):
        assert server.mail(head + other) == "It was taken before"
    assert "Taken as job" in server.mail(head + b"Message-ID: <1@far.example>\r\n" + whole)
    assert server.mail(head + b"Message-ID: <2@far.example>\r\n" + whole) == "It was taken before"
    assert len(server.jobs()) == 2


def test_a_trusted_server_may_say_so(server: PrintingServer) -> None:
    """Only one that is named in the configuration, and only above where the mail came in."""
    server.declare(allow=("@far.example",), authserv=("mx.isp.example",))
    hop = "Received: from a.far.example (a.far.example [198.51.100.7]) by mx.isp.example; x\r\n"
    told = "Authentication-Results: {}; dkim=pass header.d=far.example\r\n"
    own, other = told.format("mx.isp.example"), told.format("mx.evil.example")
    for number, head in enumerate((hop + own, other + hop, own.replace("pass", "fail") + hop)):
        server.mail(head.encode() + mail(subject=f"bad {number}"))
    assert server.jobs() == []
    server.mail((own + hop).encode() + mail(subject="good"))
    assert len(server.jobs()) == 1


# ---------------------------------------------------------------------- how much


class Pages:
    """Every PDF has as many pages as its name says."""

    def __init__(self) -> None:
        self.each = 3

    async def facts(self, octets: Any, declared: str = "") -> DocumentFacts:
        length = sum([len(piece) async for piece in octets])
        return DocumentFacts(declared, length, self.each or None)


def counting(server: PrintingServer, pages: int) -> None:
    counter = Pages()
    counter.each = pages
    server.agent.taking.documents = counter  # type: ignore[assignment]


def send(server: PrintingServer, number: int, sender: str = ANNA, **how: Any) -> str:
    return server.mail(mail(part(PDF, "application/pdf"), subject=f"No. {number}", sender=sender, **how))


def test_pages_of_a_day_and_of_a_month_are_bounded(server: PrintingServer) -> None:
    """Counted before printing, with all copies; the next day there are new ones, until the month is over."""
    server.declare(level=0, pages_day=6, pages_month=8, guests=GuestPolicy(hold=False, pages_day=0, mono=False))
    counting(server, 3)
    assert "Taken" in send(server, 1)
    assert "6 pages, and 3 are left" in server.mail(mail(part(PDF, "application/pdf"), subject="No. 2 [x2]"))
    assert "Taken" in send(server, 3)
    assert "0 are left" in send(server, 4)
    assert "Taken" in send(server, 5, sender=EVE)  # somebody else's pages are his own
    server.wait(86_400)
    assert "2 are left" in send(server, 6)
    server.wait(31 * 86_400)
    assert "Taken" in send(server, 7)
    assert [job.ticket.mail.pages for job in server.jobs() if job.ticket.mail is not None] == [3, 3, 3, 3]


def test_a_job_of_too_many_pages_is_not_printed(server: PrintingServer) -> None:
    """A slim document may have 400 of them."""
    server.declare(level=0, limits=MailLimits(pages=400))
    counting(server, 500)
    assert "500 pages with all copies, and 400" in send(server, 1)
    assert server.jobs() == []


def test_pages_that_nobody_can_count_wait_where_they_count(server: PrintingServer) -> None:
    """Where pages are bounded, such a job is held; elsewhere it prints."""
    counting(server, 0)
    server.declare(level=0, pages_day=6, guests=GuestPolicy(hold=False, pages_day=0))
    server.declare("free", level=0, guests=GuestPolicy(hold=False, pages_day=0))
    send(server, 1)
    server.mail(mail(part(PDF, "application/pdf"), subject="No. 2"), printer="free")
    assert [job.held for job in server.jobs()] == [True, False]


def test_guests_wait_and_get_black_only(server: PrintingServer) -> None:
    """Where nothing needs to be proved: held, mono, so many pages a day; who proves something is no guest."""
    server.declare(level=0, allow=("@far.example",), guests=GuestPolicy(pages_day=5))
    counting(server, 3)
    send(server, 1, sender=EVE)
    assert "2 are left" in send(server, 2, sender=EVE)
    server.mail(mail(part(PDF, "application/pdf"), subject="No. 3"), login=True)
    guest, known = server.jobs()
    assert (guest.held, guest.ticket.options) == (True, {"print-color-mode": "monochrome"})
    assert (known.held, known.ticket.options) == (False, {})
    assert (guest.ticket.mail.guest, known.ticket.mail.guest) == (True, False)  # type: ignore[union-attr]


def test_some_senders_have_rules_of_their_own(server: PrintingServer) -> None:
    """The first that fits: refused whatever they prove, held, or let in with less."""
    senders = (
        SenderPolicy("boss@far.example", hold=True),
        SenderPolicy("eve@elsewhere.example", level=9),
        SenderPolicy("@elsewhere.example", level=0),
    )
    server.declare(level=2, senders=senders, guests=GuestPolicy(hold=False, pages_day=0))
    server.mail(mail(subject="1", sender="boss@far.example"), login=True)
    server.mail(mail(subject="2", sender=EVE), login=True)
    server.mail(mail(subject="3", sender="Max <max@elsewhere.example>"))
    server.mail(mail(subject="4", sender=ANNA))
    assert [(job.ticket.user, job.held) for job in server.jobs()] == [
        ("boss@far.example", True),
        ("max@elsewhere.example", False),
    ]
    assert server.told.news[-1].error == "not-allowed"  # Eve logged in, so she is told


def test_a_printer_prints_in_its_hours(server: PrintingServer) -> None:
    """What comes at night is a job, and waits in the queue until the hours begin, without a try that counts."""
    hours = (Window(frozenset({0, 1, 2, 3, 4}), 7 * 60, 19 * 60),)  # the clock stands at Friday, 8:00 UTC
    server.declare(level=0, guests=GuestPolicy(hold=False, pages_day=0), hours=hours)
    send(server, 1)
    agent = PrintAgent(server.counter.service)
    for seconds, opens in ((12 * 3600, 1_800_255_600), (60 * 3600, 0)):
        server.counter.clock.advance(seconds)
        (item,) = server.rows()
        (outcome,) = settled(agent.deliver([item], lambda _item, _progress: None))
        assert (outcome.state is QueueState.QUEUED, outcome.next_at // SECOND) == (bool(opens), opens)


# ---------------------------------------------------------------------- once


def test_a_mail_prints_once(server: PrintingServer) -> None:
    """Collected again, or by another account: the same; the same paper in a new mail: once more."""
    octets = mail(part(PDF, "application/pdf"))
    server.mail(octets, login=True)
    assert server.mail(octets, login=True) == "It was taken before"
    server.restart()
    server.mail(b"Received: again\r\n" + octets, login=True)
    assert len(server.jobs()) == 1
    server.mail(mail(part(PDF, "application/pdf"), subject="Once more"), login=True)
    assert len(server.jobs()) == 2
    assert server.sets(SetState.TAKEN) == 2


@pytest.mark.parametrize(
    "head",
    [
        "Auto-Submitted: auto-replied\r\n",
        "Return-Path: <>\r\n",
        "Precedence: bulk\r\n",
        "List-Id: <l.far.example>\r\n",
        "Content-Type: multipart/report; report-type=delivery-status; boundary=y\r\n",
    ],
)
def test_what_machines_write_is_not_printed(server: PrintingServer, head: str) -> None:
    """And nothing is answered."""
    octets = mail(text="x").replace(b"Content-Type", b"X-Type") if "multipart" in head else mail()
    assert "Not printed" in server.mail(head.encode() + octets, login=True)
    assert server.jobs() == []


def test_a_printer_may_be_for_a_mailshare_only(server: PrintingServer) -> None:
    """Ordinary mails are refused, jobs are printed."""
    server.declare(plain=False, allow=("*",))
    assert "Not printed: only jobs" in server.mail(mail(), login=True)
    server.mail(server.job().mail())
    assert len(server.jobs()) == 1
