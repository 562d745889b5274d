"""Ways in which an IMAP server can lie, for :class:`mailshare.testing.imap_double.PretendIMAP`.

They are for testing clients, ours or other people's: whatever the server says, no mail may be lost, torn or doubled by
it, no password may go out in the clear, and every session must end in bounded time and memory.
"""

from __future__ import annotations

import re
from itertools import count

from mailshare.testing.liars import CUT, Lie, behind, instead

_ENDLESS = b"".join(b"* %d FETCH (UID %d RFC822.SIZE 9)\r\n" % (number, number) for number in range(1, 20_000))
_UNASKED = b"* 1 FETCH (UID 1 BODY[] {5}\r\nSpam!)\r\n"
_FLOOD = b"* 3 EXISTS\r\n" * 20_000
_COUNT = re.compile(rb"\{([0-9]+)\}\r\n")


def _first_half(*verbs: str) -> Lie:
    return lambda spoken, reply: reply[: len(reply) // 2] + CUT if spoken in verbs else reply


def _each(verb: str, old: bytes, new: bytes) -> Lie:
    """In replies to one command, one text in place of another."""
    return lambda spoken, reply: reply.replace(old, new) if spoken == verb else reply


def _miscounted(verb: str, by: int) -> Lie:
    """The count in front of a literal is wrong by so much."""

    def miscount(found: re.Match[bytes]) -> bytes:
        return b"{%d}\r\n" % max(int(found[1]) + by, 0)

    return lambda spoken, reply: _COUNT.sub(miscount, reply) if spoken == verb else reply


def _uid_of_body(said: bytes) -> Lie:
    return lambda spoken, reply: re.sub(rb"UID [0-9]+ ", said, reply) if spoken == "BODY" else reply


def _opening(old: bytes, new: bytes) -> Lie:
    return lambda spoken, reply: reply.replace(old, new) if spoken in ("SELECT", "EXAMINE") else reply


def _ever_another_uidvalidity() -> Lie:
    numbers = count(100)
    return lambda spoken, reply: (
        reply.replace(b"UIDVALIDITY 17", b"UIDVALIDITY %d" % next(numbers))
        if spoken in ("SELECT", "EXAMINE")
        else reply
    )


def _line_ends(_: str, reply: bytes) -> bytes:
    return reply.replace(b"\r\n", b"\n")


def imap_lies() -> dict[str, Lie]:
    """Each way to misbehave, by name; made anew, for some remember what they said."""
    return {**_at_the_door(), **_about_folders(), **_about_messages(), **_about_deleting(), **_out_of_turn()}


def _at_the_door() -> dict[str, Lie]:
    return {
        "greeting_bye": instead(greeting=b"* BYE too many of you\r\n" + CUT),
        "greeting_no": instead(greeting=b"* NO go away\r\n"),
        "greeting_garbage": instead(greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        "greeting_silent": instead(greeting=b""),
        "greeting_long": instead(greeting=b"* OK " + b"x" * 2_000_000),
        "greeting_bare_lf": instead(greeting=b"* OK\n"),
        "greeting_twice": behind(greeting=b"* OK again\r\n"),
        "greeting_preauth": instead(greeting=b"* PREAUTH you are root\r\n"),
        "greeting_tagged": instead(greeting=b"m1 OK hello\r\n"),
        "capability_endless": instead(CAPABILITY=b"* CAPABILITY" + b" X" * 400_000 + b"\r\n<tag> OK\r\n"),
        "capability_refused": instead(greeting=b"* OK\r\n", CAPABILITY=b"<tag> BAD what\r\n"),
        "capability_nonsense": instead(
            greeting=b"* OK [CAPABILITY ((\xff] hi\r\n", CAPABILITY=b"* CAPABILITY (\r\n<tag> OK\r\n"
        ),
        "capability_promises_everything": behind(
            CAPABILITY=b"", AUTHENTICATE=b"* CAPABILITY IMAP4rev1 UIDPLUS LITERAL+ IDLE ID UTF8=ACCEPT QRESYNC\r\n"
        ),
        "starttls_injection": behind(STARTTLS=b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nm2 OK\r\n"),
        "login_refused": instead(AUTHENTICATE=b"<tag> NO [AUTHENTICATIONFAILED] no\r\n", LOGIN=b"<tag> NO no\r\n"),
        "login_bad": instead(AUTHENTICATE=b"<tag> BAD no\r\n", LOGIN=b"<tag> BAD no\r\n"),
        "login_asks_for_ever": instead(AUTHENTICATE=b"+ \r\n" * 50, LOGIN=b"+ \r\n" * 50),
        "login_preauth": instead(AUTHENTICATE=b"<tag> PREAUTH in\r\n", LOGIN=b"<tag> PREAUTH in\r\n"),
        "id_refused": instead(ID=b"<tag> NO who cares\r\n"),
        "id_cut": instead(ID=CUT),
    }  # fmt: skip


def _about_folders() -> dict[str, Lie]:
    return {
        "select_refused": instead(SELECT=b"<tag> NO [INUSE] later\r\n", EXAMINE=b"<tag> NO [INUSE] later\r\n"),
        "select_silent": instead(EXAMINE=b""),
        "select_read_only": _each("SELECT", b"[READ-WRITE]", b"[READ-ONLY]"),
        "no_uidvalidity": _opening(b"[UIDVALIDITY 17]", b"[UIDVALIDITY]"),
        "uidvalidity_zero": _opening(b"UIDVALIDITY 17", b"UIDVALIDITY 0"),
        "uidvalidity_huge": _opening(b"UIDVALIDITY 17", b"UIDVALIDITY 99999999999999999999"),
        "uidvalidity_of_each_day": _ever_another_uidvalidity(),
        "uid_not_sticky": _opening(b"* 0 RECENT", b"* NO [UIDNOTSTICKY] never"),
        "exists_huge": _opening(b"* 3 EXISTS", b"* 4294967295 EXISTS"),
        "exists_negative": _opening(b"* 3 EXISTS", b"* -3 EXISTS"),
        "exists_none": _opening(b"* 3 EXISTS", b"* 0 EXISTS"),
        "exists_more": _opening(b"* 3 EXISTS", b"* 7 EXISTS"),
    }


def _about_messages() -> dict[str, Lie]:
    return {
        "sizes_endless": instead(SIZES=_ENDLESS),
        "sizes_none": instead(SIZES=b"<tag> OK\r\n"),
        "sizes_refused": instead(SIZES=b"<tag> NO no\r\n"),
        "sizes_cut": _first_half("SIZES"),
        "sizes_without_uid": _each("SIZES", b"UID ", b"X-UID "),
        "sizes_same_uid": _each("SIZES", b"UID 2 ", b"UID 1 "),
        "sizes_swapped": instead(SIZES=b"".join(
            b"* %d FETCH (RFC822.SIZE 70 UID %d)\r\n" % (number, 4 - number) for number in (1, 2, 3)
        ) + b"<tag> OK\r\n"),
        "sizes_huge": _each("SIZES", b"RFC822.SIZE ", b"RFC822.SIZE 99999999999999"),
        "sizes_negative": _each("SIZES", b"RFC822.SIZE ", b"RFC822.SIZE -"),
        "sizes_garbage": instead(SIZES=b"* 1 FETCH ((\r\n* FETCH\r\n* 1 FETCH {3}\r\nabc\r\n* \xff\0\r\n<tag> OK\r\n"),
        "sizes_uid_beyond": instead(SIZES=b"* 1 FETCH (UID 4294967296 RFC822.SIZE 9)\r\n<tag> OK\r\n"),
        "sizes_of_strangers": behind(SIZES=b"* 9 FETCH (UID 99 RFC822.SIZE 9)\r\n"),
        "sizes_literal_endless": instead(SIZES=b"* 1 FETCH (UID {99999999}\r\n" + b"1" * 2_000_000),
        "header_refused": instead(HEADER=b"<tag> NO no\r\n"),
        "header_silent": instead(HEADER=b""),
        "header_of_another": _each("HEADER", b"Subject: ", b"Subject: another "),
        "header_endless": instead(
            HEADER=b"* 1 FETCH (UID 1 BODY[HEADER] {480000}\r\n" + b"X-A: 1\r\n" * 60_000 + b")\r\n<tag> OK\r\n"
        ),
        "body_refused": instead(BODY=b"<tag> NO [SERVERBUG] no\r\n"),
        "body_silent": instead(BODY=b""),
        "body_absent": instead(BODY=b"<tag> OK\r\n"),
        "body_nil": instead(BODY=b"* 1 FETCH (UID 1 BODY[] NIL)\r\n<tag> OK\r\n"),
        "body_empty": instead(BODY=b"* 1 FETCH (UID 1 BODY[] {0}\r\n)\r\n<tag> OK\r\n"),
        "body_half": _first_half("BODY"),
        "body_cut": instead(BODY=CUT),
        "body_counted_short": _miscounted("BODY", -9),
        "body_counted_without_its_line_end": _miscounted("BODY", -2),
        "body_counted_long": _miscounted("BODY", 7),
        "body_counted_very_long": _miscounted("BODY", 10**12),
        "body_not_closed": _each("BODY", b")\r\n<tag>", b"\r\n<tag>"),
        "body_twice": lambda spoken, reply: reply.partition(b"<tag>")[0] + reply if spoken == "BODY" else reply,
        "body_of_another": _uid_of_body(b"UID 99 "),
        "body_without_uid": _uid_of_body(b""),
        "body_in_quotes": instead(BODY=b'* 1 FETCH (UID 99 BODY[] "Subject: no")\r\n<tag> OK\r\n'),
        "body_unasked": behind(HEADER=_UNASKED, SIZES=_UNASKED),
        "body_bye": instead(BODY=b"* BYE maintenance\r\n" + CUT),
    }  # fmt: skip


def _about_deleting() -> dict[str, Lie]:
    return {
        "store_refused": instead(STORE=b"<tag> NO [NOPERM] no\r\n"),
        "store_cut": instead(STORE=CUT),
        "search_refused": instead(SEARCH=b"<tag> NO no\r\n"),
        "search_endless": instead(SEARCH=b"* SEARCH" + b" 1" * 600_000 + b"\r\n<tag> OK\r\n"),
        "search_nonsense": instead(SEARCH=b"* SEARCH 1:* 2:1 x 4294967296 99999999999:1\r\n<tag> OK\r\n"),
        "expunge_refused": instead(EXPUNGE=b"<tag> NO no\r\n"),
        "expunge_cut": instead(EXPUNGE=CUT),
        "expunge_silent": instead(EXPUNGE=b""),
        "logout_silent": instead(LOGOUT=b""),
        "logout_refused": instead(LOGOUT=b"<tag> NO stay\r\n"),
        "logout_cut": instead(LOGOUT=CUT),
    }


def _out_of_turn() -> dict[str, Lie]:
    return {
        "tag_of_nobody": _each("SIZES", b"<tag>", b"x99"),
        "neither_yes_nor_no": _each("SIZES", b"<tag> OK", b"<tag> MAYBE"),
        "plus_for_nothing": behind(EXAMINE=b"+ go on\r\n"),
        "flood_of_exists": behind(EXAMINE=_FLOOD),
        "flood_of_expunge": behind(EXAMINE=b"* 1 EXPUNGE\r\n" * 50),
        "bare_line_feeds": _line_ends,
        "flood_of_alerts": behind(EXAMINE=b"".join(b"* OK [ALERT] number %d\r\n" % number for number in range(500))),
    }
