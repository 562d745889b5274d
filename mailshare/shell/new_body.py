"""Octets that are at hand, come piece by piece, or lie in another body, as a body of the store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from mailshare.interfaces import IBody, IStore
from mailshare.shell.body_pieces import pieces as pieces_of


async def new_body(store: IStore, octets: bytes) -> IBody:
    """A body with these octets, which nothing refers to yet.

    :raises StorageFull: there is no room.
    """
    return await body_of_pieces(store, (octets,), len(octets))


async def body_of_pieces(store: IStore, pieces: Iterable[bytes], size_hint: int = 0) -> IBody:
    """A body of these pieces, one behind the other.

    :raises StorageFull: there is no room.
    """
    return await _filled(store, size_hint, _one_by_one(pieces))


async def copied(store: IStore, body: IBody) -> IBody:
    """A body of its own with the octets of another.

    :raises StorageFull: there is no room. :raises Unavailable: the other one ends before its size.
    """
    return await _filled(store, body.size, pieces_of(body))


async def _filled(store: IStore, size: int, octets: AsyncIterator[bytes]) -> IBody:
    sink = store.new_body(size)
    try:
        async for piece in octets:
            wait = sink.write(piece)
            if wait is not None:
                await wait
        return await sink.finish()
    except BaseException:
        sink.abort()
        raise


async def _one_by_one(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
