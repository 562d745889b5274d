"""What a collection asks of a session with the provider's mailbox, whatever protocol it is held in.

POP3 and IMAP each have one: :mod:`mailshare.isp.pop3_session`, :mod:`mailshare.isp.imap_session`. Messages are listed
once; deleting is a wish until :meth:`ProviderSession.leave` has made it true.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Protocol

from attrs import field, frozen
from twisted.internet.defer import Deferred

from mailshare.core.errors import MailshareError
from mailshare.isp.listing import Upstream
from mailshare.isp.provider_policy import ProviderPolicy
from mailshare.shell.replies import Taker


@frozen
class Listing:
    """What lies at the provider.

    :ivar count: messages that it says there are.
    :ivar ignored: lines of its listing that made no sense.
    :ivar whole: every message is in ``messages``, and each could be named.
    :ivar more: there are more than are listed at once; the rest comes when these were deleted.
    """

    messages: list[Upstream] = field(factory=list)
    count: int = 0
    ignored: int = 0
    whole: bool = True
    more: bool = False


@frozen
class Left:
    """How a session ended.

    :ivar deleted: numbers of the messages that are deleted now.
    :ivar error: why others are not; empty when all are.
    """

    deleted: frozenset[int] = frozenset()
    error: str = ""


class Fetching(Protocol):
    """A message on its way, and who is told when it is there."""

    def take(self, data: bytes) -> Awaitable[None] | None:
        """A piece of it; an awaitable makes the server wait.

        :raises MailshareError: it cannot be taken, and the connection is of no more use.
        """

    def came_whole(self, text: bytes) -> None:
        """It is there, all at once and as long as it was listed: in place of :meth:`take` and :meth:`came`."""

    def came(self, why_not: str) -> None:
        """That was all.

        :param why_not: why what came, if anything, is no message; empty when it is one.
        """

    def failed(self, error: BaseException) -> None:
        """The connection is over, or :meth:`take` raised this."""


class ProviderSession(Protocol):
    """Somebody who is logged in at the provider."""

    @property
    def lost(self) -> bool:
        """The connection is over."""

    @property
    def policy(self) -> ProviderPolicy:
        """What the provider says about how often we may come and how long mail may stay."""

    @property
    def gives_headers(self) -> bool:
        """A header can be had without its message."""

    @property
    def asks_ahead(self) -> bool:
        """Many questions cost one turn."""

    @property
    def ids_last(self) -> bool:
        """An id is never given to another message, by the protocol; ids can only be lost all at once."""

    @property
    def alerts(self) -> Sequence[str]:
        """What the provider wants a person to read, each a line."""

    @property
    def notes(self) -> Sequence[str]:
        """Sentences for the account's status that are no reason to fail, e.g. that a folder is missing."""

    async def list_messages(self) -> Listing:
        """All messages; those without an id of the provider's have an empty ``uid`` and ``name``.

        :raises MailshareError: there is no listing.
        """

    async def header(self, message: Upstream, take: Taker) -> bool:
        """Hand a message's header to ``take``; whether it came.

        :raises MailshareError: the connection is over.
        """

    def fetch(self, message: Upstream, to: Fetching) -> None:
        """Have a message sent; many may be asked for, one behind the other."""

    async def delete(self, messages: Sequence[Upstream]) -> Sequence[Upstream]:
        """Ask for the deletion of messages; those whose deletion the provider agrees to so far.

        :raises MailshareError: the connection is over.
        """

    async def leave(self) -> Left:
        """Have deleted what shall be deleted, and log out.

        :raises MailshareError: the connection broke; what is deleted is not known.
        """

    def give_up(self, error: MailshareError) -> None:
        """Cut the connection."""




@frozen(eq=False)
class _Awaited:
    """A message that one coroutine waits for."""

    take: Taker
    there: Deferred[str]

    def came_whole(self, text: bytes) -> None:
        self.take(text)
        self.there.callback("")

    def came(self, why_not: str) -> None:
        self.there.callback(why_not)

    def failed(self, error: BaseException) -> None:
        self.there.errback(error)


def fetched(session: ProviderSession, message: Upstream, take: Taker) -> Deferred[str]:
    """Fetch one message; fires with why what came is no message, empty when it is one.

    :cancel: leaves the message to come.
    """
    there: Deferred[str] = Deferred()
    session.fetch(message, _Awaited(take, there))
    return there
