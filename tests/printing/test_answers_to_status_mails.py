"""``#cancel``, ``#reprint`` and ``#release PIN``: done for whoever was told of the job, and for nobody else."""

from __future__ import annotations

import hashlib

import pytest
from attrs import evolve
from status_office import ANNA, StatusOffice, status_of, text_of

from mailshare.core.headers import Headers
from mailshare.core.print_policy import PrintPolicy
from mailshare.core.print_status import Happening
from mailshare.core.values import PrintJob, PrintState

EVE = "eve@elsewhere.example"


def answer(
    office: StatusOffice, words: str, *, sender: str = ANNA, to: int = -1, kind: str = "text/plain", **facts: int
) -> bool:
    """Somebody answers one of the status mails."""
    about = Headers.parse(office.door.mails[to][1]).own_id if office.door.mails else "<x@y.example>"
    lines = [
        f"From: Somebody <{sender}>",
        "To: office@print.example",
        "Subject: Re: [print] held: Agenda",
        f"Message-ID: <{len(words)}.{len(sender)}.{to}@far.example>",
        f"In-Reply-To: {about}",
        f"Content-Type: {kind}; charset=utf-8",
        "",
        words,
        "",
    ]
    return office.answer("\r\n".join(lines).encode(), **facts)


def held(office: StatusOffice, **mail: object) -> PrintJob:
    """A job that waits, and its status mail."""
    job = office.job("done", held=True, **mail)
    office.wait(1)
    assert office.subjects() == ["[print] held: Agenda (on office)"]
    return job


def happening(office: StatusOffice) -> Happening:
    """What the last mail says."""
    return status_of(office.door.mails[-1][1])[0].happening


def test_a_held_job_is_released(office: StatusOffice) -> None:
    """By the reader of its status mail; the answer to him threads behind his own mail."""
    job = held(office)
    assert answer(office, "#release\n\n> Answer with the line #release")
    assert not office.now(job).held
    octets = office.door.mails[-1][1]
    assert "Released by an answer" in text_of(octets)
    assert Headers.parse(octets).message_ids("in-reply-to")[0].endswith("@far.example>")


def test_a_pin_is_asked_for_five_times_at_most(office: StatusOffice) -> None:
    """Who guesses is told that it was wrong, and after five tries nothing, the right one not excepted."""
    job = held(office, pin=hashlib.sha256(b"1234").hexdigest())
    for number in range(5):
        assert answer(office, f"#release {'0' * (number + 4)}")
        assert office.now(job).held
        assert "not its PIN" in text_of(office.door.mails[-1][1])
    told = len(office.door.mails)
    assert answer(office, "#release 1234", to=0)
    assert (office.now(job).held, len(office.door.mails)) == (True, told)


def test_the_right_pin_releases(office: StatusOffice) -> None:
    """After a wrong one, too."""
    job = held(office, pin=hashlib.sha256(b"1234").hexdigest())
    assert answer(office, "#release 4321")
    assert answer(office, "#release 1234", to=0)
    assert not office.now(job).held


def test_a_job_is_cancelled_and_told_once(office: StatusOffice) -> None:
    """The answer says it; no second mail for the same end."""
    job = held(office)
    assert answer(office, "Please:\r\n#cancel")
    office.wait(30)
    assert office.now(job).state is PrintState.CANCELED
    assert len(office.door.mails) == 2
    assert happening(office) is Happening.CANCELED
    assert answer(office, "#cancel", to=0)
    assert "over before your answer came" in text_of(office.door.mails[-1][1])


@pytest.mark.parametrize("sender", [EVE, ANNA])
def test_strangers_hear_nothing(office: StatusOffice, sender: str) -> None:
    """A forged In-Reply-To, or the right one from another address: nothing happens and nobody is told."""
    job = held(office)
    told = len(office.door.mails)
    if sender == ANNA:
        envelope, octets = office.door.mails[0]
        office.door.mails[0] = (envelope, octets.replace(b"Message-ID: <", b"Message-ID: <0").replace(b"<00", b"<1"))
        forged = Headers.parse(octets).own_id
        proof = forged.split(".")[2][:24]
        octets = octets.replace(proof.encode(), b"0" * 24)
        office.door.mails[0] = (envelope, octets)
    assert answer(office, "#cancel", sender=sender)
    assert office.now(job).state is PrintState.HELD
    assert len(office.door.mails) == told


