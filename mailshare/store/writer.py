"""The one writer: a thread that puts whatever waits into one transaction, so that one sync serves many.

Nobody else writes to the database or checkpoints it. That is what makes it fast, what keeps the order plain, and what
keeps old SQLite versions clear of their fault with two checkpoints at the same instant.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import groupby
from queue import SimpleQueue
from typing import Any, TypeVar

from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailshare.core.errors import LocalFault, MailshareError, StorageFull, StoreReadOnly, Unavailable
from mailshare.store.database import SYNC_FAILED, Damage, Operation, translate

T = TypeVar("T")

BATCH_OPERATIONS = 256
BATCH_OCTETS = 16 << 20
QUEUE_OPERATIONS = 8_192
QUEUE_OCTETS = 64 << 20
CHECKPOINT_OCTETS = 16 << 20


class IThreadedReactor(IReactorTime, IReactorFromThreads):
    """A reactor that tells the time and takes calls from threads."""


class SyncFailed(Exception):
    """The disk did not confirm a sync: nothing written since the last one can be trusted."""


@define(eq=False)
class Job:
    """One operation that waits."""

    operation: Operation[Any]
    cost: int
    directory: str
    afterwards: Callable[[], None] | None
    deferred: Deferred[Any]


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

    The thread is given whole batches and owns nothing but the connection; what waits belongs to the reactor's thread,
    which all methods without another word are called on.

    :param connection: the writing connection; it belongs to the thread from now on.
    :param sync_directory: makes names in a directory durable.
    :param damage: is shown each error.
    """

    log = Logger()

    def __init__(
        self,
        reactor: IThreadedReactor,
        connection: sqlite3.Connection,
        sync_directory: Callable[[str], None],
        damage: Damage | None = None,
    ) -> None:
        self._damage = damage or Damage()
        self._reactor = reactor
        self._connection = connection
        self._sync_directory = sync_directory
        self._jobs: deque[Job] = deque()
        self._octets = 0
        self._batches: SimpleQueue[list[Job]] = SimpleQueue()
        self._busy = False  # a batch is under way, or will be when this turn of the reactor ends
        self._stopping = False
        self._ended: Deferred[None] = Deferred()
        self._since_checkpoint = 0
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
        if not self._busy:
            self._busy = True
            self._reactor.callLater(0, self._hand_over)
        return job.deferred

    def stop(self) -> Deferred[None]:
        """Finish what waits, then close the connection and end the thread."""
        self._stopping = True
        if not self._busy:
            self._hand_over()
        return self._ended

    def _hand_over(self) -> None:
        """Give the thread what waits, up to a bound; when nothing does, there is nothing under way any more."""
        batch: list[Job] = []
        octets = 0
        while self._jobs and len(batch) < BATCH_OPERATIONS:
            if batch and octets + self._jobs[0].cost > BATCH_OCTETS:
                break
            job = self._jobs.popleft()
            octets += job.cost
            batch.append(job)
        self._octets -= octets
        self._busy = bool(batch)
        if batch or self._stopping:
            self._batches.put(batch)

    def _answer(self, answers: list[tuple[Job, object]]) -> None:
        """Tell those who wait. The next batch goes first, so that it is written meanwhile."""
        self._hand_over()
        for job, result in answers:
            if job.afterwards is not None:
                job.afterwards()
            job.deferred.callback(result)

    def _end(self) -> None:
        self._thread.join()
        self._ended.callback(None)

    # ----------------------------------------------------------------- in the thread

    def _run(self) -> None:
        while batch := self._batches.get():
            answers = self._perform(batch)
            self._reactor.callFromThread(self._answer, answers)
            self._since_checkpoint += sum(job.cost for job in batch)
            if self._since_checkpoint >= CHECKPOINT_OCTETS and not self._broken:
                self._checkpoint()
        self._close()
        self._reactor.callFromThread(self._end)

    def _perform(self, batch: list[Job]) -> list[tuple[Job, object]]:
        """One transaction for all; when one of them fails, one for each, so that only the guilty one is told."""
        if self._broken:
            return [(job, Failure(StoreReadOnly(detail={"why": self.trouble}))) for job in batch]
        try:
            results = self._transaction(batch)
        except SyncFailed as fault:
            self._give_up(str(fault))
            return self._perform(batch)
        except Exception as fault:  # noqa: BLE001 - an operation's error belongs to its caller, never to this thread
            if len(batch) > 1:
                return [answer for job in batch for answer in self._perform([job])]
            return [(batch[0], Failure(self._verdict(fault)))]
        if self.trouble:
            self.log.info("The store writes again")
            self.trouble = ""
        return list(zip(batch, results, strict=True))

    def _transaction(self, batch: list[Job]) -> list[object]:
        connection = self._connection
        for directory in {job.directory for job in batch if job.directory}:
            try:
                self._sync_directory(directory)
            except OSError as fault:
                raise SyncFailed(f"the directory {directory} could not be synced: {fault}") from fault
        try:
            connection.execute("BEGIN IMMEDIATE")
            results = _results(connection, batch)
            connection.execute("COMMIT")
        except BaseException as fault:
            self._roll_back(fault)
            raise
        return results

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
        self.trouble = f"read-only: {why}"
        self.log.critical(
            "The store is read-only from now on: {why}. Look at the disk, then start the server again.", why=why
        )
        self._close()

    def _close(self) -> None:
        try:
            self._connection.close()
        except sqlite3.Error as fault:
            self.log.failure("The database did not close cleanly: {why}", why=str(fault))

    def _checkpoint(self) -> None:
        """Carry the log into the database after the answers went out; nobody waits for it."""
        self._since_checkpoint = 0
        try:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.Error as fault:
            if getattr(fault, "sqlite_errorcode", 0) in SYNC_FAILED:
                self._give_up(f"a checkpoint could not be synced: {fault}")
            else:
                self.log.failure("A checkpoint failed and is tried again later: {why}", why=str(fault))
