"""What every kind of line needs for a call that goes out: its end, and those who look on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from zope.interface import implementer

from mailshare.core.values.fax import CallEvent, FaxCause, FaxJob, FaxOutcome
from mailshare.interfaces import IFaxCall

Observer = Callable[[CallEvent], Awaitable[None] | None]


@implementer(IFaxCall)
class Call:
    """A call that a coroutine makes.

    :param forget: takes away what tells of the end of the call, once that is written down.
    :param work: makes the call: gets this object, gives the outcome. It begins in :meth:`begin`.
    :ivar confirmed: pages that the far end has, counted from the job's first.
    :ivar native: what a machine of the line's own calls the job, once it has it.
    """

    _log = Logger()

    def __init__(
        self,
        job: FaxJob,
        work: Callable[[Call], Coroutine[Any, Any, FaxOutcome]],
        native: str = "",
        forget: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.id = job.id
        self.job = job
        self.confirmed = 0
        self.cancelled = False
        self.native = native
        self._forget = forget
        self._work = work
        self._observers: list[Observer] = []
        self._waiters: list[Deferred[FaxOutcome]] = []
        self._outcome: FaxOutcome | None = None
        self._running: Deferred[FaxOutcome] | None = None

    def observe(self, call: Observer) -> None:
        """Be told of what happens."""
        self._observers.append(call)

    async def tell(self, kind: str, page: int = -1, **facts: object) -> None:
        """Tell everybody, and wait until all of them have written it down."""
        if kind == "page":
            self.confirmed = page + 1 - self.job.first_page
        elif kind == "submitted":
            self.native = str(facts["native"])
        for call in tuple(self._observers):
            result = call(CallEvent(kind, page, facts))
            if result is not None:
                await result

    def begin(self) -> Deferred[FaxOutcome]:
        """Make the call; fires with its end, whatever that is."""
        self._running = Deferred.fromCoroutine(self._work(self))
        self._running.addErrback(self._failed)
        self._running.addCallback(self._ended)
        return self._running

    def cancel(self) -> bool:
        """End it; False when it is over."""
        if self._outcome is not None:
            return False
        self.cancelled = True
        if self._running is not None:
            self._running.cancel()
        return True

    def leave(self) -> None:
        """Look no longer; a machine that has the job goes on with it."""
        if self._outcome is None and self._running is not None:
            self.cancelled = not self.native
            self._running.cancel()

    async def settled(self) -> None:
        """What it came to is written down."""
        if self._forget is not None:
            await self._forget()

    def when_done(self) -> Deferred[FaxOutcome]:
        """What it came to. Cancelling the result ends nothing but the waiting."""
        waiter: Deferred[FaxOutcome] = Deferred()
        if self._outcome is not None:
            waiter.callback(self._outcome)
        else:
            self._waiters.append(waiter)
        return waiter

    def _failed(self, failure: Any) -> FaxOutcome:
        if failure.check(CancelledError) and (self.cancelled or self.native):
            return FaxOutcome(FaxCause.CANCELLED, self.confirmed, left=not self.cancelled)
        self._log.failure("the call {call} failed", failure=failure, call=self.id)
        # What a machine of the line's own has by then may go out all the same: it is never sent again in silence.
        return FaxOutcome(
            FaxCause.INTERNAL, self.confirmed, end_sent=bool(self.native), native=failure.type.__name__
        )

    def _ended(self, outcome: FaxOutcome) -> FaxOutcome:
        self._outcome = outcome
        waiters, self._waiters = self._waiters, []
        for each in waiters:
            if not each.called:
                each.callback(outcome)
        return outcome


class Calls:
    """The calls of one line that are under way."""

    def __init__(self) -> None:
        self.by_id: dict[str, Call] = {}

    def begin(self, call: Call) -> Call:
        """Make it, and forget it when it is over."""
        self.by_id[call.id] = call
        call.begin().addBoth(lambda _: self.by_id.pop(call.id, None))
        return call

    def cancel(self, call_id: str) -> bool:
        """End one; False when there is none."""
        call = self.by_id.get(call_id)
        return call is not None and call.cancel()

    async def end_all(self) -> None:
        """End all of them, and wait; those that a machine of the line's own has are only left."""
        calls = list(self.by_id.values())
        for each in calls:
            each.leave()
        for each in calls:
            await each.when_done()
