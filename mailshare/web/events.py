"""One stream of server-sent events; whoever reads too slowly is dropped, so that nothing piles up here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.task import LoopingCall
from zope.interface import implementer

Watch = Callable[[str, Mapping[str, object]], None]

_PULSE = 15.0
_PATIENCE = 64


@implementer(IPushProducer)
class EventStream:
    """Writes events to one request.

    A comment goes out every 15 seconds, so that a dead connection is noticed. While the transport says "enough", events
    are left out, only the newest of each kind is kept; after 64 left-out events the reader is dropped.
    """

    def __init__(self, request: Any, reactor: IReactorTime) -> None:
        self._request = request
        self.done: Deferred[None] = request.notifyFinish()
        self.done.addErrback(lambda _: None)  # the reader going away is the normal end
        self._paused = False
        self._ended = False
        self._missed = 0
        self._newest: dict[str, Mapping[str, object]] = {}
        self._pulse = LoopingCall(self._beat)
        self._pulse.clock = reactor

    def start(self) -> Deferred[None]:
        """Send the head; fires when the stream is over."""
        request = self._request
        request.setHeader("Content-Type", "text/event-stream")
        request.setHeader("Cache-Control", "no-store")
        request.registerProducer(self, True)
        request.write(b": mailshare\n\n")
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
        if self._ended:
            return
        if self._paused:
            self._newest[kind] = value
            self._missed += 1
            if self._missed > _PATIENCE:
                self._request.loseConnection()
            return
        data = json.dumps(value, ensure_ascii=False)
        self._request.write(f"event: {kind}\ndata: {data}\n\n".encode())

    def end(self) -> None:
        """Finish the response."""
        if not self._ended:
            self._request.unregisterProducer()
            self._request.finish()

    def _beat(self) -> None:
        if not self._paused:
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
