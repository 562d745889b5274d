"""Faxes that came in as documents: how many of their rows are damaged, counted page by page."""

from __future__ import annotations

import json
import random

import pytest
from attrs import evolve
from PIL import Image, ImageDraw

from mailshare.core.values.fax import Coding, FaxPage
from mailshare.documents.fax_rows import fax_damage
from mailshare.documents.fax_strips import coded
from mailshare.fax.pages import Pages
from mailshare.fax.rules import FaxRules
from mailshare.testing.fax_documents import InThread
from mailshare.wire.tiff_fax import write_tiff


def page(coding: Coding) -> FaxPage:
    """Lines of letters on a short page."""
    picture = Image.new("1", (1728, 400), 1)
    draw = ImageDraw.Draw(picture)
    for top in range(20, 380, 30):
        draw.text((40, top), f"row {top} " * 30, fill=0)
    return coded(picture, 204, 98, coding)


def counted(*pages: FaxPage) -> list[int]:
    return list(json.loads(fax_damage(write_tiff(pages), {"alone": True})[0]))


@pytest.mark.parametrize("coding", Coding, ids=lambda one: one.value)
def test_what_is_missing_or_damaged_is_counted_and_what_is_whole_is_not(coding: Coding) -> None:
    """Half a strip, noise of five megabytes, and one wrong octet beside a page that is whole."""
    whole, chance = page(coding), random.Random(3)
    half = evolve(whole, data=whole.data[: len(whole.data) // 2])
    noise = evolve(whole, data=chance.randbytes(5_000_000))
    octets = bytearray(whole.data)
    octets[len(octets) // 3] ^= 0x55
    found = counted(whole, half, noise, evolve(whole, data=bytes(octets)), whole)
    assert found[0] == found[4] == 0
    assert 100 < found[1] <= 400
    assert 50 < found[2] <= 400
    assert 0 < found[3] <= 400


async def test_pages_come_in_their_own_octets_with_the_count_beside_them() -> None:
    """As a line gets them that was handed a document."""

    async def aside(act: object) -> object:
        return act()  # type: ignore[operator]

    pages = Pages(InThread(aside).perform, FaxRules)
    whole = page(Coding.MR)
    half = evolve(whole, data=whole.data[: len(whole.data) // 2])
    first, second = await pages.of_document(write_tiff([whole, half]))
    assert (first, second.data) == (whole, half.data)
    assert second.bad_rows > 100
