"""What ADMIN does with mail that found no owner: look at it, give it away, and teach where such mail goes.

Nothing is taught in silence: each act leaves an event of kind ``admin.*`` with who did it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

from attrs import evolve, frozen

from mailshare.assembly import shapes
from mailshare.assembly.changes import Changes, Hasher
from mailshare.core.autoreply import went_through
from mailshare.core.errors import NoSuchEntry, PeerFault, PolicyRefusal
from mailshare.core.forwarding import Onward, forward
from mailshare.core.ladder import step
from mailshare.core.people import people_of
from mailshare.core.retry import STANDARD
from mailshare.core.sorting import delivered_to
from mailshare.core.values import SECOND, Account, Entry, Event, SenderRule, Target, User, UserKind
from mailshare.core.work_list import (
    REASONS,
    Candidate,
    candidates,
    handed_on,
    held_because,
    reason_of,
    rule_from,
    suggestion,
    unknown_names,
)
from mailshare.delivery.replay import Reading, Replay
from mailshare.interfaces import IStore

_ID = re.compile(r"(\d{1,9})\.(\d{1,18})\Z")
_TRACE = re.compile(r"[0-9a-f]{16}\Z")
_PAGE = 200
_BEGINNING = 2000  # octets of the text that ADMIN is shown
_NOT_AGAIN = ("public-capped",)  # what the hour of its coming decided is not decided anew


@frozen
class _Case:
    """A message in an ADMIN mailbox."""

    account: Account
    admin: User
    entry: Entry

    @property
    def id(self) -> str:
        """``2.17``: account number and place in the mailbox."""
        return f"{self.account.number}.{self.entry.uid}"


class WorkList(Changes):
    """ADMIN's work.

    :param clock: microseconds UTC.
    :ivar give_up_after: microseconds after which what is sent on by giving it away is given up.
    """

    give_up_after = STANDARD.give_up_after

    def __init__(self, store: IStore, hasher: Hasher, seal: Callable[[str], str], clock: Callable[[], int]) -> None:
        super().__init__(store, hasher, seal, clock)
        self._replay = Replay(store)

    # ------------------------------------------------------------------ looking

    async def admin_list(self, *, account: str = "", limit: int = 100) -> Sequence[Mapping[str, object]]:
        """What lies with ADMIN, newest first: sender, subject, whom it names, and why it is there."""
        accounts = [self._account(account)] if account else list(self._directory().accounts)
        rows: list[Mapping[str, object]] = []
        for one in accounts:
            admin = self._directory().admin_of(one)
            entries = await self._store.mailboxes.entries(admin.id, limit=min(max(limit, 1), _PAGE))
            rows.extend([await self._row(_Case(one, admin, entry)) for entry in entries])
        return rows

    async def _row(self, case: _Case) -> Mapping[str, object]:
        message, reading = case.entry.message, await self._replay.read(case.entry.message)
        headers = reading.headers if reading is not None else None
        unknown, reason = self._unknown(case, reading), reason_of(case.entry.prefix)
        likely: tuple[Candidate, ...] = ()
        if reading is not None and reason:
            likely = candidates(reading.headers, case.account, self._directory(), reading.known, unknown)
        advice = suggestion(reason, reading.headers, unknown, likely) if reading is not None else ""
        return {
            "id": case.id,
            "trace": message.trace,
            "account": str(case.account.address),
            "received": shapes.moment(message.received),
            "from": str(next(iter(headers.mailboxes("from")), "")) if headers else "",
            "to": [str(box) for name in ("to", "cc") for box in headers.mailboxes(name)[:10]] if headers else [],
            "subject": headers.text("subject")[:200] if headers else "",
            "reason": reason,
            "words": REASONS.get(reason, reason),
            "unknown": [name for name, _ in unknown],
            "candidates": [{"user": one.user, "why": one.why} for one in likely],
            "suggestion": advice.replace("ID", case.id, 1),
            "size": message.size,
            "retrieved": case.entry.retrieved,
        }

    async def admin_show(self, *, id: str) -> Mapping[str, object]:  # noqa: A002
        """One message of ADMIN's: its line in the list, every step of its sorting, the beginning of its text."""
        case = await self._case(id)
        found = await self._store.message(case.entry.message.id)
        text = b"" if found is None else await found[0].read(found[0].header_length, _BEGINNING)
        past = await self._store.events.page(since=0, until=self._clock() + SECOND, trace=case.entry.message.trace)
        steps = [step for _, event in past for step in _steps(event)]
        return {**await self._row(case), "steps": steps, "text": text.decode("utf-8", "replace")}

    def _unknown(self, case: _Case, reading: Reading | None) -> tuple[tuple[str, str], ...]:
        if reading is None:
            return ()
        return unknown_names(reading.headers, case.account, self._directory(), reading.known)

    async def _case(self, wanted: str) -> _Case:
        """By ``2.17`` or by trace.

        :raises NoSuchEntry: it does not lie with an ADMIN.
        """
        if found := _ID.match(wanted):
            account = self._account(found[1])
            admin, uid = self._directory().admin_of(account), int(found[2])
            for entry in await self._store.mailboxes.entries(admin.id, before_uid=uid + 1, limit=1):
                if entry.uid == uid:
                    return _Case(account, admin, entry)
        elif _TRACE.match(wanted):
            for account in self._directory().accounts:
                async for case in self._cases(account):
                    if case.entry.message.trace == wanted:
                        return case
        else:
            raise PeerFault(f"{wanted!r} is neither an id such as 1.17 nor a trace", code=400)
        raise NoSuchEntry(await self._gone(wanted))

    async def _gone(self, wanted: str) -> str:
        """Why something does not lie with ADMIN: who has it now, when that can be told."""
        after, given = 0, None
        while page := await self._store.events.page(
            since=0, until=self._clock() + SECOND, kinds=("admin.gave",), after_id=after, limit=_PAGE
        ):
            after = page[-1][0]
            given = next((one for _, one in page if wanted in (one.trace, one.data.get("id"))), given)
        if given is None:
            return f"{wanted} does not lie with ADMIN; mailshare admin list shows what does"
        by, to = given.data.get("by"), given.data.get("to")
        names = ", ".join(map(str, to)) if isinstance(to, list | tuple) else str(to)
        who = f" by {by}" if by else ""
        return f"{wanted} lies with ADMIN no more: it was given to {names} at {shapes.moment(given.at)}{who}"

    async def _cases(self, account: Account) -> AsyncIterator[_Case]:
        """All of an ADMIN's mail, newest first, a page at a time."""
        admin = self._directory().admin_of(account)
        before: int | None = None
        while page := await self._store.mailboxes.entries(admin.id, before_uid=before, limit=_PAGE):
            for entry in page:
                yield _Case(account, admin, entry)
            before = page[-1].uid

    # ------------------------------------------------------------------ giving

    async def admin_give(self, *, id: str, users: Sequence[str], by: str = "") -> Mapping[str, object]:  # noqa: A002
        """Move a message from ADMIN's mailbox into those of users; their cc lists count."""
        case = await self._case(id)
        people = self._people(users)
        return await self._give(case, people, by, "given by hand")

    def _people(self, names: Sequence[str]) -> list[User]:
        people = [self._user(str(name)) for name in names]
        if not people:
            raise PeerFault("No user was named", code=400)
        for user in people:
            if not user.enabled:
                raise PolicyRefusal(f"{user.name} is disabled")
            if user.kind is UserKind.ADMIN:
                raise PolicyRefusal("This is ADMIN's already; name a person, or publicN for everybody")
        return people

    async def _give(self, case: _Case, people: Sequence[User], by: str, why: str) -> Mapping[str, object]:
        targets = tuple(self._targets(case, people))
        reading = await self._reading(case)
        came_back = went_through(reading.headers, self._directory().instance)
        return await self._hand_on(case, targets, by, why, self._onward(case, reading, targets, came_back=came_back))

    def _onward(self, case: _Case, reading: Reading, targets: Sequence[Target], *, came_back: bool) -> Onward:
        """What the new owners have sent on to the outside: the same as if it had found them when it came."""
        return forward(
            targets,
            reading.headers,
            reading.envelope,
            reading.origin,
            self._directory(),
            came_back=came_back,
            held=held_because(case.entry),
        )

    def _targets(self, case: _Case, people: Sequence[User]) -> Iterator[Target]:
        """Everybody named, PUBLIC as its members, then their copies: one hop, nobody twice."""
        directory = self._directory()
        owners: dict[int, User] = {}
        for user in people:
            members: tuple[int, ...] = (user.id,)
            if user.kind is UserKind.PUBLIC:
                members = people_of(directory).sharers[case.account.id].public_members
            owners.update({member: directory.user_by_id[member] for member in members})
        for owner in owners.values():
            yield Target(owner.id, "given", self._prefix(case, owner, b""))
        copied: set[int] = set()
        for owner in people:
            for reader in (directory.user_by_id.get(one) for one in owner.cc):
                if reader is not None and reader.enabled and reader.id not in owners and reader.id not in copied:
                    copied.add(reader.id)
                    line = f"X-Mailshare-Copy-For: {owner.name}\r\n".encode()
                    yield Target(reader.id, "cc", self._prefix(case, reader, line))

    def _prefix(self, case: _Case, user: User, more: bytes) -> bytes:
        line = f"Delivered-To: {delivered_to(user, self._directory())}\r\n".encode()
        return handed_on(case.entry.prefix, line + more)

    async def _hand_on(
        self,
        case: _Case,
        targets: Sequence[Target],
        by: str,
        why: str,
        onward: Onward,
        steps: Sequence[Sequence[str]] = (),
    ) -> Mapping[str, object]:
        at, names = self._clock(), self._directory().user_by_id
        to = [names[target.user_id].name for target in targets]
        data: dict[str, object] = {"id": case.id, "by": by, "why": why, "from": case.admin.name, "to": to}
        if chain := [*map(list, steps), *([one.code, one.detail] for one in onward.steps)]:
            data["steps"] = chain
        event = Event(at, "admin.gave", case.entry.message.trace, case.account.id, data=data)
        await self._store.mailboxes.give(
            case.admin.id,
            case.entry.uid,
            [target for target in targets if target.user_id not in onward.emptied],
            onward.hops,
            at=at,
            events=[event],
            expires=at + self.give_up_after,
        )
        sent_on = [hop.address for hop in onward.hops]
        return {"id": case.id, "trace": case.entry.message.trace, "to": to, "sent_on": sent_on}

    # ------------------------------------------------------------------ teaching

    async def admin_always(
        self, *, id: str, users: Sequence[str], kind: str = "", past: bool = False, by: str = ""  # noqa: A002
    ) -> Mapping[str, object]:
        """Give a message, and teach that mail of its list, of its sender or to its name always goes there."""
        case, people = await self._case(id), self._people(users)
        reading = await self._reading(case)
        kind, match = rule_from(
            reading.headers, case.account, self._directory(), kind, self._unknown(case, reading)
        )
        rule = SenderRule(case.account.id, kind, match, tuple(user.id for user in people))
        await self._store.directory.teach(rule, [self._told("admin.rule", case, by, self._rule(rule))])
        given = await self._give(case, people, by, f"rule by {kind}")
        also = await self._past(case.account, {one.id for one in people}, f"rule-{kind}", by) if past else []
        return {**given, "rule": self._rule(rule), "past": also}

    async def admin_teach(
        self, *, id: str, user: str, name: str = "", past: bool = False, by: str = ""  # noqa: A002
    ) -> Mapping[str, object]:
        """Give a message, and teach that the name it was written to is that user's."""
        case, person = await self._case(id), self._people([user])[0]
        if person.kind is UserKind.PUBLIC:
            raise PolicyRefusal("A name is taught to a person; for everybody use admin always-give")
        reading = await self._reading(case)
        unknown = [one for one, _ in self._unknown(case, reading)]
        if not name and len(unknown) != 1:
            words = "It names nobody that is not known; teach by list or sender with admin always-give"
            if unknown:
                words = f"It names {', '.join(unknown)}; say which with --name"
            raise PolicyRefusal(words)
        name = name or unknown[0]
        await self._store.directory.change_user(evolve(person, names=(*person.names, name)))
        event = self._told("admin.name", case, by, {"user": person.name, "name": name})
        await self._store.events.append([event])
        given = await self._give(case, [person], by, f"name taught: {name}")
        also = await self._past(case.account, {person.id}, "", by) if past else []
        return {**given, "name": name, "user": person.name, "past": also}

    async def admin_sort(self, *, account: str = "", by: str = "") -> Mapping[str, object]:
        """Sort what lies with ADMIN for want of an owner once more, by the names and rules of now."""
        accounts = [self._account(account)] if account else list(self._directory().accounts)
        return {"past": [row for one in accounts for row in await self._past(one, set(), "", by)]}

    async def _reading(self, case: _Case) -> Reading:
        reading = await self._replay.read(case.entry.message)
        if reading is None:
            raise NoSuchEntry(f"{case.id} is gone")
        return reading

    async def _past(
        self, account: Account, wanted: set[int], reason: str, by: str
    ) -> list[Mapping[str, object]]:
        """Give away what now sorts to somebody.

        :param wanted: only what one of these users gets; empty: whoever gets it.
        :param reason: only what is decided by this step; empty: by any.
        """
        given: list[Mapping[str, object]] = []
        async for case in self._cases(account):
            why = reason_of(case.entry.prefix)
            if not why or why in _NOT_AGAIN:
                continue
            reading = await self._replay.read(case.entry.message)
            if reading is None:
                continue
            routing = self._replay.route(reading, self._directory())
            owners = {one.user_id for one in routing.targets if one.reason != "cc"}
            reasons = {one.reason for one in routing.targets}
            if case.admin.id in owners or (wanted and not wanted & owners) or (reason and reason not in reasons):
                continue
            targets = [evolve(one, prefix=handed_on(case.entry.prefix, one.prefix)) for one in routing.targets]
            steps = [(one.code, step(one.code, one.detail).detail) for one in routing.steps]
            onward = self._onward(case, reading, targets, came_back=routing.came_back)
            try:
                given.append(await self._hand_on(case, targets, by, "sorted once more", onward, steps))
            except NoSuchEntry:
                continue  # somebody took it out of the mailbox meanwhile
        return given

    # ------------------------------------------------------------------ rules

    async def rules(self, *, account: str = "") -> Sequence[Mapping[str, object]]:
        """All taught rules."""
        only = self._account(account).id if account else None
        return [self._rule(rule) for rule in self._directory().rules if only in (None, rule.account_id)]

    async def delete_rule(self, *, account: str, kind: str, match: str, by: str = "") -> Mapping[str, object]:
        """Forget a rule; mail that it gave stays where it is."""
        owner = self._account(account)
        key = (owner.id, kind, match.casefold())
        found = next((r for r in self._directory().rules if (r.account_id, r.kind, r.match) == key), None)
        if found is None:
            raise PeerFault(f"There is no rule by {kind} for {match}", code=404)
        shown = self._rule(found)
        event = Event(self._clock(), "admin.rule-deleted", account_id=owner.id, data={"by": by, **shown})
        await self._store.directory.teach(evolve(found, user_ids=()), [event])
        return {"deleted": shown}

    def _rule(self, rule: SenderRule) -> dict[str, object]:
        directory = self._directory()
        account = directory.account_by_id.get(rule.account_id)
        return {
            "account": str(account.address) if account else "",
            "kind": rule.kind,
            "match": rule.match,
            "users": [directory.user_by_id[one].name for one in rule.user_ids if one in directory.user_by_id],
        }

    def _told(self, kind: str, case: _Case, by: str, facts: Mapping[str, object]) -> Event:
        return Event(
            self._clock(), kind, case.entry.message.trace, case.account.id, message_id=case.entry.message.id,
            data={"by": by, **facts},
        )  # fmt: skip


def _steps(event: Event) -> list[list[str]]:
    """The decisions that an event tells of, as ``[code, detail]``."""
    steps = event.data.get("steps", ())
    if not isinstance(steps, list | tuple):
        return []
    return [[str(part) for part in one] for one in steps if isinstance(one, list | tuple)]
