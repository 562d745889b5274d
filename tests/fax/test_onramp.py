"""Faxes that come in: kept before they are confirmed, one mail each, whatever happens in between."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
import pytest_twisted
from attrs import define, evolve
from PIL import Image
from twisted.internet.task import Clock

from mailshare.core.errors import StorageFull, Unavailable
from mailshare.core.fax_routing import FaxRoute
from mailshare.core.values import Event
from mailshare.core.values.fax import CallFacts, Coding, FaxCause, FaxPage, Ringing
from mailshare.delivery.intake import Intake
from mailshare.delivery.reports import Reports
from mailshare.delivery.router import Router
from mailshare.documents.fax_strips import coded
from mailshare.fax.admission import Admission
from mailshare.fax.arrivals import Arrivals
from mailshare.fax.files import Incoming, Ledgers
from mailshare.fax.office import FaxOffice
from mailshare.fax.onramp import Onramp
from mailshare.fax.rules import FaxRules
from mailshare.store.memory import MemoryStore
from mailshare.testing.fax_documents import InThread
from mailshare.testing.store_office import NOW, Office, office, whole
from mailshare.wire.tiff_fax import read_tiff

CALL = Ringing("line-1", "trunk", "+4989123456", "+49305550100")


def page(seed: int, coding: Coding = Coding.MR) -> FaxPage:
    return coded(Image.frombytes("1", (1728, 40), random.Random(seed).randbytes(216 * 40)), 204, 98, coding)


@define
class Desk:
    """An onramp over a store in memory."""

    office: Office
    folder: Path
    clock: Clock
    rules: FaxRules
    onramp: Onramp

    def again(self) -> Onramp:
        """After a stop of the server."""
        self.onramp = make(self.office, self.folder, self.clock, lambda: self.rules)
        return self.onramp

    async def mails(self, name: str = "andrew") -> list[Message]:
        user = next(one for one in self.office.store.directory.current().users if one.name == name)
        drop = await self.office.drop(user)
        found = [message_from_bytes(await whole(await drop.body(entry))) for entry in (await drop.snapshot())[0]]
        drop.release()
        return found

    async def events(self, kind: str) -> list[Event]:
        return [event for _, event in await self.office.store.events.page(since=0, until=2 * NOW, kinds=(kind,))]


def make(place: Office, folder: Path, clock: Clock, rules: Callable[[], FaxRules]) -> Onramp:
    async def aside(act: Callable[[], object]) -> object:
        return act()

    intake = Intake(place.store, Router(), clock, Reports(place.store, clock, os.urandom))
    perform = InThread(aside).perform
    fax = FaxOffice(
        place.store,
        clock,
        FaxRules(("fax.example",)),
        directory=str(folder),
        aside=aside,
        perform=perform,
        zone=UTC,
        token=os.urandom,
    )
    arrivals = Arrivals(place.store, intake, rules, fax.gateway, fax.pages, clock, os.urandom)
    ledgers = Ledgers(f"{folder}-ledgers", aside)
    return Onramp(place.store, arrivals, Incoming(str(folder), aside), rules, clock, Admission(rules), ledgers)


@pytest_twisted.async_yield_fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    clock = Clock()
    clock.advance(NOW / 1_000_000)
    async with office(lambda: MemoryStore(clock=clock)) as place:
        rules = FaxRules(("fax.example",), inbox=("andrew",), formats=("tiff",))
        made = Desk(place, tmp_path / "in", clock, rules, make(place, tmp_path / "in", clock, lambda: made.rules))
        yield made


async def receives(onramp: Onramp, *pages: FaxPage, call: Ringing = CALL, facts: CallFacts | None = None) -> None:
    assert await onramp.screen(call) is FaxCause.OK
    for number, one in enumerate(pages):
        await onramp.page_received(call, number, one)
    await onramp.finished(call, facts or CallFacts(FaxCause.OK, "+49 89 123456", "", 14400, ecm=True, seconds=61))


def tiff_of(mail: Message) -> bytes:
    [part] = [one for one in mail.walk() if one.get_content_type() == "image/tiff"]
    data = part.get_payload(decode=True)
    assert isinstance(data, bytes)
    return data


async def test_a_fax_becomes_one_mail_with_its_own_octets(desk: Desk) -> None:
    """S3 S13 G11: sender FAX=+caller, null return path, From, Date, Message-ID; pages in the coding that came."""
    pages = [page(1), page(2, Coding.MMR)]
    await receives(desk.onramp, *pages)
    [mail] = await desk.mails()
    assert [one.page for one in read_tiff(tiff_of(mail))] == pages
    assert "<FAX=+4989123456@fax.example>" in mail["From"]
    assert mail["Date"]
    assert mail["Message-ID"] == f"<fax.line-1@{desk.office.store.directory.current().hostname}>"
    assert mail["Subject"] == "Fax from +49 89 123456, 2 pages"
    assert not os.listdir(desk.folder)
    [(number, _, _)] = await desk.office.store.find(mail["Message-ID"])
    found = await desk.office.store.message(number)
    assert found is not None


async def test_pages_are_on_the_disk_before_they_are_confirmed(desk: Desk) -> None:
    """What the far end has been told to have arrived is there after any stop, and becomes mail at the next start."""
    await desk.onramp.screen(CALL)
    await desk.onramp.page_received(CALL, 0, page(1))
    await desk.onramp.page_received(CALL, 1, page(2))
    await desk.again().open()
    [mail] = await desk.mails()
    assert len(read_tiff(tiff_of(mail))) == 2
    assert mail["Subject"].endswith("(broken off)")
    await desk.again().open()
    assert len(await desk.mails()) == 1


async def test_a_call_that_comes_in_is_seen_with_its_page(desk: Desk) -> None:
    """Answering, then the number of the page that is under way; nothing of it when it is over."""
    for expected in (0, 1):
        assert await desk.onramp.screen(CALL) is FaxCause.OK
        assert [one.page for one in desk.onramp.coming.values()] == [expected]
    await desk.onramp.page_received(CALL, 0, page(1))
    assert [one.page for one in desk.onramp.coming.values()] == [2]
    await desk.onramp.finished(CALL, CallFacts(FaxCause.OK))
    assert not desk.onramp.coming


async def test_a_stop_between_the_mail_and_the_end_of_the_pages_makes_no_second_mail(desk: Desk) -> None:
    """The Message-ID follows from the call."""
    await receives(desk.onramp, page(1))
    await desk.onramp.page_received(CALL, 0, page(1))
    await desk.again().open()
    assert len(await desk.mails()) == 1
    assert not os.listdir(desk.folder)


async def test_a_page_that_cannot_be_kept_is_not_confirmed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line hears of it, so that the sender sends it again."""
    await desk.onramp.screen(CALL)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull):
        await desk.onramp.page_received(CALL, 0, page(1))


