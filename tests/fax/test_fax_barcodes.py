"""Barcodes on pages that came in: read in the confined process, and what routes make of them."""

from __future__ import annotations

import json

import pytest
import segno
from PIL import Image, ImageDraw

from mailshare.core.values.fax import CallFacts, Coding, FaxCause, FaxPage, Ringing
from mailshare.documents.fax_barcodes import fax_barcodes
from mailshare.documents.fax_strips import coded
from mailshare.wire.tiff_fax import write_tiff
from tests.fax.test_fax_boxes import TIFF, faxes_of, page, pages_in
from tests.fax.test_fax_office import line_of
from tests.house import House

ROUTES = """
[[fax_route]]
barcode = "INV-*"
to = ["anna"]
"""


def with_code(text: str, y_res: int = 196) -> FaxPage:
    """A page as a machine scans it, with a QR code on it."""
    picture = Image.new("1", (1728, 2292), 1)
    draw, size = ImageDraw.Draw(picture), 8
    for row, modules in enumerate(segno.make_qr(text).matrix):
        for column, dark in enumerate(modules):
            if dark:
                left, top = 300 + column * size, 300 + row * size
                draw.rectangle((left, top, left + size - 1, top + size - 1), fill=0)
    if y_res < 196:
        picture = picture.resize((1728, 1146), Image.Resampling.NEAREST)
    return coded(picture, 204, y_res, Coding.MMR)


@pytest.mark.parametrize("y_res", [98, 196])
def test_codes_are_read_from_pages_of_each_resolution(y_res: int) -> None:
    """Also where the dots are twice as high as wide; a page without a code is an empty list."""
    octets, facts = fax_barcodes(write_tiff([with_code("INV-77", y_res), page(1)]), {})
    assert json.loads(octets) == [["INV-77"], []]
    assert facts == {"pages": 2}


async def received(house: House, *pages: FaxPage) -> None:
    receiver = line_of(house).receiver
    assert receiver is not None
    call = Ringing("call-1", "pretend", "+4989123456", "+49305550100")
    assert await receiver.screen(call) is FaxCause.OK
    for index, each in enumerate(pages):
        await receiver.page_received(call, index, each)
    await receiver.finished(call, CallFacts(FaxCause.OK))


async def test_a_barcode_decides_who_gets_a_fax(house: House) -> None:
    """The whole call, through the confined process; a barcode without a route changes nothing."""
    await house.start(TIFF + ROUTES)
    pages = [page(1), with_code("INV-77"), with_code("other")]
    await received(house, *pages)
    [came] = await faxes_of(house, "anna")
    assert pages_in(came) == pages
    assert not await house.mail_of("ben", "ben")


async def test_a_call_is_split_where_a_barcode_has_its_own_route(house: House) -> None:
    """Pages before the first separator go as they would; each part is a mail, and none is lost."""
    await house.start(TIFF.replace("[fax]", "[fax]\nsplit = true") + ROUTES)
    pages = [page(1), with_code("INV-1"), page(2), with_code("INV-2"), with_code("other")]
    await received(house, *pages)
    parts = [pages_in(one) for one in await faxes_of(house, "anna", 2)]
    assert parts == [pages[1:3], pages[3:]]
    [first] = await faxes_of(house, "ben")
    assert pages_in(first) == pages[:1]
