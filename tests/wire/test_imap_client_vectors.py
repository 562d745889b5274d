"""The IMAP client engine fed whole, octet by octet and cut at every place."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailshare.core.errors import LocalFault, PeerFault, Unavailable
from mailshare.wire.client_engine import Chunk, Overflow
from mailshare.wire.imap_client import IMAPClient
from mailshare.wire.imap_names import decode_name, encode_name, quoted
from mailshare.wire.imap_replies import IMAPLimits, IMAPReply, Selected
from mailshare.wire.sasl.login import LoginClient
from mailshare.wire.sasl.plain import PlainClient
from mailshare.wire.sasl.scram import ScramClient

MESSAGE = b"Subject: {5}\r\n\r\nm1 OK not really\r\n* BYE\r\n)\r\n"
DIALOGUE = (
    b"* 2 EXISTS\r\n* OK [UIDVALIDITY 17] fine\r\n* OK [UIDNEXT 90] next\r\n* FLAGS (\\Seen \\Deleted)\r\n"
    b"m1 OK [READ-WRITE] open {3}\r\n"
    b"* 1 FETCH (UID 7 RFC822.SIZE 100)\r\n* 2 FETCH (RFC822.SIZE 200 FLAGS (\\Seen) UID 8)\r\n"
    b'* 2 FETCH (X-OTHER ("a\\"b" {4}\r\nxy)( NIL) FLAGS ())\r\n'
    b"m2 OK done\r\n"
    b"* 1 FETCH (FLAGS (\\Answered))\r\n"
    b"* 2 FETCH (FLAGS (\\Seen) BODY[] {%d}\r\n%b UID 8)\r\nm4 OK fetched\r\n" % (len(MESSAGE), MESSAGE)
    + b"* 1 FETCH (UID 7 BODY[HEADER] {14}\r\nSubject: x\r\n\r\n)\r\nm3 OK fetched\r\n"
    + b'* 1 FETCH (UID 7 BODY[] "abc \\"d\\"")\r\nm5 OK\r\n'
    + b'* SEARCH 3 8\r\n* ESEARCH (TAG "m6") UID ALL 10:12,14\r\nm6 OK found\r\n'
    + b"m7 NO [INUSE] later\r\n"
    + b"* BYE bye\r\nm8 OK gone\r\n"
)


def begin(*, opened: bool = False, capabilities: str = "IMAP4rev1", limits: IMAPLimits | None = None) -> IMAPClient:
    """An engine behind its greeting, with a mailbox open when wanted."""
    engine = IMAPClient(secure=True, limits=limits)
    engine.feed(b"* OK [CAPABILITY %b] hello\r\n" % capabilities.encode())
    assert engine.next_event() is not None
    if opened:
        engine.select("INBOX")
        engine.take_output()
        engine.feed(b"* 2 EXISTS\r\n* OK [UIDVALIDITY 17] fine\r\nm1 OK\r\n")
        assert engine.next_event() is not None
    return engine


def events(engine: IMAPClient, data: bytes = b"") -> list[Chunk | IMAPReply]:
    """Everything that comes of these octets; commands go out meanwhile."""
    engine.feed(data)
    found = []
    while (event := engine.next_event()) is not None:
        found.append(event)
        engine.take_output()
    return found


def one(engine: IMAPClient, data: bytes) -> IMAPReply:
    """The one reply."""
    (reply,) = [event for event in events(engine, data) if isinstance(event, IMAPReply)]
    return reply


def play(pieces: list[bytes]) -> tuple[list[IMAPReply], dict[str, bytes], IMAPClient]:
    engine = begin()
    engine.select("INBOX")
    engine.take_output()
    replies: list[IMAPReply] = []
    bodies: dict[str, bytes] = {}
    for piece in pieces:
        engine.feed(piece)
        while (event := engine.next_event()) is not None:
            if isinstance(event, Chunk):
                tag = event.command.tag.decode()  # type: ignore[attr-defined]
                bodies[tag] = bodies.get(tag, b"") + event.data
            else:
                replies.append(event)
                if event.command.name == "SELECT":
                    engine.sizes()
                    engine.header(7)
                    engine.fetch(8, 50)
                    engine.fetch(7, 50)
                    engine.search_deleted()
                    engine.noop()
                    engine.logout()
            engine.take_output()
    return replies, bodies, engine


def check(pieces: list[bytes]) -> None:
    replies, bodies, engine = play(pieces)
    names = [reply.command.name for reply in replies]
    assert names == ["SELECT", "FETCH", "FETCH", "FETCH", "FETCH", "SEARCH", "NOOP", "LOGOUT"]
    assert [reply.ok for reply in replies] == [True] * 6 + [False, True]
    assert engine.selected == Selected(exists=2, uidvalidity=17, uidnext=90)
    assert (replies[1].rows, replies[1].ignored) == ({7: 100, 8: 200}, 0)
    assert bodies == {"m4": MESSAGE, "m3": b"Subject: x\r\n\r\n", "m5": b'abc "d"'}
    assert [reply.octets for reply in replies[2:5]] == [len(MESSAGE), 14, 7]
    assert all(reply.fault == "" for reply in replies)
    assert replies[5].found == (3, 8, 10, 11, 12, 14)
    assert (replies[6].code, replies[6].text) == ("INUSE", "later")


def test_whole() -> None:
    """All at once: what is answered before it was sent is not taken."""
    with pytest.raises(PeerFault, match="without being asked"):
        play([DIALOGUE.replace(b"m2 OK", b"m9 OK")])
    check([DIALOGUE])


def test_octet_by_octet() -> None:
    """One at a time."""
    check([DIALOGUE[at : at + 1] for at in range(len(DIALOGUE))])


@pytest.mark.parametrize("cut", range(1, len(DIALOGUE)))
def test_cut_everywhere(cut: int) -> None:
    """At every place, within line ends, literals and what announces them too."""
    check([DIALOGUE[:cut], DIALOGUE[cut:]])


def test_commands_go_out_ahead_but_not_past_a_change_of_state() -> None:
    """RFC 3501 section 5.5: octets of messages are asked for together; SELECT waits, and is waited for."""
    engine = begin(opened=True)
    engine.fetch(1)
    engine.header(2)
    engine.select("Junk", read_only=True)
    engine.fetch(3)
    assert engine.take_output() == b"m2 UID FETCH 1 (UID BODY.PEEK[])\r\nm3 UID FETCH 2 (UID BODY.PEEK[HEADER])\r\n"
    events(engine, b"m3 OK\r\nm2 OK\r\n")
    assert engine.head is not None
    assert engine.head.name == "EXAMINE"
    assert engine.selected is None
    events(engine, b"* 0 EXISTS\r\nm4 OK [READ-ONLY]\r\n")
    assert engine.head.name == "FETCH"


def test_the_window_holds_octets_back() -> None:
    """Large messages are not all asked for at once, but one always is."""
    engine = begin(opened=True, limits=IMAPLimits(window=10, window_octets=100))
    for uid in range(1, 5):
        engine.fetch(uid, 80)
    assert engine.take_output().count(b"FETCH") == 2


def test_names_are_written_in_modified_utf_7() -> None:
    """RFC 3501 section 5.1.3; quotes and backslashes escaped; a server of IMAP4rev2 alone gets UTF-8, as a literal."""
    engine = begin()
    engine.select("~peter/mail/台北/日本語")
    assert engine.take_output() == b'm1 SELECT "~peter/mail/&U,BTFw-/&ZeVnLIqe-"\r\n'
    engine = begin(capabilities="IMAP4REV2")
    engine.select("日")
    assert engine.take_output() == b"m1 SELECT {3+}\r\n\xe6\x97\xa5\r\n"
    assert encode_name('a & "b\\') == b'a &- "b\\'
    assert quoted(b'a "b\\') == b'"a \\"b\\\\"'


@given(st.text(max_size=30), st.binary(max_size=30))
def test_names_come_back(name: str, wire: bytes) -> None:
    """Whatever people write; and whatever a server writes is some text."""
    if name.isprintable():
        assert decode_name(encode_name(name)) == name
        assert encode_name(name).isascii()
    assert isinstance(decode_name(wire), str)


def test_starttls_forgets_and_refuses_what_came_before() -> None:
    """Octets behind OK end the session; capabilities and alerts of before are void."""
    engine = IMAPClient(secure=False)
    events(engine, b"* OK [CAPABILITY IMAP4REV1 STARTTLS AUTH=PLAIN] hi\r\n* NO [ALERT] believe me\r\n")
    assert engine.mechanisms == ("PLAIN",)
    engine.starttls()
    engine.take_output()
    assert one(engine, b"m1 OK go\r\n").ok
    engine.capability()
    assert engine.take_output() == b""
    engine.secured()
    assert (engine.capabilities, list(engine.alerts)) == (frozenset(), [])
    assert engine.take_output() == b"m2 CAPABILITY\r\n"


@pytest.mark.parametrize("whole", [True, False])
def test_injection_behind_starttls(whole: bool) -> None:
    """In the same segment or in the next one before TLS starts."""
    engine = IMAPClient(secure=False)
    events(engine, b"* OK hi\r\n")
    engine.starttls()
    engine.take_output()
    with pytest.raises(PeerFault):
        if whole:
            events(engine, b"m1 OK go\r\nm2 OK [CAPABILITY AUTH=PLAIN]\r\n")
        else:
            events(engine, b"m1 OK go\r\n")
            engine.feed(b"* CAPABILITY AUTH=PLAIN\r\n")
    assert engine.closing


def test_no_password_outside_tls() -> None:
    """Unless the account says so; never where the server wants none."""
    engine = IMAPClient(secure=False)
    events(engine, b"* OK hi\r\n")
    with pytest.raises(LocalFault):
        engine.login("mail", "secret")
    with pytest.raises(LocalFault):
        engine.authenticate(PlainClient("mail", "secret"))
    assert engine.take_output() == b""
    engine = begin(capabilities="IMAP4REV1 LOGINDISABLED")
    with pytest.raises(LocalFault):
        engine.login("mail", "secret")
    plain = IMAPClient(secure=False, allow_plain=True)
    events(plain, b"* OK hi\r\n")
    plain.login('ma"il', "se\\cret")
    assert plain.take_output() == b'm1 LOGIN "ma\\"il" "se\\\\cret"\r\n'


@pytest.mark.parametrize(
    ("capabilities", "first"),
    [("", b"m1 LOGIN {5}\r\n"), ("LITERAL+", b"m1 LOGIN {5+}\r\nm\xc3\xa4il {7+}\r\nr\xc3\xa4tsel\r\n")],
)
def test_a_password_beyond_ascii_goes_as_a_literal(capabilities: str, first: bytes) -> None:
    """Asked for piece by piece, or at once where the server allows it (RFC 7888)."""
    engine = begin(capabilities=f"IMAP4REV1 {capabilities}".strip())
    engine.login("mäil", "rätsel")
    assert engine.take_output() == first
    if not capabilities:
        events(engine)
        engine.feed(b"+ go on\r\n")
        assert engine.next_event() is None
        assert engine.take_output() == b"m\xc3\xa4il {7}\r\n"
        engine.feed(b"+\r\n")
        assert engine.next_event() is None
        assert engine.take_output() == b"r\xc3\xa4tsel\r\n"
    assert one(engine, b"m1 OK in\r\n").ok


def test_control_characters_never_become_commands() -> None:
    """A name or password cannot end the line."""
    engine = begin()
    for text in ("a\r\nb", "a\0"):
        with pytest.raises(LocalFault):
            engine.login("mail", text)


def test_sasl_with_and_without_initial_response() -> None:
    """SASL-IR (RFC 4959), else one turn more; several challenges; capabilities are void after login."""
    engine = begin(capabilities="IMAP4REV1 SASL-IR AUTH=PLAIN")
    engine.authenticate(PlainClient("u", "p"))
    assert engine.take_output() == b"m1 AUTHENTICATE PLAIN AHUAcA==\r\n"
    assert one(engine, b"m1 OK in\r\n").ok
    assert engine.capabilities == frozenset()
    engine = begin()
    engine.authenticate(LoginClient("u", "p"))
    assert engine.take_output() == b"m1 AUTHENTICATE LOGIN\r\n"
    for challenge, answer in ((b"VXNlcm5hbWU6", b"dQ==\r\n"), (b"UGFzc3dvcmQ6", b"cA==\r\n")):
        engine.feed(b"+ " + challenge + b"\r\n")
        assert engine.next_event() is None
        assert engine.take_output() == answer
    assert one(engine, b"* CAPABILITY IMAP4REV1 IDLE\r\nm1 OK in\r\n").ok
    assert engine.offers("IDLE")


@pytest.mark.parametrize("said", [b"+ not base64\r\nm1 OK in\r\n", b"m1 OK in\r\n", b"+ \r\n" * 50])
def test_a_login_that_was_none(said: bytes) -> None:
    """The server's yes to what we broke off or never said is no login."""
    engine = begin()
    engine.authenticate(PlainClient("u", "p") if b"base64" in said else ScramClient("u", "p", "n" * 24))
    engine.take_output()
    with pytest.raises(PeerFault):
        events(engine, said)


