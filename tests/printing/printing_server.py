"""A printing server over a store in memory: mails go in by its agent, jobs and news come out; the clock is held."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from attrs import define, evolve, field
from counter import Counter, settled
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.headers import Headers
from mailshare.core.print_manifest import Chunk, PrintManifest, manifest_octets
from mailshare.core.print_parts import cut
from mailshare.core.print_policy import PrintPolicy
from mailshare.core.values import (
    SECOND,
    Event,
    Hop,
    Origin,
    PrinterPlace,
    PrintJob,
    PrintNews,
    PrintSet,
    QueueItem,
    SetState,
    Source,
    User,
)
from mailshare.interfaces import IPrintTeller
from mailshare.printing.destinations import Destination, PrintRules
from mailshare.printing.local_printer import LocalPrinter, MailLimits, PrinterKey
from mailshare.printing.printer_agent import PrinterAgent
from mailshare.printing.proving import Prover
from mailshare.printing.taking import Taking
from mailshare.wire.jws import Algorithm, SigningKey, sign
from mailshare.wire.print_mail import MANIFEST_KIND, Base64Lines, PartAddress, part_frame

KEY = SigningKey("branch", Algorithm.HS256, secret=b"a secret of thirty-two octets or more")
ANNA = Address("anna", "far.example")
OFFICE = Address("office", "print.example")
PDF = b"%PDF-1.4\n" + bytes(range(256)) * 8 + b"\n%%EOF\n"
UUID = "01900000-0000-7000-8000-{:012x}"
HOUR = 3_600 * SECOND


@implementer(IPrintTeller)
@define
class Told:
    """Keeps news."""

    news: list[PrintNews] = field(factory=list)

    async def tell(self, news: PrintNews) -> None:
        self.news.append(news)


@define
class PrintingServer:
    """The agent over a counter's service.

    :ivar records: the DNS.
    """

    counter: Counter = field(factory=Counter)
    told: Told = field(factory=Told)
    records: dict[str, bytes | None] = field(factory=dict)
    secrets: dict[str, str] = field(factory=dict)
    agent: PrinterAgent = field(init=False)
    printers: dict[str, LocalPrinter] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.declare(allow=("@far.example",))
        self.restart()

    def restart(self) -> None:
        """A new agent over what is stored."""
        service = self.counter.service

        async def reveal(reference: object) -> str:
            assert isinstance(reference, Mapping)
            return str(reference["plain"])

        async def text_record(name: str) -> bytes | None:
            return self.records.get(name)

        async def aside(act: Any) -> Any:
            return act()

        self.agent = PrinterAgent(
            service, Taking(service, ZoneInfo("Europe/Berlin")), Prover(reveal, text_record, aside), reveal
        )
        self.agent.teller = self.told

    def declare(self, name: str = "office", *, limits: MailLimits | None = None, **rules: Any) -> None:
        """A printer; rules are those of its policy, and ``tags``, ``pin``, ``plain``, ``postscript`` its own."""
        own = {key: rules.pop(key) for key in ("tags", "pin", "plain", "postscript", "device") if key in rules}
        device = own.pop("device", Destination(name, f"dir:{name}"))
        self.printers[name] = LocalPrinter(
            name=name,
            device=device,
            policy=PrintPolicy(**rules),
            keys={"branch": PrinterKey("branch", {"plain": KEY.secret.decode()})},
            limits=limits or MailLimits(),
            **own,
        )
        self.counter.service.follow([], PrintRules(), list(self.printers.values()))
        places = [PrinterPlace(one, (evolve(OFFICE, local=one),)) for one in self.printers]
        self.store.directory.declare_printers(places)

    @property
    def store(self) -> Any:
        """The store."""
        return self.counter.service.store

    @property
    def now(self) -> int:
        """Microseconds."""
        return self.counter.service.now()

    def wait(self, seconds: float) -> None:
        """Time goes by, and what is being collected is looked after."""
        self.counter.clock.advance(seconds)
        settled(self.agent.collecting.look())

    def mail(self, octets: bytes, *, printer: str = "office", tags: Sequence[str] = (), login: bool = False) -> str:
        """A mail comes; what the journal says of it."""
        self.take_in(octets, printer=printer, tags=tags, login=login)
        (words,) = self.work()
        return words

    def take_in(
        self, octets: bytes, *, printer: str = "office", tags: Sequence[str] = (), login: bool = False
    ) -> None:
        """A mail is stored, with its row of the queue."""
        settled(self._stored(octets, printer, tags, login=login))

    async def _stored(self, octets: bytes, printer: str, tags: Sequence[str], *, login: bool) -> None:
        sink = self.store.new_body(len(octets))
        sink.write(octets)
        user = None
        if login:
            known = self.store.directory.current().user_by_name.get("ben")
            user = known or await self.store.directory.add_user(User(0, "ben"))
        trace = self.counter.service.token(8).hex()
        origin = Origin(Source.COLLECT, trace, user_id=user.id if user else None)
        hop = Hop("printer", str(OFFICE), "printer", device=printer, params={"tags": list(tags)})
        envelope = Envelope(None, (Recipient(OFFICE),))
        at = self.now
        await self.store.delivery.deliver(envelope, await sink.finish(), origin, [], [hop], at=at, expires=at + HOUR)

    def work(self) -> list[str]:
        """Try all rows; their words."""
        items = settled(self.store.queue.claim("printer", 100, self.now, HOUR))
        outcomes = settled(self.agent.deliver(items, lambda _item, _progress: None))
        settled(self.store.queue.settle(outcomes))
        return [each.reply for each in outcomes]

    def jobs(self) -> list[PrintJob]:
        """Print jobs, oldest first."""
        return list(reversed(settled(self.store.print_jobs.jobs())))

    def documents(self) -> list[bytes]:
        """Of all jobs, oldest first."""
        return [self.document(job) for job in self.jobs()]

    def document(self, job: PrintJob) -> bytes:
        """The octets of a job's document."""
        body, offset = settled(self.store.print_jobs.document(job.id, 1))
        return b"".join(settled(body.read(at, 1 << 18)) for at in range(offset, body.size, 1 << 18))

    def collecting(self) -> list[PrintSet]:
        """What is not whole yet."""
        return list(settled(self.store.print_sets.collecting()))

    def sets(self, state: SetState) -> int:
        """How many there are."""
        return int(settled(self.store.print_sets.count(state)))

    def events(self, kind: str = "print.") -> list[Event]:
        """Lines of the journal, in order."""
        page = settled(self.store.events.page(since=0, until=1 << 60))
        return [event for _, event in page if event.kind.startswith(kind)]

    def kinds(self) -> list[str]:
        """Kinds of lines of printing."""
        return [event.kind for event in self.events()]

    def rows(self) -> list[QueueItem]:
        """Rows that hand jobs on."""
        return list(settled(self.store.queue.items(agent="print")))

    def job(self, data: bytes = PDF, *, part: int = 1 << 30, number: int = 1, **facts: Any) -> Job:
        """A job as a redirector makes it."""
        return Job.of(data, part, UUID.format(number), self.now, **facts)


