"""Fax pages as a PDF file: the coded strips are wrapped as they came, nothing is decoded.

Source: ISO 32000-1 section 7.4.6 (CCITTFaxDecode). Pages are as large as the paper was: pixels by their resolution, so
that long, short and coarse pages look as they did on paper.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailshare.core.values.fax import Coding, FaxPage

_K = {Coding.MMR: -1, Coding.MH: 0, Coding.MR: 4}


def write_pdf(pages: Sequence[FaxPage]) -> bytes:
    """A PDF 1.4 file of these pages.

    :raises ValueError: there is no page.
    """
    if not pages:
        raise ValueError("a file needs a page")
    objects: list[bytes] = [b"<< /Type /Catalog /Pages 2 0 R >>"]
    kids = " ".join(f"{3 + 3 * number} 0 R" for number in range(len(pages)))
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode())
    for number, page in enumerate(pages):
        objects += _page(page, 3 + 3 * number)
    return _file(objects)


def _page(page: FaxPage, number: int) -> tuple[bytes, bytes, bytes]:
    width, height = page.width * 72 / (page.x_res or 204), page.rows * 72 / (page.y_res or 196)
    whole = (
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width:.2f} {height:.2f}] "
        f"/Resources << /XObject << /F {number + 2} 0 R >> >> /Contents {number + 1} 0 R >>"
    ).encode()
    drawing = f"q {width:.2f} 0 0 {height:.2f} 0 0 cm /F Do Q".encode()
    decode = f"/K {_K[page.coding]} /Columns {page.width} /Rows {page.rows} /BlackIs1 false"
    decode += " /EndOfBlock true" if page.coding is Coding.MMR else " /EndOfLine true /EndOfBlock false"
    picture = (
        f"<< /Type /XObject /Subtype /Image /Width {page.width} /Height {page.rows} /BitsPerComponent 1 "
        f"/ColorSpace /DeviceGray /Filter /CCITTFaxDecode /DecodeParms << {decode} >> /Length {len(page.data)} >>"
    ).encode()
    return (
        whole,
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawing), drawing),
        picture + b"\nstream\n" + page.data + b"\nendstream",
    )


def _file(objects: Sequence[bytes]) -> bytes:
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, each in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for place in places:
        out += b"%010d 00000 n \n" % place
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)
