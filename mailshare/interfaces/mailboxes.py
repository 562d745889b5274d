"""Local mailboxes: the lock of one session, and the look of an administrator."""

from __future__ import annotations

from array import array
from collections.abc import Awaitable, Mapping, MutableMapping, Sequence

from zope.interface import Attribute, Interface

from mailshare.core.values import Entry, Event, Hop, MailboxCount, Target
from mailshare.interfaces.bodies import IBody


class IMaildrop(Interface):
    """One user's mailbox, held exclusively by one session (RFC 1939 section 4)."""

    count: int = Attribute("messages when it was locked")
    octets: int = Attribute("their octets, with the prefixes of the entries")

    def snapshot() -> Awaitable[tuple[array[int], array[int]]]:
        """``(uids, sizes)`` of those messages in the order of uids; kept for the life of the maildrop."""

    def uidl(uid: int) -> str:
        """The unique-id: 1 to 33 characters 0x21-0x7e, never reused (RFC 1939 section 7)."""

    def body(uid: int) -> Awaitable[IBody]:
        """The message with the entry's prefix in front.

        :raises Unavailable: it cannot be read now, or was taken away by an administrator.
        """

    def commit(deleted: Sequence[int], retrieved: Sequence[int] = ()) -> Awaitable[int]:
        """Delete these uids all together and mark those as retrieved, durable when it fires; keeps the lock.

        :returns: how many were deleted.
        """

    def release() -> None:
        """Give the lock back. Idempotent."""


class IForesightedMaildrop(IMaildrop):
    """A maildrop that reads messages before they are asked for, and keeps its listing. Nobody needs to provide it."""

    shown: MutableMapping[str, bytes] = Attribute(
        "what sessions made of the snapshot to send, by names of theirs; the next session finds it unless the mailbox"
        " has changed"
    )

    def at_hand(uid: int) -> bytes | None:
        """All octets of a message as they go on a POP3 wire: with dots stuffed and the last line ended, without the
        final dot; ``None`` when they cannot be had without a wait.

        What is given is let go of, and may be asked for again.
        """

    def forget_ahead() -> None:
        """Let go of all messages that were read before they were asked for: nobody will ask soon."""


class IMailboxes(Interface):
    """All local mailboxes."""

    def lock_maildrop(user_id: int, owner: str) -> Awaitable[IMaildrop]:
        """Take the exclusive lock.

        :param owner: who asks, for the log, e.g. the peer's address.
        :raises MailboxInUse: another session has it.
        """

    def counts() -> Awaitable[Sequence[MailboxCount]]:
        """Totals of all mailboxes."""

    def oldest() -> Awaitable[Mapping[int, int]]:
        """User id to since when the oldest message lies in the mailbox, microseconds UTC; empty ones are left out."""

    def entries(user_id: int, *, before_uid: int | None = None, limit: int = 500) -> Awaitable[Sequence[Entry]]:
        """What lies in a mailbox, newest first; takes no lock."""

    def holders(message_id: int) -> Awaitable[Sequence[tuple[int, int]]]:
        """``(user id, uid)`` of each mailbox that has this message."""

    def give(
        user_id: int,
        uid: int,
        targets: Sequence[Target],
        hops: Sequence[Hop] = (),
        *,
        at: int,
        events: Sequence[Event] = (),
        expires: int = 0,
    ) -> Awaitable[Mapping[int, int]]:
        """Move an entry into other mailboxes and into the queue, with its events, all or nothing; the body stays the
        one it is.

        A session that holds the mailbox finds the entry gone. A target that has the message already keeps the one it
        has; a hop for a user (``forward_for``) whose mailbox met a copy before is not queued again.

        :param expires: when queue rows give up, microseconds UTC.
        :returns: user id to uid of each new entry.
        :raises NoSuchEntry: it is not there, or not any more.
        :raises Unavailable: a target has no mailbox; nothing was changed.
        """
