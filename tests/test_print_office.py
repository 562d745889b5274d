"""Printing to an assembled office through its sockets: IPP in, files in the folder out."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest_twisted
from attrs import define, field
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from mailshare.assembly.office import Office, read_again
from mailshare.config import load_config
from mailshare.core.values import PrintState, PrintTicket
from mailshare.wire.ipp_codec import decode, encode
from mailshare.wire.ipp_codes import Operation, Status
from mailshare.wire.ipp_values import Attribute, Group, Message, Tag, Value, boolean, integer, keyword, name_of, uri

PDF = b"%PDF-1.4\n" + os.urandom(200_000) + b"\n%%EOF\n"
BASE = """\
[server]
hostname = "print.example"
grace = 1
[listen]
ipp = ["tcp:0:interface=127.0.0.1"]
smtp = ["tcp:0:interface=127.0.0.1"]
"""
FOLDER = '[[destination]]\nname = "office"\naddress = "dir:out"\ndefaults = { sides = "two-sided-long-edge" }\n'


@define
class Place:
    """A folder with a configuration, and offices that were started on it."""

    folder: Path
    offices: list[Office] = field(factory=list)

    async def start(self, text: str, base: str = BASE) -> Office:
        (self.folder / "m.toml").write_text(base + text)
        office = Office(
            config := load_config(str(self.folder / "m.toml")), reactor, reload_config=read_again(config, None)
        )
        self.offices.append(office)
        office.startService()
        assert office.started is not None
        await office.started
        return office

    async def ask(
        self, code: int, *attributes: Attribute, groups: tuple[Group, ...] = (), data: bytes = b""
    ) -> Message:
        places = self.offices[-1].places()
        address = next(str(one["address"]) for one in places if one["service"] == "ipp")
        common = (
            Attribute("attributes-charset", (Value(Tag.CHARSET, "utf-8"),)),
            Attribute("attributes-natural-language", (Value(Tag.LANGUAGE, "en"),)),
            uri("printer-uri", f"ipp://{address}/ipp/print/office"),
            name_of("requesting-user-name", "anna"),
        )
        message = Message((2, 0), code, 1, (Group(Tag.OPERATION, (*common, *attributes)), *groups))
        request = Request(f"http://{address}/ipp/print", encode(message) + data, {"Content-Type": "application/ipp"})
        answer: bytes = await deferToThread(lambda: urlopen(request, timeout=30).read())
        return decode(answer)[0]

    async def files(self, count: int) -> list[Path]:
        """The files in the folder once there are so many."""
        out = self.folder / "out"
        clock: Any = reactor
        for _ in range(500):
            found = sorted(out.glob("*")) if out.is_dir() else []
            if len(found) >= count and not any(one.name.startswith(".") for one in found):
                break
            await deferLater(clock, 0.02)
        return sorted(out.glob("*")) if out.is_dir() else []

    async def settled(self) -> None:
        """Wait until nothing is on its way to a printer."""
        clock: Any = reactor
        while await self.offices[-1].store.queue.items(agent="print"):
            await deferLater(clock, 0.02)


@pytest_twisted.async_yield_fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    made = Place(tmp_path)
    yield made
    for office in made.offices:
        if office.running:
            await office.stopService()


def job_id(message: Message) -> int:
    found = message.group(Tag.JOB).get("job-id")
    assert found is not None, message
    return found.first.number


@pytest_twisted.ensureDeferred
async def test_what_is_printed_lies_in_the_folder(place: Place) -> None:
    """Octet for octet; the job is seen completed, with what it asked for."""
    office = await place.start(FOLDER)
    wish = Group(Tag.JOB, (integer("copies", 2), keyword("media", "iso_a4_210x297mm")))
    said = await place.ask(Operation.PRINT_JOB, name_of("job-name", "Report"), groups=(wish,), data=PDF)
    assert said.code == Status.OK
    (written,) = await place.files(1)
    assert written.read_bytes() == PDF
    assert written.name.endswith(".pdf")
    assert "Report" in written.name
    await place.settled()
    number = job_id(said)
    found = await place.ask(Operation.GET_JOB_ATTRIBUTES, integer("job-id", number))
    job = found.group(Tag.JOB)
    assert [job.get(name).first.data for name in ("job-state", "copies", "media")] == [9, 2, "iso_a4_210x297mm"]  # type: ignore[union-attr]
    assert await office.store.verify(deep=True) == []
    (row,) = await office.store.queue.items(agent="print", open_only=False)
    assert (row.word, row.address, row.params["job"]) == ("delivered", "office", number)


@pytest_twisted.ensureDeferred
async def test_a_job_outlives_a_restart(place: Place) -> None:
    """Held before the stop, released after the start; the queue's own settings are still there."""
    office = await place.start(FOLDER)
    hold = Group(Tag.JOB, (keyword("job-hold-until", "indefinite"),))
    number = job_id(await place.ask(Operation.PRINT_JOB, groups=(hold,), data=PDF))
    assert (await place.ask(Operation.DISABLE_PRINTER)).code == Status.OK
    await office.stopService()
    office = await place.start(FOLDER)
    found = await place.ask(Operation.GET_JOB_ATTRIBUTES, integer("job-id", number))
    assert found.group(Tag.JOB).get("job-state") == Attribute("job-state", (Value(Tag.ENUM, PrintState.HELD),))
    assert (await place.ask(Operation.PRINT_JOB, data=PDF)).code == Status.NOT_ACCEPTING_JOBS
    assert (await place.ask(Operation.ENABLE_PRINTER)).code == Status.OK
    assert await place.files(0) == []
    assert (await place.ask(Operation.RELEASE_JOB, integer("job-id", number))).code == Status.OK
    (written,) = await place.files(1)
    assert written.read_bytes() == PDF


