"""What an administrator may do: the methods that the control API serves and the commands call.

Works on a store alone; what needs the running server says so when there is none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, Protocol

from attrs import asdict, evolve

from mailshare.assembly import shapes
from mailshare.assembly.audit import named, write_audit
from mailshare.assembly.book_acts import BookActs
from mailshare.assembly.changes import Hasher
from mailshare.assembly.dry_run import DryRun
from mailshare.assembly.fax_acts import FaxActs
from mailshare.assembly.finding_acts import FindingActs
from mailshare.assembly.housekeeping import COMMAND, note_copy
from mailshare.assembly.outbox_choice import chosen_rows
from mailshare.assembly.overview_acts import OverviewActs
from mailshare.assembly.presence_acts import PresenceActs
from mailshare.assembly.print_looking import PrintLooking
from mailshare.assembly.provider_acts import LiveAccounts, ProviderActs
from mailshare.assembly.reading import Reading
from mailshare.assembly.run_acts import RunActs
from mailshare.assembly.several_people import SeveralPeople
from mailshare.assembly.tag_testing import TagTesting
from mailshare.assembly.usage_acts import UsageActs
from mailshare.config import Config
from mailshare.core.errors import NoSuchUser, PeerFault, Unavailable
from mailshare.core.report_parts import printable
from mailshare.core.trace import made_at
from mailshare.core.values import SECOND, Account, Event, QueueState
from mailshare.interfaces import IStore
from mailshare.isp.probing import Probe
from mailshare.isp.remembered import Remembered
from mailshare.journal.days import bounds, day_of, read_day, record
from mailshare.journal.telling import Telling
from mailshare.journal.why import lines_of_run, why
from mailshare.journal.words import kind_words
from mailshare.status import AccountStatus, Indicators, RunStatus

if TYPE_CHECKING:
    from mailshare.assembly.health import Addresses, Aside, Jump

_STEERED = {
    "retry": (QueueState.QUEUED,),
    "hold": (QueueState.HELD,),
    "release": (QueueState.QUEUED,),
    "delete": (QueueState.CANCELLED,),
    "undelete": (QueueState.QUEUED, QueueState.HELD),
}
_MOST_ROWS = 1000


class Running(Protocol):
    """The parts that exist only while a server runs."""

    def indicators(self) -> Awaitable[Indicators]:
        """The six indicators now."""

    def account_statuses(self) -> Sequence[AccountStatus]:
        """What each account did last."""

    def facts(self) -> Mapping[str, object]:
        """Further facts for the status: version, listeners, since when, last reload."""

    def send_receive(self, account: Account, by: str = "") -> Awaitable[Mapping[str, object]]:
        """Collect and send now, whatever the timetable says, because somebody asks for it."""

    def resume(self, account: Account) -> Awaitable[int]:
        """Use an account's ways out again and send now; how many rows had to wait."""

    def wake(self, *, urgent: bool) -> None:
        """Rows of the queue were steered: look at them; urgent = at once, whatever the thresholds are."""

    def reload(self) -> Awaitable[Mapping[str, object]]:
        """Read the configuration file again."""

    def pause(self, *, paused: bool) -> Awaitable[None]:
        """Start no runs by time or threshold until that is taken back; outlives a restart."""


