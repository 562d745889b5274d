"""``mailshare route --dry-run``: who got the stored mail, and who would get it with other settings. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve

from mailshare.assembly import shapes
from mailshare.assembly.probing import Probing
from mailshare.assembly.what_if import with_aliases, with_file
from mailshare.config import BrokenConfig
from mailshare.config.loading import parse_config
from mailshare.core.errors import ConfigFault, MailshareError
from mailshare.core.values import Account, Directory, Routing, Source, StoredMessage
from mailshare.delivery.replay import Reading

_MOST = 5000
_USUAL = 200
_REPLAYED = (Source.COLLECT, Source.SMTP)
_OF_ITS_TIME = ("public-capped",)  # what the hour of its coming decided cannot be replayed


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
            differs = row["got"] != row["would"]
            changed += differs
            if differs or all:
                rows.append(row)
        return {"asked": last, "stored": len(messages), "replayed": replayed, "changed": changed, "rows": rows}

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
        """One message then and now; ``None`` when it went meanwhile or its sorting was of its time."""
        got, reasons = await self._was(message)
        reading = await self._replay.read(message)
        if reading is None or set(reasons) & set(_OF_ITS_TIME):
            return None
        routing = self._routed(reading, then)
        if routing is None:
            return None
        names = {user.id: user.name for user in then.users} | {user.id: user.name for user in now.users}
        return {
            "trace": message.trace,
            "received": shapes.moment(message.received),
            "from": str(next(iter(reading.headers.mailboxes("from")), "")),
            "to": [str(box) for name in ("to", "cc") for box in reading.headers.mailboxes(name)[:10]],
            "subject": reading.headers.text("subject")[:200],
            "got": sorted(got or holders),
            "would": sorted(names[target.user_id] for target in routing.targets),
            "was": sorted(set(reasons)),
            "why": sorted({target.reason for target in routing.targets}),
            "steps": [[step.code, step.detail] for step in routing.steps],
        }

    async def _was(self, message: StoredMessage) -> tuple[list[str], list[str]]:
        """Whom the router chose when the message came, and why, by the journal; empty when those days are gone."""
        page = await self._store.events.page(since=0, until=1 << 62, trace=message.trace, kinds=("route",))
        for _, event in page:
            targets = event.data.get("targets", ())
            if isinstance(targets, list | tuple):
                users = self._directory().user_by_id
                pairs = [(users[one].name if one in users else str(one), str(reason)) for one, reason in targets]
                return [name for name, _ in pairs], [reason for _, reason in pairs]
        return [], []

    def _routed(self, reading: Reading, directory: Directory) -> Routing | None:
        try:
            return self._replay.route(reading, directory)
        except MailshareError:
            return None  # what was handed in then would be refused now; it is no mail of a mailbox any more
