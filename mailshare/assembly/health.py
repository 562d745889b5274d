"""Is the office set up right, and does it go well? Looked at when somebody asks, and bounded in time.

Each finding is a sentence for people; the page of the manager, the API and ``mailshare doctor`` tell the same ones.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from attrs import asdict, frozen
from twisted.internet.defer import Deferred, DeferredList

import mailshare
from mailshare.assembly.housekeeping import MANAGER, last_copy
from mailshare.assembly.shapes import moment
from mailshare.core.errors import ConfigFault
from mailshare.core.values import SECOND, Account

if TYPE_CHECKING:
    from mailshare.assembly.acts import Acts
    from mailshare.config import Config
    from mailshare.interfaces import IStore

Addresses = Callable[[str], Awaitable[Sequence[str]]]
Aside = Callable[[Callable[[], Any]], Awaitable[Any]]
Jump = Callable[[], tuple[int, int]]

_MADE = int(os.path.getmtime(mailshare.__file__) * SECOND)
_DAY = 86_400 * SECOND
_LEAST_FREE = 500_000_000  # octets
_COPY_OLD = 7 * _DAY
_WAITS_LONG = 4 * 3600 * SECOND
_AHEAD = 60 * SECOND  # that a line of the journal may lie ahead of the clock
_MOST_HOSTS = 50
_TLS_BAD, _TLS_WARN, _ROOT_WARN = 7, 21, 180  # days


@frozen
class Finding:
    """What was looked at, and what was seen.

    :ivar level: ``good``, ``warn`` or ``bad``.
    :ivar seen: a sentence, with what to do; ``at``: the moment that it ends in, microseconds UTC, or 0.
    :ivar account: whose business it is; empty = the whole office's.
    :ivar private: not for those who look after some accounts only.
    """

    level: str
    what: str
    seen: str
    at: int = 0
    account: str = ""
    private: bool = False

    def as_json(self) -> dict[str, object]:
        """For the API."""
        return {**asdict(self), "at": moment(self.at)}


class Examination:
    """One look at everything.

    :param addresses: asks for the addresses of a host; empty = there are none, or nobody answered in time.
    :param aside: reads certificates on another thread: who vouches for them takes 15 ms each.
    :param jump: when the clock was last set while the server ran, and by how many microseconds; ``(0, 0)`` = never.
    """

    def __init__(
        self,
        acts: Acts,
        store: IStore,
        config: Config,
        now: int,
        *,
        addresses: Addresses | None,
        jump: Jump | None,
        aside: Aside | None,
    ) -> None:
        self._acts = acts
        self._store = store
        self._config = config
        self._now = now
        self._addresses = addresses
        self._jump = jump
        self._aside = aside

    async def findings(self) -> list[Finding]:
        """Everything, in the order of the page."""
        names = Deferred.fromCoroutine(self._names())  # under way while all the rest is looked at
        status: Mapping[str, Any] = await self._acts.status()
        found = [*_server(status), *[one async for one in self._copies()], *[one async for one in self._clock()]]
        found += _accounts(status)
        found += await self._outbox()
        found += await self._unowned()
        found += _devices(await self._acts.overview())
        found += await self._certificates()
        found += _guessed_at(await self._acts.slowed_logins())
        return [*found, *await names]

    # ------------------------------------------------------------------ the office

    async def _copies(self) -> AsyncIterator[Finding]:
        at, how = await last_copy(self._store)
        if not at:
            yield Finding("warn", "Backup", "no copy was made yet; make one under Settings or by mailshare backup")
        elif self._now - at > _COPY_OLD:
            by_hand = "more than a week old; the last was saved under Settings at"
            seen = by_hand if how == MANAGER else "more than a week old; the last was made by mailshare backup at"
            yield Finding("warn", "Backup", seen, at)
        else:
            by_hand = "the last was saved under Settings at"
            seen = by_hand if how == MANAGER else "the last was made by mailshare backup at"
            yield Finding("good", "Backup", seen, at)

    async def _clock(self) -> AsyncIterator[Finding]:
        later = await self._store.events.page(since=self._now + _AHEAD, until=2**62, limit=1)
        at, step = self._jump() if self._jump is not None else (0, 0)
        if self._now < _MADE - _DAY:
            yield Finding("bad", "Clock", "set to a time before this program was installed, which was at", _MADE)
        elif later:
            seen = "it is set back, or was wrong before: the journal has a line of a time to come,"
            yield Finding("bad", "Clock", seen, later[0][1].at)
        elif at and self._now - at < _DAY:
            seconds = abs(step) // SECOND
            seen = f"it was set forward by {seconds} seconds at"
            yield Finding("warn", "Clock", seen if step > 0 else f"it was set back by {seconds} seconds at", at)
        else:
            yield Finding("good", "Clock", "not set by hand in the last day; it says", self._now)

    async def _outbox(self) -> list[Finding]:
        waiting = await self._store.queue.oldest("relay")
        found = []
        for account in self._store.directory.current().accounts:
            address, (count, oldest) = str(account.address), waiting.get(account.id, (0, 0))
            what = f"{address}, outbox"
            if not count:
                found.append(Finding("good", what, "nothing waits", 0, address))
                continue
            words = "1 message waits; since" if count == 1 else f"{count} messages wait; the oldest since"
            level = "warn" if self._now - oldest > _WAITS_LONG else "good"
            found.append(Finding(level, what, words, oldest, address))
        return found

    async def _unowned(self) -> list[Finding]:
        counts = {one.user_id: one.messages for one in await self._store.mailboxes.counts()}
        directory, found = self._store.directory.current(), []
        for account in directory.accounts:
            address, count = str(account.address), counts.get(directory.admin_of(account).id, 0)
            seen = f"{count} messages lie with ADMIN and wait for an owner" if count else "nothing lies with ADMIN"
            seen = "1 message lies with ADMIN and waits for an owner" if count == 1 else seen
            found.append(Finding("warn" if count else "good", f"{address}, work list", seen, 0, address))
        return found

    async def _certificates(self) -> list[Finding]:
        def read() -> list[Finding]:
            return list(_certificates(self._config, self._now))

        found: list[Finding] = await self._aside(read) if self._aside is not None else read()
        return found

    # ------------------------------------------------------------------ the provider's names

    async def _names(self) -> list[Finding]:
        if self._addresses is None:
            return []
        hosts: dict[str, str] = {}
        for account in self._store.directory.current().accounts:
            for host in _hosts(account):
                hosts.setdefault(host, str(account.address))
        asked = list(hosts)[:_MOST_HOSTS]
        answers = await DeferredList([Deferred.fromCoroutine(_asked(self._addresses, host)) for host in asked])
        found = []
        for host, (_, answer) in zip(asked, answers, strict=True):
            addresses: Sequence[str] = answer
            level = "good" if addresses else "bad"
            seen = ", ".join(addresses[:4]) or "no address was found; look at this computer's DNS, or at the name"
            found.append(Finding(level, f"Name {host}", seen, 0, hosts[host]))
        return found


async def _asked(addresses: Addresses, host: str) -> Sequence[str]:
    return await addresses(host)


def _hosts(account: Account) -> Iterator[str]:
    for server in (account.collect, account.relay):
        host = server.host.casefold() if server is not None else ""
        try:
            ip_address(host)
        except ValueError:
            if host:
                yield host


def _server(status: Mapping[str, Any]) -> Iterator[Finding]:
    for key, what, hint in (
        ("store_error", "Store", "No mail is taken until it can write again; look at the disk"),
        ("journal_error", "Journal", "Mail flows on; look at the disk"),
        ("reload_error", "Configuration file", "The server goes on with the settings of before"),
    ):
        words = str(status.get(key) or "")
        yield Finding("bad", what, f"{words}. {hint}") if words else Finding("good", what, "no trouble")
    if status.get("paused"):
        yield Finding("warn", "Service", "paused: nothing is collected or sent by itself")
    for place in status.get("listeners", ()):
        yield Finding("good", f"Listener {place['service']}", f"open on {place['address']}")


def _accounts(status: Mapping[str, Any]) -> Iterator[Finding]:
    if not status["accounts"]:
        yield Finding("warn", "Accounts", "there is none, so no mail comes or goes; add the mailbox at your provider")
    for one in status["accounts"]:
        address = one["address"]
        for run, what in ((one["collect"], f"{address}, collecting"), (one["relay"], f"{address}, sending")):
            if run["error"]:
                yield Finding("bad", what, run["error"], 0, address)
            elif run["last_ok"]:
                yield Finding("good", what, "last at", _micros(run["last_ok"]), address)
            else:
                yield Finding("warn", what, "not done yet", 0, address)
        if one.get("marking", {}).get("alarm"):
            yield Finding("warn", f"{address}, sorting", one["marking"]["alarm"], 0, address)


def _micros(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * SECOND


def _devices(more: Mapping[str, Any]) -> Iterator[Finding]:
    free, total = more["disk"]["free"], more["disk"]["total"]
    if total:
        here, all_of_it = free // 1_000_000, total // 1_000_000
        if free < max(total // 50, _LEAST_FREE):
            yield Finding("bad", "Disk", f"{here} of {all_of_it} MB are free; make room, or no mail is taken")
        else:
            yield Finding("good", "Disk", f"{here} of {all_of_it} MB are free")
    for one in more["lines"]:
        what = f"Fax line {one['name']}"
        yield Finding("bad", what, str(one["trouble"])) if one["trouble"] else Finding("good", what, "no trouble")
        for fax in one.get("stuck", ()):
            seen = f"fax {fax} has been on it for more than two hours; mailshare fax cancel {fax} gives it up"
            yield Finding("bad", what, seen)
    for one in more["printers"]:
        what = f"Printer {one['name']}"
        if one["state"] == "stopped":
            yield Finding("bad", what, str(one["why"] or "stopped"))
        elif one["paused"] or not one["accepting"]:
            yield Finding("warn", what, "paused, or takes no jobs")
        else:
            yield Finding("good", what, "no trouble")


def _guessed_at(slowed: Mapping[str, Any]) -> Iterator[Finding]:
    if not slowed["users"] and not slowed["peers"]:
        yield Finding("good", "Wrong passwords", "none in the last minutes")
    for kind, what in (("users", "Login"), ("peers", "Address")):
        for one in slowed[kind][:20]:
            seen = f"{one['failures']} wrong tries; it waits before each try until"
            if one["failures"] == 1:
                seen = "1 wrong try; it waits before each try until"
            yield Finding("warn", f"{what} {one['name']}", seen, _micros(one["until"]), private=True)


def _certificates(config: Config, now: int) -> Iterator[Finding]:
    from mailshare.assembly.shown_certificates import served_certificates, this_computer_trusts  # noqa: PLC0415 - heavy

    try:
        served = served_certificates(config)
    except ConfigFault as error:
        yield Finding("bad", "Certificates", error.public)
        return
    if not served:
        yield Finding("warn", "Certificates", "there is none: passwords and mail cross the network as they are")
    for one in served:
        names = ", ".join(one.names[:3]) or "no name"
        days, doors = (one.until - now) // _DAY, ", ".join(one.services)
        level = "bad" if days < _TLS_BAD else "warn" if days < _TLS_WARN else "good"
        seen = f"{days} days left for {doors}; valid until"
        if days < 0:
            seen = f"over, and mail programs refuse it, for {doors}; it was valid until"
        yield Finding(level, f"Certificate of {names}", seen, one.until)
        if this_computer_trusts(one.chain):
            yield Finding("good", f"Trust in {names}", "by an authority that this computer trusts, as most others do")
        elif one.root is None:
            seen = "nobody known vouches for it; certificates in between may be missing"
            yield Finding("warn", f"Trust in {names}", seen)
        else:
            left = (one.root_until - now) // _DAY
            level = "warn" if left < _ROOT_WARN else "good"
            seen = f"by the private authority {one.root}, which each device is told once to trust; valid until"
            yield Finding(level, f"Trust in {names}", seen, one.root_until)
