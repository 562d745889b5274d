"""How many pages a document of PWG raster or URF has, found by walking through it."""

from __future__ import annotations

from typing import BinaryIO

from mailshare.wire import pwg_raster, urf
from mailshare.wire.raster_rows import RowsWrong, skip_rows


def count_pages(source: BinaryIO, most: int) -> int:
    """Pages of a document that begins where the file stands; what a header claims of their number does not count.

    :param most: count no further.
    :raises RowsWrong: it is damaged, or ends in the middle of a page.
    """
    sync = source.read(4)
    if sync == pwg_raster.SYNC:
        size, rows_of = pwg_raster.HEADER, pwg_raster.rows_of
    elif sync + source.read(8)[:4] == urf.SYNC:
        size, rows_of = urf.HEADER, urf.rows_of
    else:
        raise RowsWrong("it is neither PWG raster nor URF")
    pages = 0
    while pages < most and (header := source.read(size)):
        skip_rows(source, *rows_of(header))
        pages += 1
    return pages
