"""A page that shows that a printer prints: one sheet of PDF with a few lines and a ruler along its edges."""

from __future__ import annotations

from collections.abc import Sequence

_WIDE, _HIGH = 595, 842  # A4 in points
_EDGE = 36


def test_page(lines: Sequence[str]) -> bytes:
    """The document.

    :param lines: what stands on it; characters beyond Latin-1 become question marks.
    """
    text = b"".join(b"(%s) Tj T* " % _escaped(line) for line in lines)
    frame = f"{_EDGE} {_EDGE} {_WIDE - 2 * _EDGE} {_HIGH - 2 * _EDGE} re S\n".encode()
    marks = b"".join(b"%d %d m %d %d l S\n" % (x, _EDGE, x, _EDGE + 9) for x in range(_EDGE, _WIDE - _EDGE, 28))
    greys = b"".join(b"%.1f g %d 90 50 50 re f\n" % (step / 10, 40 + step * 46) for step in range(11))
    content = frame + marks + greys + b"0 g BT /F1 14 Tf 20 TL 72 740 Td " + text + b"ET\n"
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents 4 0 R " % (_WIDE, _HIGH)
        + b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%sendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    )
    return _assembled(objects)


def _assembled(objects: Sequence[bytes]) -> bytes:
    """Objects with their table (ISO 32000-1 section 7.5.4)."""
    out, places = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), []
    for number, one in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


def _escaped(line: str) -> bytes:
    raw = line.encode("latin-1", "replace")
    for special in (b"\\", b"(", b")"):
        raw = raw.replace(special, b"\\" + special)
    return raw
