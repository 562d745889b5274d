"""Jobs of a mailshare elsewhere: parts in any order, doubled, lost, wrong, late; one job comes of them, or none."""

from __future__ import annotations

import gzip
import hashlib
import os
import random
from typing import Any

import pytest
from attrs import evolve
from printing_server import ANNA, KEY, PDF, UUID, PrintingServer

from mailshare.core.address import Address
from mailshare.core.errors import Unavailable
from mailshare.core.values import SECOND, PrintState, SetState
from mailshare.printing.local_printer import MailLimits
from mailshare.wire.jws import Algorithm, SigningKey

DATA = b"%PDF-1.4\n" + os.urandom(300_000) + b"\n%%EOF\n"


@pytest.fixture
def server() -> PrintingServer:
    """A printing server with one printer."""
    return PrintingServer()


def test_a_job_in_one_mail_becomes_a_print_job(server: PrintingServer) -> None:
    """With its document, its options that this printer has, its proof; the rest is named."""
    options = {"copies": 2, "sides": "two-sided-long-edge", "media": "na_ultra", "unheard-of": 1}
    words = server.mail(server.job(options=options, notify=frozenset({"done"})).mail())
    (job,) = server.jobs()
    assert words == f"Taken as job {job.id}, level 3: the key branch signed it"
    assert (job.ticket.queue, job.ticket.members, job.ticket.via) == ("office", ("office",), "mail")
    assert (job.ticket.name, job.ticket.user, job.ticket.notify) == ("Agenda", "anna@far.example", ("done",))
    assert job.ticket.options == {"copies": 2, "sides": "two-sided-long-edge"}
    mail = job.ticket.mail
    assert mail is not None
    assert (mail.id, mail.level, mail.kid, mail.reply) == (UUID.format(1), 3, "branch", "anna@far.example")
    assert mail.ignored == ("media", "unheard-of")
    assert server.documents() == [PDF]
    assert job.documents[0].format == "application/pdf"
    assert server.kinds() == ["print.part", "print.taken", "print.job"]
    assert [row.address for row in server.rows()] == ["office"]


def test_a_job_with_a_pin_waits_for_it(server: PrintingServer) -> None:
    """The manifest brings its digest; one that is none locks nothing; it is never an option of the printer."""
    digest = hashlib.sha256(b"1234").hexdigest()
    server.mail(server.job(options={"job-password": digest}).mail())
    server.mail(server.job(number=2, options={"job-password": "1234"}).mail())
    found = [(job, job.ticket.mail) for job in server.jobs()]
    assert [(job.held, mail.pin, job.ticket.options) for job, mail in found if mail is not None] == [
        (True, digest, {}),
        (False, "", {}),
    ]


def test_parts_come_in_any_order_and_twice(server: PrintingServer) -> None:
    """Shuffled and doubled: one job, byte for byte the document; what comes after the end changes nothing."""
    job = server.job(DATA, part=20_000)
    mails = job.mails() * 2
    random.Random(7).shuffle(mails)
    for mail in mails:
        server.mail(mail)
    assert server.documents() == [DATA]
    assert server.collecting() == []
    assert server.sets(SetState.TAKEN) == 1


def test_lost_parts_are_asked_for_three_times(server: PrintingServer) -> None:
    """After the gap, naming just those; then the job waits for its end, and fails with the list."""
    job = server.job(DATA, part=100_000)
    server.mail(job.mail(1))
    server.wait(14 * 60)
    assert server.told.news == []
    server.mail(job.mail(3))  # the gap begins anew
    server.wait(14 * 60)
    assert server.told.news == []
    for _ in range(6):
        server.wait(15 * 60)
    asked = [(news.happening, news.missing, news.to, news.id) for news in server.told.news]
    assert asked == [("resend", (2, 4), "anna@far.example", UUID.format(1))] * 3
    server.wait(24 * 3600)
    last = server.told.news[-1]
    assert (last.happening, last.missing, last.error) == ("failed", (2, 4), "expired")
    assert server.collecting() == []
    assert server.mail(job.mail(2)).startswith("Not printed")
    assert server.jobs() == []


