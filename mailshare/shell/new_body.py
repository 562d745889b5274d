"""Octets that are at hand as a body of the store."""

from __future__ import annotations

from mailshare.interfaces import IBody, IStore


async def new_body(store: IStore, octets: bytes) -> IBody:
    """A body with these octets, which nothing refers to yet.

    :raises StorageFull: there is no room.
    """
    sink = store.new_body(len(octets))
    try:
        wait = sink.write(octets)
        if wait is not None:
            await wait
        return await sink.finish()
    except BaseException:
        sink.abort()
        raise