def test_whose_name_is_proved_may_name_the_job(office: StatusOffice) -> None:
    """A mail program that drops In-Reply-To: DKIM speaks for the sender, the quoted text for the job."""
    job = held(office)
    mail = (
        f"From: {ANNA}\r\nTo: office@print.example\r\nSubject: Re: [print] held: Agenda\r\n\r\n"
        f"#cancel\r\n> Job {job.ticket.uuid}\r\n"
    ).encode()
    assert office.answer(mail, level=0)
    assert office.now(job).state is PrintState.HELD
    assert office.answer(mail.replace(ANNA.encode(), EVE.encode()), level=1)
    assert office.now(job).state is PrintState.HELD
    assert office.answer(mail, level=1)
    assert office.now(job).state is PrintState.CANCELED


def test_a_job_is_printed_again_once_for_each_answer(office: StatusOffice) -> None:
    """A new job with the same document that says of which it is a copy; the same answer twice makes one."""
    job = office.job("done")
    office.change(job, state=PrintState.COMPLETED)
    office.wait(1)
    for _ in range(2):
        assert answer(office, "#reprint", to=0)
    jobs = [one for one in _all(office) if one.id != job.id]
    assert len(jobs) == 1
    (new,) = jobs
    assert new.ticket.mail is not None
    assert new.ticket.mail.of == job.ticket.uuid
    assert new.documents[0].length == job.documents[0].length
    assert status_of(office.door.mails[1][1])[0].of == job.ticket.uuid


def _all(office: StatusOffice) -> list[PrintJob]:
    found: list[PrintJob] = []

    async def read() -> None:
        found.extend(await office.store.print_jobs.jobs())

    office.counter.service.soon(read())
    return found


def test_who_may_not_print_any_more_has_nothing_printed_again(office: StatusOffice) -> None:
    """The bounds of a printer hold for answers, too: now level 3 is asked for, and nothing was proved."""
    job = office.job("done")
    office.change(job, state=PrintState.COMPLETED)
    office.wait(1)
    (printer,) = office.counter.service.printers.values()
    office.counter.service.printers = {"office": evolve(printer, policy=PrintPolicy(level=3))}
    assert answer(office, "#reprint")
    assert happening(office) is Happening.REFUSED
    assert len(_all(office)) == 1


def test_what_is_under_way_is_not_printed_again(office: StatusOffice) -> None:
    """It would come out twice."""
    job = office.job("trace")
    office.change(job, state=PrintState.PROCESSING)
    office.wait(1)
    assert answer(office, "#reprint")
    assert "not over yet" in text_of(office.door.mails[-1][1])
    assert len(_all(office)) == 1


def test_a_document_that_is_gone_is_not_printed_again(office: StatusOffice) -> None:
    """Its keeping time is over: the reader is told to send it again."""
    job = office.job("done")
    office.change(job, state=PrintState.COMPLETED)
    office.wait(1)
    late = office.counter.service.now() + 1

    async def forget() -> None:
        await office.store.print_jobs.forget(documents_before=late, jobs_before=0)

    office.counter.service.soon(forget())
    assert answer(office, "#reprint")
    assert happening(office) is Happening.FAILED
    assert "send it again" in text_of(office.door.mails[-1][1])


def test_html_and_quoted_text(office: StatusOffice) -> None:
    """A phone that writes HTML only; what it quotes is not what it says."""
    job = held(office)
    quoted = "<div>ok</div><blockquote>#cancel</blockquote>"
    assert answer(office, quoted, kind="text/html")
    assert office.now(job).state is PrintState.HELD
    assert answer(office, "<style>p{}</style><p>Hi</p><p>#cancel</p><blockquote>x</blockquote>", kind="text/html")
    assert office.now(job).state is PrintState.CANCELED


def test_machines_and_status_mails_are_no_jobs(office: StatusOffice) -> None:
    """A vacation reply to a status mail and a status of another printer are passed over; other mail is not."""
    held(office)
    octets = office.door.mails[0][1]
    own = Headers.parse(octets).own_id
    away = f"From: {ANNA}\r\nAuto-Submitted: auto-replied\r\nIn-Reply-To: {own}\r\n\r\n#cancel\r\n".encode()
    assert office.answer(away)
    assert office.answer(octets)
    assert not office.answer(f"From: {ANNA}\r\nSubject: Agenda\r\n\r\n#copies 2\r\n".encode())
    assert len(office.door.mails) == 1
