"""The page ledger of a fax that is being sent: which pages the far end has, over all calls.

It is written before a number is dialled and after each page that was confirmed, so that a stop of the server at any
moment neither loses a page nor sends one again that is known to have arrived.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import asdict, evolve, field, frozen

from mailshare.core.values.fax import FaxCause, FaxOutcome


@frozen
class PageLedger:
    """What is known of one fax to one number.

    :ivar began: when its first call began, microseconds UTC; the header line of its pages bears that time.
    :ivar confirmed: pages that the far end has confirmed, from the front.
    :ivar calling: a call is under way; found so at a start, its end is not known.
    :ivar last_begun: the last page was being sent when this was written.
    :ivar tries: calls so far; ``causes`` how many ended in which cause.
    :ivar shape: of the pages; confirmed ones count only while it stays the same.
    :ivar line, native: where a call is under way in a machine of its own, and its name there.
    :ivar handed_on: somebody else sees to it now; confirmed means no more than that.
    :ivar last: in which cause the last call ended; empty = none has.
    :ivar remote_id, rate: of the last call; ``seconds`` and ``cost`` of all of them together.
    """

    total: int = 0
    shape: str = ""
    line: str = ""
    native: str = ""
    began: int = 0
    confirmed: int = 0
    calling: bool = False
    last_begun: bool = False
    tries: int = 0
    causes: Mapping[str, int] = field(factory=dict, hash=False)
    last: str = ""
    remote_id: str = ""
    rate: int = 0
    ecm: bool = False
    seconds: float = 0.0
    cost: float = 0.0
    handed_on: bool = False

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> PageLedger:
        """Read what :meth:`as_json` wrote; unknown keys of a newer version are passed over."""
        known = {name: value[name] for name in cls().as_json() if name in value}
        return cls(**known)

    def as_json(self) -> dict[str, object]:
        """JSON values."""
        return asdict(self)

    def prepared(self, at: int, total: int, shape: str) -> PageLedger:
        """Before a call: a fax whose pages are others than before starts from the front."""
        same = (self.total, self.shape) == (total, shape)
        return evolve(
            self, total=total, shape=shape, began=self.began or at, confirmed=self.confirmed if same else 0
        )

    def anew(self, at: int) -> PageLedger:
        """Before a call that fetches: nobody knows how many pages there are, and every one is fetched."""
        return evolve(self, total=0, shape="", began=self.began or at, confirmed=0)

    def fetched(self) -> PageLedger:
        """All that the far machine had is here."""
        return evolve(self, total=self.confirmed)

    def dialled(self, line: str) -> PageLedger:
        """A call begins."""
        return evolve(
            self,
            line=line,
            native="",
            calling=True,
            last_begun=False,
            tries=self.tries + 1,
        )

    def submitted(self, native: str) -> PageLedger:
        """A line's own machine has the job now."""
        return evolve(self, native=native)

    def page_begun(self, page: int) -> PageLedger:
        """A page is being sent; only the last one is worth knowing of."""
        return evolve(self, last_begun=True) if page >= self.total - 1 else self

    def page_confirmed(self, page: int) -> PageLedger:
        """The far end has it, and all before it."""
        return evolve(self, confirmed=max(self.confirmed, page + 1), last_begun=False)

    def ended(self, outcome: FaxOutcome, first_page: int) -> PageLedger:
        """A call is over."""
        # Once the last page may be there nothing is dialled, also when a stop comes before the queue knows.
        doubt = outcome.end_sent and outcome.cause is not FaxCause.OK
        causes = {**self.causes, outcome.cause.value: self.causes.get(outcome.cause.value, 0) + 1}
        return evolve(
            self,
            confirmed=max(self.confirmed, first_page + outcome.pages_confirmed),
            calling=doubt,
            native="",
            last_begun=doubt,
            causes=causes,
            last=outcome.cause.value,
            remote_id=outcome.remote_id or self.remote_id,
            rate=outcome.rate or self.rate,
            ecm=outcome.ecm,
            seconds=self.seconds + outcome.seconds,
            cost=self.cost + outcome.cost,
            handed_on=outcome.handed_on,
        )

    def tries_of(self, cause: FaxCause) -> int:
        """Calls that ended so."""
        return self.causes.get(cause.value, 0)

    @property
    def last_cause(self) -> FaxCause | None:
        """In what the last call ended; ``None`` before the first, or when nothing was wrong with it."""
        return FaxCause(self.last) if self.last not in ("", FaxCause.OK.value, FaxCause.CANCELLED.value) else None

    @property
    def whole(self) -> bool:
        """The far end has every page."""
        return 0 < self.total <= self.confirmed

    @property
    def in_doubt(self) -> bool:
        """A stop of the server came while the last page was on its way: the far end may have all of it."""
        return self.calling and self.last_begun
