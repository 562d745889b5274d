"""What the octets of a field rule out is what its reading would have ruled out: nothing is overlooked for speed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailshare.core import returned_parts
from mailshare.core.headers import Headers
from mailshare.core.returned_parts import is_report, refers

WORDS = (
    "undeliverable", "Returned mail", "Mail delivery", "delivery", "status", "failure", "failure notice", "Warning:",
    "your", "e-mail", "email", "mail", "message", "could not be", "was not", "not", "delayed", "non-delivery",
    "nondeliver", "unzustellbar", "mail system error", "error", "Re:", "=?utf-8?Q?undeliverable?=", "\xe4", "\x00",
    "\r\n", "\r", "\t", " ", "  ",
)  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6), st.sampled_from(["", " "]))
def test_no_subject_of_a_bounce_is_overlooked(words: list[str], between: str) -> None:
    """The quick look at the octets says yes wherever the subject as people read it says so."""
    headers = Headers.parse(b"Subject: " + between.join(words).encode("latin-1") + b"\r\n")
    for one in headers.named("subject")[:1]:
        if returned_parts._SAYS_SO.match(headers.text("subject")):
            assert returned_parts._PERHAPS_SAYS_SO.match(one.raw)
            assert is_report(headers)
            assert refers(headers)


def test_who_refers_to_another_message() -> None:
    """An answer and a report do; a first letter does not, with a report in its name or not."""
    assert refers(Headers.parse(b"In-Reply-To: <a@b>\r\n"))
    assert refers(Headers.parse(b"Content-Type: multipart/Report; x=y\r\n"))
    assert refers(Headers.parse(b"Return-Path: < >\r\n"))
    assert not refers(Headers.parse(b"Content-Type: application/report\r\nSubject: message 7\r\nFrom: a@b\r\n"))
