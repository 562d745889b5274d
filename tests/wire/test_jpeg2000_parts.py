"""JPEG 2000 pictures: whole ones are whole, at each cut something is missing."""

from __future__ import annotations

import random
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from mailshare.wire.jpeg2000_parts import JPEG2000Wrong, check_jpeg2000


def saved(**how: Any) -> bytes:
    """Noise of 300 by 200."""
    out, picture = BytesIO(), Image.frombytes("L", (300, 200), random.Random(4).randbytes(60_000))
    picture.save(out, "JPEG2000", **how)
    return out.getvalue()


WAYS = {"file": {}, "stream": {"no_jp2": True}, "tiles": {"tile_size": (64, 64)}}


@pytest.mark.parametrize("way", sorted(WAYS))
def test_cuts_are_told(way: str) -> None:
    """Of a file, of a code stream alone, of many tiles; a missing end mark alone is no loss."""
    whole = saved(**WAYS[way])
    check_jpeg2000(whole)
    check_jpeg2000(whole + b"\n")
    check_jpeg2000(whole[:-2])
    for length in range(0, len(whole) - 2, 97):
        with pytest.raises(JPEG2000Wrong):
            check_jpeg2000(whole[:length])


def test_tiles_that_are_missing_are_told() -> None:
    """Of one that is there, and of a part that it should have."""
    whole = saved(tile_size=(64, 64), no_jp2=True)
    starts = [at for at in range(len(whole)) if whole.startswith(b"\xff\x90\0\x0a", at)]
    with pytest.raises(JPEG2000Wrong, match="missing"):
        check_jpeg2000(whole[: starts[3]] + whole[starts[4] :])
    parts = bytearray(whole)
    parts[starts[0] + 11] = 2
    with pytest.raises(JPEG2000Wrong, match="missing"):
        check_jpeg2000(bytes(parts))


@pytest.mark.parametrize("data", [b"", b"rubbish", b"\xff\x4f", b"\xff\x4f\xff\x51" + bytes(60), bytes(100)])
def test_rubbish_is_told(data: bytes) -> None:
    """It is no picture."""
    with pytest.raises(JPEG2000Wrong):
        check_jpeg2000(data)


def test_a_tile_to_the_end_of_the_stream() -> None:
    """It does not say how long it is; the end mark does."""
    whole = bytearray(saved(no_jp2=True))
    start = whole.index(b"\xff\x90\0\x0a")
    whole[start + 6 : start + 10] = bytes(4)
    check_jpeg2000(bytes(whole))
    with pytest.raises(JPEG2000Wrong, match="cut off"):
        check_jpeg2000(bytes(whole[:-40]))
