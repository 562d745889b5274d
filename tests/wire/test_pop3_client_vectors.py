"""The POP3 client engine fed whole, octet by octet and cut at every place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailshare.core.errors import LocalFault, PeerFault, Unavailable
from mailshare.wire.client_engine import Chunk, Overflow
from mailshare.wire.dots import stuff
from mailshare.wire.pop3_client import POP3Client
from mailshare.wire.pop3_client_replies import Listing, POP3Limits, POP3Reply
from mailshare.wire.sasl.bearer import XOAuth2Client
from mailshare.wire.sasl.login import LoginClient
from mailshare.wire.sasl.plain import PlainClient

DIALOGUE = (
    b"+OK 2 300\r\n"
    b"+OK\r\n1 100\r\n2 200\r\n.\r\n"
    b"+OK\r\n1 abc\r\n2 d:e f\r\n0 zero\r\n3 three\r\n1 again\r\n.\r\n"
    b"+OK follows\r\nSubject: x\r\n\r\n..\r\n...\r\n.\r\n"
    b"-ERR [SYS/TEMP] later\r\n"
    b"+OK bye\r\n"
)


FRAGMENTS = [b"+OK\r\n", b".\r\n", b"1 2\r\n", b"+ \r\n", b"-ERR\r\n"]


def begin() -> POP3Client:
    engine = POP3Client(secure=True)
    engine.feed(b"+OK hello\r\n")
    assert engine.next_event() is not None
    engine.capabilities = {"PIPELINING": ()}
    for command in (engine.stat, engine.list, engine.uidl):
        command()
    engine.retr(1)
    engine.dele(1)
    engine.quit()
    engine.take_output()
    return engine


def play(pieces: list[bytes]) -> tuple[list[POP3Reply], bytes]:
    engine = begin()
    replies: list[POP3Reply] = []
    body = b""
    for piece in pieces:
        engine.feed(piece)
        while (event := engine.next_event()) is not None:
            if isinstance(event, Chunk):
                body += event.data
            elif isinstance(event, POP3Reply):
                replies.append(event)
            engine.take_output()
    return replies, body


def check(pieces: list[bytes]) -> None:
    replies, body = play(pieces)
    assert [reply.command.name for reply in replies] == ["STAT", "LIST", "UIDL", "RETR", "DELE", "QUIT"]
    assert [reply.ok for reply in replies] == [True, True, True, True, False, True]
    assert replies[0].stat == (2, 300)
    assert replies[1].sizes == {1: 100, 2: 200}
    assert replies[2].uids == {1: "abc"}
    assert replies[2].ignored == 4
    assert body == b"Subject: x\r\n\r\n.\r\n..\r\n"
    assert replies[3].octets == len(body)
    assert replies[4].code == "SYS/TEMP"


def split_before_quit() -> int:
    return DIALOGUE.index(b"+OK bye")


def test_octet_by_octet() -> None:
    """One at a time."""
    check([DIALOGUE[at : at + 1] for at in range(len(DIALOGUE))])


@pytest.mark.parametrize("cut", range(1, split_before_quit()))
def test_cut_everywhere(cut: int) -> None:
    """At every place up to QUIT, whose reply comes when it was sent."""
    check([DIALOGUE[:cut], DIALOGUE[cut : split_before_quit()], DIALOGUE[split_before_quit() :]])


def fresh(*said: bytes, **arguments: object) -> POP3Client:
    engine = POP3Client(secure=True, **arguments)  # type: ignore[arg-type]
    engine.feed(b"+OK\r\n")
    assert engine.next_event() is not None
    return engine


def test_lock_step_without_pipelining() -> None:
    """One command out at a time."""
    engine = fresh()
    engine.stat()
    engine.list()
    assert engine.take_output() == b"STAT\r\n"
    assert engine.take_output() == b""
    engine.feed(b"+OK 0 0\r\n")
    engine.next_event()
    assert engine.take_output() == b"LIST\r\n"


def test_the_window_holds_octets_back() -> None:
    """Large messages are not all asked for at once, but one always is."""
    engine = fresh(limits=POP3Limits(window=10, window_octets=100))
    engine.capabilities = {"PIPELINING": ()}
    for number in range(1, 5):
        engine.retr(number, 80)
    assert engine.take_output() == b"RETR 1\r\nRETR 2\r\n"


def test_deletions_are_asked_for_in_lots() -> None:
    """One command of the engine's, a line for each message; the reply says of each whether the server agrees."""
    engine = fresh()
    with pytest.raises(LocalFault):
        engine.dele(1, 2)
    engine.capabilities = {"PIPELINING": ()}
    engine.dele(1, 2, 3)
    engine.stat()
    assert engine.take_output() == b"DELE 1\r\nDELE 2\r\nDELE 3\r\nSTAT\r\n"
    engine.feed(b"+OK\r\n-ERR no\r\n")
    assert engine.next_event() is None
    engine.feed(b"+OK\r\n+OK 3 3\r\n")
    first, second = engine.next_event(), engine.next_event()
    assert isinstance(first, POP3Reply)
    assert isinstance(second, POP3Reply)
    assert (first.ok, first.agreed) == (False, (True, False, True))
    assert (second.command.name, second.stat) == ("STAT", (3, 3))


