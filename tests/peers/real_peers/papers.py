"""Documents to print: small, valid as far as anybody looks, and made here, since the packages ship none."""

from __future__ import annotations

import re
from pathlib import Path

PWG_HEADER, PWG_LINES = 1796, 2000


def pdf(width: int = 595, height: int = 842, pages: int = 4) -> bytes:
    """A PDF file with a grey box on each page."""
    kids = " ".join(f"{3 + 2 * page} 0 R" for page in range(pages))
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>"]
    for page in range(pages):
        content = f"0.5 g 100 100 200 {200 + page * 10} re f"
        box = f"[0 0 {width} {height}]"
        objects.append(f"<< /Type /Page /Parent 2 0 R /MediaBox {box} /Contents {4 + 2 * page} 0 R >>")
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    out, places = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, text in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{text}\nendobj\n".encode()
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    start, size = len(out), len(objects) + 1
    out += f"xref\n0 {size}\n0000000000 65535 f \n{table}".encode()
    return out + f"trailer << /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()


POSTSCRIPT = b"%!PS-Adobe-3.0\n%%Pages: 1\nshowpage\n%%EOF\n"
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xd9"
RASTER = b"RaS2PwgRaster\0" + b"\0" * (PWG_HEADER - 14) + b"\0" * PWG_LINES


def suite(folder: Path, tests: Path) -> None:
    """A folder in which ``ipptool`` finds its test files and every document that they name."""
    folder.mkdir(parents=True, exist_ok=True)
    for test in tests.glob("*.test"):
        (folder / test.name).write_bytes(test.read_bytes())
    for size, (width, height) in {"a4": (595, 842), "letter": (612, 792)}.items():
        (folder / f"document-{size}.pdf").write_bytes(pdf(width, height))
        (folder / f"onepage-{size}.pdf").write_bytes(pdf(width, height, 1))
        (folder / f"document-{size}.ps").write_bytes(POSTSCRIPT)
    for name in ("color.jpg", "gray.jpg"):
        (folder / name).write_bytes(JPEG)
    everywhere = (folder / "ipp-everywhere.test").read_text()
    for name in set(re.findall(r"pwg-raster-samples-\S+\.pwg", everywhere)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(RASTER)
