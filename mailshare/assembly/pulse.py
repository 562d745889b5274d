"""Tells those who watch how the office is: at most once a second, and only while somebody watches."""

from __future__ import annotations

import json
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from mailshare.assembly.acts import Acts
from mailshare.core.errors import MailshareError


class Pulse(Service):
    """Looks each second, and tells when something is different."""

    _log = Logger()

    def __init__(self, reactor: Any, acts: Acts) -> None:
        self._acts = acts
        self._last = ""
        self._looking: Deferred[None] | None = None
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
        if self._looking is not None:
            await self._looking

    def changed(self) -> None:
        """Something is different for sure: tell it at the next beat even if the words are the same."""
        self._last = ""

    def _look(self) -> None:
        if self._acts.watched and self._looking is None:
            self._looking = Deferred.fromCoroutine(self._tell())

    async def _tell(self) -> None:
        try:
            status = await self._acts.status()
        except MailshareError as error:
            self._log.warn("the status could not be told: {error}", error=error.public)
            return
        finally:
            self._looking = None
        words = json.dumps(status)
        if words != self._last:
            self._last = words
            self._acts.tell("status", status)
