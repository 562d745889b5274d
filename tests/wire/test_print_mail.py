"""Print jobs as mail: what is written is found again, by us and by what mail programs use."""

from __future__ import annotations

import email
import email.policy
import hashlib
from random import Random

import pytest
from attrs import evolve

from mailshare.core.address import Address
from mailshare.core.headers import Headers
from mailshare.core.print_manifest import Chunk, PrintManifest, manifest_octets, read_manifest
from mailshare.core.print_parts import cut, encoded
from mailshare.wire.jws import Algorithm, SigningKey, sign, unwrap, verified
from mailshare.wire.mime import EntityBegun, EntityData, MIMEReader
from mailshare.wire.print_mail import (
    JOB_FIELD,
    MANIFEST_KIND,
    MANIFEST_TYPE,
    Base64Lines,
    PartAddress,
    document_name,
    part_frame,
    triage,
)

NOW = 1_795_000_000_000_000
KEY = SigningKey("office", Algorithm.HS256, secret=bytes(range(32)))
ABOUT = PartAddress(Address("anna", "office.example"), Address("printer", "far.example"), "mail.office.example", NOW)


def job(document: bytes, part: int, name: str = "Monthly report") -> tuple[PrintManifest, list[bytes]]:
    """A manifest and the chunks of a document."""
    chunks, at = [], 0
    for size in cut(len(document), part):
        chunks.append(document[at : at + size])
        at += size
    manifest = PrintManifest(
        id="019a4f6e-7b00-7cc3-98c4-dc0c0c07398f",
        created=NOW,
        expires=NOW + 3_600_000_000,
        sender=ABOUT.sender,
        to=("printer@far.example",),
        name=name,
        format="application/pdf",
        size=len(document),
        sha256=hashlib.sha256(document).hexdigest(),
        chunks=tuple(Chunk(n, len(one), hashlib.sha256(one).hexdigest()) for n, one in enumerate(chunks, 1)),
        options={"copies": 2},
    )
    return manifest, chunks


def mails(manifest: PrintManifest, chunks: list[bytes]) -> list[bytes]:
    """All mails of the job."""
    signed = sign(manifest_octets(manifest), KEY, kind=MANIFEST_KIND)
    out = []
    for number, chunk in enumerate(chunks, 1):
        head, tail = part_frame(manifest, signed, number, ABOUT, KEY.kid)
        lines = Base64Lines()
        out.append(head + lines.feed(chunk[:1000]) + lines.feed(chunk[1000:]) + lines.end() + tail)
    return out


def leaves(mail: bytes) -> dict[str, tuple[str, bytes]]:
    """``type -> (name, octets)`` of the parts of a mail."""
    reader = MIMEReader()
    events = reader.feed(mail) + reader.end()
    data: dict[tuple[int, ...], bytes] = {}
    for event in events:
        if isinstance(event, EntityData):
            data[event.path] = data.get(event.path, b"") + event.data
    begun = [event for event in events if isinstance(event, EntityBegun) and not event.container]
    return {event.media.name: (event.name, data.get(event.path, b"")) for event in begun}


def test_parts_are_found_again_and_make_the_document() -> None:
    """Each mail carries the signed manifest and its chunk; in the order of their names they are the document."""
    document = Random(1).randbytes(5_000)
    manifest, chunks = job(document, 2_000)
    found = [leaves(mail) for mail in mails(manifest, chunks)]
    for parts in found:
        signed = unwrap(parts[MANIFEST_TYPE][1], kind=MANIFEST_KIND)
        assert verified(signed, KEY)
        assert read_manifest(signed.payload) == manifest
    named = sorted(parts["application/octet-stream"] for parts in found)
    assert [name for name, _ in named] == [f"Monthly_report.pdf.00{n}of003" for n in (1, 2, 3)]
    assert b"".join(chunk for _, chunk in named) == document


def test_a_single_mail_is_opened_by_any_mail_program() -> None:
    """One part: the document has its true type and name; the standard library reads all of it without a complaint."""
    document = b"%PDF-1.4\n" + Random(2).randbytes(3_000)
    manifest, chunks = job(document, 10_000, "Bericht für März")
    (mail,) = mails(manifest, chunks)
    assert mail.isascii()
    assert all(len(line) <= 998 for line in mail.split(b"\r\n"))
    assert b"\n" not in mail.replace(b"\r\n", b"")
    message = email.message_from_bytes(mail, policy=email.policy.default)
    assert message["subject"] == "[print] Bericht für März"
    assert message["auto-submitted"] == "auto-generated"
    text, signed, attached = message.iter_parts()
    assert "application/pdf, 3,009 octets" in text.get_content()
    assert signed.get_content_type() == MANIFEST_TYPE
    assert (attached.get_content_type(), attached.get_content()) == ("application/pdf", document)
    assert attached.get_filename() == "Bericht_f_r_M_rz.pdf"
    assert not any(part.defects for part in message.walk())


def test_the_header_tells_what_it_is() -> None:
    """Threads in mail programs, and triage by TOP without the body."""
    manifest, chunks = job(bytes(5_000), 2_000)
    first, second, _ = (Headers.parse(mail) for mail in mails(manifest, chunks))
    assert second.first("subject") == "[print] Monthly report (2/3)"
    assert second.message_ids("in-reply-to") == first.message_ids("message-id")
    told = triage(second.first(JOB_FIELD))
    assert told is not None
    assert (told.id, told.part, told.parts, told.size, told.kid) == (manifest.id, 2, 3, 5_000, "office")


def test_a_resend_is_another_message() -> None:
    """Stores that drop what they know by its Message-ID must not drop a part that was asked for again."""
    manifest, _ = job(bytes(10), 100)
    signed = sign(manifest_octets(manifest), KEY, kind=MANIFEST_KIND)
    again, _ = part_frame(manifest, signed, 1, evolve(ABOUT, resend=1))
    assert Headers.parse(again).message_ids("message-id") == (f"<{manifest.id}.1.r1@mail.office.example>",)


@pytest.mark.parametrize("value", [None, "", "v=2; id=x", "v=1; id=..; part=1", "v=1; " + "x" * 9999])
def test_other_fields_are_not_read(value: str | None) -> None:
    """What is not of this version is no job."""
    assert triage(value) is None


def test_a_hostile_name_stays_a_name() -> None:
    """No line of the header and no folder comes out of a job's name."""
    manifest, chunks = job(b"x", 10, "../../etc/passwd\r\nBcc: x@y.example")
    (mail,) = mails(manifest, chunks)
    headers = Headers.parse(mail)
    assert not headers.named("bcc")
    assert document_name(manifest, 1) == "etc_passwd_Bcc_x_y.example.pdf"


def test_the_size_was_foreseen() -> None:
    """What is around the chunk stays below what the plan allows for."""
    document = Random(3).randbytes(200_000)
    manifest, chunks = job(document, 300_000)
    (mail,) = mails(manifest, chunks)
    assert len(mail) < encoded(200_000) + 16_384
