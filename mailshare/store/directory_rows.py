"""Users, accounts and rules as rows, and the whole directory read back as one value."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from attrs import asdict

from mailshare.core.address import Address
from mailshare.core.personal import Quota, Vacation
from mailshare.core.values import Account, AccountMode, Directory, SenderRule, Server, User, UserKind, Window
from mailshare.store.former_users import read_former


def user_config(user: User) -> str:
    """What has no column of its own, as JSON."""
    facts: dict[str, object] = {
        "names": list(user.names),
        "accounts": list(user.accounts),
        "local_only": user.local_only,
    }
    if user.quota:
        facts["quota"] = asdict(user.quota)
    if user.forward:
        facts["forward"] = [str(address) for address in user.forward]
        facts["forward_keep"] = user.forward_keep
    if user.vacation is not None:
        facts["vacation"] = asdict(user.vacation)
    return json.dumps(facts, ensure_ascii=False)


def _user(row: tuple[Any, ...], cc: tuple[int, ...]) -> User:
    number, name, kind, enabled, config, managed_by = row
    facts = json.loads(config)
    return User(
        id=number,
        name=name,
        kind=UserKind(kind),
        enabled=bool(enabled),
        names=tuple(facts["names"]),
        accounts=tuple(facts["accounts"]),
        cc=cc,
        local_only=facts["local_only"],
        managed_by=managed_by,
        quota=Quota(**facts.get("quota", {})),
        forward=tuple(Address.parse(text) for text in facts.get("forward", ())),
        forward_keep=facts.get("forward_keep", True),
        vacation=Vacation(**facts["vacation"]) if "vacation" in facts else None,
    )


def _server_facts(server: Server | None) -> dict[str, object] | None:
    if server is None:
        return None
    return {
        "protocol": server.protocol,
        "host": server.host,
        "port": server.port,
        "tls": server.tls,
        "login": server.login,
        "options": dict(server.options),
    }


def account_config(account: Account) -> str:
    """What has no column of its own, as JSON."""
    windows = [
        {"days": sorted(one.days), "start": one.start, "end": one.end, "every": one.every} for one in account.timetable
    ]
    facts = {
        "domains": list(account.domains),
        "aliases": [str(alias) for alias in account.aliases],
        "tag_delimiter": account.tag_delimiter,
        "collect": _server_facts(account.collect),
        "relay": _server_facts(account.relay),
        "timetable": windows,
        "zone": account.zone,
        "threshold": account.threshold,
        "hold_outside": account.hold_outside,
        "leave_days": account.leave_days,
        "ambiguous": account.ambiguous,
        "options": dict(account.options),
    }
    return json.dumps(facts, ensure_ascii=False)


def _server(facts: Mapping[str, Any] | None) -> Server | None:
    return None if facts is None else Server(**facts)


def _account(row: tuple[Any, ...], found: Mapping[str, object]) -> Account:
    number, name, sequence, kind, config, enabled, managed_by = row
    facts = json.loads(config)
    windows = tuple(
        Window(frozenset(one["days"]), one["start"], one["end"], one["every"]) for one in facts["timetable"]
    )
    return Account(
        id=number,
        number=sequence,
        address=Address.parse(name),
        mode=AccountMode(kind),
        enabled=bool(enabled),
        domains=tuple(facts["domains"]),
        aliases=tuple(Address.parse(alias) for alias in facts["aliases"]),
        tag_delimiter=facts["tag_delimiter"],
        collect=_server(facts["collect"]),
        relay=_server(facts["relay"]),
        timetable=windows,
        zone=facts["zone"],
        threshold=facts["threshold"],
        hold_outside=facts["hold_outside"],
        leave_days=facts["leave_days"],
        ambiguous=facts["ambiguous"],
        options=facts["options"],
        managed_by=managed_by,
        found=found,
    )


def read_users(connection: sqlite3.Connection) -> tuple[User, ...]:
    """All users, in the order of their making."""
    copies: dict[int, list[int]] = {}
    for user_id, target in connection.execute("SELECT user_id, target_id FROM cc ORDER BY user_id, position"):
        copies.setdefault(user_id, []).append(target)
    rows = connection.execute("SELECT id, name, kind, enabled, config, managed_by FROM user_ ORDER BY id")
    return tuple(_user(row, tuple(copies.get(row[0], ()))) for row in rows)


def read_accounts(connection: sqlite3.Connection) -> tuple[Account, ...]:
    """All accounts, by number."""
    rows = connection.execute("SELECT id, name, number, kind, config, enabled, managed_by FROM account ORDER BY number")
    found = connection.execute("SELECT name, value FROM setting WHERE scope = 'found'")
    known = {name: json.loads(value) for name, value in found}
    return tuple(_account(row, known.get(str(row[0]), {})) for row in rows)


def read_instance(connection: sqlite3.Connection) -> str:
    """The office's random id; empty in a store that was never opened for work."""
    row = connection.execute("SELECT value FROM setting WHERE scope = 'store' AND name = 'instance'").fetchone()
    return str(json.loads(row[0])) if row is not None else ""


def write_instance(connection: sqlite3.Connection, instance: str) -> None:
    """Keep the office's id; one that is there stays."""
    connection.execute(
        "INSERT OR IGNORE INTO setting (scope, name, value, version) VALUES ('store', 'instance', ?, 1)",
        (json.dumps(instance),),
    )


def read_directory(connection: sqlite3.Connection, hostname: str, version: int, former_kept: int) -> Directory:
    """Everybody, every account and every rule."""
    rules = tuple(
        SenderRule(account, kind, match, tuple(json.loads(users)))
        for account, kind, match, users in connection.execute(
            "SELECT account_id, kind, match, user_ids FROM rule ORDER BY account_id, kind, match"
        )
    )
    return Directory(
        read_users(connection),
        read_accounts(connection),
        rules,
        hostname,
        version,
        read_instance(connection),
        read_former(connection, former_kept),
    )


def write_cc(connection: sqlite3.Connection, user: User) -> None:
    """Replace who gets copies of what this user gets; himself left out."""
    connection.execute("DELETE FROM cc WHERE user_id = ?", (user.id,))
    targets = [target for target in dict.fromkeys(user.cc) if target != user.id]
    connection.executemany(
        "INSERT INTO cc (user_id, target_id, position) VALUES (?, ?, ?)",
        [(user.id, target, position) for position, target in enumerate(targets)],
    )


def insert_user(connection: sqlite3.Connection, user: User, password: str, scram: str, at: int) -> int:
    """Write a user with a mailbox and give the new id."""
    number = connection.execute(
        "INSERT INTO user_ (name, password, scram, kind, enabled, config, managed_by) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (user.name, password, scram, user.kind.value, int(user.enabled), user_config(user), user.managed_by),
    ).lastrowid
    assert number is not None
    # Two mailboxes never share a validity, so a user made anew under an old name never repeats an old UIDL.
    connection.execute(
        "INSERT INTO mailbox (user_id, name, uidvalidity) "
        "SELECT ?, 'INBOX', max(?, coalesce(max(uidvalidity), 0) + 1) FROM mailbox",
        (number, at // 1_000_000),
    )
    return number
