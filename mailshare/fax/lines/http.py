"""A line that is the account at a fax provider: what its API is asked, its description says.

A fax is handed over once. Our own reference goes with it and is on the disk before; when no answer comes, or the server
stops, the provider is asked for that reference. Where it cannot be asked, nobody knows what became of the fax, and that
is what the sender is told: it is never handed over a second time in silence.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from mailshare.core.fax_provider import (
    FAILED,
    OK,
    SENDING,
    WAITING,
    Provider,
    at,
    holds,
    id_at,
    number_at,
    text_at,
    words_of,
)
from mailshare.core.values.fax import FaxCapabilities, FaxCause, FaxJob, FaxOutcome
from mailshare.fax.lines.calling import Call, Calls
from mailshare.fax.lines.provider_requests import Answer, Asking, NoAnswerError, NotAskedError, told
from mailshare.interfaces import IFaxLine, IFaxPages, IFaxReceiver
from mailshare.wire.pdf_fax import write_pdf
from mailshare.wire.tiff_fax import read_tiff

_LOOKS = 4  # for a reference, before the provider is believed that it never took the fax
_BETWEEN = 10.0  # seconds between them
_UNKNOWN_AFTER = 5  # answers that there is no such fax, one after the other
_DOUBT = "It is not known whether the provider sent it, so it is not sent again by itself; ask the recipient"


class IArrivals(Protocol):
    """What fetches faxes that came in, and what hears the provider call."""

    def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """End."""

    def set_receiver(self, receiver: IFaxReceiver) -> None:
        """Who takes them."""


@implementer(IFaxLine)
class HttpLine:
    """Hands faxes over to a provider and looks what becomes of them.

    :param words: of this line, for requests.
    :param poll: seconds between two looks; 0 = as the description says.
    :param beside: fetching and hooks; they start and stop with the line.
    """

    trouble = ""
    _log = Logger()

    def __init__(
        self, name: str, provider: Provider, asking: Asking, clock: IReactorTime, *, channels: int = 1, poll: int = 0
    ) -> None:
        self.name = name
        self.capabilities = FaxCapabilities(
            receive=provider.inbox is not None,
            codings=(),
            max_pages=provider.most_pages,
            max_octets=provider.most_octets,
            reports_pages=False,
            reports_cost=bool(provider.seen.cost),
            subaddress="sub" in words_of(provider.send),
            steered=False,
        )
        self.beside: list[IArrivals] = []
        self._provider = provider
        self._asking = asking
        self._clock = clock
        self._channels = channels
        self._poll = float(poll or provider.poll)
        self._calls = Calls()
        self._faxes: dict[str, str] = {}
        self._sleeping: dict[str, Deferred[None]] = {}
        self._up = False

    def start(self) -> None:
        """Serve."""
        self._up = True
        for one in self.beside:
            one.start()

    async def stop(self) -> None:
        """Look no more. What was handed over is the provider's, and is looked for at the next start."""
        self._up = False
        for one in self.beside:
            await one.stop()
        await self._calls.end_all()

    def set_receiver(self, receiver: IFaxReceiver) -> None:
        """Who takes what came in."""
        for one in self.beside:
            one.set_receiver(receiver)

    def free_channels(self) -> int:
        """As many faxes as may be with the provider."""
        return max(self._channels - len(self._calls.by_id), 0) if self._up else 0

    def send(self, job: FaxJob, pages: IFaxPages) -> Call:
        """Hand it over."""
        return self._calls.begin(Call(job, lambda call: self._handed_over(call, pages)))

    def find(self, native: str, job: FaxJob) -> Call | None:
        """Look for a fax that was handed over, or was to be, before a restart."""
        kind, _, key = native.partition(" ")
        if kind == "id":
            return self._calls.begin(Call(job, lambda call: self._end_of(call, key, at_once=True), native))
        if kind == "ref":
            return self._calls.begin(Call(job, lambda call: self._looked_for(call, key), native))
        return None

    async def cancel(self, call_id: str) -> bool:
        """End it. Where the provider has it already and takes no cancelling, it may go out all the same."""
        fax = self._faxes.get(call_id)
        if fax is not None and self._up:
            await self._call_off(fax)
        return self._calls.cancel(call_id)

    def wake(self, fax: str) -> bool:
        """Look at a fax now; False when it is none of ours."""
        sleeping = self._sleeping.get(fax)
        if sleeping is not None and not sleeping.called:
            sleeping.cancel()
        return sleeping is not None

    # ------------------------------------------------------------------ out

    async def _handed_over(self, call: Call, pages: IFaxPages) -> FaxOutcome:
        job, provider = call.job, self._provider
        await deferLater(self._clock, 0.0)  # whoever observes the call is told of its beginning
        if provider.most_pages and job.total - job.first_page > provider.most_pages:
            return FaxOutcome(FaxCause.BAD_DOCUMENT, native=f"the provider takes at most {provider.most_pages} pages")
        document = await pages.document(job.first_page)
        if provider.document == "pdf":
            document = write_pdf([one.page for one in read_tiff(document) if one.page is not None])
        if provider.most_octets and len(document) > provider.most_octets:
            return FaxOutcome(FaxCause.BAD_DOCUMENT, native=f"the provider takes at most {provider.most_octets} octets")
        reference = provider.reference_of(job.id)
        await call.tell("dialing")
        await call.tell("submitted", native=f"ref {reference}")
        try:
            answer = await self._sent(_words_of(job, reference), document)
        except NotAskedError as fault:
            return FaxOutcome(FaxCause.LINE_DOWN, native=str(fault))
        except NoAnswerError:
            return await self._looked_for(call, reference)
        fax = self._id_in(answer) if answer.accepted(provider.send) else ""
        if fax:
            return await self._end_of(call, fax)
        if answer.undecided or (200 <= answer.code < 300 and not provider.send.accept):
            return await self._looked_for(call, reference)
        return self._refused(answer)

    async def _sent(self, words: Mapping[str, str], document: bytes) -> Answer:
        """Hand it over; who gives the call up meanwhile has the provider told when it has answered."""
        asked = Deferred.fromCoroutine(self._asking.ask(self._provider.send, words, document))
        heard: Deferred[Any] = Deferred()
        asked.addBoth(lambda result: None if heard.called else heard.callback(result))
        try:
            answer: Answer = await heard
        except CancelledError:
            late = Deferred.fromCoroutine(self._too_late(words))
            late.addErrback(lambda failure: self._log.failure("a fax could not be called off", failure=failure))
            raise
        return answer

    async def _too_late(self, words: Mapping[str, str]) -> None:
        """The call was given up while the fax was being handed over."""
        if not self._up:
            return  # the server stops; nobody gave the fax up
        await deferLater(self._clock, _BETWEEN)
        with contextlib.suppress(NotAskedError, NoAnswerError):
            fax, _ = await self._by_reference(words["reference"], words)
            if fax:
                await self._call_off(fax)

    def _id_in(self, answer: Answer) -> str:
        sent = self._provider.sent
        if sent.id.casefold().startswith("header "):
            return id_at({"place": answer.place.rstrip("/").rpartition("/")[2]}, "place", sent.after)
        return id_at(answer.value, sent.id, sent.after)

    def _refused(self, answer: Answer) -> FaxOutcome:
        """The provider did not take it, and says so."""
        words = f"The provider says: {told(answer, self._provider.sent.words)}"
        if answer.code in (408, 429, 503):
            return FaxOutcome(FaxCause.CONGESTION, native=words)
        if answer.code in (401, 402, 403, 404):
            return FaxOutcome(FaxCause.LINE_DOWN, native=words)
        if answer.code in (413, 415):
            return FaxOutcome(FaxCause.BAD_DOCUMENT, native=words)
        return FaxOutcome(FaxCause.REJECTED if answer.code >= 400 else FaxCause.CONGESTION, native=words)

    # ------------------------------------------------------------------ what becomes of it

    async def _looked_for(self, call: Call, reference: str) -> FaxOutcome:
        """Nobody here knows whether the provider has it: ask for our reference."""
        words = _words_of(call.job, reference)
        for turn in range(_LOOKS):
            if turn:
                await deferLater(self._clock, _BETWEEN)
            complete = False
            with contextlib.suppress(NotAskedError, NoAnswerError):
                fax, complete = await self._by_reference(reference, words)
                if fax:
                    return await self._end_of(call, fax, at_once=True)
        if complete:
            return FaxOutcome(FaxCause.LINE_DOWN, native="The provider did not take it")
        return FaxOutcome(FaxCause.TIMEOUT, end_sent=True, native=_DOUBT)

    async def _by_reference(self, reference: str, words: Mapping[str, str]) -> tuple[str, bool]:
        """The provider's id of a fax, or empty; and whether that proves that there is none."""
        finding = self._provider.find
        if finding is None:
            return "", False
        answer = await self._asking.ask(finding.ask, words)
        items = at(answer.value, finding.items)
        if not answer.accepted(finding.ask) or not isinstance(items, list):
            return "", False
        for item in items:
            if holds(item, finding.match, {"reference": reference}):
                return id_at(item, finding.id, finding.after), False
        return "", finding.complete

    async def _end_of(self, call: Call, fax: str, *, at_once: bool = False) -> FaxOutcome:
        """Look again and again until it is over."""
        await call.tell("submitted", native=f"id {fax}")
        self._faxes[call.id] = fax
        began, missing = self._clock.seconds(), 0
        try:
            while self._clock.seconds() - began < self._provider.patience and missing < _UNKNOWN_AFTER:
                if not at_once:
                    await self._pause(fax)
                at_once = False
                try:
                    answer = await self._asking.ask(self._provider.status, {"id": fax})
                except (NotAskedError, NoAnswerError):
                    continue  # it can be asked again; the fax goes on meanwhile
                missing = missing + 1 if answer.code in (404, 410) else 0
                if answer.accepted(self._provider.status):
                    outcome = self._read(answer.value, call.job)
                    if outcome is not None:
                        return outcome
                    await call.tell("answered" if self._state(answer.value) == SENDING else "ringing")
            return FaxOutcome(FaxCause.TIMEOUT, end_sent=True, native=_DOUBT)
        finally:
            self._faxes.pop(call.id, None)

    async def _pause(self, fax: str) -> None:
        """Wait for the next look, or until somebody wakes it."""
        sleeping = self._sleeping[fax] = deferLater(self._clock, self._poll)
        woken: Deferred[None] = Deferred()
        sleeping.addBoth(lambda _: None if woken.called else woken.callback(None))
        try:
            await woken
        finally:
            sleeping.cancel()
            self._sleeping.pop(fax, None)

    async def _call_off(self, fax: str) -> None:
        if self._provider.cancel is not None:
            with contextlib.suppress(NotAskedError, NoAnswerError):
                await self._asking.ask(self._provider.cancel, {"id": fax})

    def _state(self, value: Any) -> str:
        return self._provider.state(text_at(value, self._provider.seen.state))

    def _read(self, value: Any, job: FaxJob) -> FaxOutcome | None:
        """The outcome, when it is over."""
        seen, state, left = self._provider.seen, self._state(value), job.total - job.first_page
        if state in (WAITING, SENDING):
            return None
        counted = int(number_at(value, seen.pages))
        words = text_at(value, seen.words)
        if state == OK:
            cause, confirmed = FaxCause.OK, min(counted, left) if text_at(value, seen.pages) else left
        else:
            cause = self._provider.cause(text_at(value, seen.cause)) if state == FAILED else FaxCause(state)
            confirmed = min(counted, left - 1)  # something failed: the last page at least goes again
        if cause is FaxCause.CANCELLED:  # over there, and not by us: whoever did that does not want it called again
            cause = FaxCause.NOT_ALLOWED
        return FaxOutcome(
            cause,
            max(confirmed, 0),
            remote_id=text_at(value, seen.remote, 20),
            seconds=number_at(value, seen.seconds),
            native=f"The provider says: {words}" if words and cause is not FaxCause.OK else "",
            cost=number_at(value, seen.cost),
        )


def _words_of(job: FaxJob, reference: str) -> dict[str, str]:
    return {
        "number": job.number,
        "digits": job.number.removeprefix("+"),
        "dial": job.dial,
        "sub": job.subaddress,
        "reference": reference,
        "pages": str(job.total - job.first_page),
    }