def test_idle_tells_of_mail_and_ends_with_done() -> None:
    """RFC 2177: nothing else goes out meanwhile; what is expunged is no news, what comes is, once."""
    engine = begin(opened=True)
    engine.idle()
    assert engine.take_output() == b"m2 IDLE\r\n"
    assert one(engine, b"+ idling\r\n").command.name == "IDLE"
    assert engine.head is None
    engine.noop()
    assert engine.take_output() == b""
    assert not engine.mail_came()
    news = engine.news()
    assert events(engine, b"* OK still here\r\n* 1 EXPUNGE\r\n* 1 EXISTS\r\n* 1 FETCH (FLAGS (\\Seen))\r\n") == []
    (told,) = events(engine, b"* 2 EXISTS\r\n")
    assert isinstance(told, IMAPReply)
    assert (told.command, told.news) == (news, True)
    done = engine.done()
    assert engine.take_output() == b"DONE\r\n"
    assert one(engine, b"* 3 EXISTS\r\nm2 OK\r\n").command is done
    assert engine.mail_came()
    assert not engine.mail_came()
    assert engine.head is not None
    assert engine.head.name == "NOOP"


def test_done_answers_whoever_waits() -> None:
    """Also when nothing came; an IDLE that the server ends by itself is over."""
    engine = begin(opened=True)
    engine.idle()
    engine.take_output()
    events(engine, b"+\r\n")
    engine.news()
    engine.done()
    replies = events(engine, b"m2 OK\r\n")
    assert [(reply.command.name, reply.news) for reply in replies if isinstance(reply, IMAPReply)] == [
        ("news", False), ("DONE", False),
    ]  # fmt: skip
    engine.idle()
    engine.take_output()
    events(engine, b"+\r\n")
    with pytest.raises(Unavailable):
        events(engine, b"m3 OK enough\r\n")
    with pytest.raises(LocalFault):
        begin().done()


