"""A line whose modems are those of a HylaFAX server: jobs go into its queue, received faxes are fetched from it.

Every job bears our key as its tag. Before the server may dial, the key is written down; after a stop of either side the
job is looked for by it, in the send queue and among what is done, and is never submitted a second time while it may be
there.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from attrs import define, evolve, field, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from mailshare.core.documents import NotConvertible
from mailshare.core.errors import LoginRefused, MailshareError, PeerFault, PolicyRefusal
from mailshare.core.fax_lines import HylaFAXOptions
from mailshare.core.values.fax import CallFacts, FaxCapabilities, FaxCause, FaxJob, FaxOutcome, FaxPage, Ringing
from mailshare.fax.lines.calling import Call, Calls
from mailshare.fax.lines.hylafax_session import HylaFAXAccount, HylaFAXSession
from mailshare.interfaces import IFaxLine, IFaxPages, IFaxReceiver
from mailshare.wire.hylafax_log import CallLine
from mailshare.wire.hylafax_queues import QueuedJob, ReceivedFax, cause_of
from mailshare.wire.tiff_fax import first_text, read_tiff

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_FORGETS = 600_000_000  # microseconds that a server keeps what is done at least: its cleaning spares 15 minutes
_LOOKS = 2  # without a trace of a job, before that is believed
_MINUTE = 60_000_000
_DAY = 1440  # minutes
_BEGINS = {4_800: "1", 9_600: "3"}  # bits a second that a call is begun with at most, as the server counts them
DOUBT = "The fax server does not know the job any more; the far machine may have all of it"
ToPages = Callable[[bytes], Awaitable[Sequence[FaxPage]]]


@frozen
class JobKey:
    """What finds a job again.

    :ivar number: of the server's; ``tag`` is ours, and decides.
    :ivar first: page of the whole fax that the job begins with; ``at`` microseconds UTC of its submission.
    :ivar taken: the server has said that it took the job.
    """

    number: str
    first: int
    at: int
    tag: str
    taken: bool = False

    @classmethod
    def read(cls, native: str) -> JobKey | None:
        """The key in the ledger of a fax."""
        found = re.match(r"(\d+) (\d+) (\d+) (\S+)( taken)?\Z", native)
        return cls(found[1], int(found[2]), int(found[3]), found[4], bool(found[5])) if found else None

    def __str__(self) -> str:
        return f"{self.number} {self.first} {self.at} {self.tag}{' taken' if self.taken else ''}"


@define(eq=False)
class _Watched:
    """A job that the server has, or may have.

    :ivar missing: looks since it was seen.
    """

    call: Call
    key: JobKey
    over: Deferred[FaxOutcome] = field(factory=Deferred)
    missing: int = 0


@implementer(IFaxLine)
class HylaFAXLine:
    """The modems of one server, or those of one of its classes.

    :param account: where the server is and who we are there.
    :param to_pages: the pages of a document; without it only those of what fax machines write are found.
    """

    _log = Logger()

    def __init__(
        self,
        name: str,
        account: HylaFAXAccount,
        options: HylaFAXOptions,
        reactor: Any,
        *,
        channels: int,
        to_pages: ToPages | None = None,
    ) -> None:
        self.name = name
        self.capabilities = FaxCapabilities(receive=options.receive, codings=(), password=True)
        self._account = account
        self._to_pages = to_pages
        self._options = options
        self._reactor = reactor
        self._channels = channels
        self._calls = Calls()
        self._watched: dict[str, _Watched] = {}
        self._kill: dict[str, JobKey] = {}  # jobs given up while the server was not there
        self._sizes: dict[str, int] = {}  # received faxes at the last look
        self._passed: set[str] = set()  # received faxes that cannot be taken, or not be taken away
        self._receiver: IFaxReceiver | None = None
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor
        self._errand: Deferred[None] | None = None
        self._up = False
        self.trouble = ""

    def start(self) -> None:
        """Look at the queues from now on."""
        self._up = True
        self._looking.start(self._options.poll)

    async def stop(self) -> None:
        """Look no more; the server goes on with what it has."""
        self._up = False
        if self._looking.running:
            self._looking.stop()
        if self._errand is not None:
            self._errand.cancel()
        await self._calls.end_all()

    def set_receiver(self, receiver: IFaxReceiver) -> None:
        """Who takes what came in."""
        self._receiver = receiver

    def free_channels(self) -> int:
        """As many jobs as may lie there; none while the server does not let us in."""
        return self._channels - len(self._calls.by_id) if self._up and not self.trouble else 0

    def send(self, job: FaxJob, pages: IFaxPages) -> Call:
        """Submit a job."""
        return self._calls.begin(Call(job, lambda call: self._submitted(call, pages)))

    def find(self, native: str, job: FaxJob) -> Call | None:
        """Wait for the end of a job that was submitted before a restart."""
        key = JobKey.read(native)
        return None if key is None else self._calls.begin(Call(job, lambda call: self._end_of(call, key), native))

    async def cancel(self, call_id: str) -> bool:
        """Give a job up. When the server is not there, it hears of it as soon as it is."""
        call, watched = self._calls.by_id.get(call_id), self._watched.get(call_id)
        if call is None:
            return False
        key = JobKey.read(call.native)
        try:
            if watched is not None and not await self._killed(watched.key):
                return False  # it is over; the next look tells how
        except MailshareError:
            watched = None
        if key is not None and watched is None:
            self._kill[key.tag] = key
        return call.cancel()

    async def _killed(self, key: JobKey) -> bool:
        session = await HylaFAXSession.open(self._account, self._reactor)
        try:
            return await session.kill(key.number, key.tag)
        finally:
            await session.close()

    # ------------------------------------------------------------------ out

    async def _submitted(self, call: Call, pages: IFaxPages) -> FaxOutcome:
        await deferLater(self._reactor, 0.0)  # whoever observes the call is told of its beginning
        job, key = call.job, None
        document = await pages.document(job.first_page)
        await call.tell("dialing")
        try:
            session = await HylaFAXSession.open(self._account, self._reactor)
            try:
                stored = await session.store(document)
                must, may = self._parameters(job, document)
                number = await session.make_job(stored, must, may)
                key = JobKey(number, job.first_page, self._now(), job.id)
                await call.tell("submitted", native=str(key))
                try:
                    await session.submit(number)
                except MailshareError as fault:
                    if await session.withdraw(number):
                        cause = cause_of(fault.public) if isinstance(fault, PolicyRefusal) else FaxCause.LINE_DOWN
                        return FaxOutcome(cause, native=fault.public)
                key = evolve(key, taken=True)
                await call.tell("submitted", native=str(key))
            finally:
                await session.close()
        except MailshareError as fault:
            if key is None:
                return self._refused(fault)
        return await self._end_of(call, key)

    def _refused(self, fault: MailshareError) -> FaxOutcome:
        """Nothing was submitted: the server does not let us in, or does not like this job."""
        if isinstance(fault, PolicyRefusal) and not isinstance(fault, LoginRefused):
            return FaxOutcome(cause_of(fault.public), native=fault.public)
        self._is_down(fault)
        return FaxOutcome(FaxCause.LINE_DOWN, native=fault.public)

    def _parameters(
        self, job: FaxJob, document: bytes
    ) -> tuple[Sequence[tuple[str, str]], Sequence[tuple[str, str]]]:
        """What the server must be told of a job, and what not every one of them knows.

        One job is one call (``MAXDIALS``, ``MAXTRIES``). The pages have their line on top already, so the server's own
        is an empty one.
        """
        pages = [one for one in read_tiff(document) if one.y_res]
        width = max(round(one.width / (one.x_res or 204) * 25.4) for one in pages)
        length = max(math.ceil(one.rows / one.y_res * 25.4) for one in pages)
        lines = max(round(one.y_res) for one in pages)
        left = _DAY if not job.deadline else min(max((job.deadline - self._now()) // _MINUTE, 2), _DAY)
        must = [
            ("FROMUSER", "mailshare"),
            ("NOTIFY", "NONE"),
            ("DIALSTRING", job.dial),
            ("EXTERNAL", job.number or job.dial),
            ("JOBINFO", job.id),
            ("SENDTIME", "NOW"),
            ("LASTTIME", f"{left // 1440:02}{left // 60 % 24:02}{left % 60:02}"),
            ("MAXDIALS", "1"),
            ("MAXTRIES", "1"),
            ("VRES", str(196 if 98 < lines <= 196 else 98 if lines <= 98 else 391)),
            ("PAGEWIDTH", str(width)),
            ("PAGELENGTH", str(length)),
            ("PAGECHOP", "NONE"),
            ("MODEM", self._options.modem),
            ("USEECM", "YES" if job.ecm else "NO"),
            *([("SUBADDR", job.subaddress)] if job.subaddress else ()),
            *([("PASSWD", job.password)] if job.password else ()),
        ]
        may = [("USETAGLINE", "YES"), ("TAGLINE", ""), ("TSI", job.ident)]
        if job.max_rate in _BEGINS:
            may.append(("BEGBR", _BEGINS[job.max_rate]))
        return must, [*may, ("USEXVRES", "YES")] if lines > 196 else may

    async def _end_of(self, call: Call, key: JobKey) -> FaxOutcome:
        watched = self._watched[call.id] = _Watched(call, key)
        try:
            return await watched.over
        finally:
            self._watched.pop(call.id, None)

    # ------------------------------------------------------------------ looking

    def _look(self) -> Deferred[None]:
        self._errand = Deferred.fromCoroutine(self._visit())
        self._errand.addErrback(self._missed)
        return self._errand

    def _missed(self, failure: Failure) -> None:
        """A look that failed on something nobody thought of must not be the last one."""
        if failure.check(MailshareError, OSError):
            self._is_down(failure.value)
        elif not failure.check(CancelledError):
            self._log.failure("the line {line} could not look at its queues", failure=failure, line=self.name)

    async def _visit(self) -> None:
        session = await HylaFAXSession.open(self._account, self._reactor)
        try:
            if self.trouble:
                self._log.info("the line {line} is there again", line=self.name)
            self.trouble = ""
            for key in list(self._kill.values()):
                await session.kill(key.number, key.tag)
                self._kill.pop(key.tag, None)
            if self._watched:
                # In this order: what moves from the one to the other meanwhile is seen twice, and not missed.
                jobs = [*await session.jobs("sendq"), *await session.jobs("doneq")]
                by_tag = {one.tag: one for one in jobs}
                for watched in list(self._watched.values()):
                    await self._saw(session, watched, by_tag.get(watched.key.tag))
            if self._options.receive and self._receiver is not None:
                await self._receive(session)
        finally:
            await session.close()

    def _is_down(self, fault: BaseException | None) -> None:
        words = getattr(fault, "public", "") or str(fault)
        if words != self.trouble:
            self._log.warn("the line {line} is of no use now: {why}", line=self.name, why=words)
        self.trouble = words

    async def _saw(self, session: HylaFAXSession, watched: _Watched, job: QueuedJob | None) -> None:
        """What the queues say of a job of ours."""
        call, key = watched.call, watched.key
        if job is not None and job.state == "T" and not key.taken:
            # A stop came before it was submitted. It will not run, and must not be run by somebody later.
            job = None if await session.withdraw(job.number) else job
        if job is None:
            watched.missing += 1
            if watched.missing >= _LOOKS:
                self._over(watched, self._lost(key))
            return
        watched.missing = 0
        whole = call.job.total - key.first
        pages = job.pages or (whole if job.state == "D" else 0)
        for page in range(call.job.first_page + call.confirmed, key.first + min(pages, whole)):
            await call.tell("page", page)
        if job.over:
            cause = FaxCause.OK if job.state == "D" else cause_of(job.status)
            told = await self._told(session, key.tag)
            outcome = FaxOutcome(
                cause,
                call.confirmed,
                remote_id=told.remote_id,
                rate=told.rate,
                ecm=told.ecm,
                seconds=told.seconds,
                native=job.status[:200],
            )
            self._over(watched, outcome)

    async def _told(self, session: HylaFAXSession, tag: str) -> CallLine:
        """What the server's journal tells of a call. Whatever is wrong with that, what became of the fax is known."""
        try:
            return await session.call_of(tag)
        except MailshareError as fault:
            self._log.info("the line {line} cannot read the journal: {why}", line=self.name, why=fault.public)
            return CallLine()

    def _lost(self, key: JobKey) -> FaxOutcome:
        """The server knows nothing of a job: it never had it, or has forgotten that it is done."""
        if not key.taken and self._now() - key.at < _FORGETS:
            return FaxOutcome(FaxCause.LINE_DOWN, native="The fax server did not get the job")
        return FaxOutcome(FaxCause.TIMEOUT, native=DOUBT)

    @staticmethod
    def _over(watched: _Watched, outcome: FaxOutcome) -> None:
        if not watched.over.called:
            watched.over.callback(outcome)

    def _now(self) -> int:
        return int(self._reactor.seconds() * 1_000_000)

    # ------------------------------------------------------------------ in

    async def _receive(self, session: HylaFAXSession) -> None:
        """Take faxes that have not grown since the last look; the server's own scripts are done with them by then."""
        found = [one for one in await session.received() if not one.arriving and one.name not in self._passed]
        before, self._sizes = self._sizes, {one.name: one.size for one in found}
        for fax in found:
            if before.get(fax.name) == fax.size:
                try:
                    await self._take(session, fax)
                except (PolicyRefusal, PeerFault) as fault:
                    self._passed.add(fax.name)
                    words = "the line {line} leaves {fax} on the server: {why}"
                    self._log.warn(words, line=self.name, fax=fax.name, why=fault.public)

    async def _take(self, session: HylaFAXSession, fax: ReceivedFax) -> None:
        """Give one fax to the receiver; when its pages are stored, take it off the server."""
        octets = await session.fetch(fax)
        # What the call has told, line by line: the station, then the texts of the network in the server's order.
        told = _texts(octets)
        called = told[self._options.called] if 0 < self._options.called < len(told) else ""
        # The id follows from the octets: a stop of the server before the file is gone makes no second mail.
        mark = hashlib.sha256(octets).hexdigest()[:16]
        number = f"{_UNSAFE.sub('_', self.name)}-{fax.name}-{mark}"
        call = Ringing(number, self.name, fax.caller[:60], called[:60], fax.display[:60])
        receiver = self._receiver
        assert receiver is not None
        if await receiver.screen(call) is FaxCause.OK:
            facts = CallFacts(FaxCause.OK, fax.station[:20], fax.subaddress[:20], fax.rate, seconds=float(fax.seconds))
            try:
                pages = _pages_of(octets) if self._to_pages is None else await self._to_pages(octets)
            except (PeerFault, NotConvertible) as fault:
                await receiver.unreadable(call, facts, octets, fault.public)
            else:
                for index, page in enumerate(pages):
                    await receiver.page_received(call, index, page)
                await receiver.finished(call, facts)
        await session.drop(fax)


def _pages_of(octets: bytes) -> Sequence[FaxPage]:
    """The pages of a received fax, in the octets that came.

    :raises PeerFault: it has others than those of T.4 and T.6.
    """
    read = read_tiff(octets)
    pages = [one.page for one in read if one.page is not None]
    if len(pages) != len(read):
        raise PeerFault("It has pages in another coding than T.4 and T.6, or of several strips")
    return pages


def _texts(octets: bytes) -> Sequence[str]:
    try:
        return first_text(octets, 270).splitlines()
    except PeerFault:
        return ()
