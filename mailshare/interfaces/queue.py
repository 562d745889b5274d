"""The collector's ledger and the one queue: what is to be fetched, and what is to be handed on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from zope.interface import Interface

from mailshare.core.values import Event, LedgerRow, LedgerState, Outcome, QueueItem
from mailshare.interfaces.bodies import IBody


class ILedger(Interface):
    """The collector's memory of what it has met upstream."""

    def known(account_id: int) -> Awaitable[Mapping[str, LedgerRow]]:
        """All rows of an account by uidl."""

    def mark(account_id: int, uidls: Sequence[str], state: LedgerState, at: int) -> Awaitable[None]:
        """Change the state of rows, e.g. to ``GONE`` after QUIT's +OK."""

    def rekey(account_id: int, pairs: Mapping[str, str]) -> Awaitable[None]:
        """Rename uidls, old to new (the provider renumbered)."""

    def adopt(account_id: int, uids: Mapping[str, int], note: str) -> Awaitable[int]:
        """Take over what another program fetched: rows in state ``KEPT`` without size, digest and message.

        :param uids: unique-id to when it was first seen, microseconds UTC.
        :param note: stands in the rows' ``error``.
        :returns: how many were new; ids that have a row keep it.
        """

    def prune(account_id: int, listed: Sequence[str], before: int) -> Awaitable[int]:
        """Drop rows that a *complete* upstream listing lacks and that were first seen before that time."""


class IQueue(Interface):
    """The one queue: relay, fax and print are rows of the same kind."""

    def claim(
        agent: str, limit: int, now: int, lease: int, *, account_id: int | None = None, device: str | None = None
    ) -> Awaitable[Sequence[QueueItem]]:
        """Take due rows (``QUEUED`` and ``next_at <= now``, or a lease that ran out), oldest first.

        :param lease: microseconds; renew at half.
        """

    def renew(ids: Sequence[int], until: int) -> Awaitable[None]:
        """Keep rows claimed for longer."""

    def settle(outcomes: Sequence[Outcome], events: Sequence[Event] = ()) -> Awaitable[None]:
        """Write what became of rows, with one attempt row each, in one transaction."""

    def items(
        *,
        agent: str | None = None,
        account_id: int | None = None,
        message_id: int | None = None,
        open_only: bool = True,
        before_id: int | None = None,
        limit: int = 500,
    ) -> Awaitable[Sequence[QueueItem]]:
        """Rows for the outbox screen, newest first."""

    def item(item_id: int) -> Awaitable[QueueItem | None]:
        """One row."""

    def waiting(account_id: int | None = None, agent: str = "relay") -> Awaitable[int]:
        """Messages (submissions, not recipients) with rows that are queued or active."""

    def oldest(agent: str = "relay") -> Awaitable[Mapping[int, tuple[int, int]]]:
        """``account_id`` (0 = none) to (messages that are queued or active, ``queued`` of the oldest)."""

    def due(agent: str, now: int) -> Awaitable[Mapping[int, tuple[int, int]]]:
        """``account_id`` to (messages due now, earliest ``next_at`` of those not due or 0)."""

    def steer(ids: Sequence[int], act: str, at: int) -> Awaitable[int]:
        """Hold, release, retry (now), cancel, recall, delete or undelete rows, as the word ``act`` says.

        Active rows are left alone, but by ``"recall"``: it cancels them too, and whatever comes of the try is too late.
        ``"delete"`` is a cancelling that ``"undelete"`` takes back within 30 seconds.

        :returns: rows changed.
        """

    def attempts(item_id: int) -> Awaitable[Sequence[Mapping[str, object]]]:
        """Every try of a row: ``at, code, status, reply, detail``."""

    def body(message_id: int) -> Awaitable[IBody]:
        """The message that a row sends."""


class INotifier(Interface):
    """Wakes whoever waits for work; in the process, or between nodes."""

    def wake(queue: str) -> None:
        """Something is due in that queue."""

    def subscribe(queue: str, call: Callable[[], None]) -> Callable[[], None]:
        """Be called (on the reactor thread) after each wake; the result ends that."""
