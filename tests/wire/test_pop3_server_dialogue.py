"""Dialogues with the POP3 server engine: what is said, in which order, however the octets are cut."""

import base64
import io
import poplib
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailshare.core.errors import LocalFault
from mailshare.wire.pop3_server import POP3Server, ServerSettings
from mailshare.wire.pop3_server_events import (
    ListingWanted,
    MessageWanted,
    NameProven,
    PasswordGiven,
    PauseWanted,
    ProofRejected,
    QuitWanted,
    VerifierWanted,
)
from mailshare.wire.pop3_server_login import LoginOffer
from mailshare.wire.replies import ANSWERED, START_TLS
from mailshare.wire.sasl.exchange import encode
from mailshare.wire.sasl.scram import ScramClient, make_verifier

NONCE = "fyko+d2lbbFgONRv9qkxdawL"
SALT = b"0123456789abcdef"
MESSAGES = [
    b"Subject: one\r\n\r\nfirst\r\n.dot\r\n..two\r\nlast\r\n",
    b"Subject: two\r\n\r\n",
    b"No: body\r\n",
    b"\r\n.\r\nonly a dot\r\n",
]


def build(*, clear=True, scram=False, starttls=False, secure=False, **more) -> POP3Server:
    """An engine with a fixed nonce."""
    offer = LoginOffer(lambda: NONCE, clear, scram)
    return POP3Server(ServerSettings("pop.example", offer, starttls=starttls, **more), secure=secure)


def answer(engine: POP3Server, event, messages=MESSAGES) -> None:
    """Do what a session would do."""
    if isinstance(event, PasswordGiven):
        if (event.name, event.password) == (b"joe", b"secret"):
            engine.admit(len(messages), sum(map(len, messages)))
        else:
            engine.refuse_login()
    elif isinstance(event, ProofRejected):
        engine.refuse_login()
    elif isinstance(event, NameProven):
        engine.admit(len(messages), sum(map(len, messages)))
    elif isinstance(event, VerifierWanted):
        engine.give_verifier(make_verifier("secret", SALT, 4096))
    elif isinstance(event, ListingWanted):
        engine.give_listing([len(message) for message in messages], lambda index: f"uid-{index}")
    elif isinstance(event, MessageWanted):
        message = messages[event.index]
        end = message.find(b"\r\n\r\n")
        engine.begin_message(len(message), end + 4 if end >= 0 else (2 if message[:2] == b"\r\n" else len(message)))
        for start in range(0, len(message), 3):
            if not engine.write_message(message[start : start + 3]):
                break
        engine.end_message()
    elif isinstance(event, QuitWanted):
        engine.finished(len(event.deleted))
    elif isinstance(event, PauseWanted):
        engine.resume()
    elif event is START_TLS:
        engine.secured()


def talk(engine: POP3Server, *pieces: bytes, messages=MESSAGES) -> bytes:
    """Feed pieces, answer what is asked, return all that was said."""
    said = []
    for piece in pieces:
        engine.feed(piece)
        while (event := engine.next_event()) is not None:
            answer(engine, event, messages)
        said.append(engine.take_output())
    return b"".join(said)


LOGIN = b"USER joe\r\nPASS secret\r\n"
LOGGED_IN = b"+OK Now the password\r\n+OK 4 messages (85 octets)\r\n"

