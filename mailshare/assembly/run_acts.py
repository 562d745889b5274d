"""Sending and receiving because somebody asks for it, and how far that has come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailshare.assembly.changes import Changes
from mailshare.assembly.run_recorder import RunRecorder
from mailshare.core.errors import MailshareError, Unavailable
from mailshare.core.values import Account
from mailshare.isp.flight import all_of

if TYPE_CHECKING:
    from mailshare.assembly.acts import Running

_MOST_WAIT = 600  # seconds
_Answer = Mapping[str, object]
_UNDER_WAY: _Answer = {
    "collected": {}, "messages": 0, "sent": {}, "error": "", "text": "under way", "running": True,
}  # fmt: skip


class RunActs(Changes):
    """Put together with a class that knows the running server.

    :ivar recorder: ``None`` where no server runs.
    """

    recorder: RunRecorder | None = None
    _running: Running | None
    _log = Logger()

    async def send_receive(
        self, *, account: str = "", wait: int | None = None, by: str = ""
    ) -> Mapping[str, _Answer]:
        """Collect and send now, for one account or for all beside each other.

        :param wait: the most seconds until the answer; a run that takes longer goes on, and is said to be ``running``.
        :param by: who asks.
        :returns: by address: ``collected``, ``messages``, ``sent``, ``error`` and ``text`` for a person.
        """
        if self._running is None:
            raise Unavailable("The server does not run; start it first")
        wanted = [self._account(account)] if account else [one for one in self._directory().accounts if one.enabled]
        runs = {str(one.address): Deferred.fromCoroutine(self._run_for(one, by)) for one in wanted}
        if wait is not None and self.recorder is not None:
            await _over(runs.values(), self.recorder, min(max(wait, 0), _MOST_WAIT))
            early = {address: run for address, run in runs.items() if not run.called}
            for run in early.values():
                run.addErrback(self._failed)
        else:
            early = {}
        done = [address for address in runs if address not in early]
        answers = dict(zip(done, await all_of([runs[address] for address in done]), strict=True))
        return {address: answers.get(address, _UNDER_WAY) for address in runs}

    async def _run_for(self, account: Account, by: str) -> _Answer:
        assert self._running is not None
        return await self._running.send_receive(account, by)

    def _failed(self, failure: Failure) -> None:
        """A run that nobody waits for ended badly; its steps say so."""
        if failure.check(CancelledError, MailshareError) is None:
            self._log.failure("A run that was asked for failed", failure=failure)

    async def runs(self, *, account: str = "") -> Sequence[Mapping[str, object]]:
        """The steps of the last run of each account that somebody asked for; of one that is under way, so far."""
        if self.recorder is None:
            return []
        wanted = [self._account(account)] if account else list(self._directory().accounts)
        found = [await self.recorder.run(one) for one in wanted]
        return [one for one in found if one is not None]


async def _over(runs: object, recorder: RunRecorder, seconds: float) -> None:
    """Wait until all are done, or for so long; nothing of them is cancelled."""
    over: Deferred[None] = Deferred()
    timer = recorder.reactor.callLater(seconds, over.callback, None)
    left = set(runs)  # type: ignore[call-overload]

    def done(result: object, run: Deferred[_Answer]) -> object:
        left.discard(run)
        if not left and not over.called:
            timer.cancel()
            over.callback(None)
        return result

    for run in tuple(left):
        run.addBoth(done, run)
    if left:
        await over
    elif timer.active():
        timer.cancel()
