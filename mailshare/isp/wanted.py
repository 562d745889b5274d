"""Messages that were left at the provider and that somebody asked for all the same ("fetch it anyway").

Kept in the settings, so that a restart does not forget the wish; the next run fulfils it, whatever the size limit says.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailshare.interfaces import IStore

_SCOPE = "collect"
_MOST = 1000


class Wanted:
    """The wishes of all accounts; each message by its name in the ledger."""

    def __init__(self, store: IStore) -> None:
        self._store = store

    async def of(self, account_id: int) -> frozenset[str]:
        """What is wanted of an account."""
        found = await self._store.settings.get(_SCOPE, _name(account_id))
        names = found[0] if found is not None else ()
        return frozenset(str(name) for name in names) if isinstance(names, list | tuple) else frozenset()

    async def add(self, account_id: int, name: str) -> None:
        """Want one more; beyond a thousand the wish is not kept."""
        names = await self.of(account_id)
        if name not in names and len(names) < _MOST:
            await self._store.settings.put(_SCOPE, _name(account_id), sorted({*names, name}))

    async def drop(self, account_id: int, names: Iterable[str]) -> None:
        """They came, or are gone."""
        left = await self.of(account_id)
        gone = left & set(names)
        if gone:
            await self._store.settings.put(_SCOPE, _name(account_id), sorted(left - gone))


def _name(account_id: int) -> str:
    return f"wanted {account_id}"
