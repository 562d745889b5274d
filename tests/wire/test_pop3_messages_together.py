"""Messages that RETR brings whole come together; those that are cut, or not as long as listed, as they always did."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailshare.core.errors import PeerFault
from mailshare.wire.client_engine import Chunk, Command, Texts
from mailshare.wire.dots import stuff
from mailshare.wire.pop3_client import POP3Client
from mailshare.wire.pop3_client_replies import POP3Limits, POP3Reply

LINES = st.lists(st.sampled_from([b"", b".", b"..", b".x", b"Subject: y", b"\r", b"+OK", b"-ERR no"]), max_size=5)
MESSAGES = st.lists(LINES.map(lambda lines: b"".join(line + b"\r\n" for line in lines)), min_size=1, max_size=4)


def begun(sizes: list[int], *, limits: POP3Limits | None = None) -> tuple[POP3Client, list[Command]]:
    """An engine that waits for as many messages."""
    engine = POP3Client(secure=True, limits=limits)
    engine.feed(b"+OK hello\r\n")
    assert engine.next_event() is not None
    engine.capabilities = {"PIPELINING": ()}
    commands = [engine.retr(number, size, whole=True) for number, size in enumerate(sizes, 1)]
    engine.take_output()
    return engine, commands


def heard(engine: POP3Client, pieces: list[bytes]) -> tuple[dict[Command, bytes], list[int], list[POP3Reply]]:
    """Every message by its command, how many came together each time, and the replies to the others."""
    found: dict[Command, bytes] = {}
    together, replies = [], []
    for piece in pieces:
        engine.feed(piece)
        while (event := engine.next_event()) is not None:
            if isinstance(event, Texts):
                together.append(len(event.texts))
                found.update(event.texts)
            elif isinstance(event, Chunk):
                found[event.command] = found.get(event.command, b"") + event.data
            else:
                replies.append(event)
                if event.ok:
                    found.setdefault(event.command, b"")
    return found, together, replies


@given(messages=MESSAGES, cuts=st.lists(st.integers(0, 200), max_size=4), off=st.integers(-1, 1))
def test_what_comes_is_what_was_sent(messages: list[bytes], cuts: list[int], off: int) -> None:
    """Wherever the octets are cut, whatever size was listed; nothing of one message lands in another."""
    engine, commands = begun([len(message) + off for message in messages])
    octets = b"".join(b"+OK here\r\n" + stuff(message) for message in messages)
    places = [0, *sorted({cut % len(octets) for cut in cuts}), len(octets)]
    found, _, _ = heard(engine, [octets[start:stop] for start, stop in pairwise(places)])
    assert [found[command] for command in commands] == messages
    assert engine.head is None


def test_those_that_are_there_whole_come_together() -> None:
    """The dots are taken out; a refusal stands between two lots, and a message that is cut comes in chunks."""
    one, two, cut = b"Subject: 1\r\n\r\n.\r\n..\r\n", b"two\r\n", b"Subject: 3\r\n\r\nthree\r\n"
    engine, commands = begun([len(one), len(two), 9, len(two), len(cut)])
    octets = b"+OK\r\n" + stuff(one) + b"+OK 5 octets\r\n" + stuff(two) + b"-ERR gone\r\n+OK\r\n" + stuff(two)
    rest = b"+OK\r\n" + stuff(cut)
    found, together, replies = heard(engine, [octets + rest[:20], rest[20:]])
    assert together == [2, 1]
    assert found == {commands[0]: one, commands[1]: two, commands[3]: two, commands[4]: cut}
    assert [(reply.command, reply.ok) for reply in replies] == [(commands[2], False), (commands[4], True)]


@pytest.mark.parametrize("listed", [5, 7, 0])
def test_another_size_than_listed_is_left_to_who_asked(listed: int) -> None:
    """What the size says of a server is for the collector to judge, so it gets the reply with the true one."""
    engine, commands = begun([listed, 6])
    found, together, replies = heard(engine, [b"+OK\r\nsix!\r\n.\r\n" * 2])
    assert (together, found) == ([1], dict.fromkeys(commands, b"six!\r\n"))
    assert [(reply.command, reply.octets) for reply in replies] == [(commands[0], 6)]


def test_what_was_not_asked_for_behind_them_is_a_fault() -> None:
    """The messages count; a further one does not."""
    engine, commands = begun([6])
    engine.feed(b"+OK\r\nsix!\r\n.\r\n" * 2)
    event = engine.next_event()
    assert isinstance(event, Texts)
    assert event.texts == {commands[0]: b"six!\r\n"}
    with pytest.raises(PeerFault, match="without being asked"):
        engine.next_event()


def test_room_in_the_window_is_given_back() -> None:
    """Two at once; the third goes out when those are there."""
    engine, _ = begun([6, 6, 6], limits=POP3Limits(window=2))
    engine.feed(b"+OK\r\nsix!\r\n.\r\n" * 2)
    assert isinstance(engine.next_event(), Texts)
    assert engine.take_output() == b"RETR 3\r\n"
