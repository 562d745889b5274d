"""Every seam of mailshare. What a third party may replace is an interface here, and nothing else is.

Rules of this file: methods carry no ``self``; results are ``Awaitable`` so that both ``async def`` and functions that
return a Deferred satisfy them; a method without ``Awaitable`` is called on the reactor thread and must not wait.
Each interface has a contract test class in :mod:`mailshare.testing` that third parties run on their own providers.
Errors are those of :mod:`mailshare.core.errors`; anything else that escapes is treated as a program error.
"""

from __future__ import annotations

from array import array
from collections.abc import Awaitable, Callable, Mapping, Sequence

from zope.interface import Attribute, Interface

from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.headers import Headers
from mailshare.core.values import (
    Account,
    DeliveryResult,
    Directory,
    Entry,
    Event,
    Hop,
    LedgerKey,
    LedgerRow,
    LedgerState,
    MailboxCount,
    Origin,
    Outcome,
    QueueItem,
    Receipt,
    Routing,
    SenderRule,
    SentMark,
    StoredMessage,
    Target,
    User,
)

# --------------------------------------------------------------------------- bodies


class IBody(Interface):
    """A whole message, octets exactly as RETR sends them before dot-stuffing: CRLF line ends.

    Immutable. Reading never holds a transaction open, however slow the reader is.
    """

    size: int = Attribute("octets")
    header_length: int = Attribute("octets of the header block with its empty line; equal to size when there is none")
    digest: bytes = Attribute("SHA-256 of all octets, 32 bytes")
    content_digest: bytes = Attribute("SHA-256 of what follows the header block, without trailing white space")

    def header(limit: int = 262144) -> Awaitable[bytes]:
        """The header block, with the empty line; cut at ``limit`` octets."""

    def read(start: int, length: int) -> Awaitable[bytes]:
        """Octets from ``start``; fewer than ``length`` only at the end; never more than 256 KiB at once.

        :raises Unavailable: when the disk does not give them.
        """


class IBodySink(Interface):
    """Takes the octets of one message while they arrive."""

    size: int = Attribute("octets written so far")

    def write(data: bytes) -> Awaitable[None] | None:
        """Take some octets.

        :returns: ``None`` to go on; an awaitable when the disk is behind: write no more until it fires.
        :raises StorageFull: no room; call :meth:`abort`.
        """

    def finish() -> Awaitable[IBody]:
        """No more comes. The body of a file is on stable storage when this fires; a small one is in memory until its
        delivery commits. The sink is spent."""

    def abort() -> None:
        """Forget all of it. May be called at any time, also twice."""


# --------------------------------------------------------------------------- the store


class IDelivery(Interface):
    """The one transaction of the door (transaction 1 and 3 of the store's rules)."""

    def deliver(
        envelope: Envelope,
        body: IBody,
        origin: Origin,
        targets: Sequence[Target],
        hops: Sequence[Hop] = (),
        events: Sequence[Event] = (),
        *,
        at: int,
        duplicate_key: bytes = b"",
        sent: SentMark | None = None,
        expires: int = 0,
        hold: bool = False,
    ) -> Awaitable[DeliveryResult]:
        """Store message, entries, ledger row, queue rows and events, all or nothing; fires when durable.

        ``origin.ledger`` is inserted first; when that row exists nothing else is done and ``already`` is True.
        ``duplicate_key`` (32 bytes, empty = do not look) suppresses entries in mailboxes that met the key within
        14 days.
        ``steps`` of the routing travel as an event of kind ``route``.

        :param at: microseconds UTC, the time of reception.
        :param expires: when queue rows give up, microseconds UTC.
        :param hold: queue rows start as HELD.
        :raises StorageFull, StoreReadOnly: nothing was stored.
        """

    def refuse(
        key: LedgerKey, state: LedgerState, error: str, at: int, events: Sequence[Event] = ()
    ) -> Awaitable[None]:
        """Write a ledger row without a message (poison, skipped for size)."""


