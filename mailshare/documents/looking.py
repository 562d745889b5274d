"""What a document is and how many pages it has, by its octets alone."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Mapping
from typing import BinaryIO

from mailshare.core import print_formats as kinds
from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.media_type import MediaType
from mailshare.core.print_formats import OFFICE, PICTURES
from mailshare.documents.operations import Work
from mailshare.wire.raster_pages import count_pages
from mailshare.wire.raster_rows import RowsWrong

_MOST_MEMBERS = 5_000  # files in an office document
_MOST_INFLATED = 400 << 20  # octets of them together
_HTML = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
_OLD = {b"WordDocument": "application/msword", b"Workbook": "application/vnd.ms-excel"}
_OLD[b"PowerPoint Document"] = "application/vnd.ms-powerpoint"


def facts(work: Work) -> Mapping[str, object]:
    """What the document is; ``pages`` is null where only a conversion tells."""
    kind = kind_of(work)
    told: dict[str, object] = {"format": kind, "pages": None, "octets": os.path.getsize(work.source)}
    if kind == kinds.PDF:
        from mailshare.documents.pdf_pages import look  # noqa: PLC0415 - each kind imports what opens it, and no more

        told |= look(work.source, work.bounds)
    elif kind in PICTURES:
        from mailshare.documents.picture_pages import look as look_at_picture  # noqa: PLC0415

        told |= look_at_picture(work.source, work.bounds)
    elif kind in (kinds.TEXT, kinds.HTML):
        from mailshare.documents.text_pages import count  # noqa: PLC0415

        told["pages"] = count(work, kind)
    elif kind in (kinds.PWG, kinds.URF):
        told["pages"] = _raster(work)
    if isinstance(told["pages"], int):
        check_pages(told["pages"], work.bounds.pages)
    return told


def check_pages(pages: int, most: int) -> None:
    """There are some, and not too many.

    :raises NotConvertible: EMPTY, TOO_MANY_PAGES.
    """
    if pages > most:
        raise NotConvertible(Hindrance.TOO_MANY_PAGES, f"The document has {pages:,} pages; {most:,} are taken here")
    if pages < 1:
        raise NotConvertible(Hindrance.EMPTY)


def kind_of(work: Work) -> str:
    """The media type by the octets; what those do not tell, the sender may say."""
    with open(work.source, "rb") as file:
        return kind_of_file(file, work.declared)


def kind_of_file(file: BinaryIO, declared: str) -> str:
    """The same of an open file."""
    head = file.read(kinds.LOOKED_AT)
    found = kinds.sniffed(head)
    if found == kinds.ZIP:
        return _packed(file)
    if found == kinds.OLE:
        return _old_office(head + file.read(1 << 20))
    told = MediaType.parse(declared, "").name
    if found == kinds.TEXT or (found == kinds.OCTETS and told.startswith("text/")):
        return kinds.HTML if told == kinds.HTML or _HTML.match(head) else kinds.TEXT
    return found


def _packed(file: BinaryIO) -> str:
    """An office document in a zip file, by what it says it is; any other zip file is one."""
    try:
        with zipfile.ZipFile(file) as packed:
            members = packed.infolist()
            if len(members) > _MOST_MEMBERS or sum(one.file_size for one in members) > _MOST_INFLATED:
                raise NotConvertible(Hindrance.TOO_LARGE, "The document grows beyond all measure when it is unpacked")
            names = {one.filename for one in members}
            if "mimetype" in names:
                with packed.open("mimetype") as member:
                    said = member.read(200).decode("ascii", "replace").strip()
                return said if said in OFFICE else kinds.ZIP
    except (zipfile.BadZipFile, RuntimeError) as fault:
        raise NotConvertible(Hindrance.DAMAGED, detail={"why": str(fault)}) from fault
    for folder, ending in (("word/", "docx"), ("xl/", "xlsx"), ("ppt/", "pptx")):
        if "[Content_Types].xml" in names and any(name.startswith(folder) for name in names):
            return next(kind for kind, known in OFFICE.items() if known == ending)
    return kinds.ZIP


def _old_office(head: bytes) -> str:
    """A document of before 2007, by the names of the streams in it."""
    return next((kind for name, kind in _OLD.items() if name.decode().encode("utf-16-le") in head), kinds.OLE)


def _raster(work: Work) -> int:
    with open(work.source, "rb") as file:
        try:
            return count_pages(file, work.bounds.pages + 1)
        except RowsWrong as fault:
            raise NotConvertible(Hindrance.DAMAGED, detail={"why": str(fault)}) from fault
