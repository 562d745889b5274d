"""What calls to one number have taught, and with what settings the next one begins.

A machine that never gets through with error correction, or only slowly, is spared the same failures each time. What was
learned is forgotten after a while, so that a machine that was mended, or a line, gets another chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import asdict, evolve, frozen

from mailshare.core.fax_ledger import PageLedger
from mailshare.core.values.fax import FaxCause, FaxJob, FaxOutcome

RATES = (14_400, 9_600, 4_800)
"""Bits a second that a call is begun with at most, after no, one or more calls in which the machines did not agree."""
_KEPT = 60 * 86_400_000_000  # microseconds that a lower setting holds
_WITHOUT = 2  # calls of one fax that broke off with error correction, before one is made without
_ENOUGH = 4  # calls in one hour of the day, before it counts as a busy one


@frozen
class NumberProfile:
    """What is known of a number.

    :ivar max_rate: bits a second with which a call went well after faster ones had not; 0 = none had to be slower.
    :ivar ecm: False = a call went well without error correction after others with it had not.
    :ivar since: when the lower of these settings was learned, microseconds UTC.
    :ivar remote_id: how the machine called itself; ``rate`` of the last call that went well, ``line`` over which
        it went and ``at`` when.
    :ivar calls, busy: by hour of the day: how many calls there were, and how many of them found it busy.
    """

    max_rate: int = 0
    ecm: bool = True
    since: int = 0
    remote_id: str = ""
    rate: int = 0
    line: str = ""
    at: int = 0
    calls: tuple[int, ...] = (0,) * 24
    busy: tuple[int, ...] = (0,) * 24

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> NumberProfile:
        """Read what :meth:`as_json` wrote; unknown keys of a newer version are passed over."""
        known: dict[str, Any] = {name: value[name] for name in cls().as_json() if name in value}
        for name in ("calls", "busy"):
            known[name] = tuple(known.get(name, (0,) * 24))
        return cls(**known)

    def as_json(self) -> dict[str, object]:
        """JSON values."""
        return asdict(self)

    def settings(self, ledger: PageLedger, now: int) -> tuple[int, bool]:
        """The highest rate, and whether with error correction, of the next call for a fax.

        :param ledger: of that fax: what became of its calls so far.
        """
        fresh = now - self.since < _KEPT
        learned = RATES.index(self.max_rate) if fresh and self.max_rate in RATES else 0
        steps = max(learned, min(ledger.tries_of(FaxCause.CANNOT_TRAIN), len(RATES) - 1))
        broken = ledger.tries_of(FaxCause.DROPPED) + ledger.tries_of(FaxCause.PAGE_REFUSED)
        return RATES[steps], (self.ecm or not fresh) and broken < _WITHOUT

    @property
    def is_special(self) -> bool:
        """Whether calls to it have to begin slower, or without error correction."""
        return bool(self.max_rate) or not self.ecm

    def learned(
        self, job: FaxJob, outcome: FaxOutcome, line: str, *, hour: int, now: int, steered: bool = True
    ) -> NumberProfile:
        """With what a call came to.

        :param steered: the line began the call as the job says; else its end tells nothing of rate and correction.
        :param hour: of the day on the office's clock, in which it began.
        """
        told = self
        if outcome.cause not in (FaxCause.LINE_DOWN, FaxCause.NO_DIALTONE, FaxCause.CANCELLED):
            told = evolve(told, calls=_one_more(told.calls, hour))
        if outcome.cause is FaxCause.BUSY:
            return evolve(told, busy=_one_more(told.busy, hour))
        if outcome.cause is not FaxCause.OK or outcome.handed_on:
            return told
        slower, ecm = self.max_rate, self.ecm
        if steered:
            slower, ecm = job.max_rate if job.max_rate < RATES[0] else 0, job.ecm
        same = (slower, ecm) == (self.max_rate, self.ecm)
        return evolve(
            told,
            max_rate=slower,
            ecm=ecm,
            since=self.since if same else now,
            remote_id=outcome.remote_id or self.remote_id,
            rate=outcome.rate or self.rate,
            line=line,
            at=now,
        )

    def is_busy_at(self, hour: int) -> bool:
        """Whether the number was busy most times that it was called in this hour of the day."""
        return self.calls[hour] >= _ENOUGH and self.busy[hour] * 4 >= self.calls[hour] * 3


def _one_more(counts: tuple[int, ...], hour: int) -> tuple[int, ...]:
    return tuple(count + (index == hour % 24) for index, count in enumerate(counts))
