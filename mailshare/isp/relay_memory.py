"""What sending through the provider has to remember beyond a restart: sizes, the day's count, and what ADMIN was told.

It lies among the store's settings, is read once when the server starts, and is written when it changes. Losing the last
change costs at most a mail too many to ADMIN, or a large message that is refused by the provider instead of here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from attrs import define, field
from twisted.logger import Logger

from mailshare.core.errors import MailshareError
from mailshare.core.provider_options import ProviderOptions
from mailshare.core.retry import DAY, MINUTE
from mailshare.core.values import SECOND, Account
from mailshare.core.ways_out import Way
from mailshare.interfaces import ISettings

SCOPE = "relay"
_SIZE_KEPT = 7 * DAY  # a size learned from a refusal; then one larger message may find out whether it still holds
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@define
class RelayMemory:
    """The remembered facts, by ``size:WAY``, ``day:ACCOUNT`` and ``told:WAY``.

    :ivar zone_of: the zone of an account's days.
    """

    settings: ISettings
    zone_of: Callable[[Account], tzinfo]
    facts: dict[str, Mapping[str, object]] = field(factory=dict)

    _log = Logger()

    async def load(self) -> None:
        """Read what was remembered before."""
        stored = await self.settings.all(SCOPE)
        self.facts = {name: value for name, value in stored.items() if isinstance(value, Mapping)}

    async def _put(self, name: str, value: Mapping[str, object]) -> None:
        if self.facts.get(name, {}) == value:
            return
        self.facts[name] = value
        try:
            await self.settings.put(SCOPE, name, dict(value))
        except MailshareError as fault:
            self._log.warn("{name} could not be remembered: {fault}", name=name, fault=fault.public)

    def _number(self, name: str, key: str) -> int:
        value = self.facts.get(name, {}).get(key, 0)
        return value if isinstance(value, int) else 0

    # ------------------------------------------------------------------ sizes

    async def offered(self, way: Way, limit: int) -> None:
        """The server named its limit at EHLO; 0 = it named none."""
        name = f"size:{way.name}"
        await self._put(name, {**self.facts.get(name, {}), "offered": limit})

    async def refused(self, way: Way, size: int, now: int) -> None:
        """The server refused a message of that size because of it."""
        name = f"size:{way.name}"
        known = self.facts.get(name, {})
        before = self._number(name, "refused") if now - self._number(name, "at") < _SIZE_KEPT else 0
        await self._put(name, {**known, "refused": min(before or size, size), "at": now})

    def largest(self, ways: Sequence[Way], now: int) -> int:
        """Octets of the largest message that one of the ways takes, 0 = at least one has no known limit."""
        limits = [self._limit(way, now) for way in ways]
        return 0 if not limits or 0 in limits else max(limits)

    def _limit(self, way: Way, now: int) -> int:
        name = f"size:{way.name}"
        known = [self._number(name, "offered"), int(way.server.options.get("limit", 0))]
        if now - self._number(name, "at") < _SIZE_KEPT:
            known.append(self._number(name, "refused") - 1)
        return min((each for each in known if each > 0), default=0)

    # ------------------------------------------------------------------ the day's count

    def allowed(self, account: Account, recipients: int, now: int) -> int:
        """How many of so many recipients one more message may have today."""
        options = ProviderOptions.of(account)
        messages, counted = self._today(account, now)
        if options.daily_messages and messages >= options.daily_messages:
            return 0
        return min(recipients, max(options.daily_cap - counted, 0)) if options.daily_cap else recipients

    async def count(self, account: Account, recipients: int, now: int) -> None:
        """Count a message before it is sent, so that a crash counts too much and never too little."""
        options = ProviderOptions.of(account)
        if options.daily_messages or options.daily_cap:
            messages, counted = self._today(account, now)
            day = self._day(account, now)
            value = {"day": day, "messages": messages + 1, "recipients": counted + recipients}
            await self._put(f"day:{account.id}", value)

    async def uncount(self, account: Account, recipients: int, *, whole: bool, now: int) -> None:
        """Take back recipients that the provider did not take, and the message when it took none."""
        if not recipients:
            return
        messages, counted = self._today(account, now)
        name = f"day:{account.id}"
        if name in self.facts and self.facts[name].get("day") == self._day(account, now):
            left = {"messages": max(messages - whole, 0), "recipients": max(counted - recipients, 0)}
            await self._put(name, {**self.facts[name], **left})

    def tomorrow(self, account: Account, now: int) -> int:
        """A minute past the next midnight of the account's zone, microseconds UTC."""
        zone = self.zone_of(account)
        day = datetime.fromtimestamp(now / SECOND, zone).date() + timedelta(days=1)
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
        return (midnight - _EPOCH) // timedelta(microseconds=1) + MINUTE

    def _today(self, account: Account, now: int) -> tuple[int, int]:
        name = f"day:{account.id}"
        if self.facts.get(name, {}).get("day") != self._day(account, now):
            return 0, 0
        return self._number(name, "messages"), self._number(name, "recipients")

    def _day(self, account: Account, now: int) -> str:
        return datetime.fromtimestamp(now / SECOND, self.zone_of(account)).date().isoformat()

    # ------------------------------------------------------------------ what ADMIN was told

    def told(self, way: Way) -> str:
        """What ADMIN was told of last, while it lasts."""
        return str(self.facts.get(f"told:{way.name}", {}).get("cause", ""))

    async def tell(self, way: Way, cause: str) -> None:
        """Remember that ADMIN was told; an empty cause = all is well again."""
        if cause or self.told(way):
            await self._put(f"told:{way.name}", {"cause": cause})
