"""Who may log in to the manager, as acts: for the commands, the API and the manager's own settings page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import define

from mailshare.assembly import shapes
from mailshare.assembly.changes import Changes
from mailshare.core.errors import NoSuchUser, PeerFault, PolicyRefusal, Unavailable
from mailshare.core.values import Administrator, ApiToken, Role
from mailshare.interfaces import IAdministrators, IApiTokens, ISetupCode
from mailshare.portal.administrators import throttle_key
from mailshare.portal.last_seen import LastSeen, Seen
from mailshare.portal.throttle import Throttle


@define
class Doorkeepers:
    """Those who know who may log in.

    :ivar setup_code: ``None`` while no server runs.
    :ivar seen: when each user and administrator came in last.
    :ivar throttle: slows down guesses; ``None`` while no server runs. ``seconds`` is its clock.
    """

    administrators: IAdministrators
    tokens: IApiTokens
    setup_code: ISetupCode | None = None
    seen: LastSeen | None = None
    throttle: Throttle | None = None
    seconds: Callable[[], float] = float


class ManagerActs(Changes):
    """Administrators and tokens."""

    doorkeepers: Doorkeepers | None = None

    def _doors(self) -> Doorkeepers:
        if self.doorkeepers is None:
            raise Unavailable("This office has no manager")
        return self.doorkeepers

    async def setup_code(self) -> Mapping[str, object]:
        """What lets somebody make the first administrator."""
        code = self._doors().setup_code
        if code is None or not code.needed():
            return {"needed": False, "code": ""}
        return {"needed": True, "code": code.code()}

    async def administrators(self) -> Sequence[Mapping[str, object]]:
        """All, by name, with when and from where each logged in last."""
        doors = self._doors()
        found = []
        for one in doors.administrators.everybody():
            seen = await doors.seen.of(throttle_key(one.name)) if doors.seen is not None else {}
            found.append({**administrator_json(one), "last_seen": seen_json(seen)})
        return found

    async def add_administrator(
        self, *, name: str, password: str, role: str = "owner", accounts: Sequence[str] = ()
    ) -> Mapping[str, object]:
        """Make one."""
        known = [str(self._account(one).address) for one in accounts]
        return administrator_json(await self._doors().administrators.add(name, password, _role(role), known))

    async def change_administrator(self, *, name: str, **facts: Any) -> Mapping[str, object]:
        """Change what is given; a new password ends what is logged in."""
        if "role" in facts:
            facts["role"] = _role(facts["role"])
        if "accounts" in facts:
            facts["accounts"] = [str(self._account(one).address) for one in facts["accounts"]]
        return administrator_json(await self._doors().administrators.change(name, **facts))

    async def remove_administrator(self, *, name: str) -> Mapping[str, object]:
        """Take one away, with sessions and tokens."""
        await self._doors().administrators.remove(name)
        return {"removed": name.casefold()}

    async def tokens(self) -> Sequence[Mapping[str, object]]:
        """All tokens, oldest first; never their secrets."""
        return [token_json(one) for one in self._doors().tokens.of("")]

    async def add_token(self, *, owner: str, label: str, level: str, days: int = 90) -> Mapping[str, object]:
        """Make one; the answer is the only place where its secret is ever shown."""
        whose = self._doors().administrators.find(owner)
        if whose is None:
            raise NoSuchUser(f"There is no administrator {owner[:64]}")
        secret, made = await self._doors().tokens.make(whose, label, level, days)
        return {**token_json(made), "token": secret}

    async def revoke_token(self, *, id: str) -> Mapping[str, object]:  # noqa: A002
        """Take one back, by its id."""
        if id not in {one.id for one in self._doors().tokens.of("")}:
            raise NoSuchUser("There is no token of that id")
        await self._doors().tokens.revoke(id)
        return {"revoked": id}


def _role(word: str) -> Role:
    try:
        return Role(word)
    except ValueError:
        raise PeerFault(f"{word[:30]!r} is none of {', '.join(one.value for one in Role)}", code=400) from None


def administrator_json(one: Administrator) -> dict[str, object]:
    """An administrator, without anything secret."""
    return {
        "name": one.name,
        "role": one.role.value,
        "accounts": list(one.accounts),
        "made": shapes.moment(one.made),
    }


def seen_json(seen: Seen) -> dict[str, object]:
    """When somebody came in last, by door."""
    return {door: {"at": shapes.moment(at), "peer": peer} for door, (at, peer) in sorted(seen.items())}


def token_json(one: ApiToken) -> dict[str, object]:
    """A token, without its secret."""
    return {
        "id": one.id,
        "label": one.label,
        "owner": one.owner,
        "level": one.level.name.lower(),
        "made": shapes.moment(one.made),
        "expires": shapes.moment(one.expires),
        "used": shapes.moment(one.used),
    }


def refuse_references(given: Mapping[str, object]) -> None:
    """What comes over the network may set a password, and not where on this machine to find one.

    A reference may name a command: whoever sets it would run programs here.

    :raises PolicyRefusal: it does.
    """
    if "secret" in given:
        raise PolicyRefusal("Where a password is found is said in the configuration file or by the command mailshare")
