"""Octets that are at hand, or come piece by piece, as a body of the store."""

from __future__ import annotations

from collections.abc import Iterable

from mailshare.interfaces import IBody, IStore


async def new_body(store: IStore, octets: bytes) -> IBody:
    """A body with these octets, which nothing refers to yet.

    :raises StorageFull: there is no room.
    """
    return await body_of_pieces(store, (octets,), len(octets))


async def body_of_pieces(store: IStore, pieces: Iterable[bytes], size_hint: int = 0) -> IBody:
    """A body of these pieces, one behind the other.

    :raises StorageFull: there is no room; and whatever the pieces raise.
    """
    sink = store.new_body(size_hint)
    try:
        for piece in pieces:
            wait = sink.write(piece)
            if wait is not None:
                await wait
        return await sink.finish()
    except BaseException:
        sink.abort()
        raise
