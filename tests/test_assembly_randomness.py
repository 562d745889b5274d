"""Random octets come from the system in lots, and none is given out twice."""

from __future__ import annotations

import os

from mailshare.assembly.randomness import LOT, Randomness


def test_every_octet_is_new():
    """What is given out, put together, is what was drawn, without repetition; large wishes are met whole."""
    drawn: list[bytes] = []

    def draw(count: int) -> bytes:
        drawn.append(os.urandom(count))
        return drawn[-1]

    source = Randomness(draw)
    given = [source(3) for _ in range(1000)]
    assert [len(each) for each in given] == [3] * 1000
    assert len(drawn) == 3
    for lot, start in zip(drawn, (0, LOT // 3, 2 * (LOT // 3)), strict=True):
        assert lot.startswith(b"".join(given[start : start + LOT // 3]))
    assert len(source(3 * LOT)) == 3 * LOT
