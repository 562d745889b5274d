"""Status mails of a printing server: each once, apart, in order, signed, and none lost by a kill."""

from __future__ import annotations

import pytest
from status_office import ANNA, KEY, PRINTER, StatusOffice, status_of, text_of

from mailshare.core.headers import Headers
from mailshare.core.print_status import Certainty, Happening
from mailshare.core.values import PrintNews, PrintState
from mailshare.printing.destinations import Destination
from mailshare.printing.local_printer import LocalPrinter
from mailshare.wire.jws import verified


def test_a_printed_job_is_told_once(office: StatusOffice) -> None:
    """PL10: one mail when the job is done, to whom the sender named, in answer to his mail, from nobody's envelope."""
    job = office.job("done")
    office.change(job, state=PrintState.PROCESSING)
    office.change(job, state=PrintState.COMPLETED, certainty="completed", impressions=3, sheets=2)
    office.wait(1)
    office.wait(3600)
    assert office.subjects() == ["[print] done: Agenda (3 pages on office)"]
    envelope, octets = office.door.mails[0]
    headers = Headers.parse(octets)
    assert (envelope.sender, [str(one.address) for one in envelope.recipients]) == (None, [ANNA])
    assert headers.message_ids("in-reply-to") == ("<job@far.example>",)
    assert headers.first("auto-submitted") == "auto-replied"
    assert [str(box.address) for box in headers.mailboxes("from")] == [str(PRINTER)]
    status, signed = status_of(octets)
    assert (status.happening, status.certainty, status.impressions) == (Happening.DONE, Certainty.COMPLETED, 3)
    assert signed.kid == ""


def test_words_come_in_the_order_in_which_readers_ask(office: StatusOffice) -> None:
    """Section 5.3: what happened, how sure, when, what to do, the job's id last."""
    job = office.job("error")
    office.change(job, state=PrintState.ABORTED, message="The paper is jammed", certainty="accepted")
    office.wait(1)
    text = text_of(office.door.mails[0][1])
    places = [text.index(word) for word in ("not printed", "The paper is jammed", "has all of the data", "At 20")]
    places += [text.index("#reprint"), text.index(f"Job {job.ticket.uuid}")]
    assert places == sorted(places)


def test_whoever_has_a_key_gets_a_signed_status(office: StatusOffice) -> None:
    """The redirector believes what its own key signed, and knows the job by its own name for it."""
    name = "0190b3d0-1111-7000-8000-000000000001"
    job = office.job("done", kid="branch", id=name)
    office.change(job, state=PrintState.COMPLETED)
    office.wait(1)
    status, signed = status_of(office.door.mails[0][1])
    assert verified(signed, KEY)
    assert status.id == name


def test_a_trace_is_one_mail_in_ten_seconds_with_all_that_happened(office: StatusOffice) -> None:
    """PL11 and coalescing: what happens within ten seconds of a mail is told by the next one, line by line."""
    job = office.job("trace")
    office.wait(1)
    assert office.subjects() == ["[print] received: Agenda (on office)"]
    office.change(job, state=PrintState.PROCESSING, reasons=("job-printing",))
    office.wait(2)
    office.change(job, reasons=("job-printing", "media-empty-error"))
    office.wait(2)
    office.change(job, state=PrintState.COMPLETED)
    assert len(office.subjects()) == 1
    office.wait(7)
    assert office.subjects()[1:] == ["[print] done: Agenda (on office)"]
    text = text_of(office.door.mails[1][1])
    assert "Z printing " in text
    assert "printing (media-empty-error)" in text


@pytest.mark.parametrize("killed", ["before the mail", "after the mail"])
def test_a_kill_between_the_end_and_its_mail_neither_loses_nor_doubles_it(
    office: StatusOffice, killed: str
) -> None:
    """The job's row says what was told; the mail's own id says that it was sent."""
    job = office.job("done")
    office.change(job, state=PrintState.COMPLETED)
    if killed == "after the mail":
        change = office.counter.service.change

        async def gone(*_: object) -> object:
            raise SystemError("killed")

        office.counter.service.change = gone  # type: ignore[method-assign, assignment]
        office.wait(1)
        office.counter.service.change = change  # type: ignore[method-assign]
        assert len(office.door.mails) == 1
        assert office.now(job).told == ()
    office.desk.close()
    office.open()
    office.wait(1)
    office.wait(20)
    assert office.subjects() == ["[print] done: Agenda (on office)"]
    assert office.now(job).told == ("0:done",)
    office.desk.close()
    office.open()
    office.wait(20)
    assert len(office.door.mails) == 1


def test_a_mail_that_cannot_be_stored_is_tried_again(office: StatusOffice) -> None:
    """The disk is full: the news wait, and are told when it is not."""
    job = office.job("done")
    office.door.shut = True
    office.change(job, state=PrintState.COMPLETED)
    office.wait(1)
    office.wait(11)
    office.door.shut = False
    office.wait(11)
    assert office.subjects() == ["[print] done: Agenda (on office)"]


