"""JBIG pictures by the program of jbigkit where it is installed, by ourselves where it is not or gives up.

A page of dense dots takes seconds in Python. The answers are the same: what the program does not take apart to the
last row, or not at all, as pictures whose length is told late, is taken apart here, or refused with what is wrong.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from PIL import Image

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.documents.operations import Work
from mailshare.documents.outside import jbig_to_pbm
from mailshare.wire.jbig import decode_jbig, read_head

Decoder = Callable[[bytes], tuple[int, int, bytes]]
_LEAST = 1000  # octets, below which starting a program takes longer
_PIXELS = [1] + [0] * 255  # Pillow has 0 for black


def decode_by_program(work: Work, coded: bytes) -> tuple[int, int, bytes]:
    """Width, rows and pixels of a picture of one plane, as :func:`~mailshare.wire.jbig.decode_jbig` has them.

    :raises PeerFault: as that does. :raises NotConvertible: it takes too long.
    """
    head = read_head(coded)
    if head.planes != 1 or len(coded) < _LEAST:
        return decode_jbig(coded)
    source, made = (os.path.join(work.folder, name) for name in ("page.jbg", "page.pbm"))
    with open(source, "wb") as stream:
        stream.write(coded)
    try:
        jbig_to_pbm(work, source, made)
        with Image.open(made, formats=["PPM"]) as picture:
            if picture.mode == "1" and picture.size == (head.width, head.rows):
                return head.width, head.rows, picture.convert("L").point(_PIXELS).tobytes()
    except NotConvertible as fault:
        if fault.cause not in (Hindrance.TOOL_MISSING, Hindrance.DAMAGED):
            raise
    except (OSError, ValueError, SyntaxError):
        pass  # it made no such picture
    return decode_jbig(coded)
