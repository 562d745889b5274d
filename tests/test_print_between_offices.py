"""Two offices and a provider between them: what is printed at one comes out at the other, and the sender knows."""

from __future__ import annotations

import base64
import hashlib
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest_twisted
from attrs import define, field
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from mailshare.assembly.office import Office, read_again
from mailshare.config import load_config
from mailshare.core.envelope import Envelope
from mailshare.core.errors import MessageTooLarge
from mailshare.core.headers import Headers
from mailshare.core.values import SECOND, PrintJob, PrintState
from mailshare.testing.isp import PretendISP
from mailshare.wire.ipp_codec import decode, encode
from mailshare.wire.ipp_codes import Operation, Status
from mailshare.wire.ipp_values import Attribute, Group, Message, Tag, Value, name_of, uri
from mailshare.wire.print_mail import triage

CLOCK: Any = reactor
MEGABYTE = 1_000_000
COMMON = """\
[server]
hostname = "{name}.example"
grace = 1
data = "{name}"
"""
SENDER = COMMON.format(name="desk") + """\
[listen]
ipp = ["tcp:0:interface=127.0.0.1"]
[[account]]
address = "mail@company.example"
collect = "pop3://mail@127.0.0.1:{pop3}?tls=none"
relay = "smtp://mail@127.0.0.1:{smtp}?tls=none"
password = "isp"
timetable = []
[[destination]]
name = "branch"
address = "printer@branch.example"
key = "a secret of thirty-two octets or more"
key_id = "desk"
part_size = {part}
"""
PRINTER = COMMON.format(name="branch") + """\
[listen]
smtp = ["tcp:0:interface=127.0.0.1"]
[[account]]
address = "printer@branch.example"
collect = "pop3://printer@127.0.0.1:{pop3}?tls=none"
relay = "smtp://printer@127.0.0.1:{smtp}?tls=none"
password = "isp"
timetable = []
[[printer]]
name = "Paper"
addresses = ["printer@branch.example"]
device = "dir:paper"
allow = ["@company.example"]
keys = [{{ id = "desk", secret = "a secret of thirty-two octets or more" }}]
gap = 1
"""


class SlyISP(PretendISP):
    """A provider that keeps back what is for the printer until it is told to deliver it.

    :ivar most: octets of the largest mail that it takes.
    :ivar kept: mails to the printer, in the order in which they came.
    """

    most = 10 * MEGABYTE
    holding = False

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.kept: list[tuple[Envelope, bytes]] = []

    def take(self, envelope: Envelope, octets: bytes) -> str:
        if len(octets) >= self.most:
            raise MessageTooLarge
        if self.holding and str(envelope.recipients[0].address) == "printer@branch.example":
            self.kept.append((envelope, octets))
            return "kept"
        return super().take(envelope, octets)

    def deliver(self, kept: list[tuple[Envelope, bytes]]) -> None:
        """Let these reach the printer's mailbox, in this order."""
        for envelope, octets in kept:
            super().take(envelope, octets)


