"""LineBuffer: CRLF alone ends a line, nothing over-long is kept, and where the stream was cut never matters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailshare.wire.lines import OVERLONG, LineBuffer, Overlong

PIECES = st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b"a", b"bcd", b"\0"]), max_size=30).map(b"".join)


def lines_of(chunks: list[bytes], max_line: int = 2048) -> list[bytes | Overlong]:
    buffer = LineBuffer(max_line)
    out: list[bytes | Overlong] = []
    for chunk in chunks:
        buffer.feed(chunk)
        while (line := buffer.next_line()) is not None:
            out.append(line)
    return out


def test_only_crlf_ends_a_line() -> None:
    """A bare CR or LF stays inside, for the engine to refuse."""
    assert lines_of([b"a\nb\r\nc\rd\r\n\r\nrest"]) == [b"a\nb", b"c\rd", b""]


def test_overlong_line_shows_once_and_is_eaten() -> None:
    """The rest of a line that is too long does not come back as a line, and the next one is whole."""
    stream = b"x" * 30 + b"\r\nnext\r\n"
    for size in (1, 3, 7, 100):
        chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
        assert lines_of(chunks, 10) == [OVERLONG, b"next"]


def test_limit_counts_the_line_end() -> None:
    """A line of exactly max_line octets with its CRLF passes; one more does not, whole or octet by octet."""
    for count, want in ((8, [b"y" * 8]), (9, [OVERLONG])):
        stream = b"y" * count + b"\r\n"
        assert lines_of([stream], 10) == want
        assert lines_of([bytes([octet]) for octet in stream], 10) == want


def test_endless_line_costs_no_memory() -> None:
    """What lies beyond the limit is dropped as it comes."""
    buffer = LineBuffer(100)
    for _ in range(1000):
        buffer.feed(b"A" * 1000)
        buffer.next_line()
        assert len(buffer) <= 1


def test_take_and_give_back() -> None:
    """Raw octets come from the same stream, and what was not used is read as lines again."""
    buffer = LineBuffer()
    buffer.feed(b"one\r\nraw octetstwo\r\n")
    assert buffer.next_line() == b"one"
    assert buffer.take(10) == b"raw octets"
    taken = buffer.take(100)
    buffer.give_back(taken)
    assert buffer.next_line() == b"two"
    assert buffer.take(10) == b""


def test_clear_forgets() -> None:
    """After clear nothing of the past is left, not even that a line was being eaten."""
    buffer = LineBuffer(5)
    buffer.feed(b"123456789")
    assert buffer.next_line() is OVERLONG
    buffer.clear()
    buffer.feed(b"a\r\n")
    assert buffer.next_line() == b"a"


@given(PIECES, PIECES, st.integers(1, 6))
def test_a_line_that_comes_alone(before: bytes, data: bytes, most: int) -> None:
    """Taken past the buffer it is what the buffer would give, and the buffer is as it was."""
    straight, fed = LineBuffer(most), LineBuffer(most)
    for each in (straight, fed):
        each.feed(before)
        while each.next_line() is not None:
            pass
    alone = straight.only_line(data)
    fed.feed(data)
    if alone is None:
        straight.feed(data)
    else:
        assert fed.next_line() == alone
    assert straight.next_line() == fed.next_line()


@given(PIECES, st.lists(st.integers(1, 5), min_size=1))
def test_cuts_do_not_matter(stream: bytes, sizes: list[int]) -> None:
    """Any way of cutting the stream gives the same lines."""
    chunks, at, number = [], 0, 0
    while at < len(stream):
        size = sizes[number % len(sizes)]
        chunks.append(stream[at : at + size])
        at, number = at + size, number + 1
    assert lines_of(chunks, 6) == lines_of([stream], 6)
