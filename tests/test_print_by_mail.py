"""What is printed at an office leaves it as mail: all parts once, signed, whatever happens between them."""

from __future__ import annotations

import gzip
import hashlib
import io
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pikepdf
import pytest
import pytest_twisted
from attrs import define
from mailing_office import (
    KEY,
    PDF,
    Place,
    comes,
    hand_in,
    mailing_office,
    parts_of,
    report,
    until_said,
)
from twisted.internet import reactor
from twisted.internet.task import deferLater

from mailshare.core.errors import Unavailable
from mailshare.core.headers import Headers
from mailshare.core.print_status import Happening
from mailshare.core.values import (
    Event,
    Outcome,
    PrintChange,
    PrintState,
    QueueState,
)
from mailshare.wire.print_secrecy import Opening, job_key


@pytest_twisted.async_yield_fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    async with mailing_office(tmp_path, monkeypatch) as made:
        yield made


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


@pytest_twisted.ensureDeferred
async def test_cancelling_takes_out_of_the_outbox_what_is_being_tried(place: Place) -> None:
    """The provider is away; cancelled when that is known and not yet written: nothing of it ever leaves."""
    office = await place.start()
    await place.isp.stopService()
    queue: Any = office.store.queue
    settle, tried = queue.settle, []

    async def cancelling(outcomes: Sequence[Outcome], events: Sequence[Event] = ()) -> None:
        rows = [await queue.item(outcome.item_id) for outcome in outcomes]
        if not tried and all(row.agent == "relay" for row in rows):
            tried.extend(row.word for row in rows)
            await office.store.print_jobs.change(number, PrintChange(state=PrintState.CANCELED), 1)
            await comes(queue.items, lambda rows: all(row.word != "active" for row in rows))
        await settle(outcomes, events)

    queue.settle = cancelling
    number = await place.print("far", PDF)
    await comes(queue.items, lambda rows: bool(tried) and not rows)
    assert set(tried) == {"active"}
    assert {row.word for row in await queue.items(open_only=False)} == {"cancelled"}


@pytest_twisted.ensureDeferred
async def test_a_job_cancelled_between_two_of_its_mails_does_not_leave(place: Place) -> None:
    """The first part is handed in when the job is cancelled: it is taken back, and the others are not written."""
    office = await place.start()
    await place.isp.stopService()
    way: Any = office._parts.printing.print_room.agent.ways["mailto"]  # type: ignore[union-attr]
    hand_in = way._hand_in

    async def cancelling(*args: Any) -> int:
        (job,) = await office.store.print_jobs.jobs()
        await office.store.print_jobs.change(job.id, PrintChange(state=PrintState.CANCELED), 1)
        return int(await hand_in(*args))

    way._hand_in = cancelling
    await place.settled(await place.print("far", PDF))
    await comes(office.store.queue.items, lambda rows: not rows)
    (row,) = await office.store.queue.items(agent="relay", open_only=False)
    assert row.word == "cancelled"


@pytest_twisted.ensureDeferred
async def test_mails_of_a_job_are_taken_back_though_the_server_was_killed(place: Place) -> None:
    """Killed when the job was cancelled and its mails were not: the next start takes them back before any leaves."""
    office = await place.start()
    await place.isp.stopService()
    for queue in ("far", "everywhere"):
        number = await place.print(queue, PDF)
    clock: Any = reactor
    while len(await office.store.queue.items(agent="relay")) < 7:
        await deferLater(clock, 0.02)
    office.store.print_jobs._watching.clear()  # type: ignore[attr-defined]  # nobody hears of it any more
    await office.store.print_jobs.change(number, PrintChange("far", PrintState.CANCELED), 1)
    await office.stopService()
    place.isp.startService()
    office = await place.start()
    words = [row.word for row in await office.store.queue.items(agent="relay", open_only=False)]
    assert (words.count("cancelled"), len(words)) == (3, 7)


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
