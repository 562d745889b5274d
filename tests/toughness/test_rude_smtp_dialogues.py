"""What must not be said to an SMTP server, said to it through a socket: each line is answered as the RFCs allow.

Whatever a client does, the next one is greeted, and what was never a message is in no mailbox.
"""

from __future__ import annotations

import pytest

from tests.toughness.raw_dialogue import Raw, Target, greeted, in_data, stranger, target

__all__ = ["target"]

MAIL, RCPT = b"MAIL FROM:<a@far.example>", b"RCPT TO:<joe@mail.office.example>"
TAKEN = range(200, 400)
WRONG = range(500, 560)
NO = range(400, 600)


def dialogue(target: Target, *lines: bytes, stranger_too: bool = False) -> list[int]:
    """Codes of the answers behind EHLO, and of a NOOP at the end: the session must still be in step."""

    def talk() -> list[int]:
        with greeted(target, stranger() if stranger_too else "127.0.0.1") as client:
            return client.codes(*lines, b"NOOP")

    return talk()


# ---------------------------------------------------------------------- only CRLF.CRLF ends a message

BEFORE = {"LF": b"\n", "CR": b"\r", "CRLF": b"\r\n", "LFCR": b"\n\r", "CRCRLF": b"\r\r\n", "CRLFNUL": b"\r\n\0"}
BEHIND = {"LF": b"\n", "CR": b"\r", "CRLF": b"\r\n", "LFCR": b"\n\r", "CRCRLF": b"\r\r\n", "NULCRLF": b"\0\r\n"}
TRUE_ENDS = {("CRLF", "CRLF"), ("CRCRLF", "CRLF")}
FALSE_ENDS = [(one, other) for one in BEFORE for other in BEHIND if (one, other) not in TRUE_ENDS]


@pytest.mark.parametrize(("before", "behind"), FALSE_ENDS)
def test_a_false_end(target: Target, before: str, behind: str) -> None:
    """What looks like an end is part of the message: one answer in all, at the true end, and nothing inside is run."""

    def talk() -> list[int]:
        with in_data(target) as client:
            inside = MAIL + b"\r\n" + RCPT + b"\r\nDATA\r\nSubject: smuggled-in\r\n\r\nx\r\n"
            client.send(b"Subject: outer\r\n\r\none" + BEFORE[before] + b"." + BEHIND[behind] + inside + b".\r\n")
            return [client.code(), *client.codes(b"NOOP")]

    assert talk() in ([550, 250], [554, 250])
    assert target.stored() == []


# ---------------------------------------------------------------------- messages come out as they went in

EDGES = (998, 1460, 4095, 4096, 8191, 8192, 16383, 16384, 16385, 32768)
TEXT = b"q" * 74 + b"\r\n"
BODIES = {
    "dots": b".\r\n..\r\n...\r\n.a\r\n. \r\nend\r\n",
    "one dot": b".\r\n",
    "nothing": b"",
    "blank lines": b"\r\n" * 500,
    "above ASCII": bytes(range(128, 256)) + b"\r\n",
    "controls": bytes(one for one in range(1, 32) if one not in b"\r\n") + b"\x7f\r\n",
    "lines of 998": (b"y" * 996 + b"\r\n") * 300,
    "dots near every edge": b"".join(TEXT * (count % 9) + b"." * (count % 4) + b"\r\n" for count in range(300)),
    "line of 60,000": b"z" * 60_000 + b"\r\nend\r\n",
    **{f"dots late and behind {edge}": TEXT * 900 + b"z" * (edge % 79) + b"\r\n.dot\r\n..two\r\n" for edge in EDGES},
    **{f"dot behind {edge}": b"z" * (edge - 2) + b"\r\n.dot\r\nend\r\n" for edge in EDGES},
}


