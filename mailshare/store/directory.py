"""Users, accounts and rules: changed here, read as one frozen value that is replaced after each change."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from mailshare.core.errors import Declared, PolicyRefusal
from mailshare.core.values import Account, Directory, Event, PrinterPlace, SenderRule, User, UserKind
from mailshare.interfaces import IDirectoryStore
from mailshare.store.database import Database
from mailshare.store.directory_rows import (
    account_config,
    insert_user,
    read_directory,
    read_instance,
    user_config,
    write_cc,
    write_instance,
)
from mailshare.store.events import write_events
from mailshare.store.former_users import bring_back, forget_former, remember_former
from mailshare.store.naming import DAY, FORMER_DAYS, login_name, refuse_reserved, resolved_login

_OWNED = frozenset({UserKind.ADMIN, UserKind.PUBLIC})
_MOST_CREDENTIALS = 10_000


def _managed(connection: sqlite3.Connection, table: str, number: int, what: str, *, declared: bool) -> None:
    """Refuse what does not exist, and what only the configuration file may change."""
    row = connection.execute(f"SELECT managed_by FROM {table} WHERE id = ?", (number,)).fetchone()
    if row is None:
        raise PolicyRefusal(f"There is no such {what}")
    if row[0] and not declared:
        raise Declared(f"This {what} is declared at {row[0]}; change it there")


@implementer(IDirectoryStore)
class DirectoryStore:
    """The tables ``user_``, ``account``, ``cc``, ``rule``, and their mailboxes.

    :param hostname: the server's own name, part of the directory.
    :param former_days: that a deleted user and his mail are kept.
    """

    log = Logger()

    def __init__(self, database: Database, hostname: str, former_days: int = FORMER_DAYS) -> None:
        self._database = database
        self._hostname = hostname
        self._former_kept = former_days * DAY
        self._current = Directory(hostname=hostname)
        self._printers: tuple[PrinterPlace, ...] = ()
        self._watchers: list[Callable[[Directory], None]] = []
        self._asking: list[Deferred[None]] = []
        self._loading = False
        self._known_credentials: dict[tuple[str, bool], tuple[int, str, str]] = {}

    async def open(self, instance: str) -> None:
        """Give a new store its id, once for all, and read the directory.

        :param instance: a fresh random id.
        """
        if not await self._database.read(read_instance):
            await self._database.write(lambda connection: write_instance(connection, instance))
        await self.load()

    def load(self) -> Deferred[None]:
        """Read the directory; watchers hear of it.

        Whoever asks while it is being read shares the next reading with all others who do: a thousand users of a
        configuration file are not read a thousand times.
        """
        done: Deferred[None] = Deferred()
        self._asking.append(done)
        if not self._loading:
            self._loading = True
            Deferred.fromCoroutine(self._load())
        return done

    async def _load(self) -> None:
        while self._asking:
            asking, self._asking = self._asking, []
            try:
                found = await self._database.read(self._read)
            except Exception:  # noqa: BLE001 - each of those who asked is told, and the next may ask again
                self._known_credentials = {}
                for each in asking:
                    each.errback(Failure())
            else:
                self._show(evolve(found, printers=self._printers))
                for each in asking:
                    each.callback(None)
        self._loading = False

    def _read(self, connection: sqlite3.Connection) -> Directory:
        return read_directory(connection, self._hostname, self._current.version + 1, self._former_kept)

    def _show(self, found: Directory) -> None:
        self._current = found
        self._known_credentials = {}
        for changed in tuple(self._watchers):
            try:
                changed(found)
            except Exception:  # noqa: BLE001 - the change is committed; a listener's mistake must not undo the answer
                self.log.failure("A listener of the directory failed")

    def declare_printers(self, printers: Sequence[PrinterPlace]) -> None:
        """The printers of the configuration, in place of those of before."""
        self._printers = tuple(printers)
        if self._printers != self._current.printers:
            self._show(evolve(self._current, printers=self._printers))

    def current(self) -> Directory:
        """The directory now."""
        return self._current

    def watch(self, changed: Callable[[Directory], None]) -> Callable[[], None]:
        """Be told of each new directory; the result ends that."""
        self._watchers.append(changed)

        def end() -> None:
            if changed in self._watchers:
                self._watchers.remove(changed)

        return end

    async def add_user(self, user: User, *, password_hash: str = "", scram: str = "", declared: bool = False) -> User:
        """Make a user and a mailbox."""
        del declared  # a new object may always be made; managed_by says by whom
        at = self._database.now()
        number = await self._database.write(lambda connection: _made(connection, user, password_hash, scram, at))
        await self.load()
        return self._current.user_by_id[number]

    async def change_user(
        self, user: User, *, password_hash: str | None = None, scram: str | None = None, declared: bool = False
    ) -> User:
        """Replace what is stored; ADMINn and PUBLICn keep name, kind and account."""
        await self._database.write(
            lambda connection: _replaced(connection, user, password_hash, scram, declared=declared)
        )
        await self.load()
        return self._current.user_by_id[user.id]

    async def set_users(
        self,
        added: Sequence[tuple[User, str, str]],
        changed: Sequence[tuple[User, str | None, str | None]],
    ) -> None:
        """Make and change several in one transaction, each with its hash and its SCRAM verifier."""
        at = self._database.now()

        def write(connection: sqlite3.Connection) -> None:
            numbers: dict[int, int] = {}
            for user, hashed, scram in added:
                numbers[user.id] = _made(connection, evolve(user, cc=()), hashed, scram, at)
            for user, *_ in added:
                write_cc(connection, _renumbered(user, numbers))
            for user, hash_or_none, scram_or_none in changed:
                _replaced(connection, _renumbered(user, numbers), hash_or_none, scram_or_none, declared=False)

        await self._database.write(write)
        await self.load()

    async def delete_user(self, user_id: int, *, declared: bool = False) -> None:
        """Take a user away; his mail stays 30 days."""
        at = self._database.now()

        def write(connection: sqlite3.Connection) -> None:
            _managed(connection, "user_", user_id, "user", declared=declared)
            kind = connection.execute("SELECT kind FROM user_ WHERE id = ?", (user_id,)).fetchone()[0]
            if UserKind(kind) in _OWNED:
                raise PolicyRefusal("ADMIN and PUBLIC users go with their account")
            remember_former(connection, user_id, at)
            _drop_user(connection, user_id, at)

        await self._database.write(write)
        await self.load()

    async def restore_user(self, name: str, user_id: int = 0) -> User:
        """Bring back who was deleted lately, with mail and passwords; of several of a login the last, or that one."""
        login, after = login_name(name), self._database.now() - self._former_kept
        number = await self._database.write(lambda connection: bring_back(connection, login, after, user_id))
        await self.load()
        return self._current.user_by_id[number]

    async def forget_former(self, now: int) -> int:
        """Drop what is still known of users whose time is over; gives how many they were."""
        before = now - self._former_kept
        if not any(one.deleted < before for one in self._current.former):
            return 0
        dropped = await self._database.write(lambda connection: forget_former(connection, before))
        await self.load()
        return dropped

    async def add_account(self, account: Account, *, secret: str = "", declared: bool = False) -> Account:
        """Make an account with the next number, and its ADMINn and PUBLICn."""
        del declared
        at = self._database.now()

        def write(connection: sqlite3.Connection) -> int:
            _free_address(connection, str(account.address), 0)
            number = _next_number(connection)
            made = connection.execute(
                "INSERT INTO account (name, number, kind, config, secret_ref, enabled, managed_by) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    str(account.address),
                    number,
                    account.mode.value,
                    account_config(account),
                    secret,
                    int(account.enabled),
                    account.managed_by,
                ),
            ).lastrowid
            assert made is not None
            for kind in (UserKind.ADMIN, UserKind.PUBLIC):
                own = User(0, f"{kind.value}{number}", kind, accounts=(made,))
                insert_user(connection, own, "", "", at)
            return made

        made = await self._database.write(write)
        await self.load()
        return self._current.account_by_id[made]

    async def change_account(self, account: Account, *, secret: str | None = None, declared: bool = False) -> Account:
        """Replace what is stored; the number stays."""

        def write(connection: sqlite3.Connection) -> None:
            _managed(connection, "account", account.id, "account", declared=declared)
            _free_address(connection, str(account.address), account.id)
            connection.execute(
                "UPDATE account SET name = ?, kind = ?, config = ?, enabled = ?, managed_by = ?, "
                "secret_ref = coalesce(?, secret_ref) WHERE id = ?",
                (
                    str(account.address),
                    account.mode.value,
                    account_config(account),
                    int(account.enabled),
                    account.managed_by,
                    secret,
                    account.id,
                ),
            )

        await self._database.write(write)
        await self.load()
        return self._current.account_by_id[account.id]

    async def delete_account(self, account_id: int, *, declared: bool = False) -> None:
        """Take an account away with its ADMINn and PUBLICn."""
        at = self._database.now()

        def write(connection: sqlite3.Connection) -> None:
            _managed(connection, "account", account_id, "account", declared=declared)
            if connection.execute(
                "SELECT 1 FROM delivery WHERE account_id = ? AND state IN (0, 1, 5) LIMIT 1", (account_id,)
            ).fetchone():
                raise PolicyRefusal("Mail of this account waits in the outbox; send or cancel it first")
            _drop_account(connection, account_id, at)

        await self._database.write(write)
        await self.load()

    async def teach(self, rule: SenderRule, events: Sequence[Event] = ()) -> None:
        """Keep a sorting rule; one without users is forgotten."""
        match = rule.match.casefold()
        told = tuple(events)

        def write(connection: sqlite3.Connection) -> None:
            key = (rule.account_id, rule.kind, match)
            connection.execute("DELETE FROM rule WHERE account_id = ? AND kind = ? AND match = ?", key)
            if rule.user_ids:
                connection.execute(
                    "INSERT INTO rule (account_id, kind, match, user_ids) VALUES (?, ?, ?, ?)",
                    (*key, json.dumps(list(rule.user_ids))),
                )
            write_events(connection, told)

        await self._database.write(write)
        await self.load()

    async def learn(self, account_id: int, found: Mapping[str, object], events: Sequence[Event] = ()) -> None:
        """Keep what was found out about an account's provider; also for declared accounts, whose file says nothing."""
        told, text = tuple(events), json.dumps(dict(found), ensure_ascii=False)

        def write(connection: sqlite3.Connection) -> None:
            if connection.execute("SELECT 1 FROM account WHERE id = ?", (account_id,)).fetchone() is None:
                return
            connection.execute(
                "INSERT INTO setting (scope, name, value, version) VALUES ('found', ?, ?, 1) "
                "ON CONFLICT (scope, name) DO UPDATE SET value = excluded.value, version = version + 1",
                (str(account_id), text),
            )
            write_events(connection, told)

        await self._database.write(write)
        await self.load()

    async def credentials(self, name: str, *, disabled: bool = False) -> tuple[User, str, str] | None:
        """``(user, argon2 hash, SCRAM verifier)`` of an enabled login; with ``disabled`` of any."""
        login = resolved_login(name)

        def read(connection: sqlite3.Connection) -> tuple[int, str, str] | None:
            found: tuple[int, str, str] | None = connection.execute(
                "SELECT id, password, scram FROM user_ WHERE name = ? AND enabled >= ?", (login, int(not disabled))
            ).fetchone()
            return found

        kept, key = self._known_credentials, (login, disabled)
        row = kept.get(key)
        if row is None:
            row = await self._database.read(read)
            if row is not None and len(kept) < _MOST_CREDENTIALS:
                # Into the memory of the directory that was current when we asked: a change since then has its own.
                kept[key] = row
        user = None if row is None else self._current.user_by_id.get(row[0])
        return None if row is None or user is None else (user, row[1], row[2])

    async def secret(self, account_id: int) -> str:
        """The account's stored secret reference, or empty."""

        def read(connection: sqlite3.Connection) -> str:
            row = connection.execute("SELECT secret_ref FROM account WHERE id = ?", (account_id,)).fetchone()
            return "" if row is None else str(row[0])

        return await self._database.read(read)


