"""The one writer: puts whatever waits into one transaction, and has it synced, so that one sync serves many.

A short transaction of deliveries is run on the reactor's thread: what it writes is in that processor's caches, and no
two threads take the interpreter from each other at each statement. There it is synced too while the disk is quick,
for then a sync takes less time than to wake a thread and to be woken by it. All else, and all that waits for the disk,
is for the writer's own thread.

Nobody else writes to the database or checkpoints it. That is what makes it fast, what keeps the order plain, and what
keeps old SQLite versions clear of their fault with two checkpoints at the same instant.
"""

from __future__ import annotations

import errno
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import groupby
from queue import SimpleQueue
from typing import Any, TypeVar

from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorFromThreads, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailshare.core.errors import LocalFault, MailshareError, StorageFull, StoreReadOnly, Unavailable
from mailshare.store.database import SYNC_FAILED, Damage, Operation, translate
from mailshare.store.log_sync import LOG_OCTETS, LogSync, SyncFailed
from mailshare.store.log_sync import SLOW as SLOW_SYNC
from mailshare.store.segments import LEAST as SEGMENT_LEAST
from mailshare.store.segments import Segments

T = TypeVar("T")

OUT_OF_FILES = frozenset({errno.EMFILE, errno.ENFILE})
"""This process, or the system, has no file descriptor left; that passes."""

BATCH_OPERATIONS = 256
BATCH_OCTETS = 16 << 20
COMPANY = 32  # operations, for which no more are waited for
MANY = 16  # operations, for which a sync of their own is no waste on a slow disk
QUEUE_OPERATIONS = 8_192
QUEUE_OCTETS = 64 << 20
CHECKPOINT_OCTETS = LOG_OCTETS * 3 // 4  # of the log, about
ROW_OCTETS = 512  # that a changed row adds to the log, about: new ones come several to a page
COMMIT_OCTETS = 16_384  # that any transaction adds, about: the pages that all new rows are put on
SHORT_ROWS = 256  # of a transaction on the reactor's thread, which is some milliseconds
SHORT_OCTETS = 512 << 10
SLOW = 0.05  # seconds by the clock: a transaction that took so long waited for the disk,
SLOW_BATCHES = 50  # so as many batches as this are for the thread
PATIENCE = 5.0  # seconds that the thread waits for another process that writes
_LOOK_AGAIN = 0.01


class IThreadedReactor(IReactorTime, IReactorFromThreads):
    """A reactor that tells the time and takes calls from threads."""


class _NotHere(Exception):
    """Nothing was done: the batch has to wait, or to be taken apart, which is for the thread."""


@define(eq=False)
class Job:
    """One operation that waits."""

    operation: Operation[Any]
    cost: int
    directory: str
    afterwards: Callable[[], None] | None
    deferred: Deferred[Any]


@define(eq=False)
class _Batch:
    """What the thread is given.

    :ivar answers: of jobs whose transaction was run already, and has to be synced if ``written``; ``None`` when all is
        left to the thread.
    :ivar checkpoint: after the answers.
    """

    jobs: list[Job]
    answers: list[tuple[Job, object]] | None = None
    written: bool = False
    checkpoint: bool = False


def _short(batch: Sequence[Job]) -> bool:
    """Whether its transaction holds nobody up: deliveries of a few rows, and no directory to be synced before."""
    rows = octets = 0
    for job in batch:
        rows += getattr(job.operation, "rows", SHORT_ROWS + 1)
        octets += job.cost
        if job.directory:
            return False
    return rows <= SHORT_ROWS and octets <= SHORT_OCTETS


def _results(connection: sqlite3.Connection, batch: Sequence[Job]) -> list[object]:
    """Run the operations in their order; those of one kind, one behind the other, by what they name as their group."""
    results: list[object] = []
    for group, jobs in groupby(batch, lambda job: getattr(job.operation, "group", None)):
        operations = [job.operation for job in jobs]
        if group is None:
            results += [operation(connection) for operation in operations]
        else:
            results += group(connection, operations)
    return results