@pytest.mark.parametrize("name", BODIES)
def test_a_message_comes_out_as_it_went_in(target: Target, name: str) -> None:
    """Dots stuffed, in whatever pieces, what RETR gives are the octets of DATA."""

    def talk() -> int:
        with in_data(target) as client:
            octets = b"Subject: s\r\nMessage-ID: <%s@x>\r\n\r\n%b" % (name.encode().hex().encode(), BODIES[name])
            client.send(octets.replace(b"\r\n.", b"\r\n..") + b".\r\n")
            return client.code()

    assert talk() == 250
    (found,) = target.stored()
    assert found.partition(b"\r\n\r\n")[2] == BODIES[name]


@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_an_end_that_comes_in_two_parts(target: Target, cut: int) -> None:
    """CRLF.CRLF is one end wherever it is cut, and until it is whole there is none."""

    def talk() -> list[int]:
        with in_data(target) as client:
            end = b"\r\n.\r\n"
            client.send(b"Subject: s\r\nMessage-ID: <cut%d@x>\r\n\r\nx" % cut + end[:cut])
            with greeted(target) as other:  # meanwhile the server has read the first part
                assert other.codes(b"NOOP") == [250]
            assert client.pending() == b""
            client.send(end[cut:])
            return [client.code(), *client.codes(b"NOOP")]

    assert talk() == [250, 250]
    assert len(target.stored()) == 1


@pytest.mark.parametrize("what", ["half closed", "reset", "closed"])
def test_a_message_without_its_end_is_none(target: Target, what: str) -> None:
    """However the client leaves in the middle, nothing is stored."""

    def talk() -> None:
        for _ in range(5):
            with in_data(target) as client:
                client.send(b"Subject: half\r\n\r\nhalf of it\r\n")
                client.leave(what)

    talk()
    assert target.stored() == []


@pytest.mark.parametrize("length", [65_537, 70_000, 300_000, 1_000_001, 2_500_000])
def test_a_line_that_is_too_long(target: Target, length: int) -> None:
    """Refused behind the true end; what follows the line is still the message, no command."""

    def talk() -> list[int]:
        with in_data(target) as client:
            client.send(b"Subject: s\r\n\r\n" + b"x" * length + b"\r\nQUIT\r\nRSET\r\n.\r\n")
            return [client.code(), *client.codes(b"NOOP")]

    assert talk() == [554, 250]
    assert target.stored() == []


def test_one_that_is_too_large(target: Target) -> None:
    """By its announcement at MAIL, and without one behind its end; a lie about the size is none of our trouble."""
    assert dialogue(target, MAIL + b" SIZE=3000001") == [552, 250]
    large = (b"x" * 78 + b"\r\n") * 40_000

    def talk(announced: bytes) -> list[int]:
        with greeted(target) as client:
            assert client.codes(MAIL + announced, RCPT, b"DATA") == [250, 250, 354]
            client.send(b"Subject: s\r\n\r\n" + large + b".\r\n")
            return [client.code(), *client.codes(b"NOOP")]

    assert talk(b"") == [552, 250]
    assert talk(b" SIZE=10") == [552, 250]
    assert target.stored() == []


def test_mail_that_goes_in_circles(target: Target) -> None:
    """Thirty servers are enough: 554 5.4.6."""

    def talk() -> bytes:
        with in_data(target) as client:
            client.send(b"Received: from a by b; x\r\n" * 31 + b"Subject: s\r\n\r\nx\r\n.\r\n")
            return client.reply()

    assert talk().startswith(b"554 5.4.6")


# ---------------------------------------------------------------------- lines

