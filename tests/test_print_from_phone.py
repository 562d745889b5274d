"""An ordinary mail of a telephone to a printer: each document is a file in the folder, as the device takes it."""

from __future__ import annotations

import io
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pikepdf
import pillow_heif
import pytest_twisted
from PIL import Image
from twisted.internet import reactor
from twisted.internet.task import deferLater

from mailshare.assembly.office import Office, read_again
from mailshare.config import load_config
from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.values import Origin, Source

CLOCK: Any = reactor
FILE = """\
[server]
hostname = "print.example"
grace = 1
[listen]
smtp = ["tcp:0:interface=127.0.0.1"]
[[account]]
address = "mail@company.example"
[[user]]
name = "anna"
password = "anna"
accounts = ["mail@company.example"]
[[printer]]
name = "Paper"
addresses = ["printer@company.example"]
device = "dir:paper"
allow = ["@company.example"]
"""


def pdf() -> bytes:
    made, out = pikepdf.new(), io.BytesIO()
    made.add_blank_page()
    made.save(out)
    return out.getvalue()


def photo() -> bytes:
    out = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (640, 480), "red")).save(out)
    return out.getvalue()


def letter(paper: bytes) -> bytes:
    """A photo as telephones take them, a logo, and a mail with a PDF that is forwarded whole."""
    inner = EmailMessage()
    inner["Subject"] = "the paper"
    inner.set_content("see attached")
    inner.add_attachment(paper, maintype="application", subtype="pdf", filename="paper.pdf")
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "mail@company.example", "printer@company.example", "Holiday"
    mail["Message-ID"] = "<1@company.example>"
    mail.set_content("From my phone")
    mail.add_alternative('<p>From my phone <img src="cid:logo"></p>', subtype="html")
    logo = b"\x89PNG\r\n\x1a\n" + bytes(500)
    mail.add_attachment(logo, maintype="image", subtype="png", filename="l.png", cid="<logo>")
    mail.add_attachment(photo(), maintype="image", subtype="heic", filename="photo.heic")
    mail.add_attachment(inner)
    return mail.as_bytes().replace(b"\n", b"\r\n")


async def hand_in(office: Office, octets: bytes) -> None:
    parts = office._parts
    assert parts is not None
    sink = parts.store.new_body(len(octets))
    sink.write(octets)
    anna = parts.store.directory.current().user_by_name["anna"]
    origin = Origin(Source.SMTP, "0123456789abcdef", user_id=anna.id)
    to = Envelope(Address.parse("mail@company.example"), (Recipient(Address.parse("printer@company.example")),))
    await parts.room.intake.accept(to, await sink.finish(), origin)


@pytest_twisted.ensureDeferred
async def test_a_photo_and_a_forwarded_paper_come_out(tmp_path: Path) -> None:
    """The photo as a PDF of one page, the paper octet for octet; neither the logo nor the texts are printed."""
    (tmp_path / "m.toml").write_text(FILE)
    config = load_config(str(tmp_path / "m.toml"))
    office = Office(config, reactor, reload_config=read_again(config, None))
    office.startService()
    assert office.started is not None
    try:
        await office.started
        paper, folder = pdf(), tmp_path / "paper"
        await hand_in(office, letter(paper))
        for _ in range(600):
            files = sorted(folder.glob("*.pdf")) if folder.exists() else []
            if len(files) == 2:
                break
            await deferLater(CLOCK, 0.05)
        assert [file.name[7:12] for file in files] == ["photo", "paper"], list(tmp_path.rglob("*"))
        assert files[1].read_bytes() == paper
        with pikepdf.open(files[0]) as printed:
            assert len(printed.pages) == 1
        jobs = await office._parts.store.print_jobs.jobs()  # type: ignore[union-attr]
        assert [job.ticket.mail.pages for job in jobs if job.ticket.mail] == [1, 1]
    finally:
        await office.stopService()
