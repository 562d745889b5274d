"""Every engine and every reader on hostile octets: nothing but its own errors comes out. `make fuzz` runs on."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutants.__main__ import told
from mutants.everything import SUBJECTS
from mutants.mutation import HOSTILE, mutant
from mutants.of_the_office import CALLS
from mutants.subject import FINDINGS, Subject

BY_NAME = {subject.name: subject for subject in SUBJECTS}
FOUND = sorted((Path(__file__).parent / FINDINGS).glob("*-*"))
MUTANTS = 150


@pytest.mark.parametrize("path", FOUND, ids=[path.name for path in FOUND])
def test_what_was_found_once_is_mended(path: Path) -> None:
    """Each find of an earlier run, replayed."""
    BY_NAME[path.name.rpartition("-")[0]].feed(path.read_bytes())


@pytest.mark.parametrize("subject", SUBJECTS, ids=list(BY_NAME))
def test_good_inputs(subject: Subject) -> None:
    """The seeds themselves are taken; otherwise mutants of them would try nothing."""
    for seed in subject.seeds[:4]:
        subject.feed(seed)


@pytest.mark.parametrize("subject", SUBJECTS, ids=list(BY_NAME))
def test_mutants(subject: Subject) -> None:
    """The same mutants at each run."""
    random = Random(20_260_101)
    for _ in range(MUTANTS):
        data = mutant(random, subject)
        assert not told(subject, data), (told(subject, data), data)


@pytest.mark.parametrize("subject", SUBJECTS, ids=list(BY_NAME))
def test_words_in_any_order(subject: Subject) -> None:
    """Hypothesis puts pieces of the language together, and shrinks what it finds."""
    piece = st.one_of(st.sampled_from((*HOSTILE, *subject.words, *subject.seeds)), st.binary(max_size=20))

    @settings(max_examples=25, database=None, derandomize=True)
    @given(st.lists(piece, max_size=8))
    def words(pieces: list[bytes]) -> None:
        subject.feed(b"".join(pieces))

    words()


def test_calls_of_the_control_api() -> None:
    """Right keys with values of the right kind and hostile content."""
    for data in CALLS:
        BY_NAME["control"].feed(data)


def test_a_program_error_is_a_find(tmp_path: Path) -> None:
    """What the fuzzer is there to see, it sees: exceptions, faults of ours, and too much time."""

    def wrong(data: bytes) -> None:
        raise IndexError(data)

    assert told(Subject("wrong", wrong, (b"x",)), b"x") == "IndexError in the subject"
    assert told(Subject("right", len, (b"x",)), b"x") == ""