def test_idle_refused() -> None:
    """A tagged NO is its reply; an OK without having begun is nonsense."""
    engine = begin(opened=True)
    engine.idle()
    engine.take_output()
    assert one(engine, b"m2 NO not here\r\n").status == "NO"
    engine.idle()
    engine.take_output()
    with pytest.raises(PeerFault):
        events(engine, b"m3 OK\r\n")


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (b"* 1 FETCH (UID 5 BODY[] {3}\r\nabc)\r\n* 1 FETCH (UID 5 BODY[] {3}\r\nxyz)\r\n", "twice"),
        (b"* 1 FETCH (UID 5 BODY[] {3}\r\nabc ((\r\n", "no sense"),
        (b"* 1 FETCH (UID 5 BODY[] NIL)\r\n", "did not send"),
        (b"* 1 FETCH (UID 6 BODY[] {3}\r\nabc)\r\n", "did not send"),
        (b"* 1 FETCH (UID 5 BODY[HEADER] {3}\r\nabc)\r\n", "did not send"),
        (b"", "did not send"),
    ],
)
def test_what_is_no_message(said: bytes, fault: str) -> None:
    """The message is not taken, the session goes on, and only octets of the message are ever given out."""
    engine = begin(opened=True)
    engine.fetch(5)
    engine.take_output()
    found = events(engine, said + b"m2 OK\r\n")
    assert isinstance(found[-1], IMAPReply)
    assert fault in found[-1].fault
    assert b"".join(one.data for one in found if isinstance(one, Chunk)) in (b"", b"abc")


