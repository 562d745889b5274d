"""An office that prints by mail, and the provider that takes its mails."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
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
from mailshare.core.errors import MessageTooLarge
from mailshare.core.headers import Headers
from mailshare.core.print_manifest import PrintManifest, read_manifest
from mailshare.core.print_status import Happening, PrintStatus
from mailshare.core.values import (
    DocumentFacts,
    Origin,
    PrintJob,
    PrintState,
    QueueItem,
    Source,
)
from mailshare.testing.isp import PretendISP
from mailshare.wire.ipp_codec import decode, encode
from mailshare.wire.ipp_codes import Operation, Status
from mailshare.wire.ipp_values import Attribute, Group, Message, Tag, Value, name_of, uri
from mailshare.wire.jws import Algorithm, SigningKey, unwrap, verified
from mailshare.wire.mime import EntityBegun, EntityData, MIMEReader
from mailshare.wire.print_mail import MANIFEST_KIND, MANIFEST_TYPE
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


@asynccontextmanager
async def mailing_office(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    """A place for offices, with its provider, both gone at the end."""
    monkeypatch.setattr(DocumentRoom, "documents", Uncounted())
    isp = FussyISP(reactor, os.urandom)
    isp.startService()
    made = Place(folder, isp)
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


async def until(place: Place, number: int, state: PrintState) -> PrintJob:
    """The job, once it is in that state."""
    clock: Any = reactor
    while True:
        job = await place.offices[-1].store.print_jobs.job(number)
        if job is not None and job.state is state:
            return job
        await deferLater(clock, 0.02)


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


async def comes(
    read: Callable[[], Awaitable[Sequence[QueueItem]]], wanted: Callable[[Sequence[QueueItem]], bool]
) -> None:
    """Wait until rows are as they should be, a minute at most."""
    clock: Any = reactor
    until = clock.seconds() + 60
    while not wanted(rows := await read()):
        assert clock.seconds() < until, [(row.agent, row.word) for row in rows]
        await deferLater(clock, 0.02)
