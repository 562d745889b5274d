"""Memory that is freed goes back to the system at once.

Checking a password takes tens of megabytes for a moment. The GNU C library learns from the first such block to keep
blocks of that size for the next time, up to 32 MB in each thread (mallopt(3), M_MMAP_THRESHOLD): a server that twenty
people logged in to held 94 MB afterwards and not 55. A threshold that was set is not changed by the library any more.
"""

from __future__ import annotations

import ctypes

_M_MMAP_THRESHOLD = -3
_LARGE = 1 << 20  # octets from which a block is a mapping of its own


def give_back_large_blocks() -> bool:
    """Have each large block returned when it is freed; False where the C library has no such setting."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_M_MMAP_THRESHOLD, _LARGE))
