"""A small office over any store: one account, two users, and the few acts that the store's tests need."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from attrs import frozen

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.personal import Quota
from mailshare.core.values import (
    Account,
    DeliveryResult,
    Event,
    Hop,
    LedgerKey,
    Origin,
    SentMark,
    Source,
    Target,
    User,
)
from mailshare.interfaces import IBody, IMaildrop, IStore

StoreFactory = Callable[[], IStore]
NOW = 1_800_000_000_000_000
SECOND = 1_000_000
DAY = 86_400 * SECOND
HEADER = b"From: Ann <ann@out.example>\r\nMessage-ID: <one@out.example>\r\nSubject: x\r\n\r\n"


@asynccontextmanager
async def opened(factory: StoreFactory) -> AsyncIterator[IStore]:
    """A store of that factory, open for the length of a ``with``."""
    store = factory()
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@frozen
class Office:
    """An open store with one account and two users, and the few acts that most tests need."""

    store: IStore
    account: Account
    andrew: User
    greg: User

    async def body(self, data: bytes) -> IBody:
        """Put octets in."""
        sink = self.store.new_body(len(data))
        for start in range(0, len(data), 50_000):
            wait = sink.write(data[start : start + 50_000])
            if wait is not None:
                await wait
        return await sink.finish()

    async def deliver(
        self,
        trace: str,
        users: Sequence[User],
        *,
        data: bytes = HEADER + b"hello\r\n",
        hops: Sequence[Hop] = (),
        events: Sequence[Event] = (),
        ledger: LedgerKey | None = None,
        prefix: bytes = b"",
        key: bytes = b"",
        at: int = NOW,
        sent: SentMark | None = None,
        hold: bool = False,
        bounds: Mapping[int, Quota] | None = None,
    ) -> DeliveryResult:
        """Deliver a small message."""
        return await self.store.delivery.deliver(
            Envelope(Address.parse("ann@out.example"), (Recipient(Address.parse("mail@office.example")),)),
            await self.body(data),
            Origin(Source.COLLECT, trace.rjust(16, "0"), account_id=self.account.id, ledger=ledger),
            [Target(user.id, "tag", prefix) for user in users],
            hops,
            events,
            at=at,
            duplicate_key=key,
            sent=sent,
            expires=at + 5 * DAY,
            hold=hold,
            bounds=bounds,
        )

    async def drop(self, user: User) -> IMaildrop:
        """Lock a user's mailbox."""
        return await self.store.mailboxes.lock_maildrop(user.id, "192.0.2.1")

    async def content(self, drop: IMaildrop, uid: int) -> bytes:
        """All octets of an entry."""
        return await whole(await drop.body(uid))

    def hop(self, address: str) -> Hop:
        """A queue row to be."""
        return Hop("relay", address, "outside", self.account.id, params={"notify": ["FAILURE"]})


async def whole(body: IBody) -> bytes:
    """All octets of a body."""
    pieces: list[bytes] = []
    while (position := sum(map(len, pieces))) < body.size:
        pieces.append(await body.read(position, 200_000))
        assert pieces[-1], "a body must not end before its size"
    return b"".join(pieces)


@asynccontextmanager
async def office(factory: StoreFactory) -> AsyncIterator[Office]:
    """An open store with people in it."""
    async with opened(factory) as store:
        account = await store.directory.add_account(Account(0, 0, Address.parse("mail@office.example")))
        andrew = await store.directory.add_user(User(0, "andrew", accounts=(account.id,)), password_hash="$a")
        greg = await store.directory.add_user(User(0, "greg", accounts=(account.id,), cc=(andrew.id,)))
        yield Office(store, account, andrew, greg)


def bookmark(account: Account, uidl: str, digest: bytes = b"d" * 32) -> LedgerKey:
    """A ledger key."""
    return LedgerKey(account.id, uidl, 100, digest)
