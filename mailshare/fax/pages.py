"""From messages to the pages of a fax, by the documents service; what was made lately is kept for others to come."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

from attrs import evolve, frozen
from twisted.logger import Logger
from zope.interface import implementer

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.errors import MailshareError, PeerFault, PolicyRefusal
from mailshare.core.fax_costs import Forecast, forecast
from mailshare.core.fax_covers import FaxCover
from mailshare.core.fax_dialling import Toll
from mailshare.core.headers import Headers
from mailshare.core.values.fax import Coding, FaxJob, FaxPage
from mailshare.fax.letters import Part, read_letter
from mailshare.fax.rules import FaxRules
from mailshare.interfaces import IBody, IFaxCall, IFaxLine, IFaxPages, IMadeDocument
from mailshare.wire.tiff_fax import read_tiff, write_tiff

_KEPT = 32 * 1024 * 1024  # octets of pages in memory
_PIECE = 262_144

Perform = Callable[..., Awaitable[IMadeDocument]]
"""``perform(operation, octets, options, declared)`` of :class:`mailshare.interfaces.IDocuments`."""


@frozen
class Made:
    """The pages of a message before they are made for one recipient.

    :ivar text: of the message, for a cover page.
    :ivar tiff: MMR pages; empty when there are none but a cover page.
    :ivar sheet: the cover page that goes first, if one does.
    :ivar damaged: rows of a TIFF file that had to be mended.
    """

    headers: Headers
    text: str
    tiff: bytes
    sheet: FaxCover | None = None
    damaged: int = 0


class Pages:
    """Makes pages.

    :param rules: gives the rules of now.
    """

    _log = Logger()

    def __init__(self, perform: Perform, rules: Callable[[], FaxRules]) -> None:
        self._perform = perform
        self._rules = rules
        self._kept: OrderedDict[bytes, Made] = OrderedDict()

    async def of_body(self, body: IBody, cover: object = "") -> Made:
        """The pages of a message.

        :param cover: the cover sheet that was chosen for it; empty = as for all.
        :raises NotConvertible: 5.6.1, there are none, or one of its parts cannot be faxed.
        """
        rules = self._rules()
        sheet = rules.sheet(cover)
        shape = [rules.layout, rules.text, sheet is not None, sheet is not None and sheet.text]
        key = hashlib.sha256(body.digest + json.dumps(shape).encode()).digest()
        made = self._kept.get(key)
        if made is None:
            made = await self._made(body, rules, sheet)
            self._keep(key, made)
        self._kept.move_to_end(key)
        return made

    async def _made(self, body: IBody, rules: FaxRules, sheet: FaxCover | None) -> Made:
        letter = await read_letter(body)
        worded = sheet is not None and sheet.text
        pages: list[FaxPage] = []
        damaged = 0
        parts = [part for part in letter.parts if part.attached or not worded]
        attached = any(part.attached for part in parts)
        for part in parts:
            if not part.attached and attached and not rules.text:
                continue
            own, mended = await self._of_part(part)
            pages += own
            damaged += mended
            if len(pages) > rules.most_pages:
                raise NotConvertible(Hindrance.TOO_MANY_PAGES, f"This fax has more than {rules.most_pages} pages")
        if not pages and not (worded and letter.text.strip()):
            raise NotConvertible(Hindrance.EMPTY, "This message holds nothing that could be faxed")
        return Made(letter.headers, letter.text, write_tiff(pages) if pages else b"", sheet, damaged)

    async def _of_part(self, part: Part) -> tuple[list[FaxPage], int]:
        """Its pages, and how many rows of them had to be mended."""
        options = {**self._rules().layout, "charset": part.charset}
        try:
            told = f"{part.kind}; charset={part.charset}" if part.kind.startswith("text/") else part.kind
            tiff, facts = await self._worked("fax-pages", part.data, options, told)
        except NotConvertible as fault:
            what = part.name or part.kind
            raise NotConvertible(fault.cause, f"This cannot be faxed: {what}: {fault.public}") from fault
        return _pages_of(tiff), int(str(facts.get("damaged_rows", 0)))

    async def of_notice(self, body: IBody) -> list[FaxPage]:
        """The pages of a mail that somebody put into a box: its attachments; without any its words.

        The order in its first line, which holds the code of the box, is never among them.

        :raises NotConvertible: there are none, or one of its parts cannot be faxed.
        """
        letter = await read_letter(body)
        parts = [one for one in letter.parts if one.attached]
        if not parts:
            words = letter.text.strip().partition("\n")[2].strip()
            parts = [Part("text/plain", words.encode())] if words else []
        found = [await self._of_part(one) for one in parts]
        return [page for pages, _ in found for page in pages]

    def file(self, pages: Sequence[FaxPage]) -> FaxFile:
        """Pages as they are, for a line."""
        return FaxFile(self, write_tiff(pages))

    def _keep(self, key: bytes, made: Made) -> None:
        self._kept[key] = made
        while len(self._kept) > 1 and sum(len(one.tiff) for one in self._kept.values()) > _KEPT:
            self._kept.popitem(last=False)

    async def for_recipient(self, made: Made, cover: Mapping[str, str], head: Sequence[str]) -> FaxFile:
        """The pages as they go to one recipient.

        :param cover: fields of the cover page, where one goes first.
        :param head: the three texts of the head line; none = no line.
        """
        rules = self._rules()
        sheet = made.sheet
        if sheet is None and not head:
            return FaxFile(self, made.tiff, made.damaged)
        options: dict[str, object] = {**rules.layout, "coding": Coding.MMR.value}
        if sheet is not None:
            words = made.text if sheet.text else ""
            options["cover"] = {"fields": dict(cover), "text": words, "title": sheet.title, "note": sheet.note}
        if head:
            options["head"] = list(head)
        # Where the cover page is all, blanks stand for the others: an empty document is never worked out.
        finished = await self._run("fax-finish", made.tiff or b"\n", options, "image/tiff")
        return FaxFile(self, finished, made.damaged)

    async def barcodes(self, pages: Sequence[FaxPage]) -> list[list[str]]:
        """The texts of the barcodes on each page.

        :raises NotConvertible: they cannot be looked for.
        """
        return list(json.loads(await self._run("fax-barcodes", write_tiff(pages), {}, "image/tiff")))

    async def recoded(self, page: FaxPage, coding: Coding) -> FaxPage:
        """The same page in another coding."""
        tiff = await self._run("fax-finish", write_tiff([page]), {"coding": coding.value}, "image/tiff")
        return _only(tiff)

    async def of_document(self, data: bytes) -> Sequence[FaxPage]:
        """The pages of a fax that came as a file: those of a TIFF as they are, all others made anew.

        Rows that are damaged are counted: whoever handed the file over has told nothing of that.

        :raises NotConvertible: it cannot be read.
        """
        if data[:4] in (b"II*\0", b"MM\0*"):
            with contextlib.suppress(PeerFault):
                pages = [one.page for one in read_tiff(data)]
                whole = [one for one in pages if one is not None]
                if whole and len(whole) == len(pages):
                    return await self._counted(whole)
        kind = "application/pdf" if data.startswith(b"%PDF") else "image/tiff"
        return _pages_of(await self._run("fax-pages", data, dict(self._rules().layout), kind))

    async def _counted(self, pages: Sequence[FaxPage]) -> Sequence[FaxPage]:
        """With the rows of each that are damaged; as they are where nobody can say."""
        try:
            bad = json.loads(await self._run("fax-damage", write_tiff(pages), {}, "image/tiff"))
        except MailshareError as fault:
            self._log.info("the damaged rows of a fax are not counted: {why}", why=fault.public)
            return pages
        return [evolve(page, bad_rows=count) for page, count in zip(pages, bad, strict=True)]

    async def sizes(self, made: Made) -> list[int]:
        """Octets of the pages; a cover page counts as a little."""
        own = [len(page.data) for page in _pages_of(made.tiff)] if made.tiff else []
        return [8_000, *own] if made.sheet is not None else own

    def affordable(self, sizes: Sequence[int], number: str, toll: Toll) -> Forecast:
        """What a fax of these pages costs.

        :raises PolicyRefusal: more than one fax may.
        """
        rules = self._rules()
        expected = forecast(sizes, toll, rules.prices)
        if rules.most_cost and expected.cost > rules.most_cost:
            raise PolicyRefusal(
                f"This fax to {number} would cost about {expected.cost:g}, more than the {rules.most_cost:g} "
                "that one fax may cost here"
            )
        return expected

    async def _run(self, operation: str, data: bytes, options: Mapping[str, object], kind: str) -> bytes:
        return (await self._worked(operation, data, options, kind))[0]

    async def _worked(
        self, operation: str, data: bytes, options: Mapping[str, object], kind: str
    ) -> tuple[bytes, Mapping[str, object]]:
        made = await self._perform(operation, in_pieces(data), options, kind)
        try:
            return await octets_of(made), made.facts
        finally:
            made.release()


@implementer(IFaxPages)
class FaxFile:
    """Finished pages."""

    def __init__(self, pages: Pages, tiff: bytes, damaged: int = 0) -> None:
        self._maker = pages
        self._damaged = damaged
        self._pages = _pages_of(tiff)
        self.count = len(self._pages)

    @property
    def sizes(self) -> list[int]:
        """Octets of the pages."""
        return [len(one.data) for one in self._pages]

    @property
    def width(self) -> int:
        """Pixels of the widest."""
        return max((one.width for one in self._pages), default=0)

    polls = False

    def begin(self, line: IFaxLine, job: FaxJob) -> IFaxCall:
        """Have them sent."""
        return line.send(job, self)

    def find(self, line: IFaxLine, native: str, job: FaxJob) -> IFaxCall | None:
        """The call that the line's own machine may be making."""
        return line.find(native, job)

    async def settled(self) -> None:
        """The end of a call is written down; nothing follows from it here."""

    async def encode(self, page: int, coding: Coding) -> FaxPage:
        """One page in that coding."""
        own = self._pages[page]
        return own if own.coding is coding else await self._maker.recoded(own, coding)

    def measured(self, first: int, end: int) -> dict[str, object]:
        """Octets and resolution of some pages, for the log."""
        pages = self._pages[first:end]
        resolution = f"{pages[0].x_res}x{pages[0].y_res}" if pages else ""
        told: dict[str, object] = {"octets": sum(len(page.data) for page in pages), "resolution": resolution}
        return {**told, "damaged_rows": self._damaged} if self._damaged else told

    async def document(self, first: int) -> bytes:
        """The pages from there on as a file."""
        return write_tiff(self._pages[first:])


def _pages_of(tiff: bytes) -> list[FaxPage]:
    return [one.page for one in read_tiff(tiff) if one.page is not None]


def _only(tiff: bytes) -> FaxPage:
    pages = _pages_of(tiff)
    if len(pages) != 1:
        raise NotConvertible(Hindrance.CRASHED)
    return pages[0]


async def in_pieces(data: bytes) -> AsyncIterator[bytes]:
    """Octets as the documents service takes them."""
    for start in range(0, len(data), _PIECE):
        yield data[start : start + _PIECE]
    if not data:
        yield b""



async def octets_of(made: IMadeDocument) -> bytes:
    """All of a document that was made, for one that is small.

    :raises NotConvertible: it ends before its size.
    """
    out = bytearray()
    while len(out) < made.size:
        piece = await made.read(len(out), _PIECE)
        if not piece:
            raise NotConvertible(Hindrance.CRASHED)
        out += piece
    return bytes(out)
