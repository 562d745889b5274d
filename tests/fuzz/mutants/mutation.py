"""Mutants of good inputs, the same ones for the same seed."""

from __future__ import annotations

from random import Random

from mutants.subject import Subject

MOST = 20_000  # octets of one mutant ...
SIZES = (200, 500, 1_000, 1_000, 2_000, 2_000, 5_000, MOST)  # ... but most stop growing sooner: short ones are quick
HOSTILE = (
    b"\r\n", b"\n", b"\r", b"\0", b".", b"\r\n.\r\n", b"\r\n\r\n", b"\xff", b"\xe2\x80\x8b", b"\xed\xa0\x80", b"\x1b[2J",
    b"(", b")", b"<", b">", b"@", b'"', b"\\", b",", b";", b":", b"=?utf-8?q?", b"?=", b"=?utf-7?b?", b" ", b"\t", b"=",
    b"%", b"%00", b"-1", b"0", b"99999999999999999999", b"9" * 5000, b"\xef\xbb\xbf", b"[", b"]", b"{", b"}", b"null",
    b"\xd9\xa3", b"\xc2\xb2", b"1e999", b"NaN", b"\\ud800", b"''", b"/../", b"A" * 300,
)  # fmt: skip


def _cut(random: Random, data: bytes) -> bytes:
    start, end = sorted((random.randint(0, len(data)), random.randint(0, len(data))))
    return data[:start] + data[end:]


def _put(random: Random, data: bytes, piece: bytes) -> bytes:
    at = random.randint(0, len(data))
    return data[:at] + piece + data[at + (len(piece) if random.random() < 0.3 else 0) :]


def _octet(random: Random, data: bytes) -> bytes:
    if not data:
        return random.randbytes(1)
    at = random.randrange(len(data))
    return data[:at] + random.randbytes(1) + data[at + 1 :]


def _again(random: Random, data: bytes) -> bytes:
    start = random.randint(0, len(data))
    piece = data[start : start + random.choice((1, 2, 8, 40, 200))]
    return data[:start] + piece * random.choice((2, 3, 50, 1000)) + data[start:]


def mutant(random: Random, subject: Subject) -> bytes:
    """One input, some steps away from a seed."""
    data, most = random.choice(subject.seeds), random.choice(SIZES)
    pieces = (*HOSTILE, *subject.words)
    for _ in range(random.choice((1, 1, 2, 3, 5, 9))):
        kind = random.randrange(6)
        if kind == 0:
            data = _octet(random, data)
        elif kind == 1:
            data = _cut(random, data)
        elif kind == 2:
            data = _again(random, data)
        elif kind == 3:
            other = random.choice(subject.seeds)
            data = _put(random, data, other[random.randint(0, len(other)) :])
        else:
            data = _put(random, data, random.choice(pieces))
        data = data[:most]
    return data
