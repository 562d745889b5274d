"""The nouns of the product: users, accounts, what is delivered where and why, what waits in the queue.

Times are microseconds since 1970-01-01 UTC as ``int``, sizes are octets, ids are the store's.
"""

from __future__ import annotations

from mailshare.core.values.administration import (
    Administrator,
    ApiToken,
    Caller,
    HandoutLink,
    Role,
    WebSession,
)
from mailshare.core.values.devices import (
    Capabilities,
    Certainty,
    DeviceJob,
    DeviceRef,
    PrinterState,
    PrinterStatus,
    PrinterTask,
)
from mailshare.core.values.documents import Conversion, DocumentFacts
from mailshare.core.values.people import (
    Account,
    AccountMode,
    Directory,
    PrinterPlace,
    SenderRule,
    Server,
    User,
    UserKind,
    Window,
)
from mailshare.core.values.print_sets import PrintSet, SetBounds, SetPart, SetState
from mailshare.core.values.printing import (
    Handed,
    PrintChange,
    PrintDocument,
    PrintJob,
    PrintMail,
    PrintMember,
    PrintNews,
    PrintState,
    PrintTicket,
)
from mailshare.core.values.queue import Outcome, QueueItem, QueueState
from mailshare.core.values.routing import (
    Event,
    Hop,
    LedgerKey,
    LedgerRow,
    LedgerState,
    Origin,
    Routing,
    Source,
    Step,
    StoredEvent,
    Target,
)
from mailshare.core.values.stored import DeliveryResult, Entry, MailboxCount, Receipt, SentMark, StoredMessage

SECOND = 1_000_000

__all__ = [
    "SECOND",
    "Account",
    "AccountMode",
    "Administrator",
    "ApiToken",
    "Caller",
    "Capabilities",
    "Certainty",
    "Conversion",
    "DeliveryResult",
    "DeviceJob",
    "DeviceRef",
    "Directory",
    "DocumentFacts",
    "Entry",
    "Event",
    "Handed",
    "HandoutLink",
    "Hop",
    "LedgerKey",
    "LedgerRow",
    "LedgerState",
    "MailboxCount",
    "Origin",
    "Outcome",
    "PrintChange",
    "PrintDocument",
    "PrintJob",
    "PrintMail",
    "PrintMember",
    "PrintNews",
    "PrintSet",
    "PrintState",
    "PrintTicket",
    "PrinterPlace",
    "PrinterState",
    "PrinterStatus",
    "PrinterTask",
    "QueueItem",
    "QueueState",
    "Receipt",
    "Role",
    "Routing",
    "SenderRule",
    "SentMark",
    "Server",
    "SetBounds",
    "SetPart",
    "SetState",
    "Source",
    "Step",
    "StoredEvent",
    "StoredMessage",
    "Target",
    "User",
    "UserKind",
    "WebSession",
    "Window",
]