class IMaildrop(Interface):
    """One user's mailbox, held exclusively by one session (RFC 1939 section 4)."""

    count: int = Attribute("messages when it was locked")
    octets: int = Attribute("their octets, with the prefixes of the entries")

    def snapshot() -> Awaitable[tuple[array[int], array[int]]]:
        """``(uids, sizes)`` of those messages in the order of uids; kept for the life of the maildrop."""

    def uidl(uid: int) -> str:
        """The unique-id: 1 to 33 characters 0x21-0x7e, never reused (RFC 1939 section 7)."""

    def body(uid: int) -> Awaitable[IBody]:
        """The message with the entry's prefix in front.

        :raises Unavailable: it cannot be read now, or was taken away by an administrator.
        """

    def commit(deleted: Sequence[int], retrieved: Sequence[int] = ()) -> Awaitable[int]:
        """Delete these uids all together and mark those as retrieved, durable when it fires; keeps the lock.

        :returns: how many were deleted.
        """

    def release() -> None:
        """Give the lock back. Idempotent."""


class IMailboxes(Interface):
    """All local mailboxes."""

    def lock_maildrop(user_id: int, owner: str) -> Awaitable[IMaildrop]:
        """Take the exclusive lock.

        :param owner: who asks, for the log, e.g. the peer's address.
        :raises MailboxInUse: another session has it.
        """

    def counts() -> Awaitable[Sequence[MailboxCount]]:
        """Totals of all mailboxes."""

    def entries(user_id: int, *, before_uid: int | None = None, limit: int = 500) -> Awaitable[Sequence[Entry]]:
        """What lies in a mailbox, newest first; takes no lock."""

    def give(
        user_id: int, uid: int, targets: Sequence[Target], *, at: int, events: Sequence[Event] = ()
    ) -> Awaitable[Mapping[int, int]]:
        """Move an entry into other mailboxes, with its events, all or nothing; the body stays the one it is.

        A session that holds the mailbox finds the entry gone. A target that has the message already keeps the one it
        has.

        :returns: user id to uid of each new entry.
        :raises NoSuchEntry: it is not there, or not any more.
        :raises Unavailable: a target has no mailbox; nothing was changed.
        """


class ILedger(Interface):
    """The collector's memory of what it has met upstream."""

    def known(account_id: int) -> Awaitable[Mapping[str, LedgerRow]]:
        """All rows of an account by uidl."""

    def mark(account_id: int, uidls: Sequence[str], state: LedgerState, at: int) -> Awaitable[None]:
        """Change the state of rows, e.g. to ``GONE`` after QUIT's +OK."""

    def rekey(account_id: int, pairs: Mapping[str, str]) -> Awaitable[None]:
        """Rename uidls, old to new (the provider renumbered)."""

    def adopt(account_id: int, uids: Mapping[str, int], note: str) -> Awaitable[int]:
        """Take over what another program fetched: rows in state ``KEPT`` without size, digest and message.

        :param uids: unique-id to when it was first seen, microseconds UTC.
        :param note: stands in the rows' ``error``.
        :returns: how many were new; ids that have a row keep it.
        """

    def prune(account_id: int, listed: Sequence[str], before: int) -> Awaitable[int]:
        """Drop rows that a *complete* upstream listing lacks and that were first seen before that time."""


