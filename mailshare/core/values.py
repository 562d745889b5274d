"""The nouns of the product: users, accounts, what is delivered where and why, what waits in the queue.

Times are microseconds since 1970-01-01 UTC as ``int``, sizes are octets, ids are the store's.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum

from attrs import Factory, field, frozen

from mailshare.core.address import Address
from mailshare.core.personal import FormerUser, Quota, Vacation

SECOND = 1_000_000


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


@frozen
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
class Directory:
    """Everybody and every account at one instant. Routing is a pure function of this.

    Build it whole; it is replaced, never changed. Look-ups are derived once.

    :ivar hostname: the server's own name.
    :ivar instance: this office's random id, by which mail that left here is known when it comes back; empty in a
        directory that no store made.
    :ivar former: who was deleted within the last 30 days; they get no mail, but their names are known.
    """

    users: tuple[User, ...] = ()
    accounts: tuple[Account, ...] = ()
    rules: tuple[SenderRule, ...] = ()
    hostname: str = "localhost"
    version: int = 0
    instance: str = ""
    former: tuple[FormerUser, ...] = ()
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


class Source(Enum):
    """Where a message came in."""

    SMTP = "smtp"
    COLLECT = "collect"
    FAX = "fax"
    PRINT = "print"
    WEB = "web"
    REPORT = "report"


@frozen
class LedgerKey:
    """The collector's bookmark for one upstream message, written in the transaction that stores the mail.

    :ivar uidl: the server's id, or our own digest key where the server has none.
    :ivar size: octets as listed upstream.
    :ivar digest: SHA-256 over the header bytes, so that a reused or renumbered id is noticed.
    """

    account_id: int
    uidl: str
    size: int
    digest: bytes


class LedgerState(IntEnum):
    """What became of one upstream message."""

    KEPT = 1  # stored here, left on the server for now
    DELETE = 2  # stored here, DELE wanted
    GONE = 3  # DELE confirmed by QUIT's +OK
    POISON = 4  # refused here; ADMIN was told
    SKIPPED = 5  # too large; ADMIN was told, may be fetched on request


@frozen
class LedgerRow:
    """One line of the fetch ledger."""

    key: LedgerKey
    state: LedgerState
    message_id: int | None
    first_seen: int
    attempts: int = 0
    error: str = ""


@frozen
class Origin:
    """How a message came to the door.

    :ivar trace: 16 lower-case hex digits, unique for each message; what ``mailshare why`` is asked for.
    :ivar user_id: the local sender who logged in; ``None`` from outside.
    :ivar account_id: the account it was collected from.
    :ivar ledger: the collector's bookmark.
    :ivar ledger_state: the state that bookmark takes with the delivery.
    :ivar trusted: handed in from a configured network, so that forms used on the LAN only are accepted.
    :ivar steps: what was decided and changed before the door, e.g. a From field made right; told before the router's.
    """

    source: Source
    trace: str
    user_id: int | None = None
    account_id: int | None = None
    peer: str = ""
    helo: str = ""
    secure: bool = False
    trusted: bool = False
    ledger: LedgerKey | None = None
    ledger_state: LedgerState = LedgerState.DELETE
    steps: tuple[Step, ...] = ()


@frozen
class Step:
    """One decision of the router, in words that ``mailshare why`` prints.

    :ivar code: the rule, stable and short: ``tag``, ``name-L1``, ``envelope``, ``ledger``, ``unknown-name``,
        ``public``, ``cc`` ...
    :ivar detail: the evidence, e.g. ``'To: "Andrew" <mail@company.example>'``; printable, at most 200 characters.
    """

    code: str
    detail: str = ""


@frozen
class Target:
    """A local mailbox that gets the message.

    :ivar reason: code of the deciding :class:`Step`.
    :ivar prefix: header lines of this copy alone (``Delivered-To``, ``X-Mailshare-Copy-For``), CRLF ended; it is stored
        with the mailbox entry, so that one body serves all.
    """

    user_id: int
    reason: str
    prefix: bytes = b""


@frozen
class Hop:
    """A queue row to be: one recipient, handed on by one agent.

    :ivar agent: ``"relay"``, ``"fax"``, ``"print"``.
    :ivar address: envelope recipient, number or printer.
    :ivar account_id: the account it leaves by.
    :ivar params: what the agent needs: ``notify``, ``orcpt`` ...; JSON values only.
    :ivar sender: envelope sender of this hop alone, ``<>`` for the null one; empty = the message's.
    """

    agent: str
    address: str
    reason: str
    account_id: int | None = None
    device: str = ""
    params: Mapping[str, object] = field(factory=dict, hash=False)
    sender: str = ""


@frozen
class Routing:
    """What the router says of one message.

    :ivar targets: local mailboxes, each user once.
    :ivar hops: queue rows.
    :ivar steps: the whole chain of decisions, in order.
    :ivar notes: texts to tell the local sender, e.g. that a name was not found.
    :ivar public: ``(account id, sender)`` of each mail to everybody that was let through, for the hourly count.
    :ivar came_back: it left this office before: forward nothing, copy nothing outside, let no machine answer.
    """

    targets: tuple[Target, ...] = ()
    hops: tuple[Hop, ...] = ()
    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()
    public: tuple[tuple[int, str], ...] = ()
    came_back: bool = False


@frozen
class Event:
    """One line of the journal.

    :ivar kind: dotted and stable: ``collect.stored``, ``relay.delivered``, ``pop3.session`` ...
    :ivar data: JSON values; addresses, sizes, codes; never subjects, bodies or secrets.
    """

    at: int
    kind: str
    trace: str = ""
    account_id: int | None = None
    user_id: int | None = None
    message_id: int | None = None
    data: Mapping[str, object] = field(factory=dict, hash=False)


class QueueState(IntEnum):
    """State of a queue row as stored. *Deferred* is ``QUEUED`` with ``attempts > 0``."""

    QUEUED = 0
    ACTIVE = 1
    DELIVERED = 2
    FAILED = 3
    EXPIRED = 4
    HELD = 5
    CANCELLED = 6

    def word(self, attempts: int = 0) -> str:
        """The state in the words of the outbox screen."""
        return "deferred" if self is QueueState.QUEUED and attempts else self.name.lower()


@frozen
class QueueItem:
    """A queue row with what an agent needs of its submission.

    :ivar id: of the row; ``submission_id`` groups the recipients of one message.
    :ivar next_at: not to be tried before.
    :ivar code: last reply code, 0 before the first; ``status`` enhanced code, ``reply`` the peer's text.
    """

    id: int
    submission_id: int
    message_id: int
    trace: str
    agent: str
    address: str
    sender: Address | None
    state: QueueState
    attempts: int
    next_at: int
    queued: int
    expires: int
    size: int
    account_id: int | None = None
    submitter_id: int | None = None
    device: str = ""
    code: int = 0
    status: str = ""
    reply: str = ""
    params: Mapping[str, object] = field(factory=dict, hash=False)
    progress: Mapping[str, object] = field(factory=dict, hash=False)

    @property
    def word(self) -> str:
        """The state in the words of the outbox screen: queued, deferred, active, held ..."""
        return self.state.word(self.attempts)


@frozen
class Outcome:
    """What one try of one queue row came to.

    :ivar state: ``DELIVERED``, ``FAILED``, ``EXPIRED``, ``HELD``, or ``QUEUED`` to be tried again at ``next_at``.
    :ivar counts: False when the try never reached the peer (route paused): attempts stay as they are.
    """

    item_id: int
    state: QueueState
    at: int
    code: int = 0
    status: str = ""
    reply: str = ""
    next_at: int = 0
    counts: bool = True
    detail: Mapping[str, object] = field(factory=dict, hash=False)
    progress: Mapping[str, object] | None = None


@frozen
class SentMark:
    """A Message-ID of ours and who sent it, so that answers and bounces find him (the reply ledger)."""

    message_id: str
    user_id: int
    account_id: int | None = None


@frozen
class MailboxCount:
    """Totals of one mailbox. ``unread`` are those that no POP3 session has retrieved yet."""

    user_id: int
    messages: int
    octets: int
    unread: int


@frozen
class DeliveryResult:
    """What :meth:`mailshare.interfaces.IDelivery.deliver` did.

    :ivar message_id: 0 when nothing was stored because the ledger row existed already.
    :ivar uids: user id to the uid of the new entry.
    :ivar suppressed: user ids whose mailbox had this very message already.
    :ivar already: the ledger had it: an earlier run or another node delivered it.
    """

    message_id: int
    uids: Mapping[int, int] = Factory(dict)
    suppressed: tuple[int, ...] = ()
    already: bool = False


@frozen
class StoredMessage:
    """What the store knows of a message besides its body.

    :ivar received: when it came to the door.
    :ivar sender: envelope sender; ``None`` for the null sender.
    :ivar user_id: the local sender who logged in; ``None`` from outside.
    :ivar recipients: envelope recipients, at most 50.
    :ivar fields: ``from``, ``subject`` and ``date`` as they stand in the header, unfolded and cut, nothing decoded.
    """

    id: int
    trace: str
    message_id: str
    size: int
    received: int
    source: Source
    account_id: int | None = None
    user_id: int | None = None
    sender: Address | None = None
    recipients: tuple[Address, ...] = ()
    peer: str = ""
    fields: Mapping[str, str] = field(factory=dict, hash=False)


@frozen
class Entry:
    """One message in one mailbox.

    :ivar size: octets, with the prefix.
    :ivar prefix: header lines of this copy alone.
    :ivar retrieved: a session has fetched it.
    """

    uid: int
    size: int
    message: StoredMessage
    prefix: bytes = b""
    retrieved: bool = False


@frozen
class Receipt:
    """What the door says when everything is durable.

    :ivar suppressed: user ids whose mailbox had this very message already.
    """

    trace: str
    message_id: int
    routing: Routing
    already: bool = False
    suppressed: tuple[int, ...] = ()


