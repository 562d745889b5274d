"""What an ordinary mail asks for: tags, words in brackets, lines; and commands in replies."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailshare.core.print_words import page_ranges, reply_command, wishes


def test_the_three_places_and_their_order() -> None:
    """The address before the subject before the text; the brackets go from the job's name."""
    subject = "Agenda [x5 A4 pages=1-3,7 hold pin=1234]  for Monday"
    told, name = wishes(("duplex", "x2", "mono"), subject, ["#copies 9", "#color", "Hello"])
    assert name == "Agenda for Monday"
    assert told.options == {
        "sides": "two-sided-long-edge",
        "copies": 2,
        "print-color-mode": "monochrome",
        "media": "iso_a4_210x297mm",
        "page-ranges": [[1, 3], [7, 7]],
    }
    assert (told.hold, told.pin, told.unknown) == (True, "1234", ())


@pytest.mark.parametrize(
    ("word", "options"),
    [
        ("3x", {"copies": 3}),
        ("copies=12", {"copies": 12}),
        ("Tumble", {"sides": "two-sided-short-edge"}),
        ("simplex", {"sides": "one-sided"}),
        ("colour", {"print-color-mode": "color"}),
        ("draft", {"print-quality": 3}),
        ("landscape", {"orientation-requested": 4}),
        ("nup=4", {"number-up": 4}),
        ("2up", {"number-up": 2}),
        ("paper=legal", {"media": "na_legal_8.5x14in"}),
        ("pages=5-", {"page-ranges": [[5, 2**31 - 1]]}),
        ("staple", {"finishings": [4]}),
    ],
)
def test_words(word: str, options: Mapping[str, object]) -> None:
    """In a subject and as a tag they mean the same."""
    assert wishes((), f"x [{word}]")[0].options == wishes((word,))[0].options == options


def test_an_unknown_word_is_told_and_changes_nothing() -> None:
    """The job prints with what is known."""
    lines = ["#sides sideways", "# not a command line"]
    told, name = wishes(("glossy",), "Report [x2 shiny copies=0 pages=3-1]", lines)
    assert told.options == {"copies": 2}
    assert told.unknown == ("glossy", "shiny", "copies=0", "pages=3-1", "#sides sideways")
    assert name == "Report"


@pytest.mark.parametrize(
    "subject",
    ["[printers-list] Hello", "[EXTERNAL] Invoice", "[print] done: x", "Patch [2/3]", "a [] b", "[Re: x] y"],
)
def test_other_brackets_stay(subject: str) -> None:
    """Lists and gateways write brackets of their own; they are part of the name and no unknown words."""
    told, name = wishes((), subject)
    assert (told.options, told.unknown, name) == ({}, (), subject)


@pytest.mark.parametrize("value", ["0", "3-1", "1-3,2", "1,1", "a", "1--2", "", "9" * 80])
def test_page_ranges_that_ipp_refuses(value: str) -> None:
    """Ascending, apart, from 1 (RFC 8011 section 5.2.7)."""
    assert page_ranges(value) is None


def test_commands_in_replies() -> None:
    """Only what the writer himself wrote counts, not what he quotes; the PIN comes with it."""
    assert reply_command(["> #cancel", "On Monday X wrote:", "#release 1234"]) is not None
    told = reply_command(["Thanks!", " #Release  1234 "])
    assert told is not None
    assert (told.word, told.value) == ("release", "1234")
    assert reply_command(["#1 is fine", "please cancel"]) is None
    assert reply_command(["> #cancel"]) is None


@given(st.lists(st.text(max_size=30), max_size=4), st.text(max_size=200), st.lists(st.text(max_size=60), max_size=4))
def test_nothing_raises(tags: list[str], subject: str, lines: list[str]) -> None:
    """Whatever people write."""
    told, _ = wishes(tags, subject, lines)
    reply_command(lines)
    assert "pin" not in repr(told) or "pin" in "".join((*tags, subject, *lines))
