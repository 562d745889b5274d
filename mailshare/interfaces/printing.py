"""Print jobs: how they are kept, and how they are handed on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from zope.interface import Attribute, Interface

from mailshare.core.headers import Headers
from mailshare.core.print_usage import PrintUsage
from mailshare.core.values import (
    Capabilities,
    Certainty,
    DeviceJob,
    DeviceRef,
    Event,
    Outcome,
    PrintChange,
    PrintDocument,
    PrinterStatus,
    PrinterTask,
    PrintJob,
    PrintNews,
    PrintTicket,
    QueueItem,
)
from mailshare.interfaces.bodies import IBody


class IPrintJobs(Interface):
    """The memory of print jobs. Every method that writes fires when it is durable."""

    def open(ticket: PrintTicket, at: int, *, held: bool = False) -> Awaitable[PrintJob]:
        """A job without documents yet (Create-Job).

        :param held: it waits to be released.
        """

    def take(
        ticket: PrintTicket, documents: Sequence[tuple[PrintDocument, IBody]], at: int, *, held: bool = False
    ) -> Awaitable[PrintJob]:
        """A whole job in one transaction (Print-Job, LPD, AppSocket).

        Of each document ``number``, ``offset`` and ``message_id`` are ignored: they follow from the body, which is a
        message with header lines.
        """

    def add(job_id: int, document: PrintDocument, body: IBody, at: int, *, last: bool) -> Awaitable[PrintJob]:
        """One more document.

        :param last: none follows; as :meth:`close`, in the same transaction.
        :raises NotPossible: the job is closed, or over.
        """

    def close(job_id: int, at: int) -> Awaitable[PrintJob]:
        """No more documents come: rows of the queue are made, one for each destination; held ones for a held job.

        A job without any document is over: aborted.
        """

    def change(job_id: int, change: PrintChange, at: int, events: Sequence[Event] = ()) -> Awaitable[PrintJob]:
        """Write what became of a job, or what is wanted of it; its rows of the queue follow.

        A job in a final state stays as it is, and nothing is written.

        :raises NoSuchJob: there is none with this id.
        """

    def job(job_id: int) -> Awaitable[PrintJob | None]:
        """One job."""

    def find(uuid: str) -> Awaitable[PrintJob | None]:
        """The job with that uuid."""

    def jobs(
        *, open_only: bool = False, before_id: int | None = None, limit: int = 500
    ) -> Awaitable[Sequence[PrintJob]]:
        """Jobs, newest first."""

    def document(job_id: int, number: int) -> Awaitable[tuple[IBody, int]]:
        """The stored body of a document and the octet at which the document begins in it.

        :raises Unavailable: it is not kept any more.
        """

    def forget(*, documents_before: int, jobs_before: int) -> Awaitable[int]:
        """Let go of documents of jobs that were over by the first time, and of whole jobs that were by the second.

        Jobs that came by mail are kept for 400 days, for they are what tells how much was printed, and for whom.

        :returns: jobs and documents let go.
        """

    def untold(before_id: int | None = None, limit: int = 500) -> Awaitable[Sequence[PrintJob]]:
        """Jobs that are over and came by mail, newest first: perhaps nobody came to tell their senders."""

    def usage(first: int, until: int) -> Awaitable[Sequence[PrintUsage]]:
        """How much was printed by jobs that were over from ``first`` up to before ``until``, microseconds UTC."""

    def purge(ids: Sequence[int]) -> Awaitable[int]:
        """Take jobs away with all that is known of them; their rows of the queue are cancelled."""

    def watch(call: Callable[[PrintJob], None]) -> Callable[[], None]:
        """Be called after each durable change of a job; the result ends that."""


class IPrintTeller(Interface):
    """Tells senders of jobs that came by mail what the printing server has to say before a job is, or in place of one.

    What becomes of a job is seen by watching :meth:`IPrintJobs.watch`; its ticket says who is to be told.
    """

    def tell(news: PrintNews) -> Awaitable[None]:
        """Write the mail, or leave it: nobody is told who writes by machine, and nobody more than once a day that he
        may not print. Never raises for what concerns the mail.
        """


class IPrintReplies(Interface):
    """Takes commands that people send to a printer in answer to its news (``#cancel``, ``#reprint``, ``#release``)."""

    def take(printer: str, message_id: int, headers: Headers, level: int) -> Awaitable[bool]:
        """A mail that came to a printer's address and brings no manifest.

        :param level: how well its sender proved who he is.
        :returns: it was such an answer, and nothing is printed of it.
        """


class IPrintWay(Interface):
    """Hands jobs on by one kind of way: by mail, into a folder, to a printer."""

    scheme: str = Attribute("of the addresses it takes, e.g. 'mailto' or 'dir'")

    def hand_on(job: PrintJob, member: str, address: str, item: QueueItem) -> Awaitable[Outcome]:
        """Try one destination of one job.

        The outcome settles the row of the queue: DELIVERED says that the job is out of our hands, not that paper is
        out; what is known of the job goes to :meth:`IPrintJobs.change`. Never raises for what the other side does.
        """

    def call_back(job: PrintJob, member: str, address: str) -> Awaitable[None]:
        """The job was cancelled at this destination: let what was handed on come to nothing, if that is possible.

        Never raises for what the other side does.
        """


class IPrintable(Interface):
    """A document as it goes into a device; it may be read as often as wanted, from any place."""

    format: str = Attribute("media type")
    length: int = Attribute("octets")
    digest: bytes = Attribute("SHA-256 of them")

    def read(position: int, length: int) -> Awaitable[bytes]:
        """At most so many octets from there; none only at the end."""


class IPrinterDriver(Interface):
    """Speaks with one device. mailshare decides what is printed and keeps what is known; a driver keeps nothing.

    The order of a job: ``submit``; before it is called, that it will be is on stable storage. If the server ends before
    the result of ``submit`` is stored, ``find`` is asked once it runs again, by another object of the same class.
    What is wrong is said by an error: :class:`~mailshare.core.errors.NotTaken` (try later, nothing was sent),
    :class:`~mailshare.core.errors.Doubtful`, :class:`~mailshare.core.errors.PolicyRefusal` (it will never print this),
    :class:`~mailshare.core.errors.Unavailable` (it cannot be asked now).
    """

    name: str = Attribute("of the printer, as it is configured")
    uri: str = Attribute("address of the device")
    certainty: Certainty = Attribute("the most that it can ever know")
    at_once: int = Attribute("documents that the device may have at the same time, at least 1")

    def capabilities() -> Awaitable[Capabilities]:
        """What the device can do; may be an answer of the last minute.

        :raises Unavailable: it cannot be asked now.
        """

    def status() -> Awaitable[PrinterStatus]:
        """How the device stands now. A device that cannot be reached has no state and the reason ``offline-report``."""

    def submit(
        task: PrinterTask, document: IPrintable, named: Callable[[DeviceRef], Awaitable[None]]
    ) -> Awaitable[DeviceRef]:
        """Give the device a document; fires when it has all of it.

        A device that names a job before it gets the document has its name stored first: ``named`` is awaited with it
        before the first octet of the document is sent.

        :raises NotTaken: it takes nothing now; nothing of this document has reached it.
        :raises PolicyRefusal: it refused it for ever; nothing of it is printed.
        :raises Doubtful: the connection broke when some or all of it may have arrived. Any other error counts as this.
        :cancel: breaks off.
        """

    def find(task: PrinterTask) -> Awaitable[DeviceRef | None]:
        """Whether the device was given this task before.

        :returns: its name for it; ``None`` = it never got any of it, so that it may be sent again.
        :raises Doubtful: the device cannot tell.
        :raises Unavailable: it cannot be asked now.
        """

    def poll(ref: DeviceRef) -> Awaitable[DeviceJob]:
        """What became of it. A driver that hears nothing after the document has gone says so at once: ``COMPLETED``,
        with its certainty.

        :raises Doubtful: the device knows nothing of it, or not any more.
        :raises Unavailable: it cannot be asked now.
        """

    def cancel(ref: DeviceRef) -> Awaitable[None]:
        """Do not print it, or no more of it. What is over already, or cannot be stopped, is no error.

        :raises Unavailable: it cannot be asked now.
        """

    def watch(ref: DeviceRef, look: Callable[[], None]) -> Callable[[], None]:
        """Call ``look`` whenever :meth:`poll` may have news, by the device's word or the clock; the result ends it."""


class IPrinterKind(Interface):
    """Makes drivers for the addresses of one scheme; what an ``[[extension]]`` of the group ``printers`` builds."""

    scheme: str = Attribute("of the addresses, lower case, e.g. 'ipp'")

    def driver(name: str, uri: str) -> IPrinterDriver:
        """The driver of one device.

        :raises ConfigFault: the address is wrong.
        """
