"""Print jobs and printers as JSON values, and in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mailshare.assembly.shapes import moment
from mailshare.core.print_status import Happening
from mailshare.core.values import (
    Capabilities,
    Certainty,
    PrinterState,
    PrinterStatus,
    PrintJob,
    PrintMember,
    PrintState,
)

_WORDS = {
    PrintState.PENDING: "waiting",
    PrintState.HELD: Happening.HELD.value,
    PrintState.PROCESSING: Happening.PRINTING.value,
    PrintState.STOPPED: "stopped",
    PrintState.CANCELED: Happening.CANCELED.value,
    PrintState.ABORTED: Happening.FAILED.value,
    PrintState.COMPLETED: Happening.DONE.value,
}
_SURE = {
    Certainty.COMPLETED.value: "the printer reported that it is printed",
    Certainty.ACCEPTED.value: "the printer took it; it cannot report paper",
    Certainty.HANDED_OVER.value: "it was handed over; the printer reports nothing",
    Certainty.UNKNOWN.value: "nobody knows",
}
_MOST_SURE = {
    Certainty.COMPLETED: "It reports when a job is printed.",
    Certainty.ACCEPTED: "It says when it has all of a job; it reports no paper.",
    Certainty.HANDED_OVER: "It takes jobs and reports nothing.",
}
_STANDS = {
    PrinterState.IDLE: "It is ready.",
    PrinterState.PROCESSING: "It is printing.",
    PrinterState.STOPPED: "It has stopped.",
}


def state_word(state: PrintState, certainty: str = "") -> str:
    """``waiting``, ``printing``, ``done`` ...; ``unknown`` when nobody knows the end."""
    if certainty == Certainty.UNKNOWN.value and state is not PrintState.CANCELED:
        return Happening.UNKNOWN.value
    return _WORDS[state]


def job_json(job: PrintJob) -> dict[str, object]:
    """A job, with how it stands at each of its printers."""
    ticket, members = job.ticket, job.members
    sure = {one.certainty for one in members.values() if one.state is job.state}
    return {
        "id": job.id,
        "uuid": ticket.uuid,
        "queue": ticket.queue,
        "name": ticket.name,
        "user": ticket.user,
        "via": ticket.via,
        "peer": ticket.peer,
        "state": job.state.name.lower(),
        "word": state_word(job.state, next(iter(sure)) if len(sure) == 1 else ""),
        "reasons": list(job.reasons),
        "message": job.message,
        "held": job.held,
        "over": job.state.final,
        "octets": job.octets,
        "documents": len(job.documents),
        "files": [
            {"number": one.number, "name": one.name, "format": one.format, "octets": one.length}
            for one in job.documents
        ],
        "options": _shown(ticket.options),
        "impressions": job.impressions,
        "created": moment(job.created),
        "completed": moment(job.completed),
        "members": [_member_json(name, one) for name, one in members.items()],
    }


def _shown(options: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in options.items() if name != "job-password"}


def _member_json(name: str, member: PrintMember) -> dict[str, object]:
    return {
        "name": name,
        "state": member.state.name.lower(),
        "word": state_word(member.state, member.certainty),
        "message": member.message,
        "certainty": member.certainty,
        "reasons": list(member.reasons),
        "impressions": member.impressions,
        "sheets": member.sheets,
    }


def job_words(job: PrintJob) -> Iterator[str]:
    """A job for a person: what it is, how it stands, how sure that is."""
    ticket, shown = job.ticket, job_json(job)
    yield f"Job {job.id}: {ticket.name or 'document'}, for {ticket.queue}, from {ticket.user or 'nobody named'}"
    yield f"  {shown['word']}{f': {job.message}' if job.message else ''}"
    came = f"  came {moment(job.created)} by {ticket.via}"
    yield came + (f", over {moment(job.completed)}" if job.completed else "")
    for one in job.documents:
        yield f"  document {one.number}: {one.name or 'without a name'}, {one.format}, {one.length} octets"
    if options := _shown(ticket.options):
        yield f"  asked for: {', '.join(f'{name}={value}' for name, value in sorted(options.items()))}"
    for name, member in job.members.items():
        sure = _SURE.get(member.certainty, "")
        reasons = f" ({', '.join(member.reasons)})" if member.reasons else ""
        pages = f", {member.impressions} pages" if member.impressions >= 0 else ""
        said = f": {member.message}" if member.message and member.message != job.message else ""
        state = state_word(member.state, member.certainty)
        yield f"  at {name}: {state}{pages}{reasons}{said}" + (f"; {sure}" if sure else "")
    yield f"  {ticket.uuid}"


def printer_words(
    name: str, certainty: Certainty, status: PrinterStatus, able: Capabilities | None, options: Mapping[str, object]
) -> Iterator[str]:
    """A device for a person, in sentences.

    :param able: ``None`` = it could not be asked.
    :param options: those that hold for jobs which do not say otherwise.
    """
    stands = "It does not say how it stands." if status.state is None else _STANDS[status.state]
    if status.state is None and not status.accepting:
        stands = "It cannot be reached."
    said = status.message.rstrip(".")
    yield f"{name}: {stands}{f' {said}.' if said else ''}"
    if status.reasons:
        yield f"It reports: {', '.join(status.reasons)}."
    if not status.accepting and status.state is not None:
        yield "It takes no jobs now."
    if status.queued > 0:
        yield f"{status.queued} jobs wait in it."
    yield _MOST_SURE.get(certainty, "")
    if able is None:
        return
    if able.model:
        yield f"It is a {able.model}."
    yield f"It takes {', '.join(able.formats)}." if able.formats else "It does not say which documents it takes."
    able_to = [
        "both sides" if len(able.sides) > 1 else "",
        "colour" if able.color else "black only" if able.color is False else "",
        f"{' and '.join(str(one) for one in able.resolutions)} dots per inch" if able.resolutions else "",
    ]
    if any(able_to):
        yield f"It prints {', '.join(one for one in able_to if one)}."
    if able.media:
        yield f"It knows {len(able.media)} sizes of paper."
    if options:
        yield f"Jobs that do not say otherwise get {', '.join(f'{key}={value}' for key, value in options.items())}."