class Writer:
    """Runs operations in batches: all that wait at the end of a turn of the reactor, unless a batch is under way.

    What waits belongs to the reactor's thread, which all methods without another word are called on. The connection
    belongs to the thread while that has a transaction to run or a checkpoint to make, else to the reactor's thread.

    :param connection: the writing connection.
    :param sync_directory: makes names in a directory durable.
    :param sync_log: makes durable what was committed; ``None`` where it need not be.
    :param damage: is shown each error.
    :param doubt: called, from either thread, when a sync failed.
    :param segments: takes bodies of middle size; ``None`` where all lie in the database.
    """

    log = Logger()

    def __init__(
        self,
        reactor: IThreadedReactor,
        connection: sqlite3.Connection,
        sync_directory: Callable[[str], None],
        sync_log: LogSync | None,
        damage: Damage | None = None,
        doubt: Callable[[], None] = lambda: None,
        segments: Segments | None = None,
    ) -> None:
        self._doubt = doubt
        self._segments = segments
        self._beside = 0  # octets that were put there and are still counted as written into the log
        self._damage = damage or Damage()
        self._reactor = reactor
        self._connection = connection
        self._sync_directory = sync_directory
        self._sync_log = sync_log
        connection.execute("PRAGMA busy_timeout=0")  # whoever waits does so in _begin
        self._jobs: deque[Job] = deque()
        self._octets = 0
        self._batches: SimpleQueue[_Batch] = SimpleQueue()
        self._under_way = 0  # batches whose answers are still to come
        self._due = False  # one will be handed over when a turn of the reactor brings no more
        self._seen = 0  # operations, when the last turn ended
        self._expected = 0  # operations, for which the next batch waits a little
        self._waits: IDelayedCall | None = None
        self._free = True  # those under way need the connection no more
        self._usual = 1  # operations of a batch, of late
        self._stopping = False
        self._ended: Deferred[None] = Deferred()
        self._since_checkpoint = 0  # octets of what was written into the log since the last one
        self._changes = connection.total_changes  # counted already
        self._aside = 0  # so many batches are for the thread, whatever they hold
        self.trouble = ""
        self._broken = False
        self._thread = threading.Thread(target=self._run, name="mailshare-writer", daemon=True)
        self._thread.start()

    def submit(
        self, operation: Operation[T], cost: int, directory: str, afterwards: Callable[[], None] | None = None
    ) -> Deferred[T]:
        """Queue an operation; fires once its transaction is durable.

        :param afterwards: called just before, also when the wait was cancelled or it failed.
        :raises Unavailable: too much waits already, or the store is closing.
        """
        if self._stopping:
            raise Unavailable(detail={"why": "the store is closing"})
        if len(self._jobs) >= QUEUE_OPERATIONS or self._octets + cost > QUEUE_OCTETS > cost:
            raise Unavailable(code=452, enhanced=(4, 3, 1), detail={"why": "too much waits to be written"})
        job: Job = Job(operation, cost, directory, afterwards, Deferred())
        self._jobs.append(job)
        self._octets += cost
        if self._waits is not None:
            if len(self._jobs) == self._expected:
                self._waits.reset(0)
        elif not self._due and (not self._under_way or self._ahead()):
            self._due = True
            self._reactor.callLater(0, self._turn_ended)
        return job.deferred

    def stop(self) -> Deferred[None]:
        """Finish what waits, then close the connection and end the thread."""
        self._stopping = True
        if self._waits is not None:
            self._waits.cancel()
            self._waited()
        elif not self._due and not self._under_way:
            self._hand_over()
        return self._ended

    def _turn_ended(self) -> None:
        """Hand over what waits; but if this turn brought more, what the next one brings shares the sync.

        So what is there already is waited for, and nothing that is not: a turn takes no time if nothing happens.
        """
        if self._seen < len(self._jobs) < COMPANY:
            self._seen = len(self._jobs)
            self._reactor.callLater(0, self._turn_ended)
            return
        self._seen = 0
        self._due = False
        self._hand_over()

    def _ahead(self) -> bool:
        """Whether to run a transaction while another one is synced: as many wait as usual, and only the sync is left.

        So the disk always has something to sync, and the transactions are no smaller for it.
        """
        return (
            self._under_way == 1
            and (len(self._jobs) >= MANY or not self._company_wait())
            and self._free
            and not self._aside
            and len(self._jobs) >= self._usual
            and _short(self._jobs)
        )

    def _hand_over(self) -> None:
        """Begin with what waits, up to a bound, unless it has to wait for what is under way."""
        if self._under_way and not self._ahead():
            return
        batch: list[Job] = []
        octets = 0
        while self._jobs and len(batch) < BATCH_OPERATIONS:
            if batch and octets + self._jobs[0].cost > BATCH_OCTETS:
                break
            job = self._jobs.popleft()
            octets += job.cost
            batch.append(job)
        self._octets -= octets
        if batch or self._stopping:
            self._under_way += 1
            self._usual = max(len(batch), (self._usual + len(batch)) // 2)
            self._begun(_Batch(batch), octets)

    def _begun(self, batch: _Batch, octets: int) -> None:
        """Run the transaction if it is short, and leave the rest to the thread."""
        if self._aside:
            self._aside -= 1
        elif batch.jobs and not self._broken and _short(batch.jobs):
            start = self._reactor.seconds()
            self._run_here(batch)
            if self._reactor.seconds() - start > SLOW:
                self._aside = SLOW_BATCHES
        if self._log_full(octets):
            batch.checkpoint = True
            # The next one stands in the queue behind the checkpoint; and it begins the log anew, which SQLite syncs.
            self._aside = max(self._aside, 1)
        self._free = batch.answers is not None and not batch.checkpoint
        if self._free and self._under_way == 1 and (self._sync_log is None or self._sync_log.quick):
            self._end_here(batch)
        else:
            self._batches.put(batch)

    def _log_full(self, octets: int) -> bool:
        """Whether to carry it into the database now, so that it goes on from its beginning, where it is laid out.

        :param octets: of what is written next; rows are counted when they have been.
        """
        octets -= self._beside
        self._beside = 0
        if not self._broken:
            changes = self._connection.total_changes
            octets += (changes - self._changes) * ROW_OCTETS + COMMIT_OCTETS
            self._changes = changes
        self._since_checkpoint += octets
        if self._since_checkpoint < CHECKPOINT_OCTETS:
            return False
        self._since_checkpoint = 0
        return True

    def _end_here(self, batch: _Batch) -> None:
        """Sync it on the reactor's thread, and tell those who wait.

        Never while the thread syncs another one: of a failed sync the system tells only the first who asks.
        """
        answers = self._durable(batch)
        self._under_way -= 1
        self._tell(answers)
        if not self._due and (self._jobs or self._stopping):
            self._due = True
            self._reactor.callLater(0, self._turn_ended)

    def _run_here(self, batch: _Batch) -> None:
        try:
            batch.answers, batch.written = self._perform(batch.jobs, patience=0)
        except _NotHere:
            pass
        except SyncFailed as fault:
            self._give_up(str(fault))

    def _answer(self, answers: list[tuple[Job, object]]) -> None:
        """Tell those who wait. The next batch goes first, so that it is written meanwhile.

        On a slow disk it waits for those who are told now: else they and the others would take turns, each waiting for
        the sync of both.
        """
        self._under_way -= 1
        everybody = len(answers) + len(self._jobs)
        wait = self._company_wait()
        if wait and 1 < everybody < MANY and not (self._stopping or self._due):
            self._expected = everybody
            self._waits = self._reactor.callLater(wait, self._waited)
        else:
            self._hand_over()
        self._tell(answers)

    def _company_wait(self) -> float:
        """Seconds that it pays to wait for company: a part of a sync on a slow disk, else none."""
        usual = 0.0 if self._sync_log is None else self._sync_log.usual
        return usual / 4 if usual > SLOW_SYNC else 0.0

    def _waited(self) -> None:
        self._waits = None
        if not self._due:
            self._hand_over()

    @staticmethod
    def _tell(answers: list[tuple[Job, object]]) -> None:
        for job, result in answers:
            if job.afterwards is not None:
                job.afterwards()
            job.deferred.callback(result)

    def _end(self) -> None:
        self._thread.join()
        self._ended.callback(None)

    # ----------------------------------------------------------------- in the thread

    def _run(self) -> None:
        while (batch := self._batches.get()).jobs:
            self._reactor.callFromThread(self._answer, self._durable(batch))
            if batch.checkpoint and not self._broken:
                self._checkpoint()
        self._close()
        self._reactor.callFromThread(self._end)

    # ----------------------------------------------------------------- on either

    def _durable(self, batch: _Batch) -> list[tuple[Job, object]]:
        """Write what is not written yet, and sync it; the answers."""
        try:
            answers, written = batch.answers, batch.written
            if answers is None and not self._broken:
                answers, written = self._perform(batch.jobs, patience=PATIENCE)
            if written and self._sync_log is not None:
                self._sync_log()
        except SyncFailed as fault:
            self._give_up(str(fault))
        if self._broken or answers is None:
            return [(job, Failure(StoreReadOnly(detail={"why": self.trouble}))) for job in batch.jobs]
        return answers

    def _perform(self, batch: list[Job], *, patience: float) -> tuple[list[tuple[Job, object]], bool]:
        """One transaction for all; when one of them fails, one for each, so that only the guilty one is told.

        :param patience: seconds that it may wait; 0 on the reactor's thread.
        :returns: the answers, and whether a row was written.
        :raises _NotHere: there was no patience.
        :raises SyncFailed: nothing can be trusted any more.
        """
        before = self._connection.total_changes
        try:
            results = self._transaction(batch, patience)
        except (SyncFailed, _NotHere):
            raise
        except Exception as fault:  # an operation's error belongs to its caller, never to this thread
            if len(batch) == 1:
                return [(batch[0], Failure(self._verdict(fault)))], False
            if not patience:
                raise _NotHere from fault
            each = [self._perform([job], patience=patience) for job in batch]
            return [answer for answers, _ in each for answer in answers], any(written for _, written in each)
        if self.trouble and not self._broken:
            self.log.info("The store writes again")
            self.trouble = ""
        return list(zip(batch, results, strict=True)), self._connection.total_changes != before

    def _transaction(self, batch: list[Job], patience: float) -> list[object]:
        connection = self._connection
        self._put_beside(batch)
        for directory in {job.directory for job in batch if job.directory}:
            try:
                self._sync_directory(directory)
            except OSError as fault:
                if fault.errno in OUT_OF_FILES:  # it was not opened, so nothing was asked of the disk
                    raise Unavailable(code=452, enhanced=(4, 3, 1), detail={"why": str(fault)}) from fault
                raise SyncFailed(f"the directory {directory} could not be synced: {fault}") from fault
        try:
            self._begin(patience)
            results = _results(connection, batch)
            connection.execute("COMMIT")
        except BaseException as fault:
            self._roll_back(fault)
            raise
        return results

    def _put_beside(self, batch: list[Job]) -> None:
        """Bodies of middle size go where they are written once, before the rows that tell of them."""
        large = [job.operation for job in batch if job.cost > SEGMENT_LEAST]
        if large and self._segments is not None and self._sync_log is not None:
            delivered = [one for operation in large for one in getattr(operation, "handings", ())]
            self._beside += self._segments.take(delivered, self._sync_log.usual)

    def _begin(self, patience: float) -> None:
        """Begin a transaction; another process may be in one, such as somebody's ``sqlite3``."""
        until = self._reactor.seconds() + patience
        while not self._connection.in_transaction:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as fault:
                if getattr(fault, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                if not patience:
                    raise _NotHere from fault
                if self._reactor.seconds() >= until:
                    raise
                time.sleep(_LOOK_AGAIN)

    def _roll_back(self, fault: BaseException) -> None:
        if isinstance(fault, sqlite3.Error) and getattr(fault, "sqlite_errorcode", 0) in SYNC_FAILED:
            raise SyncFailed(f"SQLite could not sync: {fault}") from fault
        try:
            # SQLite rolls back by itself after some errors; then there is nothing to end.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error as second:
            raise SyncFailed(f"a transaction could not be undone: {second}") from second

    def _verdict(self, fault: Exception) -> Exception:
        if isinstance(fault, sqlite3.Error) and not isinstance(
            fault, (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError)
        ):
            self._damage.look(fault)
            told: MailshareError = translate(fault)
            if isinstance(told, (StorageFull, StoreReadOnly)) and not self.trouble:
                self.trouble = f"writing failed: {fault}"
                self.log.error("The store cannot write: {why}. It tries again with the next message.", why=str(fault))
            elif isinstance(told, LocalFault):
                self.log.failure("A statement of this program is wrong: {why}", failure=Failure(fault), why=str(fault))
            return told
        return fault

    def _give_up(self, why: str) -> None:
        """After a failed sync nothing is written any more until the store is opened again."""
        self._broken = True
        self._doubt()
        self.trouble = f"read-only: {why}"
        self.log.critical(
            "The store is read-only from now on: {why}. Look at the disk, then start the server again.", why=why
        )
        self._reactor.callFromThread(self._close)  # a transaction may be under way there

    def _close(self) -> None:
        if self._segments is not None:
            self._segments.close()
        if self._sync_log is not None:
            self._sync_log.close()
        try:
            self._connection.close()
        except sqlite3.Error as fault:
            self.log.failure("The database did not close cleanly: {why}", why=str(fault))

    def _checkpoint(self) -> None:
        """Carry the log into the database after the answers went out; nobody waits for it."""
        try:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.Error as fault:
            if getattr(fault, "sqlite_errorcode", 0) in SYNC_FAILED:
                self._give_up(f"a checkpoint could not be synced: {fault}")
            else:
                self.log.failure("A checkpoint failed and is tried again later: {why}", why=str(fault))
