"""What is printed at an office leaves it as mail: all parts once, signed, whatever happens between them."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pikepdf
import pytest
import pytest_twisted
from attrs import define, field
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from mailshare.assembly.document_room import DocumentRoom
from mailshare.assembly.office import Office, read_again
from mailshare.config import load_config
from mailshare.core.address import Address
from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import MessageTooLarge, Unavailable
from mailshare.core.headers import Headers
from mailshare.core.print_manifest import PrintManifest, read_manifest
from mailshare.core.print_status import Happening, PrintStatus
from mailshare.core.values import (
    Certainty,
    DocumentFacts,
    Origin,
    PrintChange,
    PrintJob,
    PrintState,
    QueueState,
    Source,
)
from mailshare.testing.isp import PretendISP
from mailshare.wire.ipp_codec import decode, encode
from mailshare.wire.ipp_codes import Operation, Status
from mailshare.wire.ipp_values import Attribute, Group, Message, Tag, Value, name_of, uri
from mailshare.wire.jws import Algorithm, SigningKey, unwrap, verified
from mailshare.wire.mime import EntityBegun, EntityData, MIMEReader
from mailshare.wire.print_mail import MANIFEST_KIND, MANIFEST_TYPE
from mailshare.wire.print_secrecy import Opening, job_key
from mailshare.wire.print_status_mail import StatusLetter, status_mail

PDF = b"%PDF-1.4\n" + os.urandom(250_000) + b"\n%%EOF\n"
KEY = SigningKey("office", Algorithm.HS256, secret=b"a secret of thirty-two octets or more")
FILE = """\
[server]
hostname = "print.example"
grace = 1
[listen]
ipp = ["tcp:0:interface=127.0.0.1"]
[[account]]
address = "mail@company.example"
relay = "smtp://mail@127.0.0.1:{smtp}?tls=none"
password = "isp"
[[user]]
name = "anna"
password = "anna"
accounts = ["mail@company.example"]
[[destination]]
name = "far"
address = "printer@far.example"
key = "a secret of thirty-two octets or more"
key_id = "office"
part_size = 100000
[[destination]]
name = "secret"
address = "printer@secret.example"
key = "a secret of thirty-two octets or more"
key_id = "office"
part_size = 100000
encrypt = true
[[destination]]
name = "farther"
address = "mailto:printer@farther.example"
[[destination]]
name = "everywhere"
members = ["far", "farther"]
"""


class FussyISP(PretendISP):
    """A provider that takes mails of so many octets; 0 = any."""

    most = 0

    def take(self, envelope: Envelope, octets: bytes) -> str:
        if self.most and len(octets) > self.most:
            raise MessageTooLarge
        return super().take(envelope, octets)


class Uncounted:
    """Stands in for the room of documents, which would start a process for each office: no document here has pages."""

    async def facts(self, octets: AsyncIterator[bytes], declared: str = "") -> DocumentFacts:
        del declared
        async for _ in octets:
            pass
        raise NotConvertible(Hindrance.DAMAGED)


@define
class Place:
    """An office, its provider, and the mails that the provider took."""

    folder: Path
    isp: FussyISP
    offices: list[Office] = field(factory=list)

    async def start(self, file: str = FILE) -> Office:
        (self.folder / "m.toml").write_text(file.format(smtp=self.isp.ports()[1]))
        config = load_config(str(self.folder / "m.toml"))
        office = Office(config, reactor, reload_config=read_again(config, None))
        self.offices.append(office)
        office.startService()
        assert office.started is not None
        await office.started
        return office

    async def print(self, queue: str, data: bytes) -> int:
        """Print-Job; the job-id."""
        address = next(str(one["address"]) for one in self.offices[-1].places() if one["service"] == "ipp")
        attributes = (
            Attribute("attributes-charset", (Value(Tag.CHARSET, "utf-8"),)),
            Attribute("attributes-natural-language", (Value(Tag.LANGUAGE, "en"),)),
            uri("printer-uri", f"ipp://{address}/ipp/print/{queue}"),
            name_of("requesting-user-name", "anna"),
            name_of("job-name", "Report"),
        )
        octets = encode(Message((2, 0), Operation.PRINT_JOB, 1, (Group(Tag.OPERATION, attributes),))) + data
        request = Request(f"http://{address}/ipp/print/{queue}", octets, {"Content-Type": "application/ipp"})
        answer = decode(await deferToThread(lambda: urlopen(request, timeout=30).read()))[0]
        assert answer.code == Status.OK
        found = answer.group(Tag.JOB).get("job-id")
        assert found is not None
        return int(found.first.number)

    async def settled(self, number: int) -> PrintJob:
        """The job, once no row of it waits; rows that wait for the outbox are looked at again at once."""
        store, clock = self.offices[-1].store, reactor
        while rows := await store.queue.items(agent="print"):
            waiting = [row.id for row in rows if row.word in ("queued", "deferred")]
            if not await store.queue.items(agent="relay"):
                await store.queue.steer(waiting, "retry", int(clock.seconds() * 1_000_000))  # type: ignore[attr-defined]
                store.notifier.wake("print")
            await deferLater(clock, 0.05)
        job = await store.print_jobs.job(number)
        assert job is not None
        return job


@pytest_twisted.async_yield_fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    monkeypatch.setattr(DocumentRoom, "documents", Uncounted())
    isp = FussyISP(reactor, os.urandom)
    isp.startService()
    made = Place(tmp_path, isp)
    yield made
    for office in made.offices:
        if office.running:
            await office.stopService()
    await isp.stopService()


def parts_of(mail: bytes) -> tuple[PrintManifest, bytes, bool]:
    """``(manifest, chunk, signed by the key)`` of one mail."""
    reader = MIMEReader()
    events = reader.feed(mail) + reader.end()
    kinds = {event.path: event.media.name for event in events if isinstance(event, EntityBegun)}
    data: dict[str, bytes] = {}
    for event in events:
        if isinstance(event, EntityData):
            kind = kinds[event.path]
            data[kind] = data.get(kind, b"") + event.data
    signed = unwrap(data.pop(MANIFEST_TYPE), kind=MANIFEST_KIND)
    data.pop("text/plain")
    ((_, chunk),) = data.items()
    return read_manifest(signed.payload), chunk, verified(signed, KEY)


@pytest_twisted.ensureDeferred
async def test_a_document_leaves_in_parts(place: Place) -> None:
    """Three mails with one signed manifest; their chunks are the document, and the job waits for the far end."""
    office = await place.start()
    job = await place.settled(await place.print("far", PDF))
    mails = [(mail.envelope, *parts_of(mail.octets)) for mail in place.isp.relayed]
    assert len(mails) == 3
    manifest = mails[0][1]
    assert all((each, signed) == (manifest, True) for _, each, _, signed in mails)
    chunks = {hashlib.sha256(chunk).hexdigest(): chunk for _, _, chunk, _ in mails}
    assert b"".join(chunks[one.sha256] for one in manifest.chunks) == PDF
    assert (manifest.sha256, manifest.format) == (hashlib.sha256(PDF).hexdigest(), "application/pdf")
    assert {str(envelope.sender) for envelope, *_ in mails} == {"mail@company.example"}
    assert (manifest.to, str(manifest.sender)) == (("printer@far.example",), "mail@company.example")
    assert manifest.via == "ipp anna"
    assert job.state is PrintState.PROCESSING
    assert job.reasons == ("job-outgoing",)
    assert "has not reported yet" in job.message
    assert await office.store.verify(deep=True) == []


@pytest_twisted.ensureDeferred
async def test_pages_are_counted_before_a_job_leaves(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest tells them, and the program that printed sees them as job-impressions."""
    monkeypatch.undo()
    await place.start()
    made, out = pikepdf.new(), io.BytesIO()
    for _ in range(3):
        made.add_blank_page()
    made.save(out)
    job = await place.settled(await place.print("farther", out.getvalue()))
    (mail,) = place.isp.relayed
    assert (parts_of(mail.octets)[0].pages, job.pages) == (3, 3)


