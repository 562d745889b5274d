"""What the POP3 server engine answers before it is fed: the same as it would answer afterwards, only sooner."""

from __future__ import annotations

from random import Random

from mailshare.wire.pop3_server import MOST_AT_ONCE, POP3Server
from mailshare.wire.pop3_server_events import ListingWanted, QuitWanted
from tests.wire.pop3_dialogue import LOGIN, answer, build, talk

MESSAGES = [b"Subject: %d\r\n\r\n" % n + b"x" * size + b"\r\n" for n, size in enumerate([10, 25_000, 20, 0, 30_000, 5])]
WORDS = (
    *(b"RETR %d\r\n" % n for n in range(9)),
    *(b"DELE %d\r\n" % n for n in range(9)),
    b"retr 3\r\n", b"RETR 03\r\n", b"RETR 4 \r\n", b"RETR\r\n", b"RETR x\r\n", b"RETR 1\n", b"TOP 1 0\r\n",
    b"RSET\r\n", b"STAT\r\n", b"RE", b"TR 1\r", b"\r\n",
)  # fmt: skip


def listed(messages: list[bytes], *, away: frozenset[int] = frozenset()) -> POP3Server:
    """An engine that has its listing and all messages at hand but those that are away."""
    engine = build()
    talk(engine, LOGIN)
    engine.feed(b"LIST\r\n")
    assert isinstance(engine.next_event(), ListingWanted)
    engine.give_listing(
        [len(each) for each in messages],
        range(len(messages)),
        str,
        lambda uid: None if uid in away else messages[uid],
    )
    while engine.next_event() is not None:
        pass
    engine.take_output()
    return engine


def said(engine: POP3Server, pieces: list[bytes], *, at_once: bool, receive: bool = False) -> bytes:
    """All that an engine sends for these pieces.

    :param receive: it is given them as the shell does it.
    """
    out = b""
    for piece in pieces:
        rest = piece
        if at_once:
            replies, rest = engine.at_once(piece)
            out += replies
        if not receive:
            engine.feed(rest)
        event = engine.receive(rest) if receive and not engine.closing else engine.next_event()
        while not engine.closing and (event is not None or engine.waiting):
            out += engine.take_output()
            if engine.waiting:
                answer(engine, event, MESSAGES)
            event = None if engine.spent else engine.next_event()
            out += engine.take_output()
    return out


def test_it_makes_no_difference_but_in_time():
    """Whatever is asked for in whatever pieces, deleted, absent, misspelt: the same octets, the same marks."""
    random = Random(20_261_122)
    for _ in range(150):
        words = random.choices(WORDS, k=random.randrange(1, 12))
        pieces, whole = [], b"".join(words)
        while whole:
            cut = random.randrange(1, len(whole) + 1)
            pieces.append(whole[:cut])
            whole = whole[cut:]
        away = frozenset(random.sample(range(6), k=random.randrange(3)))
        first, second = (listed(MESSAGES, away=away) for _ in range(2))
        assert said(first, pieces, at_once=True) == said(second, pieces, at_once=False)
        assert first.view is not None
        assert second.view is not None
        assert first.view.deleted == second.view.deleted
        assert first.view.retrieved == second.view.retrieved
        assert first.errors == second.errors


def test_lines_that_come_alone():
    """Given as the shell does it, one by one or several, whole or not, and from the login on: no octet is another."""
    random = Random(20_261_123)
    early = (b"USER joe\r\n", b"PASS secret\r\n", b"PASS wrong\r\n", b"CAPA\r\n", b"UTF8\r\n", b"PASS", b"\x16\x03\r\n",
             b"AUTH SCRAM-SHA-256\r\n", b"AUTH PLAIN\r\n", b"AGpvZQBzZWNyZXQ=\r\n", b"*\r\n")  # fmt: skip
    for _ in range(300):
        pieces = random.choices(early, k=random.randrange(3)) + random.choices((b"USER joe\r\n", b""), k=1)
        pieces += [b"PASS secret\r\n", *random.choices((*WORDS, b"LIST\r\n", b"QUIT\r\n", b"x" * 9000), k=9)]
        first, second = build(scram=True), build(scram=True)
        assert said(first, pieces, at_once=False, receive=True) == said(second, pieces, at_once=False)
        assert (first.errors, first.closing, first.waiting) == (second.errors, second.closing, second.waiting)


def test_what_waits_for_the_client_is_bounded():
    """However many messages are asked for at once, the replies lie below the bound, and the others wait their turn."""
    engine = listed(MESSAGES)
    replies, rest = engine.at_once(b"RETR 2\r\nRETR 5\r\nRETR 1\r\n")
    assert replies.startswith(b"+OK 250")
    assert len(replies) < MOST_AT_ONCE
    assert rest == b"RETR 5\r\nRETR 1\r\n"
    engine.feed(rest)
    assert engine.at_once(b"RETR 1\r\n") == (b"", b"RETR 1\r\n")


def test_nothing_overtakes_what_came_before():
    """Half a command in the buffer, an event without its answer, or output that nobody took: all is fed."""
    engine = listed(MESSAGES)
    ask = b"RETR 1\r\n"
    engine.feed(b"NO")
    assert engine.next_event() is None
    assert engine.at_once(ask) == (b"", ask)
    engine.feed(b"OP\r\n")
    assert engine.at_once(ask) == (b"", ask)
    while engine.next_event() is not None:
        pass
    assert engine.at_once(ask) == (b"", ask)
    engine.take_output()
    assert engine.at_once(ask)[1] == b""
    engine.feed(b"QUIT\r\n")
    assert isinstance(engine.next_event(), QuitWanted)
    assert engine.at_once(ask) == (b"", ask)


def test_before_login_nothing_is_answered():
    """Nor before the listing is there."""
    engine = build()
    assert engine.at_once(b"RETR 1\r\n") == (b"", b"RETR 1\r\n")
    talk(engine, LOGIN)
    assert engine.at_once(b"RETR 1\r\n") == (b"", b"RETR 1\r\n")
