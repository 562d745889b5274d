"""Names and numbers that the store gives out or keeps for itself."""

from __future__ import annotations

import re

from mailshare.core.errors import PolicyRefusal

DAY = 86_400 * 1_000_000  # microseconds
DUPLICATE_DAYS = 14  # a mailbox takes the same message once in that time
SENT_KEPT = 400 * 86_400 * 1_000_000  # an answer may come a year later
FORMER_DAYS = 30  # that the mail of a deleted user is kept, and that his names lead to ADMIN
COUNTED = 3_600 * 1_000_000  # mail to everybody, and of machines, is counted over the last hour
WORK_KEPT = 8 * 86_400 * 1_000_000  # reports that are due; the queue looks back seven days for them
# Lines of the journal that a start reads: work, and no log.
WORK_KINDS = ("device.sent", "public.sent", "report.due", "report.sent")
DONE_KEPT = 3 * 86_400 * 1_000_000  # queue rows that came to an end, for the outbox screen

_RESERVED = re.compile(r"(?:admin|public)[0-9]*\Z")
_NAME = re.compile(r"[^\s@\x00-\x20\x7f\"'<>(),;:\\]{1,64}\Z")


def login_name(name: str) -> str:
    """The form in which a login is stored: casefolded.

    :raises PolicyRefusal: it is empty, longer than 64 characters, or holds blanks, controls, ``@`` or quotes.
    """
    folded = name.strip().casefold()
    if not _NAME.match(folded):
        raise PolicyRefusal("A login has 1 to 64 characters, without blanks, quotes, brackets or @")
    return folded


def refuse_reserved(name: str) -> None:
    """ADMINn and PUBLICn are made with account n and belong to it.

    :raises PolicyRefusal: the name is of that form, with or without its number.
    """
    if _RESERVED.match(name):
        raise PolicyRefusal(f"The name {name} is kept for an account's own ADMIN and PUBLIC")


def resolved_login(name: str) -> str:
    """The stored login that was meant: ``ADMIN`` and ``PUBLIC`` without a number are those of account 1."""
    folded = name.strip().casefold()
    return folded + "1" if folded in {"admin", "public"} else folded


def bare_message_id(text: str) -> str:
    """A Message-ID without brackets and blanks around it: what is stored and compared."""
    text = text.strip()
    start = text.find("<")
    if start >= 0:
        end = text.find(">", start)
        text = text[start + 1 : end if end > 0 else None]
    return text.strip()[:998]