LINES: dict[str, tuple[list[bytes], list[object]]] = {
    "a bare LF inside": ([b"NOOP\nNOOP"], [WRONG]),
    "a bare CR inside": ([b"NOOP\rNOOP"], [WRONG]),
    "a transaction behind LF": ([MAIL + b"\n" + RCPT], [WRONG]),
    "NUL": ([b"NO\0OP"], [WRONG]),
    "vertical white space": ([b"NOOP\x0bNOOP"], [WRONG]),
    "nothing": ([b""], [WRONG]),
    "blanks": ([b"   "], [WRONG]),
    "a blank in front": ([b"  NOOP"], [WRONG]),
    "lower case": ([b"noop"], [TAKEN]),
    "an unknown word": ([b"FROBNICATE now"], [WRONG]),
    "octets that are no text": ([b"\xff\xfe\xfd"], [WRONG]),
    "a format string": ([b"%s%n%x%p"], [WRONG]),
    "an attribute": ([b"__class__ x"], [WRONG]),
    "a method of ours": ([b"CLOSE x"], [WRONG]),
    "VRFY tells nobody's name": ([b"VRFY joe", b"VRFY nobody"], [{252}, {252}]),
    "EXPN": ([b"EXPN staff"], [WRONG]),
    "HELP": ([b"HELP"], [{211, 214}]),
    "TURN": ([b"TURN"], [WRONG]),
    "ETRN": ([b"ETRN evil.example"], [WRONG]),
    "XCLIENT": ([b"XCLIENT ADDR=127.0.0.1"], [WRONG]),
    "XFORWARD": ([b"XFORWARD ADDR=127.0.0.1"], [WRONG]),
    "DEBUG": ([b"DEBUG"], [WRONG]),
    "NOOP with words": ([b"NOOP some words"], [TAKEN]),
    "RSET with words": ([b"RSET x"], [WRONG]),
    "DATA with words": ([MAIL, RCPT, b"DATA x"], [{250}, {250}, WRONG]),
    "RCPT first": ([RCPT], [{503}]),
    "DATA first": ([b"DATA"], [{503}]),
    "DATA without recipient": ([MAIL, b"DATA"], [{250}, {503, 554}]),
    "MAIL twice": ([MAIL, MAIL], [{250}, {503}]),
    "RCPT behind RSET": ([MAIL, b"RSET", RCPT], [{250}, {250}, {503}]),
    "RCPT behind EHLO": ([MAIL, b"EHLO x", RCPT], [{250}, {250}, {503}]),
    "RCPT behind HELO": ([MAIL, b"HELO x", RCPT], [{250}, {250}, {503}]),
    "MAIL alone": ([b"MAIL"], [WRONG]),
    "RCPT alone": ([MAIL, b"RCPT"], [{250}, WRONG]),
    "HELO alone": ([b"HELO"], [WRONG]),
    "EHLO alone": ([b"EHLO"], [WRONG]),
    "STARTTLS with words": ([b"STARTTLS now"], [WRONG]),
    "AUTH alone": ([b"AUTH"], [WRONG]),
    "BDAT alone": ([MAIL, RCPT, b"BDAT"], [{250}, {250}, WRONG]),
    "BDAT of less than nothing": ([MAIL, RCPT, b"BDAT -1"], [{250}, {250}, WRONG]),
    "BDAT of words": ([MAIL, RCPT, b"BDAT abc"], [{250}, {250}, WRONG]),
    "BDAT in hex": ([MAIL, RCPT, b"BDAT 0x10"], [{250}, {250}, WRONG]),
    "BDAT FIRST": ([MAIL, RCPT, b"BDAT 0 FIRST"], [{250}, {250}, WRONG]),
    "BDAT without MAIL": ([b"BDAT 0 LAST"], [{503}]),
    "DATA behind BDAT": ([MAIL, RCPT, b"BDAT 0", b"DATA"], [{250}, {250}, {250}, {503}]),
}


@pytest.mark.parametrize("name", LINES)
def test_a_line(target: Target, name: str) -> None:
    """One answer for each, of the right kind, and the session goes on."""
    lines, wanted = LINES[name]
    found = dialogue(target, *lines)
    assert len(found) == len(wanted) + 1
    # Behind a chunk of unknown length nobody knows where the next command begins: the connection may end.
    end = {250, 0} if name.startswith("BDAT") else {250}
    assert all(code in allowed for code, allowed in zip(found, [*wanted, end], strict=True)), found


