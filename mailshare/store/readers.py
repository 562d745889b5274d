"""Reading: a few threads with a connection each, for short statements only; the shortest on the reactor's thread.

A trip to a thread wakes another processor and this one again, which takes longer than reading some kilobytes of mail
that the system holds in memory. Whether it does is seen by the clock.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from typing import TypeVar

from twisted.logger import Logger

from mailshare.core.errors import LocalFault, Unavailable
from mailshare.store.database import Damage, Operation, Weighed, translate
from mailshare.store.workers import Workers
from mailshare.store.writer import IThreadedReactor

T = TypeVar("T")
W = TypeVar("W", bound=Weighed)

TURN_OCTETS = 1 << 20  # of bodies that are read on the reactor's thread in one turn of it, some milliseconds
SLOW = 0.02  # seconds by the clock: a read that took so long waited for the disk,
SLOW_READS = 50  # so as many as this are for the threads


class Readers:
    """A pool of reading connections, and one for the reactor's thread.

    An operation reads all its rows before it returns; its snapshot ends with it. A snapshot that outlived a slow client
    would keep the write-ahead log from ever shrinking.

    :param connect: opens a connection that cannot write, for the reactor's thread if it is told so.
    :param damage: is shown each error.
    """

    log = Logger()

    def __init__(
        self,
        reactor: IThreadedReactor,
        connect: Callable[[bool], sqlite3.Connection],
        threads: int,
        damage: Damage | None = None,
    ) -> None:
        self._damage = damage or Damage()
        self._connect = connect
        self._reactor = reactor
        self._here: sqlite3.Connection | None = None
        self._left = TURN_OCTETS
        self._aside = 0  # so many reads are for the threads
        self._own = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._workers = Workers(reactor, threads, "mailshare-reader")
        self._stopped = False

    async def read(self, operation: Operation[T]) -> T:
        """Run it in a thread.

        :raises Unavailable: the database cannot be read, or the store is closed.
        :raises LocalFault: the operation's statement is wrong; logged.
        """
        if self._stopped:
            raise Unavailable(detail={"why": "the store is closed"})

        def act() -> T:
            return _at_one_moment(self._connection(), operation)

        try:
            return await self._workers.do(act)
        except sqlite3.Error as fault:
            if self._stopped:  # its connection was closed meanwhile
                raise Unavailable(detail={"why": "the store is closed"}) from fault
            self._damage.look(fault)
            told = translate(fault)
            if isinstance(told, LocalFault):
                self.log.failure("A statement of this program is wrong: {why}", why=str(fault))
            raise told from fault

    def read_here(self, operation: Operation[W]) -> W | None:
        """Run it now, on the reactor's thread, if that will hold nobody up.

        A read that took long by the clock waited for a disk that is slow, or has to fetch what nobody asked for lately;
        then the next ones are left to the threads. So are all of a turn that read much already, and whatever fails.

        :returns: ``None`` when it has to be read by :meth:`read`.
        """
        if self._aside:
            self._aside -= 1
            return None
        if self._left <= 0 or self._stopped:
            return None
        start = self._reactor.seconds()
        try:
            if self._here is None:
                self._here = self._connect(True)
                self._all.append(self._here)
            result = _at_one_moment(self._here, operation)
        except sqlite3.Error:
            result = None
        if self._reactor.seconds() - start > SLOW:
            self._aside = SLOW_READS
        if result is not None:
            if self._left == TURN_OCTETS:
                self._reactor.callLater(0, self._turn_ended)
            self._left -= result.octets
        return result

    def _turn_ended(self) -> None:
        self._left = TURN_OCTETS

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._connect(False)
            self._own.connection = connection
            self._all.append(connection)
        return connection

    def stop(self) -> None:
        """Let running reads end, then close all connections."""
        self._stopped = True
        self._workers.stop()
        while self._all:
            self._all.pop().close()


def _at_one_moment(connection: sqlite3.Connection, operation: Operation[T]) -> T:
    """Run it on one snapshot: between two statements nobody writes what both should see, or neither."""
    connection.execute("BEGIN")
    try:
        return operation(connection)
    finally:
        if connection.in_transaction:  # some errors end it
            connection.execute("ROLLBACK")
