"""The door: nothing that comes in is lost, and every decision is written down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from zope.interface.verify import verifyObject

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import PolicyRefusal, Unavailable
from mailshare.core.values import LedgerKey, Origin, Source
from mailshare.delivery.intake import Intake
from mailshare.interfaces import IIntake
from tests.conftest import LoggedFailures
from tests.delivery.conftest import MESSAGE, Office, collected, finish


class BrokenRouter:
    """A router that fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def route(self, *_arguments: object) -> NoReturn:
        """Fail."""
        raise self._error


def broken(office: Office, error: Exception) -> Intake:
    """A door with that router."""
    return Intake(office.store, BrokenRouter(error), office.clock, office.reports)  # type: ignore[arg-type]


def test_named_mail_reaches_its_reader(office: Office) -> None:
    """A collected message with a name goes to that user, and the chain of decisions stands in the journal."""
    verifyObject(IIntake, office.intake)
    octets = MESSAGE.replace(b"To: mail@", b'To: "Greg" <mail@').replace(b"example\r\nS", b"example>\r\nS", 1)
    receipt = finish(office.intake.accept(Envelope(None), office.body(octets), collected()))
    assert [mail.endswith(octets) for mail in office.mailbox("greg")] == [True]
    (event,) = office.events("route")
    assert event.trace == receipt.trace == "c0ffee"
    assert event.message_id == receipt.message_id
    assert event.data["targets"] == [["greg", receipt.routing.targets[0].reason]]


def test_the_same_upstream_message_is_taken_once(office: Office) -> None:
    """The ledger row is the fence: a second delivery of it does nothing and says so."""
    key = LedgerKey(1, "uid1", len(MESSAGE), b"d" * 32)
    for trace, already in (("a" * 16, False), ("b" * 16, True)):
        origin = Origin(Source.COLLECT, trace, account_id=1, ledger=key)
        assert finish(office.intake.accept(Envelope(None), office.body(MESSAGE), origin)).already is already
    assert len(office.mailbox("admin1")) == 1


@pytest.mark.parametrize("error", [ValueError("x"), RecursionError(), PolicyRefusal("not this one")])
def test_collected_mail_survives_a_broken_router(
    office: Office, error: Exception, logged_failures: LoggedFailures
) -> None:
    """It lies with ADMIN, whole, and says why."""
    finish(broken(office, error).accept(Envelope(None), office.body(MESSAGE), collected()))
    logged_failures.flush(ValueError, RecursionError)
    (mail,) = office.mailbox("admin1")
    assert mail.endswith(MESSAGE)
    assert mail.startswith(b"X-Mailshare-Reason: ")
    assert office.events("route")[0].data["targets"] == [["admin1", "trouble"]]


def test_submitted_mail_is_refused_for_now(office: Office, logged_failures: LoggedFailures) -> None:
    """The client still has it, so trouble of ours is a temporary refusal; a rule's refusal passes."""
    origin = Origin(Source.SMTP, "t1", office.users["greg"].id)
    with pytest.raises(Unavailable):
        finish(broken(office, ValueError("x")).accept(Envelope(None), office.body(MESSAGE), origin))
    assert len(logged_failures.flush(ValueError)) == 1
    with pytest.raises(PolicyRefusal):
        finish(broken(office, PolicyRefusal()).accept(Envelope(None), office.body(MESSAGE), origin))
    assert office.events("route") == []


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\r\n",
        b"no header at all",
        b"To: unlisted-recipients:; (no To-header on input)\r\n\r\nx\r\n",
        b"To: " + b'"a" <mail@company.example>, ' * 5000 + b"\r\n\r\nx\r\n",
        b"To: =?utf-8?Q?=0D=0ABcc:_x?= <mail@company.example>\r\n\r\n",
        b"To: \xff\xfe\x00 <mail@company.example>\r\nTo: ((((((\r\n\r\n\x00",
    ],
)
def test_odd_messages_are_kept(office: Office, octets: bytes) -> None:
    """Whatever the header looks like, the message is in a mailbox as it came."""
    finish(office.intake.accept(Envelope(None), office.body(octets), collected()))
    (mail,) = office.mailbox("admin1")
    assert mail.endswith(octets)