def test_an_address_that_is_none_is_not_tried_for_ever(office: StatusOffice) -> None:
    """Marked as told, and logged."""
    job = office.job("done", reply="a b@")
    office.change(job, state=PrintState.COMPLETED)
    office.wait(1)
    assert office.door.mails == []
    assert office.now(job).told == ("0:done",)


def news(office: StatusOffice, happening: str, **facts: object) -> PrintNews:
    """Something about what is no job."""
    base = {"printer": "office", "id": "0190b3d0-2222-7000-8000-000000000002", "to": ANNA, "name": "Agenda"}
    return PrintNews(happening, at=office.counter.service.now(), **{**base, **facts})  # type: ignore[arg-type]


def tell(office: StatusOffice, one: PrintNews) -> None:
    """The printing server has it told."""
    office.counter.service.soon(office.desk.tell(one))
    office.wait(0)


def test_missing_parts_are_asked_for(office: StatusOffice) -> None:
    """``resend`` names them, for people and machines; a later request is another mail."""
    first = news(office, "resend", missing=(4, 7), kid="branch")
    tell(office, first)
    tell(office, first)
    office.wait(900)
    tell(office, news(office, "resend", missing=(7,), kid="branch"))
    found = [status_of(octets) for _, octets in office.door.mails]
    assert [status.missing for status, _ in found] == [(4, 7), (7,)]
    assert all(verified(signed, KEY) for _, signed in found)


def test_news_of_parts_do_not_push_out_those_of_the_job(office: StatusOffice) -> None:
    """All of it came, it was printed, and then a part came a second time, all within ten seconds."""
    job = office.job("trace", kid="branch")
    tell(office, news(office, "received", id=job.ticket.uuid, missing=(2,), kid="branch"))
    office.change(job, state=PrintState.COMPLETED)
    tell(office, news(office, "done", id=job.ticket.uuid, error="duplicate", words="Not printed again", kid="branch"))
    office.wait(20)
    words = [subject.split(":")[0] for subject in office.subjects()]
    assert words.count("[print] done") == 2
    assert office.now(job).told == ("0:received", "0:done")


def test_an_end_is_told_once_however_often_it_is_said(office: StatusOffice) -> None:
    """Whoever says it writes it down afterwards, and says it again after a kill."""
    for _ in range(2):
        tell(office, news(office, "failed", error="expired", missing=(3,), kid="branch"))
        office.wait(60)
    assert office.subjects() == ["[print] failed: Agenda (on office)"]


def test_parts_of_a_printed_job_that_come_again_are_told_once_a_day(office: StatusOffice) -> None:
    """Twelve parts, each delivered twice: one mail that it was printed already."""
    for _ in range(12):
        tell(office, news(office, "done", error="duplicate", words="Not printed again", kid="branch"))
        office.wait(5)
    assert office.subjects() == ["[print] done: Agenda (on office)"]


def test_strangers_are_told_once_a_day(office: StatusOffice) -> None:
    """Whoever sends a hundred mails is refused a hundred times and told once."""
    for number in range(3):
        tell(office, news(office, "refused", id=f"0190b3d0-3333-7000-8000-00000000000{number}", words="No"))
        office.wait(60)
    assert office.subjects() == ["[print] refused: Agenda (on office)"]
    office.wait(86_400)
    tell(office, news(office, "refused", words="No"))
    assert len(office.subjects()) == 2


def test_parts_that_come_are_told_together(office: StatusOffice) -> None:
    """PL11, each part received: of those within ten seconds the last is told."""
    for missing in ((2, 3, 4), (3, 4), (4,)):
        tell(office, news(office, "received", missing=missing, kid="branch"))
    office.wait(11)
    told = [status_of(octets)[0].missing for _, octets in office.door.mails]
    assert told == [(2, 3, 4), (4,)]
    assert "A part of it has arrived." in text_of(office.door.mails[0][1])


def test_whoever_looks_after_the_printer_hears_of_a_job_in_doubt(office: StatusOffice) -> None:
    """Section 5.1: nobody prints twice by machine; the contact looks at the paper and answers."""
    device = Destination("office", "dir:/x")
    contacts = {"key": ("keeper@print.example", ANNA), "admin": ("admin@print.example",)}
    office.counter.service.printers = {"office": LocalPrinter("office", device, contacts=contacts)}
    job = office.job("error")
    office.change(job, state=PrintState.STOPPED, certainty="unknown", message="The line broke")
    office.wait(1)
    office.wait(3600)
    readers = sorted(str(envelope.recipients[0].address) for envelope, _ in office.door.mails)
    assert readers == [ANNA, "keeper@print.example"]
    assert set(office.subjects()) == {"[print] unknown: Agenda (on office)"}
    kept = next(octets for envelope, octets in office.door.mails if str(envelope.recipients[0].address) != ANNA)
    answer = (
        "From: keeper@print.example\r\nTo: office@print.example\r\n"
        f"In-Reply-To: {Headers.parse(kept).own_id}\r\nMessage-ID: <k@print.example>\r\n\r\n#cancel\r\n"
    )
    assert office.answer(answer.encode())
    assert office.now(job).state is PrintState.CANCELED
