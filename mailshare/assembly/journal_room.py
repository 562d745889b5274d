"""The journal in an office: its files, how long they are kept, and the six indicators with those who watch them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from mailshare.assembly.mail_room import MailRoom
from mailshare.assembly.opening import Threads
from mailshare.core.errors import MailshareError
from mailshare.core.values import SECOND, Event
from mailshare.interfaces import IStore
from mailshare.journal.counting import Counting
from mailshare.journal.files import JournalFiles
from mailshare.journal.following import Following
from mailshare.journal.retention import Retention
from mailshare.status import Indicators


def journal_directory(data: str) -> str:
    """Where the files of the days lie."""
    return os.path.join(data, "journal")


class JournalRoom:
    """Introduces the parts of the journal to the store and to the clock.

    :ivar counting: hears of what local clients do; see :meth:`look` for the provider's side.
    """

    _log = Logger()

    def __init__(
        self, store: IStore, reactor: Any, data: str, *, zone: tzinfo, days: int, threads: Threads
    ) -> None:
        files = JournalFiles(journal_directory(data))
        self._store = store
        self._reactor = reactor
        self._writing: set[Deferred[None]] = set()
        self.counting = Counting()
        self.following = Following(store.events, files, store.directory.current, reactor, zone, threads.run)
        self.retention = Retention(store.events, reactor, zone, days, files, threads.run)

    def start(self) -> None:
        """Begin to purge and to write."""
        self.retention.startService()
        self.following.startService()

    async def stop(self) -> None:
        """End, with the last lines in the files; the store is still open."""
        await self._append()  # the store works in order: sessions that were cut have left their line after this
        await self._settled()
        self.note("server.stopped")
        await self._settled()
        await self.retention.stopService()
        await self.following.stopService()

    def note(self, kind: str, user: str = "", data: Mapping[str, object] | None = None) -> None:
        """A line that belongs to no other transaction; nobody waits for it, and trouble with it goes to the log."""
        found = self._store.directory.current().user_by_name.get(user)
        at = int(self._reactor.seconds() * SECOND)
        event = Event(at, kind, user_id=found.id if found else None, data=data or {})
        writing = Deferred.fromCoroutine(self._append(event))
        self._writing.add(writing)
        writing.addBoth(lambda _: self._writing.discard(writing))

    async def _settled(self) -> None:
        while self._writing:
            await DeferredList(list(self._writing))

    async def _append(self, *events: Event) -> None:
        try:
            await self._store.events.append(events)
        except MailshareError as fault:
            self._log.warn("a line of the journal was not written: {fault}", fault=fault.public)

    def look(self, room: MailRoom) -> None:
        """Count the sessions with the provider."""
        accounts = self._store.directory.current().accounts
        fetched = [one for one in accounts if room.collector.status(one.id).running]
        self.counting.upstream(
            outgoing=room.relay.active,
            incoming=len(fetched),
            sent_to=room.relay.servers,
            fetched_from=[one.collect.host for one in fetched if one.collect is not None],
        )

    async def indicators(self, room: MailRoom) -> Indicators:
        """The six indicators now."""
        self.look(room)
        return await self.counting.refresh(self._store)

    def facts(self) -> Mapping[str, object]:
        """For the status: who makes the lamps burn; why the files cannot be written, or empty."""
        return {"peers": self.counting.peers(self.counting.indicators), "journal_error": self.following.trouble}