def _made(connection: sqlite3.Connection, user: User, password_hash: str, scram: str, at: int) -> int:
    """Make a user and a mailbox; the number."""
    name = login_name(user.name)
    refuse_reserved(name)
    if user.kind in _OWNED:
        raise PolicyRefusal("ADMIN and PUBLIC users are made with their account")
    _free_name(connection, name, 0)
    _real_references(connection, user)
    number = insert_user(connection, evolve(user, name=name), password_hash, scram, at)
    write_cc(connection, evolve(user, id=number))
    return number


def _replaced(
    connection: sqlite3.Connection, user: User, password_hash: str | None, scram: str | None, *, declared: bool
) -> None:
    name = login_name(user.name)
    _managed(connection, "user_", user.id, "user", declared=declared)
    old_name, old_kind = connection.execute("SELECT name, kind FROM user_ WHERE id = ?", (user.id,)).fetchone()
    if (name, user.kind.value) != (old_name, old_kind) and UserKind(old_kind) in _OWNED:
        raise PolicyRefusal("ADMIN and PUBLIC users keep their name and kind")
    if name != old_name:
        refuse_reserved(name)
        _free_name(connection, name, user.id)
    if user.kind in _OWNED and user.kind.value != old_kind:
        raise PolicyRefusal("ADMIN and PUBLIC users are made with their account")
    _real_references(connection, user)
    connection.execute(
        "UPDATE user_ SET name = ?, kind = ?, enabled = ?, config = ?, managed_by = ?, "
        "password = coalesce(?, password), scram = coalesce(?, scram) WHERE id = ?",
        (
            name,
            user.kind.value,
            int(user.enabled),
            user_config(user),
            user.managed_by,
            password_hash,
            scram,
            user.id,
        ),
    )
    write_cc(connection, user)


