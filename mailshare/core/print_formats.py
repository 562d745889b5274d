"""What a document is, by its first octets, never by its name.

Sources: ISO 32000-1 section 7.5.2, PWG 5102.4 section 4, ISO/IEC 14496-12 section 4.3, the formats' own definitions.
"""

from __future__ import annotations

from collections.abc import Mapping

LOOKED_AT = 1024
"""Octets from the beginning that decide."""

OCTETS = "application/octet-stream"
PDF, POSTSCRIPT, TEXT = "application/pdf", "application/postscript", "text/plain"
JPEG, PNG, TIFF = "image/jpeg", "image/png", "image/tiff"
GIF, BMP, WEBP, HEIC, HTML = "image/gif", "image/bmp", "image/webp", "image/heic", "text/html"
ZIP, OLE, TNEF, RTF = "application/zip", "application/x-ole-storage", "application/ms-tnef", "application/rtf"
PWG, URF, PCL, PCLXL = "image/pwg-raster", "image/urf", "application/vnd.hp-pcl", "application/vnd.hp-pclxl"

PICTURES = (JPEG, PNG, TIFF, GIF, BMP, WEBP, HEIC)
_OPEN = "application/vnd.oasis.opendocument."
_NEW = "application/vnd.openxmlformats-officedocument."
OFFICE: Mapping[str, str] = {
    _OPEN + "text": "odt",
    _OPEN + "spreadsheet": "ods",
    _OPEN + "presentation": "odp",
    _NEW + "wordprocessingml.document": "docx",
    _NEW + "spreadsheetml.sheet": "xlsx",
    _NEW + "presentationml.presentation": "pptx",
    "application/msword": "doc",
    "application/vnd.ms-excel": "xls",
    "application/vnd.ms-powerpoint": "ppt",
    RTF: "rtf",
}
"""Documents that an office suite opens, and the ending by which it knows them."""

_BEGINNINGS = (
    (b"%!", POSTSCRIPT),
    (b"\x04%!", POSTSCRIPT),
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"RaS2", PWG),
    (b"UNIRAST\0", URF),
    (b") HP-PCL XL", PCLXL),
    (b"\x1bE", PCL),
    (b"\x1b&l", PCL),
    (b"\x1b*t", PCL),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"PK\x03\x04", ZIP),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OLE),
    (b"\x78\x9f\x3e\x22", TNEF),
    (b"{\\rtf", RTF),
)
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_PJL = b"\x1b%-12345X"


def sniffed(beginning: bytes) -> str:
    """The media type that the first octets show; ``application/octet-stream`` when they show none.

    :param beginning: at least the first :data:`LOOKED_AT` octets, or all there are.
    """
    head = beginning[:LOOKED_AT]
    if head.startswith(_PJL):
        return _in_pjl(head)
    if b"%PDF-" in head:
        return PDF
    for start, kind in _BEGINNINGS:
        if head.startswith(start):
            return kind
    if head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS:
        return HEIC
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return WEBP
    if head.startswith(b"BM") and head[6:10] == bytes(4):
        return BMP
    return TEXT if _is_text(head) else OCTETS


def _in_pjl(head: bytes) -> str:
    """What a printer job language header announces."""
    for line in head[len(_PJL) :].split(b"\n"):
        words = line.upper().replace(b" ", b"")
        if words.startswith(b"@PJLENTERLANGUAGE="):
            language = words.partition(b"=")[2].strip()
            return {b"POSTSCRIPT": POSTSCRIPT, b"PDF": PDF, b"PCL": PCL, b"PCLXL": PCLXL}.get(language, OCTETS)
    return OCTETS


def _is_text(head: bytes) -> bool:
    if not head or any(one < 32 and one not in b"\t\n\r\f\x08" for one in head):
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 3 and error.reason == "unexpected end of data"
    return True


def format_of(beginning: bytes, declared: str) -> str:
    """What the document is taken for: its octets decide; what they do not tell, the sender may say."""
    found = sniffed(beginning)
    if found in (OCTETS, ZIP, OLE) or (found == TEXT and declared not in ("", OCTETS)):
        return declared or found
    return found
