"""Users who were deleted: kept some days as settings of the scope ``former-user``, so that they can come back whole,
with the copies and the sorting rules that named them.

The mailbox stays with ``gone_at`` set, and the id with it: whoever comes back finds mail, passwords and copies as they
were. The collection of garbage drops both when their time is over.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from mailshare.core.errors import NoSuchUser, PolicyRefusal
from mailshare.core.personal import FormerUser

SCOPE = "former-user"
_OF_PERSONS = ("app-password", "answered", "last-seen", "quota-told")


def remember_former(connection: sqlite3.Connection, user_id: int, at: int) -> None:
    """Keep what a user was; called in the transaction that deletes the row."""
    row = connection.execute(
        "SELECT name, password, scram, kind, enabled, config FROM user_ WHERE id = ?", (user_id,)
    ).fetchone()
    facts = dict(zip(("name", "password", "scram", "kind", "enabled", "config"), row, strict=True))
    facts["cc"] = [one for (one,) in connection.execute(
        "SELECT target_id FROM cc WHERE user_id = ? ORDER BY position", (user_id,)
    )]  # fmt: skip
    copying = connection.execute("SELECT user_id FROM cc WHERE target_id = ?", (user_id,))
    facts["copied_to"] = [one for (one,) in copying]
    facts["rules"] = [
        [account, kind, match]
        for account, kind, match, users in connection.execute("SELECT account_id, kind, match, user_ids FROM rule")
        if user_id in json.loads(users)
    ]
    facts["deleted"] = at
    connection.execute(
        "INSERT OR REPLACE INTO setting (scope, name, value, version) VALUES (?, ?, ?, 1)",
        (SCOPE, str(user_id), json.dumps(facts, ensure_ascii=False)),
    )


def _all(connection: sqlite3.Connection) -> list[tuple[int, dict[str, Any]]]:
    rows = connection.execute("SELECT name, value FROM setting WHERE scope = ?", (SCOPE,)).fetchall()
    return [(int(name), json.loads(value)) for name, value in rows]


def read_former(connection: sqlite3.Connection, kept: int) -> tuple[FormerUser, ...]:
    """Everybody who was deleted and is not forgotten yet, by id.

    :param kept: microseconds.
    """
    found = []
    for number, facts in _all(connection):
        config = json.loads(facts["config"])
        names, accounts, at = tuple(config["names"]), tuple(config["accounts"]), facts["deleted"]
        rules = tuple((account, kind, match) for account, kind, match in facts.get("rules", ()))
        found.append(FormerUser(number, facts["name"], names, accounts, at, at + kept, rules))
    return tuple(sorted(found, key=lambda one: one.id))


def bring_back(connection: sqlite3.Connection, name: str, after: int, user_id: int = 0) -> int:
    """Make the user again who had this login last; gives the id, which is the old one.

    :param after: who was deleted earlier does not come back.
    :param user_id: of several who had the login, this one.
    :raises NoSuchUser: nobody of that name was deleted since then.
    :raises PolicyRefusal: the name is somebody else's by now.
    """
    found = [(facts["deleted"], number, facts) for number, facts in _all(connection) if facts["name"] == name]
    found = [one for one in found if one[0] > after and user_id in (0, one[1])]
    if not found:
        raise NoSuchUser(f"Nobody called {name} was deleted so lately that the mail is still kept")
    _, number, facts = max(found, key=lambda one: one[:2])
    if connection.execute("SELECT 1 FROM user_ WHERE name = ?", (name,)).fetchone():
        raise PolicyRefusal(f"There is another user {name} by now; rename or delete that one first")
    config = json.loads(facts["config"])
    accounts = {one for (one,) in connection.execute("SELECT id FROM account")}
    config["accounts"] = [one for one in config["accounts"] if one in accounts]
    connection.execute(
        "INSERT INTO user_ (id, name, password, scram, kind, enabled, config, managed_by) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, '')",
        (number, name, facts["password"], facts["scram"], facts["kind"], facts["enabled"],
         json.dumps(config, ensure_ascii=False)),
    )  # fmt: skip
    people = {one for (one,) in connection.execute("SELECT id FROM user_")}
    copies = [(number, target) for target in facts["cc"]] + [(giver, number) for giver in facts["copied_to"]]
    for position, (giver, target) in enumerate(copies):
        if giver in people and target in people:
            connection.execute(
                "INSERT OR IGNORE INTO cc (user_id, target_id, position) VALUES (?, ?, ?)", (giver, target, position)
            )
    for rule in facts.get("rules", ()):
        if rule[0] in accounts:
            _taught_again(connection, rule, number)
    connection.execute("UPDATE mailbox SET gone_at = 0 WHERE user_id = ?", (number,))
    connection.execute("DELETE FROM setting WHERE scope = ? AND name = ?", (SCOPE, str(number)))
    return number


def _taught_again(connection: sqlite3.Connection, rule: list[Any], number: int) -> None:
    """A rule that gave mail to who comes back gives it to him again, beside those who have it by now."""
    row = connection.execute(
        "SELECT user_ids FROM rule WHERE account_id = ? AND kind = ? AND match = ?", rule
    ).fetchone()
    if row is None:
        connection.execute(
            "INSERT INTO rule (account_id, kind, match, user_ids) VALUES (?, ?, ?, ?)", (*rule, json.dumps([number]))
        )
    elif number not in json.loads(row[0]):
        connection.execute(
            "UPDATE rule SET user_ids = ? WHERE account_id = ? AND kind = ? AND match = ?",
            (json.dumps([*json.loads(row[0]), number]), *rule),
        )


def forget_former(connection: sqlite3.Connection, before: int) -> int:
    """Drop whoever was deleted before that time, with the settings that were theirs; gives how many."""
    dropped = 0
    for number, facts in _all(connection):
        if facts["deleted"] < before:
            scopes = (SCOPE, *_OF_PERSONS)
            connection.execute(
                f"DELETE FROM setting WHERE name = ? AND scope IN ({', '.join('?' * len(scopes))})",
                (str(number), *scopes),
            )
            dropped += 1
    return dropped
