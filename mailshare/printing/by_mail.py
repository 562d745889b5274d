"""Sends print jobs as mail: the document in parts that fit, each with the manifest, by the one door into the outbox.

A job may be tried as often as needed: what was handed in already is found by its Message-ID and not handed in again, so
a kill between two parts prints nothing twice. The row of the job waits until the provider has all of its mails.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from uuid import UUID, uuid5

from attrs import evolve, frozen
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.documents import NotConvertible
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import ConfigFault, MailshareError, PolicyRefusal, Unavailable
from mailshare.core.print_manifest import MAX_PARTS, NOTICES, Chunk, Encryption, PrintManifest, manifest_octets
from mailshare.core.print_parts import LEAST_PART, MAX_REQUESTS, part_for_limit, smaller_part, too_large
from mailshare.core.trace import trace_id
from mailshare.core.values import (
    SECOND,
    Account,
    Origin,
    Outcome,
    PrintChange,
    PrintDocument,
    PrintJob,
    PrintState,
    QueueItem,
    QueueState,
    Source,
)
from mailshare.interfaces import IBodySink, IDocuments, IIntake, IPrintWay
from mailshare.printing.destinations import Destination
from mailshare.printing.part_sizes import PartSizes
from mailshare.printing.service import PrintService
from mailshare.printing.travelling import Plan, Read, Seal, planned, shrinks, travelling
from mailshare.wire.jws import Algorithm, SigningKey, private_seed, sign
from mailshare.wire.print_mail import MANIFEST_KIND, Base64Lines, PartAddress, part_frame, part_id
from mailshare.wire.print_secrecy import job_key, job_salt

HOUR = 3_600 * SECOND
_LOOK = 20 * SECOND  # microseconds at most between two looks at mails that wait in the outbox
_PIECE = 256 * 1024
_PLANS = 200  # documents of which it is remembered how they were cut
_GONE = frozenset({QueueState.FAILED, QueueState.EXPIRED, QueueState.CANCELLED})

Reveal = Callable[[object], Awaitable[str]]
"""The text behind a secret reference."""
Largest = Callable[[int, str], int]
"""``(account id, domain)`` to the octets of the largest mail that leaves by it; 0 = not known."""


@frozen
class _Letter:
    """All that the mails of one job to one destination have in common."""

    job: PrintJob
    member: str
    destination: Destination
    account: Account
    user_id: int | None
    to: Address
    key: SigningKey | None
    part: int
    serial: int

    @property
    def seals(self) -> bool:
        """Its documents are encrypted."""
        return self.destination.encrypt and self.key is not None

    @property
    def expires(self) -> int:
        return self.job.ticket.expires or self.job.processing + self.destination.lifetime * HOUR


@frozen
class _Road:
    """How one document of a letter travels."""

    travels_as: str
    document: PrintDocument
    plan: Plan
    seal: Seal | None
    read: Read

    def part(self, number: int) -> AsyncIterator[bytes]:
        """The octets of one part."""
        return travelling(self.read, self.document.length, self.plan, number, job=self.travels_as, seal=self.seal)


@implementer(IPrintWay)
class ByMail:
    """``mailto:`` addresses, and bare ones.

    :param intake: the one door.
    :param reveal: reads the key of a destination.
    :param largest: what the ways out take.
    :param documents: counts pages, so that the far end knows before all parts are there how many will come.
    """

    scheme = "mailto"

    def __init__(
        self, service: PrintService, intake: IIntake, reveal: Reveal, largest: Largest, documents: IDocuments
    ) -> None:
        self._documents = documents
        self._service = service
        self._store = service.store
        self._intake = intake
        self._reveal = reveal
        self._largest = largest
        self._plans: dict[tuple[object, ...], Plan] = {}
        self._sizes = PartSizes(service.store.settings)
        self._cut_anew: set[tuple[int, str]] = set()  # since a try to hand them on began

    async def hand_on(self, job: PrintJob, member: str, address: str, item: QueueItem) -> Outcome:
        """Hand in what is missing; say how far the mails have come."""
        now = self._service.now()
        self._cut_anew.discard((job.id, member))
        try:
            letter = await self._letter(job, member, address)
            if letter.job.members[member].state.final:
                return Outcome(item.id, QueueState.CANCELLED, now, 550, "5.0.0", "The print job is over")
            rows: list[QueueItem] = []
            for document in letter.job.documents:
                if not document.canceled:
                    rows += await self._mails(letter, document)
            if self._over(letter):
                # Whoever took its mails back may have looked before the last of them was there.
                await self._take_back(letter.job, letter.member)
                return Outcome(item.id, QueueState.CANCELLED, now, 550, "5.0.0", "The print job is over")
        except MailshareError as fault:
            if fault.temporary:
                raise
            return Outcome(item.id, QueueState.FAILED, now, fault.code, fault.status, fault.public)
        return await self._outcome(item, letter, rows)

    async def _outcome(self, item: QueueItem, letter: _Letter, rows: Sequence[QueueItem]) -> Outcome:
        now = self._service.now()
        lost = next((row for row in rows if row.state in _GONE), None)
        if lost is not None:
            if too_large(lost.code, lost.status) and await self.cut_smaller(letter.job, letter.member):
                return Outcome(item.id, QueueState.QUEUED, now, next_at=now + SECOND, counts=False)
            why = lost.reply or "The mail was taken out of the outbox"
            return Outcome(item.id, QueueState.FAILED, now, lost.code or 550, lost.status or "5.0.0", why)
        waiting = sum(row.state is not QueueState.DELIVERED for row in rows)
        if waiting:
            told = next((row.reply for row in rows if row.reply and row.state is not QueueState.DELIVERED), "")
            words = f"{waiting} of {len(rows)} mails wait in the outbox" + (f": {told}" if told else "")
            again = now + _look_after(letter, now)
            return Outcome(item.id, QueueState.QUEUED, now, reply=words, next_at=again, counts=False)
        words = f"Sent to {letter.to}; the printer there has not reported yet"
        await self._service.change(letter.job, PrintChange(letter.member, reasons=("job-outgoing",), message=words))
        if (letter.job.id, letter.member) in self._cut_anew:  # a bounce came meanwhile
            return Outcome(item.id, QueueState.QUEUED, now, next_at=now, counts=False)
        return Outcome(item.id, QueueState.DELIVERED, now, 250, "2.0.0", words)

    async def cut_smaller(self, job: PrintJob, member: str) -> bool:
        """A mail of the job was too large for somebody on its way: begin anew with smaller parts, and remember it.

        The row of the job goes back into the queue, if it had left it.

        :returns: False when the parts are as small as they may be.
        """
        state = job.members[member]
        if state.part <= LEAST_PART:
            return False
        part = smaller_part(state.part)
        destination = self._service.destinations.get(member)
        if destination is not None:
            await self._sizes.learn(destination, part)
        self._cut_anew.add((job.id, member))
        words = f"A mail of it was too large on its way; it is sent anew in parts of {part:,} octets"
        again = PrintChange(member, reasons=("job-outgoing",), message=words, part=part, serial=state.serial + 1)
        await self._service.change(job, again)
        await self._take_back(job, member)
        return True

    async def call_back(self, job: PrintJob, member: str, address: str) -> None:
        """Take the mails of the job that still wait out of the outbox; the far end gets no job that is whole."""
        del address
        await self._take_back(job, member)

    async def open(self) -> None:
        """Take back the mails of jobs that were cancelled when the server was killed: nothing has left since then."""
        if not await self._store.queue.items(agent="relay", limit=1):
            return
        for job in self._service.board.cancelled:
            for name, member in job.members.items():
                place = self._service.place(name)
                if member.state is PrintState.CANCELED and place is not None and place.scheme == self.scheme:
                    await self._take_back(job, name)

    async def _take_back(self, job: PrintJob, member: str) -> None:
        """Nothing of what travels under the name that the job has here leaves any more, but what is leaving now."""
        ids: list[int] = []
        for document in job.documents:
            travels_as = travel_id(job.ticket.uuid, member, document.number, job.members[member].serial)
            for number in range(1, MAX_PARTS + 1):
                stored = await self._stored(travels_as, number)
                if not stored:
                    break  # parts are handed in one after another
                for message_id in stored:
                    ids += [row.id for row in await self._store.queue.items(agent="relay", message_id=message_id)]
        await self._store.queue.steer(ids, "recall", self._service.now())

    def _over(self, letter: _Letter) -> bool:
        """Whether the job was cancelled since the letter was begun."""
        job = self._service.board.get(letter.job.id)
        return job is None or job.members[letter.member].state.final

    async def _stored(self, travels_as: str, number: int) -> list[int]:
        """The stored mails with one part: the first, and those that were sent because the far end asked."""
        found: list[int] = []
        for resend in range(MAX_REQUESTS + 1):
            name = part_id(travels_as, number, self._service.hostname, resend)
            found += [each[0] for each in await self._store.find(name)]
            if not found:
                break
        return found

    async def send_again(self, job: PrintJob, member: str, number: int, missing: Sequence[int]) -> int:
        """Hand in parts of a document once more, because the far end asks for them; returns how many.

        Each part is sent again three times at most; after that whoever asks is wrong or the way there is broken.
        """
        destination = self._service.destinations.get(member)
        document = next((one for one in job.documents if one.number == number), None)
        if destination is None or document is None or destination.scheme != self.scheme:
            return 0
        letter = await self._letter(job, member, destination.address)
        travels_as = travel_id(job.ticket.uuid, member, number, letter.serial)
        road = await self._road(letter, document, travels_as)
        manifest = await self._manifest(letter, road)
        sent = 0
        for part in missing:
            if 0 < part <= len(road.plan.sizes) and (resend := await self._next_resend(travels_as, part)):
                await self._hand_in(letter, road, manifest, part, resend)
                sent += 1
        return sent

    async def _next_resend(self, travels_as: str, part: int) -> int:
        for resend in range(1, MAX_REQUESTS + 1):
            if not await self._store.find(part_id(travels_as, part, self._service.hostname, resend)):
                return resend
        return 0

    # ------------------------------------------------------------------ what the mails have in common

    async def _letter(self, job: PrintJob, member: str, address: str) -> _Letter:
        destination = self._service.destinations[member]
        account = self._account(destination)
        to = Address.parse(address.removeprefix("mailto:"))
        key = await self.key_of(destination)
        state = job.members[member]
        part = state.part or await self._part(destination, account, to)
        # Written before the first mail: whoever goes on after a crash must cut in the same places, and tell the same.
        job = await self._service.change(await self._counted(job), PrintChange(member, part=part))
        admin = self._store.directory.current().user_by_name.get(account.admin)
        user_id = job.ticket.user_id or (admin.id if admin is not None else None)
        return _Letter(job, member, destination, account, user_id, to, key, part, state.serial)

    async def _part(self, destination: Destination, account: Account, to: Address) -> int:
        """Octets of each part of a new job."""
        most = destination.part_size or part_for_limit(self._largest(account.id, to.domain))
        learned = await self._sizes.learned(destination)
        return min(most, learned) if learned else most

    async def _counted(self, job: PrintJob) -> PrintJob:
        """The job with the pages of each document, as far as they can be counted."""
        if job.state.final or all(one.pages >= 0 for one in job.documents):
            return job
        documents = [evolve(one, pages=await self._pages(job, one)) for one in job.documents]
        return await self._service.change(job, PrintChange(documents=tuple(documents)))

    async def _pages(self, job: PrintJob, document: PrintDocument) -> int:
        if document.pages >= 0:
            return document.pages
        try:
            facts = await self._documents.facts(self._octets(job.id, document, 0, document.length), document.format)
        except (NotConvertible, Unavailable):
            return 0  # told once and for all: the manifest must be the same whenever it is made
        return facts.pages or 0

    async def key_of(self, destination: Destination) -> SigningKey | None:
        """The key that signs jobs to a destination.

        :raises ConfigFault: its reference leads nowhere, or to none of its kind.
        """
        if not destination.key:
            return None
        secret = await self._reveal(destination.key)
        if destination.pair:
            return SigningKey(destination.key_id, Algorithm.EDDSA, secret=private_seed(secret))
        return SigningKey(destination.key_id, Algorithm.HS256, secret=secret.encode())

    async def reporting_key_of(self, destination: Destination) -> SigningKey | None:
        """The key that reports of a destination are signed with; ``None`` = nobody signs them.

        :raises ConfigFault: its reference leads nowhere.
        """
        if not destination.pair:
            return await self.key_of(destination)
        if not destination.printer_key:
            return None
        return SigningKey(destination.key_id, Algorithm.EDDSA, public=destination.printer_key)

    def _account(self, destination: Destination) -> Account:
        accounts = self._store.directory.current().accounts
        for account in accounts:
            if account.enabled and destination.account in ("", str(account.address)):
                return account
        what = f"the account {destination.account}" if destination.account else "any account"
        raise ConfigFault(f"Jobs for {destination.name} go out by mail, and there is not {what} to send them from")

    # ------------------------------------------------------------------ the mails of one document

    async def _mails(self, letter: _Letter, document: PrintDocument) -> list[QueueItem]:
        """The rows of the outbox of all mails of a document; mails that are not there yet are handed in."""
        travels_as = travel_id(letter.job.ticket.uuid, letter.member, document.number, letter.serial)
        road = await self._road(letter, document, travels_as)
        parts = len(road.plan.sizes)
        stored: dict[int, int] = {}
        for number in range(1, parts + 1):
            found = await self._store.find(part_id(travels_as, number, self._service.hostname))
            if found:
                stored[number] = found[0][0]
        if len(stored) < parts:
            if letter.expires <= self._service.now():
                raise PolicyRefusal("Its time was over before all of it was sent", code=550, enhanced=(5, 4, 7))
            manifest = await self._manifest(letter, road)
            for number in range(1, parts + 1):
                if number not in stored and not self._over(letter):
                    stored[number] = await self._hand_in(letter, road, manifest, number)
        rows: list[QueueItem] = []
        for message_id in stored.values():
            rows += await self._store.queue.items(agent="relay", message_id=message_id, open_only=False)
        return rows

    async def _road(self, letter: _Letter, document: PrintDocument, travels_as: str) -> _Road:
        """How a document travels: the same each time, unless the configuration has changed."""
        pack = letter.destination.compress and shrinks(document)
        name = (travels_as, letter.part, pack, letter.seals)
        plan, read = self._plans.get(name), partial(self._octets, letter.job.id, document)
        if plan is None:
            plan = await planned(read, document.length, letter.part, pack=pack, seal=letter.seals)
            while len(self._plans) >= _PLANS:
                self._plans.pop(next(iter(self._plans)))
            self._plans[name] = plan
        seal = None
        if letter.seals and letter.key is not None:
            cuts = ",".join(map(str, plan.sizes))
            salt = job_salt(letter.key.secret, travels_as, document.digest.hex(), plan.encoding, cuts)
            told = Encryption(letter.key.kid, salt)
            seal = Seal(job_key(letter.key.secret, salt, travels_as), told)
        return _Road(travels_as, document, plan, seal, read)

    async def _manifest(self, letter: _Letter, road: _Road) -> PrintManifest:
        """The manifest, octet for octet the same each time it is asked for."""
        ticket, document, chunks = letter.job.ticket, road.document, []
        for number in range(1, len(road.plan.sizes) + 1):
            digest, size = hashlib.sha256(), 0
            async for piece in road.part(number):
                digest.update(piece)
                size += len(piece)
            chunks.append(Chunk(number, size, digest.hexdigest()))
        return PrintManifest(
            id=road.travels_as,
            encoding=road.plan.encoding,
            encryption=None if road.seal is None else road.seal.told,
            created=letter.job.processing // SECOND * SECOND,
            expires=letter.expires // SECOND * SECOND,
            sender=letter.account.address,
            to=(str(letter.to),),
            name=document.name or ticket.name or "document",
            format=document.format or "application/octet-stream",
            size=document.length,
            sha256=document.digest.hex(),
            chunks=tuple(chunks),
            options=self._service.options(letter.destination, {**ticket.options, **document.options}),
            fidelity=ticket.fidelity,
            notify=frozenset({"done", "error", *ticket.notify}) & NOTICES,
            pages=document.pages if document.pages > 0 else None,
            via=f"{ticket.via} {ticket.user}".strip(),
        )

    async def _hand_in(
        self, letter: _Letter, road: _Road, manifest: PrintManifest, number: int, resend: int = 0
    ) -> int:
        """Give one mail to the door; returns the id of the stored message."""
        signed = sign(manifest_octets(manifest), letter.key, kind=MANIFEST_KIND)
        now = self._service.now()
        about = PartAddress(letter.account.address, letter.to, self._service.hostname, now, resend)
        head, tail = part_frame(manifest, signed, number, about, letter.key.kid if letter.key else "")
        size = manifest.chunks[number - 1].size
        sink, lines = self._store.new_body(len(head) + size * 4 // 3), Base64Lines()
        try:
            await _write(sink, head)
            async for piece in road.part(number):
                await _write(sink, lines.feed(piece))
            await _write(sink, lines.end() + tail)
            body = await sink.finish()
        except BaseException:
            sink.abort()
            raise
        origin = Origin(Source.PRINT, trace_id(now, self._service.token(3)), user_id=letter.user_id)
        envelope = Envelope(letter.account.address, (Recipient(letter.to),), size=body.size)
        return (await self._intake.accept(envelope, body, origin)).message_id

    async def _octets(self, job_id: int, document: PrintDocument, start: int, size: int) -> AsyncIterator[bytes]:
        """Some octets of a document, in pieces."""
        body, offset = await self._store.print_jobs.document(job_id, document.number)
        position, end = offset + start, offset + start + size
        while position < end:
            piece = await body.read(position, min(_PIECE, end - position))
            if not piece:
                raise Unavailable(detail={"why": "a document ends before its size", "job": job_id})
            position += len(piece)
            yield piece


def travel_id(uuid: str, member: str, document: int, serial: int) -> str:
    """The UUID under which one document of a job travels to one destination; another one after each new cut."""
    return str(uuid5(UUID(uuid), f"{member}/{document}/{serial}"))


def _look_after(letter: _Letter, now: int) -> int:
    """Soon while the job is young, so that its message does not lag behind the outbox; then ever more rarely."""
    return min(_LOOK, max(SECOND, (now - letter.job.processing) // 4))


async def _write(sink: IBodySink, data: bytes) -> None:
    wait = sink.write(data)
    if wait is not None:
        await wait
