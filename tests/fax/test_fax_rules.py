"""Causes and retries, the page ledger, costs, and the table of routes."""

from __future__ import annotations

import json

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailshare.core.fax_causes import CAUSES, OwnRetries, next_try
from mailshare.core.fax_costs import forecast
from mailshare.core.fax_dialling import Toll
from mailshare.core.fax_ledger import PageLedger
from mailshare.core.fax_routing import FaxRoute, route_fax
from mailshare.core.values.fax import Coding, FaxCapabilities, FaxCause, FaxOutcome
from mailshare.fax.pool import LinePool, PooledLine

MINUTE = 60_000_000


def test_every_cause_has_words_and_a_status() -> None:
    """No end of a call is left without a report."""
    assert set(CAUSES) == set(FaxCause)
    for cause, rule in CAUSES.items():
        assert rule.words[0].isupper()
        assert rule.retry == bool(rule.waits), cause
        assert rule.status.startswith("4") or not rule.retry, cause


@pytest.mark.parametrize(
    "cause", [FaxCause.NOT_A_FAX, FaxCause.BAD_NUMBER, FaxCause.REJECTED, FaxCause.INCOMPATIBLE, FaxCause.BAD_DOCUMENT]
)
def test_what_no_second_call_mends_is_not_tried_again(cause: FaxCause) -> None:
    """G14: a voice, a dead number, a machine that cannot."""
    assert next_try(cause, 1, 6, 0, 0) is None


def test_busy_numbers_are_tried_again_later_and_later() -> None:
    """G14 G15: the waits grow, the tries have an end, and no call begins after the deadline."""
    waits = [next_try(FaxCause.BUSY, tries, 6, 0, 0) for tries in range(1, 7)]
    assert waits[:2] == [2 * MINUTE, 3 * MINUTE]
    assert waits[5] is None
    assert next_try(FaxCause.BUSY, 1, 6, 0, MINUTE) is None
    assert next_try(FaxCause.PAGE_REFUSED, 3, 6, 0, 0) is None


def test_lines_are_offered_the_codings_that_every_machine_knows() -> None:
    """U23: ITU-T T.4 and T.6; a line that would be given JBIG has no word for it."""
    assert FaxCapabilities().codings == (Coding.MMR, Coding.MR, Coding.MH)
    assert {one.value for one in Coding} == {"mh", "mr", "mmr"}


def test_an_office_says_itself_how_often_and_when() -> None:
    """G15: tries and intervals are configurable, for each cause (RFC 4161 section 2.3)."""
    own = OwnRetries((MINUTE, 4 * MINUTE), 3)
    tries = [next_try(FaxCause.NO_ANSWER, number, 2, 0, 0, own) for number in (1, 2, 3)]
    assert tries == [MINUTE, 4 * MINUTE, None]
    assert next_try(FaxCause.NO_ANSWER, 1, 6, 0, 0, OwnRetries(calls=1)) is None
    assert next_try(FaxCause.BUSY, 1, 6, 0, 0, OwnRetries(calls=9)) == 2 * MINUTE
    assert next_try(FaxCause.NOT_A_FAX, 1, 6, 0, 0, own) is None


def test_the_ledger_remembers_over_calls_what_arrived() -> None:
    """G15: a call begins at the first page that is not confirmed; other pages begin from the front."""
    ledger = PageLedger().prepared(5, 3, "a").dialled("one").page_begun(0).page_confirmed(0)
    ledger = ledger.ended(FaxOutcome(FaxCause.DROPPED, 1), 0)
    assert (ledger.confirmed, ledger.tries_of(FaxCause.DROPPED), ledger.whole) == (1, 1, False)
    again = PageLedger.from_json(json.loads(json.dumps(ledger.as_json())))
    assert again == ledger
    assert again.prepared(9, 3, "a").confirmed == 1
    assert again.prepared(9, 3, "b").confirmed == 0
    assert again.prepared(9, 4, "a").confirmed == 0
    assert again.prepared(9, 3, "a").began == 5
    assert again.ended(FaxOutcome(FaxCause.OK, 2), 1).whole


def test_a_stop_while_the_last_page_is_out_leaves_a_doubt() -> None:
    """A fax is never sent again whole because nobody knows whether it arrived."""
    ledger = PageLedger().prepared(0, 2, "a").dialled("one")
    assert not ledger.page_begun(0).in_doubt
    assert ledger.page_begun(1).in_doubt
    assert not ledger.page_begun(1).page_confirmed(1).in_doubt


def test_what_a_fax_costs_is_known_before_it_is_dialled() -> None:
    """A page of dots costs the minutes that it takes."""
    prices = {"national": 0.10}
    text = forecast([12_000] * 3, Toll.NATIONAL, prices)
    dots = forecast([230_000] * 3, Toll.NATIONAL, prices)
    assert (text.pages, text.cost) == (3, 0.10)
    assert dots.cost >= 0.90
    assert forecast([12_000], Toll.MOBILE, prices).cost == 0


def test_routes_are_read_from_the_top() -> None:
    """G9 G19 U18: called number, subaddress, station and caller, with wildcards; blanks and case of a station aside."""
    routes = [
        FaxRoute(("anna",), called="+4930555*", subaddress="12"),
        FaxRoute(("ben",), station="*headoffice*"),
        FaxRoute(("carl",), caller="+4989*"),
        FaxRoute(("emil",), line="Trunk*"),
        FaxRoute(("dora",), called="+49305550100"),
    ]

    def to(called: str = "+49305550100", sub: str = "", station: str = "", caller: str = "", line: str = "") -> str:
        found = route_fax(routes, called=called, subaddress=sub, station=station, caller=caller, line=line)
        return found.to[0] if found else ""

    assert to(sub="12") == "anna"
    assert to(station="Head Office 1") == "ben"
    assert to(caller="+49 89 123") == "carl"
    assert to() == to(line="isdn") == "dora"
    assert to(line="trunk-2") == "emil"
    assert to(called="+4940") == ""


class Line:
    """As much of a line as the pool looks at."""

    def __init__(self, name: str, free: int = 1) -> None:
        self.name, self.free, self.capabilities, self.trouble = name, free, FaxCapabilities(), ""

    def free_channels(self) -> int:
        return self.free


def test_lines_are_given_to_the_urgent_first_and_a_dead_one_is_left_alone() -> None:
    """Lines in the order of the file; a line that could not dial rests while the next is tried."""
    clock, first, second = Clock(), Line("first"), Line("second", 0)
    pool = LinePool(clock, [PooledLine(first), PooledLine(second)])  # type: ignore[arg-type]
    got: list[tuple[str, str]] = []

    def wish(name: str, **facts: object) -> None:
        def given(one: PooledLine | None) -> None:
            got.append((name, one.line.name if one else ""))
            if one:
                one.line.free -= 1  # type: ignore[attr-defined]

        Deferred.fromCoroutine(pool.take("+1", **facts)).addCallback(given)  # type: ignore[arg-type]

    wish("a")
    assert got == [("a", "first")]
    wish("b", order=2)
    wish("c", order=3, haste=0)
    first.free = 1
    pool.ended(pool.lines[0], FaxCause.OK, 1, "")
    assert got[1:] == [("c", "first")]
    first.free = second.free = 1
    pool.ended(pool.lines[0], FaxCause.LINE_DOWN, 0, "no power")
    assert got[2:] == [("b", "second")]
    assert pool.lines[0].trouble == "no power"
    wish("d")
    clock.advance(61)
    assert got[3:] == [("d", "first")]
    wish("e", without=("first", "second"))
    assert got[4:] == [("e", "")]
