"""What nothing refers to any more is taken away, in slices, so that deliveries get their turn in between."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence

from twisted.logger import Logger

from mailshare.core.errors import StoreReadOnly
from mailshare.store.bodies import FILE, SEGMENT
from mailshare.store.counters import keep_message_count
from mailshare.store.database import Database
from mailshare.store.duplicates import FORGET_KEYS, KEYS_MOST
from mailshare.store.naming import DAY, DONE_KEPT, DUPLICATE_DAYS, FORMER_DAYS, SENT_KEPT
from mailshare.store.segment_garbage import SegmentGarbage, let_go
from mailshare.store.segments import place_of

SLICE = 100
ROWS = 2_000
FILE_GRACE = 3_600 * 1_000_000  # microseconds that a content file stays after its row, for readers under way

_LOOSE = (
    "NOT EXISTS (SELECT 1 FROM entry WHERE entry.message_id = message.id) "
    "AND NOT EXISTS (SELECT 1 FROM arrived WHERE arrived.message_id = message.id) "
    "AND NOT EXISTS (SELECT 1 FROM submission WHERE submission.message_id = message.id) "
    "AND NOT EXISTS (SELECT 1 FROM part WHERE part.message_id = message.id)"
)
_OLD_SENT = "DELETE FROM sent WHERE message_id IN (SELECT message_id FROM sent WHERE at < :sent LIMIT :rows)"
_GONE_ENTRIES = (
    "DELETE FROM entry WHERE (mailbox_id, uid) IN (SELECT entry.mailbox_id, entry.uid FROM mailbox "
    "JOIN entry ON entry.mailbox_id = mailbox.id WHERE mailbox.gone_at > 0 AND mailbox.gone_at < :gone LIMIT :rows)"
)
_GONE_ARRIVED = (
    "DELETE FROM arrived WHERE mailbox_id IN (SELECT id FROM mailbox WHERE gone_at > 0 AND gone_at < :gone)"
)
_GONE_MAILBOXES = (
    "DELETE FROM mailbox WHERE gone_at > 0 AND gone_at < :gone "
    "AND NOT EXISTS (SELECT 1 FROM entry WHERE entry.mailbox_id = mailbox.id) "
    "AND NOT EXISTS (SELECT 1 FROM arrived WHERE arrived.mailbox_id = mailbox.id)"
)
_DONE = (
    "DELETE FROM submission WHERE id IN (SELECT DISTINCT d.submission_id FROM delivery d WHERE d.done > 0 "
    "AND d.done < :done AND NOT EXISTS (SELECT 1 FROM delivery o WHERE o.submission_id = d.submission_id "
    "AND (o.state IN (0, 1, 5) OR o.done >= :done)) LIMIT :rows)"
)
_OLD = (FORGET_KEYS, _OLD_SENT, _GONE_ENTRIES, _GONE_ARRIVED, _GONE_MAILBOXES, _DONE)


class Garbage:
    """Collects: rows first, files an hour after their row.

    :param unlink: takes content files away by key and fires when they are gone; None for a store without files.
    :param segments: looks after those; None for a store without files.
    :param duplicate_days: that the keys of messages a mailbox has are kept.
    :param former_days: that mailboxes of deleted users are kept.
    """

    _log = Logger()

    def __init__(
        self,
        database: Database,
        unlink: Callable[[Sequence[str]], Awaitable[None]] | None = None,
        segments: SegmentGarbage | None = None,
        *,
        duplicate_days: int = DUPLICATE_DAYS,
        former_days: int = FORMER_DAYS,
    ) -> None:
        self._former_kept = former_days * DAY
        self._duplicate_window = duplicate_days * DAY
        self._database = database
        self._unlink = unlink
        self._segments = segments
        self._paused = 0

    def _may_go_on(self) -> bool:
        return self._paused == 0

    def pause(self) -> Callable[[], None]:
        """Collect nothing while a backup copies the content files; the result ends the pause."""
        self._paused += 1
        done: list[bool] = []

        def resume() -> None:
            if not done:
                done.append(True)
                self._paused -= 1

        return resume

    async def collect(self, now: int) -> int:
        """Drop what is old or loose.

        :returns: messages dropped.
        """
        if not self._may_go_on():
            return 0
        limits = {
            "sent": now - SENT_KEPT,
            "gone": now - self._former_kept,
            "done": now - DONE_KEPT,
            "met": now - self._duplicate_window,
            "keys": KEYS_MOST,
            "rows": ROWS,
        }
        for statement in _OLD:
            await self._drop_old(statement, limits)
        dropped = 0
        loose = await self._database.read(_loose_messages)
        for start in range(0, len(loose), SLICE):
            if not self._may_go_on():
                return dropped
            dropped += await self._drop_sound(loose[start : start + SLICE], now + FILE_GRACE)
        await self._drop_files(now)
        if self._segments is not None:
            await self._segments.collect(now, self._may_go_on)
        return dropped

    async def _drop_sound(self, numbers: Sequence[int], after: int) -> int:
        """Drop messages; one that lies on a damaged page stays and holds up none of the others."""
        try:
            return await self._drop_messages(numbers, after)
        except StoreReadOnly as fault:
            if len(numbers) == 1:
                self._log.warn("message {number} cannot be taken away: {why}", number=numbers[0], why=fault.detail)
                return 0
        half = len(numbers) // 2
        return await self._drop_sound(numbers[:half], after) + await self._drop_sound(numbers[half:], after)

    async def _drop_old(self, statement: str, limits: dict[str, int]) -> None:
        while self._may_go_on():
            gone = await self._database.write(lambda connection: connection.execute(statement, limits).rowcount)
            if gone < ROWS:
                return

    async def _drop_messages(self, numbers: Sequence[int], after: int) -> int:
        def write(connection: sqlite3.Connection) -> int:
            dropped = 0
            segments: set[str] = set()
            keep_message_count(connection)
            for number in numbers:
                row = connection.execute(
                    f"DELETE FROM message WHERE id = ? AND {_LOOSE} RETURNING storage, key",
                    (number,),
                ).fetchall()
                dropped += len(row)
                if row and row[0][0] == FILE:
                    connection.execute(
                        "INSERT INTO garbage (storage, key, after) VALUES (?, ?, ?)", (FILE, row[0][1], after)
                    )
                elif row and row[0][0] == SEGMENT:
                    segments.add(place_of(row[0][1])[0])
            for name in segments:
                let_go(connection, name, after)
            return dropped

        return await self._database.write(write)

    async def _drop_files(self, now: int) -> None:
        unlink = self._unlink
        if unlink is None:
            return

        def take(connection: sqlite3.Connection) -> list[str]:
            rows = connection.execute(
                "DELETE FROM garbage WHERE id IN "
                "(SELECT id FROM garbage WHERE storage = ? AND after < ? LIMIT ?) RETURNING key",
                (FILE, now, ROWS),
            ).fetchall()
            return [
                key
                for (key,) in rows
                if not connection.execute("SELECT 1 FROM message WHERE key = ? AND storage <> 0", (key,)).fetchone()
            ]

        # The rows go first: a file that outlives a crash here is found by the sweep at the next start.
        while self._may_go_on():
            keys = await self._database.write(take)
            if not keys:
                return
            await unlink(keys)


def _loose_messages(connection: sqlite3.Connection) -> list[int]:
    return [row[0] for row in connection.execute(f"SELECT id FROM message WHERE {_LOOSE} LIMIT 20000")]
