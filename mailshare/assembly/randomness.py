"""Random octets, drawn from the system in lots.

Asking the system gives the interpreter away for a moment. Where each message asks for three octets, the thread that
asks waits for its turn again while others work: 0.4 ms a message on two busy cores.

The three octets that tell traces of one millisecond apart are a number that goes up: of random ones two would be the
same once in some sixteen million pairs, and two messages of one text without a Message-ID, which get one with their
trace, would be taken for one message sent twice.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from mailshare.core.trace import TOKEN

LOT = 1024


class Randomness:
    """A source of random octets for one thread; no octet is given out twice.

    :param draw: gives that many from the system, e.g. :func:`os.urandom`.
    """

    def __init__(self, draw: Callable[[int], bytes]) -> None:
        self._draw = draw
        self._left = b""

    def __call__(self, count: int) -> bytes:
        """So many octets."""
        if len(self._left) < count:
            self._left = self._draw(max(LOT, count))
        given, self._left = self._left[:count], self._left[count:]
        return given


class Tokens:
    """Random octets, and those of traces, of which none come twice among 16,777,216; for one thread.

    :param draw: as for :class:`Randomness`.
    """

    def __init__(self, draw: Callable[[int], bytes]) -> None:
        self._random = Randomness(draw)
        self._number = int.from_bytes(draw(TOKEN))  # anywhere: the clock may be set back over a restart

    def __call__(self, count: int) -> bytes:
        """So many octets; :data:`mailshare.core.trace.TOKEN` of them are for a trace."""
        if count != TOKEN:
            return self._random(count)
        self._number = (self._number + 1) % (1 << 8 * TOKEN)
        return self._number.to_bytes(TOKEN)


TOKENS = Tokens(os.urandom)
"""Those of this process: whatever is made in it, by whichever part, has a trace of its own."""