async def test_a_mail_that_cannot_be_stored_is_tried_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full store costs time, no fax."""
    real = desk.onramp._arrivals._intake

    class Shut:
        async def accept(self, *_: object) -> None:
            raise Unavailable

    desk.onramp._arrivals._intake = Shut()  # type: ignore[assignment]
    await receives(desk.onramp, page(1))
    assert await desk.mails() == []
    desk.onramp._arrivals._intake = real
    desk.clock.advance(61)
    assert len(await desk.mails()) == 1


async def test_routes_say_who_gets_it(desk: Desk) -> None:
    """G9: to a user, to several, and to nobody's fault back to the inbox."""
    desk.rules = FaxRules(
        ("fax.example",), inbox=("greg",), formats=("pdf",), routes=(FaxRoute(("andrew", "greg"), subaddress="12"),)
    )
    await receives(desk.onramp, page(1), facts=CallFacts(FaxCause.OK, subaddress="12"))
    await receives(desk.onramp, page(2), call=Ringing("line-2", "trunk"), facts=CallFacts(FaxCause.OK))
    assert len(await desk.mails("andrew")) == 2  # greg's copies go to andrew, too
    assert len(await desk.mails("greg")) == 2
    [sender] = [mail["From"] for mail in await desk.mails("greg") if "unknown" in mail["From"]]
    assert "FAX=0@fax.example" in sender


async def test_unwanted_callers_are_not_answered(desk: Desk) -> None:
    """G19: by patterns of numbers; no page of theirs costs a line."""
    desk.rules = FaxRules(("fax.example",), refused=("+4989*",))
    assert await desk.onramp.screen(CALL) is FaxCause.REJECTED
    [event] = await desk.events("fax.screened")
    assert event.data["caller"] == "+4989123456"


async def test_the_journal_tells_of_calls(desk: Desk) -> None:
    """G18: who called which number, pages, rate, seconds, and the message that it became."""
    await receives(desk.onramp, page(1))
    [event] = await desk.events("fax.received")
    wanted = {"caller": "+4989123456", "called": "+49305550100", "pages": 1, "rate": 14400, "cause": "ok"}
    assert wanted.items() <= event.data.items()
    assert len(event.trace) == 16


async def test_a_call_without_a_page_leaves_a_line_and_no_mail(desk: Desk) -> None:
    """Nobody is bothered by a caller who thinks better of it."""
    await receives(desk.onramp, facts=CallFacts(FaxCause.DROPPED))
    assert await desk.mails() == []
    [event] = await desk.events("fax.received")
    assert (event.data["pages"], event.data["cause"]) == (0, "dropped")


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (b"%PDF-1.4 torn", "application/pdf"),
        (b"II*\0" + bytes(40), "image/tiff"),
        (os.urandom(5_000_000), "application/octet-stream"),
        (b"", ""),
    ],
    ids=["pdf", "tiff", "noise", "nothing"],
)
async def test_a_fax_that_gives_no_pages_is_mailed_as_it_came(desk: Desk, document: bytes, kind: str) -> None:
    """Also where a route leads to boxes alone, which want pages; once, however often the line hands it over."""
    desk.rules = evolve(desk.rules, routes=(FaxRoute(("box:safe",), called="*"),))
    facts = CallFacts(FaxCause.OK, "+49 89 123456")
    for _ in range(2):
        assert await desk.onramp.screen(CALL) is FaxCause.OK
        await desk.onramp.unreadable(CALL, facts, document, "This is no TIFF file")
    [mail] = await desk.mails()
    assert mail["Subject"] == "Fax from +49 89 123456, which cannot be read"
    words = mail.get_payload(0).get_payload()
    assert "no pages could be made of it" in words
    assert "This is no TIFF file" in words.replace("\r\n", " ")
    attached = [(one.get_content_type(), one.get_payload(decode=True)) for one in mail.get_payload()[1:]]
    assert attached == ([(kind, document)] if kind else [])
    [told] = [one.data for one in await desk.events("fax.received")]
    assert (told["cause"], told["pages"], told["error"]) == ("bad-document", 0, "This is no TIFF file")
    assert not os.listdir(desk.folder)
    assert not desk.onramp.coming
