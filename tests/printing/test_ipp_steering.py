"""Operations on jobs and queues that are there."""

from __future__ import annotations

import pytest
from counter import PDF, URI, Counter, names, number, settled, value

from mailshare.core.values import PrinterState, PrintState
from mailshare.wire.ipp_codes import Operation, Status
from mailshare.wire.ipp_values import (
    Attribute,
    Group,
    Tag,
    Value,
    boolean,
    integer,
    keyword,
    name_of,
    out_of_band,
    text,
    uri,
)

P = PrintState


def test_cancel(counter: Counter) -> None:
    """One's own or as an operator; once; the row of the queue goes."""
    mine, other = counter.printed(), counter.printed(user="bert")
    counter.operator = False
    assert counter.on(Operation.CANCEL_JOB, other) == Status.NOT_AUTHORIZED
    assert counter.on(Operation.CANCEL_JOB, mine, text("message", "wrong file")) == Status.OK
    assert (counter.job(mine).state, counter.job(mine).message) == (P.CANCELED, "wrong file")
    assert counter.on(Operation.CANCEL_JOB, mine) == Status.NOT_POSSIBLE
    counter.operator = True
    assert counter.on(Operation.CANCEL_JOB, other) == Status.OK
    reasons = [counter.job(one).reasons for one in (mine, other)]
    assert reasons == [("job-canceled-by-user",), ("job-canceled-by-operator",)]
    assert counter.on(Operation.CANCEL_JOB, 99) == Status.NOT_FOUND
    assert settled(counter.service.store.queue.items(agent="print")) == []


def test_a_job_by_its_uri(counter: Counter) -> None:
    """job-uri alone names a job; of another queue it is not found."""
    job_id = counter.printed()
    by_uri = uri("job-uri", f"{URI}/{job_id}")
    assert counter.ask(Operation.GET_JOB_ATTRIBUTES, by_uri, printer="").code == Status.OK
    other = uri("job-uri", f"ipp://h/ipp/print/mono/{job_id}")
    assert counter.ask(Operation.GET_JOB_ATTRIBUTES, other, printer="").code == Status.NOT_FOUND
    assert counter.ask(Operation.GET_JOB_ATTRIBUTES, uri("job-uri", "x"), printer="").code == Status.NOT_FOUND
    assert counter.ask(Operation.GET_JOB_ATTRIBUTES).code == Status.BAD_REQUEST


def test_hold_and_release(counter: Counter) -> None:
    """By the job itself, by Hold-Job, by new jobs being held; the queue's rows follow."""
    held = counter.printed(keyword("job-hold-until", "indefinite"))
    assert counter.job(held).state is P.HELD
    assert counter.on(Operation.RELEASE_JOB, held) == Status.OK
    assert counter.job(held).state is P.PENDING
    assert counter.on(Operation.HOLD_JOB, held) == Status.OK
    assert counter.job(held).ticket.options == {"job-hold-until": "indefinite"}
    assert counter.on(Operation.HOLD_JOB, held, keyword("job-hold-until", "night")) == Status.ATTRIBUTES_NOT_SUPPORTED
    assert counter.ask(Operation.HOLD_NEW_JOBS).code == Status.OK
    assert counter.ask(Operation.PAUSE_PRINTER).code == Status.OK
    about = counter.ask(Operation.GET_PRINTER_ATTRIBUTES).group(Tag.PRINTER).get("printer-state-reasons")
    assert about is not None
    assert about.texts() == ("paused", "hold-new-jobs")
    assert counter.ask(Operation.RESUME_PRINTER).code == Status.OK
    new = counter.printed()
    assert counter.job(new).state is P.HELD
    assert counter.ask(Operation.RELEASE_HELD_NEW_JOBS).code == Status.OK
    assert [counter.job(one).state for one in (held, new)] == [P.HELD, P.PENDING]
    counter.change(new, P.PROCESSING)
    assert counter.on(Operation.HOLD_JOB, new) == Status.NOT_POSSIBLE


