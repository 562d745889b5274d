"""Prints a job once more, as a new one with the same documents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from attrs import evolve

from mailshare.core.errors import NotPossible
from mailshare.core.values import PrintChange, PrintDocument, PrintJob, PrintMail, PrintTicket
from mailshare.interfaces import IBody, IPrintJobs

Take = Callable[[PrintTicket, Sequence[tuple[PrintDocument, IBody]]], Awaitable[PrintJob]]


async def printed_again(
    jobs: IPrintJobs,
    old: PrintJob,
    uuid: str,
    at: int,
    *,
    mail: PrintMail | None,
    told: tuple[str, ...] = (),
    take: Take | None = None,
) -> PrintJob:
    """The new job; the one of that uuid when it was made before. An old one that nobody knows the end of is over.

    :param mail: what is known of the mail that asks for it.
    :param told: marks of what the reader of the old one need not be told any more.
    :param take: makes the job in place of the store alone, within the bounds of its sender.
    :raises NotPossible: its documents are not kept any more.
    """
    known = await jobs.find(uuid)
    if known is not None:
        return known
    if not old.documents:
        raise NotPossible("Its document is not kept any more; please send it again")
    documents = [(one, (await jobs.document(old.id, one.number))[0]) for one in old.documents if not one.canceled]
    ticket = evolve(old.ticket, uuid=uuid, mail=mail, expires=0)
    new = await (jobs.take(ticket, documents, at) if take is None else take(ticket, documents))
    if not old.state.final:
        over = PrintChange(state=old.state.ABORTED, reasons=("aborted-by-system",), told=told)
        await jobs.change(old.id, over, at)
    return new
