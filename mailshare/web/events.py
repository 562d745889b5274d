"""One stream of server-sent events; whoever reads too slowly is dropped, so that nothing piles up here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

Watch = Callable[[str, Mapping[str, object]], None]
Frame = Callable[[str, Mapping[str, object]], str]
"""Kind and value to the lines of an event, without its id and the empty line behind it."""

_PULSE = 15.0
_PATIENCE = 64
_RETRY = 500  # milliseconds after which a reader whose connection is gone comes again
_LATER = 2500  # likewise, for one that is let go as soon as it has the state of now


def named_json(kind: str, value: Mapping[str, object]) -> str:
    """An event with its kind for a name and JSON for data."""
    return f"event: {kind}\ndata: {json.dumps(value, ensure_ascii=False)}\n"


def named_text(kind: str, text: str) -> str:
    """An event with its kind for a name and a line of text for data."""
    return f"event: {kind}\ndata: {text}\n"


def html_lines(html: str) -> str:
    """An event without name whose data is HTML: one data field for each line."""
    return "".join(f"data: {line}\n" for line in html.splitlines() if line.strip())


@implementer(IPushProducer)
class EventStream:
    """Writes events to one request.

    A comment goes out every 15 seconds, so that a dead connection is noticed. While the transport says "enough", events
    are left out, only the newest of each kind is kept; after 64 left-out events the reader is dropped.

    :param frame: how an event is written.
    :param allowed: asked before each event and each pulse: whether the reader may go on reading.
    :param greeting: lines of an event that is sent first.
    :param brief: the reader gets the state of now, is let go, and comes again in some seconds.
    :ivar place: what the reader has seen, as its next request will say in ``Last-Event-ID``; else events are numbered.
    """

    _log = Logger()

    def __init__(
        self,
        request: Any,
        reactor: IReactorTime,
        frame: Frame = named_json,
        allowed: Callable[[], bool] = lambda: True,
        *,
        greeting: str = "",
        brief: bool = False,
    ) -> None:
        self._request = request
        self._frame = frame
        self._allowed = allowed
        self._greeting = greeting
        self._brief = brief
        self.place = ""
        self._number = 0
        self.done: Deferred[None] = request.notifyFinish()
        self.done.addErrback(lambda _: None)  # the reader going away is the normal end
        self._paused = False
        self._ended = False
        self._missed = 0
        self._newest: dict[str, Mapping[str, object]] = {}
        self._pulse = LoopingCall(self._beat)
        self._pulse.clock = reactor

    @property
    def brief(self) -> bool:
        """The reader gets the state of now and is let go."""
        return self._brief

    @property
    def behind(self) -> bool:
        """The reader has not taken what was sent already."""
        return self._paused

    def start(self) -> Deferred[None]:
        """Send the head; fires when the stream is over."""
        request = self._request
        request.setHeader("Content-Type", "text/event-stream")
        request.setHeader("Cache-Control", "no-store")
        request.setHeader("X-Accel-Buffering", "no")
        request.registerProducer(self, True)
        retry = _LATER if self._brief else _RETRY
        # Readers that heed "retry" only beside an event find one there.
        request.write(f": mailshare\nretry: {retry}\n{self._greeting}\n".encode())
        if request.method == b"HEAD":  # who asks so wants no stream
            self._pulse.clock.callLater(0, self.end)
        self._pulse.start(_PULSE, now=False)
        over: Deferred[None] = Deferred()

        def finished(result: object) -> object:
            self._ended = True
            if self._pulse.running:
                self._pulse.stop()
            over.callback(None)
            return result

        self.done.addBoth(finished)
        return over

    def send(self, kind: str, value: Mapping[str, object]) -> None:
        """Give the reader an event, or keep it as the newest of its kind while the reader is behind."""
        if self._ended or not self.still_allowed():
            return
        if self._paused:
            self._newest[kind] = value
            self._missed += 1
            if self._missed > _PATIENCE:
                # Not loseConnection, which waits until the reader has taken what he does not take.
                self._request.channel.transport.abortConnection()
            return
        try:
            lines = self._frame(kind, value)
        except Exception:  # noqa: BLE001 - one reader's fault must not keep the news from all others
            self._log.failure("an event cannot be written")
            self.end()
            return
        if lines:
            self._number += 1
            self._request.write(f"id: {self.place or self._number}\n{lines}\n".encode("utf-8", "replace"))

    def caught_up(self, place: str = "") -> None:
        """The reader has the state of now: remember that, and let it go if it is brief."""
        if place and place != self.place:
            self.place = place
            if not self._ended and not self._paused:
                self._request.write(f"id: {place}\n\n".encode())
        if self._brief:
            self.end()

    def end(self) -> None:
        """Finish the response."""
        if not self._ended:
            self._request.unregisterProducer()
            self._request.finish()

    def still_allowed(self) -> bool:
        """Ask whether the reader may go on; if not, say so and end."""
        if self._allowed():
            return True
        if not self._paused:
            self._request.write(b"event: over\ndata: {}\n\n")
        self.end()
        return False

    def _beat(self) -> None:
        if not self._ended and self.still_allowed() and not self._paused:
            self._request.write(b": \n\n")

    def pauseProducing(self) -> None:
        """The transport's buffer is full."""
        self._paused = True

    def resumeProducing(self) -> None:
        """There is room again: send what is newest."""
        self._paused = False
        self._missed = 0
        kept, self._newest = self._newest, {}
        for kind, value in kept.items():
            self.send(kind, value)

    def stopProducing(self) -> None:
        """The connection is gone."""
        self._ended = True