ANSWERS = [b"+OK", b"+OK Marked to be deleted.", b"-ERR no", b"+ok", b"+OK " + b"x" * 300, b"+OK \xff", b"+OK\t"]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(ANSWERS), min_size=2, max_size=80), st.integers(1, 300))
def test_answers_mean_the_same_one_by_one_and_all_at_once(answers: list[bytes], cut: int) -> None:
    """Usual answers to a lot are taken out together; the one behind them stays, wherever the stream is cut."""
    found = []
    octets = b"".join(answer + b"\r\n" for answer in answers) + b"+OK 7 77\r\n"
    for pieces in ([octets], [octets[:cut], octets[cut:]], [octets[at : at + 1] for at in range(len(octets))]):
        engine = fresh()
        engine.capabilities = {"PIPELINING": ()}
        engine.dele(*range(1, len(answers) + 1))
        engine.stat()
        engine.take_output()
        replies = []
        for piece in pieces:
            engine.feed(piece)
            while (event := engine.next_event()) is not None:
                assert isinstance(event, POP3Reply)
                replies.append((event.command.name, event.agreed, event.stat))
        found.append(replies)
    assert found[0] == found[1] == found[2]
    assert [(name, len(agreed), stat) for name, agreed, stat in found[0]] == [
        ("DELE", len(answers), (0, 0)),
        ("STAT", 1, (7, 77)),
    ]


def test_the_window_counts_each_deletion() -> None:
    """A lot is as many commands as it has messages."""
    engine = fresh(limits=POP3Limits(window=4))
    engine.capabilities = {"PIPELINING": ()}
    engine.dele(1, 2, 3)
    for number in (4, 5):
        engine.retr(number)
    assert engine.take_output() == b"DELE 1\r\nDELE 2\r\nDELE 3\r\nRETR 4\r\n"


ROWS = [b"1 10", b"2 20", b"3 30", b"2 99", b"4 x", b"9 90", b" 3 30", b"03 30", b"..", b"5 50 more", b"0 1", b""]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(ROWS), max_size=8), st.sampled_from(["LIST", "UIDL"]), st.integers(1, 60))
def test_rows_mean_the_same_one_by_one_and_all_at_once(rows: list[bytes], kind: str, cut: int) -> None:
    """Usual rows are read in blocks; whatever stands among them, and wherever the stream is cut, nothing changes."""
    found = []
    octets = b"+OK\r\n" + b"".join(row + b"\r\n" for row in rows) + b".\r\n"
    for pieces in ([octets], [octets[:cut], octets[cut:]], [octets[at : at + 1] for at in range(len(octets))]):
        engine = fresh()
        engine.count = 5
        engine.list() if kind == "LIST" else engine.uidl()
        engine.take_output()
        for piece in pieces:
            engine.feed(piece)
            if (reply := engine.next_event()) is not None:
                assert isinstance(reply, POP3Reply)
                found.append((dict(reply.sizes), dict(reply.uids), reply.ignored))
    assert len(found) == 3
    assert found[0] == found[1] == found[2]
    alone = Listing(kind, 5, POP3Limits())
    for row in rows:
        alone.row(row.removeprefix(b"."))
    assert found[0] == (alone.sizes, alone.uids, alone.ignored)


@pytest.mark.parametrize(
    "message", [b"", b"a\r\n", b".\r\n", b"\r\n", b"a\r\n.b\r\n..\r\n", b"\r\n.\r\n", b"x" * 700 + b"\r\n"]
)
@pytest.mark.parametrize("size", [0, 3, 900])
def test_a_message_that_is_there_whole_is_the_same(message: bytes, size: int) -> None:
    """Taken out in one piece or in many, whatever size was listed; and the next reply stands behind it."""
    octets = b"+OK\r\n" + stuff(message) + b"+OK 1 1\r\n"
    for step in (1, 7, len(octets)):
        engine = fresh()
        engine.capabilities = {"PIPELINING": ()}
        engine.retr(1, size)
        engine.stat()
        engine.take_output()
        came, replies = b"", []
        for at in range(0, len(octets), step):
            engine.feed(octets[at : at + step])
            while (event := engine.next_event()) is not None:
                if isinstance(event, Chunk):
                    came += event.data
                elif isinstance(event, POP3Reply):
                    replies.append(event)
        assert came == message
        assert [(reply.command.name, reply.octets) for reply in replies] == [("RETR", len(message)), ("STAT", 0)]


def test_stls_forgets_and_refuses_what_came_before() -> None:
    """Octets behind +OK end the session; capabilities of before are void."""
    engine = POP3Client(secure=False)
    engine.feed(b"+OK\r\n")
    engine.next_event()
    engine.capabilities = {"SASL": ("PLAIN",)}
    engine.stls()
    engine.take_output()
    engine.feed(b"+OK go\r\n")
    assert engine.next_event() is not None
    engine.stat()
    assert engine.take_output() == b""
    engine.secured()
    assert engine.capabilities == {}
    assert engine.take_output() == b"STAT\r\n"