def test_restart_and_the_same_as_a_new_job(counter: Counter) -> None:
    """Restart keeps the number; Reprocess and Resubmit make a new job of the documents."""
    job_id = counter.printed(integer("copies", 2))
    assert counter.on(Operation.RESTART_JOB, job_id) == Status.NOT_POSSIBLE
    counter.change(job_id, P.COMPLETED)
    assert counter.on(Operation.RESTART_JOB, job_id) == Status.OK
    assert counter.job(job_id).state is P.PENDING
    counter.change(job_id, P.COMPLETED)
    for code in (Operation.REPROCESS_JOB, Operation.RESUBMIT_JOB):
        said = counter.ask(code, integer("job-id", job_id))
        new = counter.job(number(said))
        assert (new.id != job_id, new.ticket.options, new.documents[0].length) == (True, {"copies": 2}, len(PDF))
        assert new.ticket.uuid != counter.job(job_id).ticket.uuid
        body, offset = settled(counter.service.store.print_jobs.document(new.id, 1))
        assert settled(body.read(offset, 1000)) == PDF
    counter.clock.advance(2 * 86_400)
    settled(counter.service._tidy())
    assert counter.on(Operation.REPROCESS_JOB, job_id) in (Status.NOT_POSSIBLE, Status.TEMPORARY_ERROR)


def test_set_job_attributes(counter: Counter) -> None:
    """What can be set, is; the rest refuses all of it."""
    job_id = counter.printed(integer("copies", 2), keyword("sides", "one-sided"))

    def set_to(*attributes: Attribute) -> int:
        return counter.on(Operation.SET_JOB_ATTRIBUTES, job_id, groups=[Group(Tag.JOB, attributes)])

    assert (
        set_to(integer("copies", 4), name_of("job-name", "New"), out_of_band("sides", Tag.DELETE_ATTRIBUTE))
        == Status.OK
    )
    job = counter.job(job_id)
    assert (job.ticket.options, job.ticket.name) == ({"copies": 4}, "New")
    assert set_to(integer("job-id", 7)) == Status.ATTRIBUTES_NOT_SETTABLE
    assert set_to(integer("copies", 7000)) == Status.ATTRIBUTES_NOT_SUPPORTED
    assert set_to(keyword("job-hold-until", "indefinite")) == Status.OK
    assert counter.job(job_id).state is P.HELD
    counter.change(job_id, P.COMPLETED)
    assert set_to(integer("copies", 1)) == Status.NOT_POSSIBLE


def test_cancel_several(counter: Counter) -> None:
    """Cancel-My-Jobs takes one's own; named ones all together or none; Cancel-Jobs is an operator's."""
    mine = [counter.printed(), counter.printed()]
    other = counter.printed(user="bert")
    counter.operator = False
    both = Attribute("job-ids", tuple(Value(Tag.INTEGER, one) for one in (mine[0], other)))
    said = counter.ask(Operation.CANCEL_MY_JOBS, both)
    assert said.code == Status.NOT_AUTHORIZED
    assert said.group(Tag.UNSUPPORTED_GROUP).get("job-ids") == integer("job-ids", other)
    assert counter.job(mine[0]).state is P.PENDING
    assert counter.ask(Operation.CANCEL_MY_JOBS).code == Status.OK
    assert [counter.job(one).state for one in (*mine, other)] == [P.CANCELED, P.CANCELED, P.PENDING]
    assert counter.ask(Operation.CANCEL_JOBS).code == Status.NOT_AUTHORIZED
    counter.operator = True
    assert counter.ask(Operation.CANCEL_JOBS, integer("job-ids", mine[0])).code == Status.NOT_POSSIBLE
    assert counter.ask(Operation.CANCEL_JOBS).code == Status.OK
    assert counter.job(other).state is P.CANCELED


