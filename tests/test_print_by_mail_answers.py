"""What comes back of a job that was printed by mail: bounces, statuses, and requests for parts that were lost."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from mailing_office import (
    FILE,
    KEY,
    PDF,
    Place,
    hand_in,
    mailing_office,
    parts_of,
    report,
    until,
    until_said,
)
from twisted.internet import reactor
from twisted.internet.task import deferLater

from mailshare.core.headers import Headers
from mailshare.core.print_manifest import PrintManifest
from mailshare.core.print_status import Happening
from mailshare.core.values import (
    Certainty,
    PrintState,
)
from mailshare.wire.jws import Algorithm, SigningKey


@pytest_twisted.async_yield_fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    async with mailing_office(tmp_path, monkeypatch) as made:
        yield made


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
