"""Lines that begin with a dot are found in octets of any length, however many other dots there are."""

from __future__ import annotations

import pytest

from mailshare.core.dotted import has_dotted_lines


@pytest.mark.parametrize("dots", [0, 1, 15, 16, 17, 400])
@pytest.mark.parametrize("length", [0, 100, 16_384, 16_385, 40_000])
@pytest.mark.parametrize(
    ("tail", "dotted"),
    [
        (b"", False), (b"x\r\n.", True), (b"x\r\n.y\r\n", True), (b"x\n.", False), (b"x\r.", False), (b"\r\n", False),
        (b"\n\r.", False), (b"\r\n\r\n..\r\n", True), (b"x.\r\n", False),
    ],
    ids=repr,
)  # fmt: skip
def test_found_wherever_they_are(dots: int, length: int, tail: bytes, dotted: bool) -> None:
    """Behind dots inside lines and octets without any, and before them."""
    filling = b"a.b" * dots + b"x" * length
    assert has_dotted_lines(filling + tail) is dotted
    assert has_dotted_lines(tail[2:] + filling + tail + b"z" + filling) is dotted
    assert has_dotted_lines(b"." + filling) is has_dotted_lines(b"\n." + filling) is False
    assert has_dotted_lines(b"\r\n." + filling) is True
