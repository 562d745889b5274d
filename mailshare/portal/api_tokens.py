"""Programs that may use the HTTP API: each has a token of its own, with a level and a last day."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from attrs import asdict, evolve
from zope.interface import implementer

from mailshare.core.errors import PeerFault, PolicyRefusal
from mailshare.core.levels import Level
from mailshare.core.values import SECOND, Administrator, ApiToken
from mailshare.interfaces import IApiTokens, ISettings
from mailshare.portal.web_sessions import digest, new_secret

SCOPE = "web"
PREFIX = "mst_"
"""Every token begins so, that it is known for one where it turns up by mistake."""
MOST = 50
LONGEST = 3650
_DAY = 24 * 3600 * SECOND
_LABEL = re.compile(r"[^\x00-\x1f\x7f]{1,60}\Z")


@implementer(IApiTokens)
class ApiTokens:
    """All tokens.

    :param owner: the administrator of a name, if there still is one.
    :param clock: microseconds UTC.
    """

    def __init__(
        self,
        settings: ISettings,
        random: Callable[[int], bytes],
        clock: Callable[[], int],
        owner: Callable[[str], Administrator | None],
    ) -> None:
        self._settings = settings
        self._random = random
        self._clock = clock
        self._owner = owner
        self._by_digest: dict[str, ApiToken] = {}

    async def load(self) -> None:
        """Read them."""
        found = await self._settings.get(SCOPE, "tokens")
        rows: Any = found[0] if found is not None else {}
        self._by_digest = {key: ApiToken(**{**row, "level": Level(row["level"])}) for key, row in rows.items()}

    async def make(self, owner: Administrator, label: str, level: str, days: int) -> tuple[str, ApiToken]:
        """A new token and its secret."""
        reach = Level.named(level)
        if reach is None:
            raise PeerFault(f"{level[:20]!r} is none of read, operate, admin", code=400)
        if not _LABEL.match(label.strip()):
            raise PeerFault("The label needs 1 to 60 printable characters, e.g. monitoring", code=400)
        if not 0 <= days <= LONGEST:
            raise PeerFault(f"A token is valid for 1 to {LONGEST} days, or 0 for ever", code=400)
        if reach > owner.role.level:
            raise PolicyRefusal(f"A token cannot reach further than {owner.name} does")
        if len(self._by_digest) >= MOST:
            raise PolicyRefusal(f"There are {MOST} tokens already; revoke one first")
        secret, now = PREFIX + new_secret(self._random), self._clock()
        key = digest(secret)
        made = ApiToken(key[:12], label.strip(), owner.name, reach, now, now + days * _DAY if days else 0)
        self._by_digest[key] = made
        await self._write()
        return secret, made

    def find(self, secret: str) -> ApiToken | None:
        """The token of a secret, if it is valid now; its use is remembered until the server ends."""
        key = digest(secret)
        found = self._by_digest.get(key)
        now = self._clock()
        if found is None or (found.expires and now >= found.expires) or self._owner(found.owner) is None:
            return None
        self._by_digest[key] = used = evolve(found, used=now)
        return used

    def of(self, name: str) -> Sequence[ApiToken]:
        """Those of one administrator, oldest first; of everybody for an empty name."""
        return sorted(
            (one for one in self._by_digest.values() if name in ("", one.owner)), key=lambda one: (one.made, one.id)
        )

    async def revoke(self, token_id: str) -> None:
        """Take one back."""
        self._by_digest = {key: one for key, one in self._by_digest.items() if one.id != token_id}
        await self._write()

    async def revoke_all(self, name: str) -> None:
        """Those of somebody who is gone."""
        self._by_digest = {key: one for key, one in self._by_digest.items() if one.owner != name}
        await self._write()

    async def _write(self) -> None:
        rows = {key: {**asdict(one), "level": int(one.level)} for key, one in self._by_digest.items()}
        await self._settings.put(SCOPE, "tokens", rows)
