"""Who may log in to the manager, put together: over the running server's store, or over a store alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mailshare.assembly.manager_acts import Doorkeepers
from mailshare.core.values import SECOND
from mailshare.interfaces import IStore
from mailshare.portal.administrators import Administrators
from mailshare.portal.api_tokens import ApiTokens
from mailshare.portal.guesses import Guesses
from mailshare.portal.handout_links import HandoutLinks
from mailshare.portal.last_seen import LastSeen
from mailshare.portal.passwords import Passwords
from mailshare.portal.setup_code import SetupCode
from mailshare.portal.throttle import Throttle
from mailshare.portal.web_sessions import WebSessions

_log = Logger()


class Doorkeeping:
    """Administrators, their sessions and tokens, and the code of the first run.

    :param throttle: that of POP3 and SMTP, so that a guesser gains nothing by going from door to door.
    :param seen: where it is noted when somebody came in last.
    """

    def __init__(self, store: IStore, reactor: Any, passwords: Passwords, throttle: Throttle, seen: LastSeen) -> None:
        def clock() -> int:
            return int(reactor.seconds() * SECOND)

        guesses = Guesses(throttle, reactor)
        self._throttle, self._seen, self._seconds = throttle, seen, reactor.seconds
        self.administrators = Administrators(store.settings, passwords, guesses, clock, self._gone, self._came)
        self.sessions = WebSessions(store.settings, os.urandom, clock, self._is_there)
        self.tokens = ApiTokens(store.settings, os.urandom, clock, self.administrators.find)
        self.setup_code = SetupCode(self.administrators, guesses, os.urandom)
        self.links = HandoutLinks(store.settings, os.urandom, clock, guesses)
        self.left: Callable[[str], None] = lambda _: None

    async def load(self) -> None:
        """Read what the store has of them."""
        await self.administrators.load()
        await self.sessions.load()
        await self.tokens.load()
        await self.links.load()

    def for_acts(self, *, running: bool) -> Doorkeepers:
        """What the administrator's acts need of them."""
        return Doorkeepers(
            self.administrators,
            self.tokens,
            self.setup_code if running else None,
            self._seen,
            self._throttle if running else None,
            self._seconds,
        )

    def _came(self, key: str, peer: str) -> None:
        self._seen.note(key, "manager", peer)

    def _is_there(self, name: str) -> bool:
        return self.administrators.find(name) is not None

    def _gone(self, name: str) -> None:
        """Somebody was removed or has a new password: what was opened with the old one is closed."""
        ending = Deferred.fromCoroutine(self._end(name))
        ending.addErrback(lambda failure: _log.warn("{reason}", reason=failure.getErrorMessage()))

    async def _end(self, name: str) -> None:
        await self.sessions.end_all(name)
        if not self._is_there(name):
            await self.tokens.revoke_all(name)
        self.left(name)