@pytest.mark.parametrize("fault", [None, ValueError("x"), PolicyRefusal()])
@pytest.mark.parametrize(
    "octets",
    [
        b"no header at all\r\n",
        b"no header at all",
        b" begins with a blank\r\nTo: greg <mail@company.example>\r\n\r\nx\r\n",
        b"not a field\r\nTo: nobody\r\n\r\nx\r\n",
        b">From here on\r\nit is text\r\n",
        b"\xe9t\xe9: no name\r\n",
    ],
)
def test_a_message_that_begins_with_its_text(
    office: Office, octets: bytes, fault: Exception | None, logged_failures: LoggedFailures
) -> None:
    """RFC 5322 section 2.1: it has no header, so an empty line parts it from the lines on top."""
    intake = office.intake if fault is None else broken(office, fault)
    finish(intake.accept(Envelope(None), office.body(octets), collected()))
    logged_failures.flush(ValueError)
    (mail,) = [each for name in ("admin1", "greg") for each in office.mailbox(name)]
    head, _, text = mail.partition(b"\r\n\r\n")
    assert text == octets
    assert b"X-Mailshare-" in head or b"Delivered-To: " in head


def test_messages_without_a_header_are_not_taken_for_copies(office: Office) -> None:
    """Each text without a header is another message; the same text again is the same one."""
    texts = [b"one line of text\r\n", b"another line of text\r\n", b"To: nobody\r\n", b"To: nobody else\r\n"]
    for number, octets in enumerate([*texts, texts[0]]):
        finish(office.intake.accept(Envelope(None), office.body(octets), collected(f"t{number}")))
    assert len(office.mailbox("admin1")) == len(texts)


def test_only_such_a_message_has_an_empty_line_above(office: Office) -> None:
    """Not one that begins with an empty line, nor with a separator of mailbox files and a header below it."""
    for number, octets in enumerate([b"\r\ntext\r\n", b"From x\r\nSubject: y\r\n\r\nx\r\n"]):
        finish(office.intake.accept(Envelope(None), office.body(octets), collected(f"t{number}")))
    assert all(b"\r\n\r\n\r\n" not in mail for mail in office.mailbox("admin1"))
    assert b"\r\nFrom x\r\nSubject: y\r\n" in b"".join(office.mailbox("admin1"))


def test_long_headers_are_read_aside(office: Office) -> None:
    """Parsing and routing of a long header happen in the injected place, of a short one at once."""
    calls: list[Callable[[], Any]] = []

    async def aside(work: Callable[[], Any]) -> Any:
        calls.append(work)
        return work()

    intake = Intake(office.store, office.intake._router, office.clock, office.reports, aside)
    finish(intake.accept(Envelope(None), office.body(MESSAGE), collected("a")))
    assert calls == []
    finish(intake.accept(Envelope(None), office.body(b"X: " + b"y" * 20_000 + b"\r\n" + MESSAGE), collected("b")))
    assert len(calls) == 2


def test_answers_and_bounces_find_the_sender(office: Office) -> None:
    """What greg sent is remembered; an answer without his name and a bounce of it come back to him."""
    office.send(b"Message-ID: <own1@company.example>\r\n\r\nx\r\n", "ann@example.net")
    answer = MESSAGE.replace(b"Subject", b"In-Reply-To: <own1@company.example>\r\nSubject")
    bounce = (
        b"From: MAILER-DAEMON@example.net\r\nTo: mail@company.example\r\nContent-Type: multipart/report; boundary=b\r\n"
        b"Message-ID: <b1@example.net>\r\n\r\n--b\r\n\r\nMessage-ID: <own1@company.example>\r\n--b--\r\n"
    )
    for trace, octets in (("a1", answer), ("b1", bounce)):
        finish(office.intake.accept(Envelope(None), office.body(octets), collected(trace)))
    assert len(office.mailbox("greg")) == 2


def test_a_name_that_is_not_here_is_told_to_the_sender(office: Office) -> None:
    """Mail to the shared address with an unknown name goes to ADMIN, and the sender gets a note once."""
    octets = b'From: greg\r\nTo: "Gregory Nobody" <mail@company.example>\r\nMessage-ID: <q@x>\r\n\r\nx\r\n'
    office.send(octets, "mail@company.example", sender="carolyn")
    (note,) = office.mailbox("carolyn")
    assert b"nobody here has this name" in note, note
    assert b"In-Reply-To: <q@x>\r\n" in note
    assert len(office.mailbox("admin1")) == 1


def test_outside_mail_waits_in_the_queue_and_wakes_it(office: Office) -> None:
    """One row for each recipient outside, expiring after five days; the relay is woken."""
    woken: list[int] = []
    office.store.notifier.subscribe("relay", lambda: woken.append(1))
    recipients = tuple(Recipient(Address("ann", f"{n}.example")) for n in range(3))
    origin = Origin(Source.SMTP, "t1", office.users["greg"].id)
    sender = Address("mail", "company.example")
    finish(office.intake.accept(Envelope(sender, recipients), office.body(MESSAGE), origin))
    office.clock.advance(0)
    rows = office.rows()
    assert [row.address for row in rows] == ["ann@0.example", "ann@1.example", "ann@2.example"]
    assert {row.expires - row.queued for row in rows} == {5 * 86_400_000_000}
    assert woken