@pytest_twisted.ensureDeferred
async def test_a_document_that_shrinks_leaves_packed_and_encrypted(place: Place) -> None:
    """PostScript travels as gzip, each part encrypted; parts that are asked for again are the same octets."""
    office = await place.start()
    program = b"%!PS\n" + b"".join(b"%d 0 moveto (%d) show\n" % (n, n * 7919 % 10007) for n in range(150_000))
    job = await place.settled(await place.print("secret", program))
    mails = [parts_of(mail.octets) for mail in place.isp.relayed]
    manifest = mails[0][0]
    assert manifest.encoding == "gzip"
    assert manifest.encryption is not None
    assert len(mails) == len(manifest.chunks) > 2
    assert manifest.transferred < len(program) // 2
    chunks = {hashlib.sha256(chunk).hexdigest(): chunk for _, chunk, _ in mails}
    key, clear = job_key(KEY.secret, manifest.encryption.salt, manifest.id), b""
    for number, one in enumerate(manifest.chunks, 1):
        opening = Opening(key, manifest.id, number)
        clear += opening.feed(chunks[one.sha256])
        opening.end()
    assert gzip.decompress(clear) == program
    assert all(b"moveto" not in mail.octets and b"encrypted" in mail.octets for mail in place.isp.relayed)
    sent = place.isp.relayed[0].octets
    await hand_in(office, report(Happening.RESEND, sent, KEY, missing=(2,), words="once more"))
    await until_said(place, job.id, "once more")
    clock: Any = reactor
    while await office.store.queue.items(agent="relay"):
        await deferLater(clock, 0.02)
    (again,) = place.isp.relayed[len(mails) :]
    assert parts_of(again.octets)[1] == chunks[manifest.chunks[1].sha256]


