"""A page of a stranger's server, asked for while a provider is looked for, never fills the memory."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import define
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone

from mailshare.shell.bounded_page import page_of


@define
class Answer:
    """A response that told no length."""

    page: Any = None
    cut: bool = False

    def deliverBody(self, protocol: Any) -> None:
        self.page = protocol
        protocol.makeConnection(self)

    def loseConnection(self) -> None:
        self.cut = True


@pytest.mark.parametrize(
    ("pieces", "end", "found"),
    [
        ([b"<client", b"Config/>"], ResponseDone(), b"<clientConfig/>"),
        ([b"<client"], ConnectionLost(), None),
        ([b"x" * 40_000] * 2, None, None),
    ],
    ids=["whole", "broken off", "endless"],
)
def test_a_page_has_a_bound(pieces: list[bytes], end: Exception | None, found: bytes | None) -> None:
    """What is too large is cut off at once, and what breaks off is no page."""
    answer = Answer()
    page = page_of(answer, 65_536)
    for piece in pieces:
        answer.page.dataReceived(piece)
    if end is not None:
        answer.page.connectionLost(Failure(end))
    assert page.result == found
    assert answer.cut is (end is None)


def test_whoever_waits_no_more_cuts_it() -> None:
    """The deadline ends the connection, too."""
    answer = Answer()
    page = page_of(answer, 65_536)
    page.addErrback(lambda _: None)
    page.cancel()
    assert answer.cut
    answer.page.dataReceived(b"late")
