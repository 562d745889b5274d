"""The one queue: rows are claimed with a lease, tried by an agent, and settled with what came of it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from attrs import frozen
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.errors import LocalFault
from mailshare.core.values import Event, Outcome, QueueItem, QueueState
from mailshare.interfaces import IBody, IQueue
from mailshare.store.database import Database
from mailshare.store.events import write_events
from mailshare.store.notifier import Notifier
from mailshare.store.outbox_bodies import OutboxBodies
from mailshare.store.rows import Insert

_FINAL = frozenset({QueueState.DELIVERED, QueueState.FAILED, QueueState.EXPIRED, QueueState.CANCELLED})
_ITEM = (
    "SELECT d.id, d.submission_id, s.message_id, m.trace, d.agent, d.address, s.sender, d.state, d.attempts, "
    "d.next_at, s.queued, s.expires, m.size, d.account_id, s.submitter_id, d.device, d.code, d.status, d.reply, "
    "s.params, d.params, d.progress FROM delivery d "
    "JOIN submission s ON s.id = d.submission_id JOIN message m ON m.id = s.message_id"
)
_LISTED = "(SELECT value FROM json_each(?))"
_PENDING = (
    "UPDATE submission SET pending = (SELECT count(*) FROM delivery WHERE delivery.submission_id = submission.id "
    "AND delivery.state IN (0, 1)) WHERE id IN "
)
# Rows that came to an end before stay as they are, and so do their attempts; these are written first therefore.
_TRIED = Insert(
    "WITH tried (row, at, code, status, reply, detail) AS (",
    6,
    ") INSERT INTO attempt (delivery_id, num, at, code, status, reply, detail) SELECT tried.row, "
    "(SELECT coalesce(max(num), 0) + 1 FROM attempt WHERE delivery_id = tried.row), tried.at, tried.code, "
    "tried.status, tried.reply, tried.detail FROM tried CROSS JOIN delivery "
    "WHERE delivery.id = tried.row AND delivery.state IN (0, 1, 5)",
)
_CAME = Insert(
    "WITH came (row, state, counts, next_at, code, status, reply, progress, done) AS (",
    9,
    ") UPDATE delivery SET state = came.state, attempts = attempts + came.counts, next_at = came.next_at, "
    "lease_owner = NULL, lease_until = 0, code = came.code, status = came.status, reply = came.reply, "
    "progress = coalesce(came.progress, delivery.progress), done = came.done FROM came "
    "WHERE delivery.id = came.row AND delivery.state IN (0, 1, 5)",
)
UNDELETE = 30_000_000
"""Microseconds in which a deletion can be taken back. The row is over from the first of them on: nobody sends it, and
what it was stands with it, so that a restart in between changes nothing."""
# act: (states it applies to, what it sets)
_STEERING = {
    "hold": ("state = 0", f"state = {int(QueueState.HELD)}"),
    "release": (f"state = {int(QueueState.HELD)}", "state = 0, next_at = :at"),
    "retry": ("state IN (0, 3, 4, 5)", "state = 0, next_at = :at, done = 0"),
    "cancel": ("state IN (0, 5)", f"state = {int(QueueState.CANCELLED)}, done = :at"),
    "recall": (
        "state IN (0, 1, 5)",
        f"state = {int(QueueState.CANCELLED)}, done = :at, lease_owner = NULL, lease_until = 0",
    ),
    "delete": (
        "state IN (0, 5)",
        f"state = {int(QueueState.CANCELLED)}, done = :at, progress = json_set(progress, '$.deleted', state)",
    ),
    "undelete": (
        f"json_extract(progress, '$.deleted') IS NOT NULL AND done >= :at - {UNDELETE}",
        "state = json_extract(progress, '$.deleted'), done = 0, progress = json_remove(progress, '$.deleted')",
    ),
}


def _item(row: tuple[Any, ...]) -> QueueItem:
    (number, submission, message, trace, agent, address, sender, state, attempts, next_at, queued, expires, size,
     account, submitter, device, code, status, reply, shared, own, progress) = row  # fmt: skip
    return QueueItem(
        id=number,
        submission_id=submission,
        message_id=message,
        trace=trace,
        agent=agent,
        address=address,
        sender=Address.parse(sender) if sender else None,
        state=QueueState(state),
        attempts=attempts,
        next_at=next_at,
        queued=queued,
        expires=expires,
        size=size,
        account_id=account,
        submitter_id=submitter,
        device=device,
        code=code,
        status=status,
        reply=reply,
        params=json.loads(shared) | json.loads(own),
        progress=json.loads(progress),
    )


def _items(connection: sqlite3.Connection, ids: Sequence[int]) -> list[QueueItem]:
    rows = connection.execute(
        f"{_ITEM} WHERE d.id IN (SELECT value FROM json_each(?)) ORDER BY d.next_at, d.id", (json.dumps(list(ids)),)
    )
    return [_item(row) for row in rows]


def free_leases(connection: sqlite3.Connection) -> int:
    """Give back every claimed row: for a store that one process serves, at its start."""
    return connection.execute(
        "UPDATE delivery SET state = 0, lease_owner = NULL, lease_until = 0 WHERE state = 1"
    ).rowcount


@frozen
class Settling:
    """What came of some rows, as an operation; the writer does several that wait at one go."""

    outcomes: tuple[Outcome, ...]
    events: tuple[Event, ...]

    def __call__(self, connection: sqlite3.Connection) -> None:
        """The operation."""
        settle_together(connection, [self])

    @property
    def group(self) -> Callable[[sqlite3.Connection, Sequence[Settling]], Sequence[None]]:
        """How the writer does several of these."""
        return settle_together


def settle_together(connection: sqlite3.Connection, settlings: Sequence[Settling]) -> list[None]:
    """Write results, attempts, waiting counts and events in the running transaction, as if each were settled alone."""
    outcomes = [outcome for one in settlings for outcome in one.outcomes]
    numbers = {outcome.item_id for outcome in outcomes}
    if len(numbers) < len(outcomes) and len(settlings) > 1:  # the second word on a row finds what the first one wrote
        for one in settlings:
            settle_together(connection, [one])
        return [None] * len(settlings)
    _TRIED.into(connection, [_attempt(outcome) for outcome in outcomes if outcome.counts])
    _CAME.into(connection, [_result(outcome) for outcome in outcomes])
    _count_pending(connection, f"(SELECT submission_id FROM delivery WHERE id IN {_LISTED})", numbers)
    write_events(connection, [event for one in settlings for event in one.events])
    return [None] * len(settlings)


def _count_pending(connection: sqlite3.Connection, which: str, numbers: Collection[int]) -> None:
    """Count anew how many rows of some submissions wait."""
    connection.execute(_PENDING + which, (json.dumps(sorted(numbers)),))


def _attempt(outcome: Outcome) -> tuple[object, ...]:
    detail = json.dumps(dict(outcome.detail), ensure_ascii=False, default=str)
    return outcome.item_id, outcome.at, outcome.code, outcome.status, outcome.reply, detail


def _result(outcome: Outcome) -> tuple[object, ...]:
    progress = None if outcome.progress is None else json.dumps(dict(outcome.progress), ensure_ascii=False)
    return (
        outcome.item_id,
        int(outcome.state),
        int(outcome.counts),
        outcome.next_at,
        outcome.code,
        outcome.status,
        outcome.reply,
        progress,
        outcome.at if outcome.state in _FINAL else 0,
    )


@implementer(IQueue)
class Queue:
    """The tables ``submission``, ``delivery`` and ``attempt``.

    An item's ``params`` are those of its hop over those of the envelope: ``body``, ``smtputf8``, ``ret``, ``envid``.
    """

    def __init__(self, database: Database, notifier: Notifier, bodies: OutboxBodies) -> None:
        self._database = database
        self._notifier = notifier
        self._bodies = bodies

    async def claim(
        self,
        agent: str,
        limit: int,
        now: int,
        lease: int,
        *,
        account_id: int | None = None,
        device: str | None = None,
    ) -> Sequence[QueueItem]:
        """Take due rows, oldest first; rows whose lease ran out are due as well."""
        clauses, values = ["agent = ?"], [agent]
        if account_id is not None:
            clauses.append("account_id = ?")
            values.append(account_id)  # type: ignore[arg-type]
        if device is not None:
            clauses.append("device IN (?, '')")
            values.append(device)
        same = " AND ".join(clauses)
        choice = (
            "SELECT id FROM (SELECT id, next_at FROM delivery "
            f"WHERE state = 0 AND next_at <= ? AND {same} UNION ALL "
            f"SELECT id, next_at FROM delivery WHERE state = 1 AND lease_until < ? AND {same}) "
            "ORDER BY next_at, id LIMIT ?"
        )
        wanted: list[object] = [now, *values, now, *values, limit]

        def write(connection: sqlite3.Connection) -> list[QueueItem]:
            ids = [row[0] for row in connection.execute(choice, wanted)]
            if not ids:
                return []
            connection.execute(
                "UPDATE delivery SET state = 1, lease_until = ? WHERE id IN (SELECT value FROM json_each(?))",
                (now + lease, json.dumps(ids)),
            )
            return _items(connection, ids)

        items = await self._database.write(write)
        await self._bodies.expect(items)
        return items

    async def renew(self, ids: Sequence[int], until: int) -> None:
        """Keep claimed rows for longer."""
        listed = json.dumps(list(ids))

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE delivery SET lease_until = ? WHERE state = 1 AND id IN (SELECT value FROM json_each(?))",
                (until, listed),
            )

        await self._database.write(write)

    async def settle(self, outcomes: Sequence[Outcome], events: Sequence[Event] = ()) -> None:
        """Write results, attempts, waiting counts and events together; rows that came to an end before stay so."""
        results = tuple(outcomes)
        await self._database.write(Settling(results, tuple(events)), cost=512 * len(results))

    async def items(
        self,
        *,
        agent: str | None = None,
        account_id: int | None = None,
        message_id: int | None = None,
        open_only: bool = True,
        before_id: int | None = None,
        limit: int = 500,
    ) -> Sequence[QueueItem]:
        """Rows for the outbox screen, newest first; open means queued, active or held."""
        clauses, values = ["1"], []
        wished = (
            ("d.agent = ?", agent),
            ("d.account_id = ?", account_id),
            ("s.message_id = ?", message_id),
            ("d.id < ?", before_id),
        )
        for clause, value in wished:
            if value is not None:
                clauses.append(clause)
                values.append(value)
        if open_only:
            clauses.append("d.state IN (0, 1, 5)")
        statement = f"{_ITEM} WHERE {' AND '.join(clauses)} ORDER BY d.id DESC LIMIT ?"
        wanted = (*values, limit)
        return await self._database.read(lambda one: [_item(row) for row in one.execute(statement, wanted)])

    async def item(self, item_id: int) -> QueueItem | None:
        """One row."""

        def read(connection: sqlite3.Connection) -> QueueItem | None:
            row = connection.execute(f"{_ITEM} WHERE d.id = ?", (item_id,)).fetchone()
            return None if row is None else _item(row)

        return await self._database.read(read)

    async def waiting(self, account_id: int | None = None, agent: str = "relay") -> int:
        """Messages with rows that are queued or active."""

        def read(connection: sqlite3.Connection) -> int:
            if account_id is None:
                row = connection.execute("SELECT count(*) FROM submission WHERE pending > 0 AND agent = ?", (agent,))
            else:
                row = connection.execute(
                    "SELECT count(*) FROM submission WHERE pending > 0 AND agent = ? AND account_id = ?",
                    (agent, account_id),
                )
            return int(row.fetchone()[0])

        return await self._database.read(read)

    async def oldest(self, agent: str = "relay") -> Mapping[int, tuple[int, int]]:
        """Account (0 = none) to (messages that wait, since when the oldest does)."""

        def read(connection: sqlite3.Connection) -> dict[int, tuple[int, int]]:
            rows = connection.execute(
                "SELECT coalesce(account_id, 0), count(*), min(queued) FROM submission "
                "WHERE pending > 0 AND agent = ? GROUP BY 1",
                (agent,),
            )
            return {account: (count, since) for account, count, since in rows}

        return await self._database.read(read)

    async def due(self, agent: str, now: int) -> Mapping[int, tuple[int, int]]:
        """Account (0 = none) to (messages due now, earliest time of those not due yet or 0).

        An active row counts as not due before its lease ends, so that nobody sleeps past a lease that runs out.
        """

        def read(connection: sqlite3.Connection) -> dict[int, tuple[int, int]]:
            rows = connection.execute(
                "SELECT coalesce(account_id, 0), count(DISTINCT CASE WHEN due <= ?1 THEN submission_id END), "
                "coalesce(min(CASE WHEN due > ?1 THEN due END), 0) FROM ("
                "SELECT account_id, submission_id, next_at AS due FROM delivery WHERE state = 0 AND agent = ?2 "
                "UNION ALL SELECT account_id, submission_id, lease_until + 1 FROM delivery "
                "WHERE state = 1 AND agent = ?2) GROUP BY 1",
                (now, agent),
            )
            return {account: (ready, later) for account, ready, later in rows}

        return await self._database.read(read)

    async def steer(self, ids: Sequence[int], act: str, at: int) -> int:
        """Hold, release, retry, cancel, recall, delete or undelete rows."""
        if act not in _STEERING:
            raise LocalFault(f"There is no act {act!r} for queue rows")
        states, change = _STEERING[act]
        listed = json.dumps(list(ids))

        def write(connection: sqlite3.Connection) -> tuple[int, list[str]]:
            rows = connection.execute(
                f"UPDATE delivery SET {change} WHERE {states} AND id IN (SELECT value FROM json_each(:ids)) "
                "RETURNING submission_id, agent",
                {"at": at, "ids": listed},
            ).fetchall()
            _count_pending(connection, _LISTED, {row[0] for row in rows})
            return len(rows), sorted({row[1] for row in rows})

        changed, agents = await self._database.write(write)
        if act in {"release", "retry", "undelete"}:
            for agent in agents:
                self._notifier.wake(agent)
        return changed

    async def attempts(self, item_id: int) -> Sequence[Mapping[str, object]]:
        """Every try of a row, oldest first."""

        def read(connection: sqlite3.Connection) -> list[Mapping[str, object]]:
            rows = connection.execute(
                "SELECT at, code, status, reply, detail FROM attempt WHERE delivery_id = ? ORDER BY num", (item_id,)
            )
            return [
                {"at": at, "code": code, "status": status, "reply": reply, "detail": json.loads(detail)}
                for at, code, status, reply, detail in rows
            ]

        return await self._database.read(read)

    async def body(self, message_id: int) -> IBody:
        """The message that a row sends."""
        return await self._bodies.body(message_id)
