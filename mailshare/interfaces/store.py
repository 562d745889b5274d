"""The store whole, and its one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from zope.interface import Attribute, Interface

from mailshare.core.envelope import Envelope
from mailshare.core.headers import Headers
from mailshare.core.personal import Quota
from mailshare.core.values import (
    DeliveryResult,
    Event,
    Hop,
    LedgerKey,
    LedgerState,
    Origin,
    SentMark,
    StoredMessage,
    Target,
)
from mailshare.interfaces.bodies import IBody, IBodySink
from mailshare.interfaces.directory import IDirectoryStore, ISettings
from mailshare.interfaces.events import IEventLog, IMemory
from mailshare.interfaces.mailboxes import IMailboxes
from mailshare.interfaces.printing import IPrintJobs
from mailshare.interfaces.printing_server import IPrintSets
from mailshare.interfaces.queue import ILedger, INotifier, IQueue


class IDelivery(Interface):
    """The one transaction of the door (transaction 1 and 3 of the store's rules)."""

    def deliver(
        envelope: Envelope,
        body: IBody,
        origin: Origin,
        targets: Sequence[Target],
        hops: Sequence[Hop] = (),
        events: Sequence[Event] = (),
        *,
        at: int,
        duplicate_key: bytes = b"",
        sent: SentMark | None = None,
        expires: int = 0,
        hold: bool = False,
        bounds: Mapping[int, Quota] | None = None,
        headers: Headers | None = None,
    ) -> Awaitable[DeliveryResult]:
        """Store message, entries, ledger row, queue rows and events, all or nothing; fires when durable.

        ``origin.ledger`` is inserted first; when that row exists nothing else is done and ``already`` is True.
        ``duplicate_key`` (32 bytes, empty = do not look) suppresses entries in mailboxes that met the key within
        14 days.
        ``steps`` of the routing travel as an event of kind ``route``.

        :param at: microseconds UTC, the time of reception.
        :param expires: when queue rows give up, microseconds UTC.
        :param hold: queue rows start as HELD.
        :param bounds: by user id; a mailbox that would pass its bound refuses the whole delivery.
        :param headers: the body's header block, by somebody who has read it already.
        :raises MailboxFull: one of the bounds is reached; nothing was stored.
        :raises StorageFull, StoreReadOnly: nothing was stored.
        """

    def ready(
        envelope: Envelope,
        body: IBody,
        origin: Origin,
        targets: Sequence[Target],
        hops: Sequence[Hop] = (),
        events: Sequence[Event] = (),
        *,
        headers: Headers | None,
        at: int,
        duplicate_key: bytes = b"",
        sent: SentMark | None = None,
        expires: int = 0,
        hold: bool = False,
        bounds: Mapping[int, Quota] | None = None,
    ) -> object | None:
        """A delivery for :meth:`deliver_together`, by the arguments of :meth:`deliver`.

        :returns: ``None`` when it has to be delivered alone, e.g. for its size; what else it is only the store knows.
        """

    def deliver_together(ready: Sequence[Any]) -> Awaitable[Sequence[DeliveryResult]]:
        """Store several in their order, each as :meth:`deliver` does, all or nothing; fires when durable.

        :raises MailshareError: as :meth:`deliver`; which of them it is about is not told.
        """

    def refuse(
        key: LedgerKey, state: LedgerState, error: str, at: int, events: Sequence[Event] = ()
    ) -> Awaitable[None]:
        """Write a ledger row without a message (poison, skipped for size)."""


class IStore(Interface):
    """The only memory. Everything durable goes through here."""

    delivery: IDelivery = Attribute("IDelivery")
    mailboxes: IMailboxes = Attribute("IMailboxes")
    ledger: ILedger = Attribute("ILedger")
    queue: IQueue = Attribute("IQueue")
    directory: IDirectoryStore = Attribute("IDirectoryStore")
    events: IEventLog = Attribute("IEventLog")
    settings: ISettings = Attribute("ISettings")
    memory: IMemory = Attribute("IMemory")
    print_jobs: IPrintJobs = Attribute("IPrintJobs")
    print_sets: IPrintSets = Attribute("IPrintSets")
    notifier: INotifier = Attribute("INotifier")
    capabilities: frozenset[str] = Attribute(
        "of transactional_ledger, single_instance, durable, shared, claims, notify"
    )
    trouble: str = Attribute(
        "why it cannot write at present, with 'read-only' in front when it tries no more; 'damaged' and what was found"
    )

    def open() -> Awaitable[None]:
        """Make or migrate the schema, take the lock, load the directory.

        :raises Unavailable: another server has it open.
        """

    def close() -> Awaitable[None]:
        """Finish what is queued and let go. Idempotent."""

    def new_body(size_hint: int = 0) -> IBodySink:
        """A sink for one message.

        :raises StorageFull: less than twice ``size_hint`` and the reserve is free.
        """

    def message(message_id: int) -> Awaitable[tuple[IBody, str, int] | None]:
        """``(body, trace, received)`` of a stored message."""

    def find(trace_or_message_id: str) -> Awaitable[Sequence[tuple[int, str, str]]]:
        """``(message id, trace, Message-ID field)`` of stored messages with this trace or Message-ID."""

    def recent(limit: int, *, account_id: int | None = None) -> Awaitable[Sequence[StoredMessage]]:
        """The last messages stored and not dropped yet, newest first; reports of our own left out."""

    def collect_garbage(now: int) -> Awaitable[int]:
        """Drop messages that nothing refers to and files past their grace; returns how many."""

    def backup(directory: str) -> Awaitable[None]:
        """A consistent copy that :meth:`open` accepts, made while serving."""

    def verify(*, deep: bool = False) -> Awaitable[Sequence[str]]:
        """Problems found, in words; empty when sound. ``deep`` reads every body."""
