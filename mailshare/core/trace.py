"""Trace ids: one for each message and session, by which its whole way can be looked up."""

from __future__ import annotations

_MILLISECONDS = 1_000
_WRAP = 1 << 40


def trace_id(at: int, token: bytes) -> str:
    """16 hex digits: the millisecond in ten of them, then 24 random bits.

    They grow with time, so that the index entries of neighbouring messages lie beside each other on the disk: with
    random ones every delivery would write two pages more (docs/performance.md). They are names, not secrets.

    :param at: microseconds UTC.
    :param token: three octets or more from a random source; the first three are used.
    """
    return f"{at // _MILLISECONDS % _WRAP:010x}{token[:3].hex():0>6}"
