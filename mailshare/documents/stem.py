"""A process that has imported what opens documents, opens none itself, and splits off one for each.

Starting Python and importing Pillow and PDFium takes ten times as long as drawing a page; a process that is split off
has them at once, and shares their memory. It confines itself before it looks at its document, as any other would.

It is told lines of JSON: ``{"id": 1, "folder": "/...", "operation": "fax-pages"}`` begins one, ``{"end": 1}`` ends one.
It tells lines of JSON about those that are over: ``{"id": 1, "status": 0, "signal": 0, "said": "", "octets": 0}``, and
about those that could not be made: ``{"id": 1, "why": "..."}``. It ends, with all of its own, when its input does.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
from collections.abc import Mapping
from typing import Any

from attrs import define, field

from mailshare.core.documents import NotConvertible
from mailshare.documents import child
from mailshare.documents.operations import OPERATIONS

_KEPT = 2_000  # octets of what one says that are told
_PIECE = 65_536
_PICTURES: tuple[str, ...] = ("PIL.TiffImagePlugin", "PIL.PngImagePlugin", "PIL.JpegImagePlugin", "PIL.GifImagePlugin")
_PICTURES += ("PIL.BmpImagePlugin", "PIL.PpmImagePlugin")
_SOON = {
    "facts": ("pypdfium2", "pikepdf", *_PICTURES),
    "convert": ("mailshare.documents.raster", "pypdfium2", "pikepdf", *_PICTURES),
    "preview": ("mailshare.documents.raster", "pypdfium2", *_PICTURES),
    "fax-pages": ("mailshare.documents.fax_pdf", "mailshare.documents.fax_tiff", "pypdfium2", "pikepdf", *_PICTURES),
    "fax-finish": ("PIL.ImageFont", "PIL.TiffImagePlugin"),
    "fax-damage": ("PIL.TiffImagePlugin",),
}
"""What is imported when an operation was asked for once: what its documents are opened with, by the next time."""

_REHEARSED = {"fax-pages": "mailshare.documents.fax_pdf"}
"""Modules that draw a page of their own then."""


@define
class _Split:
    """A process that was split off.

    :ivar hears: where it is read what it says.
    """

    number: int
    hears: int
    said: bytes = b""
    octets: int = 0

    def take(self, data: bytes) -> None:
        """It said something."""
        self.octets += len(data)
        self.said += data[: _KEPT - len(self.said)]


@define
class _Stem:
    """The loop."""

    selector: selectors.BaseSelector = field(factory=selectors.DefaultSelector)
    split: dict[int, _Split] = field(factory=dict)  # by process id
    ready: set[str] = field(factory=set)
    heard: bytes = b""

    def run(self) -> None:
        """Until the input ends."""
        woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self.selector.register(0, selectors.EVENT_READ)
        self.selector.register(woken, selectors.EVENT_READ)
        while True:
            ready = {key.fd: key.data for key, _ in self.selector.select()}
            some_ended = ready.pop(woken, self) is not self
            for descriptor, one in ready.items():
                data = os.read(descriptor, _PIECE)
                if descriptor == 0:
                    if not data:
                        return self.end_all()
                    self.told(data)
                elif not data:
                    self.selector.unregister(descriptor)
                else:
                    one.take(data)
            if some_ended:  # last, for it closes what was ready with it
                os.read(woken, _PIECE)
                self.bury()

    def told(self, data: bytes) -> None:
        """Some octets of lines."""
        *lines, self.heard = (self.heard + data).split(b"\n")
        for line in lines:
            work = json.loads(line)
            if "end" in work:
                self.kill(work["end"])
                continue
            self.begin(work["id"], work["folder"], work["operation"])
            self.prepare(work["operation"])

    def begin(self, number: int, folder: str, operation: str) -> None:
        """Split one off."""
        module = OPERATIONS.get(operation, "").partition(":")[0]
        with contextlib.suppress(ImportError):  # the one that is split off will tell it
            importlib.import_module(module or "json")
        own = os.getpid()
        try:
            hears, says = os.pipe2(os.O_CLOEXEC)
            try:
                process = os.fork()
            except OSError:
                os.close(hears)
                os.close(says)
                raise
        except OSError as fault:
            _tell({"id": number, "why": f"no process for a document: {fault}"})
            return
        if process == 0:
            _be(folder, says, own)
        os.close(says)
        self.split[process] = one = _Split(number, hears)
        self.selector.register(hears, selectors.EVENT_READ, one)

    def prepare(self, operation: str) -> None:
        """Import what the next document of that operation is likely to want, once."""
        if operation in self.ready:
            return
        self.ready.add(operation)
        for module in _SOON.get(operation, ()):
            with contextlib.suppress(ImportError):
                importlib.import_module(module)
        if operation in _REHEARSED:
            with contextlib.suppress(ImportError, NotConvertible):  # as above, and some libraries do not know it all
                importlib.import_module(_REHEARSED[operation]).rehearse()
        gc.collect()
        gc.freeze()  # what is there now is looked at no more: its pages stay shared

    def kill(self, number: int) -> None:
        """End one, and those that it started."""
        for process, one in self.split.items():
            if one.number == number:
                _killed(process)

    def bury(self) -> None:
        """Tell of those that are over."""
        while self.split:
            # Its group goes while its number is still its own.
            over = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if over is None:
                return
            _killed(over.si_pid)
            _, status = os.waitpid(over.si_pid, 0)
            one = self.split.pop(over.si_pid, None)
            if one is None:
                continue
            with contextlib.suppress(KeyError):
                self.selector.unregister(one.hears)
            os.set_blocking(one.hears, False)
            with contextlib.suppress(BlockingIOError):
                while data := os.read(one.hears, _PIECE):
                    one.take(data)
            os.close(one.hears)
            ended = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            told: dict[str, Any] = {"id": one.number, "status": None if ended else os.WEXITSTATUS(status)}
            told |= {"signal": ended, "said": one.said.decode("latin-1"), "octets": one.octets}
            _tell(told)

    def end_all(self) -> None:
        """Nobody is there any more to tell."""
        for process in self.split:
            _killed(process)


def _tell(what: Mapping[str, object]) -> None:
    line = json.dumps(what).encode() + b"\n"
    while line:  # a signal may come when only a part of it is written
        line = line[os.write(1, line) :]


def _killed(process: int) -> None:
    for kill in (os.killpg, os.kill):  # it may not have come to lead a group
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(process, signal.SIGKILL)


def _be(folder: str, says: int, parent: int) -> None:
    """Be the process for one document."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(says, 1)
        os.dup2(says, 2)
        os.closerange(3, 4096)
        os.chdir(folder)
        os.environ |= {"HOME": folder, "TMPDIR": folder}
        child.main(parent)
    except BaseException as fault:  # noqa: BLE001 - whatever it is, this process goes no further
        os.write(2, f"{type(fault).__name__}: {fault}"[:500].encode("utf-8", "replace"))
    finally:
        os._exit(1)


def main() -> None:
    """Be the stem. It ends when its input does, and that is when the server does, however it does."""
    _Stem().run()