@pytest_twisted.ensureDeferred
async def test_a_subscription_outlives_a_restart(place: Place) -> None:
    """A client that waits for the end of its job asks the server of after the restart, and hears of it there."""
    office = await place.start(FOLDER)
    hold = Group(Tag.JOB, (keyword("job-hold-until", "indefinite"),))
    wanted = Group(Tag.SUBSCRIPTION, (keyword("notify-pull-method", "ippget"),))
    said = await place.ask(Operation.PRINT_JOB, groups=(hold, wanted), data=PDF)
    number = said.group(Tag.SUBSCRIPTION).get("notify-subscription-id")
    assert number is not None
    await office.stopService()
    await place.start(FOLDER)
    assert (await place.ask(Operation.RELEASE_JOB, integer("job-id", job_id(said)))).code == Status.OK
    await place.files(1)
    await place.settled()
    told = await place.ask(Operation.GET_NOTIFICATIONS, integer("notify-subscription-ids", number.first.number))
    assert told.code == Status.OK_EVENTS_COMPLETE
    assert told.group(Tag.EVENT).get("notify-subscribed-event") == keyword("notify-subscribed-event", "job-completed")


@pytest_twisted.ensureDeferred
async def test_a_group_prints_at_each_of_its_members(place: Place) -> None:
    """One job, one file for each, done when both are."""
    member = '[[destination]]\nname = "{0}"\naddress = "dir:out/{0}"\n'
    group = '[[destination]]\nname = "office"\nmembers = ["a", "b"]\n'
    office = await place.start(group + member.format("a") + member.format("b"))
    await place.ask(Operation.PRINT_JOB, data=PDF)
    await place.files(2)
    await place.settled()
    (job,) = await office.store.print_jobs.jobs()
    assert job.state is PrintState.COMPLETED
    assert [one.read_bytes() for one in sorted((place.folder / "out").glob("*/*"))] == [PDF, PDF]
    assert {name: one.certainty for name, one in job.members.items()} == {"a": "accepted", "b": "accepted"}


