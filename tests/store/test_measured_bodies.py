"""A message that is at hand whole and one that comes in pieces are measured alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailshare.store.measure import Measure, measured

PARTS = st.lists(st.sampled_from([b"\r\n", b"\n", b"\r", b".", b" ", b"a", b"Subject: x\r\n", b"\r\n\r\n", b"\t"]))


@given(PARTS)
def test_pieces_and_the_whole_have_the_same_facts(parts: list[bytes]) -> None:
    """Size, header, digests and whether it needs no dot stuffed do not depend on how the octets came."""
    measure = Measure()
    for part in parts:
        measure.feed(part)
    assert measured(b"".join(parts)) == measure.facts()


@pytest.mark.parametrize("size", [2_047, 2_048, 65_536, 70_000])
def test_long_messages_have_the_same_facts(size: int) -> None:
    """Digests are made in pieces of a length that must not show."""
    data = b"Subject: long\r\n\r\n" + b"x" * size + b"\r\n \r\n"
    measure = Measure()
    for start in range(0, len(data), 1_000):
        measure.feed(data[start : start + 1_000])
    assert measured(data) == measure.facts()
