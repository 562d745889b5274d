"""``mailshare account test-tag``: whether the provider delivers tagged addresses."""

from __future__ import annotations

from collections.abc import Mapping

from mailshare.assembly.changes import Changes
from mailshare.assembly.provider_acts import LiveAccounts
from mailshare.core.errors import Unavailable
from mailshare.isp.tag_test import TagTest


class TagTesting(Changes):
    """Sends the test and looks for it; put together with a class that knows the running server.

    :ivar tags: set by a running server.
    """

    tags: TagTest | None = None

    def _live(self) -> LiveAccounts | None:
        """The running server, when there is one."""
        return None

    async def test_tag(self, *, address: str, look: bool = False) -> Mapping[str, object]:
        """Send the test message, or with ``look`` only see whether it is back; collects and sends at once.

        :returns: ``state``: ``works``, ``does not``, ``waiting`` or ``never``; ``by_hand``: what an option says.
        """
        account, live = self._account(address), self._live()
        if self.tags is None or live is None:
            raise Unavailable("The server does not run; start it first")
        if not look:
            await self.tags.start(account)
        if look or await self.tags.state(account) == "waiting":
            await live.send_receive(account)
        return {
            "account": str(account.address),
            "state": await self.tags.state(account),
            "by_hand": account.options.get("tags_work"),
        }
