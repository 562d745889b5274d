"""The one-time code of the first run: whoever can read the server's log, or use its control socket, is its owner."""

from __future__ import annotations

import hmac
from collections.abc import Callable

from zope.interface import implementer

from mailshare.core.errors import LoginRefused
from mailshare.interfaces import IAdministrators, ISetupCode
from mailshare.portal.guesses import Guesses
from mailshare.portal.passwords import generated


@implementer(ISetupCode)
class SetupCode:
    """Made up when it is first asked for; it lives in memory only."""

    def __init__(
        self, administrators: IAdministrators, guesses: Guesses, random: Callable[[int], bytes]
    ) -> None:
        self._administrators = administrators
        self._guesses = guesses
        self._random = random
        self._code = ""

    def needed(self) -> bool:
        """Nobody can log in yet."""
        return not self._administrators.everybody()

    def code(self) -> str:
        """The code of now."""
        if not self._code:
            self._code = generated(self._random, 3)
        return self._code

    async def check(self, code: str, peer: str) -> None:
        """Compare; spaces and case do not count. A right one is used up when there is an administrator."""
        given = code.strip().lower().replace(" ", "")
        await self._guesses.in_line(peer, "setup code")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self.code().encode()) or not self.needed():
            await self._guesses.failed(peer, "setup code", given.encode("utf-8", "replace"))
            raise LoginRefused("That is not the code; the server's log and mailshare setup show it")
