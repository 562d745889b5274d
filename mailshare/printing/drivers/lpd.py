"""``lpd://HOST/QUEUE``: control file, document, and a yes of the daemon for each (RFC 1179)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from zope.interface import implementer

from mailshare.core.device_uri import read_uri, takes
from mailshare.core.errors import Doubtful, MailshareError, NotTaken, PolicyRefusal, Unavailable
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
from mailshare.wire import lpd_client as lpd
from mailshare.wire.ipp_asked import printable
from mailshare.wire.ipp_client import mark_of

ANSWER = 60.0  # seconds for a yes or no
_MOST_COPIES = 100
_MOST_STATE = 64 * 1024


@implementer(IPrinterKind)
class LPDKind:
    """Makes drivers for ``lpd:``.

    :param host: what this computer is called.
    """

    scheme = "lpd"

    def __init__(self, reactor: Any, host: str) -> None:
        self._reactor = reactor
        self._host = host

    def driver(self, name: str, uri: str) -> LPDDriver:
        """The driver of one queue."""
        return LPDDriver(name, uri, self._reactor, self._host)


@implementer(IPrinterDriver)
class LPDDriver:
    """One queue of one daemon."""

    certainty = Certainty.ACCEPTED
    at_once = 1

    def __init__(self, name: str, uri: str, reactor: Any, host: str) -> None:
        address = read_uri(uri)
        self.name = name
        self.uri = uri
        self._takes = takes(address)
        self._queue = address.path.strip("/")
        self._server, self._port = address.host, address.port
        self._reactor = reactor
        self._host = host

    async def capabilities(self) -> Capabilities:
        """It does not say; its address may."""
        return Capabilities(formats=self._takes, options=frozenset({"copies"}))

    async def status(self) -> PrinterStatus:
        """The short state, which is words for people and nothing else."""
        try:
            words = await self._state(lpd.short_state(self._queue))
        except Unavailable as fault:
            return PrinterStatus(None, ("offline-report",), fault.public, accepting=False)
        return PrinterStatus(message=" ".join(words.split())[:300])

    async def _state(self, question: bytes) -> str:
        line = await connect(self._reactor, self._server, self._port)
        said = b""
        try:
            await line.send(question)
            while len(said) < _MOST_STATE and (data := await line.read(ANSWER)):
                said += data
        finally:
            line.close()
        return "\n".join(printable(one) for one in said.decode("utf-8", "replace").splitlines())

    # ------------------------------------------------------------------ a job

    def _job(self, task: PrinterTask) -> lpd.LPDJob:
        copies = task.options.get("copies")
        name = f"{task.name.encode()[:80].decode('utf-8', 'ignore')} {mark_of(task)}"
        return lpd.LPDJob(
            self._host,
            int(task.uuid[-4:], 16) % 1000,
            task.user or "mailshare",
            name.strip(),
            min(copies, _MOST_COPIES) if isinstance(copies, int) and copies > 1 else 1,
        )

    async def submit(
        self, task: PrinterTask, document: IPrintable, named: Callable[[DeviceRef], Awaitable[None]]
    ) -> DeviceRef:
        """Control file first, since a daemon that has only a document may print it or not."""
        del named  # our own number is not unique enough to be a name
        if not document.length:
            raise PolicyRefusal("The document is empty")
        job = self._job(task)
        line = await connect(self._reactor, self._server, self._port)
        try:
            try:
                await self._offer(line, lpd.receive_job(self._queue))
                await self._offer(line, job.control_offered())
                await self._offer(line, job.control_file() + lpd.END_OF_FILE)
                await self._offer(line, job.data_offered(document.length))
            except NotTaken:
                raise
            except Unavailable as fault:
                raise NotTaken(fault.public, reasons=("connecting-to-device",)) from fault
            try:
                await line.send_document(document)
                await line.send(lpd.END_OF_FILE)
                answer = await line.read(ANSWER)
            except Unavailable as fault:
                raise Doubtful(fault.public) from fault
            if not lpd.accepted(answer):
                raise Doubtful("The printer did not say yes at the end of the document")
        finally:
            line.close()
        return DeviceRef(f"{job.number:03d} {job.user}")

    @staticmethod
    async def _offer(line: PlainLine, words: bytes) -> None:
        await line.send(words)
        answer = await line.read(ANSWER)
        if not lpd.accepted(answer):
            raise NotTaken("The printer's queue takes nothing now" if answer else "The printer broke off")

    async def find(self, task: PrinterTask) -> DeviceRef | None:
        """The long state, while the job waits there; what is not in it may be printed already."""
        if mark_of(task) in await self._state(lpd.long_state(self._queue)):
            job = self._job(task)
            return DeviceRef(f"{job.number:03d} {job.user}")
        raise Doubtful("The printer's queue does not have it; it may have printed it")

    async def poll(self, ref: DeviceRef) -> DeviceJob:
        """The daemon has said yes; it says nothing of paper."""
        del ref
        return DeviceJob(PrintState.COMPLETED, certainty=Certainty.ACCEPTED)

    async def cancel(self, ref: DeviceRef) -> None:
        """Command 05; the answer is words for people."""
        number, _, user = ref.text.partition(" ")
        try:
            await self._state(lpd.remove(self._queue, user, int(number)))
        except MailshareError as fault:
            raise Unavailable(fault.public) from fault

    def watch(self, ref: DeviceRef, look: Callable[[], None]) -> Callable[[], None]:
        """Nothing ever changes."""
        del ref, look
        return never