def test_a_part_that_is_sent_again_makes_it_whole(server: PrintingServer) -> None:
    """After a stop in between, too."""
    job = server.job(DATA, part=100_000)
    for mail in job.mails(4, 1, 3):
        server.mail(mail)
    server.restart()
    server.wait(15 * 60)
    assert server.told.news[-1].missing == (2,)
    server.mail(job.mail(2, resend=1))
    assert server.documents() == [DATA]


def test_a_wrong_part_does_not_hurt(server: PrintingServer) -> None:
    """Dropped and noted; the right one that follows counts."""
    job = server.job(DATA, part=200_000)
    server.mail(job.mail(1))
    assert "none of the job" in server.mail(job.mail(2, chunk=b"evil"))
    assert "print.part-wrong" in server.kinds()
    server.mail(job.mail(2))
    assert server.documents() == [DATA]


def test_parts_that_are_alike_stand_for_each_other(server: PrintingServer) -> None:
    """A document of noughts: whichever comes is all of them."""
    data = b"%PDF-1.4\n" + bytes(100_000)
    job = server.job(data, part=9 + 20_000)
    server.mail(job.mail(1))
    server.mail(job.mail(3))
    server.mail(job.mail(5))
    assert server.documents() == [data]


def test_a_job_that_is_done_is_not_printed_again(server: PrintingServer) -> None:
    """The sender hears when it was printed; also when the print job itself is long forgotten."""
    job = server.job()
    server.mail(job.mail())
    (made,) = server.jobs()
    assert server.mail(job.mail()) == "The job is being printed already"
    assert server.told.news == []
    server.counter.change(made.id, PrintState.COMPLETED)
    assert "Not printed again: it was printed at 2027-01-15" in server.mail(job.mail())
    assert (server.told.news[-1].happening, server.told.news[-1].error) == ("done", "duplicate")
    assert len(server.jobs()) == 1
    server.wait(399 * 86_400)
    server.mail(server.job(number=1).mail())
    assert server.sets(SetState.TAKEN) == 1


def test_another_job_under_the_same_name_is_a_conflict(server: PrintingServer) -> None:
    """The first one wins; the second is refused and told."""
    first = server.job(DATA, part=200_000)
    server.mail(first.mail(1))
    other = evolve(first, manifest=evolve(first.manifest, name="Other"))
    assert "under the same name" in server.mail(other.mail(1))
    assert (server.told.news[-1].happening, server.told.news[-1].error) == ("refused", "conflict")
    server.mail(first.mail(2))
    assert server.documents() == [DATA]


def test_a_job_is_good_for_the_printers_it_names_only(server: PrintingServer) -> None:
    """Played again to another printer it is refused, in silence; one that names both prints at both."""
    server.declare("branch")
    assert "another printer" in server.mail(server.job().mail(), printer="branch")
    assert (server.jobs(), server.told.news) == ([], [])
    both = server.job(number=2, to=("OFFICE@print.example", "branch"))
    server.mail(both.mail())
    server.mail(both.mail(), printer="branch")
    assert [job.ticket.queue for job in server.jobs()] == ["office", "branch"]


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"key": SigningKey("branch", Algorithm.HS256, secret=bytes(32))}, "bad-signature"),
        ({"key": SigningKey("nobody", Algorithm.HS256, secret=KEY.secret)}, "bad-signature"),
        ({"key": None}, "not-allowed"),
        ({"sender": Address.parse("eve@far.example")}, "another-sender"),
        ({"expires": 200 * SECOND, "created": 100 * SECOND}, "expired"),
    ],
)
def test_strangers_and_forgers_get_silence(server: PrintingServer, facts: dict[str, object], reason: str) -> None:
    """Nothing is kept, nothing is told but to the journal."""
    job = server.job(**facts)
    assert server.mail(job.mail()).startswith("Not printed")
    assert (server.jobs(), server.told.news, server.collecting()) == ([], [], [])
    (event,) = server.events("print.mail-refused")
    assert event.data["reason"] == reason


def test_a_mail_must_come_from_who_signed(server: PrintingServer) -> None:
    """A signed job in a mail of somebody else is not printed."""
    job = evolve(server.job(), sender=Address("eve", "evil.example"))
    assert f"the job is by {ANNA}" in server.mail(job.mail())
    assert server.jobs() == []


