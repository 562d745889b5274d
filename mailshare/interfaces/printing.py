"""Print jobs: how they are kept, and how they are handed on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from zope.interface import Attribute, Interface

from mailshare.core.headers import Headers
from mailshare.core.values import (
    Event,
    Outcome,
    PrintChange,
    PrintDocument,
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

        :returns: jobs and documents let go.
        """

    def untold(before_id: int | None = None, limit: int = 500) -> Awaitable[Sequence[PrintJob]]:
        """Jobs that are over and came by mail, newest first: perhaps nobody came to tell their senders."""

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
