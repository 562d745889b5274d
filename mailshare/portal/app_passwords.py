"""App passwords: one for each program or telephone of a user, so that one that is lost is taken back alone.

Each has a hash and a SCRAM verifier of its own. It begins with a mark of four letters that is stored in the clear, so
that a try is compared with one hash, as it is without app passwords. They are settings of the scope ``app-password``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import asdict, evolve, frozen
from attrs import field as attribute

from mailshare.core.errors import NoSuchUser, PolicyRefusal
from mailshare.core.values import SECOND
from mailshare.interfaces import ISettings

SCOPE = "app-password"
MOST = 20  # of one user
_FRESH = 3_600 * SECOND  # a use is written down when the last one noted is older: a program may poll each minute


@frozen
class AppPassword:
    """One of them.

    :ivar mark: its first four letters.
    :ivar label: what it is for, e.g. ``telephone``; unique for a user.
    :ivar made, used: microseconds UTC; ``used`` is right to the hour, 0 for never.
    """

    mark: str
    label: str
    hash: str = attribute(repr=False)
    scram: str = attribute(repr=False)
    made: int = 0
    used: int = 0


def mark_of(password: str) -> str:
    """What stands before the first hyphen of an app password."""
    return password.partition("-")[0][:16]


def verifiers(scram: str, apps: tuple[AppPassword, ...]) -> tuple[str, ...]:
    """The verifiers that one SCRAM exchange can try: those with the salt and count of the first (RFC 5802 section 5.1).

    A server names its salt before it can know which password the client has. So all passwords of a user are made with
    the same one; what was not, logs in by the other mechanisms only.

    :param scram: of the user's own password, may be empty.
    """
    found = [text for text in (scram, *(app.scram for app in apps)) if text]
    return tuple(text for text in found if salted_as(text) == salted_as(found[0]))


def salted_as(verifier: str) -> str:
    """Count and salt of a stored verifier, as text."""
    return verifier.partition("$")[2].partition("$")[0]


class AppPasswords:
    """Those of all users."""

    def __init__(self, settings: ISettings) -> None:
        self._settings = settings

    async def of(self, user_id: int) -> tuple[AppPassword, ...]:
        """A user's, oldest first."""
        return (await self._read(user_id))[0]

    async def add(self, user_id: int, app: AppPassword) -> None:
        """Keep one.

        :raises PolicyRefusal: the label is there already, or the user has too many.
        """
        apps, version = await self._read(user_id)
        if any(one.label.casefold() == app.label.casefold() for one in apps):
            raise PolicyRefusal(f"There is an app password {app.label} already; revoke it first")
        if len(apps) >= MOST:
            raise PolicyRefusal(f"There are {MOST} app passwords already; revoke one first")
        await self._write(user_id, (*apps, app), version)

    async def revoke(self, user_id: int, label: str) -> AppPassword:
        """Take one back, by its label or its mark; the others stay.

        :raises NoSuchUser: there is none.
        """
        apps, version = await self._read(user_id)
        gone = [one for one in apps if one.label.casefold() == label.casefold()]
        gone = gone or [one for one in apps if one.mark == label]
        if not gone:
            raise NoSuchUser(f"There is no app password {label}")
        await self._write(user_id, tuple(one for one in apps if one is not gone[0]), version)
        return gone[0]

    async def revoke_all(self, user_id: int) -> int:
        """Take all back; gives how many there were."""
        apps, version = await self._read(user_id)
        if apps:
            await self._write(user_id, (), version)
        return len(apps)

    async def note_use(self, user_id: int, app: AppPassword, now: int) -> None:
        """Write down that it was used, at most once an hour."""
        if now - app.used < _FRESH:
            return
        apps, version = await self._read(user_id)
        await self._write(
            user_id, tuple(evolve(one, used=now) if one.mark == app.mark else one for one in apps), version
        )

    async def _read(self, user_id: int) -> tuple[tuple[AppPassword, ...], int]:
        found = await self._settings.get(SCOPE, str(user_id))
        if found is None:
            return (), 0
        rows, version = found
        kept: list[Mapping[str, Any]] = rows if isinstance(rows, list) else []
        return tuple(AppPassword(**row) for row in kept), version

    async def _write(self, user_id: int, apps: tuple[AppPassword, ...], version: int) -> None:
        """Only over what was read: a revocation must not be undone by somebody who noted a use meanwhile."""
        await self._settings.put(SCOPE, str(user_id), [asdict(one) for one in apps], version)
