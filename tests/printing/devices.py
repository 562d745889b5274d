"""Devices of the tests: each counts what it prints, and gives new drivers of itself."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread
from zope.interface import implementer

from mailshare.interfaces import IPrinterDriver, IPrinterKind
from mailshare.printing.drivers.appsocket import SocketKind
from mailshare.printing.drivers.command import CommandKind
from mailshare.printing.drivers.folder import FolderKind
from mailshare.printing.drivers.ipp import IPPKind
from mailshare.printing.drivers.lpd import LPDKind
from mailshare.testing.pretend_printer import PretendAgent, PretendPrinter

HERE: Any = reactor


def aside(act: Any) -> Deferred[Any]:
    return deferToThread(act)


@define
class OverIPP:
    """A printer in memory."""

    printer: PretendPrinter = field(factory=PretendPrinter)
    uri: str = "ipp://printer.example/ipp/print"

    def kind(self) -> IPrinterKind:
        return IPPKind("ipp", HERE, lambda _reactor, _server: PretendAgent(self.printer))

    def driver(self) -> IPrinterDriver:
        return self.kind().driver("office", self.uri)

    def printed(self) -> Sequence[bytes]:
        return self.printer.printed

    def go_away(self) -> None:
        self.printer.off = True


@define
class IntoFolder:
    folder: Path

    @property
    def uri(self) -> str:
        return f"dir:{self.folder / 'out'}?ticket=yes"

    def kind(self) -> IPrinterKind:
        return FolderKind(aside, str(self.folder))

    def driver(self) -> IPrinterDriver:
        return self.kind().driver("office", self.uri)

    def printed(self) -> Sequence[bytes]:
        found = sorted((self.folder / "out").glob("*.pdf"))
        return [one.read_bytes() for one in found if one.name[0] != "."]

    def go_away(self) -> None:
        (self.folder / "out").write_text("a file in the place of the folder")


PROGRAM = """\
import os, sys
data = sys.stdin.buffer.read()
if len(data) == int(os.environ["MAILSHARE_OCTETS"]):
    path = os.path.join(sys.argv[1], os.environ["MAILSHARE_UUID"])
    while os.path.exists(path):
        path += "x"
    open(path, "wb").write(data)
print(sys.argv[2] if len(sys.argv) > 2 else "")
sys.exit(int(sys.argv[3]) if len(sys.argv) > 3 else 0)
"""


@define
class ToProgram:
    folder: Path
    words: str = ""
    program: str = sys.executable

    def __attrs_post_init__(self) -> None:
        (self.folder / "out").mkdir()
        (self.folder / "print.py").write_text(PROGRAM)

    @property
    def uri(self) -> str:
        return f"cmd:{self.program} '{self.folder / 'print.py'}' {self.folder / 'out'} {self.words}"

    def kind(self) -> IPrinterKind:
        return CommandKind(HERE)

    def driver(self) -> IPrinterDriver:
        return self.kind().driver("office", self.uri)

    def printed(self) -> Sequence[bytes]:
        return [one.read_bytes() for one in sorted((self.folder / "out").iterdir())]

    def go_away(self) -> None:
        self.program = str(self.folder / "gone")


@define
class Network:
    """A device on a port of this machine.

    :ivar pages: it speaks PJL and tells so many; -1 = it says nothing.
    :ivar cut_after: octets after which it breaks off, once; 0 = never.
    :ivar refuses: it says no to lines of LPD with that in them; empty = to none.
    """

    scheme: str
    copies: list[bytes] = field(factory=list)
    waiting: list[bytes] = field(factory=list)
    pages: int = -1
    cut_after: int = 0
    refuses: bytes = b""
    port: Any = None
    uri: str = ""

    def listen(self) -> None:
        factory = Factory.forProtocol(lambda: (_Socket if self.scheme == "socket" else _Daemon)(self))
        factory.noisy = False
        self.port = HERE.listenTCP(0, factory, interface="127.0.0.1")
        rest = "/queue" if self.scheme == "lpd" else "?pjl=yes" if self.pages >= 0 else ""
        self.uri = f"{self.scheme}://127.0.0.1:{self.port.getHost().port}{rest}"

    def kind(self) -> IPrinterKind:
        return LPDKind(HERE, "office.example") if self.scheme == "lpd" else SocketKind(HERE)

    def driver(self) -> IPrinterDriver:
        return self.kind().driver("office", self.uri)

    def printed(self) -> Sequence[bytes]:
        return self.copies

    def go_away(self) -> None:
        self.port.stopListening()

    def broke(self, octets: int) -> bool:
        if self.cut_after and octets >= self.cut_after:
            self.cut_after = 0
            return True
        return False


@implementer(IHalfCloseableProtocol)
class _Socket(Protocol):
    def __init__(self, device: Network) -> None:
        self.device = device
        self.data = b""

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        if self.device.broke(len(self.data)):
            self.transport.abortConnection()  # type: ignore[union-attr]
            self.data = b""
        elif b"INFO STATUS" in self.data:
            self.transport.write(b'@PJL INFO STATUS\r\nCODE=41213\r\nDISPLAY="LOAD A4"\r\nONLINE=TRUE\r\n\f')
            self.data = b""
        elif self.device.pages >= 0 and b"@PJL EOJ" in self.data:
            self._wrapped()

    def _wrapped(self) -> None:
        name = self.data.partition(b'JOB NAME="')[2].partition(b'"')[0]
        inner = self.data.partition(name + b'"\r\n')[2].rpartition(b"\x1b%-12345X@PJL EOJ")[0]
        self.device.copies.append(inner)
        self.data = b""
        told = b'@PJL USTATUS JOB\r\nEND\r\nNAME="%s"\r\nPAGES=%d\r\n\f' % (name, self.device.pages)
        self.transport.write(b"@PJL USTATUS DEVICE\r\nCODE=10023\r\n\f" + told[:20])
        self.transport.write(told[20:])

    def readConnectionLost(self) -> None:
        if self.data:
            self.device.copies.append(self.data)
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        pass


class _Daemon(Protocol):
    """As RFC 1179 has it, and no more."""

    def __init__(self, device: Network) -> None:
        self.device = device
        self.data = b""
        self.left = -1
        self.control = b""
        self.document = False
        self.named = False

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        while self._step():
            pass

    def _step(self) -> bool:
        write = self.transport.write  # type: ignore[union-attr]
        if self.left >= 0:
            if self.document and self.device.broke(len(self.data)):
                self.transport.abortConnection()  # type: ignore[union-attr]
                self.data = b""
                return False
            if len(self.data) < self.left + 1:
                return False
            whole, self.data = self.data[: self.left], self.data[self.left + 1 :]
            self.left = -1
            if self.document:
                self.device.copies += [whole] * self.control.count(b"\nldfA")
            else:
                self.control = whole
            write(b"\0")
            return True
        line, end, rest = self.data.partition(b"\n")
        if not end:
            return False
        self.data = rest
        if not self.named and line[:1] in (b"\3", b"\4", b"\5"):
            write(b"queue is ready\n" + b"".join(self.device.waiting))
            self.transport.loseConnection()  # type: ignore[union-attr]
        elif self.device.refuses and self.device.refuses in line:
            write(b"\1")
        elif self.named:
            self.document, self.left = line[:1] == b"\3", int(line[1:].split()[0])
            write(b"\0")
        else:
            self.named = line[:1] == b"\2"
            write(b"\0")
        return True
