"""What the sender of a job that came by mail is told, from how the job stands."""

from __future__ import annotations

import pytest
from attrs import evolve

from mailshare.core.print_jobs import changed, opened, standing
from mailshare.core.print_news import news_of
from mailshare.core.print_status import Happening
from mailshare.core.values import Certainty, PrintChange, PrintJob, PrintMail, PrintState, PrintTicket

AT = 1_800_000_000_000_000
UUID = "0190b3d0-0000-7000-8000-000000000001"
MAIL = PrintMail(UUID, sender="anna@far.example", reply="anna@far.example")


def job(*notify: str, held: bool = False, mail: PrintMail | None = MAIL) -> PrintJob:
    """A whole job that came by mail."""
    ticket = PrintTicket(UUID, "Office", name="Agenda", notify=notify, mail=mail)
    return standing(evolve(opened(PrintJob(1, ticket, PrintState.PENDING, AT, held=held)), closed=True))


def told(one: PrintJob) -> Happening | None:
    """The word of its news."""
    news = news_of(one, AT)
    return news.status.happening if news else None


@pytest.mark.parametrize(
    ("state", "notify", "word"),
    [
        (PrintState.COMPLETED, ("done",), Happening.DONE),
        (PrintState.COMPLETED, ("error",), None),
        (PrintState.COMPLETED, ("pages",), Happening.DONE),
        (PrintState.ABORTED, ("error",), Happening.FAILED),
        (PrintState.ABORTED, (), None),
        (PrintState.CANCELED, ("error",), Happening.CANCELED),
        (PrintState.PROCESSING, ("done", "error"), None),
        (PrintState.PROCESSING, ("trace",), Happening.PRINTING),
        (PrintState.PENDING, ("trace",), Happening.RECEIVED),
        (PrintState.PENDING, ("done",), None),
    ],
)
def test_senders_are_told_what_they_asked_for(
    state: PrintState, notify: tuple[str, ...], word: Happening | None
) -> None:
    """PL10: done, error and trace each bring their mails and no others."""
    assert told(changed(job(*notify), PrintChange(state=state), AT)) is word


def test_a_held_job_is_told_whatever_was_asked_for() -> None:
    """It waits for an answer that nobody would give otherwise."""
    assert told(job(held=True)) is Happening.HELD


def test_a_program_of_the_office_gets_no_mail() -> None:
    """Jobs without an address to tell have no news."""
    assert news_of(changed(job("trace", mail=None), PrintChange(state=PrintState.COMPLETED), AT), AT) is None


def test_what_nobody_knows_is_told_as_unknown() -> None:
    """PL18 and section 5.1: neither printed nor failed; with the time of the end and the reasons."""
    change = PrintChange(state=PrintState.ABORTED, certainty="unknown", message="The line broke", impressions=2)
    news = news_of(changed(job("error"), change, AT + 5), AT + 9)
    assert news is not None
    status = news.status
    assert (status.happening, status.certainty, status.at) == (Happening.UNKNOWN, Certainty.UNKNOWN, AT + 5)
    assert (status.error, status.words, status.impressions) == ("aborted-by-system", "The line broke", 2)


def test_what_was_told_is_not_told_again_until_the_job_begins_anew() -> None:
    """The mark stands in the job, also when it is over; a job that is printed again is told again."""
    done = changed(job("done"), PrintChange(state=PrintState.COMPLETED), AT)
    news = news_of(done, AT)
    assert news is not None
    marked = changed(done, PrintChange(told=(news.mark,)), AT)
    assert marked.state is PrintState.COMPLETED
    assert news_of(marked, AT) is None
    again = changed(changed(marked, PrintChange(again=True), AT), PrintChange(state=PrintState.COMPLETED), AT)
    assert told(again) is Happening.DONE


def test_each_trouble_of_the_printer_is_news_in_a_trace() -> None:
    """PL11: the printer's status is one of the five events."""
    printing = changed(job("trace"), PrintChange(state=PrintState.PROCESSING, reasons=("job-printing",)), AT)
    news = news_of(printing, AT)
    assert news is not None
    printing = changed(printing, PrintChange(told=(news.mark,)), AT)
    empty = changed(printing, PrintChange(reasons=("job-printing", "media-empty-error")), AT)
    news = news_of(empty, AT)
    assert news is not None
    assert news.status.reasons == ("media-empty-error",)


def test_who_asked_for_errors_hears_of_a_printer_that_stands_still() -> None:
    """PL10: out of paper is one, and that it goes on is told, too; little paper, or a busy printer, is not."""
    printing = changed(job("error"), PrintChange(state=PrintState.PROCESSING, reasons=("job-printing",)), AT)
    assert told(printing) is None
    for harmless in ("media-low-warning", "connecting-to-device", "paused"):
        assert told(changed(printing, PrintChange(reasons=("job-printing", harmless)), AT)) is None
    empty = changed(printing, PrintChange(reasons=("job-printing", "media-empty-error")), AT)
    news = news_of(empty, AT)
    assert news is not None
    assert news.status.reasons == ("media-empty-error",)
    empty = changed(empty, PrintChange(told=(news.mark,)), AT)
    assert told(empty) is None
    again = news_of(changed(empty, PrintChange(reasons=("job-printing",)), AT), AT)
    assert again is not None
    assert (again.status.happening, again.status.reasons) == (Happening.PRINTING, ())
    nobody = changed(job("done"), PrintChange(state=PrintState.PROCESSING, reasons=("media-empty-error",)), AT)
    assert told(nobody) is None