@pytest_twisted.ensureDeferred
async def test_destinations_follow_the_file(place: Place) -> None:
    """A reload brings a new queue without a restart; a paused one keeps its jobs until it goes on."""
    office = await place.start('[[destination]]\nname = "other"\naddress = "dir:x"\n')
    assert (await place.ask(Operation.GET_PRINTER_ATTRIBUTES)).code == Status.NOT_FOUND
    (place.folder / "m.toml").write_text(BASE + FOLDER)
    await office.reload()
    assert (await place.ask(Operation.PAUSE_PRINTER)).code == Status.OK
    created = await place.ask(Operation.CREATE_JOB)
    number = integer("job-id", job_id(created))
    for last in (False, True):
        sent = await place.ask(Operation.SEND_DOCUMENT, number, boolean("last-document", last), data=PDF)
        assert sent.code == Status.OK
    assert await place.files(0) == []
    assert (await place.ask(Operation.RESUME_PRINTER)).code == Status.OK
    assert [one.read_bytes() for one in await place.files(2)] == [PDF, PDF]


LISTEN = """\
[server]
hostname = "print.example"
grace = 1
[listen]
lpd = ["tcp:0:interface=127.0.0.1"]
smtp = ["tcp:0:interface=127.0.0.1"]
[[destination]]
name = "office"
address = "dir:out"
socket = ["tcp:0:interface=127.0.0.1"]
"""


async def _talk(office: Office, service: str, *pieces: bytes, reset: bool = False) -> bytes:
    """Say something to a listener, close our side, and give what it said until it closed."""
    address = next(str(one["address"]) for one in office.places() if one["service"] == service)
    host, _, port = address.rpartition(":")

    def talk() -> bytes:
        with socket.create_connection((host, int(port)), 20) as peer:
            for piece in pieces:
                peer.sendall(piece)
            if reset:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return b""
            peer.shutdown(socket.SHUT_WR)
            said = b""
            while data := peer.recv(4096):
                said += data
            return said

    result: bytes = await deferToThread(talk)
    return result


@pytest_twisted.ensureDeferred
async def test_lpd_and_socket_lead_to_the_same_folder(place: Place) -> None:
    """LPD with both orders of files and a length nobody knows, AppSocket; a connection that breaks prints nothing."""
    office = await place.start(LISTEN, base="")
    control = b"Hhost\nPanna\nJReport\nfdfA001host\nfdfA001host\n"
    first = [b"\x02office\n", b"\x02%d cfA001host\n" % len(control), control + b"\0"]
    data = [b"\x03%d dfA001host\n" % len(PDF), PDF + b"\0"]
    assert await _talk(office, "lpd", *first, *data) == b"\0" * 5
    assert await _talk(office, "lpd", first[0], *data, *first[1:]) == b"\0" * 5
    assert await _talk(office, "lpd", *first, b"\x030 dfA001host\n", PDF) == b"\0" * 5
    assert await _talk(office, "socket office", PDF[:100], PDF[100:]) == b""
    assert await _talk(office, "socket office", PDF[:100_000], reset=True) == b""
    assert await _talk(office, "lpd", b"\x02nowhere\n") == b"\1"
    assert [one.read_bytes() for one in await place.files(4)] == [PDF] * 4
    await place.settled()
    jobs = await office.store.print_jobs.jobs()
    assert [(job.ticket.via, job.ticket.user, job.ticket.name, dict(job.ticket.options)) for job in jobs] == [
        ("socket", "anonymous", "", {}),
        *[("lpd", "anna", "Report", {"copies": 2})] * 3,
    ]
    assert b"no entries" in await _talk(office, "lpd", b"\x03office\n")
    await office.store.print_jobs.open(PrintTicket("01920000-0000-7000-8000-0000000000aa", "office", "anna", "Open"), 1)
    assert b"Open" in await _talk(office, "lpd", b"\x04office anna\n")
    assert await _talk(office, "lpd", b"\x05office bert\n") == b""
    assert b"is canceled" in await _talk(office, "lpd", b"\x05office anna\n")
    assert await office.store.verify() == []
