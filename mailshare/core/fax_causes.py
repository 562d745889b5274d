"""What follows from the end of a call: whether it is tried again, when, and what the sender is told.

Source: RFC 3463 section 3.5 (4.4.1 is a busy or silent far end), RFC 4161 sections 2.2 and 2.3 (what is worth a retry,
and that a notice comes after the last try only), RFC 3464 section 2.3.6.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve, frozen

from mailshare.core.values.fax import FaxCause

_SECOND = 1_000_000
_MINUTE = 60 * _SECOND


@frozen
class CauseRule:
    """What one cause means.

    :ivar status: enhanced status code in a report that says failed.
    :ivar tries: calls in all before it is given up, of those that end so; 0 = as the office says.
    :ivar endless: tried until its time is over: no call came about, so nobody was called too often.
    :ivar waits: before the second, third ... try, microseconds; the last one counts for all that follow.
    :ivar words: for people, a sentence that begins with a capital.
    :ivar advice: what a sender can do when it was given up; empty = what the status says.
    """

    status: str
    words: str
    retry: bool = False
    tries: int = 0
    endless: bool = False
    waits: tuple[int, ...] = ()
    advice: str = ""

    def wait(self, tries: int) -> int:
        """Microseconds before the next try, after so many."""
        return self.waits[min(max(tries, 1), len(self.waits)) - 1]


_BUSY = (2 * _MINUTE, 3 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 15 * _MINUTE)
_SILENT = (5 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE)
_BROKEN = (_MINUTE, 3 * _MINUTE, 10 * _MINUTE)
_OURS = (_MINUTE, 5 * _MINUTE, 15 * _MINUTE)
_DOWN = (*_OURS, 30 * _MINUTE)
_HERE = "Nothing is wrong with the number. Ask whoever looks after the fax lines of this office."
_NUMBER = "Check the number, with country and area, and whether it is that of a fax machine; then send the fax again."
_FAR = "Ask at the far end whether its fax machine is in order and has paper, and send the fax again."
_FORBIDDEN = "Ask whoever looks after the fax gateway of this office."

CAUSES: Mapping[FaxCause, CauseRule] = {
    FaxCause.OK: CauseRule("2.1.5", "All pages were received"),
    FaxCause.BUSY: CauseRule("4.4.1", "The number is busy", retry=True, waits=_BUSY),
    FaxCause.NO_ANSWER: CauseRule("4.4.1", "Nobody answered the call", retry=True, waits=_SILENT, tries=5),
    FaxCause.NO_DIALTONE: CauseRule("4.4.1", "The line here gave no dial tone", retry=True, waits=_OURS, advice=_HERE),
    FaxCause.NO_CARRIER: CauseRule(
        "4.4.2",
        "The call was answered, but no fax machine was heard",
        retry=True,
        waits=_SILENT,
        tries=3,
        advice=_NUMBER,
    ),
    FaxCause.CONGESTION: CauseRule("4.4.1", "The telephone network had no way free", retry=True, waits=_BUSY),
    FaxCause.REJECTED: CauseRule("5.1.1", "The telephone network refused the call", advice=_NUMBER),
    FaxCause.BAD_NUMBER: CauseRule("5.1.1", "The number is not in use", advice=_NUMBER),
    FaxCause.NOT_A_FAX: CauseRule("5.3.3", "Somebody or something answered that is no fax machine", advice=_NUMBER),
    FaxCause.INCOMPATIBLE: CauseRule("5.3.3", "The far machine cannot take a fax like this", advice=_FAR),
    FaxCause.CANNOT_TRAIN: CauseRule(
        "4.4.2", "The line was too bad for the two machines to agree", retry=True, waits=_BROKEN
    ),
    FaxCause.DROPPED: CauseRule("4.4.2", "The call broke off", retry=True, waits=_BROKEN),
    FaxCause.PAGE_REFUSED: CauseRule(
        "4.4.2", "The far machine did not accept a page", retry=True, waits=_BROKEN, tries=3, advice=_FAR
    ),
    FaxCause.POLL_REFUSED: CauseRule("5.7.1", "The far machine has nothing to be fetched"),
    FaxCause.NOT_ALLOWED: CauseRule("5.7.1", "This gateway may not send this fax", advice=_FORBIDDEN),
    FaxCause.BAD_DOCUMENT: CauseRule(
        "5.6.5", "The document could not be turned into pages", advice="Send it again in another form; PDF is best."
    ),
    FaxCause.TIMEOUT: CauseRule(
        "4.4.7",
        "Its time was over before it could be sent",
        advice="Ask the recipient whether it arrived or is still wanted, before you send it again.",
    ),
    FaxCause.CANCELLED: CauseRule("5.0.0", "It was cancelled"),
    FaxCause.LINE_DOWN: CauseRule(
        "4.4.1", "No line of this office could make the call", retry=True, waits=_DOWN, endless=True, advice=_HERE
    ),
    FaxCause.INTERNAL: CauseRule(
        "4.3.0", "A fault of this server", retry=True, waits=_OURS, tries=3, advice=_FORBIDDEN
    ),
}

ELSEWHERE: frozenset[FaxCause] = frozenset(
    {FaxCause.LINE_DOWN, FaxCause.NO_DIALTONE, FaxCause.CONGESTION, FaxCause.BAD_DOCUMENT}
)
"""After these another line is tried at once: no far machine was reached, or this line cannot carry the document."""
SHAKEN: frozenset[FaxCause] = ELSEWHERE | {
    FaxCause.NO_CARRIER,
    FaxCause.CANNOT_TRAIN,
    FaxCause.DROPPED,
    FaxCause.PAGE_REFUSED,
    FaxCause.INTERNAL,
}
"""Ends that may be the line's own doing: the next try goes over another line where one is free."""


@frozen
class OwnRetries:
    """What an office says of one cause, in place of what is usual.

    :ivar waits: as in :class:`CauseRule`; ``calls`` in all that end so; nothing = as usual.
    """

    waits: tuple[int, ...] = ()
    calls: int = 0


def next_try(
    cause: FaxCause, tries: int, most: int, at: int, deadline: int, own: OwnRetries | None = None
) -> int | None:
    """When a fax is tried again after a call that ended so.

    :param tries: calls so far, this one counted, that ended in this cause.
    :param most: calls the office allows where the cause has no figure of its own.
    :param deadline: microseconds UTC, after which no call begins.
    :param own: what the office says of this cause (RFC 4161 section 2.3).
    :returns: microseconds UTC, or ``None``: it is given up, for this cause.
    """
    own = own or OwnRetries()
    rule = evolve(CAUSES[cause], waits=own.waits or CAUSES[cause].waits)
    bounded = bool(own.calls) or not rule.endless
    if not rule.retry or (bounded and tries >= (own.calls or min(rule.tries or most, most))):
        return None
    following = at + rule.wait(tries)
    return None if deadline and following > deadline else following


def fax_advice(cause: str) -> str:
    """What the sender of a fax that was given up in this cause can do; empty = nothing that is special to it."""
    known = next((rule for one, rule in CAUSES.items() if one.value == cause), None)
    return known.advice if known is not None else ""
