"""An office suite that is installed opens office documents, confined as it is; Debian: libreoffice-writer-nogui."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pypdfium2
import pytest
import pytest_twisted
from made_papers import octets

from mailshare.core.print_formats import PDF
from mailshare.core.values import Conversion
from mailshare.documents.routes import SOCKETS

OASIS = "urn:oasis:names:tc:opendocument:xmlns"
ODT = "application/vnd.oasis.opendocument.text"
CONTENT = (
    f'<office:document-content xmlns:office="{OASIS}:office:1.0" xmlns:text="{OASIS}:text:1.0" office:version="1.2">'
    "<office:body><office:text><text:p>Offer of Tuesday</text:p></office:text></office:body></office:document-content>"
)
MANIFEST = (
    f'<m:manifest xmlns:m="{OASIS}:manifest:1.0" m:version="1.2"><m:file-entry m:full-path="/" m:media-type="{ODT}"/>'
    '<m:file-entry m:full-path="content.xml" m:media-type="text/xml"/></m:manifest>'
)


def letter() -> bytes:
    """An OpenDocument text of one line."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in (("mimetype", ODT), ("content.xml", CONTENT), ("META-INF/manifest.xml", MANIFEST)):
            archive.writestr(name, text)
    return out.getvalue()


@pytest.mark.nightly
@pytest_twisted.ensureDeferred
async def test_a_letter_becomes_a_pdf(desk, program: Callable[[str], str]) -> None:
    """Twice, for the first leaves nothing behind that disturbs the second, nor anything else."""
    program("soffice")
    desk.bound(seconds=60)
    before = set(Path(SOCKETS).glob("OSL_PIPE*"))
    for _ in range(2):
        made = await desk.convert(octets(letter()), Conversion((PDF,)))
        assert made.pages == 1
        [page] = pypdfium2.PdfDocument(await made.read(0, made.size))
        assert "Offer of Tuesday" in page.get_textpage().get_text_range()
        made.release()
    assert set(Path(SOCKETS).glob("OSL_PIPE*")) == before
