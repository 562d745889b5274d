"""A stored body as a stream of pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator

from mailshare.core.errors import Unavailable
from mailshare.interfaces import IBody

PIECE = 256 * 1024


async def pieces(body: IBody, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
    """Its octets from ``start``, all or so many.

    :raises Unavailable: it ends before.
    """
    position, end = start, body.size if length is None else start + length
    while position < end:
        piece = await body.read(position, min(PIECE, end - position))
        if not piece:
            raise Unavailable(detail={"why": "a stored body ends before its size"})
        position += len(piece)
        yield piece
