"""Makes those who guess wait: the throttle with a clock, for every kind of login that there is."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from mailshare.core.errors import TooManyTries
from mailshare.portal.throttle import Throttle

MAX_PASSWORD = 1024  # octets; a longer one is refused without being hashed


class Guesses:
    """Tries at logins.

    :param throttle: shared by all logins, so that a guesser gains nothing by going to another door.
    """

    def __init__(self, throttle: Throttle, clock: IReactorTime) -> None:
        self._throttle = throttle
        self._clock = clock

    async def in_line(self, peer: str, name: str) -> None:
        """Wait as long as the throttle says.

        :raises TooManyTries: the line of this peer is too long.
        """
        wait = self._throttle.wait(peer, name, self._clock.seconds())
        if wait is None:
            # The refusal is late as well, or it could be asked for as fast as the network goes.
            await deferLater(self._clock, self._throttle.delays[-1])
            raise TooManyTries
        if wait:
            await deferLater(self._clock, wait)

    async def failed(self, peer: str, name: str, password: bytes) -> None:
        """A try was wrong; fires when it may be told."""
        pause = self._throttle.failed(peer, name, password[:MAX_PASSWORD], self._clock.seconds())
        if pause:
            await deferLater(self._clock, pause)
