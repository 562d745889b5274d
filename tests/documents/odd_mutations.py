"""Right PDF and TIFF files, damaged by chance: cut, overwritten, put together wrongly; the same by each seed."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator

import odd_tiffs
from odd_pdfs import coded_scans, scan_of
from test_fax_mended_files import KINDS, PAGES, book

_Change = Callable[[random.Random, bytes], bytes]


def _place(chance: random.Random, data: bytes) -> int:
    """Anywhere, or at one of the words that hold a file together."""
    words = [found.start() for found in re.finditer(rb"obj|stream|xref|trailer|/Kids|/Count|/Length|/Filter", data)]
    return chance.choice(words) if words and chance.random() < 0.5 else chance.randrange(len(data))


def _cut(chance: random.Random, data: bytes) -> bytes:
    return data[: _place(chance, data)]


def _overwritten(chance: random.Random, data: bytes) -> bytes:
    at, size = _place(chance, data), chance.choice((1, 2, 20, 400))
    return data[:at] + chance.randbytes(size) + data[at + size :]


def _zeros(chance: random.Random, data: bytes) -> bytes:
    at, size = _place(chance, data), chance.choice((16, 512, 4096))
    return data[:at] + bytes(min(size, len(data) - at)) + data[at + size :]


def _left_out(chance: random.Random, data: bytes) -> bytes:
    at = _place(chance, data)
    return data[:at] + data[at + chance.choice((1, 7, 300)) :]


def _twice(chance: random.Random, data: bytes) -> bytes:
    at, size = _place(chance, data), chance.choice((1, 60, 900))
    return data[: at + size] + data[at:]


def _number(chance: random.Random, data: bytes) -> bytes:
    """One of its numbers becomes another."""
    found = chance.choice(list(re.finditer(rb"\d+", data)))
    other = chance.choice((b"0", b"1", b"-1", b"7", b"65536", b"4294967295"))
    return data[: found.start()] + other + data[found.end() :]


def _two_objects(chance: random.Random, data: bytes) -> bytes:
    """Two objects change their numbers."""
    heads = list(re.finditer(rb"(?<!\d)\d+ 0 obj", data))
    if len(heads) < 2:
        return _overwritten(chance, data)
    one, other = sorted(chance.sample(heads, 2), key=lambda head: head.start())
    return data[: one.start()] + other[0] + data[one.end() : other.start()] + one[0] + data[other.end() :]


CHANGES: tuple[_Change, ...] = (_cut, _overwritten, _zeros, _left_out, _twice, _number, _two_objects)


def right_ones() -> dict[str, tuple[bytes, int]]:
    """Files and how many pages each has; there is ink on every one."""
    made = {f"book {kind}": (book(kind), PAGES) for kind in KINDS}
    for name in ("mmr", "mh", "jbig2", "packed", "jpeg 2000"):
        made[f"scan {name}"] = (scan_of(name, *coded_scans()[name]), 1)
    made["tiff"] = (odd_tiffs.several(), 3)
    for coding in odd_tiffs.Coding:
        made[f"tiff {coding.value}"] = (odd_tiffs.fax(coding, each=64), 1)
    return made


def mutated(count: int, seed: int = 1) -> Iterator[tuple[str, bytes, int]]:
    """So many of them: name, the file, pages that it had."""
    chance, right = random.Random(seed), sorted(right_ones().items())
    for number in range(count):
        name, (data, pages) = right[number % len(right)]
        how = chance.choice(CHANGES)
        for _ in range(chance.choice((1, 1, 1, 3))):
            data = how(chance, data) or b"%PDF-"
        yield f"{seed}.{number} {name} {how.__name__}", data, pages
