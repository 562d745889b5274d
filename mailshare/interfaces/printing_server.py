"""What a printing server keeps of jobs that come by mail, before and after they are print jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence

from zope.interface import Interface

from mailshare.core.values import (
    Event,
    PrintDocument,
    PrintJob,
    PrintSet,
    PrintTicket,
    SetBounds,
    SetPart,
    SetState,
)
from mailshare.interfaces.bodies import IBody

_NO_BOUNDS = SetBounds()


class IPrintSets(Interface):
    """Jobs by what their senders call them. Every method that writes fires when it is durable.

    The stored mails that hold the parts of a set are kept as long as it is being collected.
    """

    def find(key: str) -> Awaitable[PrintSet | None]:
        """The set of that identity, also one that is over."""

    def open(new: PrintSet, bounds: SetBounds, events: Sequence[Event] = ()) -> Awaitable[PrintSet]:
        """Begin to collect; a set with that key that is there already is given instead.

        :raises PolicyRefusal: the sender, or all senders of the printer, have as much under way as they may.
        """

    def add(
        set_id: int,
        number: int,
        part: SetPart,
        at: int,
        events: Sequence[Event] = (),
        bounds: SetBounds = _NO_BOUNDS,
    ) -> Awaitable[PrintSet]:
        """A part has come. One that is there already, or a set that is over, stays as it is.

        :param bounds: for a set that did not announce its octets.
        :raises PolicyRefusal: with it, the sender or all senders of the printer have more under way than they may.
        """

    def asked(set_id: int, at: int, events: Sequence[Event] = ()) -> Awaitable[PrintSet]:
        """Missing parts were asked for once more."""

    def collecting() -> Awaitable[Sequence[PrintSet]]:
        """The sets that are being collected."""

    def take(
        one: PrintSet,
        ticket: PrintTicket,
        documents: Sequence[tuple[PrintDocument, IBody]],
        at: int,
        *,
        held: bool = False,
        day: str = "",
        events: Sequence[Event] = (),
    ) -> Awaitable[PrintJob | None]:
        """Make a print job of a set, in one transaction; ``None`` when that was done before, or it has ended.

        :param one: a set without ``id`` is new: a job that came whole.
        :param ticket: its ``mail.pages`` count against the sender's bounds of that printer and ``day``, ``2026-11-21``.
        """

    def end(one: PrintSet, at: int, words: str, events: Sequence[Event] = ()) -> Awaitable[None]:
        """It will never be a job, or the job that it is has come to its end. A new set is kept as ended."""

    def pages(printer: str, sender: str) -> Awaitable[Mapping[str, int]]:
        """Pages of a sender's jobs at a printer, by days, of this month and the one before."""

    def forget(before: int) -> Awaitable[int]:
        """Let go of what ended before that time; returns how many."""

    def count(state: SetState) -> Awaitable[int]:
        """How many sets there are in a state."""