WHOLE = (
    b"CAPA\r\n"
    + LOGIN
    + b"STAT\r\nLIST\r\nLIST 2\r\nUIDL 3\r\nUIDL\r\nRETR 1\r\nTOP 1 2\r\nTOP 3 9\r\nRETR 4\r\nNOOP\r\nDELE 1\r\n"
    b"DELE 1\r\nRETR 1\r\nLIST 1\r\nUIDL 1\r\nTOP 1 0\r\nSTAT\r\nLIST\r\nUIDL\r\nRSET\r\nSTAT\r\nDELE 2\r\nQUIT\r\n"
)
WHOLE_REPLY = (
    b"+OK What is offered\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nUTF8 USER\r\n"
    b"IMPLEMENTATION mailshare\r\nUSER\r\nSASL PLAIN LOGIN\r\n.\r\n"
    + LOGGED_IN
    + b"+OK 4 85\r\n"
    b"+OK 4 messages (85 octets)\r\n1 42\r\n2 16\r\n3 10\r\n4 17\r\n.\r\n"
    b"+OK 2 16\r\n"
    b"+OK 3 uid-2\r\n"
    b"+OK\r\n1 uid-0\r\n2 uid-1\r\n3 uid-2\r\n4 uid-3\r\n.\r\n"
    b"+OK 42 octets\r\nSubject: one\r\n\r\nfirst\r\n..dot\r\n...two\r\nlast\r\n.\r\n"
    b"+OK\r\nSubject: one\r\n\r\nfirst\r\n..dot\r\n.\r\n"
    b"+OK\r\nNo: body\r\n.\r\n"
    b"+OK 17 octets\r\n\r\n..\r\nonly a dot\r\n.\r\n"
    b"+OK\r\n"
    b"+OK Deleted at QUIT\r\n"
    + b"-ERR That message is deleted\r\n" * 5
    + b"+OK 3 43\r\n"
    b"+OK 3 messages (43 octets)\r\n2 16\r\n3 10\r\n4 17\r\n.\r\n"
    b"+OK\r\n2 uid-1\r\n3 uid-2\r\n4 uid-3\r\n.\r\n"
    b"+OK 4 messages (85 octets)\r\n"
    b"+OK 4 85\r\n"
    b"+OK Deleted at QUIT\r\n"
    b"+OK 1 messages deleted\r\n"
)


def test_lengths_of_the_fixture():
    """The octets in the expected replies are those of the messages."""
    assert [len(message) for message in MESSAGES] == [42, 16, 10, 17]


def test_a_whole_session():
    """Everything a client does, pipelined in one segment."""
    engine = build()
    assert talk(engine, WHOLE) == WHOLE_REPLY
    assert engine.closing


def test_a_whole_session_octet_by_octet():
    """The same, cut into single octets."""
    assert talk(build(), *[WHOLE[i : i + 1] for i in range(len(WHOLE))]) == WHOLE_REPLY


def test_a_whole_session_cut_in_two_everywhere_near_a_line_end():
    """The same, cut before, inside and behind each CRLF."""
    for end in [i for i in range(len(WHOLE)) if WHOLE[i : i + 2] == b"\r\n"]:
        for cut in (end, end + 1, end + 2):
            assert talk(build(), WHOLE[:cut], WHOLE[cut:]) == WHOLE_REPLY


