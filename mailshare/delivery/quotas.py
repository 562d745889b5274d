"""Bounds of mailboxes: colleagues are refused by a full one, collected mail is not, and its owner is warned in time.

Collected mail is stored whatever the bound says: the provider's copy is to go, and nobody else may read it. So a bound
holds back what people here send, and for the rest it is a warning to the owner and at 100 % to ADMIN.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from attrs import evolve
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from mailshare.core.derived import derived
from mailshare.core.errors import MailshareError, PolicyRefusal, Unavailable
from mailshare.core.personal import Quota
from mailshare.core.report_words import mailbox_filling
from mailshare.core.values import Directory, Event, MailboxCount, Origin, Routing, Source, User, UserKind
from mailshare.delivery.moments import micros
from mailshare.delivery.reports import Reports
from mailshare.interfaces import IStore

SCOPE = "quota-told"
LEVELS = (80, 90, 100)
_REARM = 5  # points that a mailbox must fall under a level before it is told of it again
_SILENT = frozenset({"cc", "public"})  # the sender does not know of these readers
_FULL = "The mailbox of {name} is full; try again later"


class Bounded(NamedTuple):  # made for each message: a class of attrs takes twice the time
    """A routing as the bounds leave it.

    :ivar unsaid: what to tell the sender, a sentence for each mailbox without room.
    :ivar bounds: by user id, what has to hold when the message is stored: another may have come meanwhile.
    """

    routing: Routing
    unsaid: tuple[str, ...] = ()
    bounds: Mapping[int, Quota] = MappingProxyType({})


class Quotas:
    """Looks after the mailboxes that have a bound."""

    _log = Logger()

    def __init__(self, store: IStore, clock: IReactorTime, reports: Reports) -> None:
        self._store = store
        self._clock = clock
        self._reports = reports

    async def room(self, user: User, size: int) -> None:
        """Say at RCPT that a mailbox is full.

        :param size: octets that the client announced, 0 when it did not.
        :raises Unavailable: 452 4.2.2; the owner may make room, so it is not for ever.
        """
        bounded = bool(user.quota) and user.kind is UserKind.PERSON
        if bounded and _full(user, (await self._counts()).get(user.id), size):
            raise Unavailable(_FULL.format(name=user.name), code=452, enhanced=(4, 2, 2))

    async def bounded(
        self, routing: Routing, origin: Origin, size: int, directory: Directory, known: Collection[int] = ()
    ) -> Bounded:
        """The routing without mailboxes that are too full for what a local sender hands in.

        :param known: ids of users whose mailbox was found to be full when the message was to be stored.
        :raises PolicyRefusal: 552 5.2.2, nobody would get it; the sender still has it.
        """
        limited = bounded_users(directory)
        if origin.source is not Source.SMTP or not limited:
            return Bounded(routing)
        bound = [
            user
            for target in routing.targets
            if target.reason not in _SILENT
            and (user := limited.get(target.user_id)) is not None
            and user.kind is UserKind.PERSON
        ]
        if not bound:
            return Bounded(routing)
        counts = await self._counts()
        full = {user.id: user.name for user in bound if user.id in known or _full(user, counts.get(user.id), size)}
        bounds = {user.id: user.quota for user in bound if user.id not in full}
        if not full:
            return Bounded(routing, bounds=bounds)
        targets = tuple(target for target in routing.targets if target.user_id not in full)
        names = ", ".join(full.values())
        if not routing.hops and not any(target.reason not in _SILENT for target in targets):
            raise PolicyRefusal(f"The mailbox of {names} is full", code=552, enhanced=(5, 2, 2))
        if origin.user_id is None:
            return Bounded(routing)  # a device cannot be told, so nothing is held back
        notes = tuple(f"{name}: the mailbox is full; this message was not put into it." for name in full.values())
        return Bounded(evolve(routing, targets=targets), notes, bounds)

    async def watch(self, user_ids: Iterable[int], size: int, origin: Origin) -> None:
        """Warn those whose mailbox has just passed a level; never raises: the message is stored already."""
        limited = bounded_users(self._store.directory.current())
        bound = [limited[one] for one in user_ids if one in limited] if limited else []
        if not bound:
            return
        try:
            counts = await self._counts()
            for user in bound:
                if user.id in counts:
                    await self._look(user, counts[user.id], size, origin)
        except MailshareError as fault:
            self._log.warn("nobody was warned of a full mailbox: {fault}", fault=fault.public)

    async def _look(self, user: User, count: MailboxCount, size: int, origin: Origin) -> None:
        before = user.quota.percent(max(count.messages - 1, 0), max(count.octets - size, 0))
        now = user.quota.percent(count.messages, count.octets)
        found = await self._store.settings.get(SCOPE, str(user.id))
        told, version = (int(str(found[0])), found[1]) if found is not None else (0, 0)
        armed = max((level for level in LEVELS if level <= told and before > level - _REARM), default=0)
        reached = max((level for level in LEVELS if now >= level), default=0)
        if max(reached, armed) != told:
            await self._store.settings.put(SCOPE, str(user.id), max(reached, armed), version)
        if reached <= armed:
            return
        subject, words = mailbox_filling(user.name, now, count.messages, count.octets, user.quota)
        at = micros(self._clock)
        event = Event(at, "quota.warned", origin.trace, origin.account_id, user.id, data={"percent": now})
        await self._store.events.append([event])
        await self._reports.notify(user.id, subject, words, account_id=origin.account_id)
        admin = self._admin(user) if reached >= LEVELS[-1] else None
        if admin is not None:
            await self._reports.notify(admin.id, subject, words, account_id=origin.account_id)

    def _admin(self, user: User) -> User | None:
        directory = self._store.directory.current()
        number = next(iter(user.accounts), 0)
        account = directory.account_by_id.get(number) or next(iter(directory.accounts), None)
        return directory.user_by_name.get(account.admin) if account is not None else None

    async def _counts(self) -> Mapping[int, MailboxCount]:
        return {count.user_id: count for count in await self._store.mailboxes.counts()}


@derived
def bounded_users(directory: Directory) -> Mapping[int, User]:
    """The users with a bound, by id; in most offices nobody."""
    return {user.id: user for user in directory.users if user.quota}


def _full(user: User, count: MailboxCount | None, size: int) -> bool:
    return count is not None and user.quota.full(count.messages, count.octets, size)