@pytest.mark.parametrize("whole", [True, False])
def test_injection_behind_stls(whole: bool) -> None:
    """In the same segment or in the next one before TLS starts."""
    engine = POP3Client(secure=False)
    engine.feed(b"+OK\r\n")
    engine.next_event()
    engine.stls()
    engine.take_output()
    with pytest.raises(PeerFault):
        if whole:
            engine.feed(b"+OK go\r\n+OK 1 1\r\n")
            engine.next_event()
        else:
            engine.feed(b"+OK go\r\n")
            engine.next_event()
            engine.feed(b"+OK 1 1\r\n")
    assert engine.closing


def test_no_password_outside_tls() -> None:
    """USER, PASS and AUTH refuse, unless the account says so."""
    engine = POP3Client(secure=False)
    for attempt in (lambda: engine.user("u"), lambda: engine.password("p"), lambda: engine.auth(PlainClient("u", "p"))):
        with pytest.raises(LocalFault):
            attempt()
    POP3Client(secure=False, allow_plain=True).password("p")


def test_arguments_cannot_end_the_line() -> None:
    """A CRLF in a name is our fault, not a second command."""
    with pytest.raises(LocalFault):
        fresh().user("u\r\nDELE 1")


def test_a_long_initial_response_waits_to_be_asked() -> None:
    """RFC 5034: the AUTH line has at most 255 octets."""
    engine = fresh()
    engine.auth(XOAuth2Client("u", "t" * 300))
    assert engine.take_output() == b"AUTH XOAUTH2\r\n"
    engine.feed(b"+ \r\n")
    assert engine.next_event() is None
    assert len(engine.take_output()) > 400
    short = fresh()
    short.auth(PlainClient("u", "p"))
    assert short.take_output() == b"AUTH PLAIN AHUAcA==\r\n"


def test_login_answers_the_prompts() -> None:
    """Name, then password."""
    engine = fresh()
    engine.auth(LoginClient("u", "p"))
    out = [engine.take_output()]
    for challenge in (b"+ VXNlcm5hbWU6\r\n", b"+ UGFzc3dvcmQ6\r\n"):
        engine.feed(challenge)
        engine.next_event()
        out.append(engine.take_output())
    assert out == [b"AUTH LOGIN\r\n", b"dQ==\r\n", b"cA==\r\n"]
    engine.feed(b"+OK\r\n")
    reply = engine.next_event()
    assert isinstance(reply, POP3Reply)
    assert reply.ok


def test_a_yes_before_the_password_is_not_believed() -> None:
    """The mechanism has the last word."""
    engine = fresh()
    engine.auth(LoginClient("u", "p"))
    engine.take_output()
    engine.feed(b"+OK\r\n")
    with pytest.raises(PeerFault):
        engine.next_event()


def test_caps_hold() -> None:
    """Status line, rows, message."""
    engine = fresh()
    engine.stat()
    engine.take_output()
    engine.feed(b"+OK " + b"9" * 9000)
    with pytest.raises(Overflow):
        engine.next_event()
    rows = fresh()
    rows.list()
    rows.take_output()
    rows.feed(b"+OK\r\n" + b"1 1\r\n" * 1001)
    with pytest.raises(Overflow):
        rows.next_event()
    large = fresh(limits=POP3Limits(message=1000))
    large.retr(1)
    large.take_output()
    large.feed(b"+OK\r\n" + b"x" * 2000)
    with pytest.raises(Overflow):
        large.next_event()


def test_a_line_may_be_as_long_as_its_message() -> None:
    """It comes out as it came in, piece by piece, and nothing of it is kept for its end."""
    engine = fresh(limits=POP3Limits(message=3_000_000))
    engine.retr(1)
    engine.take_output()
    engine.feed(b"+OK\r\n")
    got = 0
    for _ in range(40):
        engine.feed(b"x" * 65_536)
        piece = engine.next_event()
        assert isinstance(piece, Chunk)
        got += len(piece.data)
    assert got == 40 * 65_536
    engine.feed(b"\r\n.\r\n")
    assert isinstance(engine.next_event(), Chunk)
    reply = engine.next_event()
    assert isinstance(reply, POP3Reply)
    assert (reply.ok, reply.octets) == (True, got + 2)


def test_the_server_says_goodbye_unasked() -> None:
    """Its words reach the status."""
    engine = fresh()
    engine.feed(b"-ERR idle for too long\r\n")
    with pytest.raises(Unavailable, match="idle for too long"):
        engine.next_event()


@settings(max_examples=300)
@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from(FRAGMENTS)), max_size=30))
def test_garbage_raises_nothing_but_faults(pieces: list[bytes]) -> None:
    """Whatever comes, there are replies or faults, and an end."""
    engine = begin()
    try:
        for piece in pieces:
            engine.feed(piece)
            while engine.next_event() is not None:
                engine.take_output()
    except (PeerFault, Unavailable):
        assert engine.closing