def test_the_greeting_has_no_timestamp():
    """A timestamp would promise APOP."""
    engine = build()
    engine.greet()
    assert engine.take_output() == b"+OK pop.example POP3 server ready\r\n"


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b"", b"-ERR Unknown command\r\n"),
        (b"FROB", b"-ERR Unknown command\r\n"),
        (b"STAT", b"-ERR Log in first\r\n"),
        (b"RETR 1", b"-ERR Log in first\r\n"),
        (b"PASS secret", b"-ERR USER comes first\r\n"),
        (b"USER", b"-ERR USER needs a name\r\n"),
        (b"APOP joe 0123", b"-ERR APOP is not offered; use AUTH SCRAM-SHA-256, or a password inside TLS\r\n"),
        (b"LAST", b"-ERR LAST is not offered; use UIDL\r\n"),
        (b"LANG *", b"-ERR LANG is not offered\r\n"),
        (b"STLS", b"-ERR STLS is not offered\r\n"),
        (b"AUTH CRAM-MD5", b"-ERR That mechanism is not offered\r\n"),
        (b"AUTH SCRAM-SHA-256", b"-ERR That mechanism is not offered\r\n"),
        (b"AUTH PLAIN !!", b"-ERR That is not base64\r\n"),
        (b"AUTH PLAIN =", b"-ERR That is not a message of this mechanism\r\n"),
        (b"AUTH", b"+OK Mechanisms\r\nPLAIN\r\nLOGIN\r\n.\r\n"),
        (b"CAPA x", b"-ERR This command has no argument\r\n"),
        (b"QUIT x", b"-ERR This command has no argument\r\n"),
        (b"UTF8", b"+OK UTF-8 it is\r\n"),
        (b"QUIT", b"+OK Bye\r\n"),
        (b"CAPA\nCAPA", b"-ERR Control characters, bare CR and bare LF have no place in a command\r\n"),
        (b"US\0ER joe", b"-ERR Control characters, bare CR and bare LF have no place in a command\r\n"),
        (b"USER " + b"u" * 249, b"-ERR That line is too long\r\n"),
    ],
)
def test_replies_before_login(line, reply):
    """Each line gets exactly this."""
    assert talk(build(), line + b"\r\n") == reply


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b"USER ann", b"-ERR That comes before the login only\r\n"),
        (b"PASS x", b"-ERR That comes before the login only\r\n"),
        (b"AUTH PLAIN AGEAYg==", b"-ERR That comes before the login only\r\n"),
        (b"STLS", b"-ERR That comes before the login only\r\n"),
        (b"UTF8", b"-ERR That comes before the login only\r\n"),
        (b"STAT x", b"-ERR This command has no argument\r\n"),
        (b"STAT ", b"+OK 4 85\r\n"),
        (b"sTaT", b"+OK 4 85\r\n"),
        (b" STAT", b"-ERR Unknown command\r\n"),
        (b"LIST abc", b"-ERR A message number is 1 or more, in digits\r\n"),
        (b"LIST 0", b"-ERR A message number is 1 or more, in digits\r\n"),
        (b"LIST -1", b"-ERR A message number is 1 or more, in digits\r\n"),
        (b"LIST +1", b"-ERR A message number is 1 or more, in digits\r\n"),
        (b"LIST 0_1", b"-ERR A message number is 1 or more, in digits\r\n"),
        (b"LIST 1 2", b"-ERR A message number is 1 or more, in digits\r\n"),
        (b"LIST \xd9\xa1", b"-ERR A message number is 1 or more, in digits\r\n"),
        (b"LIST 4294967297", b"-ERR A message number is 1 or more, in digits\r\n"),
        (b"LIST 5", b"-ERR No such message, there are 4\r\n"),
        (b"LIST 002", b"+OK 2 16\r\n"),
        (b"RETR", b"-ERR A message number is 1 or more, in digits\r\n"),
        (b"DELE 99999", b"-ERR No such message, there are 4\r\n"),
        (b"TOP 1", b"-ERR TOP needs a message number and a number of lines\r\n"),
        (b"TOP 1 -1", b"-ERR TOP needs a message number and a number of lines\r\n"),
        (b"TOP 1 1 1", b"-ERR TOP needs a message number and a number of lines\r\n"),
        (b"TOP 2 99999999999999999999", b"+OK\r\nSubject: two\r\n\r\n.\r\n"),
        (b"XTND XMIT", b"-ERR Unknown command\r\n"),
        (b"LIST " + b"9" * 480, b"-ERR That line is too long\r\n"),
    ],
)
def test_replies_after_login(line, reply):
    """Each line gets exactly this, and the session goes on."""
    engine = build()
    talk(engine, LOGIN)
    assert talk(engine, line + b"\r\n") == reply
    assert talk(engine, b"NOOP\r\n") == b"+OK\r\n"


def test_a_password_keeps_its_blanks():
    """Everything behind the one blank is the password (RFC 1939 section 7)."""
    engine = build()
    engine.feed(b"USER joe\r\nPASS  se cret \r\n")
    assert engine.next_event() == PasswordGiven(b"joe", b" se cret ")


def test_every_wrong_login_reads_the_same():
    """Unknown name, wrong password, wrong mechanism data of a right form: one text."""
    wrong = b"-ERR [AUTH] Wrong user name or password\r\n"
    assert talk(build(), b"USER joe\r\nPASS bad\r\n").endswith(wrong)
    assert talk(build(), b"USER nobody\r\nPASS bad\r\n").endswith(wrong)
    assert talk(build(), b"AUTH PLAIN " + encode(b"\0joe\0bad") + b"\r\n") == wrong
    assert talk(build(), b"AUTH PLAIN " + encode(b"ann\0joe\0secret") + b"\r\n") == wrong


def test_after_a_wrong_password_the_name_is_needed_again():
    """PASS alone does not try again, and nothing behind it is served."""
    said = talk(build(), b"USER joe\r\nPASS bad\r\nPASS secret\r\nSTAT\r\nRETR 1\r\nQUIT\r\n")
    assert said.splitlines()[1:] == [
        b"-ERR [AUTH] Wrong user name or password",
        b"-ERR USER comes first",
        b"-ERR Log in first",
        b"-ERR Log in first",
        b"+OK Bye",
    ]


