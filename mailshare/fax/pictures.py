"""Pages of faxes as small pictures, for whoever looks after the lines; made once, kept for a while."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence

from attrs import frozen
from twisted.internet.defer import DeferredLock

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.fax_covers import FaxCover
from mailshare.core.headers import Headers
from mailshare.fax.letters import read_letter
from mailshare.fax.pages import Made, Pages, Perform, in_pieces, octets_of
from mailshare.interfaces import IBody

_KEPT = 8 * 1024 * 1024  # octets of pictures in memory
_AT_ONCE = 24  # pages that one process draws
_PAGES = ("image/tiff", "application/pdf")

Key = tuple[bytes, int, int, str]


@frozen
class Sheaf:
    """Pictures of some pages.

    :ivar total: pages of the whole fax.
    """

    total: int
    pictures: Sequence[bytes]


class Pictures:
    """Draws pages.

    :param pages: makes the pages of what goes out.
    """

    def __init__(self, perform: Perform, pages: Pages) -> None:
        self._perform = perform
        self._pages = pages
        self._kept: OrderedDict[Key, Sheaf] = OrderedDict()
        self._lock = DeferredLock()  # whoever asks for ten pages at once has them drawn once

    async def outgoing(self, body: IBody, page: int, width: int, cover: object = "") -> tuple[bytes, int]:
        """A page, from 1, of a message that is sent, and how many there are; head line and cover page left out.

        :param cover: the cover sheet that was chosen for it: without one, the words of the mail are a page.
        :raises NotConvertible: it has no such page.
        """
        async with self._lock:
            return await self._picture(body, page, width, outgoing=True, cover=cover)

    async def incoming(self, body: IBody, page: int, width: int) -> tuple[bytes, int]:
        """A page of the mail that a fax became. Raises as :meth:`outgoing`."""
        async with self._lock:
            return await self._picture(body, page, width, outgoing=False)

    async def cover(self, sheet: FaxCover, fields: Mapping[str, str], text: str, width: int) -> bytes:
        """A cover page as it would go out, as a picture."""
        made = Made(Headers(), text, b"", sheet)
        file = await self._pages.for_recipient(made, fields, ())
        return (await self._drawn(await file.document(0), "image/tiff", 1, width)).pictures[0]

    async def _picture(
        self, body: IBody, page: int, width: int, *, outgoing: bool, cover: object = ""
    ) -> tuple[bytes, int]:
        first = (max(page, 1) - 1) // _AT_ONCE * _AT_ONCE + 1
        key = (body.digest, first, width, str(cover or ""))
        sheaf = self._kept.get(key)
        if sheaf is None:
            data, kind = await self._document(body, outgoing=outgoing, cover=cover)
            sheaf = await self._drawn(data, kind, first, width)
            self._keep(key, sheaf)
        self._kept.move_to_end(key)
        if not 0 <= page - first < len(sheaf.pictures):
            raise NotConvertible(Hindrance.EMPTY, f"This fax has {sheaf.total} pages; there is no page {page}")
        return sheaf.pictures[page - first], sheaf.total

    async def _document(self, body: IBody, *, outgoing: bool, cover: object) -> tuple[bytes, str]:
        if outgoing:
            return (await self._pages.of_body(body, cover)).tiff, "image/tiff"
        return await self.pages_of(body)

    @staticmethod
    async def pages_of(body: IBody) -> tuple[bytes, str]:
        """The pages of a mail that a fax became, in the file that came with it, and its media type.

        :raises NotConvertible: it holds none.
        """
        letter = await read_letter(body)
        parts = sorted((one for one in letter.parts if one.kind in _PAGES), key=lambda one: _PAGES.index(one.kind))
        if not parts:
            raise NotConvertible(Hindrance.EMPTY, "This mail holds no pages of a fax")
        return parts[0].data, parts[0].kind

    async def _drawn(self, data: bytes, kind: str, first: int, width: int) -> Sheaf:
        if not data:
            raise NotConvertible(Hindrance.EMPTY, "This fax is a cover page alone; it is made when it is sent")
        options: Mapping[str, object] = {"first": first, "most": _AT_ONCE, "width": width}
        made = await self._perform("page-pictures", in_pieces(data), options, kind)
        try:
            out = await octets_of(made)
            sizes, total = made.facts.get("sizes"), made.facts.get("of")
        finally:
            made.release()
        if not isinstance(sizes, list) or not isinstance(total, int):
            raise NotConvertible(Hindrance.CRASHED)
        pictures, start = [], 0
        for size in sizes:
            pictures.append(out[start : start + size])
            start += size
        return Sheaf(total, pictures)

    def _keep(self, key: Key, sheaf: Sheaf) -> None:
        self._kept[key] = sheaf
        while len(self._kept) > 1 and sum(sum(map(len, one.pictures)) for one in self._kept.values()) > _KEPT:
            self._kept.popitem(last=False)