def test_compressed_documents_are_bounded(server: PrintingServer) -> None:
    """Gzip is undone while the parts are joined; what is larger than it says, or a bomb, is refused."""
    sent = gzip.compress(DATA)
    server.mail(server.job(DATA, sent=sent, encoding="gzip").mail())
    assert server.documents() == [DATA]
    bomb = gzip.compress(bytes(40 << 20))
    job = server.job(b"%PDF-1.4\n", sent=bomb, encoding="gzip", number=2)
    server.mail(job.mail())
    assert len(server.jobs()) == 1
    assert server.told.news[-1].happening == "refused"


def test_the_digest_of_the_whole_counts(server: PrintingServer) -> None:
    """Parts that fit, and a document that does not."""
    job = server.job(sha256="0" * 64)
    assert "not the document that was signed" in server.mail(job.mail())
    assert server.jobs() == []
    assert server.told.news[-1].error == "wrong-digest"


def test_more_than_may_be_collected_is_refused_before_it_is_kept(server: PrintingServer) -> None:
    """Jobs of one sender, octets of one, octets of all; and a document that is too large for the printer."""
    server.declare(allow=("*",), limits=MailLimits(octets=400_000, open_jobs=2, collecting=700_000))
    for number in (1, 2):
        server.mail(server.job(DATA, part=200_000, number=number).mail(1))
    third = server.job(DATA, part=200_000, number=3)
    assert "on their way already" in server.mail(third.mail(1))
    assert "200" not in server.mail(server.job(DATA + bytes(200_000), part=200_000, number=4).mail(1))
    assert len(server.collecting()) == 2
    assert [news.error for news in server.told.news] == ["too-much", "too-large"]
    server.mail(server.job(DATA, part=200_000, number=1).mail(2))
    server.mail(third.mail(1))
    assert len(server.collecting()) == 2


def test_a_set_that_is_whole_is_finished_after_a_stop(server: PrintingServer) -> None:
    """Killed after the last part was kept and before the job was made: the next look makes it."""
    job = server.job(DATA, part=200_000)
    collecting = server.agent.collecting
    collecting._join = _nothing  # type: ignore[method-assign,assignment]
    for mail in job.mails():
        server.mail(mail)
    assert (len(server.collecting()), server.jobs()) == (1, [])
    server.restart()
    server.wait(1)
    assert server.documents() == [DATA]


async def _nothing(*_args: object) -> str:
    return "killed"


def test_a_job_is_made_once_whoever_makes_it(server: PrintingServer) -> None:
    """The last part is looked at twice, as after a kill behind the transaction: one job."""
    job = server.job()
    server.mail(job.mail())
    server.restart()
    assert server.mail(job.mail()) == "The job is being printed already"
    server.wait(3600)
    assert len(server.jobs()) == 1


def test_trace_tells_of_each_part(server: PrintingServer) -> None:
    """To senders who want it."""
    job = server.job(DATA, part=200_000, notify=frozenset({"trace"}))
    for mail in job.mails(2, 1):
        server.mail(mail)
    assert [(news.happening, news.words, news.missing) for news in server.told.news] == [
        ("received", "Part 2 of 2 is here", (1,)),
        ("received", "Part 1 of 2 is here", ()),
    ]


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("step", ["open", "add", "take"])
def test_cut_off_at_any_write_it_is_made_once(server: PrintingServer, step: str, behind: bool) -> None:
    """Just before each transaction and just behind it: the rows that were under way are tried again, one job comes."""
    job = server.job(DATA, part=200_000)
    for mail in job.mails():
        server.take_in(mail)
    sets: Any = server.store.print_sets
    write = getattr(sets, step)

    async def cut_off(*args: Any, **named: Any) -> Any:
        if behind:
            await write(*args, **named)
        raise Unavailable

    setattr(sets, step, cut_off)
    server.work()
    setattr(sets, step, write)
    server.restart()
    server.counter.clock.advance(3_700)  # the leases of the rows are over
    server.work()
    server.wait(60)
    assert server.documents() == [DATA]
    assert (server.collecting(), server.sets(SetState.TAKEN)) == ([], 1)
