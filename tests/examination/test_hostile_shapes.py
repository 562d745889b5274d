"""Shapes no honest program makes: sizes, folding, octets, ends. Nothing raises, nothing is lost, nobody is guessed."""

import time

import pytest

from tests.examination.conftest import BOX, DOMAIN, HOP, REGULAR, Examiner

ANDREW = f"To: Andrew <{BOX}>"
SHAPES: list[tuple[str, bytes, str]] = [
    ("nothing", b"", "ADMIN not-addressed"),
    ("empty line", b"\r\n", "ADMIN not-addressed"),
    ("body only", b"\r\nTo: Andrew <mail@company.example>\r\n", "ADMIN not-addressed"),
    ("no end", b"To: Andrew <mail@company.example>", "andrew name-L1"),
    ("LF", b"To: Andrew <mail@company.example>\nSubject: x\n\nHi\n", "andrew name-L1"),
    ("CR alone", b"To: Andrew <mail@company.example>\rSubject: x\r\rHi\r", "andrew name-L1"),
    (
        "CR in a field",
        b"Subject: x\rTo: Greg <mail@company.example>\r\nTo: Andrew <mail@company.example>\r\n\r\n",
        "andrew name-L1",
    ),
    (
        "CR hides an end",
        b"Subject: x\r\rTo: Greg <mail@company.example>\r\nTo: Lisa <mail@company.example>\r\n\r\n",
        "lisa name-L1",
    ),
    ("NUL in the name", b"To: And\0rew <mail@company.example>\r\n\r\n", "ADMIN unknown-name"),
    ("NUL between", b"To: Andrew\0<mail@company.example>\r\n\r\n", "andrew name-L1"),
    ("NUL in the address", b"To: Andrew <mail\0@company.example>\r\n\r\n", "andrew name-L1"),
    ("blank line with spaces", b"Subject: x\r\n  \r\nTo: Andrew <mail@company.example>\r\n\r\n", "andrew name-L1"),
    ("starts folded", b" folded\r\nTo: Andrew <mail@company.example>\r\n\r\n", "andrew name-L1"),
    ("odd case and blank", b"tO\t: Andrew <mail@company.example>\r\n\r\n", "andrew name-L1"),
    (
        "8-bit field name",
        b"T\xf6: Greg <mail@company.example>\r\nTo: Andrew <mail@company.example>\r\n\r\n",
        "andrew name-L1",
    ),
    ("mbox From", b"From x@y Sat Nov 21 2026\r\nTo: Andrew <mail@company.example>\r\n\r\n", "andrew name-L1"),
    ("colon first", b": x\r\nTo: Andrew <mail@company.example>\r\n\r\n", "andrew name-L1"),
    ("second header below", b"Subject: x\r\n\r\nTo: Andrew <mail@company.example>\r\n\r\n", "ADMIN not-addressed"),
    ("open quote", b'To: "Andrew <mail@company.example>\r\n\r\n', "andrew name-L1"),
    ("open comment", b"To: Andrew ( <mail@company.example>\r\n\r\n", "andrew name-L4"),
    ("open word", b"To: =?utf-8?q?Andrew <mail@company.example>\r\n\r\n", "ADMIN unknown-name"),
    ("utf-16", "To: Andrew <mail@company.example>\r\n\r\n".encode("utf-16"), "ADMIN not-addressed"),
    ("utf-8 mark", b"\xef\xbb\xbfTo: Andrew <mail@company.example>\r\n\r\n", "andrew name-L1"),
    ("name of 300", b"To: Andrew" + b"w" * 300 + b" <mail@company.example>\r\n\r\n", "ADMIN oversize"),
    (
        "deep comments",
        b"To: Andrew " + b"(" * 9_000 + b")" * 9_000 + b" <mail@company.example>\r\n\r\n",
        "andrew name-L1",
    ),
    ("To of 136 kB", b"To: " + b"x@far.example, " * 9_000 + b"Andrew <mail@company.example>\r\n\r\n", "ADMIN oversize"),
    ("2,100 To", b"To: x@far.example\r\n" * 2_100 + b"To: Andrew <mail@company.example>\r\n\r\n", "ADMIN oversize"),
    ("2,001 in one", b"To: " + b"x@y.example," * 2_000 + b"Andrew <mail@company.example>\r\n\r\n", "ADMIN oversize"),
    ("1,999 in one", b"To: " + b"x@y.example," * 1_999 + b"Andrew <mail@company.example>\r\n\r\n", "andrew name-L1"),
    (
        "10,000 Received",
        b"Received: by x.example; y\r\n" * 10_000 + b"To: Andrew <mail@company.example>\r\n\r\n",
        "ADMIN oversize",
    ),
    ("60 Received", b"Received: by x.example; y\r\n" * 60 + b"To: Andrew <mail@company.example>\r\n\r\n", "ADMIN loop"),
    (
        "50 Received",
        b"Received: by x.example; y\r\n" * 50 + b"To: Andrew <mail@company.example>\r\n\r\n",
        "andrew name-L1",
    ),
    ("long line", b"X: " + b"x" * 60_000 + b"\r\nTo: Andrew <mail@company.example>\r\n\r\n", "andrew name-L1"),
    ("field of 70 kB", b"X: " + b"x" * 70_000 + b"\r\nTo: Andrew <mail@company.example>\r\n\r\n", "ADMIN oversize"),
    ("header of 300 kB", b"X: y\r\n" * 50_000 + b"To: Andrew <mail@company.example>\r\n\r\n", "ADMIN oversize"),
    ("quotes", b"To: " + b'"' * 60_000 + b" <mail@company.example>\r\n\r\n", "ADMIN oversize"),
    ("angles", b"To: " + b"<" * 60_000 + b"\r\n\r\n", "ADMIN oversize"),
    ("words", b"To: " + b"=?utf-8?q?A?= " * 4_000 + b"<mail@company.example>\r\n\r\n", "ADMIN oversize"),
]