def _renumbered(user: User, numbers: Mapping[int, int]) -> User:
    """With the numbers that were only given to tell new users apart replaced by those that they got."""
    return evolve(user, id=numbers.get(user.id, user.id), cc=tuple(numbers.get(one, one) for one in user.cc))


def _free_name(connection: sqlite3.Connection, name: str, own: int) -> None:
    if connection.execute("SELECT 1 FROM user_ WHERE name = ? AND id <> ?", (name, own)).fetchone():
        raise PolicyRefusal(f"There is a user {name} already")


def _free_address(connection: sqlite3.Connection, address: str, own: int) -> None:
    for number, name in connection.execute("SELECT id, name FROM account"):
        if number != own and name.casefold() == address.casefold():
            raise PolicyRefusal(f"There is an account {address} already")


def _real_references(connection: sqlite3.Connection, user: User) -> None:
    """Accounts and users that somebody refers to must exist."""
    for table, what, numbers in (("account", "account", user.accounts), ("user_", "user", user.cc)):
        for number in numbers:
            if not connection.execute(f"SELECT 1 FROM {table} WHERE id = ?", (number,)).fetchone():
                raise PolicyRefusal(f"There is no {what} with the number {number}")


def _next_number(connection: sqlite3.Connection) -> int:
    """The number after the highest that any account ever had: numbers do not come back."""
    row = connection.execute(
        "INSERT INTO setting (scope, name, value, version) VALUES ('store', 'last_account', 'null', 1) "
        "ON CONFLICT (scope, name) DO UPDATE SET version = version + 1 RETURNING version"
    ).fetchone()
    return int(row[0])


