"""Eight times as much input costs about eight times as much, by this thread's processor time, never by the clock."""

from __future__ import annotations

import gc
import time

import pytest
from mutants.everything import SUBJECTS
from mutants.subject import Subject

BY_NAME = {subject.name: subject for subject in SUBJECTS}
SMALL, FACTOR = 1_500, 8  # octets; a quadratic reader takes 64 times as long for 8 times as much
MOST_RATIO = 3 * FACTOR
NOISE = 0.0005  # seconds below which the measure means nothing
RAW = (
    *(b"a", b" ", b"\r\n", b"\n ", b".", b"\0", b"\xff", b"(", b'"', b'\\"', b"<", b"<a@b>", b",", b"a@b,", b":", b";"),
    *(b"=?", b"=?u?q?a?= "),
)
OF_ITS_OWN = {
    "headers": (b"To: a@b\r\n", b"Received: by x\r\n", b"References: <a@b>\r\n", b" folded\r\n", b"To: =?u?q?a?= <a>,"),
    "sorting": (b"To: a@company.example\r\n", b"Delivered-To: x@company.example\r\n", b"Received: from a by b\r\n"),
    "submitted": (b"From: a@b\r\n", b"Bcc: x@y\r\n", b"To: mail@company.example\r\n"),
    "smtp_server": (b"NOOP\r\n", b"RCPT TO:<a@b>\r\n", b"AUTH PLAIN AA==\r\n"),
    "pop3_server": (b"NOOP\r\n", b"RETR 1\r\n", b"USER x\r\n"),
    "pop3_client": (b"+OK\r\n", b"1 1\r\n", b"+ \r\n"),
    "imap_client": (b"* 1 FETCH (UID 1)\r\n", b"* X {0}\r\n", b'"\\"', b"* SEARCH 1 ", b"[", b"&-", b"m1 OK\r\n"),
    "smtp_client": (b"250-x\r\n", b"250 x\r\n"),
    "configuration": (b"[[user]]\n", b'a = "b"\n', b"a.", b"[", b"[[user]]\nname = 'a'\n", b"#\n"),
    "uid_file": (b"a@b UID\n", b"UID\0 1\n", b"\n"),
    "returned_parts": (b"--b1\r\n\r\n", b"Message-ID: <a@b>\r\n", b"Message-ID: <"),
    "control": (b"[", b"{", b'"a",'),
}


def spent(subject: Subject, data: bytes, runs: int) -> float:
    """The least of some runs, seconds of this thread."""
    times = []
    for _ in range(runs):
        start = time.thread_time()
        subject.feed(data)
        times.append(time.thread_time() - start)
    return min(times)


def ratio(subject: Subject, small: bytes, large: bytes, runs: int) -> float:
    """How many times longer the large one takes."""
    return spent(subject, large, runs) / max(spent(subject, small, runs), NOISE)


@pytest.mark.parametrize("subject", SUBJECTS, ids=list(BY_NAME))
def test_time_grows_with_the_input_and_no_faster(subject: Subject) -> None:
    """One piece again and again, alone and behind a good beginning, at two sizes."""
    gc.collect()
    seed = subject.seeds[0]
    for number, piece in enumerate((*RAW, *OF_ITS_OWN.get(subject.name, ()), *subject.words[:6])):
        start = seed[: len(seed) // 2] if number % 2 else b""
        small = start + piece * (SMALL // len(piece) + 1)
        large = start + piece * (SMALL * FACTOR // len(piece) + 1)
        # What else this machine does may spoil one measure; a reader that is slow is so in each of them.
        assert any(ratio(subject, small, large, runs) <= MOST_RATIO for runs in (1, 2, 5)), (piece, start)


@pytest.mark.parametrize(("name", "start", "piece", "end"), [("received", b"<a", b"@", b"(")])
def test_time_grows_no_faster_where_the_end_does_not_fit(name: str, start: bytes, piece: bytes, end: bytes) -> None:
    """A pattern that may part its text anywhere tries it everywhere as soon as the last character spoils it."""
    gc.collect()
    small, large = (start + piece * size + end for size in (SMALL, SMALL * FACTOR))
    assert any(ratio(BY_NAME[name], small, large, runs) <= MOST_RATIO for runs in (1, 2, 5))


def test_a_quadratic_reader_is_seen() -> None:
    """The measure itself: something that takes the square of the size is over the bound."""

    def square(data: bytes) -> int:
        return sum(data[at:].count(b"a") for at in range(0, len(data), 2))

    subject = Subject("square", square, (b"x",))
    assert ratio(subject, b"a" * 4_000, b"a" * 32_000, 2) > MOST_RATIO
