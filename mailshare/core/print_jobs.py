"""How a print job goes on: what a change makes of it, and how a job to several printers stands as a whole."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve

from mailshare.core.values.printing import PrintChange, PrintJob, PrintMember, PrintState

_HOLDING = ("job-hold-until-specified",)
_INCOMING = ("job-incoming",)
_FINAL_REASONS = {
    PrintState.CANCELED: ("job-canceled-by-user",),
    PrintState.ABORTED: ("aborted-by-system",),
    PrintState.COMPLETED: ("job-completed-successfully",),
}


def combined(members: Iterable[PrintMember]) -> PrintMember:
    """The parent of a group's jobs: the furthest that is still under way, else the worst end.

    A group is done when all are: completed if all completed, aborted if any was aborted, else canceled.
    """
    all_members = list(members)
    if len(all_members) == 1:
        return all_members[0]
    states = [one.state for one in all_members]
    if not states:
        return PrintMember()
    under_way = [state for state in states if not state.final]
    if under_way:
        begun = len(under_way) < len(states) or PrintState.PROCESSING in under_way
        held = min(under_way) if set(under_way) <= {PrintState.HELD, PrintState.STOPPED} else None
        state = held or (PrintState.PROCESSING if begun else min(under_way))
    elif PrintState.ABORTED in states:
        state = PrintState.ABORTED
    else:
        state = PrintState.CANCELED if PrintState.CANCELED in states else PrintState.COMPLETED
    telling = [one for one in all_members if one.state is state] or all_members
    reasons = dict.fromkeys(reason for one in telling for reason in one.reasons)
    if state.final and len(set(states)) > 1:
        reasons["job-completed-with-errors"] = None
    messages = dict.fromkeys(one.message for one in telling if one.message)
    return PrintMember(state, tuple(reasons), "; ".join(messages)[:1000])


def opened(job: PrintJob) -> PrintJob:
    """A new job with all that follows from what it is."""
    members = {name: PrintMember() for name in job.ticket.members or (job.ticket.queue,)}
    return standing(evolve(job, members=members))


def standing(job: PrintJob) -> PrintJob:
    """The job with its state and reasons as they follow from its members, and from whether it is whole and held."""
    whole = combined(job.members.values())
    if whole.state is not PrintState.PENDING:
        return evolve(job, state=whole.state, reasons=whole.reasons, message=whole.message)
    reasons = whole.reasons + (_HOLDING if job.held else ()) + (() if job.closed else _INCOMING)
    # What is not whole yet is held, so that nobody takes it for the next to be printed (RFC 8011 section 4.3.1).
    state = PrintState.HELD if job.held or not job.closed else PrintState.PENDING
    return evolve(job, state=state, reasons=reasons, message=whole.message)


def changed(job: PrintJob, change: PrintChange, at: int) -> PrintJob:
    """The job after a change; one in a final state stays as it is but for what was told, unless it is to begin again.

    :param at: microseconds UTC.
    """
    if change.told:
        job = evolve(job, told=tuple(dict.fromkeys((*job.told, *change.told))))
    if change.again:
        members = {name: PrintMember(serial=one.serial + 1) for name, one in job.members.items()}
        job = evolve(job, members=members, processing=0, completed=0, held=bool(change.held))
    elif job.state.final:
        return job
    ticket = job.ticket
    if change.options is not None:
        ticket = evolve(ticket, options=change.options)
    if change.name is not None:
        ticket = evolve(ticket, name=change.name)
    if change.notify is not None:
        ticket = evolve(ticket, notify=change.notify)
    members = {
        name: _changed_member(one, change) if change.member in ("", name) else one for name, one in job.members.items()
    }
    job = standing(
        evolve(
            job,
            ticket=ticket,
            members=members,
            held=job.held if change.held is None else change.held,
            documents=job.documents if change.documents is None else change.documents,
            order=job.order if change.order is None else change.order,
        )
    )
    if job.state is PrintState.PROCESSING and not job.processing:
        job = evolve(job, processing=at)
    if job.state.final:
        job = evolve(job, completed=at, processing=job.processing or at)
    return job


def _changed_member(member: PrintMember, change: PrintChange) -> PrintMember:
    if member.state.final:
        return member
    state = member.state if change.state is None else change.state
    reasons = member.reasons if change.reasons is None else change.reasons
    if change.state is not None and change.reasons is None:
        reasons = _FINAL_REASONS.get(state, ())
    return PrintMember(
        state,
        reasons,
        member.message if change.message is None else change.message,
        member.impressions if change.impressions is None else change.impressions,
        member.sheets if change.sheets is None else change.sheets,
        member.certainty if change.certainty is None else change.certainty,
        member.part if change.part is None else change.part,
        member.serial if change.serial is None else change.serial,
        member.printed if change.printed is None else change.printed,
        member.handed if change.handed is None else change.handed,
    )