@pytest.mark.parametrize(
    "said",
    [
        b"* 1 FETCH (BODY[] {3}\r\nabc UID 6)\r\n",
        b"* 1 FETCH (BODY[] {3}\r\nabc)\r\n",
        b"* 1 FETCH (UID 5 UID 6 BODY[] {3}\r\nabc)\r\n",
    ],
)
def test_another_message_than_the_one_asked_for(said: bytes) -> None:
    """Octets that turn out to be another message's end the session; whoever took them drops them."""
    engine = begin(opened=True)
    engine.fetch(5)
    engine.fetch(6)
    engine.take_output()
    with pytest.raises(PeerFault, match="another message"):
        events(engine, said)
    assert engine.closing


@pytest.mark.parametrize(
    "said",
    [
        b"m9 OK what\r\n",
        b"+ go on\r\n",
        b"m2 YES\r\n",
        b"m2 BYE\r\n",
        b"nonsense\r\n",
        b"* 1 FETCH (UID 5 BODY[] {9999}\r\n",
        b"* X " + b"y" * 5000,
        b"* X {4000}\r\n",
        b"* X {99999999999999999999}\r\n",
        b"* NO more\r\n" * 500,
        b"* 1 FETCH (" + b"UID {1}\r\n5 " * 200,
        b"* BYE\r\n",
        b"\r\n" * 500,
    ],
)
def test_what_ends_the_session(said: bytes) -> None:
    """Every buffer has its cap; what cannot be understood is not guessed at."""
    limits = IMAPLimits(response=3000, message=1000, unasked=100)
    engine = begin(opened=True, limits=limits)
    engine.fetch(5)
    engine.take_output()
    with pytest.raises((PeerFault, Unavailable)):
        events(engine, said)
    assert engine.closing