class Acts(
    FaxActs,
    OverviewActs,
    PrintLooking,
    BookActs,
    DryRun,
    ProviderActs,
    PresenceActs,
    TagTesting,
    UsageActs,
    FindingActs,
    RunActs,
    SeveralPeople,
    Reading,
):
    """The office as its administrator sees it.

    :param store: open.
    :param zone: of the journal's days.
    :param hasher: password to ``(argon2 hash, SCRAM verifier)``.
    :param seal: seals a password for the provider.
    :param clock: microseconds UTC.
    :param running: the server around it, or ``None``.
    :param config: gives the configuration of now, for what is handed out to clients.
    :param probe: looks at the provider's mailbox.
    :ivar addresses: asks for the addresses of a host; ``jump`` tells when the clock was set last, and by how much;
        ``aside`` does work on another thread.
    """

    addresses: Addresses | None = None
    aside: Aside | None = None
    jump: Jump | None = None

    def __init__(
        self,
        store: IStore,
        *,
        zone: tzinfo,
        hasher: Hasher,
        seal: Callable[[str], str],
        clock: Callable[[], int],
        running: Running | None = None,
        config: Callable[[], Config] | None = None,
        probe: Probe | None = None,
    ) -> None:
        super().__init__(store, hasher, seal, clock, probe)
        self._zone = zone
        self._running = running
        self._config = config
        if config is not None:
            self.give_up_after = config().tables.limits.give_up * SECOND
        self._watchers: list[Callable[[str, Mapping[str, object]], None]] = []

    def version(self) -> int:
        """The directory's version."""
        return self._directory().version

    def watch(self, changed: Callable[[str, Mapping[str, object]], None]) -> Callable[[], None]:
        """Be called with ``(kind, JSON)`` when something changed; the result ends that."""
        self._watchers.append(changed)

        def end() -> None:
            if changed in self._watchers:
                self._watchers.remove(changed)

        return end

    @property
    def watched(self) -> bool:
        """Somebody looks on."""
        return bool(self._watchers)

    def tell(self, kind: str, value: Mapping[str, object]) -> None:
        """Tell everybody who watches."""
        for changed in tuple(self._watchers):
            changed(kind, value)

    def _live(self) -> LiveAccounts | None:
        return self._running

    # ------------------------------------------------------------------ looking

    async def status(self) -> Mapping[str, object]:
        """The six indicators and what each account did last."""
        found = {one.id: one.found for one in self._directory().accounts}
        if self._running is None:
            counts = await self._store.mailboxes.counts()
            indicators = Indicators(
                inbox=sum(one.unread for one in counts), outbox=await self._store.queue.waiting(None, "relay")
            )
            idle = [await self._as_it_was(one) for one in self._directory().accounts]
            return shapes.status_json(indicators, idle, {"running": False}, found)
        try:
            indicators = await self._running.indicators()
        except Unavailable:  # whoever asks wants to read why above all, and that is among the facts
            indicators = Indicators()
        return shapes.status_json(
            indicators, self._running.account_statuses(), {"running": True, **self._running.facts()}, found
        )

    async def _as_it_was(self, account: Account) -> AccountStatus:
        """How collecting went before the server ended."""
        past = await Remembered.of(self._store, account.id)
        run = RunStatus(
            last_try=past.last_try, last_ok=past.last_ok, error=past.error, messages=past.messages, note=past.note
        )
        return AccountStatus(account.id, str(account.address), run)

    async def health(self) -> Sequence[Mapping[str, object]]:
        """What is well and what needs a look: ``level``, ``what``, ``seen``, ``at`` and ``account`` of each finding."""
        from mailshare.assembly.health import Examination  # noqa: PLC0415 - few ask

        if self._running is None or self._config is None:
            raise Unavailable("The server does not run; start it first")
        examination = Examination(
            self, self._store, self._config(), self._clock(), addresses=self.addresses, jump=self.jump, aside=self.aside
        )
        return [one.as_json() for one in await examination.findings()]

    async def file_settings(self) -> Mapping[str, object]:
        """What the configuration file says: ``file``, ``values`` (``name``, ``value``, ``place``), ``log_days``."""
        from mailshare.assembly.file_settings import file_values  # noqa: PLC0415 - few ask

        if self._config is None:
            raise Unavailable("Nothing is known of the configuration file here")
        config = self._config()
        values = [asdict(one) for one in file_values(config)]
        return {"file": config.path, "values": values, "log_days": config.tables.log.days}

    async def mailboxes(self) -> Sequence[Mapping[str, object]]:
        """Totals of all mailboxes, by user name; since when the oldest message lies there, and the last retrieval."""
        oldest, fetched = await self._store.mailboxes.oldest(), await self.last_fetched()
        rows = [
            {
                **shapes.mailbox_json(one, self._directory()),
                "oldest": shapes.moment(oldest.get(one.user_id, 0)),
                "fetched": shapes.moment(fetched.get(one.user_id, 0)),
            }
            for one in await self._store.mailboxes.counts()
        ]
        return sorted(rows, key=lambda row: str(row["user"]))

    async def outbox(
        self, *, account: str = "", all: bool = False, before: int | None = None, limit: int = 500  # noqa: A002
    ) -> Sequence[Mapping[str, object]]:
        """Rows of the outbox, newest first.

        :param all: also those that are done.
        """
        items = await self._store.queue.items(
            account_id=self._account(account).id if account else None,
            open_only=not all,
            before_id=before,
            limit=min(max(limit, 1), _MOST_ROWS),
        )
        return [shapes.queue_json(item, self._directory()) for item in items]

    async def attempts(self, *, item: int) -> Sequence[Mapping[str, object]]:
        """Every try of a row."""
        found = await self._store.queue.attempts(item)
        return [{**one, "at": shapes.moment(int(str(one.get("at", 0))))} for one in found]

    async def why(self, *, id: str) -> Sequence[Mapping[str, object]]:  # noqa: A002
        """All that is known of each message with this trace, Message-ID or row of the outbox; newest message first.

        :returns: for each ``trace``, ``message_id``, ``stored``, ``title`` and ``words`` for a person, ``events``
            oldest first, and ``outbox``.
        """
        chains = await why(self._store, id)
        if not chains:
            wanted = printable(id.strip(), 200)
            raise PeerFault(f"Nothing is known of {wanted}: no message, and no line in the journal", code=404)
        telling = Telling(self._directory(), self._zone)
        return [
            {
                "trace": chain.trace,
                "message_id": chain.message_id,
                "stored": chain.stored,
                "title": telling.title(chain),
                "words": telling.lines(chain),
                "events": [self._line(number, event) for number, event in chain.events],
                "outbox": [shapes.queue_json(row, self._directory()) for row in chain.rows],
            }
            for chain in chains
        ]

    async def days(self) -> Sequence[str]:
        """Days that have journal lines."""
        return list(await self._store.events.days(str(self._zone) if hasattr(self._zone, "key") else ""))

    async def log(
        self,
        *,
        day: str = "",
        kinds: Sequence[str] = (),
        after: int = 0,
        limit: int = 1000,
        run: str = "",
        last: int = 0,
    ) -> Mapping[str, object]:
        """The journal of one local day (today when not said), oldest first.

        :param run: the whole of this collection run instead, whatever its day was.
        :param last: leave out what was written before the last so many lines of all; 0 = nothing.
        :returns: ``day``, ``events``, and ``next``: what to give as ``after`` for more, or 0.
        """
        if run:
            found = await lines_of_run(self._store, run, self._clock())
            began = day_of(made_at(run.strip(), self._clock()), self._zone)
            lines = [self._line(*each) for each in found if not kinds or each[1].kind in kinds]
            return {"day": began.isoformat(), "events": lines, "next": 0}
        start = read_day(day) if day else day_of(self._clock(), self._zone)
        since, until = bounds(start, self._zone)
        limit = min(max(limit, 1), _MOST_ROWS)
        if last > 0:
            after = max(after, await self._store.events.newest() - last)
        page = await self._store.events.page(
            since=since, until=until, kinds=tuple(kinds), after_id=after, limit=limit
        )
        more = page[-1][0] if len(page) == limit else 0
        return {"day": start.isoformat(), "events": [self._line(*each) for each in page], "next": more}

    def _line(self, number: int, event: Event) -> Mapping[str, object]:
        line = record(number, event, self._directory(), self._zone)
        return {**line, "microseconds": event.at, "words": kind_words(event.kind)}

    async def handout(
        self, *, name: str, format: str = "text", authority: str = "", sign: bool = False  # noqa: A002
    ) -> Mapping[str, object]:
        """What somebody needs to connect a mail program, in one form (rule 3.14).

        :param format: one of :data:`mailshare.web.handout.FORMATS`.
        :param authority: where the desk keeps the certificate of a private authority.
        :param sign: sign the form ``mobileconfig`` with the server's own key.
        """
        if self._config is None:
            raise Unavailable("Nothing is known of the listeners here")
        from mailshare.assembly.handing_out import hand_out  # noqa: PLC0415 - keeps a start quick

        return hand_out(self._config(), self._directory(), name, format, authority=authority, sign=sign)

    async def export(self, *, secrets: bool = False) -> str:
        """The users and accounts of the store in the syntax of the configuration file.

        :param secrets: with the passwords that stand as text in the file.
        """
        from mailshare.config.export import export_toml  # noqa: PLC0415 - keeps a start quick

        config = self._config() if self._config is not None else None
        return await export_toml(self._store, config, secrets=secrets)

    # ------------------------------------------------------------------ acting

    async def _fetch_from(self, account: str) -> Mapping[str, object]:
        """Collect from one account; for :meth:`FaxActs.fax_receive`."""
        if self._running is None:
            raise Unavailable("The server does not run; start it first")
        return await self._running.send_receive(self._account(account))

    async def steer(
        self,
        *,
        act: str,
        ids: Sequence[int] = (),
        message: str = "",
        account: str = "",
        route: str = "",
        all: bool = False,  # noqa: A002
        by: str = "",
    ) -> Mapping[str, object]:
        """``retry``, ``hold``, ``release`` or ``delete`` rows of the outbox, chosen in one of these ways.

        ``undelete`` takes a deletion back, within 30 seconds and by the numbers of the rows.

        :returns: ``changed`` of ``asked`` rows; ``rows`` are those that are now as it was wanted.
        """
        if act not in _STEERED:
            raise PeerFault(f"{act!r} is none of {', '.join(_STEERED)}", code=404)
        whose = self._account(account) if account else None
        ids = await chosen_rows(
            self._store, act, ids=ids, message=message.strip(), account=whose, route=route, everything=all
        )
        meant = [one for one in ids if act != "undelete" or await self._is_deleted(one)]
        changed = await self._store.queue.steer(tuple(meant), act, self._clock())
        told = [each async for each in self._steered(act, meant, by)]
        await self._store.events.append(told)
        if self._running is not None:
            self._running.wake(urgent=act == "retry")
        return {"changed": changed, "asked": len(ids), "rows": [each.data["item"] for each in told]}

    async def pause(self, *, paused: bool) -> Mapping[str, object]:
        """Collect and send no more by itself, or go on. Who asks for it by hand is still served."""
        if self._running is None:
            raise Unavailable("The server does not run; it stands still already")
        await self._running.pause(paused=paused)
        return {"paused": paused}

    async def admin_reset(self, *, password: str, account: str = "", by: str = "") -> Mapping[str, object]:
        """Give the ADMIN of an account, or of the first, a new mailbox password.

        :raises NoSuchUser: there is no such account, or none at all.
        """
        accounts = sorted(self._directory().accounts, key=lambda one: one.number)
        if not account and not accounts:
            raise NoSuchUser("There is no account yet, so there is no ADMIN; make one: mailshare account add ADDRESS")
        owner = self._account(account) if account else accounts[0]
        admin = self._directory().admin_of(owner)
        hashed, scram = await self._hasher(password, await self._like(admin))
        await self._store.directory.change_user(evolve(admin, enabled=True), password_hash=hashed, scram=scram)
        event = Event(self._clock(), "admin.password", account_id=owner.id, user_id=admin.id, data={"by": by})
        await self._store.events.append([event])
        return {"login": admin.name, "account": str(owner.address)}

    async def audit(self, act: str, arguments: Mapping[str, object]) -> None:
        """Write into the audit that this was done."""
        await write_audit(self._store, self._clock(), act, arguments)

    async def _is_deleted(self, number: int) -> bool:
        item = await self._store.queue.item(number)
        return item is not None and item.state is QueueState.CANCELLED

    async def _steered(self, act: str, ids: Sequence[int], by: str) -> AsyncIterator[Event]:
        """A line for each row that is as it was wanted, so that the message's own chain tells of it."""
        for number in ids:
            item = await self._store.queue.item(number)
            if item is not None and item.state in _STEERED[act]:
                data = {"item": item.id, "to": item.address, "state": item.word, **named(by)}
                yield Event(
                    self._clock(), f"admin.{act}", item.trace, item.account_id, item.submitter_id, item.message_id, data
                )

    async def resume(self, *, address: str) -> Mapping[str, object]:
        """Use an account's ways out again, whatever paused them, and send what waits for them now."""
        account = self._account(address)
        if self._running is None:
            raise Unavailable("The server does not run; when it starts it tries every way out anew")
        waiting = await self._running.resume(account)
        await self._store.events.append([Event(self._clock(), "admin.resume", account_id=account.id)])
        return {"address": str(account.address), "waiting": waiting}

    async def backup(self, *, directory: str) -> Mapping[str, object]:
        """A consistent copy of the store into a new directory."""
        await self._store.backup(directory)
        await note_copy(self._store, self._clock(), COMMAND)
        return {"directory": directory}

    async def verify(self, *, deep: bool = False) -> Mapping[str, object]:
        """Look for damage."""
        return {"problems": list(await self._store.verify(deep=deep))}

    async def reload(self) -> Mapping[str, object]:
        """Read the configuration file again, as SIGHUP does."""
        if self._running is None:
            raise Unavailable("The server does not run; it reads the file when it starts")
        return await self._running.reload()
