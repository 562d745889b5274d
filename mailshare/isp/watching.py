"""Who can be watched for new mail at the provider, and the way there; it is imported with the first such account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from mailshare.core.errors import Unavailable
from mailshare.core.provider_options import ProviderOptions
from mailshare.core.values import Account
from mailshare.interfaces import IWatch, IWatching
from mailshare.isp.sign_on import Doors

if TYPE_CHECKING:
    from mailshare.wire.imap_replies import IMAPLimits


@implementer(IWatching)
class Watching:
    """Begins watches.

    :param doors: reactor, secrets, deadlines.
    """

    def __init__(self, doors: Doors, limits: IMAPLimits | None = None) -> None:
        self._doors = doors
        self._limits = limits

    def can_watch(self, account: Account) -> bool:
        """Over IMAP, and unless the account's ``idle`` is off."""
        over_imap = account.collect is not None and account.collect.protocol == "imap"
        return over_imap and ProviderOptions.of(account).idle

    async def watch(self, account: Account) -> IWatch:
        """Log in and open the first folder for reading only."""
        if account.collect is None:
            raise Unavailable(f"{account.address} has no server to fetch from")
        from mailshare.isp.imap_watch import open_watch  # noqa: PLC0415 - most offices fetch over POP3

        return await open_watch(self._doors, account, account.collect, self._limits)
