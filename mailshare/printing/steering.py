"""Operations on jobs that are there.

Sources: RFC 8011 sections 4.3.3 to 4.3.7, RFC 3380, RFC 3998, PWG 5100.5, 5100.7 and 5100.11.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import evolve

from mailshare.core.values import PrintChange, PrintJob, PrintState
from mailshare.printing.asking import document_of
from mailshare.printing.destinations import Destination
from mailshare.printing.exchange import Begin, Exchange, Work
from mailshare.wire.ipp_asked import Refused, printable
from mailshare.wire.ipp_codes import Operation, Status
from mailshare.wire.ipp_job import CREATED
from mailshare.wire.ipp_printer import DOCUMENT_SETTABLE, JOB_SETTABLE
from mailshare.wire.ipp_template import HOLDS
from mailshare.wire.ipp_values import Attribute, Message, Tag, Value

_WORDS = (Tag.KEYWORD, Tag.NAME, Tag.NAME_WITH_LANGUAGE)


def _changing(exchange: Exchange, job: PrintJob, change: PrintChange, *, possible: bool) -> Work:
    """The work of one change of one job.

    :raises Refused: the job's state does not allow it.
    """
    if not possible:
        raise Refused(Status.NOT_POSSIBLE, f"That is not possible while the job is {job.state.name.lower()}")

    async def work() -> Message:
        await exchange.service.change(job, change)
        return exchange.done()

    return work


def _canceled(exchange: Exchange, job: PrintJob) -> PrintChange:
    by = "job-canceled-by-user" if job.ticket.user == exchange.request.user else "job-canceled-by-operator"
    message = printable(exchange.request.text("message", Tag.TEXT))
    return PrintChange(state=PrintState.CANCELED, reasons=(by,), message=message)


def cancel_job(exchange: Exchange) -> Work:
    """Cancel-Job."""
    _, job = exchange.job()
    exchange.own(job)
    return _changing(exchange, job, _canceled(exchange, job), possible=not job.state.final)


def _hold_until(exchange: Exchange, default: str) -> str:
    """The ``job-hold-until`` of a request.

    :raises Refused: it is none that is supported.
    """
    asked = exchange.request.text("job-hold-until", *_WORDS, default=default)
    if asked not in HOLDS:
        attribute = exchange.request.operation.get("job-hold-until")
        raise Refused(Status.ATTRIBUTES_NOT_SUPPORTED, "Jobs are not held until then", [attribute] if attribute else [])
    return asked


def hold_job(exchange: Exchange) -> Work:
    """Hold-Job: a job that is not on its way waits until it is released."""
    _, job = exchange.job()
    exchange.own(job)
    held = _hold_until(exchange, "indefinite") != "no-hold"
    possible = job.state in (PrintState.PENDING, PrintState.HELD)
    options = {**job.ticket.options, "job-hold-until": "indefinite" if held else "no-hold"}
    return _changing(exchange, job, PrintChange(held=held, options=options), possible=possible)


def release_job(exchange: Exchange) -> Work:
    """Release-Job."""
    _, job = exchange.job()
    exchange.own(job)
    options = {name: value for name, value in job.ticket.options.items() if name != "job-hold-until"}
    return _changing(exchange, job, PrintChange(held=False, options=options), possible=not job.state.final)


def restart_job(exchange: Exchange) -> Work:
    """Restart-Job: a finished job begins again, under its own number."""
    _, job = exchange.job()
    exchange.own(job)
    held = _hold_until(exchange, "no-hold") != "no-hold"
    return _changing(
        exchange, job, PrintChange(again=True, held=held), possible=job.state.final and bool(job.documents)
    )


def suspend_current_job(exchange: Exchange) -> Work:
    """Suspend-Current-Job: what is not out of our hands yet stays here."""
    exchange.operate()
    queue = exchange.queue()
    job = _current(exchange, queue)
    change = PrintChange(state=PrintState.STOPPED, reasons=("job-suspended",), held=True)
    return _changing(exchange, job, change, possible="queued-in-device" not in job.reasons)


def resume_job(exchange: Exchange) -> Work:
    """Resume-Job: a suspended job goes on."""
    exchange.operate()
    _, job = exchange.job()
    change = PrintChange(state=PrintState.PENDING, reasons=(), held=False)
    return _changing(exchange, job, change, possible=job.state is PrintState.STOPPED)


def _current(exchange: Exchange, queue: Destination) -> PrintJob:
    """The job that ``job-id`` names, if it is under way; else the one that is.

    :raises Refused: there is none, or another one.
    """
    under_way = [job for job in exchange.service.board.waiting(queue.name) if job.state is PrintState.PROCESSING]
    asked = exchange.request.number("job-id")
    found = next((job for job in under_way if asked in (None, job.id)), None)
    if found is None:
        raise Refused(Status.NOT_POSSIBLE, "That job is not under way")
    return found


def cancel_current_job(exchange: Exchange) -> Work:
    """Cancel-Current-Job."""
    queue = exchange.queue()
    job = _current(exchange, queue)
    exchange.own(job)
    return _changing(exchange, job, _canceled(exchange, job), possible=True)


def _several(exchange: Exchange, queue: Destination, *, mine: bool) -> Sequence[PrintJob]:
    """The jobs that ``job-ids`` names, or all that are not over.

    :raises Refused: one of those named is not there, over, or somebody else's.
    """
    board, ids = exchange.service.board, exchange.request.operation.get("job-ids")
    if ids is None:
        user = exchange.request.user
        return [job for job in board.waiting(queue.name) if not mine or job.ticket.user == user]
    found, wrong = [], []
    for value in ids.values:
        job = board.get(value.number)
        if job is None or job.ticket.queue != queue.name:
            wrong.append((Status.NOT_FOUND, value))
        elif job.state.final:
            wrong.append((Status.NOT_POSSIBLE, value))
        elif mine and job.ticket.user != exchange.request.user:
            wrong.append((Status.NOT_AUTHORIZED, value))
        else:
            found.append(job)
    if wrong:
        unsupported = Attribute("job-ids", tuple(value for _, value in wrong))
        raise Refused(wrong[0][0], "Not all of these jobs can be canceled", [unsupported])
    return found


def cancel_jobs(exchange: Exchange) -> Work:
    """Cancel-Jobs (an operator's) and Cancel-My-Jobs: all together or none."""
    mine = exchange.request.message.code == Operation.CANCEL_MY_JOBS
    if not mine:
        exchange.operate()
    queue = exchange.queue()
    jobs = _several(exchange, queue, mine=mine)

    async def work() -> Message:
        for job in jobs:
            await exchange.service.change(job, _canceled(exchange, job))
        return exchange.done()

    return work


def purge_jobs(exchange: Exchange) -> Work:
    """Purge-Jobs: an operator takes all jobs of a queue away, finished ones too."""
    exchange.operate()
    queue = exchange.queue()

    async def work() -> Message:
        await exchange.service.purge(exchange.service.board.listed(queue.name, "all"))
        return exchange.done()

    return work


def set_job_attributes(exchange: Exchange) -> Work:
    """Set-Job-Attributes (RFC 3380 section 4.2)."""
    queue, job = exchange.job()
    exchange.own(job)
    group = exchange.request.message.group(Tag.JOB)
    fixed = [
        Attribute(one.name, (Value(Tag.NOT_SETTABLE),)) for one in group.attributes if one.name not in JOB_SETTABLE
    ]
    if fixed:
        raise Refused(Status.ATTRIBUTES_NOT_SETTABLE, "Not all of these attributes can be set", fixed)
    gone = {one.name for one in group.attributes if one.first.tag == Tag.DELETE_ATTRIBUTE}
    new = evolve(group, attributes=tuple(one for one in group.attributes if one.name not in gone))
    options = exchange.request.options(new, queue.abilities, others=("job-name",))
    exchange.request.refuse_ignored()
    name = new.get("job-name")
    kept = {key: value for key, value in job.ticket.options.items() if key not in gone}
    change = PrintChange(options={**kept, **options}, name=printable(name.first.text)[:255] if name else None)
    if "job-hold-until" in options or "job-hold-until" in gone:
        change = evolve(change, held=options.get("job-hold-until", "no-hold") != "no-hold")
    possible = job.state in (PrintState.PENDING, PrintState.HELD)
    return _changing(exchange, job, change, possible=possible)


# --------------------------------------------------------------------------- the same documents once more


def again_as_new(exchange: Exchange) -> Work:
    """Reprocess-Job and Resubmit-Job: a new job with the documents of a finished one (RFC 3998, PWG 5100.7)."""
    queue, job = exchange.job()
    exchange.own(job)
    if not job.state.final or not job.documents:
        raise Refused(Status.NOT_POSSIBLE, "Only a finished job whose documents are kept can be printed anew")
    options = exchange.request.options(exchange.request.message.group(Tag.JOB), queue.abilities)
    held = _hold_until(exchange, "no-hold") != "no-hold"
    ticket = exchange.service.ticket(
        queue,
        user=exchange.request.user,
        name=job.ticket.name,
        options={**job.ticket.options, **options},
        fidelity=job.ticket.fidelity,
        notify=job.ticket.notify,
        via=exchange.caller.scheme,
        peer=exchange.caller.peer,
        language=job.ticket.language,
    )

    async def work() -> Message:
        jobs = exchange.service.store.print_jobs
        documents = [(one, (await jobs.document(job.id, one.number))[0]) for one in job.documents]
        new = await jobs.take(ticket, documents, exchange.service.now(), held=held)
        return exchange.done([exchange.job_group(new, queue, CREATED)])

    return work


# --------------------------------------------------------------------------- the order of jobs


def promote_job(exchange: Exchange) -> Work:
    """Promote-Job: it is the next one (RFC 3998 section 4.4)."""
    exchange.operate()
    queue, job = exchange.job()
    return _ordering(exchange, queue, job, None)


def schedule_job_after(exchange: Exchange) -> Work:
    """Schedule-Job-After: behind the job that is named, else the next one (RFC 3998 section 4.5)."""
    exchange.operate()
    queue, job = exchange.job()
    number = exchange.request.number("predecessor-job-id")
    before = None if number is None else exchange.service.board.get(number)
    if number is not None and (before is None or before.ticket.queue != queue.name):
        raise Refused(Status.NOT_FOUND, f"There is no job {number} on this printer")
    if before is not None and (before.state.final or before.id == job.id):
        raise Refused(Status.NOT_POSSIBLE, f"Nothing can be scheduled behind job {number}")
    return _ordering(exchange, queue, job, before)


def _ordering(exchange: Exchange, queue: Destination, job: PrintJob, before: PrintJob | None) -> Work:
    """Put a job behind another one, or in front of all that wait; it takes over the other's priority."""
    if job.state not in (PrintState.PENDING, PrintState.HELD):
        raise Refused(Status.NOT_POSSIBLE, "Only a job that waits can go earlier or later")
    jobs = [one for one in exchange.service.board.waiting(queue.name) if one.id != job.id]
    place = 0
    if before is not None:
        place = next((index + 1 for index, one in enumerate(jobs) if one.id == before.id), 0)
    neighbour = before or next((one for one in jobs if one.state is not PrintState.PROCESSING), job)
    jobs.insert(place, job)
    first = min(one.order for one in jobs)
    options = {name: value for name, value in job.ticket.options.items() if name != "job-priority"}
    if "job-priority" in neighbour.ticket.options:
        options["job-priority"] = neighbour.ticket.options["job-priority"]

    async def work() -> Message:
        for index, one in enumerate(jobs):
            if one.id == job.id:
                await exchange.service.change(one, PrintChange(order=first + index, options=options))
            elif one.order != first + index:
                await exchange.service.change(one, PrintChange(order=first + index))
        exchange.service.order_changed(queue)
        return exchange.done()

    return work


# --------------------------------------------------------------------------- documents


def cancel_document(exchange: Exchange) -> Work:
    """Cancel-Document (PWG 5100.5 section 4.1)."""
    _, job, document = document_of(exchange)
    exchange.own(job)
    possible = not document.canceled and job.state in (PrintState.PENDING, PrintState.HELD)
    documents = tuple(evolve(one, canceled=True) if one is document else one for one in job.documents)
    return _changing(exchange, job, PrintChange(documents=documents), possible=possible)


def set_document_attributes(exchange: Exchange) -> Work:
    """Set-Document-Attributes (PWG 5100.5 section 4.6)."""
    queue, job, document = document_of(exchange)
    exchange.own(job)
    group = exchange.request.message.group(Tag.DOCUMENT)
    options = exchange.request.options(group, queue.abilities, others=DOCUMENT_SETTABLE)
    exchange.request.refuse_ignored(Status.ATTRIBUTES_NOT_SETTABLE)
    name, language = group.get("document-name"), group.get("document-natural-language")
    changed = evolve(
        document,
        name=printable(name.first.text)[:255] if name else document.name,
        language=printable(language.first.text)[:63] if language else document.language,
        options={**document.options, **options},
    )
    documents = tuple(changed if one is document else one for one in job.documents)
    possible = job.state in (PrintState.PENDING, PrintState.HELD)
    return _changing(exchange, job, PrintChange(documents=documents), possible=possible)


STEERING: Mapping[int, Begin] = {
    Operation.CANCEL_JOB: cancel_job,
    Operation.HOLD_JOB: hold_job,
    Operation.RELEASE_JOB: release_job,
    Operation.RESTART_JOB: restart_job,
    Operation.SUSPEND_CURRENT_JOB: suspend_current_job,
    Operation.RESUME_JOB: resume_job,
    Operation.CANCEL_CURRENT_JOB: cancel_current_job,
    Operation.CANCEL_JOBS: cancel_jobs,
    Operation.CANCEL_MY_JOBS: cancel_jobs,
    Operation.PURGE_JOBS: purge_jobs,
    Operation.SET_JOB_ATTRIBUTES: set_job_attributes,
    Operation.REPROCESS_JOB: again_as_new,
    Operation.RESUBMIT_JOB: again_as_new,
    Operation.PROMOTE_JOB: promote_job,
    Operation.SCHEDULE_JOB_AFTER: schedule_job_after,
    Operation.CANCEL_DOCUMENT: cancel_document,
    Operation.SET_DOCUMENT_ATTRIBUTES: set_document_attributes,
}
