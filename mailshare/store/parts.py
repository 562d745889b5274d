"""The parts that every store is made of, put together over one database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from mailshare.core.values import StoredMessage
from mailshare.interfaces import (
    IBody,
    IBodySink,
    IDelivery,
    IDirectoryStore,
    IEventLog,
    ILedger,
    IMailboxes,
    IMemory,
    INotifier,
    IPrintJobs,
    IPrintSets,
    IQueue,
    ISettings,
)
from mailshare.store.check import problems
from mailshare.store.database import Database
from mailshare.store.deliver import Delivery
from mailshare.store.directory import DirectoryStore
from mailshare.store.events import EventLog
from mailshare.store.garbage import Garbage
from mailshare.store.ledger import Ledger
from mailshare.store.mailboxes import Mailboxes
from mailshare.store.messages import Messages, StoredBodies
from mailshare.store.naming import DUPLICATE_DAYS, FORMER_DAYS
from mailshare.store.notifier import Notifier
from mailshare.store.outbox_bodies import OutboxBodies
from mailshare.store.print_jobs import PrintJobs
from mailshare.store.print_sets import PrintSets
from mailshare.store.queue import Queue
from mailshare.store.segment_garbage import SegmentGarbage
from mailshare.store.sent import SentMemory
from mailshare.store.settings import Settings
from mailshare.store.totals import Totals


class StoreParts:
    """Base of both stores: the seams, and the look-ups that do not depend on where the rows are kept.

    :ivar capabilities: set by the store.
    """

    delivery: IDelivery
    mailboxes: IMailboxes
    ledger: ILedger
    queue: IQueue
    directory: IDirectoryStore
    events: IEventLog
    settings: ISettings
    memory: IMemory
    print_jobs: IPrintJobs
    print_sets: IPrintSets
    notifier: INotifier
    capabilities: frozenset[str]

    @property
    def trouble(self) -> str:
        """Why the store cannot write at present: memory always can."""
        return ""

    def __init__(
        self,
        database: Database,
        *,
        hostname: str,
        bodies: StoredBodies,
        new_body: Callable[[int], IBodySink],
        unlink: Callable[[Sequence[str]], Awaitable[None]] | None = None,
        segments: SegmentGarbage | None = None,
        duplicate_days: int = DUPLICATE_DAYS,
        former_days: int = FORMER_DAYS,
    ) -> None:
        notifier = Notifier()
        self._messages = Messages(database, bodies)
        self._directory = DirectoryStore(database, hostname, former_days)
        self._garbage = Garbage(
            database, unlink, segments, duplicate_days=duplicate_days, former_days=former_days
        )
        self._rows = database
        totals = Totals(database)
        self._directory.watch(lambda _: totals.all_changed())
        delivery = Delivery(database, notifier, new_body, totals.changed, duplicate_days=duplicate_days)
        self.delivery = delivery
        self.mailboxes = Mailboxes(database, notifier, bodies, totals)
        self.ledger = Ledger(database)
        self.queue = Queue(database, notifier, OutboxBodies(self._messages.bodies, self._messages.body))
        self.directory = self._directory
        self.events = EventLog(database)
        self.settings = Settings(database)
        self.memory = SentMemory(database)
        jobs = PrintJobs(database, notifier, delivery, self._messages.body)
        self.print_jobs = jobs
        self.print_sets = PrintSets(database, jobs)
        self.notifier = notifier

    async def message(self, message_id: int) -> tuple[IBody, str, int] | None:
        """``(body, trace, received)`` of a stored message."""
        return await self._messages.get(message_id)

    async def find(self, trace_or_message_id: str) -> Sequence[tuple[int, str, str]]:
        """``(message id, trace, Message-ID field)`` of messages with this trace or Message-ID, newest first."""
        return await self._messages.find(trace_or_message_id)

    async def recent(self, limit: int, *, account_id: int | None = None) -> Sequence[StoredMessage]:
        """The last messages stored, newest first, without reports."""
        return await self._messages.recent(limit, account_id=account_id)

    async def collect_garbage(self, now: int) -> int:
        """Drop messages that nothing refers to, and files past their grace."""
        await self._directory.forget_former(now)
        return await self._garbage.collect(now)

    async def verify(self, *, deep: bool = False) -> Sequence[str]:
        """Problems in words; empty when sound."""
        return await problems(self._rows, self._messages, deep=deep)
