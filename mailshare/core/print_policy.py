"""Who may print by mail, and how much: pure rules over what a sender has proved.

Levels: 0 nothing was proved; 1 the address in ``From`` is on the list and the mail is its domain's; 2 a secret of the
printer was named; 3 a login here, or a signature with a key of the printer. A rule that does not fit fails closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo

from attrs import evolve, frozen

from mailshare.core.address import Address
from mailshare.core.values import Window

NOBODY = 9  # a level that no proof reaches


@frozen
class Proof:
    """What a sender has proved.

    :ivar level: 0 to 3; ``words`` how, for the journal and the sender.
    :ivar kid: the key that signed, or empty.
    :ivar mark: what the mail is known by, when its Message-ID could be another one and the proof still hold; or empty.
    """

    level: int = 0
    words: str = "nothing proves who sent it"
    kid: str = ""
    mark: str = ""


@frozen
class SenderPolicy:
    """What holds for some senders in place of the printer's own rules; ``None`` = as for all others.

    :ivar match: an address, ``@domain`` or ``*``.
    :ivar level: least proof; :data:`NOBODY` refuses them whatever they prove.
    """

    match: str
    level: int | None = None
    hold: bool | None = None
    pages_day: int | None = None
    pages_month: int | None = None


@frozen
class GuestPolicy:
    """What holds for whoever has proved nothing, where that is enough.

    :ivar pages_day: of one address; the least bound of all holds. 0 = no bound.
    """

    hold: bool = True
    pages_day: int = 10
    mono: bool = True


@frozen
class PrintPolicy:
    """Of one printer.

    :ivar level: least proof. :ivar allow: addresses, ``@domain`` or ``*`` that level 1 takes; none = nobody.
    :ivar senders: the first that fits holds.
    :ivar hold: jobs wait until somebody releases them.
    :ivar pages_day, pages_month: of one sender; 0 = no bound.
    :ivar hours: when it prints; none = always.
    :ivar authserv: names of servers whose ``Authentication-Results`` are believed.
    """

    level: int = 1
    allow: tuple[str, ...] = ()
    senders: tuple[SenderPolicy, ...] = ()
    guests: GuestPolicy = GuestPolicy()
    hold: bool = False
    pages_day: int = 0
    pages_month: int = 0
    hours: tuple[Window, ...] = ()
    authserv: tuple[str, ...] = ()


@frozen
class Verdict:
    """What a sender may do at a printer.

    :ivar allowed: False for a stranger; ``words`` says why.
    :ivar guest: what holds for guests holds.
    :ivar mono: only black is printed.
    """

    allowed: bool
    words: str = ""
    guest: bool = False
    hold: bool = False
    mono: bool = False
    pages_day: int = 0
    pages_month: int = 0


def fits(patterns: Iterable[str], address: Address) -> bool:
    """One of the patterns is the address, its ``@domain``, or ``*``."""
    local, domain = address.key
    own = {"*", f"@{domain}", f"*@{domain}", f"{local}@{domain}"}
    return any(pattern.casefold() in own for pattern in patterns)


def judged(policy: PrintPolicy, sender: Address | None, proof: Proof) -> Verdict:
    """May this sender print?

    :param sender: the one address in ``From``; ``None`` when there is not exactly one.
    """
    if sender is None:
        return Verdict(allowed=False, words="its From field does not name one sender")
    own = next((one for one in policy.senders if fits((one.match,), sender)), None)
    least = policy.level if own is None or own.level is None else own.level
    if proof.level < least:
        return Verdict(allowed=False, words=f"level {least} is asked for, and {proof.words}")
    verdict = Verdict(
        allowed=True, hold=policy.hold, pages_day=policy.pages_day, pages_month=policy.pages_month
    )
    if own is not None:
        verdict = evolve(
            verdict,
            hold=verdict.hold if own.hold is None else own.hold,
            pages_day=verdict.pages_day if own.pages_day is None else own.pages_day,
            pages_month=verdict.pages_month if own.pages_month is None else own.pages_month,
        )
    return verdict if proof.level else _as_guest(verdict, policy.guests)


def _as_guest(verdict: Verdict, guests: GuestPolicy) -> Verdict:
    bounds = [bound for bound in (verdict.pages_day, guests.pages_day) if bound]
    return evolve(
        verdict,
        guest=True,
        hold=verdict.hold or guests.hold,
        mono=guests.mono,
        pages_day=min(bounds, default=0),
    )


@frozen
class PagesPrinted:
    """How many pages a sender has had at a printer, by days ``2026-11-21``."""

    days: Mapping[str, int]

    def left(self, verdict: Verdict, day: str) -> int | None:
        """Pages that are left today; ``None`` = no bound."""
        month = sum(pages for one, pages in self.days.items() if one[:7] == day[:7])
        left = []
        if verdict.pages_day:
            left.append(verdict.pages_day - self.days.get(day, 0))
        if verdict.pages_month:
            left.append(verdict.pages_month - month)
        return max(0, min(left)) if left else None


def day_of(at: int, zone: tzinfo) -> str:
    """The day of an instant, ``2026-11-21``.

    :param at: microseconds UTC.
    """
    return datetime.fromtimestamp(at // 1_000_000, UTC).astimezone(zone).strftime("%Y-%m-%d")