class IQueue(Interface):
    """The one queue: relay, fax and print are rows of the same kind."""

    def claim(
        agent: str, limit: int, now: int, lease: int, *, account_id: int | None = None, device: str | None = None
    ) -> Awaitable[Sequence[QueueItem]]:
        """Take due rows (``QUEUED`` and ``next_at <= now``, or a lease that ran out), oldest first.

        :param lease: microseconds; renew at half.
        """

    def renew(ids: Sequence[int], until: int) -> Awaitable[None]:
        """Keep rows claimed for longer."""

    def settle(outcomes: Sequence[Outcome], events: Sequence[Event] = ()) -> Awaitable[None]:
        """Write what became of rows, with one attempt row each, in one transaction."""

    def items(
        *,
        agent: str | None = None,
        account_id: int | None = None,
        message_id: int | None = None,
        open_only: bool = True,
        before_id: int | None = None,
        limit: int = 500,
    ) -> Awaitable[Sequence[QueueItem]]:
        """Rows for the outbox screen, newest first."""

    def item(item_id: int) -> Awaitable[QueueItem | None]:
        """One row."""

    def waiting(account_id: int | None = None, agent: str = "relay") -> Awaitable[int]:
        """Messages (submissions, not recipients) with rows that are queued or active."""

    def due(agent: str, now: int) -> Awaitable[Mapping[int, tuple[int, int]]]:
        """``account_id`` to (messages due now, earliest ``next_at`` of those not due or 0)."""

    def steer(ids: Sequence[int], act: str, at: int) -> Awaitable[int]:
        """``act``: ``"hold"``, ``"release"``, ``"retry"`` (now) or ``"cancel"``. Active rows are left alone.

        :returns: rows changed.
        """

    def attempts(item_id: int) -> Awaitable[Sequence[Mapping[str, object]]]:
        """Every try of a row: ``at, code, status, reply, detail``."""

    def body(message_id: int) -> Awaitable[IBody]:
        """The message that a row sends."""


class IDirectoryStore(Interface):
    """Users, accounts and rules: read as one frozen value, changed by calls that persist first."""

    def current() -> Directory:
        """The directory now. Cheap; a new value after each change."""

    def watch(changed: Callable[[Directory], None]) -> Callable[[], None]:
        """Be told of each new directory; the result ends that."""

    def add_user(
        user: User, *, password_hash: str = "", scram: str = "", declared: bool = False
    ) -> Awaitable[User]:
        """Make a user and its mailbox. ``user.id`` is ignored.

        :raises PolicyRefusal: the name is taken or reserved (``adminN``, ``publicN``).
        """

    def change_user(
        user: User, *, password_hash: str | None = None, scram: str | None = None, declared: bool = False
    ) -> Awaitable[User]:
        """Replace what is stored of ``user.id``; ``None`` leaves a credential as it is.

        :raises Declared: the user is declared in the configuration file, unless ``declared``.
        """

    def delete_user(user_id: int, *, declared: bool = False) -> Awaitable[None]:
        """Take a user away; the mailbox and its mail stay 30 days, cc references go at once.

        :raises PolicyRefusal: ADMINn and PUBLICn live with their account.
        """

    def restore_user(name: str) -> Awaitable[User]:
        """Bring back the user of that login who was deleted within the last 30 days, with mail, passwords and id.

        :raises NoSuchUser: there is none. :raises PolicyRefusal: somebody else has the name by now.
        """

    def add_account(account: Account, *, secret: str = "", declared: bool = False) -> Awaitable[Account]:
        """Make an account with its ADMINn and PUBLICn. ``id`` and ``number`` are ignored.

        :param secret: reference as in the configuration (JSON), or a sealed password.
        """

    def change_account(account: Account, *, secret: str | None = None, declared: bool = False) -> Awaitable[Account]:
        """Replace what is stored of ``account.id``.

        :raises Declared: as for users.
        """

    def delete_account(account_id: int, *, declared: bool = False) -> Awaitable[None]:
        """Take an account away with its ADMINn and PUBLICn; refused while mail of it waits in the outbox."""

    def teach(rule: SenderRule, events: Sequence[Event] = ()) -> Awaitable[None]:
        """Keep a sorting rule in place of the one with the same account, kind and match; without users forget it.

        :param events: written in the same transaction, so that no rule appears or goes in silence.
        """

    def learn(account_id: int, found: Mapping[str, object], events: Sequence[Event] = ()) -> Awaitable[None]:
        """Keep what was found out about an account's provider (:attr:`Account.found`) in place of what was known."""

    def credentials(name: str, *, disabled: bool = False) -> Awaitable[tuple[User, str, str] | None]:
        """``(user, argon2 hash, SCRAM verifier)`` of an enabled login, or ``None``.

        :param disabled: also of a disabled one; for what writes the store down, never for a login.

        The verifier is ``SCRAM-SHA-256$iterations:salt$stored:server`` with base64 parts, or empty.
        """

    def secret(account_id: int) -> Awaitable[str]:
        """The account's stored secret reference, or empty."""


