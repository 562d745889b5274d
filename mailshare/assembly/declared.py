"""Brings the objects declared in the configuration file into the store, and takes away those no longer declared.

A declared object wins over one of the same name made by commands: it is changed to what the file says and marked with
its place. One that is declared no more is disabled and handed over to the commands (its mail and queue stay): deleting
people because a line was commented out would be a trap.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

from attrs import asdict, evolve, frozen
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from mailshare.assembly.sealing import alike, at_rest
from mailshare.config import Config, DeclaredUser
from mailshare.config.loading import DeclaredAccount
from mailshare.core.address import Address
from mailshare.core.errors import ConfigFault, MailshareError
from mailshare.core.personal import Quota
from mailshare.core.values import Account, Directory, Event, SenderRule, User, UserKind
from mailshare.interfaces import IStore
from mailshare.isp.secrets import SealingKey
from mailshare.portal.app_passwords import AppPassword, AppPasswords

Reveal = Callable[[Mapping[str, object]], Awaitable[str]]
_AT_ONCE = 256


@frozen
class Synced:
    """What a sync did.

    :ivar faults: objects that could not be brought in, in words; the others are there all the same.
    """

    made: int = 0
    changed: int = 0
    disabled: int = 0
    faults: tuple[str, ...] = ()


class DeclaredObjects:
    """Keeps the store's users and accounts in step with the file.

    :param reveal: the password behind a reference such as ``{"env": "NAME"}``. Passwords of declared users are not
        copied into the store: they are read at start and at each reload, and asked for by :meth:`password`. Without it
        nobody logs in, and none is read.
    :param key: seals the passwords of accounts that stand in the file.
    :param clock: microseconds UTC, for the lines of the journal.
    """

    _log = Logger()

    def __init__(self, store: IStore, reveal: Reveal | None, key: SealingKey, clock: Callable[[], int]) -> None:
        self._store = store
        self._reveal = reveal
        self._key = key
        self._clock = clock
        self._made: list[tuple[int, DeclaredAccount]] = []
        self._counts = {"made": 0, "changed": 0, "disabled": 0}
        self._faults: list[str] = []
        self._passwords: dict[str, str] = {}
        self._unreadable: frozenset[str] = frozenset()

    def password(self, name: str) -> str | None:
        """The password that the file gives to this user; ``None`` when the store decides."""
        return self._passwords.get(name)

    async def check(self, config: Config) -> None:
        """See, before anything is changed, that each password the file refers to can be read.

        Those that could not be read before do not count: they hinder nobody but their user, as they did until now.

        :raises ConfigFault: with all that cannot be read.
        """
        _, faults = await self._revealed(config.users)
        if new := [text for name, text in faults.items() if name not in self._unreadable]:
            raise ConfigFault("; ".join(new))

    async def sync(self, config: Config) -> Synced:
        """Make the store agree with the file."""
        self._counts = dict.fromkeys(self._counts, 0)
        revealed, unreadable = await self._revealed(config.users)
        self._faults = list(unreadable.values())
        await self._accounts(config)
        await self._side_by_side([self._user(declared) for declared in config.users])
        await self._copies(config.users)
        await self._furnish()
        await self._rules(config)
        await self._forget(config)
        self._passwords, self._unreadable = revealed, frozenset(unreadable)
        return Synced(**self._counts, faults=tuple(self._faults))

    async def _revealed(self, users: Sequence[DeclaredUser]) -> tuple[dict[str, str], dict[str, str]]:
        """The passwords by user name, and for those that cannot be read why."""
        found: dict[str, str] = {}
        faults: dict[str, str] = {}
        for declared in users:
            if self._reveal is None or declared.password.kind in ("", "hash"):
                continue
            try:
                found[declared.name] = await self._reveal(declared.password.reference())
            except ConfigFault as fault:
                faults[declared.name] = f"{declared.managed_by}: {fault.public}"
        return found, faults

    def _directory(self) -> Directory:
        return self._store.directory.current()

    async def _side_by_side(self, tasks: Sequence[Coroutine[Deferred[Any], Any, None]]) -> None:
        """Run many at once: the store writes them to disk together, and reads the directory once for all of them.

        Each lot ends before the next begins. Were one started whenever another ends, the lots would dwindle to ones
        and twos, and the whole directory would be read for each.
        """
        for start in range(0, len(tasks), _AT_ONCE):
            runs = [Deferred.fromCoroutine(task) for task in tasks[start : start + _AT_ONCE]]
            await gatherResults(runs, consumeErrors=True)

    # ------------------------------------------------------------------ accounts

    async def _accounts(self, config: Config) -> None:
        """One after the other: their order gives them their numbers."""
        self._made = []
        for declared in config.accounts:
            wanted = declared.account
            try:
                await self._account(wanted, declared)
            except MailshareError as error:
                self._faults.append(f"{wanted.managed_by}: {error.public}")

    async def _account(self, wanted: Account, declared: DeclaredAccount) -> None:
        store, secret = self._store.directory, declared.secret
        old = next((one for one in self._directory().accounts if one.address.key == wanted.address.key), None)
        if old is None:
            made = await store.add_account(wanted, secret=at_rest(secret, self._key), declared=True)
            self._made.append((made.id, declared))
            if declared.found:
                await store.learn(made.id, declared.found)
            self._counts["made"] += 1
            return
        same = evolve(wanted, id=old.id, number=old.number)
        kept = await store.secret(old.id)
        known = alike(kept, secret, self._key) and '"plain"' not in kept
        if same != old or dict(same.options) != dict(old.options) or not known:
            secret = kept if known else at_rest(secret, self._key)
            await store.change_account(same, secret=secret, declared=True)
            self._counts["changed"] += 1

    async def _furnish(self) -> None:
        """Give the ADMINn and PUBLICn of new accounts what was set of them elsewhere, once everybody is there."""
        directory = self._directory()
        for number, declared in self._made:
            account = directory.account_by_id[number]
            admin, public = directory.admin_of(account), directory.user_by_name[account.public]
            given, people = declared.admin, directory.user_by_name
            wanted = evolve(
                admin,
                names=given.names,
                cc=tuple(people[name.casefold()].id for name in given.cc if name.casefold() in people),
                enabled=given.enabled,
                local_only=given.local_only,
                quota=Quota(given.quota, given.quota_messages),
                forward=tuple(Address.parse(text) for text in given.forward),
                forward_keep=given.forward_keep,
            )
            hashed, scram = given.password.value, given.password.scram
            if wanted != admin or hashed:
                await self._store.directory.change_user(wanted, password_hash=hashed, scram=scram)
            for one in given.app_passwords:
                await AppPasswords(self._store.settings).add(admin.id, AppPassword(**asdict(one)))
            everybody = evolve(public, names=declared.public.names, enabled=declared.public.enabled)
            if everybody != public:
                await self._store.directory.change_user(everybody)

    # ------------------------------------------------------------------ users

    async def _user(self, declared: DeclaredUser) -> None:
        try:
            await self._bring(declared)
        except MailshareError as error:
            self._faults.append(f"{declared.managed_by}: {error.public}")

    async def _bring(self, declared: DeclaredUser) -> None:
        store = self._store.directory
        by_address = {str(one.address).casefold(): one.id for one in self._directory().accounts}
        old = self._directory().user_by_name.get(declared.name)
        wanted = evolve(
            old or User(0, declared.name),
            enabled=declared.enabled,
            names=declared.names,
            accounts=tuple(by_address[address] for address in declared.accounts if address in by_address),
            local_only=declared.local_only,
            quota=declared.quota,
            forward=declared.forward,
            forward_keep=declared.forward_keep,
            managed_by=declared.managed_by,
        )
        hashed = declared.password.value if declared.password.kind == "hash" else ""
        scram = declared.password.scram
        if old is None:
            wanted = evolve(wanted, vacation=declared.vacation)
            made = await store.add_user(wanted, password_hash=hashed, scram=scram, declared=True)
            for one in declared.app_passwords:
                await AppPasswords(self._store.settings).add(made.id, AppPassword(**asdict(one)))
            self._counts["made"] += 1
            return
        _, old_hash, old_scram = await store.credentials(declared.name, disabled=True) or (old, "", "")
        # A verifier that the file does not know was made at a login; it fits as long as the hash does.
        same = old_hash == hashed and scram in ("", old_scram)
        if wanted != old or not same:
            await store.change_user(
                wanted, password_hash=None if same else hashed, scram=None if same else scram, declared=True
            )
            self._counts["changed"] += 1

    async def _copies(self, users: Sequence[DeclaredUser]) -> None:
        """The cc lists, once everybody is there."""
        changes = []
        for declared in users:
            user = self._directory().user_by_name.get(declared.name)
            if user is None:
                continue
            people = (self._directory().user_by_name.get(name) for name in declared.cc)
            cc = tuple(one.id for one in people if one is not None)
            if cc != user.cc:
                changes.append(self._copy(evolve(user, cc=cc), declared))
        await self._side_by_side(changes)

    async def _copy(self, user: User, declared: DeclaredUser) -> None:
        try:
            await self._store.directory.change_user(user, declared=True)
        except MailshareError as error:
            self._faults.append(f"{declared.managed_by}: {error.public}")
        else:
            self._counts["changed"] += 1

    async def _rules(self, config: Config) -> None:
        """Teach the rules of the file. One that is taken out of it stays: forget it by command."""
        directory = self._directory()
        accounts = {str(one.address).casefold(): one for one in directory.accounts}
        for declared in config.rules:
            account = accounts.get(declared.account.casefold())
            people = [directory.user_by_name.get(name.casefold()) for name in declared.users]
            users = tuple(one.id for one in people if one is not None)
            if account is None or not users:
                continue
            rule = SenderRule(account.id, declared.kind, declared.match.casefold(), users)
            if rule not in directory.rules:
                data = {"by": config.path, "kind": rule.kind, "match": rule.match, "users": list(declared.users)}
                await self._store.directory.teach(
                    rule, [Event(self._clock(), "admin.rule", account_id=account.id, data=data)]
                )
                self._counts["changed"] += 1

    # ------------------------------------------------------------------ what is declared no more

    async def _forget(self, config: Config) -> None:
        accounts = {one.account.address.key for one in config.accounts}
        users = {one.name for one in config.users}
        store = self._store.directory
        gone: list[Awaitable[object]] = []
        for account in self._directory().accounts:
            if account.managed_by and account.address.key not in accounts:
                self._log.warn("{address} is declared no more: disabled", address=str(account.address))
                gone.append(store.change_account(evolve(account, enabled=False, managed_by=""), declared=True))
        for user in self._directory().users:
            if user.managed_by and user.kind is UserKind.PERSON and user.name not in users:
                self._log.warn("{name} is declared no more: disabled", name=user.name)
                gone.append(store.change_user(evolve(user, enabled=False, managed_by=""), declared=True))
        await self._side_by_side([_waited(one) for one in gone])
        self._counts["disabled"] += len(gone)


async def _waited(work: Awaitable[object]) -> None:
    await work