@pytest_twisted.ensureDeferred
async def test_a_group_sends_to_each_under_a_name_of_its_own(place: Place) -> None:
    """Two printers at one printing server must not take each other's job for a second copy."""
    await place.start()
    await place.settled(await place.print("everywhere", PDF))
    manifests = {str(mail.envelope.recipients[0].address): parts_of(mail.octets) for mail in place.isp.relayed}
    far, farther = manifests["printer@far.example"], manifests["printer@farther.example"]
    assert far[0].id != farther[0].id
    assert (far[2], farther[2]) == (True, False)
    assert farther[1] == PDF  # 250,000 octets are one mail where nobody said otherwise


@pytest_twisted.ensureDeferred
async def test_what_was_handed_in_is_not_handed_in_again(place: Place) -> None:
    """Stopped after the first part was stored: the next start hands in the two others, all with one manifest."""
    office = await place.start()
    way: Any = office._parts.printing.print_room.agent.ways["mailto"]  # type: ignore[union-attr]
    door = way._intake = OneMailDoor(way._intake)
    number = await place.print("far", PDF)
    clock: Any = reactor
    while door.count < 2:
        await deferLater(clock, 0.02)
    await office.stopService()
    await place.start()
    await place.settled(number)
    ids = [Headers.parse(mail.octets).message_ids("message-id")[0] for mail in place.isp.relayed]
    assert len(ids) == len(set(ids)) == 3
    assert len({parts_of(mail.octets)[0].id for mail in place.isp.relayed}) == 1


@pytest_twisted.ensureDeferred
async def test_a_job_cancelled_at_the_last_moment_does_not_leave(place: Place) -> None:
    """Cancelled while its key was read: nothing is handed in."""
    office = await place.start()
    way: Any = office._parts.printing.print_room.agent.ways["mailto"]  # type: ignore[union-attr]
    reveal = way._reveal

    async def cancelling(reference: object) -> str:
        (job,) = await office.store.print_jobs.jobs()
        await office.store.print_jobs.change(job.id, PrintChange(state=PrintState.CANCELED), 1)
        text: str = await reveal(reference)
        return text

    way._reveal = cancelling
    job = await place.settled(await place.print("far", PDF))
    assert job.state is PrintState.CANCELED
    assert await office.store.queue.items(agent="relay", open_only=False) == []
    assert place.isp.relayed == []


