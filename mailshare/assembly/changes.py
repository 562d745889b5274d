"""Users and accounts changed by an administrator: the same words and the same checks as in the configuration file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from attrs import evolve

from mailshare.assembly import shapes
from mailshare.config.checks import check_tables
from mailshare.config.loading import resolve_account
from mailshare.config.problems import Findings, written
from mailshare.config.reading import read_tables
from mailshare.config.schema import FileTables, Secret
from mailshare.core.address import Address
from mailshare.core.errors import ConfigFault, NoSuchUser, PeerFault
from mailshare.core.forwarding import refused_targets
from mailshare.core.personal import Quota
from mailshare.core.values import Account, Directory, User, UserKind
from mailshare.interfaces import IStore
from mailshare.portal.app_passwords import AppPasswords, verifiers

Hasher = Callable[[str, str], Awaitable[tuple[str, str]]]
"""Password, and a SCRAM verifier whose salt is to be used again or empty, to ``(argon2 hash, SCRAM verifier)``."""


def checked_table(kind: str, table: Mapping[str, Any]) -> FileTables:
    """Read one table as if it stood in the file.

    :raises ConfigFault: with every mistake.
    """
    findings = Findings()
    tables = read_tables({kind: [dict(table)]}, findings)
    check_tables(tables, "/", findings)
    errors = [found for found in findings.found if not found.warning]
    if errors:
        lines = [f"{written(found.path[2:])}: {found.text}; {found.hint}".rstrip("; ") for found in errors]
        raise ConfigFault("; ".join(lines))
    return tables


class Changes:
    """Adds, changes and deletes users and accounts; declared ones are refused by the store."""

    def __init__(self, store: IStore, hasher: Hasher, seal: Callable[[str], str], clock: Callable[[], int]) -> None:
        self._store = store
        self._hasher = hasher
        self._clock = clock
        self._seal = seal

    def _directory(self) -> Directory:
        return self._store.directory.current()

    def _user(self, name: str) -> User:
        user = self._directory().user_by_name.get(name.casefold())
        if user is None:
            raise NoSuchUser(f"There is no user {name}")
        return user

    def _account(self, address: str) -> Account:
        """By address, or by number."""
        for account in self._directory().accounts:
            if address.casefold() in (str(account.address).casefold(), str(account.number)):
                return account
        raise NoSuchUser(f"There is no account {address}")

    # ------------------------------------------------------------------ users

    async def users(self) -> Sequence[Mapping[str, object]]:
        """All users, by name."""
        directory = self._directory()
        return [shapes.user_json(user, directory) for user in sorted(directory.users, key=lambda one: one.name)]

    async def add_user(self, *, name: str, **facts: Any) -> Mapping[str, object]:
        """Make a user with a mailbox."""
        password = str(facts.pop("password", ""))
        user = self._with(User(0, name.casefold()), {"name": name, **facts})
        hashed, scram = await self._hasher(password, "") if password else ("", "")
        made = await self._store.directory.add_user(user, password_hash=hashed, scram=scram)
        return shapes.user_json(made, self._directory())

    async def change_user(self, *, name: str, **facts: Any) -> Mapping[str, object]:
        """Change what is given; everything else stays."""
        password = str(facts.pop("password", ""))
        old = self._user(name)
        wanted = self._with(old, {"name": name, **facts}, own=old.kind is not UserKind.PERSON)
        hashed, scram = await self._hasher(password, await self._like(old)) if password else (None, None)
        made = await self._store.directory.change_user(wanted, password_hash=hashed, scram=scram)
        return shapes.user_json(made, self._directory())

    async def _like(self, user: User) -> str:
        """A verifier whose salt a new password of this user must share, so that SCRAM can try all he has."""
        found = await self._store.directory.credentials(user.name)
        apps = await AppPasswords(self._store.settings).of(user.id)
        return next(iter(verifiers("", apps)), found[2] if found is not None else "")

    def _with(self, user: User, facts: Mapping[str, Any], *, own: bool = False) -> User:
        """The user with these facts in place of the old ones."""
        plain = {key: value for key, value in facts.items() if key not in ("accounts", "cc")}
        if own:
            plain["name"] = "somebody"  # reserved names pass for those that have them already
        (table,) = checked_table("user", plain).user
        odd = {"name", "password", "quota", "quota_messages", "forward"}
        changes: dict[str, Any] = {key: getattr(table, key) for key in plain if key not in odd}
        if "quota" in plain or "quota_messages" in plain:
            octets = table.quota if "quota" in plain else user.quota.octets
            messages = table.quota_messages if "quota_messages" in plain else user.quota.messages
            changes["quota"] = Quota(octets, messages)
        if "forward" in plain:
            changes["forward"] = tuple(Address.parse(text) for text in table.forward)
            refusal = refused_targets(changes["forward"], self._directory())
            if refusal:
                raise PeerFault(refusal, code=400)
        if "accounts" in facts:
            changes["accounts"] = tuple(self._account(str(one)).id for one in facts["accounts"])
        if "cc" in facts:
            changes["cc"] = self._readers(user, facts["cc"], {})
        made = evolve(user, **changes)
        if made.forward and made.local_only:
            raise PeerFault("A user without outside mail cannot forward to the outside", code=400)
        return made

    def _readers(self, user: User, names: Sequence[object], fresh: Mapping[str, User]) -> tuple[int, ...]:
        """Who gets copies.

        :param fresh: by login, those who are about to be made.
        """
        readers = [fresh.get(str(one).casefold()) or self._user(str(one)) for one in names]
        if any(one.kind is UserKind.PUBLIC for one in readers):
            raise PeerFault("PUBLIC has a mailbox that nobody reads; name the people who get copies", code=400)
        if user.id in [one.id for one in readers]:
            raise PeerFault("A user cannot be on the own cc list", code=400)
        return tuple(one.id for one in readers)

    async def delete_user(self, *, name: str) -> Mapping[str, object]:
        """Take a user away; the mail stays 30 days."""
        user = self._user(name)
        await self._store.directory.delete_user(user.id)
        return {"deleted": user.name}

    # ------------------------------------------------------------------ accounts

    async def accounts(self) -> Sequence[Mapping[str, object]]:
        """All accounts, by number."""
        return [shapes.account_json(one) for one in sorted(self._directory().accounts, key=lambda one: one.number)]

    async def add_account(self, *, address: str, **facts: Any) -> Mapping[str, object]:
        """Make an account with its ADMINn and PUBLICn."""
        account, secret = self._read({"address": address, **facts})
        made = await self._store.directory.add_account(account, secret=self._kept(secret))
        return shapes.account_json(made)

    async def change_account(self, *, address: str, **facts: Any) -> Mapping[str, object]:
        """Change what is given; everything else stays."""
        old = self._account(address)
        wanted, secret = self._as_changed(old, facts)
        wanted = evolve(wanted, id=old.id, number=old.number, managed_by=old.managed_by)
        reference = self._kept(secret) if secret else None
        return shapes.account_json(await self._store.directory.change_account(wanted, secret=reference))

    def _as_changed(self, old: Account, facts: Mapping[str, Any]) -> tuple[Account, Secret]:
        """What an account would be with these facts in place of the old ones; nothing is changed."""
        own = ("number", "managed_by", "found")
        before = {key: value for key, value in shapes.account_json(old).items() if key not in own}
        return self._read({**before, **facts})

    def _kept(self, secret: Secret) -> str:
        """What the store keeps: a password itself only sealed."""
        if secret.kind == "literal":
            return Secret("sealed", self._seal(secret.value)).as_reference()
        return secret.as_reference()

    @staticmethod
    def _read(facts: Mapping[str, Any]) -> tuple[Account, Secret]:
        table = dict(facts)
        if "secret" in table:
            table["password"] = table.pop("secret")
        (read,) = checked_table("account", table).account
        return resolve_account(read, ""), read.password

    async def delete_account(self, *, address: str) -> Mapping[str, object]:
        """Take an account away with its ADMINn and PUBLICn."""
        account = self._account(address)
        await self._store.directory.delete_account(account.id)
        return {"deleted": str(account.address)}
