"""Messages that the POP3 server engine sends: dots, and the lines of TOP."""

import io
import poplib

from hypothesis import given
from hypothesis import strategies as st

from tests.wire.pop3_dialogue import LOGIN, build, talk


def _unstuffed(reply: bytes) -> bytes:
    """What poplib makes of a multi-line reply."""
    client = object.__new__(poplib.POP3)
    client.file = io.BytesIO(reply)
    client._debugging = 0
    return b"".join(line + b"\r\n" for line in client._getlongresp()[1])


@given(
    st.lists(st.sampled_from([b".", b"..", b"a", b"\r\n", b"\r\n.", b"\r\n.\r\n", b" "]), max_size=40),
    st.integers(1, 7),
)
def test_dots_come_back_as_they_went(parts, step):
    """Any message with CRLF line ends, in pieces of any size, reads the same through poplib."""
    message = b"".join(parts) + b"\r\n"
    engine = build()
    talk(engine, LOGIN + b"LIST\r\n", messages=[message])
    engine.feed(b"RETR 1\r\n")
    engine.next_event()
    engine.begin_message(len(message), 0)
    for start in range(0, len(message), step):
        assert engine.write_message(message[start : start + step])
    engine.end_message()
    in_pieces = engine.take_output()
    assert _unstuffed(in_pieces) == message
    engine.feed(b"RETR 1\r\n")
    engine.next_event()
    engine.give_message(message)
    assert engine.take_output() == in_pieces
    assert engine.view.retrieved == {0}


@given(
    st.lists(st.sampled_from([b"", b".", b"a", b"..b", b"ccc"]), max_size=12),
    st.lists(st.sampled_from([b"", b".", b"a", b"..b", b"ccc"]), max_size=12),
    st.integers(0, 14),
    st.integers(1, 9),
)
def test_top_is_header_and_so_many_lines(header, body, lines, step):
    """TOP gives the header, the empty line, and the first lines of the body, wherever the chunks are cut."""
    head = b"".join(b"x" + line + b"\r\n" for line in header) + b"\r\n"
    message = head + b"".join(line + b"\r\n" for line in body)
    engine = build()
    talk(engine, LOGIN + b"LIST\r\n", messages=[message])
    engine.feed(b"TOP 1 %d\r\n" % lines)
    engine.next_event()
    engine.begin_message(len(message), len(head))
    for start in range(0, len(message), step):
        if not engine.write_message(message[start : start + step]):
            break
    engine.end_message()
    assert _unstuffed(engine.take_output()) == head + b"".join(line + b"\r\n" for line in body[:lines])


def test_lines_of_a_listing_are_made_once():
    """Sessions of the same listing show the same lines; one that has deleted something makes its own."""
    shown: dict[str, bytes] = {}
    said = []
    for _ in range(2):
        engine = build()
        talk(engine, LOGIN)
        engine.feed(b"LIST\r\n")
        engine.next_event()
        engine.give_listing([5, 6], [70, 80], str, None, shown)
        engine.next_event()
        said.append(engine.take_output() + talk(engine, b"UIDL\r\n"))
        assert talk(engine, b"DELE 1\r\nLIST\r\n").endswith(b"\r\n2 6\r\n.\r\n")
        assert talk(engine, b"UIDL\r\n") == b"+OK\r\n2 80\r\n.\r\n"
        assert talk(engine, b"RSET\r\nUIDL\r\n").endswith(b"+OK\r\n1 70\r\n2 80\r\n.\r\n")
    assert said[0] == said[1]
    assert shown == {"LIST": b"1 5\r\n2 6\r\n.\r\n", "UIDL": b"1 70\r\n2 80\r\n.\r\n"}
