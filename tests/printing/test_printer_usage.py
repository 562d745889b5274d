"""How much was printed: counted from the jobs, as CSV, and mailed once a month."""

from __future__ import annotations

import csv
import io

import pytest
from counter import settled
from status_office import StatusOffice

from mailshare.core.errors import PeerFault
from mailshare.core.headers import Headers
from mailshare.core.print_usage import COLUMNS, PrintUsage, month_before, month_of, span_of, usage_csv
from mailshare.core.values import PrintState
from mailshare.printing.destinations import Destination
from mailshare.printing.local_printer import LocalPrinter
from mailshare.printing.usage_reports import UsageReports

DAY = 86_400


def filled(office: StatusOffice) -> str:
    """Four jobs of two senders; the month in which they were over."""
    office.change(office.job(), state=PrintState.COMPLETED, impressions=3, sheets=2)
    office.change(office.job(pages=5), state=PrintState.COMPLETED)
    office.change(office.job(sender="bob@far.example"), state=PrintState.ABORTED)
    office.change(office.job(sender="bob@far.example", pages=9), state=PrintState.ABORTED, certainty="unknown")
    office.job()  # not over: not counted
    return month_of(office.counter.service.now())


def test_counters_are_made_of_the_jobs(office: StatusOffice) -> None:
    """What the printer counted, else what was counted before; a job in doubt is neither printed nor failed."""
    month = filled(office)
    rows = settled(office.store.print_jobs.usage(*span_of(month)))
    assert rows == [
        PrintUsage(month, "office", "anna@far.example", 2, 2, 0, 0, 8, 2),
        PrintUsage(month, "office", "bob@far.example", 2, 0, 1, 1, 0, 0),
    ]
    assert settled(office.store.print_jobs.usage(*span_of(month_before(month)))) == []


def test_jobs_by_mail_outlive_the_list_of_jobs(office: StatusOffice) -> None:
    """The ledger keeps them 400 days, whatever ``keep_jobs`` says."""
    month = filled(office)
    for days, left in ((40, 2), (365, 0)):
        office.wait(days * DAY)
        now = office.counter.service.now()
        settled(office.store.print_jobs.forget(documents_before=now, jobs_before=now))
        assert len(settled(office.store.print_jobs.usage(*span_of(month)))) == left


def test_a_spreadsheet_is_given_no_formula() -> None:
    """A sender may call himself what he likes."""
    row = PrintUsage("2026-11", "Office", '=HYPERLINK("x")', 1, 1, 0, 0, 2, 1)
    table = list(csv.reader(io.StringIO(usage_csv([row]))))
    assert table[0] == list(COLUMNS)
    assert table[1][2] == "'=HYPERLINK(\"x\")"


@pytest.mark.parametrize("text", ["2026-13", "2026", "1900-01", "2026-1", "x"])
def test_a_month_is_a_month(text: str) -> None:
    """Anything else is refused with an example."""
    with pytest.raises(PeerFault):
        span_of(text)


def test_the_months_meet() -> None:
    """December ends where January begins."""
    assert span_of("2026-12")[1] == span_of("2027-01")[0]
    assert month_before("2027-01") == "2026-12"


def test_the_use_is_mailed_when_a_month_is_over(office: StatusOffice) -> None:
    """Once, to each who is to have it, also over restarts; with the table."""
    month = filled(office)
    printer = LocalPrinter("office", Destination("office", "dir:/x"), usage=("boss@print.example",))
    office.counter.service.printers = {"office": printer}
    office.door.mails.clear()
    reports = UsageReports(office.counter.service, office.letters)
    settled(reports.look())
    assert office.door.mails == []
    office.wait(32 * DAY)
    office.door.mails.clear()
    for _ in range(2):
        settled(UsageReports(office.counter.service, office.letters).look())
    assert office.subjects() == [f"[print] usage of office in {month}: 8 pages"]
    octets = office.door.mails[0][1]
    assert Headers.parse(octets).first("auto-submitted") == "auto-generated"
    assert f"{month},office,anna@far.example,2,2,0,0,8,2\r\n".encode() in octets
