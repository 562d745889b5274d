"""What the row of a fax in the queue says of it."""

from __future__ import annotations

from mailshare.core.fax_times import LATER
from mailshare.core.headers import Headers
from mailshare.core.values import QueueItem


def haste_of(item: QueueItem) -> int:
    """0 for the urgent, 1 for most, 2 for what is in no haste."""
    return 0 if item.params.get("urgent") else 2 if item.params.get("priority") == LATER else 1


def instant(value: object) -> int:
    """A parameter that is a time, microseconds UTC; 0 when there is none."""
    return value if isinstance(value, int) else 0


def cover_fields(item: QueueItem, headers: Headers, moment: str) -> dict[str, str]:
    """What stands on a cover page: enough to see from whom it came and how to answer (RFC 3965 section 5.2.4).

    Nothing that was meant for this gateway alone, such as dialled digits, is among it (RFC 3965 section 5.2.3).
    """
    authors = headers.mailboxes("from")
    author = authors[0] if authors else None
    return {
        "To": str(item.params.get("title", "")),
        "Company": str(item.params.get("company", "")),
        "Fax": str(item.params.get("number", "")),
        "From": author.name if author is not None else "",
        "Mail": str(author.address) if author is not None else "",
        "Date": moment,
        "Subject": headers.text("subject"),
    }
