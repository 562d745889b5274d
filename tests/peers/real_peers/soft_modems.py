"""Two modems of spandsp on pseudo terminals, joined in audio by a telephone exchange of one line, in real time.

Whoever has a terminal talks AT and class 1 (T.31) to it; a number that is dialled on one rings on the other. Nothing of
a call is pretended: tones, training and pages go as sound from one to the other.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import threading
import time
import tty
from typing import Any

CALL, ANSWER, HANGUP, CTS = 0, 1, 2, 7  # what a modem asks for (AT_MODEM_CONTROL_ of spandsp 0.0.6)
ALERTING, CONNECTED, ANSWERED, NO_ANSWER, HUNG_UP = 1, 2, 3, 6, 7  # what it is told (AT_CALL_EVENT_)
PIECE = 160  # samples: 20 ms
SECOND = 8000 // PIECE  # pieces
RINGS = 6 * SECOND

_AT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(ctypes.c_uint8), ctypes.c_size_t)
_CONTROL = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
_PACKET = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(ctypes.c_uint8), ctypes.c_int, ctypes.c_int
)


def library() -> Any:
    """Spandsp; raises OSError where it is not installed."""
    found = ctypes.CDLL("libspandsp.so.2")
    found.t31_init.restype = ctypes.c_void_p
    nothing = ctypes.c_void_p
    found.t31_init.argtypes = [nothing, _AT, nothing, _CONTROL, nothing, _PACKET, nothing]
    for name in ("t31_rx", "t31_tx", "t31_at_rx"):
        getattr(found, name).argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    found.t31_call_event.argtypes = [ctypes.c_void_p, ctypes.c_int]
    found.t31_set_transmit_on_idle.argtypes = [ctypes.c_void_p, ctypes.c_int]
    found.t31_free.argtypes = [ctypes.c_void_p]
    return found


class SoftModem:
    """One modem; all its methods run in the exchange's thread."""

    def __init__(self, spandsp: Any, exchange: Exchange) -> None:
        self._spandsp = spandsp
        self._exchange = exchange
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.device = os.ttyname(self._slave)
        os.chmod(self.device, 0o666)
        self._may_read = True
        self._unsent = b""
        # The functions must live as long as the modem: C code calls them.
        self._functions = (_AT(self._says), _CONTROL(self._wants), _PACKET(lambda *_: 0))
        says, wants, packet = self._functions
        self._modem = spandsp.t31_init(None, says, None, wants, None, packet, None)
        spandsp.t31_set_transmit_on_idle(self._modem, 1)

    @property
    def name(self) -> str:
        """As HylaFAX calls the device."""
        return self.device.removeprefix("/dev/").replace("/", "_")

    def close(self) -> None:
        """Pull the plug."""
        self._spandsp.t31_free(self._modem)
        os.close(self._master)
        os.close(self._slave)

    def tell(self, event: int) -> None:
        """What becomes of a call."""
        self._spandsp.t31_call_event(self._modem, event)

    def ring(self) -> None:
        """Somebody calls."""
        self._to_terminal(b"\r\nRING\r\n")

    def talk(self) -> None:
        """Take what was typed."""
        self._to_terminal(b"")
        while self._may_read and select.select([self._master], [], [], 0)[0]:
            try:
                octets = os.read(self._master, 1024)
            except OSError:
                return
            self._spandsp.t31_at_rx(self._modem, octets, len(octets))

    def sound(self) -> bytes:
        """The next 20 ms."""
        samples = ctypes.create_string_buffer(2 * PIECE)
        count = self._spandsp.t31_tx(self._modem, samples, PIECE)
        return samples.raw[: 2 * count].ljust(2 * PIECE, b"\0")

    def hear(self, sound: bytes) -> None:
        """The next 20 ms of the other."""
        self._spandsp.t31_rx(self._modem, ctypes.create_string_buffer(sound, len(sound)).raw, PIECE)

    def _says(self, _state: int, _user: int, octets: Any, length: int) -> int:
        self._to_terminal(bytes(octets[:length]))
        return 0

    def _to_terminal(self, octets: bytes) -> None:
        self._unsent += octets
        with contextlib.suppress(BlockingIOError):
            if self._unsent:
                self._unsent = self._unsent[os.write(self._master, self._unsent) :]

    def _wants(self, _state: int, _user: int, operation: int, number: int | None) -> int:
        if operation == CTS:
            self._may_read = bool(number)
        elif operation in (CALL, ANSWER, HANGUP):
            self._exchange.wishes.append((self, operation))
        return 0


class Exchange:
    """The two, and the line between them.

    :ivar calls: that were answered.
    """

    def __init__(self) -> None:
        self.wishes: list[tuple[SoftModem, int]] = []
        spandsp = library()
        self.modems = (SoftModem(spandsp, self), SoftModem(spandsp, self))
        self.calls = 0
        self._caller: SoftModem | None = None
        self._joined = False
        self._ringing = 0
        self._ends = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """No calls any more."""
        self._ends = True
        self._thread.join(5)
        for modem in self.modems:
            modem.close()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._ends:
            for modem in self.modems:
                modem.talk()
            while self.wishes:
                self._grant(*self.wishes.pop(0))
            self._ring()
            sounds = [modem.sound() for modem in self.modems]
            silence = bytes(2 * PIECE)
            self.modems[0].hear(sounds[1] if self._joined else silence)
            self.modems[1].hear(sounds[0] if self._joined else silence)
            due += 0.02
            time.sleep(max(0.0, due - time.monotonic()))

    def _grant(self, modem: SoftModem, wish: int) -> None:
        other = self.modems[1] if modem is self.modems[0] else self.modems[0]
        if wish == CALL:
            self._caller, self._ringing = modem, 1
        elif wish == ANSWER and self._caller is other:
            self._joined, self._ringing = True, 0
            self.calls += 1
            modem.tell(ANSWERED)
            other.tell(CONNECTED)
        elif wish == HANGUP:
            if self._joined:
                other.tell(HUNG_UP)
            self._joined, self._caller, self._ringing = False, None, 0

    def _ring(self) -> None:
        """The called one rings every six seconds until it answers."""
        if self._ringing and self._caller is not None:
            called = self.modems[1] if self._caller is self.modems[0] else self.modems[0]
            if self._ringing % RINGS == SECOND:
                called.ring()
            self._ringing += 1
            if self._ringing > 10 * RINGS:
                self._caller.tell(NO_ANSWER)
                self._caller, self._ringing = None, 0