def test_a_listing_is_bounded_and_its_nonsense_counted() -> None:
    """More rows than messages end the session; rows without sense cost nothing else."""
    engine = begin(opened=True)
    engine.sizes()
    engine.take_output()
    said = (
        b"* 1 FETCH (UID 7 RFC822.SIZE 10)\r\n* 2 FETCH (RFC822.SIZE 10)\r\n* 3 FETCH (UID 0 RFC822.SIZE 1)\r\n"
        b"* 4 FETCH (UID 7 RFC822.SIZE 11)\r\n* 5 FETCH (UID 8 RFC822.SIZE -1)\r\n* 6 FETCH (UID 9 RFC822.SIZE)\r\n"
        b"* 7 FETCH ((((((((((((((((((((()\r\n* 8 FETCH UID 9\r\n* FETCH\r\n* 1 FETCH (FLAGS ())\r\n"
    )
    reply = one(engine, said + b"m2 OK\r\n")
    assert (reply.rows, reply.ignored) == ({7: 10}, 7)
    engine.sizes()
    engine.take_output()
    with pytest.raises(Overflow):
        events(engine, b"".join(b"* 1 FETCH (UID %d RFC822.SIZE 1)\r\n" % uid for uid in range(1, 1010)))


def test_a_large_folder_may_be_emptied_at_once() -> None:
    """A line for each message that goes, and one for each flag, is much and right."""
    engine = begin()
    engine.select("INBOX")
    engine.take_output()
    assert one(engine, b"* 20000 EXISTS\r\nm1 OK\r\n").ok
    engine.mark_deleted(b"1:20000")
    engine.take_output()
    flags = b"".join(b"* %d FETCH (FLAGS (\\Deleted))\r\n" % number for number in range(1, 20_001))
    assert one(engine, flags + b"m2 OK\r\n").ok
    engine.expunge(b"1:20000")
    engine.take_output()
    assert one(engine, b"* 1 EXPUNGE\r\n" * 20_000 + b"m3 OK\r\n").ok
    assert engine.selected == Selected(exists=0)
    engine.noop()
    engine.take_output()
    with pytest.raises(Overflow):
        events(engine, b"* 1 EXPUNGE\r\n" * 20_000)


def test_mailboxes_and_what_they_are_for() -> None:
    """RFC 6154; names of people and of the wire; nonsense left out."""
    engine = begin(capabilities="IMAP4REV1 SPECIAL-USE LIST-EXTENDED")
    engine.list()
    assert engine.take_output() == b'm1 LIST "" "*" RETURN (SPECIAL-USE)\r\n'
    reply = one(
        engine,
        b'* LIST (\\HasNoChildren \\Junk) "/" "Unerw&APw-nscht"\r\n* LIST () NIL INBOX\r\n'
        b'* LIST (\\Noselect) "/" {5}\r\na"b c\r\n* LIST\r\n* LIST () "/" ""\r\n* LIST () "/" "&bad"\r\nm1 OK\r\n',
    )
    assert [(box.name, box.delimiter) for box in reply.mailboxes] == [
        ("Unerwünscht", "/"), ("INBOX", ""), ('a"b c', "/"), ("&bad", "/"),
    ]  # fmt: skip
    assert "\\JUNK" in reply.mailboxes[0].flags


def test_unsolicited_octets_are_dropped_as_they_come() -> None:
    """A message that nobody asked for is not gathered."""
    engine = begin(opened=True, limits=IMAPLimits(response=2000))
    engine.fetch(5)
    engine.take_output()
    found = events(engine, b"* 1 FETCH (UID 9 BODY[] {50000}\r\n" + b"x" * 50_000 + b")\r\nm2 OK\r\n")
    assert [type(event) for event in found] == [IMAPReply]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(0, len(DIALOGUE)))
def test_hostile_octets_raise_nothing_else(junk: bytes, at: int) -> None:
    """Put anywhere into a dialogue, they end it or are survived."""
    with suppress(PeerFault, Unavailable):
        play([DIALOGUE[:at] + junk + DIALOGUE[at:]])
