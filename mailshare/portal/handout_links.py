"""Links that show one person's hand-out: for a day, or for one browser."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from typing import Any

from attrs import asdict, evolve
from zope.interface import implementer

from mailshare.core.errors import PeerFault, PolicyRefusal
from mailshare.core.values import SECOND, HandoutLink
from mailshare.interfaces import IHandoutLinks, ISettings
from mailshare.portal.guesses import Guesses
from mailshare.portal.web_sessions import SCOPE, digest, new_secret

MOST = 2000
LONGEST = 30 * 24
"""Hours."""
AFTER_OPENING = 1800 * SECOND
"""How long a browser keeps what it alone may see."""
_HOUR = 3600 * SECOND
_NOT_VALID = "This link is not valid, or not any more; ask whoever sent it for a new one"


@implementer(IHandoutLinks)
class HandoutLinks:
    """All links.

    :param clock: microseconds UTC.
    """

    def __init__(
        self,
        settings: ISettings,
        random: Callable[[int], bytes],
        clock: Callable[[], int],
        guesses: Guesses,
    ) -> None:
        self._settings = settings
        self._random = random
        self._clock = clock
        self._guesses = guesses
        self._by_digest: dict[str, HandoutLink] = {}

    async def load(self) -> None:
        """Read them."""
        found = await self._settings.get(SCOPE, "handout links")
        rows: Any = found[0] if found is not None else {}
        self._by_digest = {key: HandoutLink(**row) for key, row in rows.items()}

    async def make(self, user: str, by: str, *, hours: int, once: bool) -> tuple[str, HandoutLink]:
        """A new link and its secret."""
        if not 1 <= hours <= LONGEST:
            raise PeerFault(f"A link is valid for 1 to {LONGEST} hours", code=400)
        now = self._clock()
        self._by_digest = {key: one for key, one in self._by_digest.items() if now < one.expires}
        if len(self._by_digest) >= MOST:
            raise PolicyRefusal(f"There are {MOST} links already; take some back first")
        secret = new_secret(self._random)
        key = digest(secret)
        made = HandoutLink(key[:12], user.casefold(), by, now, now + hours * _HOUR, once)
        self._by_digest[key] = made
        await self._write()
        return secret, made

    async def find(self, secret: str, peer: str) -> HandoutLink:
        """The link of a secret; whoever tries others waits."""
        await self._guesses.in_line(peer, "hand-out link")
        found = self._by_digest.get(digest(secret))
        if found is None:
            await self._guesses.failed(peer, "hand-out link", secret.encode("utf-8", "replace"))
        if found is None or self._clock() >= found.expires:
            raise PeerFault(_NOT_VALID, code=404)
        return found

    def shows(self, link: HandoutLink, browser: str) -> bool:
        """To everybody, or to the browser that used it up."""
        return not link.once or (bool(link.browser) and hmac.compare_digest(link.browser, digest(browser)))

    async def open(self, link: HandoutLink) -> str:
        """Use it up; it ends soon after that."""
        key = next((key for key, one in self._by_digest.items() if one.id == link.id), "")
        if not key or self._by_digest[key].opened:
            raise PeerFault(_NOT_VALID, code=404)
        secret, now = new_secret(self._random), self._clock()
        self._by_digest[key] = evolve(
            link, opened=now, browser=digest(secret), expires=min(link.expires, now + AFTER_OPENING)
        )
        await self._write()
        return secret

    def of(self, user: str) -> Sequence[HandoutLink]:
        """Those that are valid now."""
        now = self._clock()
        found = [one for one in self._by_digest.values() if one.user == user.casefold() and now < one.expires]
        return sorted(found, key=lambda one: (one.made, one.id), reverse=True)

    async def revoke(self, link_id: str) -> None:
        """Take one back."""
        self._by_digest = {key: one for key, one in self._by_digest.items() if one.id != link_id}
        await self._write()

    async def _write(self) -> None:
        rows = {key: asdict(one) for key, one in self._by_digest.items()}
        await self._settings.put(SCOPE, "handout links", rows)