@define
class Job:
    """A job of a redirector.

    :ivar key: signs; ``None`` = nobody does.
    """

    manifest: PrintManifest
    data: bytes
    key: SigningKey | None = KEY
    sender: Address = ANNA

    @classmethod
    def of(cls, data: bytes, part: int, name: str, now: int, **facts: Any) -> Job:
        """Cut a document."""
        key, sent = facts.pop("key", KEY), facts.pop("sent", data)
        sizes, chunks, at = cut(len(sent), part), [], 0
        for count, size in enumerate(sizes, 1):
            chunks.append(Chunk(count, size, hashlib.sha256(sent[at : at + size]).hexdigest()))
            at += size
        manifest = PrintManifest(
            id=name,
            created=now,
            expires=now + 24 * HOUR,
            sender=ANNA,
            to=("office@print.example",),
            name="Agenda",
            format="application/pdf",
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            chunks=tuple(chunks),
        )
        return cls(evolve(manifest, **facts), sent, key)

    def mails(self, *numbers: int, resend: int = 0) -> list[bytes]:
        """Its mails, all or those."""
        wanted: Iterable[int] = numbers or range(1, len(self.manifest.chunks) + 1)
        return [self.mail(number, resend=resend) for number in wanted]

    def mail(self, number: int = 1, *, resend: int = 0, chunk: bytes | None = None) -> bytes:
        """One mail."""
        signed = sign(manifest_octets(self.manifest), self.key, kind=MANIFEST_KIND)
        about = PartAddress(self.sender, OFFICE, "far.example", self.manifest.created, resend)
        head, tail = part_frame(self.manifest, signed, number, about, self.key.kid if self.key else "")
        start = sum(one.size for one in self.manifest.chunks[: number - 1])
        own = self.data[start : start + self.manifest.chunks[number - 1].size] if chunk is None else chunk
        lines = Base64Lines()
        return head + lines.feed(own) + lines.end() + tail


def headers_of(octets: bytes) -> Headers:
    """Of a mail."""
    return Headers.parse(octets[: octets.index(b"\r\n\r\n") + 4])
