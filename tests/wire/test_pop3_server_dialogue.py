"""Dialogues with the POP3 server engine: what is said, in which order, however the octets are cut."""


import pytest

from tests.wire.pop3_dialogue import LOGGED_IN, LOGIN, MESSAGES, build, talk

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
