"""Trace ids: short names that grow with time."""

from __future__ import annotations

from mailshare.core.trace import trace_id

MILLISECOND = 1_000
NOW = 1_795_000_000_000_000


def test_trace_ids_have_sixteen_hex_digits() -> None:
    """At any time, also far behind the wrap of the clock's part."""
    for at in (0, NOW, NOW * 40):
        assert len(trace_id(at, b"\xff\x00\x01")) == 16
        int(trace_id(at, b"\xff\x00\x01"), 16)


def test_trace_ids_grow_with_time() -> None:
    """What comes a millisecond later sorts behind, whatever the random part."""
    assert trace_id(NOW, b"\xff\xff\xff") < trace_id(NOW + MILLISECOND, b"\x00\x00\x00")


def test_the_random_part_parts_neighbours() -> None:
    """Two messages of one millisecond have different ids; more octets than needed do no harm."""
    assert trace_id(NOW, b"\x00\x00\x01") != trace_id(NOW, b"\x00\x00\x02")
    assert trace_id(NOW, b"\x00\x00\x01rest") == trace_id(NOW, b"\x00\x00\x01")
