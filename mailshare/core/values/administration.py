"""Who looks after the office through a browser or a program, and what each of them may do.

Times are microseconds UTC.
"""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from mailshare.core.levels import Level


class Role(Enum):
    """What an administrator is."""

    OWNER = "owner"
    KEEPER = "account admin"  # looks after the people and the mail of some accounts
    VIEWER = "viewer"

    @property
    def level(self) -> Level:
        """How far it reaches; a keeper may besides change the people of the own accounts."""
        return {Role.OWNER: Level.ADMIN, Role.KEEPER: Level.OPERATE, Role.VIEWER: Level.READ}[self]


@frozen
class Administrator:
    """Somebody who may log in to the manager.

    :ivar name: casefolded; of its own, no mailbox belongs to it.
    :ivar accounts: addresses of the accounts of a keeper, casefolded; everybody else sees all.
    :ivar language, theme: as chosen; empty = as the browser asks for it.
    """

    name: str
    role: Role = Role.OWNER
    accounts: tuple[str, ...] = ()
    made: int = 0
    language: str = ""
    theme: str = ""


@frozen
class Caller:
    """Whoever asks for something, as the rules see him.

    :ivar name: for the audit.
    :ivar accounts: only these, by address; ``None`` = all.
    :ivar keeper: may change the people of those accounts.
    """

    name: str
    level: Level
    accounts: frozenset[str] | None = None
    keeper: bool = False

    @classmethod
    def of(cls, administrator: Administrator) -> Caller:
        """An administrator who is logged in."""
        keeper = administrator.role is Role.KEEPER
        accounts = frozenset(administrator.accounts) if keeper else None
        return cls(administrator.name, administrator.role.level, accounts, keeper)


@frozen
class WebSession:
    """A browser that is logged in.

    :ivar id: short and public: the beginning of the hash of its secret.
    :ivar seen: when a person last did something there.
    :ivar proved: when the password was last given there.
    :ivar agent: what the browser calls itself, shortened.
    """

    id: str
    name: str
    made: int
    seen: int
    proved: int
    peer: str = ""
    agent: str = ""
    locked: bool = False


@frozen
class ApiToken:
    """A program that may use the HTTP API.

    :ivar id: short and public: the beginning of the hash of its secret.
    :ivar owner: the administrator who made it; with him it goes.
    :ivar expires: 0 = never.
    """

    id: str
    label: str
    owner: str
    level: Level
    made: int
    expires: int = 0
    used: int = 0


@frozen
class HandoutLink:
    """An address that shows one person's hand-out without a login.

    :ivar id: short and public: the beginning of the hash of its secret.
    :ivar user: login of whom it is about.
    :ivar by: the administrator who made it.
    :ivar once: the first browser in which the button is pressed has it alone, for a while.
    :ivar opened: when that was; 0 = not yet.
    :ivar browser: hash of what that browser was given.
    """

    id: str
    user: str
    by: str
    made: int
    expires: int
    once: bool = False
    opened: int = 0
    browser: str = ""