def test_purge(counter: Counter) -> None:
    """An operator takes all of a queue's jobs away, and nobody else does."""
    counter.printed()
    counter.change(counter.printed(), P.COMPLETED)
    kept = number(counter.print(printer="ipp://h/ipp/print/mono"))
    counter.operator = False
    assert counter.ask(Operation.PURGE_JOBS).code == Status.NOT_AUTHORIZED
    counter.operator = True
    assert counter.ask(Operation.PURGE_JOBS).code == Status.OK
    assert [job.id for job in settled(counter.service.store.print_jobs.jobs())] == [kept]
    assert counter.ask(Operation.GET_JOBS, keyword("which-jobs", "all")).groups[1:] == ()


@pytest.mark.parametrize(
    "code",
    [
        Operation.PAUSE_PRINTER,
        Operation.RESUME_PRINTER,
        Operation.ENABLE_PRINTER,
        Operation.DISABLE_PRINTER,
        Operation.PAUSE_PRINTER_AFTER_CURRENT_JOB,
        Operation.HOLD_NEW_JOBS,
        Operation.RELEASE_HELD_NEW_JOBS,
        Operation.RESTART_PRINTER,
        Operation.SHUTDOWN_PRINTER,
        Operation.STARTUP_PRINTER,
        Operation.SET_PRINTER_ATTRIBUTES,
        Operation.SUSPEND_CURRENT_JOB,
        Operation.RESUME_JOB,
        Operation.PROMOTE_JOB,
        Operation.SCHEDULE_JOB_AFTER,
    ],
)
def test_only_operators_steer(counter: Counter, code: Operation) -> None:
    """From elsewhere all of these are refused."""
    counter.operator = False
    assert counter.on(code, counter.printed()) == Status.NOT_AUTHORIZED


def _printer(counter: Counter) -> Group:
    return counter.ask(Operation.GET_PRINTER_ATTRIBUTES).group(Tag.PRINTER)


def test_pause_and_go_on(counter: Counter) -> None:
    """Stopped with its reason; after the job under way; started again."""
    assert counter.ask(Operation.PAUSE_PRINTER).code == Status.OK
    found = _printer(counter)
    assert (value(found, "printer-state"), value(found, "printer-state-reasons")) == (PrinterState.STOPPED, "paused")
    assert counter.ask(Operation.RESUME_PRINTER).code == Status.OK
    assert value(_printer(counter), "printer-state") == PrinterState.IDLE
    job_id = counter.printed()
    counter.change(job_id, P.PROCESSING)
    assert counter.ask(Operation.PAUSE_PRINTER_AFTER_CURRENT_JOB).code == Status.OK
    found = _printer(counter)
    assert (value(found, "printer-state"), value(found, "printer-state-reasons")) == (
        PrinterState.PROCESSING,
        "moving-to-paused",
    )
    counter.change(job_id, P.COMPLETED)
    assert value(_printer(counter), "printer-state") == PrinterState.STOPPED
    assert counter.ask(Operation.SHUTDOWN_PRINTER).code == Status.OK
    found = _printer(counter)
    assert (value(found, "printer-state-reasons"), value(found, "printer-is-accepting-jobs")) == ("shutdown", False)
    assert counter.ask(Operation.STARTUP_PRINTER).code == Status.OK
    assert value(_printer(counter), "printer-is-accepting-jobs") is True


def test_trouble_on_the_way_is_trouble_of_the_printer(counter: Counter) -> None:
    """What the agent meets stands in printer-state-reasons, with its words, until it is over."""
    job_id = counter.printed()
    counter.change(
        job_id, P.PROCESSING, reasons=("job-outgoing", "connecting-to-device"), message="The provider is away"
    )
    found = _printer(counter)
    assert found.get("printer-state-reasons") == keyword("printer-state-reasons", "connecting-to-device")
    assert value(found, "printer-state-message") == "The provider is away"
    counter.change(job_id, P.COMPLETED)
    assert value(_printer(counter), "printer-state-reasons") == "none"


