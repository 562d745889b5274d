"""Words for what happens at a number of the pretended telephone network (``kind = "loop"``)."""

from __future__ import annotations

from collections.abc import Mapping

from mailshare.core.values.fax import FaxCause

ENDS: Mapping[str, FaxCause] = {
    "busy": FaxCause.BUSY,
    "no-answer": FaxCause.NO_ANSWER,
    "no-dialtone": FaxCause.NO_DIALTONE,
    "no-carrier": FaxCause.NO_CARRIER,
    "congestion": FaxCause.CONGESTION,
    "rejected": FaxCause.REJECTED,
    "unknown": FaxCause.BAD_NUMBER,
    "voice": FaxCause.NOT_A_FAX,
    "incompatible": FaxCause.INCOMPATIBLE,
    "bad-line": FaxCause.CANNOT_TRAIN,
    "poll-refused": FaxCause.POLL_REFUSED,
    "not-allowed": FaxCause.NOT_ALLOWED,
    "fault": FaxCause.INTERNAL,
    "down": FaxCause.LINE_DOWN,
}
"""Words for numbers at which no page is ever sent."""
BREAKS: Mapping[str, FaxCause] = {"drop": FaxCause.DROPPED, "refuse": FaxCause.PAGE_REFUSED}
"""Words with a number of pages behind them, ``drop:2``: so many arrive in each call, then it ends so."""
NO_ECM = "no-ecm"
"""A word for a machine at which a call with error correction breaks off before its first page."""
NOISY = "noisy"
"""A word with a rate behind it, ``noisy:9600``: a line over which the machines agree up to so many bits a second."""
END_UNKNOWN = "end-unknown"
"""A word for a machine that breaks off before it confirms the last page."""


def is_script(text: str) -> bool:
    """Whether a word says what happens at a number.

    Beside :data:`ENDS` and :data:`BREAKS`: ``answers`` (a machine that takes everything), ``slow`` (one without error
    correction, which takes MH only), :data:`NO_ECM`, :data:`NOISY`, ``end-unknown`` (one that breaks off before it
    confirms the last page), and several of them: ``busy*2,drop:1,answers`` are the ends of one call after the other.
    """
    return all(_step_fits(step.partition("*")[0], step.partition("*")[2]) for step in text.split(","))


def _step_fits(word: str, times: str) -> bool:
    name, colon, number = word.partition(":")
    plain = (*ENDS, "answers", "slow", NO_ECM, END_UNKNOWN)
    counted = name in (*BREAKS, NOISY) and number.isdecimal() if colon else name in plain
    return counted and (not times or times.isdecimal())
