"""Works fax documents out in this process: quick, and for documents that a test has made itself."""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping
from hashlib import sha256
from typing import Any

from attrs import field, frozen
from zope.interface import implementer

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.interfaces import IMadeDocument


@implementer(IMadeDocument)
@frozen
class _Octets:
    format: str
    pages: int | None
    data: bytes = field(repr=False)
    facts: Mapping[str, object] = field(factory=dict)

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def digest(self) -> bytes:
        return sha256(self.data).digest()

    async def read(self, start: int, length: int) -> bytes:
        return self.data[start : start + length]

    def release(self) -> None:
        """There is no file."""


class InThread:
    """Does for faxes what the documents service does in a confined process.

    :param aside: runs a function somewhere; the work is done there.
    """

    def __init__(self, aside: Any) -> None:
        self._aside = aside

    async def perform(
        self, operation: str, octets: AsyncIterable[bytes], options: Mapping[str, object], declared: str = ""
    ) -> IMadeDocument:
        """One of the operations of mailshare.documents.fax_pages."""
        data = b"".join([piece async for piece in octets])

        def act() -> tuple[bytes, Mapping[str, object]]:
            try:
                from mailshare.documents.fax_barcodes import fax_barcodes  # noqa: PLC0415
                from mailshare.documents.fax_pages import fax_finished, fax_pages  # noqa: PLC0415
                from mailshare.documents.fax_rows import fax_damage  # noqa: PLC0415
            except ImportError as fault:
                raise NotConvertible(Hindrance.TOOL_MISSING, "Faxing needs mailshare[fax] installed") from fault
            made = {
                "fax-pages": fax_pages,
                "fax-finish": fax_finished,
                "fax-barcodes": fax_barcodes,
                "fax-damage": fax_damage,
            }.get(operation)
            if made is None:
                raise NotConvertible(Hindrance.TOOL_MISSING, f"{operation} is not done in tests")
            return made(data, options, declared)

        tiff, facts = await self._aside(act)
        return _Octets("image/tiff", int(str(facts["pages"])), tiff, facts)
