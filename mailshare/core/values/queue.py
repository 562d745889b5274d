"""What waits to be handed on, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from attrs import field, frozen

from mailshare.core.address import Address


class QueueState(IntEnum):
    """State of a queue row as stored. *Deferred* is ``QUEUED`` with ``attempts > 0``."""

    QUEUED = 0
    ACTIVE = 1
    DELIVERED = 2
    FAILED = 3
    EXPIRED = 4
    HELD = 5
    CANCELLED = 6

    def word(self, attempts: int = 0) -> str:
        """The state in the words of the outbox screen."""
        return "deferred" if self is QueueState.QUEUED and attempts else self.name.lower()


@frozen
class QueueItem:
    """A queue row with what an agent needs of its submission.

    :ivar id: of the row; ``submission_id`` groups the recipients of one message.
    :ivar next_at: not to be tried before.
    :ivar code: last reply code, 0 before the first; ``status`` enhanced code, ``reply`` the peer's text.
    """

    id: int
    submission_id: int
    message_id: int
    trace: str
    agent: str
    address: str
    sender: Address | None
    state: QueueState
    attempts: int
    next_at: int
    queued: int
    expires: int
    size: int
    account_id: int | None = None
    submitter_id: int | None = None
    device: str = ""
    code: int = 0
    status: str = ""
    reply: str = ""
    params: Mapping[str, object] = field(factory=dict, hash=False)
    progress: Mapping[str, object] = field(factory=dict, hash=False)

    @property
    def word(self) -> str:
        """The state in the words of the outbox screen: queued, deferred, active, held ..."""
        return self.state.word(self.attempts)


@frozen
class Outcome:
    """What one try of one queue row came to.

    :ivar state: ``DELIVERED``, ``FAILED``, ``EXPIRED``, ``HELD``, or ``QUEUED`` to be tried again at ``next_at``.
    :ivar counts: False when the try never reached the peer (route paused): attempts stay as they are.
    """

    item_id: int
    state: QueueState
    at: int
    code: int = 0
    status: str = ""
    reply: str = ""
    next_at: int = 0
    counts: bool = True
    detail: Mapping[str, object] = field(factory=dict, hash=False)
    progress: Mapping[str, object] | None = None