@pytest.fixture(scope="module")
def office() -> Examiner:
    """An office that shares one address."""
    return Examiner(REGULAR)


@pytest.fixture(scope="module")
def catch_all() -> Examiner:
    """An office with a catch-all."""
    return Examiner(DOMAIN)


@pytest.mark.parametrize(("octets", "expected"), [v[1:] for v in SHAPES], ids=[v[0] for v in SHAPES])
def test_strange_shapes(office: Examiner, octets: bytes, expected: str):
    """Read without a fault, stored octet for octet, sorted or given to ADMIN."""
    assert office.ask(octets) == expected


@pytest.mark.parametrize("octets", [v[1] for v in SHAPES], ids=[v[0] for v in SHAPES])
def test_strange_shapes_of_a_catch_all(catch_all: Examiner, octets: bytes):
    """None of them names anybody of the domain, so ADMIN gets all of them."""
    assert catch_all.ask(octets).startswith("ADMIN ")


@pytest.mark.parametrize(
    "piece",
    [b'"', b"(", b"<", b"\\", b"=?utf-8?b?", b"a@b,", b":;", b"=?utf-8?q?a?= ", b"[", b"@", b"a <", b"\xff", b"'a' "],
)
def test_time_grows_with_size_only(office: Examiner, piece: bytes):
    """Sixteen times the octets may take sixteen times as long, with some room, and not the square of it."""

    def seconds(length: int) -> float:
        best = 9.0
        for turn in range(3):
            text = b"To: " + (piece * length)[:length] + b" <mail@company.example>\r\nX: %d\r\n\r\n" % turn
            start = time.process_time()
            office.ask(text)
            best = min(best, time.process_time() - start)
        return best

    assert seconds(48_000) < 64 * max(seconds(3_000), 0.01)


def test_two_copies_with_and_without_an_id_3_5():
    """One Message-ID and text is one message; without an id sender, date and subject tell; empty ids are none."""
    office = Examiner(REGULAR)
    for more in ("Message-ID: <a@far.example>\n", "Message-ID: <A@FAR.example>\n", "Message-ID: a@far.example\n"):
        office.ask(HOP + ANDREW + "\n" + more)
    assert office.count("andrew") == 1
    for more in ("Message-ID:\nDate: x\nSubject: 1\n", "Date: x\nSubject: 1\n", "Date: x\nSubject: 2\n"):
        office.ask(HOP + ANDREW + "\n" + more)
    assert office.count("andrew") == 3
    office.ask(f"{HOP}To: Greg <{BOX}>\nMessage-ID: <a@far.example>\n")
    assert office.count("greg") == 1
