"""An office with a printer tells by mail what became of a job that came by mail, over a stop, and takes the answer."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_twisted
from attrs import evolve
from twisted.internet import reactor
from twisted.internet.task import deferLater

from mailshare.assembly.office import Office, read_again
from mailshare.config import load_config
from mailshare.core.envelope import Envelope
from mailshare.core.headers import Headers
from mailshare.core.values import Origin, PrintDocument, PrintJob, PrintMail, PrintState, PrintTicket, Source
from mailshare.testing.isp import PretendISP
from mailshare.wire.jws import Algorithm, SigningKey, verified
from mailshare.wire.mime import MIMEReader
from mailshare.wire.print_status_mail import StatusCollector

KEY = SigningKey("branch", Algorithm.HS256, secret=b"a secret of thirty-two octets or more")
FILE = """\
[server]
hostname = "print.example"
grace = 1
[listen]
smtp = ["tcp:0:interface=127.0.0.1"]
[[account]]
address = "mail@company.example"
relay = "smtp://mail@127.0.0.1:{smtp}?tls=none"
password = "isp"
[[printer]]
name = "Office"
addresses = ["mail+office@company.example"]
device = "dir:{folder}"
allow = ["@far.example"]
keys = [{{ id = "branch", secret = "a secret of thirty-two octets or more" }}]
"""


class Place:
    """The office and its provider."""

    def __init__(self, folder: Path, isp: PretendISP) -> None:
        self.folder, self.isp = folder, isp
        self.offices: list[Office] = []

    async def start(self) -> Office:
        """Start the office, again too."""
        (self.folder / "m.toml").write_text(FILE.format(smtp=self.isp.ports()[1], folder=self.folder / "out"))
        config = load_config(str(self.folder / "m.toml"))
        office = Office(config, reactor, reload_config=read_again(config, None))
        self.offices.append(office)
        office.startService()
        assert office.started is not None
        await office.started
        return office

    async def job(self, **mail: Any) -> PrintJob:
        """A job came by mail."""
        store = self.offices[-1].store
        uuid = "01900000-0000-7000-8000-" + os.urandom(6).hex()
        about = evolve(PrintMail(uuid, "anna@far.example", "anna@far.example", "<j@far.example>"), **mail)
        ticket = PrintTicket(uuid, "Office", name="Agenda", members=("Office",), notify=("done",), mail=about)
        sink = store.new_body(100)
        sink.write(b"Subject: x\r\n\r\n%PDF-1.4\n%%EOF\n")
        document = PrintDocument(1, "application/pdf", 15, bytes(32))
        clock: Any = reactor
        return await store.print_jobs.take(ticket, [(document, await sink.finish())], int(clock.seconds() * 1_000_000))

    async def mails(self, count: int) -> list[bytes]:
        """The mails that left, once there are so many."""
        clock: Any = reactor
        until = clock.seconds() + 60
        while len(self.isp.relayed) < count:
            assert clock.seconds() < until, [mail.octets for mail in self.isp.relayed]
            await deferLater(clock, 0.02)
        return [mail.octets for mail in self.isp.relayed]


@pytest_twisted.async_yield_fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """An office that is not started yet."""
    isp = PretendISP(reactor, os.urandom)
    isp.startService()
    made = Place(tmp_path, isp)
    yield made
    for office in made.offices:
        if office.running:
            await office.stopService()
    await isp.stopService()


@pytest_twisted.ensureDeferred
async def test_the_sender_of_a_printed_job_hears_of_it_and_has_it_printed_again(place: Place) -> None:
    """A signed status mail leaves through the provider; its answer prints the document once more, with a status."""
    office = await place.start()
    job = await place.job(kid="branch", level=3)
    (mail,) = await place.mails(1)
    headers = Headers.parse(mail)
    assert headers.text("subject") == "[print] done: Agenda (on Office)"
    assert [str(box.address) for box in headers.mailboxes("from")] == ["mail+office@company.example"]
    collector = StatusCollector()
    reader = MIMEReader()
    for event in (*reader.feed(mail), *reader.end()):
        collector.take(event)
    status, signed = collector.result()
    assert status.id == job.ticket.uuid
    assert verified(signed, KEY)
    answer = (
        f"From: anna@far.example\r\nTo: mail+office@company.example\r\nIn-Reply-To: {headers.own_id}\r\n"
        "Message-ID: <a@far.example>\r\n\r\n#reprint\r\n"
    ).encode()
    store = office.store
    sink = store.new_body(len(answer))
    sink.write(answer)
    origin = Origin(Source.COLLECT, os.urandom(8).hex(), account_id=store.directory.current().accounts[0].id)
    done = await store.delivery.deliver(Envelope(None, ()), await sink.finish(), origin, [], [], at=1)
    news = office._parts.printing.print_room.news  # type: ignore[union-attr]
    assert news is not None
    assert await news.replies.take("Office", done.message_id, Headers.parse(answer), 0)
    await place.mails(3)
    assert len(list((place.folder / "out").iterdir())) == 2


@pytest_twisted.ensureDeferred
async def test_what_was_not_told_before_a_stop_is_told_after_it(place: Place) -> None:
    """The server ends between the end of the job and its mail."""
    office = await place.start()
    news = office._parts.printing.print_room.news  # type: ignore[union-attr]
    assert news is not None
    news.close()  # as a kill would
    news.close = lambda: None  # type: ignore[method-assign]
    job = await place.job()
    clock: Any = reactor
    while (found := await office.store.print_jobs.job(job.id)) is None or found.state is not PrintState.COMPLETED:
        await deferLater(clock, 0.02)
    await office.stopService()
    assert place.isp.relayed == []
    await place.start()
    (mail,) = await place.mails(1)
    assert Headers.parse(mail).text("subject") == "[print] done: Agenda (on Office)"
