"""Which job a mail from outside speaks of, by the name under which its documents travel."""

from __future__ import annotations

from attrs import frozen

from mailshare.core.values import PrintDocument, PrintJob
from mailshare.printing.by_mail import travel_id
from mailshare.printing.service import PrintService


@frozen
class Meant:
    """One document of a job on its way to one destination."""

    job: PrintJob
    member: str
    document: PrintDocument


def meant(service: PrintService, travels_as: str) -> Meant | None:
    """What travels under that name; ``None`` when nothing does any more, or it was cut anew since."""
    for job in service.board.under_way:
        for member, state in job.members.items():
            for document in job.documents:
                if travel_id(job.ticket.uuid, member, document.number, state.serial) == travels_as:
                    return Meant(job, member, document)
    return None