@pytest.mark.parametrize("length", [600, 1100, 2040])
def test_a_long_line(target: Target, length: int) -> None:
    """Up to 2,048 octets a line is a line."""
    found = dialogue(target, b"NOOP " + b"x" * (length - 7), b"x" * (length - 2))
    assert found == [250, 500, 250]


@pytest.mark.parametrize("word", [b"NOOP ", b"EHLO ", b"MAIL FROM:<", b"RCPT TO:<", b"AUTH PLAIN ", b""])
@pytest.mark.parametrize("length", [13_000, 100_000, 4_000_000])
def test_a_line_beyond_all_bounds(target: Target, word: bytes, length: int) -> None:
    """One 500, then the end; the rest of the line is no command."""

    def talk() -> tuple[int, int]:
        with greeted(target) as client:
            client.send(word + b"x" * length + b"\r\n" + MAIL + b"\r\n")
            return client.code(), client.code()

    assert talk() in ((500, 0), (0, 0))


# ---------------------------------------------------------------------- names, addresses, parameters

NAMES = [
    b"\xff\xfe", b"a b c", b"-", b"[127.0.0.1", b"[IPv6:zz::]", b"..", b"<script>alert(1)</script>", b"%s%s%n",
    b"a\x1b[31mred", b"a\0b", b"'; DROP TABLE users;--", b"${run{id}}", b"../../etc/passwd", b"x" * 1500,
    b"a\nX-Evil: 1",
    b"a\rX-Evil: 1", b"a\r X-Evil: 1",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_a_client(target: Target, name: bytes) -> None:
    """Taken or refused, it becomes no header line and no control character of any message."""

    def talk() -> int:
        with Raw(target.smtp) as client:
            client.code()
            client.codes(b"EHLO " + name, b"HELO x")
            if client.codes(MAIL, RCPT, b"DATA")[-1] != 354:
                return 0
            client.send(b"Subject: s\r\nMessage-ID: <%s@x>\r\n\r\nx\r\n.\r\n" % name.hex()[:60].encode())
            return client.code()

    talk()
    for message in target.stored():
        head = message.partition(b"\r\n\r\n")[0]
        assert not any(line.lower().startswith(b"x-evil") for line in head.split(b"\r\n"))
        assert not any(octet < 32 and octet not in b"\r\n\t" for octet in head)


BAD_SENDERS = [
    b"MAIL <a@b.example>", b"MAIL FROM <a@b.example>", b"MAIL FROM:", b"MAIL FROM:<", b"MAIL FROM:<a@b.example",
    b"MAIL FROM:<a@b@c.example>", b"MAIL FROM:<@>", b"MAIL FROM:<a@>", b'MAIL FROM:<"a@b.example>',
    b"MAIL FROM:<a b@c.example>", b"MAIL FROM:<<a@b.example>>", b"MAIL FROM:<a@b.example> <c@d.example>",
    b"MAIL TO:<a@b.example>", b"MAILFROM:<a@b.example>", b"MAIL FROM:<a@b.example>SIZE=1",
    b"MAIL FROM:<a@b.example>;x",
    b"MAIL FROM:<a@b.example\nX-Evil: 1>", b"MAIL FROM:<a@b.example\rX-Evil: 1>", b"MAIL FROM:<a\0@b.example>",
    b"MAIL FROM:<a@" + b"d" * 300 + b".example>", b"MAIL FROM:<a@" + b"x." * 500 + b"example>",
    b"MAIL FROM:<\xe4@b.example>",
    *(MAIL + b" " + word for word in (
        b"SIZE=-1", b"SIZE=abc", b"SIZE=", b"SIZE=1 SIZE=2", b"SIZE=0x10", b"SIZE=" + b"9" * 27, b"BODY=FOO",
        b"FOO=BAR",
        b"RET=BOGUS", b"AUTH=", b"=", b"BODY=8BITMIME BODY=7BIT", b"SMTPUTF8=1", b"\xff", b"X=Y " * 100,
    )),
]  # fmt: skip


@pytest.mark.parametrize("line", BAD_SENDERS)
def test_a_bad_sender(target: Target, line: bytes) -> None:
    """Refused for good, and no transaction is open."""
    first, second, end = dialogue(target, line, RCPT)
    assert first in WRONG
    assert (second, end) == (503, 250)


BAD_RECIPIENTS = [
    b"RCPT TO:", b"RCPT TO:<>", b"RCPT TO:<@>", b'RCPT TO:<"joe@mail.office.example>',
    b"RCPT TO:<a@b@mail.office.example>",
    b"RCPT <joe@mail.office.example>", RCPT + b" FOO=BAR", b"RCPT TO:<joe@mail.office.example",
    b"RCPT FROM:<joe@mail.office.example>", b"RCPT TO:<joe@mail.office.example><joe@mail.office.example>",
    RCPT + b" NOTIFY=BOGUS", RCPT + b" NOTIFY=NEVER,DELAY", b"RCPT TO:<joe\n@mail.office.example>",
    b"RCPT TO:<joe\0@mail.office.example>",
    b"RCPT TO:<" + b"l" * 1000 + b"@mail.office.example>", b"RCPT TO:<joe\x07@mail.office.example>",
    b"RCPT TO:<\xff@mail.office.example>",
]  # fmt: skip


@pytest.mark.parametrize("line", BAD_RECIPIENTS)
def test_a_bad_recipient(target: Target, line: bytes) -> None:
    """Refused for good; the next one of the same message is taken."""
    found = dialogue(target, MAIL, line, RCPT)
    assert found[1] in WRONG
    assert [found[0], *found[2:]] == [250, 250, 250]


ODD_NAMES = [
    b"|/bin/sh", b"/etc/passwd", b"../../../tmp/x", b":include:/etc/passwd", b"$(id)", b"`id`", b"${run{/bin/id}}",
    b"-oQ/tmp",
    b"--", b"joe;id", b'"a\\"b"', b'"\\\\"', b"*", b"%", b"A" * 64, b"%n%s", b"' OR 1=1 --", b'"joe joe"', b"{{7*7}}",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD_NAMES)
def test_an_odd_name(target: Target, name: bytes) -> None:
    """Data to everybody it passes: a mailbox that is not there."""
    found = dialogue(target, MAIL, b"RCPT TO:<" + name + b"@mail.office.example>")
    assert found[1] in NO
    assert [found[0], found[2]] == [250, 250]


OUTSIDE = [
    b"victim@outside.example", b"victim%outside.example@mail.office.example",
    b"@mail.office.example:victim@outside.example",
    b'"victim@outside.example"@mail.office.example', b"outside.example!victim@mail.office.example",
    b"outside.example!victim",
    b"victim@outside.example@mail.office.example", b'"victim@outside.example"', b"victim%outside.example",
    b"<victim@outside.example>",
    b"victim@[127.0.0.1]", b"victim@outside.example.", b"victim@OUTSIDE.EXAMPLE",
    b"victim@outside.example\0@mail.office.example",
    b"@localhost,@mail.office.example:victim@outside.example", b"victim@[IPv6:::1]",
]  # fmt: skip


@pytest.mark.parametrize("who", ["one who is trusted", "a stranger"])
@pytest.mark.parametrize("sender", [b"a@far.example", b"joe@mail.office.example", b"", b"mail@company.example"])
@pytest.mark.parametrize("address", OUTSIDE)
def test_nobody_relays_without_a_login(target: Target, address: bytes, sender: bytes, who: str) -> None:
    """Neither routes nor per cents nor a local sender make it relay."""
    lines = b"MAIL FROM:<" + sender + b">", b"RCPT TO:<" + address + b">"
    found = dialogue(target, *lines, stranger_too=who == "a stranger")
    assert found[1] in NO
    assert found[-1] == 250