@pytest.mark.parametrize("between", [b"PASS", b"USER", b"AUTH PLAIN !!"])
def test_a_mistake_in_between_forgets_the_name(between):
    """A name does not outlive a PASS, a USER or an AUTH that went wrong."""
    said = talk(build(), b"USER joe\r\n" + between + b"\r\nPASS secret\r\n")
    assert said.splitlines()[-1] == b"-ERR USER comes first"


def test_five_wrong_logins_close_the_connection():
    """The fifth is answered and ends it; a try that was throttled counts, a busy maildrop does not."""
    engine = build()
    engine.feed(b"USER joe\r\nPASS bad\r\n" * 9)
    for number in range(1, 6):
        assert isinstance(engine.next_event(), PasswordGiven)
        if number == 2:
            engine.turn_away("SYS/TEMP", "Too many tries; please wait a while", counts=True)
        else:
            engine.refuse_login()
        assert engine.closing == (number == 5)
    assert engine.next_event() is None
    other = build()
    for _ in range(9):
        other.feed(b"USER joe\r\nPASS secret\r\n")
        assert isinstance(other.next_event(), PasswordGiven)
        other.turn_away("IN-USE", "Busy")
    assert not other.closing
    assert other.take_output().endswith(b"-ERR [IN-USE] Busy\r\n")


def test_sasl_plain_and_login():
    """Both, with and without an initial response, let joe in."""
    message = encode(b"\0joe\0secret")
    end = b"+OK 4 messages (85 octets)\r\n"
    assert talk(build(), b"AUTH PLAIN " + message + b"\r\n") == end
    assert talk(build(), b"AUTH PLAIN\r\n", message + b"\r\n") == b"+ \r\n" + end
    login = b"AUTH LOGIN\r\n", encode(b"joe") + b"\r\n", encode(b"secret") + b"\r\n"
    assert talk(build(), *login) == b"+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n" + end


def test_sasl_cancelled_and_broken_off():
    """A star ends the exchange, and so does what is no base64; commands are commands again."""
    for line in (b"*", b"not base64", b"USER joe"):
        said = talk(build(), b"AUTH PLAIN\r\n", line + b"\r\n", b"STAT\r\n")
        assert said.startswith(b"+ \r\n-ERR ")
        assert said.endswith(b"\r\n-ERR Log in first\r\n")


def test_sasl_scram():
    """Our client gets in, pipelining nothing, and a wrong password does not."""
    wrong = b"-ERR [AUTH] Wrong user name or password\r\n"
    for password, end in (("secret", b"+OK 4 messages (85 octets)\r\n"), ("bad", wrong)):
        engine, client = build(scram=True), ScramClient("joe", password, "clientnonce0123456789")
        first = client.initial()
        assert first is not None
        said = talk(engine, b"AUTH SCRAM-SHA-256 " + encode(first) + b"\r\n")
        while said.startswith(b"+ "):
            said = talk(engine, encode(client.respond(base64.b64decode(said[2:]))) + b"\r\n")
        assert said == end


def test_a_wrong_proof_is_reported_before_it_is_answered():
    """So that whatever slows down guessing counts it; the client is told nothing meanwhile."""
    engine, client = build(scram=True), ScramClient("joe", "bad", "clientnonce0123456789")
    first = client.initial()
    assert first is not None
    said = talk(engine, b"AUTH SCRAM-SHA-256 " + encode(first) + b"\r\n")
    engine.feed(encode(client.respond(base64.b64decode(said[2:]))) + b"\r\n")
    assert engine.next_event() == ProofRejected("joe", "SCRAM-SHA-256")
    assert engine.take_output() == b""
    engine.refuse_login()
    assert engine.take_output() == b"-ERR [AUTH] Wrong user name or password\r\n"


def test_a_damaged_verifier_reads_as_a_wrong_password():
    """What the store gives wrongly is not the client's business."""
    engine = build(scram=True)
    engine.feed(b"AUTH SCRAM-SHA-256 " + encode(b"n,,n=joe,r=clientnonce0123456789") + b"\r\n")
    assert engine.next_event() == VerifierWanted("joe")
    engine.give_verifier("rubbish")
    assert engine.next_event() == ProofRejected("joe", "SCRAM-SHA-256")


