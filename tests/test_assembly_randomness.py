"""Random octets come from the system in lots, and none is given out twice."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest_twisted
from twisted.internet import reactor

from mailshare.assembly.office import Office
from mailshare.assembly.randomness import LOT, TOKENS, Randomness, Tokens
from mailshare.config import parse_config
from mailshare.core.trace import trace_id


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


def test_no_two_traces_of_a_millisecond_are_the_same():
    """As many as no machine makes in one, over the end of the numbers; a start of the program begins elsewhere."""
    tokens = Tokens(lambda count: b"\xff" * count)
    assert len({trace_id(1_795_000_000_000_000, tokens(3)) for _ in range(300_000)}) == 300_000
    assert len({Tokens(os.urandom)(3) for _ in range(20)}) > 1
    assert len(tokens(8)) == 8


@pytest_twisted.ensureDeferred
async def test_whoever_makes_traces_in_an_office_has_them_from_one_row(tmp_path: Path) -> None:
    """Messages that are handed in, collected and reported."""
    text = '[server]\nhostname = "office.example"\n[listen]\nsmtp = ["tcp:0:interface=127.0.0.1"]\n'
    config = parse_config(text, str(tmp_path / "m.toml"))
    office = Office(config, reactor, reload_config=lambda: config)
    office.startService()
    assert office.started is not None
    await office.started
    try:
        room: Any = office._parts.room  # type: ignore[union-attr]
        assert room.desk.token is room.doors.random is room.reports._token is TOKENS
    finally:
        await office.stopService()
