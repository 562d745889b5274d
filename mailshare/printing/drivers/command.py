"""``cmd:PROGRAM ARGUMENT ...``: a program gets the document as its standard input, and its exit code says what became.

No shell sees the words: they are taken apart here, quotes as a shell has them, nothing else. What was asked for stands
in the environment. Exit code 0 is done, 75 (EX_TEMPFAIL) try later, anything else a failure with its last words.
"""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from mailshare.core.device_uri import read_command
from mailshare.core.errors import Doubtful, NotTaken, PolicyRefusal, Unavailable
from mailshare.core.values import (
    Capabilities,
    Certainty,
    DeviceJob,
    DeviceRef,
    PrinterState,
    PrinterStatus,
    PrinterTask,
    PrintState,
)
from mailshare.interfaces import IPrintable, IPrinterDriver, IPrinterKind
from mailshare.printing.drivers.looking import never
from mailshare.wire.ipp_asked import printable

DEADLINE = 1800.0  # seconds for one document
_MOST_SAID = 16 * 1024
_PIECE = 64 * 1024
_TRY_LATER = 75  # EX_TEMPFAIL of sysexits.h


@implementer(IPrinterKind)
class CommandKind:
    """Makes drivers for ``cmd:``."""

    scheme = "cmd"

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def driver(self, name: str, uri: str) -> CommandDriver:
        """The driver of one program."""
        return CommandDriver(name, uri, self._reactor)


@implementer(IPushProducer)
class _Feeding(ProcessProtocol):
    """A program that is given a document."""

    transport: Any

    def __init__(self) -> None:
        self.ended: Deferred[int] = Deferred()
        self.sent = 0
        self.said = b""
        self._paused = False
        self._closed = False
        self._waiting: Deferred[None] | None = None

    def connectionMade(self) -> None:
        """It runs."""
        self.transport.pipes[0].registerProducer(self, True)

    async def feed(self, document: IPrintable) -> None:
        """Give it all; less when it wants no more."""
        while self.sent < document.length and not self._closed:
            while self._paused and not self._closed:
                self._waiting = Deferred()
                await self._waiting
            piece = await document.read(self.sent, _PIECE)
            if not piece:
                raise Unavailable(detail={"why": "a document ends before its size"})
            self._write(piece)
        self._close()

    def _write(self, piece: bytes) -> None:
        if not self._closed:
            self.sent += len(piece)
            self.transport.write(piece)

    def _close(self) -> None:
        if not self._closed:
            self.transport.pipes[0].unregisterProducer()
            self.transport.closeStdin()

    def pauseProducing(self) -> None:
        """It does not read."""
        self._paused = True

    def resumeProducing(self) -> None:
        """It reads again."""
        self._paused = False
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    def stopProducing(self) -> None:
        """It wants no more."""
        self._closed = True
        self.resumeProducing()

    def inConnectionLost(self) -> None:
        """It has closed its standard input."""
        self.stopProducing()

    def outReceived(self, data: bytes) -> None:
        """What it prints is of no interest but its end."""
        self.said = (self.said + data)[-_MOST_SAID:]

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        """It is over."""
        self.stopProducing()
        code = 0 if reason.check(ProcessDone) else getattr(reason.value, "exitCode", None)
        if not self.ended.called:
            self.ended.callback(-1 if code is None else code)

    def kill(self) -> None:
        """End it."""
        if self.transport is not None and self.transport.pid is not None:
            self.transport.signalProcess("KILL")

    @property
    def last_words(self) -> str:
        """The last line that it said."""
        lines = [printable(one) for one in self.said.decode("utf-8", "replace").splitlines()]
        return next((one for one in reversed(lines) if one), "")[:300]


@implementer(IPrinterDriver)
class CommandDriver:
    """One program."""

    certainty = Certainty.ACCEPTED
    at_once = 1

    def __init__(self, name: str, uri: str, reactor: Any) -> None:
        self.name = name
        self.uri = uri
        self._words = read_command(uri)
        self._reactor = reactor

    async def capabilities(self) -> Capabilities:
        """It cannot be asked."""
        return Capabilities()

    async def status(self) -> PrinterStatus:
        """Whether the program is there."""
        if _program(self._words[0]):
            return PrinterStatus(PrinterState.IDLE, message=f"{self._words[0]} is there")
        words = f"There is no program {self._words[0]} that may be run"
        return PrinterStatus(PrinterState.STOPPED, ("other-error",), words, accepting=False)

    async def submit(
        self, task: PrinterTask, document: IPrintable, named: Callable[[DeviceRef], Awaitable[None]]
    ) -> DeviceRef:
        """Run it to its end."""
        del named
        program = _program(self._words[0])
        if not program:
            raise NotTaken(f"There is no program {self._words[0]} that may be run", reasons=("other-error",))
        running = _Feeding()
        self._reactor.spawnProcess(running, program, self._words, env=environment(task, document), path="/")
        running.ended.addTimeout(DEADLINE, self._reactor)
        feeding = Deferred.fromCoroutine(running.feed(document))
        feeding.addErrback(lambda _: running.kill())
        try:
            code = await running.ended
        except (TimeoutError, CancelledError) as error:
            running.kill()
            if isinstance(error, CancelledError):
                raise
            raise Doubtful(f"{self._words[0]} did not come to an end within {DEADLINE:.0f} seconds") from error
        if code == _TRY_LATER:
            raise NotTaken(running.last_words or f"{self._words[0]} asks to try again later")
        if code < 0:
            raise Doubtful(f"{self._words[0]} was killed")
        if code:
            raise PolicyRefusal(running.last_words or f"{self._words[0]} failed with code {code}")
        return DeviceRef("done")

    async def find(self, task: PrinterTask) -> DeviceRef | None:
        """Whatever the program did, nobody heard of it."""
        del task
        raise Doubtful(f"{self._words[0]} was cut off, and nobody knows what it had done")

    async def poll(self, ref: DeviceRef) -> DeviceJob:
        """Its exit code was all that it says."""
        del ref
        words = f"{os.path.basename(self._words[0])} took it and ended well; it says nothing of paper"
        return DeviceJob(PrintState.COMPLETED, message=words, certainty=Certainty.ACCEPTED)

    async def cancel(self, ref: DeviceRef) -> None:
        """It is over."""

    def watch(self, ref: DeviceRef, look: Callable[[], None]) -> Callable[[], None]:
        """Nothing ever changes."""
        del ref, look
        return never


def _program(name: str) -> str:
    """The path of a program that may be run, or empty."""
    places = [name] if "/" in name else [os.path.join(one, name) for one in _PATH.split(":")]
    return next((one for one in places if os.path.isfile(one) and os.access(one, os.X_OK)), "")


_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"


def environment(task: PrinterTask, document: IPrintable) -> dict[str, str]:
    """What the program is told besides the document; nothing of our own environment."""
    return {
        "PATH": _PATH,
        "LANG": "C.UTF-8",
        "MAILSHARE_JOB": str(task.job),
        "MAILSHARE_DOCUMENT": str(task.document),
        "MAILSHARE_UUID": task.uuid,
        "MAILSHARE_NAME": printable(task.name),
        "MAILSHARE_USER": printable(task.user),
        "MAILSHARE_FORMAT": document.format,
        "MAILSHARE_OCTETS": str(document.length),
        "MAILSHARE_OPTIONS": json.dumps(dict(task.options), ensure_ascii=False),
    }