@pytest_twisted.ensureDeferred
async def test_cancelling_takes_the_waiting_mails_out_of_the_outbox(place: Place) -> None:
    """The provider is away: the parts wait, the job is cancelled, and nothing of it ever leaves."""
    office = await place.start()
    await place.isp.stopService()
    number = await place.print("far", PDF)
    clock: Any = reactor
    while len(await office.store.queue.items(agent="relay")) < 3 or any(
        row.word == "active" for row in await office.store.queue.items()
    ):
        await deferLater(clock, 0.02)
    await office.store.print_jobs.change(number, PrintChange(state=PrintState.CANCELED), 1)
    while await office.store.queue.items():
        await deferLater(clock, 0.02)
    rows = await office.store.queue.items(agent="relay", open_only=False)
    assert {row.word for row in rows} == {"cancelled"}


@define
class OneMailDoor:
    """The door, which takes one mail and then none."""

    door: Any
    count: int = 0

    async def accept(self, *args: Any) -> Any:
        self.count += 1
        if self.count > 1:
            raise Unavailable
        return await self.door.accept(*args)


@pytest_twisted.ensureDeferred
async def test_a_mail_that_is_too_large_is_cut_again(place: Place) -> None:
    """The provider takes 100,000 octets: parts that fit go out under a new name, and the job goes on."""
    await place.start()
    place.isp.most = 100_000
    job = await place.settled(await place.print("far", PDF))
    assert job.state is PrintState.PROCESSING
    found = [parts_of(mail.octets) for mail in place.isp.relayed]
    manifest = found[-1][0]
    chunks = {hashlib.sha256(chunk).hexdigest(): chunk for each, chunk, _ in found if each == manifest}
    assert b"".join(chunks[one.sha256] for one in manifest.chunks) == PDF
    assert max(chunk.size for chunk in manifest.chunks) == 65_536
    row_states = {row.state for row in await place.offices[-1].store.queue.items(agent="relay", open_only=False)}
    assert row_states <= {QueueState.DELIVERED, QueueState.FAILED, QueueState.CANCELLED}


def bounce(mail: bytes, status: str, said: str, action: str = "failed") -> bytes:
    """What a server on the way writes about a mail that it cannot get through."""
    message_id = Headers.parse(mail).message_ids("message-id")[0]
    return (
        "From: MAILER-DAEMON@mx.far.example\r\nTo: mail@company.example\r\nSubject: Undelivered Mail\r\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        "--b\r\n\r\nI am sorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; mx.far.example\r\n\r\nFinal-Recipient: rfc822; printer@far.example\r\n"
        f"Action: {action}\r\nStatus: {status}\r\nDiagnostic-Code: smtp; {said}\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {message_id}\r\n--b--\r\n"
    ).encode()


def whole(found: Sequence[tuple[PrintManifest, bytes, bool]]) -> bytes:
    """The document of the newest cut."""
    manifest = found[-1][0]
    chunks = {hashlib.sha256(chunk).hexdigest(): chunk for each, chunk, _ in found if each == manifest}
    return b"".join(chunks[one.sha256] for one in manifest.chunks)


@pytest_twisted.ensureDeferred
async def test_a_bounce_for_its_size_cuts_the_job_anew_and_is_remembered(place: Place) -> None:
    """Said later, by a server behind the provider: once for all its mails; over a restart, until the way is another."""
    office = await place.start()
    number = await place.print("far", PDF)
    await place.settled(number)
    for mail in list(place.isp.relayed):
        await hand_in(office, bounce(mail.octets, "5.3.4", "552 5.3.4 Message size exceeds fixed limit"))
    clock: Any = reactor
    while len(place.isp.relayed) < 3 + 4:
        await deferLater(clock, 0.02)
    job = await place.settled(number)
    assert (job.state, job.members["far"].serial, job.members["far"].part) == (PrintState.PROCESSING, 1, 65_536)
    assert "has not reported yet" in job.message
    assert whole([parts_of(mail.octets) for mail in place.isp.relayed]) == PDF
    await hand_in(office, report(Happening.DONE, place.isp.relayed[-1].octets, KEY))
    await until(place, number, PrintState.COMPLETED)

    await office.stopService()
    await place.start()
    job = await place.settled(await place.print("far", PDF))
    assert job.members["far"].part == 65_536
    await place.offices[-1].stopService()
    await place.start(FILE.replace("part_size = 100000", "part_size = 120000"))
    job = await place.settled(await place.print("far", PDF))
    assert job.members["far"].part == 120_000


