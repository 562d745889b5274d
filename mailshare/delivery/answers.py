"""Answers for people who are away: once to each sender in seven days, remembered over restarts.

It is written down that somebody was answered before the answer is made, so that a crash costs an answer and never makes
a second one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, tzinfo

from twisted.internet.defer import DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from mailshare.core.address import Address
from mailshare.core.autoreply import PAUSE, why_no_answer
from mailshare.core.derived import derived
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import MailshareError
from mailshare.core.forwarding import forwarders
from mailshare.core.headers import Headers
from mailshare.core.vacation import own_addresses, vacation_reply
from mailshare.core.values import Directory, Event, Origin, Receipt, Routing, Source, User
from mailshare.delivery.moments import micros
from mailshare.interfaces import IBody, IStore
from mailshare.shell.new_body import new_body

SCOPE = "answered"
MOST = 5_000  # senders remembered for one user
_NOT_MEANT = frozenset({"cc", "public", "loop", "oversize", "trouble"})
Accept = Callable[[Envelope, IBody, Origin], Awaitable[Receipt]]


class Answers:
    """Answers what came for people who are away.

    :param zone: of the days on which somebody is away.
    :param token: gives that many random octets.
    """

    _log = Logger()

    def __init__(self, store: IStore, clock: IReactorTime, zone: tzinfo, token: Callable[[int], bytes]) -> None:
        self._store = store
        self._clock = clock
        self._zone = zone
        self._token = token
        self._one_at_a_time = DeferredLock()

    async def answer(
        self, accept: Accept, routing: Routing, headers: Headers, envelope: Envelope, origin: Origin
    ) -> None:
        """Answer one message for each of its readers who is away; never raises: the message is stored already.

        :param accept: the door, by which an answer leaves.
        """
        if origin.source not in (Source.COLLECT, Source.SMTP):
            return
        directory = self._store.directory.current()
        away = absent_users(directory)
        for user_id, reason in _readers(routing).items() if away else ():
            user = away.get(user_id)
            if user is None or user.vacation is None or reason in _NOT_MEANT:
                continue
            if not user.vacation.active(self._today()):
                continue
            try:
                await self._one(accept, user, headers, envelope, origin, directory)
            except MailshareError as fault:
                self._log.warn("no answer for {user}: {fault}", user=user.name, fault=fault.public)

    def _today(self) -> str:
        return datetime.fromtimestamp(self._clock.seconds(), self._zone).strftime("%Y-%m-%d")

    async def _one(
        self,
        accept: Accept,
        user: User,
        headers: Headers,
        envelope: Envelope,
        origin: Origin,
        directory: Directory,
    ) -> None:
        sender = envelope.sender
        author = directory.user_by_id.get(origin.user_id or 0)
        if author is not None and sender is not None:
            sender = Address(author.name, directory.hostname)  # the envelope may show the address that all share
        why = "junk" if origin.junk else await self._remembered(user, sender, headers, directory)
        at = micros(self._clock)
        if why or sender is None:
            await self._note("answer.none", {"user": user.name, "why": why}, origin, user, at)
            return
        number = origin.account_id if origin.account_id in user.accounts else next(iter(user.accounts), None)
        account = directory.account_by_id.get(number or 0)
        trace = self._token(8).hex()
        octets = vacation_reply(headers, sender, user, account, directory, at=at, trace=trace)
        body = await new_body(self._store, octets)
        answer = Origin(Source.REPORT, trace, user.id, account.id if account is not None else None)
        await accept(Envelope(None, (Recipient(sender),)), body, answer)
        await self._note("answer.sent", {"user": user.name, "to": str(sender), "answer": trace}, origin, user, at)

    async def _note(self, kind: str, data: Mapping[str, object], origin: Origin, user: User, at: int) -> None:
        await self._store.events.append([Event(at, kind, origin.trace, origin.account_id, user.id, data=data)])

    async def _remembered(self, user: User, sender: Address | None, headers: Headers, directory: Directory) -> str:
        """Why there is no answer; when there is one, it is written down in the same breath."""
        now = micros(self._clock)
        await self._one_at_a_time.acquire()
        try:
            found = await self._store.settings.get(SCOPE, str(user.id))
            kept, version = found if found is not None else ({}, 0)
            met = {key: int(at) for key, at in kept.items()} if isinstance(kept, dict) else {}
            key = str(sender).casefold()
            why = why_no_answer(
                headers,
                sender=sender,
                user=user,
                own=own_addresses(user, directory),
                instance=directory.instance,
                last_answer=met.get(key),
                now=now,
            )
            if not why:
                fresh = sorted((at, one) for one, at in met.items() if now - at < PAUSE)[1 - MOST :]
                value = {**{one: at for at, one in fresh}, key: now}
                await self._store.settings.put(SCOPE, str(user.id), value, version)
            return why
        finally:
            self._one_at_a_time.release()


@derived
def absent_users(directory: Directory) -> Mapping[int, User]:
    """The users who have told that they are away, at some time or other, by id."""
    return {user.id: user for user in directory.users if user.vacation is not None}


def _readers(routing: Routing) -> dict[int, str]:
    """Who gets it and why, those included whose mailbox keeps nothing of what is forwarded."""
    return forwarders(routing) | {target.user_id: target.reason for target in routing.targets}
