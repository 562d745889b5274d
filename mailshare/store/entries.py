"""Entries as lists show them, and their way from one mailbox into others: an administrator gives mail to its owner."""

from __future__ import annotations

import json
import sqlite3
from functools import lru_cache
from typing import Any

from attrs import frozen

from mailshare.core.address import Address
from mailshare.core.dotted import has_dotted_lines
from mailshare.core.errors import NoSuchEntry, PeerFault, Unavailable
from mailshare.core.values import Entry, Event, Hop, Source, StoredMessage, Target
from mailshare.store.arrivals import carry_in, entries_where, on_both
from mailshare.store.duplicates import met_before, take_keys
from mailshare.store.events import write_events
from mailshare.store.submissions import Queueing

RETRIEVED = 1  # entry.flags: a session fetched it
READY = 2  # entry.flags: prefix and body go on a POP3 wire as they are

MESSAGE_FACTS = (
    "message.id, message.trace, message.message_id_field, message.size, message.received, message.account_id, "
    "message.sender, message.origin, message.hdr"
)
LINES = "coalesce(entry.prefix, usual_lines.data)"
"""The lines in front of one copy: those of the entry, or the mailbox's usual ones, or ``NULL``."""
USUAL_LINES = "LEFT JOIN usual_lines ON usual_lines.mailbox_id = entry.mailbox_id"
_MAILBOX = "SELECT id FROM mailbox WHERE user_id = ?1 AND name = 'INBOX' AND gone_at = 0"
_NEWEST = entries_where(f"mailbox_id = ({_MAILBOX}) AND uid < ?2", "ORDER BY uid DESC LIMIT ?3")
_LIST = (
    f"SELECT entry.uid, entry.size, {LINES}, entry.flags, {MESSAGE_FACTS} FROM {_NEWEST} "
    f"JOIN message ON message.id = entry.message_id {USUAL_LINES} ORDER BY entry.uid DESC"
)
_TAKE_OUT = "DELETE FROM {} WHERE mailbox_id = ? AND uid = ? RETURNING message_id, size, flags"
_IN_IT = "SELECT 1 FROM {} WHERE mailbox_id = ? AND message_id = ?"
_COUNT_UP = (
    "UPDATE mailbox SET uidnext = uidnext + 1, modseq = modseq + 1, msgs = msgs + 1, unread = unread + 1, "
    "bytes = bytes + ? WHERE id = ? RETURNING uidnext - 1, modseq"
)
_COUNT_DOWN = (
    "UPDATE mailbox SET msgs = msgs - 1, bytes = bytes - ?, unread = unread - ?, modseq = modseq + 1 WHERE id = ?"
)


def _address(text: object) -> Address | None:
    """An address as stored; one that cannot be read any more counts as none."""
    try:
        return Address.parse(str(text)) if text else None
    except PeerFault:
        return None


def stored_message(row: tuple[Any, ...]) -> StoredMessage:
    """A row of :data:`MESSAGE_FACTS`."""
    number, trace, message_id, size, received, account_id, sender, origin, fields = row
    about = json.loads(origin)
    recipients = (_address(each) for each in about.get("recipients", ()))
    return StoredMessage(
        id=number,
        trace=trace,
        message_id=message_id,
        size=size,
        received=received,
        source=Source(about["source"]),
        account_id=account_id,
        user_id=about.get("user"),
        sender=_address(sender),
        recipients=tuple(each for each in recipients if each is not None),
        peer=str(about.get("peer", "")),
        fields=json.loads(fields),
    )


def list_entries(connection: sqlite3.Connection, user_id: int, before_uid: int | None, limit: int) -> list[Entry]:
    """The entries of a mailbox, newest first."""
    rows = connection.execute(_LIST, (user_id, before_uid or 1 << 62, limit)).fetchall()
    return [
        Entry(uid, size, stored_message(tuple(facts)), prefix or b"", bool(flags & RETRIEVED))
        for uid, size, prefix, flags, *facts in rows
    ]


@frozen
class Giving:
    """One entry on its way into other mailboxes, and to the outside for those who have everything sent on.

    :ivar expires: when queue rows give up.
    """

    user_id: int
    uid: int
    targets: tuple[Target, ...]
    hops: tuple[Hop, ...]
    at: int
    events: tuple[Event, ...]
    expires: int

    def __call__(self, connection: sqlite3.Connection) -> dict[int, int]:
        """The operation."""
        carry_in(connection)
        source = self._mailbox(connection, self.user_id)
        rows = on_both(connection, _TAKE_OUT, (source, self.uid))
        if not rows:
            raise NoSuchEntry(detail={"user_id": self.user_id, "uid": self.uid})
        number, size, flags = rows[0]
        connection.execute(_COUNT_DOWN, (size, int(not flags & RETRIEVED), source))
        whole, trace = connection.execute("SELECT size, trace FROM message WHERE id = ?", (number,)).fetchone()
        events = list(self.events)
        self._send_on(connection, source, number, events)
        uids: dict[int, int] = {}
        for target in self.targets:
            mailbox = self._mailbox(connection, target.user_id)
            take_keys(connection, mailbox, source, number)
            if on_both(connection, _IN_IT, (mailbox, number)):
                continue
            octets = whole + len(target.prefix)
            ready = flags & ready_flag(target.prefix)
            uid, modseq = connection.execute(_COUNT_UP, (octets, mailbox)).fetchone()
            connection.execute(
                "INSERT INTO entry (mailbox_id, uid, message_id, size, flags, modseq, added, prefix) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (mailbox, uid, number, octets, ready, modseq, self.at, target.prefix),
            )
            uids[target.user_id] = uid
        write_events(connection, events, trace=trace, message_id=number)
        return uids

    def _send_on(self, connection: sqlite3.Connection, source: int, number: int, events: list[Event]) -> None:
        """Queue what is sent on, unless it went out before with a copy that the user's mailbox had met."""
        if not self.hops:
            return
        met: dict[object, str] = {}
        for user_id in dict.fromkeys(hop.params.get("forward_for") for hop in self.hops):
            if not isinstance(user_id, int):
                continue
            mailbox = self._mailbox(connection, user_id)
            first = met_before(connection, mailbox, source, number)
            if first is not None:
                met[user_id] = first
                events.append(Event(self.at, "deliver.duplicate", user_id=user_id, data={"of": first}))
            take_keys(connection, mailbox, source, number)
        sender, origin = connection.execute("SELECT sender, origin FROM message WHERE id = ?", (number,)).fetchone()
        about = json.loads(origin)
        Queueing(
            message_id=number,
            sender=sender,
            submitter_id=about.get("user"),
            origin=about["source"],
            at=self.at,
            expires=self.expires,
            params={},
        ).write(connection, (hop for hop in self.hops if hop.params.get("forward_for") not in met))

    @staticmethod
    def _mailbox(connection: sqlite3.Connection, user_id: int) -> int:
        row = connection.execute(_MAILBOX, (user_id,)).fetchone()
        if row is None:
            raise Unavailable(detail={"why": "no mailbox of that user", "user_id": user_id})
        return int(row[0])


@lru_cache(maxsize=1024)  # the lines of a person's copies are nearly always the same
def ready_flag(prefix: bytes) -> int:
    """:data:`READY` for an entry with these lines in front of a body that is ready itself; 0 when they are not."""
    fits = not prefix or (prefix.endswith(b"\r\n") and not has_dotted_lines(b"\r\n" + prefix))
    return READY if fits else 0