class IEventLog(Interface):
    """The journal's rows."""

    def append(events: Sequence[Event]) -> Awaitable[None]:
        """Write events that belong to no other transaction."""

    def days(zone: str = "") -> Awaitable[Sequence[str]]:
        """Days that have events, ``YYYY-MM-DD``, oldest first."""

    def page(
        *, since: int, until: int, trace: str = "", kinds: Sequence[str] = (), after_id: int = 0, limit: int = 1000
    ) -> Awaitable[Sequence[tuple[int, Event]]]:
        """Events in ``[since, until)`` microseconds UTC in the order in which they were written, with their ids.

        Empty ``trace`` and ``kinds`` match all.
        """

    def traces(message_id: str) -> Awaitable[Sequence[str]]:
        """Traces of messages whose ``route`` line has this Message-ID, newest first, at most 100; the messages may be
        gone. Slow: looks at every line."""

    def newest() -> Awaitable[int]:
        """The greatest id that was ever given; ids grow for ever, also when the clock is set back. 0 = no event yet."""

    def after(number: int, limit: int = 1000) -> Awaitable[Sequence[tuple[int, Event]]]:
        """Events with a greater id, by id, whatever their time says."""

    def expire(before: int, *, audit_before: int | None = None) -> Awaitable[int]:
        """Delete older events, in slices. A report that is due and was not sent yet (``report.due`` without its
        ``report.sent``) is work and stays, as long as it may still be sent; so does ``public.sent`` for the hour in
        which it counts.

        :param audit_before: what administrators did (kinds that begin with ``admin.``) stays from this time on;
            ``None`` treats it as all the rest.
        """


class ISettings(Interface):
    """What the manager edits and is neither user nor account."""

    def get(scope: str, name: str) -> Awaitable[tuple[object, int] | None]:
        """(value, version), JSON values."""

    def put(scope: str, name: str, value: object, version: int | None = None) -> Awaitable[int]:
        """Write; with a version only when it is still that one.

        :raises PolicyRefusal: somebody else changed it meanwhile.
        """

    def all(scope: str) -> Awaitable[Mapping[str, object]]:
        """Every setting of a scope."""


class IMemory(Interface):
    """What the router asks of past mail; answered from the store's indexes."""

    def who_sent(message_ids: Sequence[str]) -> Awaitable[Mapping[str, SentMark]]:
        """Which of these Message-IDs are ours, and who sent them."""


class INotifier(Interface):
    """Wakes whoever waits for work; in the process, or between nodes."""

    def wake(queue: str) -> None:
        """Something is due in that queue."""

    def subscribe(queue: str, call: Callable[[], None]) -> Callable[[], None]:
        """Be called (on the reactor thread) after each wake; the result ends that."""


