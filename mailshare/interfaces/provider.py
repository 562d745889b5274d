"""The provider's side, and how configuration builds replaceable parts."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

from zope.interface import Attribute, Interface

from mailshare.core.values import Account
from mailshare.interfaces.store import IStore


class ISecrets(Interface):
    """Where passwords for the provider come from."""

    def password(account: Account, purpose: str) -> Awaitable[str]:
        """The password for ``"collect"`` or ``"relay"``. Asked for each session, so that a changed file is seen.

        :raises ConfigFault: the reference leads nowhere.
        """


class ITokenSource(Interface):
    """OAuth 2 towards the provider."""

    def token(account: Account, *, refresh: bool = False) -> Awaitable[str]:
        """A bearer token; a new one when ``refresh``.

        :raises LoginRefused: consent is needed again.
        """


class ICollecting(Interface):
    """Collects one account's mail."""

    def collect(account: Account, cause: str = "") -> Awaitable[Mapping[str, int]]:
        """One session. Never raises for what the server does: that is in the status.

        :param cause: why it is made now, in words for the journal.
        :returns: user name to messages, as in "collected 3, andrew 1, greg 1, ADMIN1 1".
        """


class IWatch(Interface):
    """A connection to the provider that stays open to hear of new mail. It fetches, marks and deletes nothing."""

    pushes: bool = Attribute("the server speaks up by itself (IDLE, RFC 2177); else it is asked once a minute (NOOP)")

    def wait(seconds: float) -> Awaitable[bool]:
        """Wait until mail has come, at most that long.

        :param seconds: more than 29 minutes are cut to that (RFC 2177 section 3); call again to renew.
        :returns: whether mail has come since the last call returned, or since the watch began: at once when it came
            between two calls.
        :raises Unavailable, PeerFault: the connection is over.
        :cancel: cuts the connection.
        """

    def close() -> Awaitable[None]:
        """Log out, or cut the connection when the server does not answer; never raises, may be called at any time.

        Who waits at that moment gets :class:`~mailshare.core.errors.Unavailable`.
        """


class IWatching(Interface):
    """Begins watches.

    To miss nothing, begin the watch first, then collect, then wait: what comes after :meth:`watch` has returned makes
    a later wait true.
    """

    def can_watch(account: Account) -> bool:
        """Whether the account's server can be watched at all: it is collected from over IMAP, and ``idle`` is on."""

    def watch(account: Account) -> Awaitable[IWatch]:
        """Connect, log in, and look at the account's first folder, the one that new mail comes into.

        :raises LoginRefused, Unavailable, PeerFault, ConfigFault: it cannot be done.
        :cancel: cuts the connection.
        """


class ISurroundings(Interface):
    """What :class:`IFactory` builds with."""

    reactor: object = Attribute("IReactorTCP, IReactorTime, ...")
    store: IStore = Attribute("IStore")
    hostname: str = Attribute("the server's name")
    data_directory: str = Attribute("where files may be kept")


class IFactory(Interface):
    """How configuration builds any replaceable part; found by entry points."""

    kind: str = Attribute("the word in the configuration file: kind = '...'")
    options: type = Attribute("an attrs class; unknown keys and bad values are reported with their line")

    def build(options: object, surroundings: ISurroundings) -> object:
        """Make it. Raises ConfigFault."""
