"""What calls teach about a number: slower, without error correction, at another hour; and that it is forgotten."""

from __future__ import annotations

from attrs import evolve

from mailshare.core.fax_ledger import PageLedger
from mailshare.core.fax_profiles import NumberProfile
from mailshare.core.values.fax import FaxCause, FaxJob, FaxOutcome

DAY = 86_400_000_000
JOB = FaxJob("a", "+1", "1", 1)
OK = FaxOutcome(FaxCause.OK, 1, rate=9600, remote_id="FAR")


def after(*causes: FaxCause) -> PageLedger:
    """The ledger of a fax whose calls ended so."""
    ledger = PageLedger().prepared(0, 1, "x")
    for cause in causes:
        ledger = ledger.dialled("line").ended(FaxOutcome(cause), 0)
    return ledger


def test_each_call_in_which_machines_did_not_agree_makes_the_next_slower() -> None:
    """14400, 9600, 4800, and not below; calls that broke off twice go without error correction."""
    steps = [NumberProfile().settings(after(*[FaxCause.CANNOT_TRAIN] * count), 0) for count in range(4)]
    assert steps == [(14_400, True), (9_600, True), (4_800, True), (4_800, True)]
    assert NumberProfile().settings(after(FaxCause.DROPPED), 0) == (14_400, True)
    assert NumberProfile().settings(after(FaxCause.DROPPED, FaxCause.PAGE_REFUSED), 0) == (14_400, False)
    assert NumberProfile().settings(after(FaxCause.BUSY, FaxCause.NO_ANSWER), 0) == (14_400, True)


def test_what_went_well_is_begun_with_and_forgotten_after_a_while() -> None:
    """The next fax to that number begins so; two months later everything is tried again, once, and then holds anew."""
    known = NumberProfile().learned(evolve(JOB, max_rate=9_600, ecm=False), OK, "line", hour=9, now=DAY)
    assert (known.remote_id, known.rate, known.line, known.at) == ("FAR", 9600, "line", DAY)
    assert known.settings(PageLedger(), 30 * DAY) == (9_600, False)
    same = known.learned(evolve(JOB, max_rate=9_600, ecm=False), OK, "line", hour=9, now=30 * DAY)
    assert same.settings(PageLedger(), 60 * DAY) == (9_600, False)
    assert same.settings(PageLedger(), 62 * DAY) == (14_400, True)
    better = same.learned(JOB, OK, "line", hour=9, now=62 * DAY)
    assert better.settings(PageLedger(), 62 * DAY) == (14_400, True)
    failed = known.learned(JOB, FaxOutcome(FaxCause.DROPPED), "line", hour=9, now=2 * DAY)
    assert failed.settings(PageLedger(), 2 * DAY) == (9_600, False)


def test_hours_in_which_a_number_is_mostly_busy_are_known() -> None:
    """Four calls are enough; calls that no line could make do not count."""
    known = NumberProfile()
    for cause in (FaxCause.BUSY, FaxCause.BUSY, FaxCause.BUSY, FaxCause.LINE_DOWN):
        known = known.learned(JOB, FaxOutcome(cause), "line", hour=14, now=0)
    assert not known.is_busy_at(14)
    known = known.learned(JOB, FaxOutcome(FaxCause.NO_ANSWER), "line", hour=14, now=0)
    assert known.is_busy_at(14)
    assert not known.is_busy_at(15)
    assert NumberProfile.from_json({**known.as_json(), "newer": 1}) == known
