"""A message into the queue: one submission for each way and envelope sender, one row for each recipient."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping

from attrs import frozen

from mailshare.core.values import Hop, QueueState

SUBMISSION = (
    "INSERT INTO submission (message_id, agent, account_id, submitter_id, sender, params, origin, hold, queued, "
    "expires, pending) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
SUBMISSION_ROW = (
    "INSERT INTO delivery (submission_id, agent, account_id, address, device, reason, params, state, next_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


@frozen
class Queueing:
    """What all rows of one message have in common.

    :ivar sender: envelope sender as text, ``None`` for the null one; a hop may bring its own.
    :ivar params: of the envelope, JSON values.
    """

    message_id: int
    sender: str | None
    submitter_id: int | None
    origin: str
    at: int
    expires: int
    params: Mapping[str, object]
    hold: bool = False

    def write(self, connection: sqlite3.Connection, hops: Iterable[Hop]) -> None:
        """Make the rows in the running transaction."""
        groups: dict[tuple[str, int | None, str, object], list[Hop]] = {}
        for hop in hops:
            groups.setdefault((hop.agent, hop.account_id, hop.sender, hop.params.get("top", "")), []).append(hop)
        state = QueueState.HELD if self.hold else QueueState.QUEUED
        for (agent, account, own, _), together in groups.items():
            submission = connection.execute(
                SUBMISSION,
                (
                    self.message_id,
                    agent,
                    account,
                    self.submitter_id,
                    (None if own == "<>" else own) if own else self.sender,
                    json.dumps(dict(self.params), ensure_ascii=False),
                    self.origin,
                    int(self.hold),
                    self.at,
                    self.expires,
                    0 if self.hold else len(together),
                ),
            ).lastrowid
            rows = [
                (
                    submission,
                    agent,
                    account,
                    hop.address,
                    hop.device,
                    hop.reason,
                    json.dumps(dict(hop.params), ensure_ascii=False, default=_plain),
                    int(state),
                    self.at,
                )
                for hop in together
            ]
            connection.executemany(SUBMISSION_ROW, rows)


def _plain(value: object) -> object:
    """Sets travel as sorted lists; anything else is a program error."""
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"not JSON: {type(value).__name__}")
