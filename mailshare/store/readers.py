"""Reading: a few threads with a connection each, for short statements only."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from typing import TypeVar

from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger

from mailshare.core.errors import LocalFault, Unavailable
from mailshare.store.database import Damage, Operation, translate
from mailshare.store.workers import Workers

T = TypeVar("T")


class Readers:
    """A pool of reading connections.

    An operation reads all its rows before it returns; the statement's snapshot ends with it. A snapshot that outlived a
    slow client would keep the write-ahead log from ever shrinking.

    :param connect: opens a connection that cannot write.
    :param damage: is shown each error.
    """

    log = Logger()

    def __init__(
        self,
        reactor: IReactorFromThreads,
        connect: Callable[[], sqlite3.Connection],
        threads: int,
        damage: Damage | None = None,
    ) -> None:
        self._damage = damage or Damage()
        self._connect = connect
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
            return operation(self._connection())

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

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._connect()
            self._own.connection = connection
            self._all.append(connection)
        return connection

    def stop(self) -> None:
        """Let running reads end, then close all connections."""
        self._stopped = True
        self._workers.stop()
        while self._all:
            self._all.pop().close()
