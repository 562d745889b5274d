"""What stirs the accounts, and the looks between the runs that follow from it: :mod:`mailshare.core.quick_looks`, kept.

Forgotten with a restart, which collects at once and gives each account a full allowance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import tzinfo

from attrs import evolve

from mailshare.core.provider_options import ProviderOptions
from mailshare.core.quick_looks import Looks, Pace, Rhythm, Stir, next_look
from mailshare.core.values import Account, Directory

_PROGRAMS = 4096  # mail programs whose rhythm is remembered, the oldest is forgotten first


class Stirring:
    """Remembers what happened to which account, and says when to look.

    :param directory: gives the directory of now.
    :param pace: account id to how often its provider may be asked.
    """

    def __init__(self, directory: Callable[[], Directory], pace: Callable[[int], Pace]) -> None:
        self._directory = directory
        self._pace = pace
        self._looks: dict[int, Looks] = {}
        self._rhythms: dict[tuple[str, str], Rhythm] = {}

    def stirred(self, account_id: int, stir: Stir) -> None:
        """Something happened."""
        self._looks[account_id] = self._of(account_id).stirred(stir)

    def login(self, user: str, peer: str, now: int) -> bool:
        """A mail program opened somebody's mailbox; tells whether that stirred an account.

        :param peer: where it runs: each of a user's machines has its own rhythm.
        """
        key = (user.casefold(), peer)
        rhythm, waits = self._rhythms.pop(key, Rhythm()).login(now)
        self._rhythms[key] = rhythm
        if len(self._rhythms) > _PROGRAMS:
            del self._rhythms[next(iter(self._rhythms))]
        accounts = tuple(self._accounts_of(user)) if waits else ()
        for account_id in accounts:
            self.stirred(account_id, Stir.ASKED)
        return bool(accounts)

    def _accounts_of(self, name: str) -> Iterator[int]:
        """Whose mail this user may be waiting for."""
        directory = self._directory()
        user = directory.user_by_name.get(name.casefold())
        for account in directory.accounts if user else ():
            if user and (account.id in user.accounts or user.name == account.admin):
                yield account.id

    def next_look(
        self, account: Account, zone: tzinfo, *, last: int, took: int, due: int | None, now: int
    ) -> int | None:
        """As :func:`mailshare.core.quick_looks.next_look`, if the account wants such looks.

        A line that costs by the minute (``hold_outside``) is never used more than the timetable says.
        """
        if account.collect is None or account.hold_outside or not ProviderOptions.of(account).look_sooner:
            return None
        return next_look(
            self._of(account.id), account.timetable, zone,
            last=last, took=took, due=due, now=now, pace=self._pace(account.id),
        )  # fmt: skip

    def looked(self, account_id: int, now: int) -> str:
        """A look begins; why, in words."""
        looks = self._of(account_id)
        self._looks[account_id] = looks.paid(now)
        return looks.stir.value if looks.stir is not None else ""

    def clock_jumped(self, jump: int) -> None:
        """Somebody set the clock: what was noted by the old one is moved along, by microseconds."""
        for account_id, looks in self._looks.items():
            self._looks[account_id] = evolve(looks, spent_until=looks.spent_until + jump)
        for key, rhythm in self._rhythms.items():
            self._rhythms[key] = evolve(rhythm, last=max(rhythm.last + jump, 1) if rhythm.last else 0)

    def _of(self, account_id: int) -> Looks:
        return self._looks.get(account_id, Looks())
