"""What is known of an account's runs, kept in the settings so that a restart forgets nothing of it.

Neither the provider's LOGIN-DELAY nor what an administrator is shown may depend on when this program was started.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import asdict, fields, frozen

from mailshare.interfaces import IStore

_SCOPE = "collect"


@frozen
class Remembered:
    """The last run of an account. Times are microseconds UTC, 0 = never.

    :ivar error: why the last run failed, with the server's words; empty when it did not.
    :ivar note: what went not as it was asked for in the last run and stopped nothing; empty when all did.
    :ivar messages: collected in the last run.
    :ivar floor: the provider's LOGIN-DELAY allows no login before.
    :ivar listed: messages that lay at the provider when the last session ended; -1 = not known.
    :ivar waiting: those of them that were not fetched yet and will be.
    :ivar login_delay: seconds, as the provider says; 0 = it does not.
    :ivar expire: days that the provider keeps mail; -1 = for ever, or it does not say.
    :ivar rest_until: no quick looks before, since the provider said that we come too often.
    :ivar top_unlike: 1 = the server gives other headers by TOP than by RETR, so they are no evidence.
    """

    last_try: int = 0
    last_ok: int = 0
    error: str = ""
    note: str = ""
    messages: int = 0
    floor: int = 0
    listed: int = -1
    waiting: int = 0
    login_delay: int = 0
    expire: int = -1
    top_unlike: int = 0
    rest_until: int = 0

    @classmethod
    async def of(cls, store: IStore, account_id: int) -> Remembered:
        """What was written last.

        :raises Unavailable: the store does not say.
        """
        found = await store.settings.get(_SCOPE, _name(account_id))
        values = found[0] if found is not None and isinstance(found[0], Mapping) else {}
        kinds = {one.name: str if one.name in ("error", "note") else int for one in fields(cls)}
        fitting: dict[str, Any] = {name: one for name, one in values.items() if type(one) is kinds.get(name)}
        return cls(**fitting)

    async def write(self, store: IStore, account_id: int) -> None:
        """Keep it.

        :raises Unavailable: the store does not take it.
        """
        await store.settings.put(_SCOPE, _name(account_id), asdict(self))


def _name(account_id: int) -> str:
    return f"run {account_id}"