@define
class Sites:
    """Both offices and the provider."""

    folder: Path
    isp: SlyISP
    part: int = 100_000
    replaced: dict[str, str] = field(factory=dict)
    offices: dict[str, Office] = field(factory=dict)

    async def start(self, name: str) -> Office:
        text = {"desk": SENDER, "branch": PRINTER}[name]
        for old, new in self.replaced.items():
            text = text.replace(old, new)
        pop3, smtp = self.isp.ports()
        path = self.folder / f"{name}.toml"
        path.write_text(text.format(pop3=pop3, smtp=smtp, part=self.part))
        config = load_config(str(path))
        office = self.offices[name] = Office(config, reactor, reload_config=read_again(config, None))
        office.startService()
        assert office.started is not None
        await office.started
        return office

    async def print(self, data: bytes) -> int:
        """Print-Job at the desk; its job-id."""
        address = next(str(one["address"]) for one in self.offices["desk"].places() if one["service"] == "ipp")
        attributes = (
            Attribute("attributes-charset", (Value(Tag.CHARSET, "utf-8"),)),
            Attribute("attributes-natural-language", (Value(Tag.LANGUAGE, "en"),)),
            uri("printer-uri", f"ipp://{address}/ipp/print/branch"),
            name_of("requesting-user-name", "anna"),
            name_of("job-name", "Report"),
        )
        octets = encode(Message((2, 0), Operation.PRINT_JOB, 1, (Group(Tag.OPERATION, attributes),))) + data
        request = Request(f"http://{address}/ipp/print/branch", octets, {"Content-Type": "application/ipp"})
        answer = decode(await deferToThread(lambda: urlopen(request, timeout=60).read()))[0]
        assert answer.code == Status.OK
        found = answer.group(Tag.JOB).get("job-id")
        assert found is not None
        return int(found.first.number)

    async def mail(self, name: str) -> None:
        """The button Send/Receive."""
        store = self.offices[name].store
        await self.offices[name].send_receive(store.directory.current().accounts[0])

    async def until(self, name: str, number: int, state: PrintState) -> PrintJob:
        """The job, once it is so; the mail goes on meanwhile."""
        while True:
            for each in self.offices:
                await self.mail(each)
            job = await self.offices[name].store.print_jobs.job(number)
            if job is not None and job.state is state:
                return job
            await deferLater(CLOCK, 0.05)

    async def relayed(self, count: int) -> None:
        """So many mails were handed to the provider for the printer."""
        while len(self.isp.kept) < count:
            await self.mail("desk")
            await deferLater(CLOCK, 0.02)

    def paper(self) -> list[bytes]:
        """What came out of the printer."""
        folder = self.folder / "paper"
        return [path.read_bytes() for path in sorted(folder.glob("*.pdf"))] if folder.exists() else []


@pytest_twisted.async_yield_fixture
async def sites(tmp_path: Path) -> AsyncIterator[Sites]:
    isp = SlyISP(reactor, os.urandom, others=("printer@branch.example",))
    isp.startService()
    made = Sites(tmp_path, isp)
    yield made
    for office in made.offices.values():
        if office.running:
            await office.stopService()
    await isp.stopService()


@pytest_twisted.ensureDeferred
async def test_what_is_printed_here_comes_out_there(sites: Sites) -> None:
    """Byte for byte; the job stays open here until the printer there has reported, and both journals tell how."""
    desk, branch = await sites.start("desk"), await sites.start("branch")
    data = b"%PDF-1.4\n" + os.urandom(250_000) + b"\n%%EOF\n"
    number = await sites.print(data)
    job = await sites.until("desk", number, PrintState.COMPLETED)
    assert sites.paper() == [data]
    assert job.members["branch"].certainty == "accepted"
    (there,) = await branch.store.print_jobs.jobs()
    assert there.ticket.mail is not None
    assert (there.ticket.mail.level, there.ticket.name) == (3, "Report")
    told = [event.kind for _, event in await branch.store.events.page(since=0, until=1 << 60)]
    assert told.count("print.part") == 3
    assert told.count("print.job") == 1
    assert await desk.store.verify(deep=True) == await branch.store.verify(deep=True) == []


def pair(path: Path) -> str:
    """Write the private key of a pair, as ``openssl genpkey`` makes it; the public one in base64."""
    key = Ed25519PrivateKey.generate()
    path.touch(mode=0o600)
    path.write_bytes(base64.b64encode(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())) + b"\n")
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