def test_passwords_in_clear_are_refused_where_they_are_not_wanted():
    """Neither offered nor taken outside TLS; inside, both."""
    engine = build(clear=False, scram=True, starttls=True)
    said = talk(engine, b"CAPA\r\n", b"USER joe\r\n", b"AUTH PLAIN\r\n")
    assert b"\r\nUSER\r\n" not in said
    assert b"\r\nSTLS\r\nSASL SCRAM-SHA-256\r\n" in said
    assert said.count(b"-ERR [AUTH] Passwords are taken inside TLS only") == 2
    secure = build(clear=False, scram=True, starttls=True, secure=True)
    assert b"\r\nUSER\r\nSASL SCRAM-SHA-256 PLAIN LOGIN\r\n" in talk(secure, b"CAPA\r\n")


def test_stls():
    """TLS begins after the reply; the name given before is forgotten; it is not offered twice."""
    engine = build(starttls=True)
    talk(engine, b"UTF8\r\nUSER joe\r\n")
    engine.feed(b"STLS\r\n")
    assert engine.next_event() is START_TLS
    assert engine.take_output() == b"+OK Begin TLS now\r\n"
    assert engine.next_event() is None
    engine.secured()
    assert not engine.utf8
    said = talk(engine, b"PASS secret\r\n", b"CAPA\r\n", b"STLS\r\n")
    assert said.startswith(b"-ERR USER comes first\r\n")
    assert b"STLS\r\n" not in said
    assert said.endswith(b"-ERR TLS is on already\r\n")


@pytest.mark.parametrize("extra", [b"CAPA\r\n", b"US", b"\r\n", b"USER joe\r\nPASS secret\r\n", b"\x16\x03\x01"])
def test_nothing_may_follow_stls_in_clear(extra):
    """Octets behind STLS would be taken for the client's own inside TLS: the connection ends instead."""
    engine = build(starttls=True)
    engine.feed(b"STLS\r\n" + extra)
    assert engine.next_event() is ANSWERED
    assert engine.take_output() == b"-ERR Nothing may follow STLS before TLS has begun\r\n"
    assert engine.closing
    assert engine.next_event() is None


def test_octets_between_the_reply_and_tls_end_the_session():
    """What comes in clear after the go-ahead is not read, and ends it."""
    engine = build(starttls=True)
    engine.feed(b"STLS\r\n")
    engine.next_event()
    engine.take_output()
    engine.feed(b"USER evil\r\n")
    engine.secured()
    assert engine.closing
    assert engine.next_event() is None


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


def test_faults_are_counted_and_mere_misses_are_not():
    """The shell slows down nonsense; a number that leads nowhere is no nonsense."""
    engine = build()
    talk(engine, LOGIN + b"RETR 99\r\nDELE 1\r\nDELE 1\r\n")
    assert engine.errors == 0
    talk(engine, b"FROB\r\nLIST x\r\nSTAT 1\r\n" + b"z" * 300 + b"\r\n")
    assert engine.errors == 4


def test_each_fault_is_an_event_of_its_own():
    """So that the shell can slow down between two of them."""
    engine = build()
    engine.feed(b"A\r\nB\r\n")
    assert engine.next_event() is ANSWERED
    assert engine.errors == 1
    assert engine.next_event() is ANSWERED
    assert engine.errors == 2


@pytest.mark.parametrize("line", [b"GET / HTTP/1.1", b"POST /x HTTP/1.1", b"CONNECT a:25 HTTP/1.0"])
def test_web_clients_are_sent_away(line):
    """One reply and the connection closes; the rest of the request is not read."""
    engine = build()
    assert talk(engine, line + b"\r\nHost: x\r\n\r\n") == b"-ERR This is a POP3 server\r\n"
    assert engine.closing


def test_a_tls_handshake_on_a_plain_port_is_dropped():
    """There is nothing to say to it."""
    engine = build()
    assert talk(engine, b"\x16\x03\x01\x00\xc8\x01") == b""
    assert engine.closing


def test_endless_lines_cost_no_memory():
    """Before login one reply, then the end; after it one reply, the rest is eaten and the session goes on."""
    engine = build()
    assert talk(engine, *[b"A" * 65536] * 20) == b"-ERR That line is too long\r\n"
    assert engine.closing
    assert engine.buffered < 65537
    engine = build()
    talk(engine, LOGIN)
    assert talk(engine, *[b"A" * 65536] * 20, b"\r\nNOOP\r\n") == b"-ERR That line is too long\r\n+OK\r\n"


