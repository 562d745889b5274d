"""Back-pressure of one stream of events, without a network."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailshare.web.events import EventStream


class Request:
    """As much of a request as a stream needs; its own channel and transport."""

    def __init__(self, method: bytes = b"GET") -> None:
        self.method = method
        self.channel = self.transport = self
        self.finished = False
        self.written: list[bytes] = []
        self.dropped = False
        self.gone: Deferred[None] = Deferred()

    def notifyFinish(self) -> Deferred[None]:
        return self.gone

    def setHeader(self, name: str, value: str) -> None:
        pass

    def registerProducer(self, producer: object, streaming: bool) -> None:
        pass

    def unregisterProducer(self) -> None:
        pass

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def abortConnection(self) -> None:
        self.dropped = True

    def finish(self) -> None:
        self.finished = True


def test_a_slow_reader_gets_only_the_newest_and_is_dropped_in_the_end() -> None:
    """Nothing piles up for a reader who does not read."""
    request, clock = Request(), Clock()
    stream = EventStream(request, clock)
    stream.start()
    stream.pauseProducing()
    for number in range(64):
        stream.send("status", {"n": number})
    assert len(request.written) == 1
    assert not request.dropped
    stream.resumeProducing()
    assert request.written[1:] == [b'id: 1\nevent: status\ndata: {"n": 63}\n\n']
    stream.pauseProducing()
    for number in range(65):
        stream.send("status", {"n": number})
    assert request.dropped
    request.gone.errback(ConnectionError())
    stream.send("status", {})
    assert len(request.written) == 2
    assert clock.getDelayedCalls() == []


def test_a_pulse_goes_out_while_nothing_happens() -> None:
    """A dead connection is noticed by writing to it."""
    request, clock = Request(), Clock()
    stream = EventStream(request, clock)
    stream.start()
    clock.advance(15)
    assert request.written[-1] == b": \n\n"
    request.gone.callback(None)
    assert clock.getDelayedCalls() == []


def test_who_asks_for_the_head_alone_holds_no_stream_open() -> None:
    """HEAD is answered and over."""
    request, clock = Request(b"HEAD"), Clock()
    EventStream(request, clock).start()
    clock.advance(0)
    assert request.finished
    request.gone.callback(None)
    assert clock.getDelayedCalls() == []
