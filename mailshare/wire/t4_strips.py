"""Coded pages put one below the other without being decoded.

Source: ITU-T T.4 section 4 (each row of MH stands by itself; MR begins anew with each row whose tag bit is 1), T.6
section 2.2 (the first row is coded as if a white one were above it).
"""

from __future__ import annotations

from mailshare.core.values.fax import Coding

_EOFB = 0x001001


def joined_strips(coding: Coding, upper: bytes, lower: bytes) -> bytes:
    """The strip of a page above another one.

    The last row of the upper one must be white: of MMR because the lower one's first row was coded as if it followed
    one, of the others because the code of a white row ends in a bit that is 1, so that its end can be seen.

    :param upper, lower: strips as in :class:`~mailshare.core.values.fax.FaxPage`, of the same width.
    :raises ValueError: the upper one is not coded like that.
    """
    value = int.from_bytes(upper)
    padding = (value & -value).bit_length() - 1
    if padding < 0 or (coding is Coding.MMR and value >> padding & 0xFFFFFF != _EOFB):
        raise ValueError("the strip does not end as its coding says")
    if coding is Coding.MMR:
        padding += 24
    bits = len(upper) * 8 - padding + len(lower) * 8
    both = (value >> padding) << (len(lower) * 8) | int.from_bytes(lower)
    return (both << (-bits % 8)).to_bytes((bits + 7) // 8)
