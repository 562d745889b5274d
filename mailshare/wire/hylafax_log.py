"""The journal that a HylaFAX server keeps of its calls, a line for each: what it tells of the far machine and the line.

Source: xferfaxlog(5) of HylaFAX 6.0; ITU-T T.30 table 2 for the bits of the command that ends the negotiation (DCS).
"""

from __future__ import annotations

import re
from typing import Final

from attrs import frozen

from mailshare.core.report_parts import printable

PLACES: Final = ("log/xferfaxlog", "etc/xferfaxlog")
"""Where it lies: as Debian has it, and as HylaFAX does."""
TAIL: Final = 262_144
"""Octets of its end that are read: some thousand calls."""
_SIZE = re.compile(r"(\d{1,15})\b")
_RATES: Final = {  # bits 11 to 14; all of them nought would be 2400, and also what V.34 leaves there
    0b0100: 4_800,
    0b1000: 9_600,
    0b1100: 7_200,
    0b0010: 14_400,
    0b0110: 12_000,
    0b0001: 14_400,
    0b0101: 12_000,
    0b1001: 9_600,
    0b1101: 7_200,
}


@frozen
class CallLine:
    """What one call was.

    :ivar remote_id: how the far machine calls itself (CSI); ``rate`` bits a second, ``ecm`` with error correction,
        ``seconds`` on the telephone. Empty, 0 and False where the journal does not say.
    """

    remote_id: str = ""
    rate: int = 0
    ecm: bool = False
    seconds: float = 0.0


def call_of(journal: bytes, tag: str) -> CallLine:
    """The last call for the job with that tag; an empty one where there is none. A first line may be cut off."""
    for line in reversed(journal.decode("utf-8", "replace").splitlines()):
        fields = line.split("\t")
        if len(fields) > 12 and fields[1] == "SEND" and fields[5].strip('"') == tag:
            rate, ecm = _negotiated(fields[18].strip('"') if len(fields) > 18 else "")
            return CallLine(printable(fields[8].strip('"').strip(), 20), rate, ecm, _seconds(fields[12]))
    return CallLine()


def _negotiated(octets: str) -> tuple[int, bool]:
    """Rate and error correction in DCS, octets in hexadecimal, the first bit of each the highest."""
    try:
        bits = bytes.fromhex(octets)
    except ValueError:
        return 0, False
    if len(bits) < 3 or not any(bits):
        return 0, False
    return _RATES.get(bits[1] >> 2 & 0b1111, 0), len(bits) > 3 and bool(bits[3] & 0b0010_0000)


def _seconds(text: str) -> float:
    parts = text.split(":")
    if len(parts) != 3 or not all(one.isascii() and one.isdecimal() and len(one) < 5 for one in parts):
        return 0.0
    hours, minutes, seconds = (int(one) for one in parts)
    return float(hours * 3600 + minutes * 60 + seconds)


def size_told(text: str) -> int:
    """What the reply to ``SIZE`` says; 0 = nothing that could be one."""
    found = _SIZE.match(text.strip())
    return int(found[1]) if found else 0