def test_what_a_device_lacks_is_lacking_at_its_queue(counter: Counter) -> None:
    """Conditions of the device stand in printer-state-reasons while a job waits there; the job's own do not."""
    job_id = counter.printed()
    reasons = ("printer-stopped", "job-printing", "media-needed-error", "toner-low-report", "paused")
    counter.change(job_id, P.PROCESSING, reasons=reasons, message="Load A4 paper")
    found = _printer(counter)
    assert found.get("printer-state-reasons") == keyword(
        "printer-state-reasons", "media-needed-error", "toner-low-report"
    )
    assert value(found, "printer-state-message") == "Load A4 paper"
    counter.change(job_id, P.COMPLETED)
    assert value(_printer(counter), "printer-state-reasons") == "none"


def test_suspend_and_resume(counter: Counter) -> None:
    """What has not left stays; what the printer has cannot be called back."""
    job_id = counter.printed()
    assert counter.ask(Operation.SUSPEND_CURRENT_JOB).code == Status.NOT_POSSIBLE
    counter.change(job_id, P.PROCESSING, reasons=("job-outgoing",))
    assert counter.ask(Operation.SUSPEND_CURRENT_JOB).code == Status.OK
    assert counter.job(job_id).state is P.STOPPED
    assert counter.on(Operation.RESUME_JOB, job_id) == Status.OK
    assert counter.job(job_id).state is P.PENDING
    counter.change(job_id, P.PROCESSING, reasons=("queued-in-device",))
    assert counter.ask(Operation.SUSPEND_CURRENT_JOB).code == Status.NOT_POSSIBLE
    assert counter.ask(Operation.CANCEL_CURRENT_JOB).code == Status.OK
    assert counter.job(job_id).state is P.CANCELED


def test_the_order_of_jobs(counter: Counter) -> None:
    """Priority, then turn; promoted to the front, scheduled behind another."""
    first, second, third = counter.printed(), counter.printed(), counter.printed()

    def order() -> list[int]:
        said = counter.ask(Operation.GET_JOBS)
        return [value(group, "job-id") for group in said.groups if group.tag == Tag.JOB]

    assert order() == [first, second, third]
    assert counter.on(Operation.PROMOTE_JOB, third) == Status.OK
    assert order() == [third, first, second]
    assert counter.on(Operation.SCHEDULE_JOB_AFTER, third, integer("predecessor-job-id", first)) == Status.OK
    assert order() == [first, third, second]
    urgent = counter.printed(integer("job-priority", 100))
    assert order()[0] == urgent
    found = counter.ask(Operation.GET_JOB_ATTRIBUTES, integer("job-id", second)).group(Tag.JOB)
    assert value(found, "number-of-intervening-jobs") == 3
    assert counter.on(Operation.SCHEDULE_JOB_AFTER, third, integer("predecessor-job-id", 99)) == Status.NOT_FOUND


