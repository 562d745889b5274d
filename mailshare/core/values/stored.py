"""What the store answers: deliveries, mailboxes, messages."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from attrs import field, frozen

from mailshare.core.address import Address
from mailshare.core.values.routing import Routing, Source


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


class DeliveryResult(NamedTuple):  # made for each message: a class of attrs takes twice the time
    """What :meth:`mailshare.interfaces.IDelivery.deliver` did.

    :ivar message_id: 0 when nothing was stored because the ledger row existed already.
    :ivar uids: user id to the uid of the new entry.
    :ivar suppressed: user ids whose mailbox had this very message already.
    :ivar already: the ledger had it: an earlier run or another node delivered it.
    """

    message_id: int
    uids: Mapping[int, int] = MappingProxyType({})
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


class Receipt(NamedTuple):  # made for each message: a class of attrs takes twice the time
    """What the door says when everything is durable.

    :ivar suppressed: user ids whose mailbox had this very message already.
    """

    trace: str
    message_id: int
    routing: Routing
    already: bool = False
    suppressed: tuple[int, ...] = ()
