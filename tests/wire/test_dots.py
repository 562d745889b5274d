"""Dots: only CRLF.CRLF ends a body, what is stuffed comes out whole, and where the stream was cut never matters."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailshare.wire.dots import END, DotDecoder, DotEncoder, has_bare_line_ends, stuff

BODIES = st.lists(
    st.sampled_from([b"\r\n", b".", b"..", b"a", b"\r\n.", b"\n", b"\r", b"\r\n..\r\n", b"\r\n.\r"]), max_size=20
).map(b"".join)
SIZES = st.lists(st.integers(1, 7), min_size=1, max_size=10)


def cut(stream: bytes, sizes: list[int]) -> list[bytes]:
    chunks, at, number = [], 0, 0
    while at < len(stream):
        size = sizes[number % len(sizes)]
        chunks.append(stream[at : at + size])
        at, number = at + size, number + 1
    return chunks


def decode(chunks: list[bytes], max_line: int = 65536) -> tuple[bytes, bytes, DotDecoder]:
    decoder = DotDecoder(max_line)
    message = rest = b""
    for chunk in chunks:
        if decoder.done:
            rest += chunk
            continue
        more, rest = decoder.feed(chunk)
        message += more
    return message, rest, decoder


@given(BODIES, SIZES, SIZES)
def test_what_is_stuffed_comes_out_whole(body: bytes, out: list[int], back: list[int]) -> None:
    """Encoder and decoder are inverse for any octets and any cuts, and what follows the dot is left alone."""
    encoder = DotEncoder()
    wire = b"".join(encoder.encode(chunk) for chunk in cut(body, out)) + encoder.finish()
    message, rest, decoder = decode(cut(wire + b"QUIT\r\n", back))
    want = body if not body or body.endswith(b"\r\n") else body + b"\r\n"
    assert (message, rest, decoder.done) == (want, b"QUIT\r\n", True)
    assert decoder.size == len(want)
    assert decoder.bare == bool(re.search(rb"\r(?!\n)|(?<!\r)\n", want))


@given(BODIES, SIZES)
def test_normalised_line_ends(body: bytes, sizes: list[int]) -> None:
    """With normalise, every kind of line end goes out as CRLF, also where a chunk ends between CR and LF."""
    encoder = DotEncoder(normalise=True)
    wire = b"".join(encoder.encode(chunk) for chunk in cut(body, sizes)) + encoder.finish()
    want = re.sub(rb"\r\n|\r|\n", b"\r\n", body)
    message, _, decoder = decode([wire])
    assert message == (want if not want or want.endswith(b"\r\n") else want + b"\r\n")
    assert not decoder.bare


FORMS = [
    start + b"." + end
    for start in (b"\n", b"\r", b"\r\n", b"\n\r", b"\r\r\n", b"\r\n\0")
    for end in (b"\n", b"\r", b"\r\n", b"\n\r", b"\r\r\n", b"\0\r\n")
    if b"\r\n.\r\n" not in start + b"." + end
]


@pytest.mark.parametrize("form", FORMS, ids=repr)
def test_no_other_form_ends_a_body(form: bytes) -> None:
    """Every other mixture of CR, LF, NUL and a dot is part of the message, cut anywhere; and it is noticed."""
    wire = b"a: b\r\n\r\nx" + form + b"MAIL FROM:<evil@x>\r\n.\r\nQUIT\r\n"
    for at in range(len(wire)):
        _, rest, decoder = decode([wire[:at], wire[at:]])
        assert rest == b"QUIT\r\n"
        assert decoder.bare or decoder.nul


WIRE = st.lists(
    st.sampled_from([b"\r\n.", b"\r\n.\r\n", b".", b"\r\n", b"\r", b"\n", b"a", b"\0", b"\r\n..", b"\xff"]), max_size=15
).map(b"".join)


MANY_DOTS = st.sampled_from([b"", b"a.b" * 120, b"..\r\n" * 120])


@given(MANY_DOTS, WIRE, SIZES | st.just([10_000]))
def test_any_octets_cut_anywhere(dots: bytes, wire: bytes, sizes: list[int]) -> None:
    """Whatever comes is read as the rule says: to the first CRLF.CRLF, a dot that begins a line taken away.

    Where dots are many they are found in another way.
    """
    wire = dots + wire
    end = (b"\r\n" + wire).find(END)
    body = wire[:end] if end >= 0 else wire
    message, rest, decoder = decode(cut(wire, sizes))
    plain = (b"\r\n" + body).replace(b"\r\n.", b"\r\n")[2:]
    assert decoder.done == (end >= 0)
    if decoder.done:
        assert (message, rest) == (plain, wire[end + 3 :])
        assert decoder.bare == bool(re.search(rb"\r(?!\n)|(?<!\r)\n", body))
        assert decoder.nul == (b"\0" in body)
    else:  # what may yet be a part of the end is held back
        assert plain.startswith(message)


LINE_ENDS = st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"\x85", b"\xe2\x80\xa8", b"\0", b"\x0b\x0c"])


@given(st.lists(LINE_ENDS, max_size=9))
def test_bare_line_ends(parts: list[bytes]) -> None:
    """CR and LF count and nothing else that somebody may take for a line end; in the first and the last place too."""
    raw = b"".join(parts)
    assert has_bare_line_ends(raw) == bool(re.search(rb"\r(?!\n)|(?<!\r)\n", raw))


@pytest.mark.parametrize("edge", [16383, 16384, 16385, 65535, 65536])
def test_dot_at_a_buffer_edge(edge: int) -> None:
    """A line that begins with a dot right where a chunk begins is stuffed and unstuffed as any other."""
    body = b"x" * (edge - 2) + b"\r\n.\r\n..\r\nend\r\n"
    wire = stuff(body)
    assert decode([wire[:edge], wire[edge:]])[0] == body
    encoder = DotEncoder()
    assert encoder.encode(body[:edge]) + encoder.encode(body[edge:]) + encoder.finish() == wire


def test_empty_body() -> None:
    """A dot at once is a message of no octets, whole and octet by octet."""
    for chunks in ([b".\r\nNOOP\r\n"], [bytes([octet]) for octet in b".\r\nNOOP\r\n"]):
        message, rest, decoder = decode(chunks)
        assert (message, rest, decoder.done) == (b"", b"NOOP\r\n", True)
    assert stuff(b"") == b".\r\n"


def test_overlong_lines_are_noticed() -> None:
    """The longest line passes, one octet more is noticed, however the line was cut; the next line starts afresh."""
    for length, want in ((100, False), (101, True)):
        wire = (b"short\r\n" + b"y" * (length - 2) + b"\r\n") * 2 + b".\r\n"
        for size in (1, 3, 64, 100, 101, 1000):
            assert decode(cut(wire, [size]), 100)[2].overlong is want
    assert decode([b"z" * 150], 100)[2].overlong


def test_work_is_linear() -> None:
    """What is kept between chunks never grows, so that each octet is looked at a fixed number of times."""
    decoder = DotDecoder()
    for _ in range(1000):
        decoder.feed(b"\r\n.\r")
        assert len(decoder._held) <= 4


@given(st.lists(st.sampled_from([b".", b"\r\n", b"\r", b"\n", b"a", b"..", b"\r\n."]), max_size=12))
def test_a_whole_message_is_stuffed_as_in_pieces(parts: list[bytes]) -> None:
    """The short way for a message at hand gives the same octets as the encoder, fed octet by octet."""
    body = b"".join(parts)
    encoder = DotEncoder()
    pieces = b"".join(encoder.encode(body[at : at + 1]) for at in range(len(body)))
    assert stuff(body) == pieces + encoder.finish()
