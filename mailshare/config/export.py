"""Writes the users and accounts of a store in the syntax of the configuration file, so that it loads again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import tomlkit
from attrs import AttrsInstance, asdict
from tomlkit.items import AoT, Array, Table

from mailshare.config.schema import (
    REQUIRED,
    AccountTable,
    AdminTable,
    AppPasswordTable,
    DestinationTable,
    DeviceTable,
    DocumentsTable,
    FaxTable,
    PrinterTable,
    PrintTable,
    PublicTable,
    Secret,
    UserTable,
    keys_of,
    written_key,
)
from mailshare.config.timetable import write_window
from mailshare.core.servers import format_server
from mailshare.core.values import Account, Directory, SenderRule, User, UserKind
from mailshare.interfaces import IStore

if TYPE_CHECKING:
    from mailshare.config.loading import Config

_APP_PASSWORDS = "app-password"  # the scope of the settings, as the portal names it


async def export_toml(store: IStore, config: Config | None = None, *, secrets: bool = False) -> str:
    """Everything that may be declared: accounts in the order of their numbers, the persons, devices, the taught rules,
    and where print jobs go.

    What only commands set (app passwords, the answer of somebody away, all of ADMIN) and what was learned about
    providers comes out too, so that an office that begins with this text behaves as this one does.

    Passwords of users come out as their hashes or, where the file refers to them, as these references; those of
    accounts as the references they are. Paths come out whole, so that the text may be loaded from anywhere.

    :param config: of now; the passwords of declared users and accounts and the devices stand only there.
    :param secrets: print passwords that stand as text in the file. Without it a mark stands in their place, at which
        loading says what is missing.
    """
    writing = _Writing(store, config, secrets=secrets)
    directory = store.directory.current()
    document = tomlkit.document()
    document.add(tomlkit.comment("Written by mailshare export. Keep it as secret as a password file."))
    accounts, users, devices, rules = tomlkit.aot(), tomlkit.aot(), tomlkit.aot(), tomlkit.aot()
    for account in sorted(directory.accounts, key=lambda one: one.number):
        accounts.append(await writing.account(account))
    for user in sorted(directory.users, key=lambda one: one.name):
        if user.kind is UserKind.PERSON:
            users.append(await writing.user(user))
    for device in config.tables.device if config is not None else ():
        devices.append(_table(asdict(device, recurse=False), DeviceTable()))
    for rule in directory.rules:
        rules.append(_rule(rule, directory))
    if config is not None and config.tables.print != PrintTable():
        document.add("print", _table(_plain(config.tables.print), PrintTable()))
    if config is not None and config.tables.documents != DocumentsTable():
        document.add("documents", _table(_plain(config.tables.documents), DocumentsTable()))
    destinations = tomlkit.aot()
    for destination in config.tables.destination if config is not None else ():
        destinations.append(writing.destination(destination))
    if config is not None and config.tables.fax != FaxTable():
        document.add("fax", _table(_plain(config.tables.fax), FaxTable()))
    printers = tomlkit.aot()
    for printer in config.tables.printer if config is not None else ():
        printers.append(writing.printer(printer))
    written = {
        "account": accounts, "user": users, "device": devices, "rule": rules,
        "destination": destinations, "printer": printers, **_faxes(config, writing),
    }
    for name, tables in written.items():
        if len(tables):
            document.add(name, tables)
    if writing.left_out:
        document.add(tomlkit.comment(f"Left out: {writing.left_out} passwords that stand as text in the file."))
        document.add(tomlkit.comment("They are marked left_out; mailshare export --secrets prints them."))
    return tomlkit.dumps(document)


def _differing(facts: Mapping[str, object], defaults: object) -> dict[str, object]:
    """What is not as it would be without a word."""
    found = {}
    for key, value in facts.items():
        usual = getattr(defaults, key, None)
        if value != (list(usual) if isinstance(usual, tuple) else usual):
            found[key] = value
    return found


def _plain(table: AttrsInstance) -> dict[str, Any]:
    """The keys of a table as TOML has them."""
    facts = asdict(table, recurse=False)
    return {key: list(value) if isinstance(value, tuple) else value for key, value in facts.items()}


def _faxes(config: Config | None, writing: _Writing) -> dict[str, AoT]:
    """Lines, address book, routes, cover sheets, boxes and callers of faxes."""
    out: dict[str, AoT] = {}
    if config is None:
        return out
    for name in ("fax_line", "fax_contact", "fax_route", "fax_mailbox", "fax_cover"):
        tables = out[name] = tomlkit.aot()
        for one in getattr(config.tables, name):
            facts = _plain(one)
            if isinstance(options := facts.get("options"), dict):
                facts["options"] = {key: _whole(key, option, config.directory) for key, option in options.items()}
            secrets = facts.pop("secrets", {})
            table = _table(facts, type(one)(**dict.fromkeys(REQUIRED[name], "")))
            if secrets:
                table.add("secrets", writing.secrets_of_line(one.name, secrets))
            tables.append(table)
    for name in ("fax_box", "fax_caller"):
        tables = out[name] = tomlkit.aot()
        for one in getattr(config.tables, name):
            tables.append(writing.coded(one, name))
    return out


def _whole(name: str, value: object, directory: str) -> object:
    """An option of a fax line; a path as it is read from any folder."""
    path = name == "folder" or (name == "provider" and not str(value).isalnum())
    return os.path.join(directory, value) if path and isinstance(value, str) and value else value


def _written(table: AttrsInstance) -> dict[str, Any]:
    """The keys of a table that are not as they would be without a word, by the names that the file has for them."""
    usual = _plain(type(table)())
    return {written_key(key): value for key, value in _plain(table).items() if value != usual[key]}


def _table(facts: Mapping[str, object], defaults: object) -> Table:
    table = tomlkit.table()
    for key, value in _differing(facts, defaults).items():
        table.add(key, tomlkit.item(value))
    return table


class _Writing:
    """Makes the tables of objects that have passwords.

    :ivar left_out: passwords that were not printed.
    """

    def __init__(self, store: IStore, config: Config | None, *, secrets: bool) -> None:
        self._store = store
        self._directory = store.directory.current()
        self._base = config.directory if config is not None else ""
        self._users = {one.name: one.password for one in config.users} if config is not None else {}
        self._accounts = {one.account.address.key: one.secret for one in config.accounts} if config is not None else {}
        self._secrets = secrets
        self.left_out = 0

    async def account(self, account: Account) -> Table:
        """An ``[[account]]`` with its ADMINn and PUBLICn."""
        table = _table(_account_facts(account), AccountTable())
        declared = self._accounts.get(account.address.key) if account.managed_by else None
        secret = await self._store.directory.secret(account.id) if declared is None else declared
        if secret:
            table.add("password", self._reference(json.loads(secret), account.managed_by))
        timetable = tomlkit.array()
        for window in account.timetable:
            timetable.append(_inline(write_window(window)))
        table.add("timetable", timetable)
        if account.options:
            table.add("options", _inline(dict(account.options)))
        if account.found:
            table.add("found", _inline({name: value for name, value in account.found.items() if value is not None}))
        admin = await self._admin(self._directory.admin_of(account))
        if admin:
            table.add("admin", _inline(admin))
        public = self._directory.user_by_name[account.public]
        facts = _differing({"names": list(public.names), "enabled": public.enabled}, PublicTable())
        if facts:
            table.add("public", _inline(facts))
        return table

    async def _admin(self, admin: User) -> dict[str, object]:
        """What was set of an ADMINn."""
        facts = _differing(_user_facts(admin, self._directory), AdminTable())
        hashed, scram = await self._hashes(admin)
        if hashed:
            facts["password"] = _inline({"hash": hashed, **({"scram": scram} if scram else {})})
        if apps := await self._app_passwords(admin):
            facts["app_passwords"] = apps
        return facts

    async def user(self, user: User) -> Table:
        """A ``[[user]]``."""
        facts = _user_facts(user, self._directory)
        named = {"name": user.name, "names": facts.pop("names")}
        accounts = [str(self._directory.account_by_id[one].address) for one in user.accounts]
        table = _table({**named, "accounts": accounts, **facts}, UserTable())
        hashed, scram = await self._hashes(user)
        secret = self._users.get(user.name) if user.managed_by else None
        if secret is not None and secret.kind not in ("", "hash"):
            table.add("password", self._reference(secret.reference(), user.managed_by))
        elif hashed:
            table.add("password", _inline({"hash": hashed, **({"scram": scram} if scram else {})}))
        if user.vacation is not None:
            table.add("vacation", _inline({name: text for name, text in asdict(user.vacation).items() if text}))
        if apps := await self._app_passwords(user):
            table.add("app_passwords", apps)
        return table

    def coded(self, table: AttrsInstance, place: str) -> Table:
        """A table of faxes with a code."""
        facts = _written(table)
        code = facts.pop("code", None)
        out = tomlkit.table()
        for key, value in facts.items():
            out.add(key, tomlkit.item(value))
        if code:
            out.add("code", self._reference(code.reference(), place))
        return out

    def destination(self, destination: DestinationTable) -> Table:
        """A ``[[destination]]``; folders come out whole, as all paths do."""
        facts = _plain(destination)
        facts.pop("key")
        facts["address"] = self._device(destination.address)
        table = _table(facts, DestinationTable())
        if destination.key:
            table.add("key", self._reference(destination.key.reference(), f"destination {destination.name}"))
        return table

    def printer(self, printer: PrinterTable) -> Table:
        """A ``[[printer]]`` with its keys, and what holds for some."""
        facts, place = _plain(printer), f"printer {printer.name}"
        inner = ("tags", "pin", "signing_key", "hours", "keys", "senders", "guests", "contacts")
        for key in inner:
            facts.pop(key)
        facts["device"] = self._device(printer.device)
        table = _table(facts, PrinterTable())
        if printer.tags:
            table.add("tags", [self._reference(one.reference(), place) for one in printer.tags])
        if printer.pin:
            table.add("pin", self._reference(printer.pin.reference(), place))
        if printer.signing_key:
            table.add("signing_key", self._reference(printer.signing_key.reference(), place))
        for key, rows in (("hours", printer.hours), ("senders", printer.senders)):
            if rows:
                table.add(key, [_inline(_written(one)) for one in rows])
        keys = [_written(one) for one in printer.keys]
        for row, one in zip(keys, printer.keys, strict=True):
            row.pop("secret", None)
            if one.secret:
                row["secret"] = self._reference(one.secret.reference(), place)
        if keys:
            table.add("keys", [_inline(row) for row in keys])
        for key in ("guests", "contacts"):
            if facts := _written(getattr(printer, key)):
                table.add(key, _inline(facts))
        return table

    def _device(self, address: str) -> str:
        """Folders come out whole, as all paths do."""
        scheme, colon, folder = address.partition(":")
        return f"dir:{os.path.join(self._base, folder)}" if colon and scheme == "dir" else address

    async def _hashes(self, user: User) -> tuple[str, str]:
        found = await self._store.directory.credentials(user.name, disabled=True)
        return (found[1], found[2]) if found is not None else ("", "")

    async def _app_passwords(self, user: User) -> Array:
        kept = await self._store.settings.get(_APP_PASSWORDS, str(user.id))
        known, rows = set(keys_of(AppPasswordTable)), tomlkit.array()
        for one in kept[0] if kept is not None and isinstance(kept[0], list) else ():
            rows.append(_inline({name: value for name, value in one.items() if name in known}))
        return rows

    def secrets_of_line(self, line: str, secrets: Mapping[str, Secret]) -> tomlkit.items.InlineTable:
        """The passwords and keys of a ``[[fax_line]]``."""
        return _inline({name: self._reference(one.reference(), f"fax_line {line}") for name, one in secrets.items()})

    def _reference(self, reference: Mapping[str, Any], place: str) -> object:
        """A secret reference as it stands in the file; a plain one is the text itself, or the mark in its place."""
        if "plain" in reference and self._secrets:
            return reference["plain"]
        if "plain" in reference:
            self.left_out += 1
            return _inline({"left_out": f"it stands as text at {place}"})
        inner = {key: self._reference(one, place) if isinstance(one, dict) else one for key, one in reference.items()}
        if "file" in inner:
            inner["file"] = os.path.join(self._base, str(inner["file"]))
        return _inline(inner)


def _account_facts(account: Account) -> dict[str, object]:
    return {
        "address": str(account.address),
        "mode": account.mode.value,
        "enabled": account.enabled,
        "domains": list(account.domains),
        "aliases": [str(alias) for alias in account.aliases],
        "tag_delimiter": account.tag_delimiter,
        "collect": format_server(account.collect) if account.collect else "",
        "relay": format_server(account.relay) if account.relay else "",
        "zone": account.zone,
        "threshold": account.threshold,
        "hold_outside": account.hold_outside,
        "leave_on_server_days": account.leave_days,
        "ambiguous": account.ambiguous,
    }


def _user_facts(user: User, directory: Directory) -> dict[str, object]:
    return {
        "names": list(user.names),
        "cc": [directory.user_by_id[one].name for one in user.cc],
        "enabled": user.enabled,
        "local_only": user.local_only,
        "quota": user.quota.octets,
        "quota_messages": user.quota.messages,
        "forward": [str(address) for address in user.forward],
        "forward_keep": user.forward_keep,
    }


def _rule(rule: SenderRule, directory: Directory) -> Table:
    table = tomlkit.table()
    table.add("account", str(directory.account_by_id[rule.account_id].address))
    table.add("kind", rule.kind)
    table.add("match", rule.match)
    table.add("users", [directory.user_by_id[one].name for one in rule.user_ids if one in directory.user_by_id])
    return table


def _inline(facts: dict[str, object]) -> tomlkit.items.InlineTable:
    table = tomlkit.inline_table()
    table.update(facts)
    return table
