"""How strangers use the public names. Checked by mypy, never run: what mypy refuses here breaks their programs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope
from mailshare.core.errors import MailboxInUse, MailshareError, PolicyRefusal
from mailshare.core.headers import Headers
from mailshare.core.values import (
    Directory,
    Hop,
    Origin,
    Outcome,
    QueueItem,
    QueueState,
    Receipt,
    Routing,
    SentMark,
    Step,
    Target,
)
from mailshare.interfaces import IAgent, IBody, IIntake, IMailboxOpener, IMaildrop, INotifier, IRouter, IStore
from mailshare.pop3.factory import POP3Factory


@implementer(IMailboxOpener)
class CoroutineOpener:
    """An avatar may be written with ``async def``."""

    def __init__(self, maildrop: IMaildrop, *, taken: bool) -> None:
        self.maildrop = maildrop
        self.taken = taken

    async def open(self, owner: str) -> IMaildrop:
        if self.taken:
            raise MailboxInUse(f"taken when {owner} came")
        return self.maildrop


@implementer(IMailboxOpener)
class DeferredOpener:
    """It may as well return a Deferred."""

    def __init__(self, maildrop: IMaildrop) -> None:
        self.maildrop = maildrop

    def open(self, owner: str) -> Deferred[IMaildrop]:
        return succeed(self.maildrop)


@implementer(IRouter)
class EverythingTo:
    """A router is one pure method."""

    def __init__(self, user_id: int) -> None:
        self.user_id = user_id

    def route(
        self,
        envelope: Envelope,
        headers: Headers,
        origin: Origin,
        directory: Directory,
        known: Mapping[str, SentMark],
    ) -> Routing:
        if origin.trusted and envelope.recipients:
            hop = Hop("relay", "friend@outside.example", "envelope", account_id=1)
            return Routing(hops=(hop,), steps=(Step("envelope", "a friend"),))
        return Routing(targets=(Target(self.user_id, "always"),))


@implementer(IAgent)
class Shredder:
    """An agent answers for each row."""

    name = "shredder"

    async def deliver(self, batch: Sequence[QueueItem], progress: object) -> Sequence[Outcome]:
        return [Outcome(item.id, QueueState.DELIVERED, item.queued, 250, "2.0.0") for item in batch]


@implementer(INotifier)
class Silent:
    """What never waits has no Awaitable."""

    def wake(self, queue: str) -> None:
        return None

    def subscribe(self, queue: str, call: Callable[[], None]) -> Callable[[], None]:
        return call


async def look(store: IStore, intake: IIntake, envelope: Envelope, body: IBody, origin: Origin) -> str:
    """The store's facets and the door, from a coroutine."""
    receipt: Receipt = await intake.accept(envelope, body, origin)
    stored = await store.message(receipt.message_id)
    user = store.directory.current().user_by_name["andrew"]
    drop = await store.mailboxes.lock_maildrop(user.id, "a test")
    try:
        uids, sizes = await drop.snapshot()
        first: bytes = await (await drop.body(uids[0])).read(0, 100)
        await drop.commit([uids[0]] if sizes[0] > 0 else [])
    except MailshareError as error:
        return error.public if error.temporary else str(error.code)
    finally:
        drop.release()
    return f"{first!r} {stored is not None}"


def serve(portal: Portal, reactor: IReactorTime) -> POP3Factory:
    """A POP3 server over somebody's portal."""
    return POP3Factory(portal, reactor=reactor, hostname="mail.office.example", trusted_networks=["192.168.1.0/24"])


def refuse(address: Address) -> PolicyRefusal:
    """An error carries its reply."""
    return PolicyRefusal("You may not write there", code=550, enhanced=(5, 7, 1), detail={"address": str(address)})


def waits(store: IStore) -> Awaitable[None]:
    """Each waiting method can be handed on as an awaitable."""
    return store.open()
