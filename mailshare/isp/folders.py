"""Which folders of an IMAP server are collected from, when the account leaves that to the server (RFC 6154)."""

from __future__ import annotations

from collections.abc import Sequence

from mailshare.core.folders import INBOX, Folder
from mailshare.wire.imap_replies import ListedMailbox

_JUNK_NAMES = ("junk", "spam", "junk mail", "junk e-mail", "junk email", "bulk mail", "bulk")
_SHOWN = 12


def found_folders(mailboxes: Sequence[ListedMailbox]) -> tuple[Folder, ...]:
    """The inbox, and the folder for junk: the one marked so, else the only one that bears one of its usual names."""
    marked = [one for one in mailboxes if r"\JUNK" in one.flags]
    uses = any(flag in one.flags for one in mailboxes for flag in (r"\SENT", r"\TRASH", r"\DRAFTS"))
    if not marked and not uses:
        # A server that marks other folders would mark this one too.
        marked = [one for one in mailboxes if _leaf(one) in _JUNK_NAMES]
        marked = marked if len(marked) == 1 else []
    return (Folder(INBOX), *(Folder(one.name, "junk") for one in marked if _can_be_opened(one)))


def named(mailboxes: Sequence[ListedMailbox]) -> str:
    """The names of the folders that there are, for a sentence."""
    names = [one.name for one in mailboxes if _can_be_opened(one)]
    shown = ", ".join("".join(char if char.isprintable() else "?" for char in name)[:60] for name in names[:_SHOWN])
    return shown + (", ..." if len(names) > _SHOWN else "")


def _leaf(mailbox: ListedMailbox) -> str:
    name = mailbox.name.casefold()
    return name.rpartition(mailbox.delimiter)[2] if mailbox.delimiter else name


def _can_be_opened(mailbox: ListedMailbox) -> bool:
    return not mailbox.flags & {r"\NOSELECT", r"\NONEXISTENT"}
