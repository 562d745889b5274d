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

    def collect(account: Account) -> Awaitable[Mapping[str, int]]:
        """One session. Never raises for what the server does: that is in the status.

        :returns: user name to messages, as in "collected 3, andrew 1, greg 1, ADMIN1 1".
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
