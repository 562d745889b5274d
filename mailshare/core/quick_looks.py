"""Looks at the provider's mailbox between the runs of the timetable, while mail is likely or somebody waits for it.

Whoever asks a web site for a login code cannot wait for an interval of five minutes. Three things stir an account: mail
came, mail was sent, or a person looks for mail. Then follow a few looks, each twice as far from the one before, until
the interval is reached. They are paid from an allowance, of which the last part is kept for persons, so that neither a
busy mailbox nor restless mail programs make us a bad guest at the provider. docs/reference/timers.md tells the figures.

Times are microseconds UTC; nothing here reads a clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from enum import Enum

from attrs import evolve, frozen

from mailshare.core.schedule import inside, lasts
from mailshare.core.values import SECOND, Window

FLOOR = 30 * SECOND
"""No look is nearer to the last one, nor to the next run of the timetable."""
SHARE = 10
"""The first look comes a tenth of the interval after the last one."""
PATIENCE = 10
"""A run that took long is followed by no look before ten times its length."""
MOST = 24
"""Looks that the allowance holds when it is full."""
FOR_PERSONS = 12
"""The last so many of them are for persons who wait."""
REFILL = 600 * SECOND
"""One look more is allowed after each ten minutes: no day has more than 24 + 144."""

SAME_PROGRAM = 5 * SECOND
"""Logins nearer than this are one act of one program."""
ABSENCE = 3600 * SECOND
"""Who comes back after so long is a person, not a program's rhythm."""


class Stir(Enum):
    """Why mail may be near. The value is what the journal says."""

    FOUND = "mail came"
    SENT = "mail was sent"
    ASKED = "somebody looks for mail"


@frozen
class Looks:
    """An account's quick looks.

    :ivar stir: what keeps them going, ``None`` = nothing does.
    :ivar made: looks since the last stir.
    :ivar spent_until: the allowance is full again at this time (a virtual clock: each look moves it by ``REFILL``).
    """

    stir: Stir | None = None
    made: int = 0
    spent_until: int = 0

    def stirred(self, stir: Stir) -> Looks:
        """Begin anew."""
        return evolve(self, stir=stir, made=0)

    def paid(self, at: int) -> Looks:
        """A look was made at that time."""
        return evolve(self, made=self.made + 1, spent_until=max(self.spent_until, at) + REFILL)

    def allowed_from(self) -> int:
        """The first time at which the allowance has a look left."""
        usable = MOST if self.stir is Stir.ASKED else MOST - FOR_PERSONS
        return self.spent_until - (usable - 1) * REFILL


@frozen
class Pace:
    """How often the provider may be asked.

    :ivar least_gap: between two logins (its LOGIN-DELAY); 0 = it says nothing.
    :ivar rest_until: no look before; it has said that we come too often, or the last run failed.
    """

    least_gap: int = 0
    rest_until: int = 0


def next_look(
    looks: Looks,
    windows: Sequence[Window],
    zone: tzinfo,
    *,
    last: int,
    took: int,
    due: int | None,
    now: int,
    pace: Pace | None = None,
) -> int | None:
    """When to look before the timetable's next run.

    :param last: start of the last run or look, 0 = there was none.
    :param took: how long it took.
    :param due: the timetable's next run; a look never delays it.
    :param now: not before this.
    :returns: microseconds UTC, ``None`` = not before ``due``.
    """
    if looks.stir is None or not last or due is None:
        return None
    pace = pace or Pace()
    least = max(FLOOR, pace.least_gap)
    earliest = max(now, looks.allowed_from(), pace.rest_until, min(last, now) + max(least, PATIENCE * took))
    found = []
    for window in windows:
        interval = window.every * 60 * SECOND
        gap = max(interval // SHARE, FLOOR) << min(looks.made, 60)
        at = max(earliest, min(last, now) + gap)
        # A window shorter than its interval wants one run for each opening, and no more.
        if gap < interval <= lasts(window) and at + least <= due and inside([window], zone, at):
            found.append(at)
    return min(found, default=None)


@frozen
class Rhythm:
    """How often one mail program logs in, as far as it was seen.

    :ivar last: its last login, 0 = none was seen.
    :ivar usual: how far apart its logins are when nobody hurries it, 0 = not known.
    """

    last: int = 0
    usual: int = 0

    def login(self, now: int) -> tuple[Rhythm, bool]:
        """Another login.

        :returns: the rhythm with it, and whether a person seems to look for mail: sooner than the program does by
            itself, or for the first time in an hour. A program that was set to come more often is believed after some
            logins.
        """
        gap = now - self.last
        if not self.last or gap < 0:
            return evolve(self, last=now), False
        if gap < SAME_PROGRAM:
            return self, False
        if gap >= ABSENCE:
            return evolve(self, last=now), True
        hurried = 2 * gap < self.usual
        return Rhythm(now, max(gap, self.usual * 3 // 4) if hurried else gap), hurried
