"""Writes the users and accounts of a store in the syntax of the configuration file, so that it loads again."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import tomlkit
from attrs import asdict
from tomlkit.items import AoT, Table

from mailshare.config.schema import AccountTable, AppPasswordTable, DeviceTable, Secret, UserTable, keys_of
from mailshare.config.timetable import write_window
from mailshare.core.servers import format_server
from mailshare.core.values import Account, Directory, SenderRule, User, UserKind
from mailshare.interfaces import IStore

if TYPE_CHECKING:
    from mailshare.config.loading import Config

_APP_PASSWORDS = "app-password"  # the scope of the settings, as the portal names it

async def export_toml(store: IStore, config: Config | None = None) -> str:
    """Everything that may be declared: accounts in the order of their numbers, the persons, devices, the taught rules.

    What only commands set (app passwords, the answer of somebody away) and what was learned about providers comes out
    too, so that an office that begins with this text behaves as this one does.

    Passwords of users come out as their hashes or, where the file refers to them, as these references; those of
    accounts as the references they are. Paths come out whole, so that the text may be loaded from anywhere.

    :param config: of now; the passwords of declared users and the devices stand only there.
    """
    base = config.directory if config is not None else ""
    declared = {one.name: one.password for one in config.users} if config is not None else {}
    directory = store.directory.current()
    document = tomlkit.document()
    document.add(tomlkit.comment("Written by mailshare export. Keep it as secret as a password file."))
    accounts = tomlkit.aot()
    for account in sorted(directory.accounts, key=lambda one: one.number):
        accounts.append(_account(account, await store.directory.secret(account.id), base))
    users = tomlkit.aot()
    for user in sorted(directory.users, key=lambda one: one.name):
        if user.kind is UserKind.PERSON:
            found = await store.directory.credentials(user.name, disabled=True)
            _, hashed, scram = found or (user, "", "")
            secret = declared.get(user.name) if user.managed_by else None
            if secret is None or secret.kind in ("", "hash"):
                secret = Secret("hash", hashed, scram) if hashed else Secret()
            kept = await store.settings.get(_APP_PASSWORDS, str(user.id))
            users.append(_user(user, directory, secret, base, kept[0] if kept is not None else ()))
    _put(document, "account", accounts)
    _put(document, "user", users)
    devices = tomlkit.aot()
    for device in config.tables.device if config is not None else ():
        devices.append(_table(asdict(device, recurse=False), DeviceTable()))
    _put(document, "device", devices)
    rules = tomlkit.aot()
    for rule in directory.rules:
        rules.append(_rule(rule, directory))
    _put(document, "rule", rules)
    return tomlkit.dumps(document)


def _put(document: tomlkit.TOMLDocument, name: str, tables: AoT) -> None:
    if len(tables):
        document.add(name, tables)


def _table(facts: dict[str, object], defaults: object) -> Table:
    """A table of what differs from the defaults."""
    table = tomlkit.table()
    for key, value in facts.items():
        default = getattr(defaults, key, None)
        if value != (list(default) if isinstance(default, tuple) else default):
            table.add(key, tomlkit.item(value))
    return table


def _account(account: Account, secret: str, base: str) -> Table:
    facts: dict[str, object] = {
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
    table = _table(facts, AccountTable())
    if secret:
        table.add("password", _reference(json.loads(secret), base))
    timetable = tomlkit.array()
    for window in account.timetable:
        timetable.append(_inline(write_window(window)))
    table.add("timetable", timetable)
    if account.options:
        table.add("options", _inline(dict(account.options)))
    if account.found:
        table.add("found", _inline({name: value for name, value in account.found.items() if value is not None}))
    return table


def _reference(reference: dict[str, object], base: str) -> object:
    """A secret reference as it stands in the file; a plain one is the text itself."""
    if "plain" in reference:
        return reference["plain"]
    inner = {key: _reference(one, base) if isinstance(one, dict) else one for key, one in reference.items()}
    if "file" in inner:
        inner["file"] = os.path.join(base, str(inner["file"]))
    return _inline(inner)


def _user(user: User, directory: Directory, secret: Secret, base: str, apps: object) -> Table:
    facts: dict[str, object] = {
        "name": user.name,
        "names": list(user.names),
        "accounts": [str(directory.account_by_id[one].address) for one in user.accounts],
        "cc": [directory.user_by_id[one].name for one in user.cc],
        "enabled": user.enabled,
        "local_only": user.local_only,
        "quota": user.quota.octets,
        "quota_messages": user.quota.messages,
        "forward": [str(address) for address in user.forward],
        "forward_keep": user.forward_keep,
    }
    table = _table(facts, UserTable())
    if secret.kind == "hash":
        scram = {"scram": secret.scram} if secret.scram else {}
        table.add("password", _inline({"hash": secret.value, **scram}))
    elif secret:
        table.add("password", _reference(secret.reference(), base))
    if user.vacation is not None:
        table.add("vacation", _inline({name: text for name, text in asdict(user.vacation).items() if text}))
    if isinstance(apps, list) and apps:
        known, rows = set(keys_of(AppPasswordTable)), tomlkit.array()
        for one in apps:
            rows.append(_inline({name: value for name, value in one.items() if name in known}))
        table.add("app_passwords", rows)
    return table


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
