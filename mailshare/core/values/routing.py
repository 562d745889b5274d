"""Where a message came from, who gets it, and why; the events that tell of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import NamedTuple

from attrs import field, frozen


class Source(Enum):
    """Where a message came in."""

    SMTP = "smtp"
    COLLECT = "collect"
    FAX = "fax"
    PRINT = "print"
    WEB = "web"
    REPORT = "report"


# In Python 3.11 a member is looked up through its class in 170 ns, a name of a module in 10.
COLLECT, SMTP, REPORT = Source.COLLECT, Source.SMTP, Source.REPORT


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


@frozen(slots=False)  # for changed()
class Origin:
    """How a message came to the door.

    :ivar trace: 16 lower-case hex digits, unique for each message; what ``mailshare why`` is asked for.
    :ivar user_id: the local sender who logged in; ``None`` from outside.
    :ivar account_id: the account it was collected from.
    :ivar ledger: the collector's bookmark.
    :ivar ledger_state: the state that bookmark takes with the delivery.
    :ivar trusted: handed in from a configured network, so that forms used on the LAN only are accepted.
    :ivar key: by which a mailbox takes a message once (:func:`mailshare.core.duplicates.duplicate_key`), or empty.
    :ivar run: trace of the collection run that brought it.
    :ivar folder: the provider's folder that it lay in, when that is not the inbox.
    :ivar junk: that folder is the one for what the provider takes for junk.
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
    key: bytes = b""
    run: str = ""
    folder: str = ""
    junk: bool = False


@frozen(slots=False)  # made for each recipient: without slots in two thirds of the time
class Step:
    """One decision of the router, in words that ``mailshare why`` prints.

    :ivar code: the rule, stable and short: ``tag``, ``name-L1``, ``envelope``, ``ledger``, ``unknown-name``,
        ``public``, ``cc`` ...
    :ivar detail: the evidence, e.g. ``'To: "Andrew" <mail@company.example>'``; printable, at most 200 characters.
    """

    code: str
    detail: str = ""


@frozen(slots=False)  # made for each recipient: without slots in two thirds of the time
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


@frozen(slots=False)  # for derived()
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


_NOTHING: Mapping[str, object] = MappingProxyType({})


class Event(NamedTuple):  # made for each message: a class of attrs takes twice the time
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
    data: Mapping[str, object] = _NOTHING


class StoredEvent(NamedTuple):
    """An :class:`Event` as it lies in the log, for whoever copies many of them.

    :ivar id: its number there.
    :ivar data: JSON, with ``", "`` and ``": "`` between its parts and other characters than ASCII as they are.
    """

    id: int
    at: int
    kind: str
    trace: str
    account_id: int | None
    user_id: int | None
    message_id: int | None
    data: str
