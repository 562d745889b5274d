"""Messages that stay at the provider because they are too large or cannot be had, and who is told of them.

Whoever would have got a message that is too large hears of it, and how to get it all the same. What could not be
fetched in three runs is left alone, counted in the ledger, so that neither a restart nor the other mail suffers by it.
"""

from __future__ import annotations

from attrs import define, field
from twisted.logger import Logger

from mailshare.core.bounds import BOUNDS
from mailshare.core.envelope import Envelope
from mailshare.core.errors import MailshareError
from mailshare.core.headers import Headers
from mailshare.core.values import (
    SECOND,
    Account,
    Event,
    LedgerKey,
    LedgerRow,
    LedgerState,
    Origin,
    Source,
    UserKind,
)
from mailshare.interfaces import IForecast, IIntake, IStore
from mailshare.isp.listing import HeaderReader, Upstream, left_id
from mailshare.isp.notices import Notices
from mailshare.isp.provider_session import ProviderSession
from mailshare.isp.sign_on import Doors
from mailshare.isp.wanted import Wanted

_DELIVERED = (LedgerState.KEPT, LedgerState.DELETE, LedgerState.GONE)


@define
class LeftBehind:
    """Writes down what is left, and tells people.

    :ivar failures: of messages whose ledger row says that they were delivered; the others are counted there.
    :ivar run: trace of the run.
    """

    account: Account
    store: IStore
    intake: IIntake
    doors: Doors
    notices: Notices
    wanted: Wanted
    failures: dict[str, int] = field(factory=dict)
    run: str = ""
    _log = Logger()

    async def too_large(self, session: ProviderSession, message: Upstream, limit: int) -> None:
        """Leave a message that is larger than we take unasked."""
        if not message.name:
            return
        header = await self._header(session, message)
        message.digest = message.digest or (header.digest if header.octets else b"")
        why = f"It has {message.size} octets; the limit is {limit}"
        trace = left_id(self.account.id, message.name)
        await self._write(message, LedgerState.SKIPPED, why, trace)
        await self.notices.tell(
            self.account,
            f"message {message.name}",
            f"A message to {self.account.address} is too large and was left at the provider",
            f"{why}.\r\n\r\n{_about(header.octets)}Its unique-id there: {message.name[:100]}\r\n\r\n"
            f"To get it all the same, ask your administrator for: mailshare fetch {trace}",
            user_ids=() if message.junk else await self._readers(header, trace),
        )

    async def not_fetched(self, message: Upstream, row: LedgerRow | None, why: str) -> bool:
        """One more run in which a message did not come; after the last it is left alone.

        :returns: whether it was given up now.
        """
        if not message.name:
            return False
        if row is not None and row.state in _DELIVERED and row.key.size in (0, message.size):
            # It waits for deletion, or its id was given out again: the row must go on saying so.
            times = self.failures[message.name] = self.failures.get(message.name, 0) + 1
            if times == BOUNDS.fetch_tries:
                await self._tell_stuck(message, why, left_id(self.account.id, message.name))
            return times == BOUNDS.fetch_tries
        before = row.attempts if row is not None and row.state is LedgerState.POISON else 0
        trace = left_id(self.account.id, message.name)
        given_up = before + 1 >= BOUNDS.fetch_tries
        await self._write(message, LedgerState.POISON, why, trace if given_up else "")
        if given_up:
            await self._tell_stuck(message, why, trace)
        return given_up

    async def tell_unsorted(self, origin: Origin, why: str) -> None:
        """Say that a message came, could not be sorted, and lies with ADMIN as it is."""
        await self.notices.tell(
            self.account,
            f"unsorted {origin.trace}",
            f"A message to {self.account.address} could not be sorted",
            f"{why}.\r\n\r\nIt lies in this mailbox as it came, and is not fetched again. "
            f"What was tried: mailshare why {origin.trace}",
        )

    async def forget_wish(self, message: Upstream) -> None:
        """It was asked for and cannot be had: who wants it asks again."""
        try:
            await self.wanted.drop(self.account.id, (message.name,))
        except MailshareError as fault:
            self._log.warn("a wish could not be taken back: {fault}", fault=fault.public)

    async def _tell_stuck(self, message: Upstream, why: str, trace: str) -> None:
        await self.notices.tell(
            self.account,
            f"message {message.name}",
            f"A message of {self.account.address} was left at the provider",
            f"{why}.\r\n\r\nIt was tried in {BOUNDS.fetch_tries} runs. "
            f"Its unique-id there: {message.name[:100]}\r\n\r\nTo try it once more: mailshare fetch {trace}",
        )

    async def _write(self, message: Upstream, state: LedgerState, why: str, trace: str) -> None:
        """The ledger row, with a line in the journal that ``mailshare fetch`` finds by its trace."""
        key = LedgerKey(self.account.id, message.name, message.size, message.digest)
        now = int(self.doors.reactor.seconds() * SECOND)
        kind = "collect.skipped" if state is LedgerState.SKIPPED else "collect.poison"
        data = {"uidl": message.name[:300], "reason": why[:300], "size": message.size, "run": self.run}
        events = [Event(now, kind, trace, self.account.id, data=data)] if trace else []
        await self.store.delivery.refuse(key, state, why[:300], now, events)

    async def _header(self, session: ProviderSession, message: Upstream) -> HeaderReader:
        header = HeaderReader()
        if session.lost or not session.gives_headers:
            return header
        return header if await session.header(message, header.feed) else HeaderReader()

    async def _readers(self, header: HeaderReader, trace: str) -> tuple[int, ...]:
        """Ids of the persons whom the router would give it to; empty means ADMIN."""
        if not header.octets or not IForecast.providedBy(self.intake):
            return ()
        forecast: IForecast = self.intake
        origin = Origin(Source.COLLECT, trace, account_id=self.account.id)
        try:
            found = await forecast.who_gets(Envelope(None), header.octets + b"\r\n", origin)
        except MailshareError as fault:
            self._log.warn("nobody was found for a message left behind: {fault}", fault=fault.public)
            return ()
        users = self.store.directory.current().user_by_id
        return tuple(one for one in found if one in users and users[one].kind is UserKind.PERSON)


def _about(header: bytes) -> str:
    """The lines by which a person knows a message, from its header block; nothing when there is none."""
    headers = Headers.parse(header + b"\r\n")
    lines = []
    for name in ("From", "Date", "Subject"):
        text = " ".join(headers.text(name).split())
        shown = "".join(char for char in text if char.isprintable())[:200]
        if shown:
            lines.append(f"{name}: {shown}\r\n")
    return "".join(lines) + ("\r\n" if lines else "")