def test_long_auth_lines_are_taken_and_others_are_not():
    """12,288 octets for AUTH (RFC 4954), 255 for all else (RFC 2449)."""
    long = encode(b"\0" + b"u" * 8000 + b"\0p")
    wrong = b"-ERR [AUTH] Wrong user name or password\r\n"
    assert talk(build(), b"AUTH PLAIN " + long + b"\r\n") == wrong
    assert talk(build(), b"AUTH PLAIN\r\n", long + b"\r\n") == b"+ \r\n" + wrong
    assert talk(build(), b"USER " + b"u" * 248 + b"\r\n") == b"+OK Now the password\r\n"


def test_shutting_down():
    """The reason is said, unless a message is half sent; an event that is out is dropped."""
    engine = build()
    engine.shut("SYS/TEMP", "Going down")
    assert engine.take_output() == b"-ERR [SYS/TEMP] Going down\r\n"
    assert engine.closing
    engine = build()
    talk(engine, LOGIN + b"LIST\r\n")
    engine.feed(b"RETR 1\r\n")
    engine.next_event()
    engine.begin_message(43, 16)
    engine.take_output()
    engine.shut("SYS/TEMP", "Going down")
    assert engine.take_output() == b""
    assert not engine.waiting


def test_replies_cannot_be_forged():
    """Text from elsewhere stays on its line and in ASCII."""
    engine = build()
    engine.feed(LOGIN)
    engine.next_event()
    engine.turn_away("SYS/TEMP", "bad\r\n+OK forged \u20ac " + "x" * 600)
    said = engine.take_output().split(b"\r\n", 1)[1]
    assert said.count(b"\r\n") == 1
    assert len(said) <= 512


def test_answers_out_of_turn_are_our_own_mistake():
    """A session that answers what was not asked is told so at once."""
    engine = build()
    for wrong in (
        lambda: engine.admit(1, 1),
        engine.secured,
        engine.resume,
        lambda: engine.fail("x"),
        lambda: engine.finished(0),
        lambda: engine.begin_message(1, 1),
        engine.end_message,
    ):
        with pytest.raises(LocalFault):
            wrong()


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
    assert _unstuffed(engine.take_output()) == message


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


WORDS = [
    b"USER joe", b"PASS secret", b"PASS bad", b"AUTH PLAIN", b"AUTH LOGIN", b"AUTH PLAIN AGpvZQBzZWNyZXQ=", b"*",
    b"AUTH SCRAM-SHA-256", b"biws", b"STLS", b"UTF8", b"CAPA", b"STAT", b"LIST", b"LIST 1", b"RETR 1", b"RETR 9",
    b"DELE 1", b"DELE 2", b"RSET", b"TOP 1 1", b"UIDL", b"UIDL 4", b"NOOP", b"QUIT", b"", b"\0", b"\xff", b"x" * 300,
    b"\r", b"\n", b" ",
]  # fmt: skip


@settings(max_examples=300)
@given(st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=20)), max_size=30), st.integers(1, 50))
def test_no_input_raises_and_all_is_answered_in_lines(lines, step):
    """Any commands, cut anywhere: no exception, nothing said but whole lines, and each starts as POP3 wants."""
    engine = build(scram=True, starttls=True)
    octets = b"".join(line + b"\r\n" for line in lines)
    said = talk(engine, *[octets[start : start + step] for start in range(0, len(octets), step)])
    assert said == b"" or said.endswith(b"\r\n")
    assert b"\n" not in said.replace(b"\r\n", b"")
    assert said == b"" or said.startswith((b"+OK", b"-ERR", b"+ "))


def test_a_long_input_is_read_in_linear_time():
    """Ten times the commands cost about ten times the searching, counted in calls, not in seconds."""

    def calls(count: int) -> int:
        engine = build()
        talk(engine, LOGIN)
        made = 0

        def count_call(_frame, what, _argument):
            nonlocal made
            made += what in {"call", "c_call"}

        sys.setprofile(count_call)
        try:
            said = talk(engine, b"NOOP\r\n" * count)
        finally:
            sys.setprofile(None)
        assert said == b"+OK\r\n" * count
        return made

    assert calls(10_000) <= 12 * calls(1_000)
