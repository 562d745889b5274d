"""Trace ids: one for each message and session, by which its whole way can be looked up."""

from __future__ import annotations

_MILLISECONDS = 1_000
_WRAP = 1 << 40
_DAY = 86_400_000  # milliseconds
TOKEN = 3
"""Octets of a trace that tell those of one millisecond apart."""


def trace_id(at: int, token: bytes) -> str:
    """16 hex digits: the millisecond in ten of them, then 24 bits that no other of that millisecond has.

    They grow with time, so that the index entries of neighbouring messages lie beside each other on the disk: with
    random ones every delivery would write two pages more (docs/performance.md). They are names, not secrets.

    :param at: microseconds UTC.
    :param token: three octets or more; the first three are used. A server's are never the same for two traces of one
        millisecond (:class:`mailshare.assembly.randomness.Tokens`).
    """
    return f"{at // _MILLISECONDS % _WRAP:010x}{token[:3].hex():0>6}"


def trace_of(uuid: str, number: int = 1) -> str:
    """The trace of what has a version 7 UUID (RFC 9562 section 5.7): the same millisecond, 24 of its random bits.

    :param number: of one of its parts, each of which has a trace of its own; the first has that of the whole.
    """
    digits = uuid.replace("-", "")
    return f"{digits[2:12]}{(int(digits[-6:], 16) + number - 1) % (1 << 24):06x}"


def made_at(trace: str, now: int) -> int:
    """When a trace of :func:`trace_id` was made, microseconds UTC, to the millisecond.

    :param trace: 16 hex digits.
    :param now: microseconds UTC; of the moments that fit, which lie 34 years apart, the last before tomorrow is meant.
    """
    latest = now // _MILLISECONDS + _DAY
    return (latest - (latest - int(trace[:10], 16)) % _WRAP) * _MILLISECONDS
