"""Print jobs: how they are kept, and how they are handed on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from zope.interface import Attribute, Interface

from mailshare.core.headers import Headers
from mailshare.core.print_status import PrintStatus
from mailshare.core.values import (
    Event,
    Outcome,
    PrintChange,
    PrintDocument,
    PrintJob,
    PrintReply,
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

        :returns: jobs and documents let go.
        """

    def untold(before_id: int | None = None, limit: int = 500) -> Awaitable[Sequence[PrintJob]]:
        """Jobs that are over and came by mail, newest first: perhaps nobody came to tell their senders."""

    def purge(ids: Sequence[int]) -> Awaitable[int]:
        """Take jobs away with all that is known of them; their rows of the queue are cancelled."""

    def watch(call: Callable[[PrintJob], None]) -> Callable[[], None]:
        """Be called after each durable change of a job; the result ends that."""


class IStatusDesk(Interface):
    """Tells senders by mail what becomes of what they sent.

    It follows all jobs whose ticket has a ``reply``, as soon as they are closed. What is no job (yet), a printing
    server tells by :meth:`tell`.
    """

    def tell(
        reply: PrintReply, status: PrintStatus, name: str, notify: Sequence[str], *, turn: str = ""
    ) -> Awaitable[bool]:
        """One status mail: refused, parts that are missing, parts that came. Fires when it is in the outbox.

        The same happening of the same job is told once, however often this is called, also over restarts. Trace mails
        (``received``) wait until the last one is ten seconds old; the last to come is the one that is sent.

        :param name: of the job.
        :param notify: what its sender asked for, of ``done``, ``error``, ``trace``, ``pages``.
        :param turn: tells apart what happens more than once, e.g. the number of a request for missing parts.
        :returns: whether the sender wants it; then it was sent, now or before, or will be.
        """


class IPrintReplies(Interface):
    """Takes commands in answers to status mails: ``#cancel``, ``#reprint``, ``#release PIN``."""

    def take(message_id: int, headers: Headers, proven: str = "") -> Awaitable[bool]:
        """Look at a stored mail to a printer before it counts as a job.

        :param proven: address of its sender when that was proven by other means (DKIM, a login), else empty. Without
            it an answer counts by the Message-ID that it answers, which only the reader of the status mail can know.
        :returns: it is an answer, a status, or another mail that a machine wrote about printing, hence no job.
        """


class IPrintWay(Interface):
    """Hands jobs on by one kind of way: by mail, into a folder, to a printer."""

    scheme: str = Attribute("of the addresses it takes, e.g. 'mailto' or 'dir'")

    def hand_on(job: PrintJob, member: str, address: str, item: QueueItem) -> Awaitable[Outcome]:
        """Try one destination of one job.

        The outcome settles the row of the queue: DELIVERED says that the job is out of our hands, not that paper is
        out; what is known of the job goes to :meth:`IPrintJobs.change`. Never raises for what the other side does.
        """