@pytest_twisted.ensureDeferred
async def test_a_bounce_says_why_nothing_is_printed(place: Place) -> None:
    """The first server waits, the next one knows no such printer: its words are those of the job."""
    office = await place.start()
    number = await place.print("farther", PDF)
    await place.settled(number)
    sent = place.isp.relayed[0].octets
    await hand_in(office, bounce(sent, "4.4.1", "400 no route", action="delayed"))
    job = await until_said(place, number, "A mail server on the way has not got it through yet: 400 no route")
    assert job.state is PrintState.PROCESSING
    await hand_in(office, bounce(sent.replace(b".1@print", b".1@other"), "5.1.1", "550 not ours"))
    await hand_in(office, bounce(sent, "5.1.1", "550 5.1.1 no such printer"))
    job = await until(place, number, PrintState.ABORTED)
    assert job.message == "A mail with it came back: 550 5.1.1 no such printer"


@pytest_twisted.ensureDeferred
async def test_a_bounce_in_words_that_came_before_a_stop_is_found_at_the_start(place: Place) -> None:
    """An old server tells it without a machine part; a job whose parts cannot be smaller ends with its words."""
    office = await place.start()
    number = await place.print("far", PDF)
    await place.settled(number)
    office._parts.room.seen.clear()  # type: ignore[union-attr]
    message_id = Headers.parse(place.isp.relayed[1].octets).message_ids("message-id")[0]
    words = f"<printer@far.example>: 552 Message exceeds the limit\r\n\r\nMessage-ID: {message_id}\r\n"
    octets = f"From: <mailer-daemon@mx.example>\r\nSubject: failure notice\r\n\r\n{words}".encode()
    await hand_in(office, octets)
    await office.stopService()
    office = await place.start()
    clock: Any = reactor
    while len(place.isp.relayed) < 3 + 4:
        await deferLater(clock, 0.02)
    await place.settled(number)
    await hand_in(office, bounce(place.isp.relayed[-1].octets, "5.3.4", "552 still too large"))
    job = await until(place, number, PrintState.ABORTED)
    assert job.message == "A mail with it came back: 552 still too large"


def report(happening: Happening, mail: bytes, key: SigningKey | None, **facts: Any) -> bytes:
    """What the printing server writes about the job of a mail."""
    manifest, _, _ = parts_of(mail)
    status = PrintStatus(manifest.id, happening, "Far", 1_795_000_000_000_000, **facts)
    letter = StatusLetter(
        sender=Address("printer", "far.example"),
        to=Address("mail", "company.example"),
        message_id=f"<{os.urandom(6).hex()}@far.example>",
        at=1_795_000_000_000_000,
        about=Headers.parse(mail).message_ids("message-id")[0],
    )
    return status_mail(status, manifest.name, letter, key)


async def until(place: Place, number: int, state: PrintState) -> PrintJob:
    """The job, once it is in that state."""
    clock: Any = reactor
    while True:
        job = await place.offices[-1].store.print_jobs.job(number)
        if job is not None and job.state is state:
            return job
        await deferLater(clock, 0.02)


