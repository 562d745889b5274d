"""The HylaFAX engine fed whole, octet by octet and cut at every place; bad servers; listings and causes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailshare.core.errors import LocalFault, PeerFault, Unavailable
from mailshare.core.values.fax import FaxCause
from mailshare.wire.client_engine import Overflow
from mailshare.wire.hylafax import HylaFAXClient, HylaFAXReply, new_job, passive_port, stored_name
from mailshare.wire.hylafax_log import CallLine, call_of, size_told
from mailshare.wire.hylafax_queues import JOB_FORM, RECEIVED_FORM, cause_of, read_jobs, read_received

DIALOGUE = (
    b'130 Warning, no inverse address mapping for client host name "far".\r\n'
    b"220 vm server (HylaFAX (tm) Version 6.0.7) ready.\r\n"
    b"331 Password required for anna.\r\n"
    b"230-The modems rest at night.\r\n 230 is not the end\r\n230 User anna logged in.\r\n"
    b"229 Entering Extended Passive Mode (|||38441|)\r\n"
    b"150 FILE: /tmp/doc1.tif (Opening new data connection).\r\n226 Transfer complete (FILE: /tmp/doc1.tif).\r\n"
    b"200 New job created: jobid: 12 groupid: 12.\r\n"
    b"213 \r\n"
    b"504 Cannot submit job 12; null or missing DIALSTRING parameter.\r\n"
    b"221 Goodbye.\r\n"
)


def begin() -> HylaFAXClient:
    engine = HylaFAXClient()
    engine.user("anna")
    engine.password("pass word")
    for words in (("EPSV",), ("STOT",), ("JNEW",)):
        engine.ask(*words)
    engine.job_parameter("TAGLINE", "")
    engine.ask("JSUBM", "12")
    engine.quit()
    return engine


def play(pieces: list[bytes]) -> list[HylaFAXReply]:
    engine, replies = begin(), []
    for piece in pieces:
        engine.feed(piece)
        while (reply := engine.next_event()) is not None:
            replies.append(reply)
            engine.take_output()
    assert engine.closing
    return replies


def check(pieces: list[bytes]) -> None:
    replies = play(pieces)
    names = ["greeting", "USER", "PASS", "EPSV", "STOT", "JNEW", "JPARM TAGLINE", "JSUBM", "QUIT"]
    assert [reply.command.name for reply in replies] == names
    assert [reply.code for reply in replies] == [220, 331, 230, 229, 226, 200, 213, 504, 221]
    assert [reply.ok for reply in replies] == [*[True] * 7, False, True]
    assert replies[0].before[0].startswith("Warning")
    assert replies[2].lines == ("The modems rest at night.", " 230 is not the end", "User anna logged in.")
    assert (passive_port(replies[3]), stored_name(replies[4]), new_job(replies[5])) == (38441, "/tmp/doc1.tif", "12")


def test_whole() -> None:
    """In one piece: replies that come before their commands have gone out are kept for them."""
    check([DIALOGUE])


def test_octet_by_octet() -> None:
    """One at a time."""
    check([DIALOGUE[at : at + 1] for at in range(len(DIALOGUE))])


def test_every_split() -> None:
    """In two pieces, wherever they part."""
    for at in range(len(DIALOGUE)):
        check([DIALOGUE[:at], DIALOGUE[at:]])


@settings(max_examples=25, derandomize=True, database=None)
@given(st.lists(st.integers(0, len(DIALOGUE)), max_size=6))
def test_any_splits(cuts: list[int]) -> None:
    """In several pieces."""
    places = [0, *sorted(cuts), len(DIALOGUE)]
    check([DIALOGUE[start:end] for start, end in pairwise(places)])


def test_commands_go_out_one_at_a_time_with_their_arguments_quoted() -> None:
    """No text that comes from outside ends an argument or a command."""
    engine = HylaFAXClient()
    engine.feed(b"220 hello\r\n")
    engine.next_event()
    engine.job_parameter("DIALSTRING", 'a"b\\c, d')
    engine.password("-dash")
    assert engine.take_output() == b'JPARM DIALSTRING "a\\"b\\\\c, d"\r\n'
    assert engine.take_output() == b""
    engine.feed(b"213 ok\r\n")
    engine.next_event()
    assert engine.take_output() == b'PASS "--dash"\r\n'
    with pytest.raises(LocalFault):
        engine.job_parameter("TSI", "1\r\nJKILL 1")
    with pytest.raises(LocalFault):
        engine.user("x" * 600)


@pytest.mark.parametrize("octets", [b"hello\r\n", b"99 x\r\n", b"600 x\r\n", b"2200 x\r\n", b"\xff\xf4\r\n", b"\r\n"])
def test_what_is_no_reply_ends_the_session(octets: bytes) -> None:
    """Something else than a fax server listens there."""
    engine = HylaFAXClient()
    engine.feed(octets)
    with pytest.raises(PeerFault):
        engine.next_event()


@pytest.mark.parametrize(
    "octets", [b"x" * 3000, b"220-x\r\n" + b"y\r\n" * 500, b"120 wait\r\n" * 500, b"220 " + b"x" * 2500 + b"\r\n"]
)
def test_a_server_cannot_fill_the_memory(octets: bytes) -> None:
    """Lines, lines of a reply, and replies before the reply are bounded."""
    engine = HylaFAXClient()
    engine.feed(octets)
    with pytest.raises(Overflow):
        while engine.next_event() is None:
            pass


def test_what_nobody_asked_for() -> None:
    """The server may end a session at any time, and nothing else."""
    engine = HylaFAXClient()
    engine.feed(b"220 hello\r\n421 Timeout (900 seconds): closing control connection.\r\n")
    engine.next_event()
    with pytest.raises(Unavailable, match="Timeout"):
        engine.next_event()
    assert engine.closing
    engine = HylaFAXClient()
    engine.feed(b"220 hello\r\n230 User root logged in.\r\n")
    engine.next_event()
    with pytest.raises(PeerFault):
        engine.next_event()


@pytest.mark.parametrize(
    "text",
    [
        "Entering Extended Passive Mode (|||0|)",
        "(|||99999|)",
        "(||1|2|)",
        "(1,2,3,4,5)",
        "Entering passive mode (127,0,0,1,0,0)",
        "FILE: ; rm",
    ],
)
def test_replies_without_their_fact_are_faults(text: str) -> None:
    """A port, a file or a job that is not named is not guessed."""
    reply = HylaFAXReply(HylaFAXClient().greeting, 200, (text,))
    for read in (passive_port, new_job, stored_name):
        with pytest.raises(PeerFault):
            read(reply)


def test_both_ways_of_telling_a_port_are_read() -> None:
    """RFC 2428 and RFC 959; the address of the latter is not used."""
    command = HylaFAXClient().greeting
    assert passive_port(HylaFAXReply(command, 227, ("Entering passive mode (10,0,0,1,162,231)",))) == 41703
    assert passive_port(HylaFAXReply(command, 229, ("x (!!!4570!)",))) == 4570


def test_listings_are_read_line_by_line() -> None:
    """Lines of others and of odd servers cost only themselves."""
    assert JOB_FORM.count("%") == 7
    lines = (b"12|F|1|3|1|key-1|Busy signal detected", b"nonsense", b"7|D|3|3|1||")
    jobs = read_jobs(b"".join(line.replace(b"|", b"\x1f") + b"\r\n" for line in lines))
    assert [(one.number, one.over, one.pages, one.total, one.tag, one.status) for one in jobs] == [
        ("12", True, 1, 3, "key-1", "Busy signal detected"),
        ("7", True, 3, 3, "", ""),
    ]
    assert RECEIVED_FORM.count("%") == 10
    line = b"fax00001.tif\x1f \x1f3\x1f12345\x1f 42\x1f14400\x1f1:02\x1f+49 30 1\x1f0301\x1fSmith\r\n"
    [fax] = read_received(line + b"../../etc/passwd\x1f*" + b"\x1f" * 8 + b"\r\n")
    assert (fax.name, fax.arriving, fax.pages, fax.size) == ("fax00001.tif", False, 3, 12345)
    assert (fax.seconds, fax.rate) == (62, 14400)
    assert (fax.subaddress, fax.station, fax.caller, fax.display) == ("42", "+49 30 1", "0301", "Smith")


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        ("Busy signal detected; too many attempts to dial", FaxCause.BUSY),
        ("REJECT: Too many attempts to dial: 1, max 1: No answer from remote", FaxCause.NO_ANSWER),
        ("No local dialtone", FaxCause.NO_DIALTONE),
        ("No carrier detected", FaxCause.NO_CARRIER),
        ("No receiver protocol (T.30 T1 timeout)", FaxCause.NO_CARRIER),
        ("Data connection established (wanted fax)", FaxCause.NOT_A_FAX),
        ("Invalid dialing command", FaxCause.BAD_NUMBER),
        ("Failure to train remote modem at 2400 bps or minimum speed", FaxCause.CANNOT_TRAIN),
        ("Unable to transmit page (giving up after RTN)", FaxCause.PAGE_REFUSED),
        ("Unable to transmit page (NAK at all possible signalling rates)", FaxCause.CANNOT_TRAIN),
        ("Remote fax disconnected prematurely", FaxCause.DROPPED),
        ("No response to EOP repeated 3 tries", FaxCause.DROPPED),
        ("High resolution document is not supported by client, image resolution 7.7 lines/mm", FaxCause.INCOMPATIBLE),
        ("Converted document is not valid TIFF", FaxCause.BAD_DOCUMENT),
        ("REJECT: Requested modem x is not registered", FaxCause.LINE_DOWN),
        ("Job aborted by request", FaxCause.NOT_ALLOWED),
        ("Kill time expired", FaxCause.TIMEOUT),
        ("Something that nobody has heard of", FaxCause.INTERNAL),
    ],
)
def test_causes_are_told_by_the_words(status: str, cause: FaxCause) -> None:
    """The server's number for most of them is the same, 333."""
    assert cause_of(status) is cause


@pytest.mark.parametrize(
    ("dcs", "rate", "ecm"),
    [
        ("00 46 1F 22", 14_400, True),  # as HylaFAX 6.0.7 wrote it of a call over V.17
        ("00 66 1F 02", 9_600, False),
        ("00 52 1F", 4_800, False),
        ("00 42 1F 20", 0, True),
        ("00 00 00", 0, False),
        ("", 0, False),
        ("zz", 0, False),
    ],
)
def test_the_journal_tells_what_was_agreed_upon(dcs: str, rate: int, ecm: bool) -> None:
    """The last call of a job counts; lines of others, cut ones and nonsense are passed over."""
    line = f'd\tSEND\t1\tm\t4\t"tag"\ts\t"+7"\t" +49 1 "\tp\t1\t0:00:19\t1:01:05\t""\t""\t""\t""\t"o"\t"{dcs}"\n'
    journal = f"cut\n{line.replace('1:01:05', '0:00:02')}{line}{line.replace('tag', 'other')}a\tb\n\n".encode()
    assert call_of(journal, "tag") == CallLine("+49 1", rate, ecm, 3665.0)
    assert call_of(journal, "nobody") == CallLine()
    assert (size_told("12345"), size_told("x"), size_told("")) == (12345, 0, 0)
