"""A driver of your own: a printer behind a device file, such as a receipt printer at ``/dev/usb/lp0``.

Put it into a distribution of yours, and say so in its metadata::

    [project.entry-points."mailshare.printers"]
    lp = "device_file_printer:DeviceFileFactory"

Then the configuration may say::

    [[extension]]
    group = "printers"
    kind = "lp"
    options = { pause = 0.5 }

    [[destination]]
    name = "receipts"
    address = "lp:/dev/usb/lp0"

Run as a program, it prints one line, as an office would::

    python examples/device_file_printer.py /dev/usb/lp0
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from hashlib import sha256

from attrs import field, frozen
from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from zope.interface import implementer

from mailshare.core.errors import ConfigFault, Doubtful, NotTaken
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
from mailshare.interfaces import IFactory, IPrintable, IPrinterDriver, IPrinterKind, ISurroundings


@implementer(IPrinterDriver)
class DeviceFile:
    """One device file. It takes octets and tells nothing, so nobody can know more than that they were handed over."""

    certainty = Certainty.HANDED_OVER
    at_once = 1

    def __init__(self, name: str, uri: str, pause: float, reactor: object) -> None:
        self.name = name
        self.uri = uri
        self._path = uri.partition(":")[2]
        if not self._path.startswith("/"):
            raise ConfigFault(f"{uri!r} is no device file; write lp:/dev/usb/lp0")
        self._pause = pause
        self._reactor = reactor

    async def capabilities(self) -> Capabilities:
        """Plain text, and nothing else; mailshare converts what it can."""
        return Capabilities(formats=("text/plain",), options=frozenset())

    async def status(self) -> PrinterStatus:
        """Whether the file is there."""
        if os.access(self._path, os.W_OK):
            return PrinterStatus(PrinterState.IDLE)
        return PrinterStatus(None, ("offline-report",), f"{self._path} is not there", accepting=False)

    async def submit(
        self, task: PrinterTask, document: IPrintable, named: Callable[[DeviceRef], Awaitable[None]]
    ) -> DeviceRef:
        """Write it all. A fault before the first octet means that nothing was taken; one after it leaves doubt."""
        try:
            device = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK | os.O_APPEND)
        except OSError as error:
            raise NotTaken(f"{self._path}: {error.strerror}", reasons=("connecting-to-device",)) from error
        os.set_blocking(device, True)
        try:
            position = 0
            while position < document.length:
                piece = await document.read(position, 4096)
                await deferToThread(os.write, device, piece)
                position += len(piece)
                await task_later(self._reactor, self._pause)
        except OSError as error:
            raise Doubtful(f"{self._path}: {error.strerror}") from error
        finally:
            os.close(device)
        return DeviceRef("written")

    async def find(self, task: PrinterTask) -> DeviceRef | None:
        """After a crash nobody knows what the printer got."""
        raise Doubtful(f"{self._path} cannot be asked what it has printed")

    async def poll(self, ref: DeviceRef) -> DeviceJob:
        """Written is all that will ever be known."""
        return DeviceJob(PrintState.COMPLETED, certainty=Certainty.HANDED_OVER)

    async def cancel(self, ref: DeviceRef) -> None:
        """It is in the printer already."""

    def watch(self, ref: DeviceRef, look: Callable[[], None]) -> Callable[[], None]:
        """There is nothing to wait for."""
        return lambda: None


def task_later(reactor: object, seconds: float) -> Deferred[None]:
    """Wait: some printers lose what comes too fast."""
    return task.deferLater(reactor, seconds, lambda: None)  # type: ignore[arg-type]


@frozen
class Options:
    """What the configuration file may say.

    :ivar pause: seconds between two pieces of 4,096 octets.
    """

    pause: float = 0.0


@implementer(IPrinterKind)
class DeviceFiles:
    """Makes drivers for addresses that begin with ``lp:``."""

    scheme = "lp"

    def __init__(self, pause: float, reactor: object) -> None:
        self._pause = pause
        self._reactor = reactor

    def driver(self, name: str, uri: str) -> DeviceFile:
        """The driver of one device."""
        return DeviceFile(name, uri, self._pause, self._reactor)


@implementer(IFactory)
class DeviceFileFactory:
    """What the entry point names."""

    kind = "lp"
    options = Options

    def build(self, options: Options, surroundings: ISurroundings) -> DeviceFiles:
        """Called once, when the server starts."""
        return DeviceFiles(options.pause, surroundings.reactor)


@implementer(IPrintable)
@frozen
class Line:
    """A document for trying it out."""

    octets: bytes
    format: str = "text/plain"
    length: int = field(init=False)
    digest: bytes = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "length", len(self.octets))
        object.__setattr__(self, "digest", sha256(self.octets).digest())

    async def read(self, position: int, length: int) -> bytes:
        """Some of it."""
        return self.octets[position : position + length]


async def main(reactor: object, path: str) -> None:
    """Print one line."""
    driver = DeviceFiles(0.0, reactor).driver("receipts", f"lp:{path}")
    print((await driver.status()).message or "it is there")

    async def named(ref: DeviceRef) -> None:
        print(f"the printer calls it {ref.text}")

    ref = await driver.submit(PrinterTask("3b1f2c52-6f0e-5c61-9f31-7f1d0f7a9c11"), Line(b"Hello, paper\r\n"), named)
    print((await driver.poll(ref)).certainty.value)


if __name__ == "__main__":
    task.react(lambda reactor: Deferred.fromCoroutine(main(reactor, sys.argv[1])))
