"""``socket://HOST:9100``: the document, then the end of the connection. Nobody says what becomes of it.

With ``?pjl=yes`` it goes in a wrapping of Printer Job Language, and the printer tells when the job is printed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from zope.interface import implementer

from mailshare.core.device_uri import read_uri, takes, yes
from mailshare.core.errors import Doubtful, NotTaken, Unavailable
from mailshare.core.values import (
    Capabilities,
    Certainty,
    DeviceJob,
    DeviceRef,
    PrinterStatus,
    PrinterTask,
    PrintState,
)
from mailshare.interfaces import IPrintable, IPrinterDriver, IPrinterKind
from mailshare.printing.drivers.looking import never
from mailshare.printing.drivers.plain_line import PlainLine, connect
from mailshare.wire import pjl
from mailshare.wire.ipp_client import mark_of

LAST_WORDS = 60.0  # seconds that the device may keep the connection open after the document
PRINTED = 1800.0  # seconds between two messages of a printer that speaks PJL
_ANSWER = 5.0
_GONE, _TOLD = "gone", "printed"


@implementer(IPrinterKind)
class SocketKind:
    """Makes drivers for ``socket:``."""

    scheme = "socket"

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def driver(self, name: str, uri: str) -> SocketDriver:
        """The driver of one device."""
        return SocketDriver(name, uri, self._reactor)


@implementer(IPrinterDriver)
class SocketDriver:
    """One device."""

    at_once = 1

    def __init__(self, name: str, uri: str, reactor: Any) -> None:
        address = read_uri(uri)
        self.name = name
        self.uri = uri
        self._takes = takes(address)
        self._host, self._port = address.host, address.port
        self._speaks = yes(address.options.get("pjl"))
        self.certainty = Certainty.COMPLETED if self._speaks else Certainty.HANDED_OVER
        self._reactor = reactor

    async def capabilities(self) -> Capabilities:
        """It does not say; its address may."""
        return Capabilities(formats=self._takes, options=frozenset())

    async def status(self) -> PrinterStatus:
        """Whether it answers; with PJL, what it says."""
        try:
            line = await connect(self._reactor, self._host, self._port)
        except NotTaken as fault:
            return PrinterStatus(None, ("offline-report",), fault.public, accepting=False)
        told = pjl.Told()
        try:
            if self._speaks:
                await line.send(pjl.ask_status())
                while told.status is None and (data := await line.read(_ANSWER)):
                    told.feed(data)
        except Unavailable as fault:
            return PrinterStatus(message=fault.public)
        finally:
            line.close()
        return told.status or PrinterStatus(message="It can be reached; it does not say how it stands")

    async def submit(
        self, task: PrinterTask, document: IPrintable, named: Callable[[DeviceRef], Awaitable[None]]
    ) -> DeviceRef:
        """Send it all."""
        del named  # the device gives no names
        line = await connect(self._reactor, self._host, self._port)
        try:
            if self._speaks:
                return await self._with_pjl(line, task, document)
            await line.send_document(document)
            line.half_close()
            while await line.read(LAST_WORDS):
                pass
        except Unavailable as fault:
            self._judge(line, document, fault)
        else:
            if not line.clean:
                raise Doubtful("The printer broke off the connection at the end of the document")
        finally:
            line.close()
        return DeviceRef(_GONE)

    @staticmethod
    def _judge(line: PlainLine, document: IPrintable, fault: Unavailable) -> None:
        """What a fault of the connection means: some devices never close it, and have all of it all the same."""
        if not line.sent:
            raise NotTaken(fault.public, reasons=("connecting-to-device",)) from fault
        if line.sent < document.length or not line.clean:
            raise Doubtful(fault.public) from fault

    async def _with_pjl(self, line: PlainLine, task: PrinterTask, document: IPrintable) -> DeviceRef:
        name = pjl.quoted(mark_of(task))
        told = pjl.Told(name)
        try:
            await line.send(pjl.head(name))
            await line.send_document(document)
            await line.send(pjl.tail(name))
            while told.pages is None:
                data = await line.read(PRINTED)
                if not data:
                    break
                told.feed(data)
        except Unavailable as fault:
            self._judge(line, document, fault)
        if told.pages is None:
            raise Doubtful("The printer took it and did not tell that it was printed")
        return DeviceRef(f"{_TOLD} {told.pages}")

    async def find(self, task: PrinterTask) -> DeviceRef | None:
        """The device remembers nothing."""
        del task
        raise Doubtful("The connection to the printer broke, and it cannot be asked what it has")

    async def poll(self, ref: DeviceRef) -> DeviceJob:
        """All that can be known was known when the document had gone."""
        if ref.text.startswith(_TOLD):
            pages = int(ref.text.partition(" ")[2])
            return DeviceJob(PrintState.COMPLETED, impressions=pages, certainty=Certainty.COMPLETED)
        return DeviceJob(PrintState.COMPLETED, certainty=Certainty.HANDED_OVER)

    async def cancel(self, ref: DeviceRef) -> None:
        """It cannot be told."""

    def watch(self, ref: DeviceRef, look: Callable[[], None]) -> Callable[[], None]:
        """Nothing ever changes."""
        del ref, look
        return never
