"""From the end of a call to what becomes of the row: sent, tried again, or given up; and what its sender is told."""

from __future__ import annotations

from typing import Any

from mailshare.core.fax_causes import CAUSES, OwnRetries, next_try
from mailshare.core.fax_ledger import PageLedger
from mailshare.core.values import Outcome, QueueItem, QueueState
from mailshare.core.values.fax import FaxCause, FaxOutcome

_ROUNDS = 4  # calls in all, as a multiple of those that may end in one cause


def sent(item: QueueItem, ledger: PageLedger, outcome: FaxOutcome, now: int) -> Outcome:
    """The far end has every page."""
    words = f"All {ledger.total} pages were received" if ledger.total != 1 else "The page was received"
    detail = _detail(ledger, FaxCause.OK, outcome.native)
    if ledger.handed_on:
        words, detail = outcome.native or "It was handed on", {**detail, "relayed": True}
    return Outcome(item.id, QueueState.DELIVERED, now, 250, CAUSES[FaxCause.OK].status, words, detail=detail)


def deferred(
    item: QueueItem,
    ledger: PageLedger,
    cause: FaxCause,
    native: str,
    *,
    now: int,
    most: int,
    deadline: int,
    own: OwnRetries | None = None,
) -> Outcome:
    """It is tried again, unless that is over.

    :param most: calls the office allows in one cause; ``deadline`` microseconds UTC after which no call begins.
    :param own: what the office says of this cause.
    """
    following = next_try(cause, ledger.tries_of(cause) or item.attempts + 1, most, now, deadline, own)
    calls = ledger.tries - ledger.tries_of(FaxCause.LINE_DOWN)  # in which somebody may have been called
    if following is None or calls >= _ROUNDS * max(most, own.calls if own else 0):
        return given_up(item, ledger, cause, native, now)
    detail = {**_detail(ledger, cause, native), "until": deadline}
    words = _words(ledger, cause, native)
    return Outcome(item.id, QueueState.QUEUED, now, 451, CAUSES[cause].status, words, next_at=following, detail=detail)


def given_up(item: QueueItem, ledger: PageLedger, cause: FaxCause, native: str, now: int) -> Outcome:
    """Nothing more is tried."""
    state = QueueState.CANCELLED if cause is FaxCause.CANCELLED else QueueState.FAILED
    detail = _detail(ledger, cause, native)
    return Outcome(item.id, state, now, 550, CAUSES[cause].status, _words(ledger, cause, native), detail=detail)


def put_back(item: QueueItem, now: int) -> Outcome:
    """The server stops in the middle: what was written down is gone on with at the next start."""
    return Outcome(item.id, QueueState.QUEUED, now, next_at=now + 1, counts=False)


def put_off(item: QueueItem, until: int, moment: str, now: int) -> Outcome:
    """It is to go later: no try, and no delay that anybody is told of."""
    detail = {"medium": "fax", "scheduled": True}
    words = f"It goes out at {moment}"
    return Outcome(item.id, QueueState.QUEUED, now, reply=words, next_at=until, counts=False, detail=detail)


def _words(ledger: PageLedger, cause: FaxCause, native: str) -> str:
    words = CAUSES[cause].words
    if ledger.confirmed:
        words += f"; {ledger.confirmed} of {ledger.total or 'more'} pages were received"
    return f"{words}: {native}" if native else words


def _detail(ledger: PageLedger, cause: FaxCause, native: str) -> dict[str, object]:
    """What reports and ``fax show`` tell beside the words."""
    facts: dict[str, Any] = {
        "X-Fax-Pages": f"{ledger.confirmed}/{ledger.total or '?'}",
        "X-Fax-Remote-Id": ledger.remote_id,
        "X-Fax-Rate": ledger.rate or "",
        "X-Fax-Ecm": "yes" if ledger.ecm else "",
        "X-Fax-Duration": f"{ledger.seconds:.0f}" if ledger.seconds else "",
        "X-Fax-Cost": f"{ledger.cost:.2f}" if ledger.cost else "",
        "X-Fax-Tries": ledger.tries - ledger.tries_of(FaxCause.LINE_DOWN) or "",  # of the others nobody heard it ring
    }
    return {
        "medium": "fax",
        "cause": cause.value,
        "line": ledger.line,
        "native": native,
        "fields": {name: str(value) for name, value in facts.items() if value},
    }
