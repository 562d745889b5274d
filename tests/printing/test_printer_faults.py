"""Troubles of a printer: whose they are, in which words, and how often somebody is told."""

from __future__ import annotations

import pytest
from attrs import evolve
from counter import settled
from status_office import StatusOffice

from mailshare.core.headers import Headers
from mailshare.core.print_fault_words import FaultAt, Wording, fault_mail, fields_unknown
from mailshare.core.print_faults import (
    FaultNews,
    Role,
    Severity,
    after_telling,
    fault_news,
    observed,
    parted,
    roles_for,
)
from mailshare.core.values import PrinterState, PrinterStatus
from mailshare.printing.destinations import Destination
from mailshare.printing.fault_watch import FaultWatch
from mailshare.printing.local_printer import LocalPrinter

HOUR = 3_600_000_000
AT = 1_800_000_000_000_000
A, S, K = Role.ADMIN, Role.SERVICE, Role.KEY


@pytest.mark.parametrize(
    ("keyword", "roles"),
    [
        ("media-empty-error", (K,)),
        ("media-empty", (K,)),
        ("media-jam-warning", (K, S)),
        ("toner-low-report", ()),
        ("fuser-over-temp-error", (S,)),
        ("offline-report", (A, K)),
        ("connecting-to-device", (A,)),
        ("new-fangled-error", (A, K)),
        ("new-fangled-warning", (K,)),
    ],
)
def test_each_condition_is_somebodys(keyword: str, roles: tuple[Role, ...]) -> None:
    """PL8, PL9: errors, warnings and reports; what is not known goes by its severity."""
    assert roles_for(keyword, {}) == roles


def test_a_printers_own_matrix_holds_before_the_usual_one() -> None:
    """The exact keyword, then the condition, then the severity."""
    matrix = {"toner-low": (A,), "toner-low-error": (S,), "warning": (A, S), "report": (A,)}
    assert roles_for("toner-low-warning", matrix) == (A,)
    assert roles_for("toner-low-error", matrix) == (S,)
    assert roles_for("media-low-warning", matrix) == (A, S)
    assert roles_for("media-empty-error", matrix) == (K,)
    assert roles_for("media-low-report", matrix) == (A,)


def test_endings_tell_the_severity() -> None:
    """A keyword without one is an error (RFC 8011 section 5.4.12)."""
    assert parted("media-low-warning") == ("media-low", Severity.WARNING)
    assert parted("shutdown") == ("shutdown", Severity.ERROR)


def test_one_mail_an_hour_with_a_count_and_one_that_it_is_over() -> None:
    """A door that opens every minute is two mails in an hour, not a hundred and twenty."""
    troubles, sent, at = observed({}, (), AT), list[tuple[int, FaultNews]](), AT
    for minute in range(62):
        at = AT + minute * 60_000_000
        troubles = observed(troubles, ("door-open-error",) if minute % 2 == 0 else (), at)
        news = fault_news(troubles, at)
        sent += [(minute, one) for one in news]
        troubles = after_telling(troubles, news, at)
    told = [(minute, one.over, one.count) for minute, one in sent]
    assert told == [(0, False, 1), (1, True, 0), (60, False, 30), (61, True, 0)]
    assert observed(troubles, (), at + 2 * HOUR) == {}


def test_roles_read_different_mails() -> None:
    """PL8: own subject and text; the key user reads what to do, the administrator the keyword."""
    news, place = FaultNews("media-jam-error", AT), FaultAt("Office", "first floor", "Tray 2")
    mails = {role: fault_mail(role, news, place, Wording()) for role in Role}
    assert mails[K][0] == "[print] Office has a paper jam"
    assert mails[S][0] == "[print] service: Office has a paper jam"
    assert mails[A][0] == "[print] fault: Office: media-jam-error"
    assert "Open it and take the paper out." in " ".join(mails[K][1])
    assert "first floor" in mails[S][1][0]
    over = fault_mail(K, evolve(news, over=True, count=0), place, Wording())
    assert over[0] == "[print] cleared: Office has a paper jam"


def test_an_owner_writes_his_own_words() -> None:
    """Known fields are filled in, braces of others stay; a file with an unknown one is refused."""
    wording = Wording("{printer}!", "Please help {printer} {other}.\n\nIt {words}.")
    subject, words = fault_mail(K, FaultNews("media-empty", AT), FaultAt("Office"), wording)
    assert subject == "[print] Office!"
    assert words[:2] == ("Please help Office {other}.", "It is out of paper.")
    assert fields_unknown(wording.subject, wording.text) == ("other",)


@pytest.fixture
def watch(office: StatusOffice) -> FaultWatch:
    """The watch over one printer with three contacts."""
    contacts = {"admin": ("admin@print.example",), "service": ("s@service.example",), "key": ("anna@print.example",)}
    device = Destination("office", "dir:/x", location="first floor")
    office.counter.service.printers = {"office": LocalPrinter("office", device, contacts=contacts)}
    return FaultWatch(office.counter.service, office.letters)


def readers(office: StatusOffice) -> list[tuple[str, str]]:
    """To whom the mails went, and their subjects."""
    mails = [(one.recipients[0].address, Headers.parse(octets)) for one, octets in office.door.mails]
    return [(str(address), headers.text("subject")) for address, headers in mails]


def test_whoever_looks_after_a_printer_hears_of_it(office: StatusOffice, watch: FaultWatch) -> None:
    """Each role by its own mail, from the printer's address; and that it is over."""
    jam = PrinterStatus(PrinterState.STOPPED, ("media-jam-error",), "Tray 2")
    settled(watch.observe("office", jam))
    settled(watch.observe("office", jam))
    assert readers(office) == [
        ("anna@print.example", "[print] office has a paper jam"),
        ("s@service.example", "[print] service: office has a paper jam"),
    ]
    office.wait(60)
    settled(watch.observe("office", PrinterStatus(PrinterState.IDLE, ("none",))))
    assert [subject for _, subject in readers(office)[2:]] == [
        "[print] cleared: office has a paper jam",
        "[print] cleared: service: office has a paper jam",
    ]


def test_a_kill_after_the_mails_doubles_nothing(office: StatusOffice, watch: FaultWatch) -> None:
    """They were handed in, then the power failed: the next look finds them."""
    jam = PrinterStatus(PrinterState.STOPPED, ("media-jam-error",))
    put, turns = office.store.settings.put, list[int]()

    async def cut(*args: object) -> object:
        turns.append(1)
        if len(turns) == 2:
            raise SystemError("killed")
        return await put(*args)

    office.store.settings.put = cut
    office.counter.service.soon(watch.observe("office", jam))
    office.store.settings.put = put
    assert len(turns) == len(office.door.mails) == 2
    again = FaultWatch(office.counter.service, office.letters)
    for _ in range(2):
        settled(again.observe("office", jam))
    assert len(office.door.mails) == 2
