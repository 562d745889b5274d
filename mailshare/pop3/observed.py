"""What the POP3 server tells an observer, for indicators and for the journal."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen


@frozen
class SessionOpened:
    """Somebody logged in and has the maildrop."""

    user: str
    peer: str
    secure: bool


@frozen
class SessionClosed:
    """The session of somebody who was logged in has ended.

    :ivar deleted: messages deleted at ``QUIT``.
    :ivar retrieved: messages fetched whole.
    :ivar quit: ended by ``QUIT``, all done; else the connection broke or the deletion failed.
    """

    user: str
    peer: str
    deleted: int
    retrieved: int
    quit: bool


@frozen
class LoginRejected:
    """A wrong name or password, or no try left. The name is as sent: unprintable characters are the viewer's care."""

    user: str
    peer: str
    mechanism: str


Observed = SessionOpened | SessionClosed | LoginRejected
Observer = Callable[[Observed], None]


def unobserved(_: Observed) -> None:
    """An observer that does not care."""