class IStore(Interface):
    """The only memory. Everything durable goes through here."""

    delivery: IDelivery = Attribute("IDelivery")
    mailboxes: IMailboxes = Attribute("IMailboxes")
    ledger: ILedger = Attribute("ILedger")
    queue: IQueue = Attribute("IQueue")
    directory: IDirectoryStore = Attribute("IDirectoryStore")
    events: IEventLog = Attribute("IEventLog")
    settings: ISettings = Attribute("ISettings")
    memory: IMemory = Attribute("IMemory")
    notifier: INotifier = Attribute("INotifier")
    capabilities: frozenset[str] = Attribute(
        "of transactional_ledger, single_instance, durable, shared, claims, notify"
    )

    def open() -> Awaitable[None]:
        """Make or migrate the schema, take the lock, load the directory.

        :raises Unavailable: another server has it open.
        """

    def close() -> Awaitable[None]:
        """Finish what is queued and let go. Idempotent."""

    def new_body(size_hint: int = 0) -> IBodySink:
        """A sink for one message.

        :raises StorageFull: less than twice ``size_hint`` and the reserve is free.
        """

    def message(message_id: int) -> Awaitable[tuple[IBody, str, int] | None]:
        """``(body, trace, received)`` of a stored message."""

    def find(trace_or_message_id: str) -> Awaitable[Sequence[tuple[int, str, str]]]:
        """``(message id, trace, Message-ID field)`` of stored messages with this trace or Message-ID."""

    def recent(limit: int, *, account_id: int | None = None) -> Awaitable[Sequence[StoredMessage]]:
        """The last messages stored and not dropped yet, newest first; reports of our own left out."""

    def collect_garbage(now: int) -> Awaitable[int]:
        """Drop messages that nothing refers to and files past their grace; returns how many."""

    def backup(directory: str) -> Awaitable[None]:
        """A consistent copy that :meth:`open` accepts, made while serving."""

    def verify(*, deep: bool = False) -> Awaitable[Sequence[str]]:
        """Problems found, in words; empty when sound. ``deep`` reads every body."""


# --------------------------------------------------------------------------- delivery


class IRouter(Interface):
    """Pure routing: no waiting, no state."""

    def route(
        envelope: Envelope,
        headers: Headers,
        origin: Origin,
        directory: Directory,
        known: Mapping[str, SentMark],
    ) -> Routing:
        """Who gets it and why. Never raises for what a message says.

        :param known: those Message-IDs of the message's References that are ours.
        """


class IIntake(Interface):
    """The one door."""

    def accept(envelope: Envelope, body: IBody, origin: Origin) -> Awaitable[Receipt]:
        """Route and store in one transaction; fires when durable.

        :raises PolicyRefusal: the router or a rule says no (SMTP: 550; a collector never gets this).
        :raises Unavailable: not now; nothing was stored.
        """


class IForecast(Interface):
    """Says whom the door would give a message to, without taking it."""

    def who_gets(envelope: Envelope, header: bytes, origin: Origin) -> Awaitable[Sequence[int]]:
        """Ids of the users in whose mailboxes a collected message with this header block would be put.

        :raises MailshareError: it cannot be said.
        """


class IAgent(Interface):
    """Hands on one kind of delivery."""

    name: str = Attribute("'relay', 'fax', 'print' ...")

    def deliver(
        batch: Sequence[QueueItem], progress: Callable[[int, Mapping[str, object]], None]
    ) -> Awaitable[Sequence[Outcome]]:
        """Try rows of one submission and one route; one outcome for each, in any order.

        Never raises for what the peer does: that is an outcome. ``progress(item id, JSON)`` keeps what a resume needs.
        :cancel: stops as soon as the peer allows; rows without outcome go back to the queue.
        """


class ILaned(IAgent):
    """An agent with several ways out that must not wait for one another."""

    def lane(item: QueueItem) -> str:
        """The way out that a row would take now. Rows of one lane are tried a few at a time, lanes beside each other;
        a batch of :meth:`IAgent.deliver` never spans two."""


# --------------------------------------------------------------------------- servers and avatars


class IMailboxOpener(Interface):
    """POP3 avatar: what a realm gives to somebody who logged in to read."""

    def open(owner: str) -> Awaitable[IMaildrop]:
        """Lock the maildrop.

        :raises MailboxInUse: -ERR [IN-USE].
        """


class ISession(Interface):
    """What an SMTP avatar may know of the session it serves."""

    peer: str = Attribute("address of the client, e.g. 192.0.2.7")
    helo: str = Attribute("what it called itself")
    secure: bool = Attribute("inside TLS")
    trusted: bool = Attribute("from a configured network")
    protocol: str = Attribute("SMTP, ESMTP, ESMTPS, ESMTPA, ESMTPSA, UTF8SMTP... (RFC 3848, RFC 6531)")


