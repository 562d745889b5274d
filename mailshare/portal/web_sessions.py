"""Browsers that are logged in to the manager: kept over restarts, each to be ended alone, their secrets only as hashes.

A session ends 12 hours after a person last did something there and after 30 days whatever is done. Before that it is
locked after some idle minutes: nothing is shown until the password is given again.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Any

from attrs import asdict, evolve
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from mailshare.core.report_parts import printable
from mailshare.core.values import SECOND, Administrator, WebSession
from mailshare.interfaces import ISettings, IWebSessions

SCOPE = "web"
IDLE = 12 * 3600 * SECOND
LONGEST = 30 * 24 * 3600 * SECOND
FRESH = 10 * 60 * SECOND
MOST = 20  # of one administrator; the oldest makes room
_NOTED = 5 * 60 * SECOND  # what a person does is written down when the last time noted is older


def digest(secret: str) -> str:
    """What is stored of a secret. It has 256 random bits, so a quick hash does."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def new_secret(random: Callable[[int], bytes]) -> str:
    """32 random octets as text."""
    return urlsafe_b64encode(random(32)).decode("ascii").rstrip("=")


@implementer(IWebSessions)
class WebSessions:
    """All sessions.

    :param exists: whether there still is an administrator of that name.
    :param clock: microseconds UTC.
    :ivar lock_after: idle microseconds until a session is locked; 0 = never. May be changed at any time.
    """

    _log = Logger()

    def __init__(
        self,
        settings: ISettings,
        random: Callable[[int], bytes],
        clock: Callable[[], int],
        exists: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._settings = settings
        self._random = random
        self._clock = clock
        self._exists = exists
        self.lock_after = 0
        self._by_digest: dict[str, WebSession] = {}
        self._noted: dict[str, int] = {}

    async def load(self) -> None:
        """Read them."""
        found = await self._settings.get(SCOPE, "sessions")
        rows: Any = found[0] if found is not None else {}
        self._by_digest = {key: WebSession(**row) for key, row in rows.items()}
        self._noted = {one.id: one.seen for one in self._by_digest.values()}

    async def begin(self, administrator: Administrator, peer: str, agent: str) -> tuple[str, WebSession]:
        """A new session and its secret."""
        self._forget_old()
        mine = self.of(administrator.name)
        for old in mine[MOST - 1 :]:
            self._drop(old.id)
        secret, now = new_secret(self._random), self._clock()
        key = digest(secret)
        made = WebSession(key[:12], administrator.name, now, now, now, peer[:64], printable(agent, 120))
        self._by_digest[key], self._noted[made.id] = made, now
        await self._write()
        return secret, made

    def find(self, secret: str) -> WebSession | None:
        """The session of a secret, if it is not over."""
        found = self._by_digest.get(digest(secret)) if secret else None
        if found is None or self._over(found):
            return None
        idle = self._clock() - found.seen
        return evolve(found, locked=True) if self.lock_after and idle > self.lock_after else found

    def touch(self, session: WebSession) -> None:
        """A person did something there; written down now and then."""
        now = self._clock()
        self._change(session.id, seen=now)
        if now - self._noted.get(session.id, 0) > _NOTED:
            self._noted[session.id] = now
            writing = Deferred.fromCoroutine(self._write())
            writing.addErrback(lambda failure: self._log.warn("{reason}", reason=failure.getErrorMessage()))

    async def prove(self, session: WebSession) -> None:
        """The password was given again."""
        now = self._clock()
        self._change(session.id, seen=now, proved=now, locked=False)
        await self._write()

    def fresh(self, session: WebSession) -> bool:
        """Whether the password was given there in the last minutes."""
        return 0 <= self._clock() - session.proved <= FRESH

    async def lock(self, session: WebSession) -> None:
        """Nothing is shown until the password is given again."""
        self._change(session.id, locked=True, proved=0)
        await self._write()

    def of(self, name: str) -> Sequence[WebSession]:
        """Those of one administrator, newest first; of everybody for an empty name."""
        found = [one for one in self._by_digest.values() if not self._over(one) and name in ("", one.name)]
        return sorted(found, key=lambda one: (-one.made, one.id))

    async def end(self, session_id: str) -> None:
        """End one."""
        self._drop(session_id)
        await self._write()

    async def end_all(self, name: str, but: str = "") -> int:
        """End all of somebody, but that one."""
        ended = [one for one in self.of(name) if one.id != but and name]
        for one in ended:
            self._drop(one.id)
        await self._write()
        return len(ended)

    def _over(self, session: WebSession) -> bool:
        now = self._clock()
        return now - session.seen > IDLE or now - session.made > LONGEST or not self._exists(session.name)

    def _forget_old(self) -> None:
        for old in [one.id for one in self._by_digest.values() if self._over(one)]:
            self._drop(old)

    def _drop(self, session_id: str) -> None:
        self._by_digest = {key: one for key, one in self._by_digest.items() if one.id != session_id}
        self._noted.pop(session_id, None)

    def _change(self, session_id: str, **what: Any) -> None:
        self._by_digest = {
            key: evolve(one, **what) if one.id == session_id else one for key, one in self._by_digest.items()
        }

    async def _write(self) -> None:
        rows = {key: asdict(one) for key, one in self._by_digest.items()}
        await self._settings.put(SCOPE, "sessions", rows)