def test_documents_of_a_job(counter: Counter) -> None:
    """Looked at, renamed, canceled before the job goes."""
    job_id = number(
        counter.ask(Operation.CREATE_JOB, groups=[Group(Tag.JOB, (keyword("job-hold-until", "indefinite"),))])
    )
    for last in (False, True):
        counter.ask(
            Operation.SEND_DOCUMENT,
            integer("job-id", job_id),
            boolean("last-document", last),
            groups=[Group(Tag.DOCUMENT, (keyword("sides", "one-sided"),))],
            data=PDF,
        )
    listed = counter.ask(Operation.GET_DOCUMENTS, integer("job-id", job_id))
    assert [value(group, "document-number") for group in listed.groups[1:]] == [1, 2]
    assert [value(group, "last-document") for group in listed.groups[1:]] == [False, True]
    second = integer("document-number", 2)
    named = Group(Tag.DOCUMENT, (name_of("document-name", "two"), keyword("sides", "two-sided-long-edge")))
    assert counter.on(Operation.SET_DOCUMENT_ATTRIBUTES, job_id, second, groups=[named]) == Status.OK
    wrong = Group(Tag.DOCUMENT, (integer("k-octets", 2),))
    assert (
        counter.on(Operation.SET_DOCUMENT_ATTRIBUTES, job_id, second, groups=[wrong]) == Status.ATTRIBUTES_NOT_SETTABLE
    )
    assert counter.on(Operation.CANCEL_DOCUMENT, job_id, integer("document-number", 1)) == Status.OK
    assert counter.on(Operation.CANCEL_DOCUMENT, job_id, integer("document-number", 1)) == Status.NOT_POSSIBLE
    assert counter.on(Operation.CANCEL_DOCUMENT, job_id, integer("document-number", 9)) == Status.NOT_FOUND
    found = counter.ask(Operation.GET_DOCUMENT_ATTRIBUTES, integer("job-id", job_id), second).group(Tag.DOCUMENT)
    assert (value(found, "document-name"), value(found, "sides"), value(found, "last-document")) == (
        "two",
        "two-sided-long-edge",
        True,
    )
    assert [one.canceled for one in counter.job(job_id).documents] == [True, False]


def test_set_printer_attributes(counter: Counter) -> None:
    """Texts are kept over restarts, all or none."""
    new = (text("printer-location", "Cellar"), uri("printer-geo-location", "geo:52.5,13.4"))
    assert counter.ask(Operation.SET_PRINTER_ATTRIBUTES, groups=[Group(Tag.PRINTER, new)]).code == Status.OK
    found = _printer(counter)
    assert [value(found, one.name) for one in new] == ["Cellar", "geo:52.5,13.4"]
    wrong = (text("printer-location", "Roof"), name_of("printer-name", "x"))
    said = counter.ask(Operation.SET_PRINTER_ATTRIBUTES, groups=[Group(Tag.PRINTER, wrong)])
    assert (said.code, names(said.group(Tag.UNSUPPORTED_GROUP))) == (Status.ATTRIBUTES_NOT_SETTABLE, ["printer-name"])
    assert value(_printer(counter), "printer-location") == "Cellar"
    settled(counter.service.states.load())
    assert counter.service.states.get("office").texts["printer-location"] == "Cellar"
    possible = counter.ask(Operation.GET_PRINTER_SUPPORTED_VALUES, keyword("requested-attributes", "printer-info"))
    assert possible.group(Tag.PRINTER).attributes == (out_of_band("printer-info", Tag.ADMIN_DEFINE),)


def test_identify(counter: Counter) -> None:
    """A line of the journal; actions that need the printer's own lamp or voice are refused."""
    assert counter.ask(Operation.IDENTIFY_PRINTER, text("message", "here")).code == Status.OK
    assert counter.noted == [("print.identify", "anna", {"queue": "office", "peer": "127.0.0.1", "message": "here"})]
    flash = keyword("identify-actions", "flash")
    assert counter.ask(Operation.IDENTIFY_PRINTER, flash).code == Status.ATTRIBUTES_NOT_SUPPORTED


def test_a_job_that_nobody_reports_of_ends(counter: Counter) -> None:
    """After more days than any printing server keeps a job; one that is held stays."""
    lost, held = counter.printed(), counter.printed(keyword("job-hold-until", "indefinite"))
    counter.change(lost, P.PROCESSING, reasons=("queued-in-device",))
    counter.clock.advance(8 * 86_400 - 100)
    settled(counter.service._tidy())
    assert counter.job(lost).state is P.PROCESSING
    counter.clock.advance(200)
    settled(counter.service._tidy())
    assert (counter.job(lost).state, counter.job(lost).message) == (P.ABORTED, "Nobody has reported what became of it")
    assert counter.job(held).state is P.HELD
