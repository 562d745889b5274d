"""``mailshare route --dry-run``: who got the stored mail, and who would get it with other settings. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from mailshare.assembly import shapes
from mailshare.assembly.probing import Probing
from mailshare.assembly.what_if import with_aliases, with_file
from mailshare.config import BrokenConfig
from mailshare.config.loading import parse_config
from mailshare.core.errors import ConfigFault, MailshareError
from mailshare.core.sorting_options import SortingOptions
from mailshare.core.values import Account, Directory, Event, Routing, Source, StoredMessage
from mailshare.delivery.replay import Reading

_MOST = 5000
_USUAL = 200
_TRIED = 20
_SORTING = ("mode", "domains", "aliases", "tag_delimiter", "ambiguous")
_REPLAYED = (Source.COLLECT, Source.SMTP)
_OF_ITS_TIME = frozenset({"public-capped"})  # what the hour of its coming decided cannot be replayed


@frozen
class _Past:
    """Where a message went, by the journal; logins.

    :ivar chosen: by the router when it came.
    :ivar reasons: of that choice.
    :ivar holds: the same after what ADMIN gave away since, by hand or by a rule.
    :ivar given: ADMIN gave it away.
    """

    chosen: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    holds: frozenset[str] = frozenset()
    given: bool = False


def _decided(row: Mapping[str, Any]) -> Sequence[str]:
    """Code and detail of the step that named the first who gets it; of a miss the last step."""
    steps: Sequence[Sequence[str]] = row["steps"]
    return next((step for step in steps if step[0] in row["why"]), steps[-1] if steps else ("", ""))


def _rule(account: Account) -> Mapping[str, object]:
    """Which header decides whose a mail is.

    :returns: ``mode``; ``headers``: the envelope fields that are looked at, in this order; ``known``: they were read
        off this provider's mail or set by hand; ``trusted_by``: hosts whose fields count; ``tags``: tagged addresses
        arrive.
    """
    options = SortingOptions.of(account)
    return {
        "mode": account.mode.value,
        "headers": [name.title() for name in options.envelope_headers],
        "known": "envelope_headers" in {**account.found, **account.options},
        "trusted_by": sorted(options.trusted_by),
        "tags": options.tags_work,
    }


class DryRun(Probing):
    """Replays stored mail."""

    async def dry_run(
        self,
        *,
        account: str = "",
        last: int = _USUAL,
        text: str = "",
        path: str = "",
        ambiguous: str = "",
        aliases: Sequence[str] = (),
        options: Mapping[str, object] | None = None,
        all: bool = False,  # noqa: A002
    ) -> Mapping[str, object]:
        """Route the newest stored mail once more, with changed settings.

        :param text: a configuration file whose objects stand in for those of now; ``path`` is what it is called.
        :param ambiguous: ``admin`` or ``all``, for the account, or for all of them.
        :param aliases: ``login=Name``: further names.
        :param options: options of the account (or of all), by the names of the file.
        :param all: also messages that would go where they went.
        """
        now = self._directory()
        only = self._account(account).id if account else None
        then = self._changed(now, text, path, aliases, {"ambiguous": ambiguous} if ambiguous else {}, options, only)
        messages = await self._stored(only, min(max(last, 1), _MOST))
        rows, replayed, changed = [], 0, 0
        for message, holders in messages:
            row = await self._replayed(message, holders, now, then)
            if row is None:
                continue
            replayed += 1
            differs = bool(row["differs"])
            changed += differs
            if differs or all:
                rows.append(row)
        return {"asked": last, "stored": len(messages), "replayed": replayed, "changed": changed, "rows": rows}

    async def try_sorting(
        self, *, address: str, last: int = _TRIED, facts: Mapping[str, object] | None = None
    ) -> Mapping[str, object]:
        """Sort the newest stored mail of an account once more as if these facts of it were saved; nothing is changed.

        :param last: how many messages; 0 = only the rule is told.
        :param facts: ``mode``, ``domains``, ``aliases``, ``tag_delimiter``, ``ambiguous``; others do not touch sorting.
        :returns: ``rule``: how its mail is sorted then; ``asked``, ``stored``, ``changed``, and ``rows`` as
            :meth:`dry_run` tells them, newest first, each with ``decided``, the step that decided.
        """
        old, now = self._account(address), self._directory()
        account = self._adjusted(old, {key: value for key, value in (facts or {}).items() if key in _SORTING}, {})
        then = evolve(now, accounts=tuple(account if one.id == old.id else one for one in now.accounts))
        messages = await self._stored(old.id, min(last, _USUAL)) if last > 0 else ()
        rows: list[dict[str, object]] = []
        for message, holders in reversed(messages):
            row = await self._replayed(message, holders, now, then)
            if row is not None:
                rows.append({**row, "decided": _decided(row)})
        changed = sum(bool(row["differs"]) for row in rows)
        return {"rule": _rule(account), "asked": last, "stored": len(messages), "changed": changed, "rows": rows}

    def _changed(
        self,
        now: Directory,
        text: str,
        path: str,
        aliases: Sequence[str],
        facts: Mapping[str, Any],
        options: Mapping[str, object] | None,
        only: int | None,
    ) -> Directory:
        then = now
        if text:
            try:
                then = with_file(then, parse_config(text, path or "mailshare.toml"))
            except BrokenConfig as fault:
                raise ConfigFault(str(fault)) from fault
        then = with_aliases(then, aliases)
        if facts or options:
            accounts = tuple(
                self._adjusted(one, facts, options or {}) if only in (None, one.id) else one for one in then.accounts
            )
            then = evolve(then, accounts=accounts)
        return then

    def _adjusted(self, account: Account, facts: Mapping[str, Any], options: Mapping[str, object]) -> Account:
        """The account with these facts, checked as if they stood in the file."""
        own = ("number", "managed_by", "found", "password")
        before: dict[str, Any] = {k: v for k, v in shapes.account_json(account).items() if k not in own}
        read, _ = self._read({**before, **facts, "options": {**account.options, **options}})
        return evolve(
            read, id=account.id, number=account.number, managed_by=account.managed_by, found=account.found
        )

    async def _stored(self, account_id: int | None, most: int) -> Sequence[tuple[StoredMessage, list[str]]]:
        """The newest messages that lie in mailboxes, oldest first, each with the logins that hold it."""
        directory = self._directory()
        found: dict[int, tuple[StoredMessage, list[str]]] = {}
        for count in await self._store.mailboxes.counts():
            user = directory.user_by_id.get(count.user_id)
            if not count.messages or user is None:
                continue
            for entry in await self._store.mailboxes.entries(user.id, limit=most):
                message = entry.message
                if message.source in _REPLAYED and account_id in (None, message.account_id):
                    found.setdefault(message.id, (message, []))[1].append(user.name)
        return sorted(found.values(), key=lambda one: one[0].id)[-most:]

    async def _replayed(
        self, message: StoredMessage, holders: Sequence[str], now: Directory, then: Directory
    ) -> dict[str, object] | None:
        """One message then and now; ``None`` when it went meanwhile or its sorting was of its time.

        What ADMIN gave away differs when the router would now choose neither what it chose when the message came nor
        what ADMIN chose.
        """
        past = await self._was(message)
        reading = await self._replay.read(message)
        if reading is None or past.reasons & _OF_ITS_TIME:
            return None
        routing = self._routed(reading, then)
        if routing is None:
            return None
        names = {user.id: user.name for user in then.users} | {user.id: user.name for user in now.users}
        got = sorted(past.holds or holders)
        would = sorted(names[target.user_id] for target in routing.targets)
        return {
            "trace": message.trace,
            "received": shapes.moment(message.received),
            "from": str(next(iter(reading.headers.mailboxes("from")), "")),
            "to": [str(box) for name in ("to", "cc") for box in reading.headers.mailboxes(name)[:10]],
            "subject": reading.headers.text("subject")[:200],
            "got": got,
            "would": would,
            "differs": would != got and not (past.given and would == sorted(past.chosen)),
            "given": past.given,
            "was": sorted(past.reasons),
            "why": sorted({target.reason for target in routing.targets}),
            "steps": [[step.code, step.detail] for step in routing.steps],
        }

    async def _was(self, message: StoredMessage) -> _Past:
        """What the journal tells of its way; nothing when those days are gone."""
        kinds = ("route", "admin.gave")
        page = await self._store.events.page(since=0, until=1 << 62, trace=message.trace, kinds=kinds)
        past = _Past()
        for _, event in page:
            if event.kind == "route":
                chosen = self._chosen(event)
                past = _Past(frozenset(chosen), frozenset(chosen.values()), frozenset(chosen))
            else:
                giver, to = frozenset({str(event.data.get("from"))}), event.data.get("to")
                names = frozenset(map(str, to)) if isinstance(to, list | tuple) else frozenset()
                past = evolve(past, chosen=past.chosen or giver, holds=past.holds - giver | names, given=True)
        return past

    def _chosen(self, event: Event) -> dict[str, str]:
        """Login to reason of everybody for whom the router meant a message, also when he has it sent on."""
        users = self._directory().user_by_id
        chosen: dict[str, str] = {}
        for name in ("targets", "sent_on"):
            rows = event.data.get(name)
            for one, reason in rows if isinstance(rows, list | tuple) else ():
                chosen[users[one].name if one in users else str(one)] = str(reason)
        return chosen

    def _routed(self, reading: Reading, directory: Directory) -> Routing | None:
        try:
            return self._replay.route(reading, directory)
        except MailshareError:
            return None  # what was handed in then would be refused now; it is no mail of a mailbox any more
