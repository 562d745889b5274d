"""A modem on a pseudo terminal that knows enough AT to be believed in, and whose calls all come to nothing."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import tty
from collections.abc import Mapping

_RATES = "24,48,72,73,74,96,97,98,121,122,145,146"
_ANSWERS: Mapping[str, str] = {
    "+FCLASS=?": "0,1",
    "+FTM=?": _RATES,
    "+FRM=?": _RATES,
    "+FTH=?": "3",
    "+FRH=?": "3",
    "+FMI?": "NOBODY",
    "+FMM?": "PRETENDED",
    "+FMR?": "1",
}


class AtModem:
    """One modem.

    :param ends: end of the number dialled to what the modem says, e.g. ``BUSY``; other numbers ring for ever.
    :ivar dialled: what was dialled so far.
    """

    def __init__(self, ends: Mapping[str, str]) -> None:
        self._ends = ends
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)  # and stays open here, so that the terminal lives while nobody else has it
        self.device = os.ttyname(self._slave)
        os.chmod(self.device, 0o666)
        self.dialled: list[str] = []
        self._talk = threading.Thread(target=self._serve, daemon=True)
        self._talk.start()

    @property
    def name(self) -> str:
        """As HylaFAX calls the device."""
        return self.device.removeprefix("/dev/").replace("/", "_")

    def close(self) -> None:
        """Pull the plug."""
        os.write(self._slave, b"\x04\x04END\r")
        self._talk.join(5)
        for descriptor in (self._master, self._slave):
            os.close(descriptor)

    def _serve(self) -> None:
        waiting = b""
        with contextlib.suppress(OSError):
            while not waiting.endswith(b"\x04\x04END"):
                waiting += os.read(self._master, 1000)
                while (end := waiting.find(b"\r")) >= 0:
                    line, waiting = waiting[:end].decode("ascii", "replace").strip(), waiting[end + 1 :]
                    if "END" in line:
                        return
                    if found := re.search(r"AT(.*)\Z", line, re.IGNORECASE):
                        self._answer(found[1])

    def _answer(self, words: str) -> None:
        if words.startswith("D"):
            self.dialled.append(words)
            end = next((said for number, said in self._ends.items() if words.endswith(number)), None)
            if end is not None:
                self._say(end)
            return
        if words in _ANSWERS:
            self._say(_ANSWERS[words])
        self._say("OK")

    def _say(self, words: str) -> None:
        os.write(self._master, f"\r\n{words}\r\n".encode())
