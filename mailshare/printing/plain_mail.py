"""Ordinary mails: what is printed of them, as what, and as how many jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from hashlib import sha256

from attrs import evolve, frozen
from twisted.logger import Logger

from mailshare.core import print_formats as kinds
from mailshare.core.autoreply import is_automatic
from mailshare.core.encoded_words import text_of
from mailshare.core.errors import PolicyRefusal
from mailshare.core.print_choice import Part, Printed, choose
from mailshare.core.print_manifest import MAX_NAME
from mailshare.core.print_options import effective
from mailshare.core.print_words import Wishes
from mailshare.core.returned_parts import is_report
from mailshare.core.values import Conversion, Event, PrintDocument, PrintMail, PrintNews, PrintSet, PrintTicket
from mailshare.interfaces import IBody, IDocuments, IMadeDocument
from mailshare.printing.brought import Brought, Judged, key_of, uuid_of
from mailshare.printing.documents import Said
from mailshare.printing.local_printer import LocalPrinter
from mailshare.printing.mail_contents import Leaf, leaf_octets
from mailshare.printing.service import PrintService
from mailshare.printing.taking import FORGOTTEN, JobRefused, Taking, stored_document, wanted

Tell = Callable[[PrintNews], Awaitable[None]]
_NOT_HERE = "documents of this kind are not printed here; PDF is always right"
_BEFORE = "It was taken before"
_MOST_TEXT = 1 << 20  # octets of a text that is printed in place of an attachment
_PROGRAMS = frozenset({kinds.POSTSCRIPT, kinds.PCL, kinds.PCLXL})
_NO_DOCUMENT = frozenset({kinds.OCTETS, kinds.ZIP, kinds.OLE})


def why_no_job(brought: Brought) -> str:
    """Why a mail is nothing to be printed, whoever sent it; empty when it may be."""
    headers = brought.headers
    if is_report(headers):
        return "It is a report of a mail server"
    if is_automatic(headers) or (headers.first("return-path") or "").strip() == "<>":
        return "A machine wrote it"
    if (headers.first("precedence") or "").strip().casefold() in ("bulk", "list", "junk") or headers.first("list-id"):
        return "It comes from a mailing list"
    return ""


def chosen(brought: Brought, documents: IDocuments | None) -> Printed:
    """The attachments that can be printed; without any attachment at all, the text."""
    printer, contents = brought.printer, brought.contents

    def refusal(part: Part, kind: str) -> str:
        if part.length > printer.limits.octets:
            return f"it is larger than {printer.limits.octets:,} octets"
        if kind in _PROGRAMS and not printer.postscript:
            return _NOT_HERE
        return "" if becomes(kind, printer, documents) else _NOT_HERE

    return choose(contents.leaves, refusal, most=printer.limits.attachments, shown=contents.shown)


def becomes(kind: str, printer: LocalPrinter, documents: IDocuments | None) -> str:
    """As what a document of that kind goes to a printer; empty when it cannot go there."""
    formats = printer.device.abilities.formats
    if kind in _NO_DOCUMENT:
        return ""
    if kind in formats:
        return kind
    return "" if documents is None else documents.makes(kind, formats)


@frozen
class _Place:
    """One of the documents of a mail: the how manyth, what its job is called, and what is not printed besides it."""

    index: int
    name: str
    left: tuple[str, ...]


class PlainMails:
    """Makes jobs of ordinary mails.

    :param tell: brings news to senders.
    """

    _log = Logger()

    def __init__(self, service: PrintService, taking: Taking, tell: Tell) -> None:
        self._service = service
        self._taking = taking
        self._tell = tell

    async def came(self, brought: Brought, who: Judged, wishes: Wishes, name: str) -> str:
        """A mail that may be printed; returns in words what was done with it.

        :param wishes: what it asks for; ``name`` of the job, from its subject.
        :raises JobRefused: nothing of it is printed.
        """
        choice = chosen(brought, self._taking.documents)
        leaves = brought.contents.leaves
        if not choice.parts:
            words = "; ".join(choice.left) or "there is nothing in it that could be printed"
            raise JobRefused("nothing-to-print", words)
        done: list[str] = []
        refused: list[tuple[str, PolicyRefusal]] = []
        for index, (number, kind) in enumerate(choice.parts):
            leaf = leaves[number]
            try:
                alone = len(choice.parts) == 1
                place = _Place(index, name if alone else leaf.name or name, () if index else choice.left)
                done.append(await self._job(brought, who, wishes, place, leaf, kind))
            except PolicyRefusal as fault:
                refused.append((leaf.name or name, fault))
        for called, why in refused:
            await self._refused(brought, who, called, why)
        if refused and not done:
            raise JobRefused("told", "; ".join(why.public for _, why in refused))
        return "; ".join([*done, *choice.left, *(f"{called}: {why.public}" for called, why in refused)])

    async def _refused(self, brought: Brought, who: Judged, name: str, fault: PolicyRefusal) -> None:
        now, trace = self._service.now(), brought.item.trace
        data = {"printer": brought.printer.name, "document": name[:100], "why": fault.public}
        await self._service.store.events.append([Event(now, "print.job-refused", trace, data=data)])
        if who.proof.level == 0:
            return
        news = PrintNews(
            happening="refused",
            printer=brought.printer.name,
            id=uuid_of(f"{trace}/{name}"),
            at=now,
            to=str(who.sender),
            name=name,
            message_id=brought.about,
            trace=trace,
            level=who.proof.level,
            error=fault.reason if isinstance(fault, JobRefused) else "document",
            words=fault.public,
        )
        await self._tell(news)

    async def _job(
        self, brought: Brought, who: Judged, wishes: Wishes, place: _Place, leaf: Leaf, kind: str
    ) -> str:
        """One document as one job."""
        service, printer = self._service, brought.printer
        asked = wanted(printer, wishes.options, who.verdict)
        mail = _mail(brought, who, wishes, (*wishes.unknown, *asked.ignored, *place.left))
        # The same mail collected again, by whatever way, is the same job; the same document in a new mail is not.
        told = who.proof.mark or brought.about or brought.body.content_digest.hex()
        mail = evolve(mail, id=uuid_of(f"{told}/{place.index}/{leaf.digest.hex()}"))
        key, now = key_of(mail, printer.name), service.now()
        if await service.store.print_sets.find(key) is not None:
            facts = {"printer": printer.name, "job": uuid_of(key)}
            await service.store.events.append([Event(now, "print.duplicate", brought.item.trace, data=facts)])
            return _BEFORE
        ticket = _ticket(printer, mail, key, place.name or leaf.name or "Mail", asked.options)
        document, body = await self._document(brought, ticket, leaf.name or place.name, leaf, kind)
        one = PrintSet(
            key=key,
            printer=printer.name,
            created=now,
            expires=now + FORGOTTEN,
            total=1,
            octets=document.length,
            digest=document.digest.hex(),
            mail=mail,
            last=now,
        )
        held = asked.hold or wishes.hold
        job = await self._taking.take(printer, one, ticket, [(document, body)], who.verdict, held=held)
        return _BEFORE if job is None else f"Taken as job {job.id}, level {mail.level}: {mail.proof}"


    async def _document(
        self, brought: Brought, ticket: PrintTicket, name: str, leaf: Leaf, kind: str
    ) -> tuple[PrintDocument, IBody]:
        """The document as it came, or as a PDF where the printer knows nothing of its kind."""
        printer, documents = brought.printer, self._taking.documents
        octets, target = _octets(brought, leaf, kind), becomes(kind, printer, documents)
        said = Said(declared=target or kind, name=name)
        if documents is None or target in ("", kind):
            return await stored_document(self._service, printer, ticket, said, octets)
        options = effective(ticket.options, printer.device.defaults, self._service.rules.defaults)
        paper = {"media": options["media"]} if "media" in options else {}
        made = await documents.convert(octets, Conversion((target,), paper), kind)
        try:
            return await stored_document(self._service, printer, ticket, said, _made_octets(made))
        finally:
            made.release()


def _mail(brought: Brought, who: Judged, wishes: Wishes, ignored: tuple[str, ...]) -> PrintMail:
    return PrintMail(
        id="",
        sender=str(who.sender),
        reply=str(who.sender),
        message_id=brought.about,
        trace=brought.item.trace,
        level=who.proof.level,
        proof=who.proof.words,
        guest=who.verdict.guest,
        pin=sha256(wishes.pin.encode()).hexdigest() if wishes.pin else "",
        ignored=ignored,
    )


def _ticket(
    printer: LocalPrinter, mail: PrintMail, key: str, name: str, options: Mapping[str, object]
) -> PrintTicket:
    return PrintTicket(
        uuid=uuid_of(key),
        queue=printer.name,
        user=mail.sender,
        name=name.encode()[:MAX_NAME].decode(errors="ignore"),
        members=(printer.name,),
        options=options,
        notify=("done", "error"),
        via="mail",
        peer=mail.sender,
        mail=mail,
    )


async def _octets(brought: Brought, leaf: Leaf, kind: str) -> AsyncIterator[bytes]:
    """A document as it goes on; a text is made UTF-8."""
    if kind not in (kinds.TEXT, kinds.HTML):
        async for piece in leaf_octets(brought.body, leaf.offset):
            yield piece
        return
    text = bytearray()
    async for piece in leaf_octets(brought.body, leaf.offset):
        text += piece
        if len(text) > _MOST_TEXT:
            raise JobRefused("too-large", f"A text of more than {_MOST_TEXT:,} octets is printed as PDF only")
    yield text_of(bytes(text), leaf.media.parameters.get("charset", "utf-8")).encode()


async def _made_octets(made: IMadeDocument) -> AsyncIterator[bytes]:
    position = 0
    while piece := await made.read(position, made.size):
        position += len(piece)
        yield piece


def without(tags: Sequence[str], secrets: Sequence[str]) -> tuple[str, ...]:
    """The tags of an address that are no secrets."""
    hidden = {secret.casefold() for secret in secrets}
    return tuple(tag for tag in tags if tag.casefold() not in hidden)
