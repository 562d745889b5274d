"""The queues that programs print to: what they are, how they stand, and the way a job takes into the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from mailshare.core.errors import MailshareError, NoSuchJob
from mailshare.core.print_faults import of_the_printer
from mailshare.core.print_options import effective
from mailshare.core.values import PrintChange, PrintDocument, PrinterState, PrintJob, PrintState, PrintTicket
from mailshare.interfaces import IStore
from mailshare.printing.board import Board
from mailshare.printing.conditions import Conditions
from mailshare.printing.destinations import Destination, PrintRules, by_name, uuid_of
from mailshare.printing.documents import DocumentIntake, FormatRefused, Said
from mailshare.printing.kept_subscriptions import KeptSubscriptions
from mailshare.printing.local_printer import LocalPrinter
from mailshare.printing.queue_state import SETTINGS, QueueState, QueueStates
from mailshare.printing.subscriptions import Subscriptions
from mailshare.wire.ipp_printer import Described, operation_numbers

SECOND = 1_000_000
Note = Callable[[str, str, Mapping[str, object]], None]
_NOTHING_SAID = Said()
_SILENCE = 8 * 86_400 * SECOND  # longer than any printing server keeps a job
_FORGOTTEN = PrintChange(
    state=PrintState.ABORTED,
    reasons=("aborted-by-system",),
    message="Nobody has reported what became of it",
    certainty="unknown",
)
_LOOK = 60  # seconds between two looks for what is old or left open


class PrintService:
    """All queues of an office, for every protocol by which jobs come in.

    :param note: writes a line of the journal that belongs to no transaction, from kind, user and data.
    :ivar token: gives that many random octets.
    :ivar destinations: by name, in the order of the configuration.
    :ivar printers: those of this office that print what comes by mail, by name; they are no queues for programs.
    :ivar conditions: how printers here stand, as their drivers hear it.
    """

    _log = Logger()

    def __init__(
        self,
        store: IStore,
        reactor: Any,
        hostname: str,
        token: Callable[[int], bytes],
        *,
        note: Note = lambda _kind, _user, _data: None,
    ) -> None:
        self.store = store
        self.reactor = reactor
        self.hostname = hostname
        self.note = note
        self.destinations: Mapping[str, Destination] = {}
        self.printers: Mapping[str, LocalPrinter] = {}
        self.rules = PrintRules()
        self.board = Board(store.print_jobs)
        self.conditions = Conditions()
        self.states = QueueStates(store.settings)
        self.subscriptions = Subscriptions(self.now, KeptSubscriptions(store.settings, reactor, self.soon))
        self.incoming: set[int] = set()
        self.token = token
        self._started = self.now()
        self._stop_following: Callable[[], None] | None = None
        self._look = LoopingCall(self._tidy)
        self._look.clock = reactor
        self.board.watching.append(self._changed)

    def now(self) -> int:
        """Microseconds UTC."""
        return int(self.reactor.seconds() * SECOND)

    def follow(
        self, destinations: Sequence[Destination], rules: PrintRules, printers: Sequence[LocalPrinter] = ()
    ) -> None:
        """Take over a configuration."""
        self.destinations, self.rules = by_name(destinations), rules
        self.printers = {one.name: one for one in printers}

    def place(self, member: str) -> Destination | None:
        """Where jobs of a member go: a destination, or the device of a printer of this office."""
        printer = self.printers.get(member)
        return self.destinations.get(member) if printer is None else printer.device

    async def open(self) -> None:
        """Read what is there, and look after it from now on."""
        await self.states.load()
        self._stop_following = await self.board.load()
        await self.subscriptions.load(self.board)
        for one in self.destinations.values():
            self.subscriptions.restarted(one.name, self._queue_facts(one))
        self._look.start(_LOOK, now=False)

    async def close(self) -> None:
        """Look after nothing any more; fires when all that is known is on stable storage."""
        if self._look.running:
            self._look.stop()
        if self._stop_following is not None:
            self._stop_following()
        await self.subscriptions.close()

    # ------------------------------------------------------------------ queues

    def queue(self, name: str) -> Destination | None:
        """The queue of that name, in any case; the first one for an empty name."""
        if not name:
            return next(iter(self.destinations.values()), None)
        found = self.destinations.get(name)
        if found is None:
            folded = name.casefold()
            found = next((one for key, one in self.destinations.items() if key.casefold() == folded), None)
        return found

    def options(self, destination: Destination, options: Mapping[str, object] | None = None) -> dict[str, object]:
        """The options that hold for a job: its own, then the destination's, then the site's."""
        return effective(options or {}, destination.defaults, self.rules.defaults)

    def standing(self, destination: Destination) -> tuple[PrinterState, tuple[str, ...], str]:
        """State, its reasons and words of a queue: how it was set, and what became of what was sent last."""
        state = self.states.get(destination.name)
        jobs = self.board.waiting(destination.name)
        holding = ("hold-new-jobs",) if state.holding else ()
        if state.paused:
            return PrinterState.STOPPED, (state.why, *holding), "Paused; jobs wait here"
        reasons = [*(("moving-to-paused",) if state.pausing else ()), *holding]
        trouble = dict.fromkeys(one for job in jobs for one in job.reasons if of_the_printer(one))
        reasons += trouble
        words = next((job.message for job in jobs if job.message and any(map(of_the_printer, job.reasons))), "")
        busy = any(job.state is PrintState.PROCESSING for job in jobs)
        if not words:
            words = "On its way: the printer elsewhere has not reported yet" if busy else "Ready"
        return PrinterState.PROCESSING if busy else PrinterState.IDLE, tuple(reasons) or ("none",), words[:1023]

    def described(self, destination: Destination, uris: Sequence[tuple[str, str]], web: str) -> Described:
        """What its Printer attributes are made of.

        :param uris: ``(uri, security)``, the one that the client used first.
        :param web: ``http://host:port``, and the path of its pages.
        """
        state = self.states.get(destination.name)
        standing, reasons, words = self.standing(destination)
        texts = state.texts
        return Described(
            name=destination.name,
            uuid=uuid_of(self.hostname, destination.name),
            uris=tuple(uris),
            web=web,
            abilities=destination.abilities,
            defaults=self.options(destination, state.defaults),
            operations=operation_numbers(fetching=bool(self.rules.fetch_from)),
            now=self.now(),
            started=self._started,
            changed=state.changed or self._started,
            configured=state.configured or self._started,
            info=texts.get("printer-info", destination.title or f"{destination.name} (by mail)"),
            location=texts.get("printer-location", destination.location),
            geo=texts.get("printer-geo-location", ""),
            organization=texts.get("printer-organization", ""),
            unit=texts.get("printer-organizational-unit", ""),
            operator=texts.get("printer-message-from-operator", ""),
            state=standing,
            reasons=reasons,
            message=words,
            accepting=state.accepting,
            queued=self.board.count(destination.name),
            fetches=("http", "https", "ftp") if self.rules.fetch_from else (),
            most_octets=self.rules.most_octets,
            multiple_time_out=self.rules.multiple_time_out,
            authentication="basic" if self.rules.login else "requesting-user-name",
        )

    async def set_queue(self, destination: Destination, **what: Any) -> QueueState:
        """Set how a queue stands; who waits for its events hears of it."""
        before = self.states.get(destination.name)
        after = await self.states.change(destination.name, self.now(), **what)
        if after != before:
            settings = bool(SETTINGS & what.keys())
            self.subscriptions.queue_changed(destination.name, self._queue_facts(destination), settings=settings)
        if before.paused and not after.paused:
            await self.hand_on_now(destination)
        return after

    def _queue_facts(self, destination: Destination) -> tuple[PrinterState, tuple[str, ...], bool]:
        state, reasons, _ = self.standing(destination)
        return state, reasons, self.states.get(destination.name).accepting

    def order_changed(self, destination: Destination) -> None:
        """Jobs of a queue go in another order: tell who wants to know."""
        self.subscriptions.order_changed(destination.name, self._queue_facts(destination))

    async def hand_on_now(self, destination: Destination) -> None:
        """Let what waits for a queue be tried at once."""
        mine = {job.id for job in self.board.waiting(destination.name)}
        rows = [row.id for row in await self.store.queue.items(agent="print") if row.params.get("job") in mine]
        waiting = [
            row for row in rows if (item := await self.store.queue.item(row)) is not None and item.word != "held"
        ]
        await self.store.queue.steer(waiting, "retry", self.now())
        self.store.notifier.wake("print")

    # ------------------------------------------------------------------ jobs

    def ticket(self, destination: Destination, **about: Any) -> PrintTicket:
        """A new ticket for a job to that queue; ``about`` as of :class:`PrintTicket`.

        Options that were kept for the queue count as if the job asked for them: they are the same whenever its
        manifest is made, whatever is kept later.
        """
        kept = self.states.get(destination.name).defaults
        if kept:
            about["options"] = effective(about.get("options", {}), kept, {})
        user = str(about.get("user", ""))
        login = self.store.directory.current().user_by_name.get(user.casefold())
        return PrintTicket(
            uuid=uuid7(self.now(), self.token(10)),
            queue=destination.name,
            members=destination.targets,
            user_id=login.id if login is not None else None,
            **about,
        )

    def intake(
        self, ticket: PrintTicket, said: Said = _NOTHING_SAID, *, number: int = 1, size_hint: int = 0
    ) -> DocumentIntake:
        """A place for a document of a job.

        :raises StorageFull: there is no room.
        """
        return DocumentIntake(
            self.store,
            ticket,
            self.hostname,
            now=self.reactor.seconds(),
            most=self.rules.most_octets,
            number=number,
            said=said,
            size_hint=size_hint,
        )

    @staticmethod
    def check_format(destination: Destination, document: PrintDocument) -> None:
        """The document is one that this queue takes.

        :raises FormatRefused: it is not.
        """
        if document.format not in destination.abilities.formats:
            raise FormatRefused(f"The document is {document.format}, which is not printed here")

    def full(self, destination: Destination) -> bool:
        """As many jobs wait as may."""
        return self.board.count(destination.name) >= self.rules.most_open

    async def change(self, job: PrintJob, change: PrintChange) -> PrintJob:
        """Write a change of a job."""
        return await self.store.print_jobs.change(job.id, change, self.now())

    async def purge(self, jobs: Sequence[PrintJob]) -> None:
        """Take jobs away with all that is known of them."""
        ids = [job.id for job in jobs]
        await self.store.print_jobs.purge(ids)
        self.board.forget(ids)

    def _changed(self, before: PrintJob | None, after: PrintJob | None) -> None:
        self.subscriptions.job_changed(before, after)
        job = after or before
        destination = None if job is None else self.destinations.get(job.ticket.queue)
        if destination is None:
            return
        self.subscriptions.queue_changed(destination.name, self._queue_facts(destination))
        state = self.states.get(destination.name)
        if state.pausing and not any(
            one.state is PrintState.PROCESSING for one in self.board.waiting(destination.name)
        ):
            self.soon(self.set_queue(destination, pausing=False, paused=True))

    def soon(self, work: Any) -> None:
        """Do it; nobody waits for it, so a fault is logged."""
        done = Deferred.fromCoroutine(work)
        done.addErrback(lambda failure: self._log.warn("{reason}", reason=failure.getErrorMessage()))

    # ------------------------------------------------------------------ tidying up

    async def _tidy(self) -> None:
        """End jobs that nobody sends documents for or reports of, and let go of what is old."""
        now = self.now()
        late = now - self.rules.multiple_time_out * SECOND
        try:
            for name in (*self.destinations, *self.printers):
                for job in self.board.waiting(name):
                    if job.state is PrintState.PROCESSING and max(job.processing, job.created) < now - _SILENCE:
                        await self.change(job, _FORGOTTEN)
                    elif not job.closed and job.id not in self.incoming and job.order < late and job.created < late:
                        await self.time_out(job)
            rules = self.rules
            await self.store.print_jobs.forget(
                documents_before=now - rules.documents_kept, jobs_before=now - rules.jobs_kept
            )
        except MailshareError as fault:
            self._log.warn("print jobs could not be looked after: {fault}", fault=fault.public)

    async def time_out(self, job: PrintJob) -> None:
        """The client did not send the documents it announced (``multiple-operation-time-out-action``)."""
        reasons = ("aborted-by-system", "submission-interrupted")
        change = PrintChange(state=PrintState.ABORTED, reasons=reasons, message="The documents did not come in time")
        try:
            await self.change(job, change)
        except NoSuchJob:
            self.board.forget([job.id])


def uuid7(at: int, token: bytes) -> str:
    """A version 7 UUID (RFC 9562 section 5.7).

    :param at: microseconds UTC.
    :param token: ten random octets.
    """
    number = (at // 1_000) << 80 | int.from_bytes(token)
    number = number & ~(0xF << 76) | 7 << 76
    number = number & ~(3 << 62) | 2 << 62
    digits = f"{number:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
