"""Tells those who watch how the office is: the indicators as they change, the whole status at most once a second."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from attrs import asdict
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from mailshare.assembly.acts_on_need import ActsOnNeed
from mailshare.core.errors import MailshareError
from mailshare.journal.counting import Counting, Watching

_FLASH = 0.2  # seconds that each value of the indicators is told before the next


class Pulse(Service):
    """Looks each second while somebody watches, and tells when something is different."""

    _log = Logger()

    def __init__(self, reactor: Any, acts: ActsOnNeed, counting: Counting) -> None:
        self._reactor = reactor
        self._acts = acts
        self._counting = counting
        self._watching: Watching | None = None
        self._last = ""
        self._looking: Deferred[None] | None = None
        self._rest: Deferred[None] | None = None
        self._beat = LoopingCall(self._look)
        self._beat.clock = reactor

    def startService(self) -> None:
        """Begin."""
        super().startService()
        self._beat.start(1.0, now=False)

    async def stopService(self) -> None:
        """End, when the look that is under way is over."""
        super().stopService()
        if self._beat.running:
            self._beat.stop()
        self._leave()
        if self._looking is not None:
            await self._looking

    def changed(self) -> None:
        """Something is different for sure: tell it at the next beat even if the words are the same."""
        self._last = ""

    def _follow(self) -> None:
        """Tell of each change of the indicators from now on."""
        self._watching = self._counting.follow()
        flashing = Deferred.fromCoroutine(self._flash(self._watching))
        flashing.addErrback(lambda failure: self._log.failure("the indicators are not told any more", failure=failure))

    def _leave(self) -> None:
        """Nobody wants to know: then no session pays for it."""
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.close()
            if self._rest is not None:
                self._rest.cancel()

    async def _flash(self, watching: Watching) -> None:
        async for value in watching:
            self._acts().tell("peers", self._counting.peers(value))
            self._acts().tell("indicators", asdict(value))
            self._rest = deferLater(self._reactor, _FLASH)
            with suppress(CancelledError):  # nobody wants to know any more, so no further value comes
                await self._rest

    def _look(self) -> None:
        acts = self._acts.made
        if acts is None or not acts.watched:
            self._leave()
            return
        if self._watching is None:
            self._follow()
        if self._looking is None:
            self._looking = Deferred.fromCoroutine(self._tell())

    async def _tell(self) -> None:
        try:
            status = await self._acts().status()
        except MailshareError as error:
            self._log.warn("the status could not be told: {error}", error=error.public)
            return
        finally:
            self._looking = None
        words = json.dumps(status)
        if words != self._last:
            self._last = words
            self._acts().tell("status", status)
