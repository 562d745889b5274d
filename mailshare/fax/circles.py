"""Faxes that a route passes on must not go round for ever: from this office to itself, or between offices.

A telephone call carries no count of hops. So three things are seen: a fax that this office has sent to itself is not
passed on to a number of its own once more; none goes back to the number that it came from; and what one caller has
passed on to one number is bounded for each hour, which ends a circle through any number of others. What is not passed
on goes to the inbox of faxes, with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from mailshare.core.values import Hop
from mailshare.core.values.fax import CallFacts, Ringing
from mailshare.fax.gateway import AGENT
from mailshare.fax.rules import HOUR, FaxRules
from mailshare.interfaces import IStore

_MOST_READ = 1000  # rows


async def circle(
    hop: Hop, call: Ringing, facts: CallFacts, rules: FaxRules, store: IStore, now: int
) -> str:
    """Why a fax that came in is not passed on by this row; empty when it is.

    :param now: microseconds UTC.
    """
    number = str(hop.params.get("number", ""))
    senders = [one for one in (_digits(call.caller), _digits(facts.station)) if one]
    if _is_own(number, rules) and any(_is_own(f"+{one}", rules) or one == _digits(rules.station) for one in senders):
        return f"it came from this office, and {number} is this office: it would go round"
    if _digits(number) in senders:
        return f"it came from {number}"
    rows = await store.queue.items(agent=AGENT, open_only=False, limit=_MOST_READ)
    passed = [row for row in rows if row.queued > now - HOUR and row.params.get("number") == number]
    before = sum(row.params.get("passed_on") == origin_of(call, facts) for row in passed)
    if before >= rules.passed_on:
        return f"{before} faxes of this caller were passed on to {number} within the hour"
    return ""


def origin_of(call: Ringing, facts: CallFacts) -> str:
    """From whom it came, for its row: the number, else what the machine says of itself."""
    return _digits(call.caller) or _digits(facts.station) or "unknown"


def _is_own(number: str, rules: FaxRules) -> bool:
    return any(fnmatchcase(number, one) for one in rules.own)


def _digits(text: str) -> str:
    return "".join(char for char in text if char in "0123456789")


def numbers(patterns: Sequence[str]) -> tuple[str, ...]:
    """Patterns of numbers as they are compared: a plus, digits and ``*``."""
    return tuple("".join(char for char in one if char in "+0123456789*?") for one in patterns)
