"""Printer Job Language, as much of it as tells when a job on port 9100 is printed.

Source: HP, Printer Job Language Technical Reference Manual, chapters 3 (UEL, JOB, EOJ), 7 (INFO, USTATUS) and
appendix D (status codes).
"""

from __future__ import annotations

import re

from mailshare.core.values import PrinterState, PrinterStatus

UEL = b"\x1b%-12345X"
_PAGES = re.compile(rb"PAGES=([0-9]{1,9})")
_NAME = re.compile(rb'NAME="([^"\r\n]*)"')
_CODE = re.compile(rb"CODE=([0-9]{5})")
_DISPLAY = re.compile(rb'DISPLAY="([^"\r\n]*)"')
_MOST = 64 * 1024

# What status codes begin with, and the reason that says the same (RFC 8011 section 5.4.12).
_REASONS = (
    ("40010", "toner-empty-warning"),
    ("40038", "toner-low-warning"),
    ("40021", "cover-open-error"),
    ("40022", "media-jam-error"),
    ("40079", "paused"),
    ("41", "media-needed-error"),
    ("42", "media-jam-error"),
    ("43", "other-error"),
    ("44", "media-jam-error"),
    ("50", "other-error"),
)


def quoted(words: str) -> bytes:
    """Words for between quotation marks: printable ASCII without them, at most 80."""
    return "".join(one if " " <= one <= "~" and one != '"' else "_" for one in words)[:80].encode("ascii")


def head(name: bytes) -> bytes:
    """What goes before a document, so that the printer tells when it is printed."""
    lines = (b"@PJL USTATUS JOB = ON", b"@PJL USTATUS DEVICE = ON", b'@PJL JOB NAME="%s"' % name)
    return UEL + b"".join(b"%s\r\n" % line for line in lines)


def tail(name: bytes) -> bytes:
    """What goes behind it."""
    return UEL + b'@PJL EOJ NAME="%s"\r\n' % name + UEL


def ask_status() -> bytes:
    """The question how the printer stands."""
    return UEL + b"@PJL INFO STATUS\r\n" + UEL


class Told:
    """Reads what the printer tells.

    :ivar pages: that the job had, once its end was told; -1 = its end was told without them; ``None`` = not yet.
    :ivar status: the last status that it told.
    """

    def __init__(self, name: bytes = b"") -> None:
        self._name = name
        self._buffer = b""
        self.pages: int | None = None
        self.status: PrinterStatus | None = None

    def feed(self, data: bytes) -> None:
        """Take the next octets; each message ends with a form feed."""
        *whole, self._buffer = (self._buffer + data)[-_MOST:].split(b"\f")
        for message in whole:
            self._message(message)

    def _message(self, message: bytes) -> None:
        lines = message.split(b"\r\n")
        if b"USTATUS JOB" in message and b"END" in lines:
            named = _NAME.search(message)
            if named is None or named[1] == self._name:
                pages = _PAGES.search(message)
                self.pages = int(pages[1]) if pages else -1
        code = _CODE.search(message)
        if code is not None:
            display = _DISPLAY.search(message)
            self.status = standing(code[1].decode(), display[1].decode("ascii", "replace") if display else "")


def standing(code: str, display: str) -> PrinterStatus:
    """A status code of five digits as IPP says it."""
    reason = next((one for begin, one in _REASONS if code.startswith(begin)), "")
    if reason:
        stopped = reason.endswith("-error") or reason == "paused"
        return PrinterStatus(PrinterState.STOPPED if stopped else PrinterState.IDLE, (reason,), display)
    return PrinterStatus(PrinterState.PROCESSING if code == "10023" else PrinterState.IDLE, (), display)
