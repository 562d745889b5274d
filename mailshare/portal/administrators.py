"""Those who may log in to the manager: names, roles and password hashes, one setting of the scope ``web``.

They are no users: an administrator has no mailbox, and a stolen mailbox password opens no manager.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import asdict, evolve
from zope.interface import implementer

from mailshare.core.errors import LoginRefused, NoSuchUser, PeerFault, PolicyRefusal
from mailshare.core.values import Administrator, Role
from mailshare.interfaces import IAdministrators, ISettings
from mailshare.portal.guesses import MAX_PASSWORD, Guesses
from mailshare.portal.passwords import Passwords

SCOPE = "web"
SHORTEST = 10
MOST = 100
_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}\Z")
_THEMES = ("", "light", "dark")
_COMMON = ("password", "passwort", "mailshare", "administrator", "qwertz", "qwerty", "letmein", "welcome", "12345")


def throttle_key(name: str) -> str:
    """What guesses at an administrator are counted under: no mailbox can be called so."""
    return f"administrator {name.casefold()[:64]}"


def weakness(password: str, name: str = "") -> str:
    """Why a password is too weak for an administrator, as a sentence; empty when it is not.

    Length counts and what everybody tries does not; no classes of characters are asked for (NIST SP 800-63B 5.1.1.2).
    """
    folded = password.casefold()
    rest = folded
    for word in (*_COMMON, name.casefold()):
        rest = rest.replace(word, "") if word else rest
    if len(password) < SHORTEST:
        return f"The password needs at least {SHORTEST} characters; three or four words of your own are good"
    if len(password.encode()) > MAX_PASSWORD:
        return f"The password is longer than {MAX_PASSWORD} octets"
    if len(set(folded)) < 5 or len(rest) < SHORTEST // 2:
        return "That password is among the first that anybody would try; take three or four words of your own"
    return ""


@implementer(IAdministrators)
class Administrators:
    """All of them, in memory and in the store.

    :param gone: called with a name whose sessions and tokens end: removed, or the password was changed.
    :param clock: microseconds UTC.
    :param came: called with the key (:func:`throttle_key`) and the peer of each who gave the right password.
    """

    def __init__(
        self,
        settings: ISettings,
        passwords: Passwords,
        guesses: Guesses,
        clock: Callable[[], int],
        gone: Callable[[str], None] = lambda _: None,
        came: Callable[[str, str], None] = lambda _key, _peer: None,
    ) -> None:
        self._settings = settings
        self._passwords = passwords
        self._guesses = guesses
        self._clock = clock
        self.gone = gone
        self._came = came
        self._known: dict[str, Administrator] = {}
        self._hashes: dict[str, str] = {}

    async def load(self) -> None:
        """Read them."""
        found = await self._settings.get(SCOPE, "administrators")
        rows: Any = found[0] if found is not None else []
        for row in rows:
            self._hashes[row["name"]] = row.pop("hash")
            self._known[row["name"]] = Administrator(
                **{**row, "role": Role(row["role"]), "accounts": tuple(row["accounts"])}
            )

    def everybody(self) -> Sequence[Administrator]:
        """All, by name."""
        return sorted(self._known.values(), key=lambda one: one.name)

    def find(self, name: str) -> Administrator | None:
        """By name, in any case."""
        return self._known.get(name.casefold())

    async def check(self, name: str, password: str, peer: str) -> Administrator:
        """Log somebody in: one argon2 computation, whether there is such a name or not."""
        octets, login = password.encode("utf-8", "replace"), name.casefold()[:64]
        # No mailbox can be called so: guesses at the one do not slow down the other, only the guesser himself.
        key = throttle_key(login)
        await self._guesses.in_line(peer, key)
        stored = self._hashes.get(login, "")
        if len(octets) > MAX_PASSWORD or not await self._passwords.verify(stored, octets):
            await self._guesses.failed(peer, key, octets)
            raise LoginRefused
        administrator = self._known.get(login)
        if administrator is None or self._hashes.get(login) != stored:
            raise LoginRefused
        self._came(key, peer)
        return administrator

    async def add(self, name: str, password: str, role: Role, accounts: Sequence[str] = ()) -> Administrator:
        """Make one."""
        login = name.casefold()
        if not _NAME.match(login):
            raise PeerFault("The name needs letters, digits, dots or hyphens, and begins with a letter", code=400)
        if reason := weakness(password, login):
            raise PeerFault(reason, code=400)
        if login in self._known:
            raise PolicyRefusal(f"There is an administrator {login} already")
        if len(self._known) >= MOST:
            raise PolicyRefusal(f"There are {MOST} administrators already")
        hashed = await self._passwords.hash(password.encode())
        if login in self._known:  # somebody was quicker while the hash was made
            raise PolicyRefusal(f"There is an administrator {login} already")
        made = Administrator(login, role, _accounts(role, accounts), self._clock())
        self._known[login], self._hashes[login] = made, hashed
        await self._write()
        return made

    async def change(
        self,
        name: str,
        *,
        password: str | None = None,
        role: Role | None = None,
        accounts: Sequence[str] | None = None,
        language: str | None = None,
        theme: str | None = None,
    ) -> Administrator:
        """Change what is given; a new password ends what is logged in."""
        old = self._named(name)
        if role is not None and role is not Role.OWNER:
            self._stays_owned(old)
        if password is not None:
            if reason := weakness(password, old.name):
                raise PeerFault(reason, code=400)
            self._hashes[old.name] = await self._passwords.hash(password.encode())
            self.gone(old.name)
        new_role = old.role if role is None else role
        made = evolve(
            self._named(name),
            role=new_role,
            accounts=_accounts(new_role, old.accounts if accounts is None else accounts),
            language=old.language if language is None else language[:10],
            theme=theme if theme in _THEMES else old.theme,
        )
        self._known[old.name] = made
        await self._write()
        return made

    async def remove(self, name: str) -> None:
        """Take one away."""
        old = self._named(name)
        self._stays_owned(old)
        del self._known[old.name], self._hashes[old.name]
        self.gone(old.name)
        await self._write()

    def _named(self, name: str) -> Administrator:
        found = self.find(name)
        if found is None:
            raise NoSuchUser(f"There is no administrator {name[:64]}")
        return found

    def _stays_owned(self, leaving: Administrator) -> None:
        others = [one for one in self._known.values() if one.role is Role.OWNER and one.name != leaving.name]
        if leaving.role is Role.OWNER and not others:
            raise PolicyRefusal(f"{leaving.name} is the last owner; make somebody else owner first")

    async def _write(self) -> None:
        rows = [_row(one, self._hashes[one.name]) for one in self.everybody()]
        await self._settings.put(SCOPE, "administrators", rows)


def _accounts(role: Role, accounts: Sequence[str]) -> tuple[str, ...]:
    """Only a keeper has some of the accounts.

    :raises PeerFault: a keeper has none.
    """
    if role is not Role.KEEPER:
        return ()
    found = tuple(sorted({one.casefold() for one in accounts if one}))
    if not found:
        raise PeerFault("Name the accounts that this administrator looks after", code=400)
    return found


def _row(one: Administrator, hashed: str) -> Mapping[str, object]:
    return {**asdict(one), "role": one.role.value, "accounts": list(one.accounts), "hash": hashed}
