"""Users and accounts, and the directory that has them all."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from attrs import field, frozen

from mailshare.core.address import Address
from mailshare.core.personal import FormerUser, Quota, Vacation


class UserKind(Enum):
    """What stands behind a local name."""

    PERSON = "person"
    ADMIN = "admin"
    PUBLIC = "public"
    PRINTER = "printer"
    FAX = "fax"


@frozen
class User:
    """A local login and its mailbox.

    :ivar name: login, unique, casefolded.
    :ivar names: further names that mail may be addressed to: full names and aliases, as written.
    :ivar accounts: ids of the accounts whose mail this user may get, the first is the one mail leaves by.
    :ivar cc: ids of users who get a copy of everything this user gets (one hop).
    :ivar local_only: may neither send to nor receive from outside.
    :ivar managed_by: ``"mailshare.toml:42"`` when declared in the configuration file, else empty.
    :ivar forward: addresses outside that get what this user gets.
    :ivar forward_keep: the mailbox keeps what was forwarded; else only what could not be.
    """

    id: int
    name: str
    kind: UserKind = UserKind.PERSON
    enabled: bool = True
    names: tuple[str, ...] = ()
    accounts: tuple[int, ...] = ()
    cc: tuple[int, ...] = ()
    local_only: bool = False
    managed_by: str = ""
    quota: Quota = field(factory=Quota)
    forward: tuple[Address, ...] = ()
    forward_keep: bool = True
    vacation: Vacation | None = None


class AccountMode(Enum):
    """How an upstream mailbox is shared."""

    REGULAR = "regular"  # one address, sorted by the name in front of it
    DOMAIN = "domain"  # a catch-all, sorted by local part


@frozen
class Server:
    """A server of the provider.

    :ivar protocol: ``"pop3"``, ``"imap"`` or ``"smtp"``.
    :ivar tls: ``"implicit"``, ``"starttls"`` or ``"none"``; there is no opportunistic mode.
    :ivar login: user name there; the account's address when empty.
    :ivar options: further settings from the URL's query, e.g. ``{"ca": "/etc/ca.pem"}``.
    """

    protocol: str
    host: str
    port: int
    tls: str = "implicit"
    login: str = ""
    options: Mapping[str, str] = field(factory=dict, hash=False)


@frozen
class Window:
    """One line of a timetable: on these days, between these hours, every so many minutes.

    :ivar days: weekdays, 0 = Monday.
    :ivar start: minutes after midnight, local time.
    :ivar end: minutes after midnight; equal to or before ``start`` means that the window spans midnight.
    :ivar every: minutes, >= 1.
    """

    days: frozenset[int] = frozenset(range(7))
    start: int = 0
    end: int = 24 * 60
    every: int = 5


@frozen(slots=False)  # for derived()
class Account:
    """An upstream mailbox at the provider.

    :ivar number: n of ADMINn and PUBLICn; 1, 2, 3 ... in the order of making.
    :ivar address: e.g. ``mail@company.example``; in domain mode the POP box's own address.
    :ivar domains: the account's own domains (domain mode), casefolded.
    :ivar aliases: other addresses that mean the same mailbox (regular mode).
    :ivar threshold: waiting outbox messages that start a send/receive; 0 = off.
    :ivar leave_days: days that collected mail stays at the provider; 0 = delete once stored, -1 = for ever.
    :ivar options: rarer settings, named as in the configuration file.
    :ivar found: what mailshare found out by itself, named as in ``options``, which always wins; and how sure it is.
    """

    id: int
    number: int
    address: Address
    mode: AccountMode = AccountMode.REGULAR
    enabled: bool = True
    domains: tuple[str, ...] = ()
    aliases: tuple[Address, ...] = ()
    tag_delimiter: str = "+"
    collect: Server | None = None
    relay: Server | None = None
    timetable: tuple[Window, ...] = (Window(),)
    zone: str = ""
    threshold: int = 1
    hold_outside: bool = False
    leave_days: int = 0
    ambiguous: str = "admin"
    options: Mapping[str, object] = field(factory=dict, hash=False)
    managed_by: str = ""
    found: Mapping[str, object] = field(factory=dict, hash=False, eq=False)

    @property
    def admin(self) -> str:
        """Login of the user who gets what nobody owns."""
        return f"admin{self.number}"

    @property
    def public(self) -> str:
        """Login of the name that means everybody."""
        return f"public{self.number}"


@frozen
class SenderRule:
    """A taught rule: mail of this kind on this account goes to these users (``rules of ADMIN``).

    :ivar kind: ``"list"`` (List-Id), ``"from"`` (sender's address) or ``"to"`` (an address or name written to).
    :ivar match: casefolded text to be equal to.
    """

    account_id: int
    kind: str
    match: str
    user_ids: tuple[int, ...]


@frozen
class PrinterPlace:
    """A printer of this office that prints what is mailed to it.

    :ivar addresses: that mail for it is written to; bare names are at this server.
    :ivar strangers: who does not log in may hand in mail for it, from any network.
    """

    name: str
    addresses: tuple[Address, ...]
    strangers: bool = False


@frozen(slots=False)  # for derived()
class Directory:
    """Everybody and every account at one instant. Routing is a pure function of this.

    Build it whole; it is replaced, never changed. Look-ups are derived once.

    :ivar hostname: the server's own name.
    :ivar instance: this office's random id, by which mail that left here is known when it comes back; empty in a
        directory that no store made.
    :ivar former: who was deleted within the last 30 days; they get no mail, but their names are known.
    :ivar printers: of the configuration file.
    """

    users: tuple[User, ...] = ()
    accounts: tuple[Account, ...] = ()
    rules: tuple[SenderRule, ...] = ()
    hostname: str = "localhost"
    version: int = 0
    instance: str = ""
    former: tuple[FormerUser, ...] = ()
    printers: tuple[PrinterPlace, ...] = ()
    user_by_id: Mapping[int, User] = field(init=False, eq=False, repr=False)
    user_by_name: Mapping[str, User] = field(init=False, eq=False, repr=False)
    account_by_id: Mapping[int, Account] = field(init=False, eq=False, repr=False)

    @user_by_id.default
    def _user_by_id(self) -> Mapping[int, User]:
        return {user.id: user for user in self.users}

    @user_by_name.default
    def _user_by_name(self) -> Mapping[str, User]:
        return {user.name.casefold(): user for user in self.users}

    @account_by_id.default
    def _account_by_id(self) -> Mapping[int, Account]:
        return {account.id: account for account in self.accounts}

    def members(self, account_id: int) -> tuple[User, ...]:
        """The persons who share an account, ADMINn and PUBLICn left out."""
        return tuple(u for u in self.users if account_id in u.accounts and u.kind is UserKind.PERSON)

    def admin_of(self, account: Account) -> User:
        """The user ADMINn of an account.

        :raises KeyError: when the directory was built without one, which the store never does.
        """
        return self.user_by_name[account.admin]
