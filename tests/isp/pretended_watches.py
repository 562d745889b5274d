"""Doubles for listening: an IMAP provider whose held connections a test steers, and the timetable that goes with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailshare.core.errors import Unavailable
from mailshare.core.servers import parse_server
from mailshare.core.values import Account
from mailshare.interfaces import ICollecting, IWatch, IWatching
from mailshare.isp.listening import Listening
from mailshare.isp.timetable import Timetable
from mailshare.isp.vigil import HELD, LOST
from mailshare.status import RunStatus
from mailshare.testing.pretend_office import Office

IMAP = parse_server("imaps://mail@imap.example")


@implementer(IWatch)
class Watch:
    """A held connection: a test tells the news, or cuts it."""

    def __init__(self, provider: Provider) -> None:
        self.pushes = provider.pushes
        self.provider = provider
        self.waits: list[float] = []
        self.news = False
        self.closed = self.cut = False
        self.silent = provider.silent
        self._waiting: Deferred[bool] | None = None
        self._fault: Unavailable | None = None

    async def wait(self, seconds: float) -> bool:
        """Until a test tells, or the time is over."""
        self.waits.append(seconds)
        if self._fault is not None:
            raise self._fault
        if not self.news:
            self._waiting = waiting = Deferred(lambda _: setattr(self, "cut", True))
            timer = self.provider.office.clock.callLater(seconds, self._answer, None)
            try:
                await waiting
            finally:
                self._waiting = None
                if timer.active():
                    timer.cancel()
        told, self.news = self.news, False
        return told

    def tell(self) -> None:
        """Mail has come."""
        self.news = True
        self._answer(None)

    def lose(self, words: str = "The connection to the server ended") -> None:
        """The line breaks."""
        self._fault = Unavailable(words)
        self._answer(self._fault)

    def _answer(self, fault: Unavailable | None) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and fault is None:
            waiting.callback(True)
        elif waiting is not None and fault is not None:
            waiting.errback(fault)

    async def close(self) -> None:
        """Log out; a silent server never answers."""
        if self.closed:
            return
        if self.silent and not self.cut:
            await Deferred(lambda _: setattr(self, "cut", True))
        self.closed = True
        self._answer(Unavailable("The connection was closed here"))


@implementer(IWatching, ICollecting)
class Provider:
    """Both ways to a pretended IMAP provider.

    :ivar runs: account, seconds and cause of each collection.
    :ivar watches: the held connections by account, oldest first.
    :ivar refusal: raised when a connection is to be opened.
    :ivar trouble: the error of collections; ``crowded``: only while a connection is held.
    """

    def __init__(self, office: Office) -> None:
        self.office = office
        self.runs: list[tuple[int, float, str]] = []
        self.watches: dict[int, list[Watch]] = {}
        self.asked: list[float] = []
        self.refusal: Exception | None = None
        self.pushes = True
        self.silent = False
        self.trouble = ""
        self.crowded = False
        self.mail = 0
        self.takes: Deferred[None] | None = None
        self.floor = 0
        self._status: dict[int, RunStatus] = {}

    def can_watch(self, account: Account) -> bool:
        """As the real one."""
        server = account.collect
        return server is not None and server.protocol == "imap" and account.options.get("idle") is not False

    async def watch(self, account: Account) -> IWatch:
        """A connection."""
        self.asked.append(self.office.clock.seconds())
        if self.refusal is not None:
            raise self.refusal
        watch = Watch(self)
        self.watches.setdefault(account.id, []).append(watch)
        return watch

    def open(self, account_id: int) -> list[Watch]:
        """Those of an account that are up."""
        return [one for one in self.watches.get(account_id, []) if not (one.closed or one.cut or one._fault)]

    async def collect(self, account: Account, cause: str = "") -> Mapping[str, int]:
        """One run."""
        self.runs.append((account.id, self.office.clock.seconds(), cause))
        if self.takes is not None:
            await self.takes
        error = self.trouble or ("Too many connections" if self.crowded and self.open(account.id) else "")
        found, self.mail = (0, self.mail) if error else (self.mail, 0)
        before = self.status(account.id)
        last_ok = before.last_ok if error else self.office.now()
        self._status[account.id] = RunStatus(self.office.now(), last_ok, error=error, messages=found)
        return {"andrew": found} if found else {}

    def status(self, account_id: int) -> RunStatus:
        """How the last run went."""
        return self._status.get(account_id, RunStatus())

    def refused(self, account_id: int) -> bool:
        """Whether that was because of the password."""
        return self.status(account_id).error.startswith("The server refuses the login")

    def not_before(self, _: int) -> int:
        """The pause after refused logins."""
        return self.floor


class House:
    """Timetable and listening together, as the assembly introduces them."""

    def __init__(self, office: Office, **changes: Any) -> None:
        self.office = office
        office.change(**{"collect": IMAP, "options": {"look_sooner": False}, **changes})
        self.provider = Provider(office)
        self.changes: list[int] = []
        self.listening = Listening(
            office.store,
            self.provider,
            office.clock,
            collect=self.collect,
            run=self.provider.status,
            refused=self.provider.refused,
            not_before=self.provider.not_before,
            paused=lambda: self.timetable.paused,
            zone=lambda _: UTC,
            random=lambda: 0.0,
            changed=self.changes.append,
        )
        self.timetable = Timetable(
            office.store, self.provider, self.flush, office.clock, random=lambda: 0.5, listening=self.listening
        )

    def start(self) -> House:
        """Both services."""
        self.timetable.startService()
        self.listening.startService()
        self.office.settle()
        return self

    async def flush(self, _: int) -> None:
        """Nothing waits."""

    async def collect(self, account_id: int) -> bool:
        """As the assembly does it."""
        return await self.timetable.news(account_id)

    @property
    def id(self) -> int:
        """The account's."""
        return self.office.account.id

    @property
    def watch(self) -> Watch:
        """The connection that is held now."""
        (watch,) = self.provider.open(self.id)
        return watch

    @property
    def news(self) -> Any:
        """What people are shown."""
        return self.timetable.statuses()[0].news

    def later(self, seconds: float) -> None:
        """Time passes, from one due call to the next."""
        clock = self.office.clock
        ends = clock.seconds() + seconds
        while clock.seconds() < ends:
            calls = [call.getTime() for call in clock.getDelayedCalls()]
            clock.advance(max(min([ends, *calls]) - clock.seconds(), 0.001))
            self.office.settle()

    def causes(self) -> list[str]:
        """Why collections were made."""
        return [cause for _, _, cause in self.provider.runs]

    def lines(self) -> list[tuple[str, str]]:
        """The journal."""
        page = self.office.wait(self.office.store.events.page(since=0, until=2**62, kinds=[HELD, LOST]))
        return [(event.kind, str(event.data.get("error", ""))) for _, event in page]

    def stop(self) -> None:
        """Both, in the office's order; nothing is left behind."""
        stopped = self.office.begin(self.listening.stopService())
        for _ in range(30):
            self.office.clock.advance(0 if stopped else 1)
        assert stopped == [None]
        self.office.wait(self.timetable.stopService())
        self.office.settle()
        assert not self.office.clock.getDelayedCalls()
        assert not any(self.provider.open(number) for number in self.provider.watches)