@pytest_twisted.ensureDeferred
async def test_each_side_has_a_key_pair_of_its_own(sites: Sites) -> None:
    """Neither knows what the other signs with; what the printer reports is believed by its signature alone."""
    desk, printer = pair(sites.folder / "desk.key"), pair(sites.folder / "printer.key")
    sites.replaced = {
        'key = "a secret of thirty-two octets or more"': f"""\
key = {{{{ file = "desk.key" }}}}
signature = "EdDSA"
printer_key = "{printer}\"""",
        'secret = "a secret of thirty-two octets or more" }}]': f"""\
public = "{desk}" }}}}]
signing_key = {{{{ file = "printer.key" }}}}""",
    }
    await sites.start("desk")
    branch = await sites.start("branch")
    number = await sites.print(b"%PDF-1.4\n%%EOF\n")
    await sites.until("desk", number, PrintState.COMPLETED)
    assert sites.paper() == [b"%PDF-1.4\n%%EOF\n"]
    (there,) = await branch.store.print_jobs.jobs()
    assert there.ticket.mail is not None
    assert (there.ticket.mail.level, there.ticket.mail.kid) == (3, "desk")


@pytest_twisted.ensureDeferred
async def test_a_report_by_another_key_is_not_believed(sites: Sites) -> None:
    """The printer signs with a key that the desk does not know: the document comes out, and the job here stays open."""
    desk, _ = pair(sites.folder / "desk.key"), pair(sites.folder / "printer.key")
    known = pair(sites.folder / "another.key")
    sites.replaced = {
        'key = "a secret of thirty-two octets or more"': f"""\
key = {{{{ file = "desk.key" }}}}
signature = "EdDSA"
printer_key = "{known}\"""",
        'secret = "a secret of thirty-two octets or more" }}]': f"""\
public = "{desk}" }}}}]
signing_key = {{{{ file = "printer.key" }}}}""",
    }
    office = await sites.start("desk")
    await sites.start("branch")
    number = await sites.print(b"%PDF-1.4\n%%EOF\n")
    while not any("[print] done" in one.fields.get("subject", "") for one in await office.store.recent(20)):
        for each in sites.offices:
            await sites.mail(each)
        await deferLater(CLOCK, 0.02)
    job = await office.store.print_jobs.job(number)
    assert sites.paper() == [b"%PDF-1.4\n%%EOF\n"]
    assert job is not None
    assert job.state is PrintState.PROCESSING


@pytest_twisted.ensureDeferred
async def test_many_parts_shuffled_doubled_and_one_lost(sites: Sites) -> None:
    """60 MB, in mails that a provider takes who refuses 10 MB: the far end asks for the part that is lost, here it is
    sent again, and the document is whole; nothing twice.
    """
    sites.replaced["part_size = {part}\n"] = ""
    await sites.start("desk")
    branch = await sites.start("branch")
    sites.isp.holding = True
    data = b"%PDF-1.4\n" + os.urandom(60 * MEGABYTE) + b"\n%%EOF\n"
    number = await sites.print(data)
    await sites.relayed(9)
    mails = sites.isp.kept[:]
    lost = mails.pop(4)
    mails += mails[:3]
    random.Random(3).shuffle(mails)
    sites.isp.holding = False
    sites.isp.deliver(mails)
    while len(await collected(branch)) < 8:
        await sites.mail("branch")
    printing: Any = branch._parts.printing.print_room  # type: ignore[union-attr]
    (one,) = await branch.store.print_sets.collecting()
    now, printing.service.now = printing.service.now, lambda: now() + 61 * SECOND  # the gap is over
    await printing.receiving.agent.collecting.look()
    printing.service.now = now
    job = await sites.until("desk", number, PrintState.COMPLETED)
    again = [part_of(mail.octets) for mail in sites.isp.relayed if b".r1@desk.example>" in mail.octets[:2000]]
    assert again == [part_of(lost[1])]
    assert [hashlib.sha256(each).digest() for each in sites.paper()] == [hashlib.sha256(data).digest()]
    assert job.state is PrintState.COMPLETED
    assert sorted([*one.have, part_of(lost[1])]) == list(range(1, 10))


def part_of(octets: bytes) -> int:
    """Number of the part that a mail brings."""
    found = triage(Headers.parse(octets[:2000]).first("mailshare-job"))
    assert found is not None
    return found.part


async def collected(branch: Office) -> list[int]:
    """Parts that are there."""
    found = await branch.store.print_sets.collecting()
    return [number for one in found for number in one.have]
