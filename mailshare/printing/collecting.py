"""Jobs with a manifest: their parts are collected, asked for when they do not come, and joined when all are there.

Whatever happens in between, a job is made once: a part that comes again changes nothing, and the set of a job and the
print job are written in one transaction.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from hashlib import sha256

from attrs import evolve
from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from mailshare.core.address import Address
from mailshare.core.errors import NoSuchJob, PeerFault, PolicyRefusal
from mailshare.core.print_manifest import PrintManifest, read_manifest
from mailshare.core.print_parts import AskAgain, Complete, GiveUp, next_step
from mailshare.core.print_policy import Proof, judged
from mailshare.core.values import (
    Event,
    PrintDocument,
    PrintMail,
    PrintNews,
    PrintSet,
    PrintTicket,
    SetPart,
    SetState,
)
from mailshare.interfaces import IBody
from mailshare.printing.brought import Brought, Judged, key_of, uuid_of
from mailshare.printing.documents import Said
from mailshare.printing.fragments import PREFIX as FRAGMENTS
from mailshare.printing.local_printer import LocalPrinter, PrinterKey
from mailshare.printing.mail_contents import Leaf, leaf_octets
from mailshare.printing.service import PrintService
from mailshare.printing.taking import FORGOTTEN, JobRefused, Taking, stored_document, wanted
from mailshare.wire.jws import SigningKey
from mailshare.wire.print_secrecy import Opening, job_key

Tell = Callable[[PrintNews], Awaitable[None]]
KeyOf = Callable[[PrinterKey], Awaitable[SigningKey]]
_HOUR = 3_600 * 1_000_000


class Collecting:
    """Sets of parts, until they are jobs.

    :param tell: brings news to senders.
    :param key_of: reads a key of a printer.
    """

    _log = Logger()

    def __init__(self, service: PrintService, taking: Taking, tell: Tell, key_of: KeyOf) -> None:
        self._key_of = key_of
        self._service = service
        self._sets = service.store.print_sets
        self._taking = taking
        self._tell = tell
        self._locks: dict[str, DeferredLock] = {}
        self._forgotten = 0

    # ------------------------------------------------------------------ parts

    async def came(self, brought: Brought, manifest: PrintManifest, payload: bytes, who: Judged) -> str:
        """A mail with a manifest that may be printed; returns in words what was done with it.

        :raises JobRefused: it contradicts what came before, or is too large.
        """
        mail = _mail(brought, manifest, who)
        key = key_of(mail, brought.printer.name)
        lock = self._locks.setdefault(key, DeferredLock())
        await lock.acquire()
        try:
            found = await self._set(brought, manifest, payload, mail, key)
            if found.state is not SetState.COLLECTING:
                return await self._again(found, manifest)
            found, words = await self._part(brought, manifest, found)
            if len(found.have) == found.total:
                return await self._join(brought.printer, found, manifest)
            return words
        finally:
            lock.release()
            if not lock.waiting:
                self._locks.pop(key, None)

    async def _set(
        self, brought: Brought, manifest: PrintManifest, payload: bytes, mail: PrintMail, key: str
    ) -> PrintSet:
        digest, printer = sha256(payload).hexdigest(), brought.printer
        found = await self._sets.find(key)
        if found is None:
            _fits(printer, manifest)
            now, limits = self._service.now(), printer.limits
            new = PrintSet(
                key=key,
                printer=printer.name,
                created=now,
                expires=manifest.expires,
                total=len(manifest.chunks),
                octets=manifest.transferred,
                digest=digest,
                mail=mail,
                manifest=payload,
                last=now,
            )
            try:
                found = await self._sets.open(new, limits.bounds)
            except PolicyRefusal as fault:
                raise JobRefused("too-much", fault.public) from None
        if found.digest != digest:
            raise JobRefused("conflict", "Another job came before under the same name; this one is not printed")
        return found

    async def _part(self, brought: Brought, manifest: PrintManifest, found: PrintSet) -> tuple[PrintSet, str]:
        """Keep what the mail brings. Chunks that are alike are one: whichever comes stands for all of them."""
        leaf, now = brought.contents.chunk, self._service.now()
        numbers = [] if leaf is None else _numbers(manifest, leaf)
        trace = brought.item.trace
        if leaf is None or not numbers:
            words = "Its part is none of the job: it is damaged, or was changed on its way"
            await self._service.store.events.append(
                [Event(now, "print.part-wrong", trace, data={"printer": found.printer, "job": found.mail.id})]
            )
            return found, words
        part = SetPart(brought.item.message_id, leaf.offset, leaf.length, leaf.digest)
        fresh = [number for number in numbers if number not in found.have]
        for number in fresh:
            facts = {"printer": found.printer, "job": found.mail.id, "part": number, "of": found.total}
            found = await self._sets.add(found.id, number, part, now, [Event(now, "print.part", trace, data=facts)])
        words = f"Part {', '.join(map(str, numbers))} of {found.total} is here{'' if fresh else ' already'}"
        if fresh and found.total > 1 and "trace" in manifest.notify:
            missing = tuple(number for number in range(1, found.total + 1) if number not in found.have)
            await self._tell(self._news(found, "received", manifest.name, words=words, missing=missing))
        return found, words

    async def _again(self, found: PrintSet, manifest: PrintManifest) -> str:
        """A job that is over came once more."""
        if found.state is SetState.TAKEN and not found.ended:
            return "The job is being printed already"
        words = found.words or "The job is over"
        if found.state is SetState.TAKEN:
            words = f"Not printed again: {words}"
        happening = "done" if found.state is SetState.TAKEN else "refused"
        await self._tell(self._news(found, happening, manifest.name, words=words, error="duplicate"))
        return words

    # ------------------------------------------------------------------ all is there

    async def _join(self, printer: LocalPrinter, found: PrintSet, manifest: PrintManifest) -> str:
        try:
            return await self._joined(printer, found, manifest)
        except PolicyRefusal as fault:
            now = self._service.now()
            data = {"printer": printer.name, "job": found.mail.id, "why": fault.public}
            event = Event(now, "print.job-refused", found.mail.trace, data=data)
            error = fault.reason if isinstance(fault, JobRefused) else "document"
            # Told first, which is done once however often it is tried: a kill between the two loses no news.
            await self._tell(self._news(found, "refused", manifest.name, words=fault.public, error=error))
            await self._sets.end(found, now, fault.public, [event])
            return fault.public

    async def _joined(self, printer: LocalPrinter, found: PrintSet, manifest: PrintManifest) -> str:
        mail = found.mail
        verdict = judged(printer.policy, Address.parse(mail.sender), Proof(mail.level, mail.proof, mail.kid))
        if not verdict.allowed:  # the rules have changed since the first part came
            raise JobRefused("not-allowed", "You may not print here")
        asked = wanted(printer, manifest.options, verdict, fidelity=manifest.fidelity)
        ticket = PrintTicket(
            uuid=uuid_of(found.key),
            queue=printer.name,
            user=mail.sender,
            name=manifest.name,
            members=(printer.name,),
            options=asked.options,
            notify=tuple(sorted(manifest.notify)),
            fidelity=manifest.fidelity,
            via="mail",
            peer=mail.sender,
            expires=manifest.expires,
            mail=evolve(mail, ignored=asked.ignored, pin=asked.pin),
        )
        document = await self._document(printer, ticket, found, manifest)
        job = await self._taking.take(printer, found, ticket, [document], verdict, held=asked.hold)
        if job is None:
            return "The job was taken before"
        return f"Taken as job {job.id}, level {mail.level}: {mail.proof}"

    async def _document(
        self, printer: LocalPrinter, ticket: PrintTicket, found: PrintSet, manifest: PrintManifest
    ) -> tuple[PrintDocument, IBody]:
        """The parts as one document on stable storage.

        :raises PolicyRefusal: it is not what the manifest says, or of a kind that is not printed.
        """
        said = Said(
            compression=manifest.encoding if manifest.encoding == "gzip" else "none",
            declared=manifest.format,
            name=manifest.name,
        )
        octets = self._joined_octets(found, manifest, await self._job_key(printer, manifest))
        document, body = await stored_document(self._service, printer, ticket, said, octets)
        if (document.length, document.digest.hex()) != (manifest.size, manifest.sha256):
            raise JobRefused("wrong-digest", "The parts together are not the document that was signed")
        return document, body

    async def _job_key(self, printer: LocalPrinter, manifest: PrintManifest) -> bytes | None:
        """What its parts are decrypted with; ``None`` when they are not encrypted.

        :raises JobRefused: the printer has no such key.
        """
        secret = manifest.encryption
        if secret is None:
            return None
        key = printer.keys.get(secret.kid)
        if key is None or key.public:
            raise JobRefused("encrypted", f"The job is encrypted with {secret.kid}, which is no key of this printer")
        return job_key((await self._key_of(key)).secret, secret.salt, manifest.id)

    async def _joined_octets(
        self, found: PrintSet, manifest: PrintManifest, key: bytes | None
    ) -> AsyncIterator[bytes]:
        for number in range(1, found.total + 1):
            part = found.have[number]
            stored = await self._service.store.message(part.message_id)
            if stored is None:
                raise JobRefused("lost-part", f"Part {number} is not kept any more")
            opening = None if key is None else Opening(key, manifest.id, number)
            async for piece in leaf_octets(stored[0], part.offset):
                yield piece if opening is None else opening.feed(piece)
            if opening is not None:
                try:
                    opening.end()
                except PeerFault as fault:
                    raise JobRefused("encrypted", fault.public) from fault

    # ------------------------------------------------------------------ time

    async def look(self) -> None:
        """Ask for what does not come, give up what is late, and finish what a stop has left."""
        now = self._service.now()
        for one in await self._sets.collecting():
            if one.key.startswith(FRAGMENTS):
                if now >= one.expires:
                    await self._sets.end(one, now, "Not all fragments of a mail came")
                continue
            printer = self._service.printers.get(one.printer)
            gap = printer.gap if printer is not None else 0
            if len(one.have) == one.total or now >= min(one.last + gap, one.expires):
                await self._see_to(one, printer, gap)
        if now - self._forgotten > _HOUR:
            self._forgotten = now
            await self._sets.forget(now - FORGOTTEN)

    async def _see_to(self, one: PrintSet, printer: LocalPrinter | None, gap: int) -> None:
        lock = self._locks.setdefault(one.key, DeferredLock())
        await lock.acquire()
        try:
            found = await self._sets.find(one.key)
            if found is None or found.state is not SetState.COLLECTING:
                return
            manifest, now = read_manifest(found.manifest), self._service.now()
            step = next_step(manifest, found.have, now=now, last=found.last, requests=found.requests, gap=gap)
            if isinstance(step, GiveUp):
                await self._give_up(found, manifest, step.missing)
            elif printer is None:
                return  # it was taken out of the configuration; perhaps it comes back in time
            elif isinstance(step, Complete):
                await self._join(printer, found, manifest)
            elif isinstance(step, AskAgain) and found.mail.level > 0:
                await self._ask(found, manifest, step.missing)
        finally:
            lock.release()
            if not lock.waiting:
                self._locks.pop(one.key, None)

    async def _ask(self, found: PrintSet, manifest: PrintManifest, missing: tuple[int, ...]) -> None:
        now = self._service.now()
        data = {"printer": found.printer, "job": found.mail.id, "missing": list(missing[:50])}
        try:
            await self._sets.asked(found.id, now, [Event(now, "print.resend", found.mail.trace, data=data)])
        except NoSuchJob:
            return
        words = f"{len(missing)} of {found.total} parts have not come (request {found.requests + 1} for them)"
        await self._tell(self._news(found, "resend", manifest.name, words=words, missing=missing))

    async def _give_up(self, found: PrintSet, manifest: PrintManifest, missing: tuple[int, ...]) -> None:
        now = self._service.now()
        words = f"{len(missing)} of {found.total} parts never came"
        data = {"printer": found.printer, "job": found.mail.id, "why": words}
        if found.mail.level > 0:
            news = self._news(found, "failed", manifest.name, words=words, missing=missing, error="expired")
            await self._tell(news)
        await self._sets.end(found, now, words, [Event(now, "print.job-refused", found.mail.trace, data=data)])

    async def job_over(self, mail: PrintMail, printer: str, words: str) -> None:
        """The print job of a set has come to its end: remember when, for whoever sends it again."""
        found = await self._sets.find(key_of(mail, printer))
        if found is not None and not found.ended:
            now = self._service.now()
            at = datetime.fromtimestamp(now // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M UTC")
            await self._sets.end(found, now, f"{words} at {at}")

    def _news(
        self,
        one: PrintSet,
        happening: str,
        name: str,
        *,
        words: str,
        error: str = "",
        missing: tuple[int, ...] = (),
    ) -> PrintNews:
        mail = one.mail
        return PrintNews(
            happening=happening,
            printer=one.printer,
            id=mail.id,
            at=self._service.now(),
            to=mail.reply,
            name=name,
            message_id=mail.message_id,
            trace=mail.trace,
            kid=mail.kid,
            level=mail.level,
            error=error,
            words=words,
            missing=missing,
        )


def manifest_of(payload: bytes, printer: LocalPrinter, addresses: tuple[Address, ...], now: int) -> PrintManifest:
    """A manifest that is for this printer and of now.

    :param addresses: of the printer.
    :raises ManifestRefused: it cannot be used, or not now.
    :raises JobRefused: it is for another printer.
    """
    manifest = read_manifest(payload)
    manifest.check_time(now)
    own = {address.key for address in addresses}
    for text in manifest.to:
        if text.casefold() == printer.name.casefold():
            return manifest
        try:
            address = Address.parse(text)
        except PeerFault:
            continue
        if address.key in own:
            return manifest
    raise JobRefused("another-printer", "The job was made for another printer")


def _numbers(manifest: PrintManifest, leaf: Leaf) -> list[int]:
    digest = leaf.digest.hex()
    return [one.number for one in manifest.chunks if (one.size, one.sha256) == (leaf.length, digest)]


def _fits(printer: LocalPrinter, manifest: PrintManifest) -> None:
    """Look at what it says of its size before anything of it is kept."""
    most = printer.limits.octets
    if max(manifest.size, manifest.transferred) > most:
        raise JobRefused("too-large", f"The document has {manifest.size:,} octets, and {most:,} are printed")
    secret = manifest.encryption
    if secret is not None and secret.kid not in printer.keys:
        raise JobRefused("encrypted", f"The job is encrypted with {secret.kid}, which is no key of this printer")
    pages = printer.limits.pages
    if manifest.pages is not None and manifest.pages > pages:
        raise JobRefused("too-many-pages", f"The job has {manifest.pages} pages, and {pages} are printed")


def _mail(brought: Brought, manifest: PrintManifest, who: Judged) -> PrintMail:
    """What is known of the job's sender. News go to his own domain only, whatever the manifest says."""
    reply = manifest.reply or str(who.sender)
    if Address.parse(reply).key[1] != who.sender.key[1]:
        reply = str(who.sender)
    return PrintMail(
        id=manifest.id,
        sender=str(who.sender),
        reply=reply,
        message_id=brought.about,
        trace=brought.item.trace,
        level=who.proof.level,
        proof=who.proof.words,
        kid=who.proof.kid,
        guest=who.verdict.guest,
    )
