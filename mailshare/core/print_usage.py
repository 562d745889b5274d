"""How much was printed: counters for each month, printer and sender, as text and as a table for spreadsheets.

They are counted from the jobs themselves each time that somebody asks, so nothing can come apart.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from attrs import fields, frozen

from mailshare.core.errors import PeerFault
from mailshare.core.report_parts import printable
from mailshare.core.values import SECOND

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])\Z")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets would take for a formula


@frozen
class PrintUsage:
    """What one sender printed on one printer in one month, by the time that jobs were over.

    :ivar month: ``2026-11``, in UTC.
    :ivar sender: address, or the name that a program gave.
    :ivar jobs: that are over; ``printed``, ``failed`` and ``unknown`` of them, the others were cancelled.
    :ivar pages: as the printer counted; where it does not, as counted before printing.
    :ivar sheets: as the printer counted.
    """

    month: str
    printer: str
    sender: str
    jobs: int
    printed: int
    failed: int
    unknown: int
    pages: int
    sheets: int


COLUMNS = tuple(one.name for one in fields(PrintUsage))


def month_of(at: int) -> str:
    """The month of an instant, microseconds UTC."""
    return datetime.fromtimestamp(at // SECOND, UTC).strftime("%Y-%m")


def month_before(month: str) -> str:
    """The one before."""
    year, number = int(month[:4]), int(month[5:])
    return f"{year - 1}-12" if number == 1 else f"{year:04d}-{number - 1:02d}"


def span_of(month: str) -> tuple[int, int]:
    """First microsecond of a month, and of the next one.

    :raises PeerFault: it is not ``YYYY-MM``.
    """
    found = _MONTH.match(month)
    if not found or int(found[1]) < 1970:
        raise PeerFault(f"{month!r} is no month; write 2026-11", code=400)
    year, number = int(found[1]), int(found[2])
    first = datetime(year, number, 1, tzinfo=UTC)
    after = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)
    return int(first.timestamp()) * SECOND, int(after.timestamp()) * SECOND


def usage_csv(rows: Iterable[PrintUsage]) -> str:
    """A table with a heading, lines ended by CRLF (RFC 4180). What would be a formula is made a text."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_harmless(getattr(row, name)) for name in COLUMNS])
    return out.getvalue()


def _harmless(value: object) -> object:
    if not isinstance(value, str):
        return value
    return f"'{printable(value)}" if value.startswith(_FORMULA) else printable(value)


def usage_words(printer: str, month: str, rows: Sequence[PrintUsage]) -> tuple[str, tuple[str, ...]]:
    """Subject and paragraphs of a month's report of one printer, the greatest first."""
    pages, jobs = sum(row.pages for row in rows), sum(row.jobs for row in rows)
    failed, unknown = sum(row.failed for row in rows), sum(row.unknown for row in rows)
    words = [f"{printer} had {jobs} jobs of {len(rows)} senders in {month} and printed {pages} pages."]
    if failed or unknown:
        words.append(f"{failed} jobs failed; of {unknown} nobody knows whether they were printed.")
    ordered = sorted(rows, key=lambda row: (-row.pages, row.sender))
    words += [f"  {printable(row.sender, 60)}: {row.pages} pages, {row.jobs} jobs" for row in ordered[:100]]
    if len(ordered) > 100:
        words.append(f"and {len(ordered) - 100} more senders: mailshare printers usage --month {month} --csv")
    return f"[print] usage of {printer} in {month}: {pages} pages", tuple(words)