class ISubmission(Interface):
    """One message on its way in."""

    def write(data: bytes) -> Awaitable[None] | None:
        """Octets of the message: CRLF line ends, dots unstuffed; as :meth:`IBodySink.write`."""

    def finish() -> Awaitable[str]:
        """All is there: make it durable.

        :returns: what to call it in the 250 reply (its trace).
        :raises PolicyRefusal, Unavailable: becomes the reply to the final dot.
        """

    def abort() -> None:
        """The client left or sent something wrong. Idempotent."""


class ISubmitter(Interface):
    """SMTP avatar: what a realm gives to somebody who logged in, or to nobody (anonymous), to hand in mail."""

    def sender(envelope: Envelope, session: ISession) -> Awaitable[None]:
        """May this envelope's sender send? Raises the refusal."""

    def recipient(envelope: Envelope, recipient: Recipient, session: ISession) -> Awaitable[None]:
        """May this recipient be written to? Raises the refusal (550 5.1.1, 550 5.7.1 no relaying ...)."""

    def submit(envelope: Envelope, session: ISession) -> Awaitable[ISubmission]:
        """DATA or the first BDAT: give a place for the octets."""


class IAvatarAuthor(Interface):
    """Mix-in of avatars: who it is."""

    user_id: int | None = Attribute("directory id, None for nobody")
    name: str = Attribute("login name, empty for nobody")


class IGate(Interface):
    """Policy hooks of the SMTP server, asked before the avatar. All may raise a refusal; none gives permission."""

    def connect(session: ISession) -> Awaitable[None]:
        """Before the greeting."""

    def sender(envelope: Envelope, session: ISession, user: str) -> Awaitable[None]:
        """At MAIL FROM."""

    def recipient(envelope: Envelope, recipient: Recipient, session: ISession, user: str) -> Awaitable[None]:
        """At RCPT TO."""

    def data(envelope: Envelope, session: ISession, user: str) -> Awaitable[None]:
        """At DATA."""


class IVerifierSource(Interface):
    """What SCRAM needs to check somebody without knowing the password (RFC 5802 section 5)."""

    def verifier(name: str) -> Awaitable[str]:
        """``SCRAM-SHA-256$iterations:salt$stored:server``, base64 parts, for that login.

        Somebody with several passwords has several, one a line, with salt and count in common.
        Unknown names get a made-up one, the same each time, so that nobody can tell them from known ones.
        """


# --------------------------------------------------------------------------- the provider's side


class ISecrets(Interface):
    """Where passwords for the provider come from."""

    def password(account: Account, purpose: str) -> Awaitable[str]:
        """The password for ``"collect"`` or ``"relay"``. Asked for each session, so that a changed file is seen.

        :raises ConfigFault: the reference leads nowhere.
        """


class ITokenSource(Interface):
    """OAuth 2 towards the provider."""

    def token(account: Account, *, refresh: bool = False) -> Awaitable[str]:
        """A bearer token; a new one when ``refresh``.

        :raises LoginRefused: consent is needed again.
        """


class ICollecting(Interface):
    """Collects one account's mail."""

    def collect(account: Account) -> Awaitable[Mapping[str, int]]:
        """One session. Never raises for what the server does: that is in the status.

        :returns: user name to messages, as in "collected 3, andrew 1, greg 1, ADMIN1 1".
        """


class ISurroundings(Interface):
    """What :class:`IFactory` builds with."""

    reactor: object = Attribute("IReactorTCP, IReactorTime, ...")
    store: IStore = Attribute("IStore")
    hostname: str = Attribute("the server's name")
    data_directory: str = Attribute("where files may be kept")


class IFactory(Interface):
    """How configuration builds any replaceable part; found by entry points."""

    kind: str = Attribute("the word in the configuration file: kind = '...'")
    options: type = Attribute("an attrs class; unknown keys and bad values are reported with their line")

    def build(options: object, surroundings: ISurroundings) -> object:
        """Make it. Raises ConfigFault."""


