"""The order of answers of the POP3 server engine, and what it does when something cannot be had."""



from mailshare.wire.pop3_server_events import (
    ListingWanted,
    MessageWanted,
    PauseWanted,
    QuitWanted,
)
from mailshare.wire.replies import ANSWERED
from tests.wire.pop3_dialogue import LOGIN, answer, build, talk


def test_answers_keep_the_order_of_commands():
    """While one answer is outstanding nothing behind it is read."""
    engine = build()
    talk(engine, LOGIN)
    engine.feed(b"RETR 2\r\nSTAT\r\nQUIT\r\n")
    event = engine.next_event()
    assert isinstance(event, ListingWanted)
    assert engine.next_event() is None
    assert engine.waiting
    assert engine.take_output() == b""
    answer(engine, event)
    retrieve = engine.next_event()
    assert retrieve == MessageWanted(1)
    assert engine.next_event() is None
    answer(engine, retrieve)
    assert engine.next_event() == QuitWanted((), (1,))
    assert engine.take_output() == b"+OK 16 octets\r\nSubject: two\r\n\r\n.\r\n+OK 4 85\r\n"


def test_quit_waits_for_the_deletion():
    """No +OK before it is done; when it fails, -ERR, and the session ends all the same."""
    engine = build()
    talk(engine, LOGIN + b"DELE 1\r\nDELE 3\r\nRETR 2\r\n")
    engine.feed(b"QUIT\r\nSTAT\r\n")
    assert engine.next_event() == QuitWanted((0, 2), (1,))
    assert engine.take_output() == b""
    engine.fail("The disk is full; nothing was deleted")
    assert engine.take_output() == b"-ERR [SYS/TEMP] The disk is full; nothing was deleted\r\n"
    assert engine.closing


def test_stat_needs_no_listing():
    """A client that only looks costs no listing."""
    engine = build()
    engine.feed(LOGIN)
    event = engine.next_event()
    answer(engine, event)
    engine.feed(b"STAT\r\nNOOP\r\nRSET\r\n")
    assert engine.next_event() is ANSWERED
    assert engine.next_event() is None


def test_many_pipelined_commands_are_one_event():
    """Deletions that the engine settles alone do not cost an event each."""
    engine = build()
    talk(engine, LOGIN + b"LIST\r\n")
    engine.feed(b"DELE 1\r\nDELE 2\r\nDELE 3\r\n")
    assert engine.next_event() is ANSWERED
    assert engine.next_event() is None
    assert engine.take_output() == b"+OK Deleted at QUIT\r\n" * 3


def test_much_output_is_held_back():
    """A client that asks for listing after listing and reads none gets no more than some 100 KiB at once."""
    engine = build()
    many = [b"x" * 10] * 5000
    talk(engine, LOGIN, b"LIST\r\n", messages=many)
    engine.feed(b"LIST\r\n" * 50)
    assert isinstance(engine.next_event(), PauseWanted)
    assert len(engine.take_output()) < 250_000
    assert engine.next_event() is None
    engine.resume()
    assert isinstance(engine.next_event(), PauseWanted)


def test_a_message_that_breaks_off_has_no_end():
    """When the rest cannot be read, the connection closes without the final dot."""
    engine = build()
    talk(engine, LOGIN + b"LIST\r\n")
    engine.feed(b"RETR 1\r\nSTAT\r\n")
    engine.next_event()
    engine.begin_message(43, 16)
    engine.write_message(b"Subject: one\r\n")
    engine.abort_message()
    assert engine.take_output() == b"+OK 43 octets\r\nSubject: one\r\n"
    assert engine.closing
    assert engine.next_event() is None


def test_a_message_without_last_line_end_gets_one():
    """The dot always stands on a line of its own."""
    assert talk(build(), LOGIN, b"RETR 1\r\n", messages=[b"a: b\r\n\r\nno end"]).endswith(b"no end\r\n.\r\n")


def test_what_cannot_be_had_now():
    """A listing or a message that fails is -ERR with a code, and the session goes on."""
    engine = build()
    talk(engine, LOGIN)
    for line in (b"LIST\r\n", b"RETR 1\r\n"):
        engine.feed(line)
        event = engine.next_event()
        assert isinstance(event, ListingWanted)
        engine.fail("Not available now")
        assert engine.take_output() == b"-ERR [SYS/TEMP] Not available now\r\n"
    assert talk(engine, b"STAT\r\n") == b"+OK 4 85\r\n"


def test_messages_at_hand_are_answered_without_an_event():
    """Several RETRs in a row are one event and one output; what is not at hand is asked for; all count as read."""
    engine = build()
    talk(engine, LOGIN)
    engine.feed(b"RETR 1\r\n")
    assert isinstance(engine.next_event(), ListingWanted)
    shelf = {10: b"Subject: one\r\n\r\n", 30: b"Subject: three\r\n\r\n"}
    engine.give_listing([16, 16, 18], [10, 20, 30], str, lambda uid: shelf.pop(uid, None))
    engine.feed(b"NOOP\r\nRETR 3\r\nRETR 2\r\nQUIT\r\n")
    assert engine.next_event() == MessageWanted(1)
    assert engine.take_output() == (
        b"+OK 16 octets\r\nSubject: one\r\n\r\n.\r\n+OK\r\n+OK 18 octets\r\nSubject: three\r\n\r\n.\r\n"
    )
    engine.give_message(b"Subject: two\r\n\r\n")
    assert engine.next_event() == QuitWanted((), (0, 1, 2))


def test_the_size_told_is_that_of_the_listing():
    """Dots that were stuffed do not count (RFC 1939 section 11), however the commands come."""
    engine = build()
    talk(engine, LOGIN)
    engine.feed(b"LIST\r\n")
    engine.next_event()
    engine.give_listing([14, 14], [1, 2], str, lambda _: b"a: b\r\n\r\n..dot\r\n")
    engine.next_event()
    engine.take_output()
    assert engine.next_event() is None
    replies, left = engine.at_once(b"RETR 1\r\n")
    assert (replies, left) == (b"+OK 14 octets\r\na: b\r\n\r\n..dot\r\n.\r\n", b"")
    assert talk(engine, b"NOOP\r\nRETR 2\r\n") == b"+OK\r\n" + replies


def test_messages_at_hand_wait_for_the_client_too():
    """Whoever asks for much and reads nothing is waited for, as with messages that have to be read."""
    engine = build()
    talk(engine, LOGIN)
    engine.feed(b"LIST\r\n")
    engine.next_event()
    engine.give_listing([20_000] * 6, range(6), str, lambda _: b"x" * 19_998 + b"\r\n")
    engine.take_output()
    engine.feed(b"RETR 1\r\nRETR 2\r\nRETR 3\r\nRETR 4\r\n")
    assert isinstance(engine.next_event(), PauseWanted)
    assert 40_000 < len(engine.take_output()) < 41_000
    engine.resume()
    assert isinstance(engine.next_event(), PauseWanted)
    assert 40_000 < len(engine.take_output()) < 41_000


def test_large_messages_at_hand_are_asked_for_behind_other_output():
    """One that is too large to lie beside others is an event, so that the client has read what came before it."""
    engine = build()
    talk(engine, LOGIN)
    engine.feed(b"LIST\r\n")
    engine.next_event()
    engine.give_listing([50_000], [7], str, lambda _: b"x" * 49_998 + b"\r\n")
    engine.feed(b"RETR 1\r\n")
    assert engine.next_event() == MessageWanted(0)
