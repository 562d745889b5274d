"""Who came in when, and who is kept waiting because somebody guessed: looked at, and let in again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mailshare.assembly import shapes
from mailshare.assembly.first_run_acts import FirstRunActs
from mailshare.assembly.manager_acts import ManagerActs, seen_json
from mailshare.assembly.personal import Personal
from mailshare.core.errors import NoSuchUser, PeerFault, Unavailable
from mailshare.core.values import SECOND, Event, User
from mailshare.portal.last_seen import FETCHED, Seen
from mailshare.portal.throttle import Slowed, Throttle
from mailshare.store.naming import resolved_login


class PresenceActs(Personal, ManagerActs, FirstRunActs):
    """Put together with the other acts."""

    # ------------------------------------------------------------------ looking

    async def users(self) -> Sequence[Mapping[str, object]]:
        """All users, by name.

        :returns: of each also ``last_seen`` by door, ``slowed``: the wrong tries of the last minutes, and ``reached``:
            the addresses that reach him from outside, the surest first.
        """
        seen, slowed = await self._logins_seen(), self._slowed_users()
        return [
            {**row, **self._presence(str(row["name"]), seen, slowed), "reached": self._reached(str(row["name"]))}
            for row in await super().users()
        ]

    def _reached(self, name: str) -> Sequence[str]:
        directory = self._directory()
        user = directory.user_by_name[name]
        ways = [directory.account_by_id[one] for one in user.accounts if one in directory.account_by_id]
        return [address for way in ways for address in self._addresses(user, way)]

    async def show_user(self, *, name: str) -> Mapping[str, object]:
        """A user, as :meth:`users` tells it and more."""
        found = await super().show_user(name=name)
        oldest = (await self._store.mailboxes.oldest()).get(self._user(name).id, 0)
        presence = self._presence(str(found["name"]), await self._logins_seen(), self._slowed_users())
        return {**found, **presence, "oldest": shapes.moment(oldest)}

    async def slowed_logins(self) -> Mapping[str, object]:
        """Who waits before a try is looked at: ``users``, logins as they were given, and ``peers``; latest first."""
        throttle = self._throttle()
        if throttle is None:
            return {"users": [], "peers": []}
        now = self._throttle_now()
        return {
            "users": [_slowed_json(one) for one in throttle.slowed_users(now)],
            "peers": [_slowed_json(one) for one in throttle.slowed_peers(now)],
        }

    def _presence(self, name: str, seen: Mapping[str, Seen], slowed: Mapping[str, Slowed]) -> dict[str, object]:
        user = self._directory().user_by_name[name.casefold()]
        known = seen.get(str(user.id), {})
        fetched = known.get(FETCHED, (0, ""))[0]
        one = slowed.get(user.name)
        return {
            "last_seen": seen_json({door: each for door, each in known.items() if door != FETCHED}),
            "fetched": shapes.moment(fetched),
            "slowed": _slowed_json(one) if one is not None else None,
        }

    async def _logins_seen(self) -> Mapping[str, Seen]:
        doors = self.doorkeepers
        return await doors.seen.everybody() if doors is not None and doors.seen is not None else {}

    async def last_fetched(self) -> Mapping[int, int]:
        """User id to when messages were fetched last, microseconds UTC; who never did is left out."""
        seen = await self._logins_seen()
        return {int(key): one[FETCHED][0] for key, one in seen.items() if key.isdigit() and FETCHED in one}

    def _throttle(self) -> Throttle | None:
        return self.doorkeepers.throttle if self.doorkeepers is not None else None

    def _running_throttle(self) -> Throttle:
        throttle = self._throttle()
        if throttle is None:
            raise Unavailable("The server does not run; it forgets wrong passwords when it starts")
        return throttle

    def _throttle_now(self) -> float:
        return self.doorkeepers.seconds() if self.doorkeepers is not None else 0.0

    def _slowed_users(self) -> Mapping[str, Slowed]:
        """By the login that was meant."""
        throttle = self._throttle()
        found = throttle.slowed_users(self._throttle_now()) if throttle is not None else []
        return {resolved_login(one.name): one for one in reversed(found)}

    # ------------------------------------------------------------------ acting

    async def unlock_user(self, *, name: str, by: str = "") -> Mapping[str, object]:
        """Forget the wrong tries at a user, and those of peers that failed at nobody else."""
        user = self._user(name)
        throttle = self._running_throttle()
        names = [one.name for one in throttle.slowed_users(self._throttle_now())]
        unlocked = [throttle.forgive_user(one) for one in names if resolved_login(one) == user.name]
        await self._note_unlocking(by, user.name, user)
        return {"user": user.name, "unlocked": any(unlocked)}

    async def unlock_login(self, *, login: str = "", peer: str = "", by: str = "") -> Mapping[str, object]:
        """Forget the wrong tries at a login, whether it is a user's or not, or of a peer, as they are told of."""
        throttle, what = self._running_throttle(), login or peer
        if bool(login) == bool(peer):
            raise PeerFault("Say which login or which address, and one of them only", code=400)
        if not (throttle.forgive_user(login) if login else throttle.forgive_peer(peer)):
            raise NoSuchUser("Nobody waits there")
        await self._note_unlocking(by, what, None)
        return {"name": what, "unlocked": True}

    async def _note_unlocking(self, by: str, what: str, user: User | None) -> None:
        data = {"by": by, "what": what}
        await self._store.events.append(
            [Event(self._clock(), "admin.unlocked", user_id=user.id if user is not None else None, data=data)]
        )


def _slowed_json(one: Slowed) -> dict[str, object]:
    return {
        "name": one.name,
        "failures": one.failures,
        "last": shapes.moment(int(one.last * SECOND)),
        "until": shapes.moment(int(one.until * SECOND)),
        "wait": round(one.wait, 1),
        "others": list(one.others),
    }
