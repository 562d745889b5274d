"""What an administrator asks about the provider's side of an account: how collecting goes, what was left, and why.

Works on the store alone; a running server adds what is under way and when the next run comes.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from mailshare.assembly import shapes
from mailshare.assembly.audit import named
from mailshare.assembly.changes import Changes
from mailshare.core.bounds import BOUNDS
from mailshare.core.errors import NoSuchEntry, PeerFault
from mailshare.core.values import SECOND, Account, Event, LedgerRow, LedgerState
from mailshare.isp.listing import IMPORTED, left_id
from mailshare.isp.remembered import Remembered
from mailshare.isp.wanted import Wanted
from mailshare.status import AccountStatus

_STATES = {LedgerState.SKIPPED: "too large", LedgerState.POISON: "cannot be had"}
_MOST_LEFT = 500
_PROGRAMS = ("fetchmail", "getmail", "mpop")
_OF_A_FOLDER = re.compile(r"[0-9]+/[0-9]+/.{1,200}\Z")  # an id of IMAP as the ledger has it


class LiveAccounts(Protocol):
    """What a running server adds."""

    def account_statuses(self) -> Sequence[AccountStatus]:
        """What each account did last."""

    def send_receive(self, account: Account, by: str = "") -> Awaitable[Mapping[str, object]]:
        """Collect and send now."""


class ProviderActs(Changes):
    """The provider's side; put together with a class that has the clock.

    :ivar _clock: microseconds UTC.
    """

    _clock: Callable[[], int]

    def _live(self) -> LiveAccounts | None:
        """The running server, when there is one."""
        return None

    async def account_show(self, *, address: str) -> Mapping[str, object]:
        """One account: how collecting went, in words, when it goes on, and what lies at the provider."""
        account = self._account(address)
        past = await Remembered.of(self._store, account.id)
        rows = await self._store.ledger.known(account.id)
        wanted = await Wanted(self._store).of(account.id)
        left = [_left(account, row, wanted) for row in rows.values() if _is_left(row)]
        left.sort(key=lambda one: str(one["since"]), reverse=True)
        states = [row.state for row in rows.values()]
        return {
            **shapes.account_json(account),
            "last_try": shapes.moment(past.last_try),
            "last_success": shapes.moment(past.last_ok),
            "error": past.error,
            "note": past.note,
            "messages": past.messages,
            "at_provider": past.listed if past.listed >= 0 else None,
            "waiting": past.waiting,
            "kept_there": states.count(LedgerState.KEPT),
            "to_be_deleted": states.count(LedgerState.DELETE),
            "left_behind": len(left),
            "left": left[:_MOST_LEFT],
            "login_delay": past.login_delay,
            "expire_days": past.expire if past.expire >= 0 else None,
            "not_before": shapes.moment(past.floor) if past.floor > self._clock() else "",
            **self._now_of(account, past),
        }

    def _now_of(self, account: Account, past: Remembered) -> Mapping[str, object]:
        live = self._live()
        statuses = live.account_statuses() if live is not None else ()
        status = next((one for one in statuses if one.account_id == account.id), None)
        if status is None:
            return {
                "server": live is not None,
                "running": False,
                "paused": not account.enabled,
                "next_try": "",
                "sending": None,
                "news": None,
            }
        collect = status.collect
        return {
            "server": True,
            "running": collect.running,
            "paused": collect.paused,
            "next_try": shapes.moment(max(collect.next_try, past.floor if collect.next_try else 0)),
            "sending": shapes.run_json(status.relay),
            "news": shapes.news_json(status.news),
        }

    async def fetch_anyway(self, *, id: str, account: str = "", by: str = "") -> Mapping[str, object]:  # noqa: A002
        """Get a message that was left at the provider, once, whatever its size and history.

        The wish is kept over restarts; with a server running the account is collected now.

        :param id: as the notice, the journal and ``account show`` say it, or the provider's unique-id.
        :raises NoSuchEntry: nothing of that id was left behind.
        """
        wish = id.strip()
        for one in [self._account(account)] if account else self._directory().accounts:
            rows = await self._store.ledger.known(one.id)
            for name, row in rows.items():
                if _is_left(row) and wish in (left_id(one.id, name), name):
                    return await self._fetch(one, name, row, by)
        raise NoSuchEntry(f"No message {wish[:100]} was left at a provider; mailshare account show lists what was")

    async def _fetch(self, account: Account, name: str, row: LedgerRow, by: str) -> Mapping[str, object]:
        await Wanted(self._store).add(account.id, name)
        trace = left_id(account.id, name)
        data = {"uidl": name[:300], "size": row.key.size, **named(by)}
        await self._store.events.append([Event(self._clock(), "admin.fetch", trace, account.id, data=data)])
        live = self._live()
        if live is None:
            return {"id": trace, "account": str(account.address), "fetched": False, "text": ""}
        before = next((one.collect.running for one in live.account_statuses() if one.account_id == account.id), False)
        result = await live.send_receive(account)
        if before:
            # A run that was under way already had read its wishes.
            result = await live.send_receive(account)
        fetched = not _is_left((await self._store.ledger.known(account.id)).get(name, row))
        return {"id": trace, "account": str(account.address), "fetched": fetched, "text": result.get("text", "")}

    async def import_uids(
        self, *, address: str, program: str, uids: Mapping[str, object], ours: bool = False, by: str = ""
    ) -> Mapping[str, object]:
        """Take over the unique-ids that another program remembers, so that a switch fetches only what is new.

        :param uids: unique-id to seconds UTC when it was fetched, 0 = not known.
        :param ours: the account's days at the provider hold for these messages too; else they are never deleted there.
        """
        account = self._account(address)
        if program not in _PROGRAMS:
            raise PeerFault(f"{program!r} is none of {', '.join(_PROGRAMS)}", code=400)
        now = self._clock()
        rows: dict[str, int] = {}
        for uid, seconds in uids.items():
            plain = uid.isascii() and " " not in uid
            if type(seconds) is not int or not uid.isprintable() or not (plain or _OF_A_FOLDER.match(uid)):
                raise PeerFault("uids must give unique-ids with seconds", code=400)
            rows[uid] = seconds * SECOND if 0 < seconds * SECOND < now else now
        note = f"{'had from' if ours else IMPORTED} {program}"
        new = await self._store.ledger.adopt(account.id, rows, note)
        data = {"program": program, "given": len(uids), "new": new, **named(by)}
        await self._store.events.append([Event(now, "admin.import", account_id=account.id, data=data)])
        return {"account": str(account.address), "given": len(uids), "new": new}


def _is_left(row: LedgerRow) -> bool:
    """Whether this message stays at the provider until somebody asks for it."""
    return row.state is LedgerState.SKIPPED or (row.state is LedgerState.POISON and row.attempts >= BOUNDS.fetch_tries)


def _left(account: Account, row: LedgerRow, wanted: frozenset[str]) -> dict[str, object]:
    name = row.key.uidl
    return {
        "id": left_id(account.id, name),
        "why": _STATES[row.state],
        "size": row.key.size,
        "since": shapes.moment(row.first_seen),
        "tries": row.attempts,
        "reason": row.error,
        "asked_for": name in wanted,
        "uidl": name,
    }