@pytest_twisted.ensureDeferred
async def test_a_status_mail_ends_the_job(place: Place) -> None:
    """The far end reports by mail; the program that printed sees it done, with the pages that were counted."""
    office = await place.start()
    number = await place.print("far", PDF)
    await place.settled(number)
    sent = place.isp.relayed[0].octets
    forged = SigningKey("office", Algorithm.HS256, secret=bytes(32))
    for key in (None, forged):
        await hand_in(office, report(Happening.DONE, sent, key, certainty=Certainty.COMPLETED))
    await hand_in(office, report(Happening.PRINTING, sent, KEY))
    job = await until_said(place, number, "Far: printing")
    assert (job.state, job.reasons) == (PrintState.PROCESSING, ("job-printing",))
    await hand_in(office, report(Happening.PRINTING, sent, KEY, reasons=("media-empty-error",), words="No paper"))
    assert (await until_said(place, number, "No paper")).reasons == ("job-printing", "media-empty-error")
    printing = office._parts.printing.print_room.service  # type: ignore[union-attr]
    clock: Any = reactor  # the store may tell it before whoever wrote it there has been answered
    while "media-empty-error" not in printing.standing(printing.destinations["far"])[1]:
        await deferLater(clock, 0.02)
    await hand_in(office, report(Happening.DONE, sent, KEY, certainty=Certainty.COMPLETED, impressions=3, sheets=2))
    job = await until(place, number, PrintState.COMPLETED)
    assert (job.impressions, job.sheets, job.members["far"].certainty) == (3, 2, "completed")


@pytest_twisted.ensureDeferred
async def test_the_report_lies_in_the_mailbox_of_who_printed(place: Place) -> None:
    """Once, whatever name stands in its To; ADMIN, who has nothing to do with it, gets nothing."""
    office = await place.start()
    number = await place.print("far", PDF)
    await place.settled(number)
    octets = report(Happening.DONE, place.isp.relayed[0].octets, KEY)
    await hand_in(office, octets.replace(b"To: <mail@", b"To: ADMIN1 <mail@"))
    await until(place, number, PrintState.COMPLETED)
    directory = office.store.directory.current()
    have = {user.name: await office.store.mailboxes.entries(user.id) for user in directory.users}
    assert [name for name, entries in have.items() if entries] == ["anna"]
    assert len(have["anna"]) == 1


@pytest_twisted.ensureDeferred
async def test_parts_that_were_lost_are_sent_again(place: Place) -> None:
    """Just those, under ids of their own; three times, and then no more."""
    office = await place.start()
    number = await place.print("far", PDF)
    await place.settled(number)
    sent = place.isp.relayed[0].octets
    for turn in (1, 2, 3, 4):
        await hand_in(office, report(Happening.RESEND, sent, KEY, missing=(2,), words=f"turn {turn}"))
        await until_said(place, number, f"turn {turn}")
    clock: Any = reactor
    while await office.store.queue.items(agent="relay"):
        await deferLater(clock, 0.02)
    again = place.isp.relayed[3:]
    ids = sorted(Headers.parse(mail.octets).message_ids("message-id")[0].partition("@")[0] for mail in again)
    assert [one.rpartition(".")[2] for one in ids] == ["r1", "r2", "r3"]
    assert all(one.split(".")[1] == "2" for one in ids)
    assert all(parts_of(mail.octets)[0] == parts_of(sent)[0] for mail in again)


@pytest_twisted.ensureDeferred
async def test_a_status_that_came_before_a_stop_is_found_at_the_start(place: Place) -> None:
    """Stored, and then the power was cut before anybody had read it."""
    office = await place.start()
    number = await place.print("far", PDF)
    await place.settled(number)
    office._parts.room.seen.clear()  # type: ignore[union-attr]
    await hand_in(office, report(Happening.FAILED, place.isp.relayed[0].octets, KEY, words="The paper is jammed"))
    await office.stopService()
    await place.start()
    job = await until(place, number, PrintState.ABORTED)
    assert job.message == "The paper is jammed"


async def until_said(place: Place, number: int, words: str) -> PrintJob:
    """The job, once its message is that."""
    clock: Any = reactor
    while True:
        job = await place.offices[-1].store.print_jobs.job(number)
        if job is not None and job.message == words:
            return job
        await deferLater(clock, 0.02)


async def hand_in(office: Office, octets: bytes) -> None:
    """A mail comes in from outside."""
    store = office.store
    sink = store.new_body(len(octets))
    sink.write(octets)
    body = await sink.finish()
    account = store.directory.current().accounts[0]
    origin = Origin(Source.COLLECT, os.urandom(8).hex(), account_id=account.id)
    envelope = Envelope(None, (Recipient(account.address),))
    await office._parts.room.intake.accept(envelope, body, origin)  # type: ignore[union-attr]
