"""What somebody who sends a fax by command wishes of its time and haste, as parameters of its rows."""

from __future__ import annotations

from datetime import tzinfo

from mailshare.core.errors import NotPossible
from mailshare.core.fax_times import PRIORITIES, URGENT, read_moment


def read_wishes(zone: tzinfo, now: int, *, at: str, deadline: str, priority: str) -> dict[str, object]:
    """Read the words; empty ones wish nothing.

    :param at: when it goes out, as :func:`mailshare.core.fax_times.read_moment` reads it; ``deadline`` likewise.
    :param priority: one of :data:`mailshare.core.fax_times.PRIORITIES`.
    :raises NotPossible: one of them cannot be.
    """
    wishes: dict[str, object] = {}
    try:
        begins = read_moment(at, zone, now) if at else 0
        ends = read_moment(deadline, zone, now) if deadline else 0
    except ValueError as fault:
        raise NotPossible(str(fault)) from fault
    if begins:
        wishes["not_before"] = begins
    if ends:
        wishes["not_after"] = ends
    if ends and ends <= begins:
        raise NotPossible("The deadline lies before the time at which it is to go out")
    if priority and priority not in PRIORITIES:
        raise NotPossible(f"{priority!r} is none of {', '.join(PRIORITIES)}")
    if priority == URGENT:
        wishes["urgent"] = True
    elif priority:
        wishes["priority"] = priority
    return wishes