def _drop_user(connection: sqlite3.Connection, user_id: int, at: int) -> None:
    for account, kind, match, users in connection.execute(
        "SELECT account_id, kind, match, user_ids FROM rule WHERE user_ids LIKE ?", (f"%{user_id}%",)
    ).fetchall():
        left = [one for one in json.loads(users) if one != user_id]
        key = (account, kind, match)
        if left:
            connection.execute(
                "UPDATE rule SET user_ids = ? WHERE account_id = ? AND kind = ? AND match = ?", (json.dumps(left), *key)
            )
        else:
            connection.execute("DELETE FROM rule WHERE account_id = ? AND kind = ? AND match = ?", key)
    connection.execute("UPDATE mailbox SET gone_at = ? WHERE user_id = ?", (at, user_id))
    connection.execute("DELETE FROM user_ WHERE id = ?", (user_id,))


def _drop_account(connection: sqlite3.Connection, account_id: int, at: int) -> None:
    number = connection.execute("SELECT number FROM account WHERE id = ?", (account_id,)).fetchone()[0]
    for name in (f"admin{number}", f"public{number}"):
        for (user_id,) in connection.execute("SELECT id FROM user_ WHERE name = ?", (name,)).fetchall():
            _drop_user(connection, user_id, at)
    for user_id, config in connection.execute("SELECT id, config FROM user_").fetchall():
        facts = json.loads(config)
        if account_id in facts["accounts"]:
            facts["accounts"].remove(account_id)
            connection.execute("UPDATE user_ SET config = ? WHERE id = ?", (json.dumps(facts), user_id))
    connection.execute("DELETE FROM ledger WHERE account_id = ?", (account_id,))
    connection.execute(
        "DELETE FROM setting "
        "WHERE scope IN ('found', 'sightings', 'style-alarm', 'style-look', 'tag-test') AND name = ?",
        (str(account_id),),
    )
    connection.execute("DELETE FROM account WHERE id = ?", (account_id,))
