"""What mailboxes do by themselves, rule by rule (sharing rules on people), at the door and in the queue."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any

import pytest
from attrs import evolve

from mailshare.core.address import Address
from mailshare.core.autoreply import TRACE_FIELD
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import MailshareError, PolicyRefusal, Unavailable
from mailshare.core.personal import Quota, Vacation
from mailshare.core.values import Origin, QueueItem, Source, User
from mailshare.delivery.answers import Answers
from mailshare.delivery.intake import Intake
from mailshare.delivery.public_rate import PublicRate
from mailshare.delivery.quotas import Quotas
from mailshare.delivery.router import Router
from mailshare.delivery.submission import Desk
from tests.delivery.conftest import NEVER, OK, FakeSession, Office, finish

FRIEND = Address("alice", "far.example")
DAY = 86_400
traces = iter(range(1, 1_000_000))


def letter(to: str = "Greg <mail@company.example>", *more: str, size: int = 0, key: object = None) -> bytes:
    number = next(traces) if key is None else key
    fields = ["From: Alice <alice@far.example>", f"To: {to}", "Subject: Hello", f"Message-ID: <{number}@far.example>"]
    fields += more
    return ("\r\n".join(fields) + f"\r\n\r\nBody {number}\r\n" + "x" * size + "\r\n").encode()


@pytest.fixture
def rules(office: Office) -> Office:
    """The office with everything that a mailbox can do."""
    quotas = Quotas(office.store, office.clock, office.reports)
    answers = Answers(office.store, office.clock, UTC, _token)
    office.intake = Intake(
        office.store, Router(_rate(office)), office.clock, office.reports, quotas=quotas, answers=answers
    )
    office.desk = Desk(office.store, office.intake, office.clock, _token, quotas=quotas)
    office.agent.answers = [OK]
    return office


def _token(length: int) -> bytes:
    return next(traces).to_bytes(length, "big")


def _rate(office: Office) -> PublicRate:
    return PublicRate(lambda: int(office.clock.seconds() * 1_000_000))


def change(office: Office, name: str, **facts: Any) -> User:
    user = office.store.directory.current().user_by_name[name]
    return finish(office.store.directory.change_user(evolve(user, **facts)))


def collect(office: Office, octets: bytes, sender: Address | None = FRIEND) -> None:
    origin = Origin(Source.COLLECT, f"{next(traces):016x}", account_id=1)
    finish(office.intake.accept(Envelope(sender), office.body(octets), origin))


def outside(office: Office) -> Sequence[QueueItem]:
    return office.rows()


# ---------------------------------------------------------------------- forwarding


def test_a_forward_leaves_under_the_account_and_keeps_a_copy(rules: Office) -> None:
    """Envelope from = the account, so that the provider's SPF holds; the message itself is untouched."""
    change(rules, "greg", forward=(Address("greg", "home.example"),))
    octets = letter()
    collect(rules, octets)
    (row,) = outside(rules)
    assert (row.address, str(row.sender), row.account_id) == ("greg@home.example", "mail@company.example", 1)
    assert row.params["top"] == "Delivered-To: greg@mail.office.example\r\n"
    assert rules.mailbox("greg")[0].endswith(octets)
    body = finish(rules.store.queue.body(row.message_id))
    assert finish(body.read(0, body.size)) == octets


def test_the_null_sender_is_forwarded_as_the_null_sender(rules: Office) -> None:
    """A bounce of a bounce must not come into being."""
    change(rules, "greg", forward=(Address("greg", "home.example"),))
    collect(rules, letter(), None)
    assert [row.sender for row in outside(rules)] == [None]


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("sender", [FRIEND, None])
def test_a_failed_forward_never_loses_the_mail(rules: Office, sender: Address | None, keep: bool) -> None:
    """What cannot be sent on lies in the mailbox, once, and its owner is told by a notice."""
    change(rules, "greg", forward=(Address("greg", "home.example"), Address("g", "two.example")), forward_keep=keep)
    octets = letter()
    collect(rules, octets, sender)
    assert len(rules.mailbox("greg")) == int(keep)
    rules.agent.answers = [NEVER]
    rules.flush()
    found = rules.mailbox("greg")
    assert sum(mail.endswith(octets) for mail in found) == 1
    assert any(b"could not be forwarded" in mail for mail in found)
    assert rules.mailbox("admin1") == []
    finish(rules.reports.recover())
    finish(rules.reports.send_owed())
    assert len(rules.mailbox("greg")) == len(found)


def test_a_failed_forward_of_somebody_deleted_goes_to_admin(rules: Office) -> None:
    """Whoever owned the mailbox, the mail is kept."""
    change(rules, "greg", forward=(Address("greg", "home.example"),), forward_keep=False)
    octets = letter()
    collect(rules, octets)
    finish(rules.store.directory.delete_user(rules.users["greg"].id))
    rules.agent.answers = [NEVER]
    rules.flush()
    assert sum(mail.endswith(octets) for mail in rules.mailbox("admin1")) == 1


@pytest.mark.parametrize(
    "why", ["came back", "circle", "own sender", "recipient already", "local only", "delivered here"]
)
def test_what_would_go_round_is_not_forwarded_and_is_kept(rules: Office, why: str) -> None:
    """The trace, the hop count, Delivered-To, and whoever has the message already."""
    instance = rules.store.directory.current().instance
    change(rules, "greg", forward=(FRIEND,), forward_keep=False, local_only=why == "local only")
    octets = {
        "came back": letter("Greg <mail@company.example>", f"{TRACE_FIELD}: {instance}; {'a' * 16}"),
        "circle": b"".join(f"Received: from a by b{n}; x\r\n".encode() for n in range(31)) + letter(),
        "delivered here": b"Delivered-To: greg@mail.office.example\r\n" + letter(),
    }.get(why, letter())
    if why == "recipient already":
        rules.send(octets, "greg", "alice@far.example", sender="andrew")
        assert [row.address for row in outside(rules)] == ["alice@far.example"]
    else:
        collect(rules, octets, FRIEND if why == "own sender" else Address("bob", "far.example"))
        assert outside(rules) == []
    holder = "admin1" if why in {"delivered here", "local only"} else "greg"
    assert len(rules.mailbox(holder)) == 1


def test_a_copy_and_local_mail_are_forwarded_too(rules: Office) -> None:
    """A forward takes all that its mailbox gets."""
    carolyn = change(rules, "carolyn", forward=(Address("c", "home.example"),))
    change(rules, "greg", cc=(carolyn.id,))
    rules.send(letter("greg"), "greg", sender="andrew")
    assert [(row.address, str(row.sender)) for row in outside(rules)] == [("c@home.example", "mail@company.example")]


def test_a_second_copy_of_a_message_is_not_forwarded_again(rules: Office) -> None:
    """The mailbox has it, and it went on with the first one."""
    change(rules, "greg", forward=(Address("greg", "home.example"),))
    octets = letter()
    collect(rules, octets)
    collect(rules, octets)
    assert (len(rules.mailbox("greg")), len(outside(rules))) == (1, 1)


# ---------------------------------------------------------------------- vacation (RFC 3834)


def away(office: Office, **facts: str) -> User:
    return change(office, "greg", vacation=Vacation("Back on Monday.\nGrüße", **facts))


def answers(office: Office) -> list[QueueItem]:
    return [row for row in office.rows() if row.sender is None]


def test_an_answer_has_all_that_rfc_3834_asks_for(rules: Office) -> None:
    """Null sender, to the return path alone, in the thread, marked as automatic."""
    away(rules)
    collect(rules, letter(key="first"), Address("bounce-path", "far.example"))
    (row,) = answers(rules)
    assert (row.sender, row.address, row.account_id) == (None, "bounce-path@far.example", 1)
    body = finish(rules.store.queue.body(row.message_id))
    octets = finish(body.read(0, body.size))
    for line in (
        b"In-Reply-To: <first@far.example>\r\n",
        b"References: <first@far.example>\r\n",
        b"Auto-Submitted: auto-replied\r\n",
        b"Subject: Auto: Hello\r\n",
        b"From: greg <mail@company.example>\r\n",
        b"Content-Transfer-Encoding: quoted-printable\r\n",
        b"Back on Monday.\r\nGr=C3=BC=C3=9Fe\r\n",
    ):
        assert line in octets
    assert octets.isascii()
    assert [event.data["why"] for event in rules.events("answer.none")] == []


def test_each_sender_is_answered_once_in_seven_days_over_restarts(rules: Office) -> None:
    """What is remembered lies in the store."""
    away(rules)
    collect(rules, letter())
    rules.intake = Intake(
        rules.store, Router(), rules.clock, rules.reports, answers=Answers(rules.store, rules.clock, UTC, _token)
    )
    collect(rules, letter())
    assert len(answers(rules)) == 1
    collect(rules, letter(), Address("bob", "far.example"))
    assert len(answers(rules)) == 2
    rules.clock.advance(7 * DAY - 1)
    collect(rules, letter())
    assert len(answers(rules)) == 2
    rules.clock.advance(1)
    collect(rules, letter())
    assert len(answers(rules)) == 3


@pytest.mark.parametrize(
    "extra",
    ["Precedence: bulk", "Precedence: list", "Precedence: junk", "List-Id: <l.example>", "Auto-Submitted: auto-replied",
     "Auto-Submitted: auto-generated"],
)  # fmt: skip
def test_no_answer_to_machines_and_lists(rules: Office, extra: str) -> None:
    """RFC 3834 section 2."""
    away(rules)
    collect(rules, letter("Greg <mail@company.example>", extra))
    assert answers(rules) == []
    assert len(rules.mailbox("greg")) == 1


@pytest.mark.parametrize("sender", ["", "mailer-daemon@far.example", "owner-list@far.example"])
def test_no_answer_to_the_null_sender_and_robots(rules: Office, sender: str) -> None:
    """An answer would answer an answer."""
    away(rules)
    collect(rules, letter(), Address.parse(sender) if sender else None)
    assert answers(rules) == []


def test_no_answer_to_what_left_here_and_to_copies_and_mail_to_everybody(rules: Office) -> None:
    """Only when the person is really addressed."""
    greg = away(rules)
    change(rules, "andrew", cc=(greg.id,))
    instance = rules.store.directory.current().instance
    collect(rules, letter("Greg <mail@company.example>", f"{TRACE_FIELD}: {instance}; {'a' * 16}"))
    collect(rules, letter("Andrew <mail@company.example>"))
    collect(rules, letter("PUBLIC <mail@company.example>"))
    collect(rules, letter("x@elsewhere.example", "In-Reply-To: <none@x>"))
    assert answers(rules) == []


def test_answers_keep_to_their_days_and_can_be_ended(rules: Office) -> None:
    """First and last day are included, in the zone of the server."""
    away(rules, start="2026-11-22", end="2026-11-23")
    for expected in (0, 1, 2, 2):  # the 21st is the first day of the clock
        collect(rules, letter(), Address(f"friend{expected}{next(traces)}", "far.example"))
        assert len(answers(rules)) == expected
        rules.clock.advance(DAY)


def test_a_colleague_is_answered_in_the_house(rules: Office) -> None:
    """The envelope of a colleague may show the shared address; the answer goes to the person."""
    away(rules)
    rules.send(letter("Greg <greg@mail.office.example>"), "greg", sender="andrew")
    (mail,) = rules.mailbox("andrew")
    assert b"Auto-Submitted: auto-replied" in mail
    assert rules.rows() == []


def test_who_forwards_everything_and_keeps_nothing_answers_too(rules: Office) -> None:
    """He is the reader all the same; a copy that he forwards is answered by nobody."""
    greg = change(rules, "greg", forward=(Address("g", "home.example"),), forward_keep=False)
    away(rules)
    change(rules, "andrew", cc=(greg.id,))
    collect(rules, letter())
    assert len(answers(rules)) == 1
    collect(rules, letter("Andrew <mail@company.example>"), Address("bob", "far.example"))
    assert len(answers(rules)) == 1


# ---------------------------------------------------------------------- bounds


def test_a_full_mailbox_refuses_colleagues_with_452(rules: Office) -> None:
    """At RCPT, by what it holds and by what the client announced."""
    change(rules, "greg", quota=Quota(0, 1))
    collect(rules, letter())
    with pytest.raises(Unavailable) as refused:
        rules.send(letter("greg"), "greg", sender="andrew")
    assert (refused.value.code, refused.value.enhanced) == (452, (4, 2, 2))


def test_a_mailbox_that_shows_to_be_full_after_data_refuses_with_552_or_tells(rules: Office) -> None:
    """Alone the mail goes back to its sender; with others the sender is told who did not get it."""
    change(rules, "greg", quota=Quota(2_000))
    with pytest.raises(PolicyRefusal) as refused:
        rules.send(letter("greg", size=3_000), "greg", sender="andrew")
    assert (refused.value.code, refused.value.enhanced) == (552, (5, 2, 2))
    rules.send(letter("greg", size=3_000), "greg", "carolyn", sender="andrew")
    assert (len(rules.mailbox("greg")), len(rules.mailbox("carolyn"))) == (0, 1)
    (note,) = rules.mailbox("andrew")
    assert b"greg: the mailbox is full" in note


def test_collected_mail_is_never_lost_to_a_bound(rules: Office) -> None:
    """It is stored above the bound, with its reader and nobody else."""
    change(rules, "greg", quota=Quota(0, 1))
    letters = [letter() for _ in range(3)]
    for octets in letters:
        collect(rules, octets)
    found = rules.mailbox("greg")
    assert all(any(mail.endswith(octets) for mail in found) for octets in letters)
    assert not any(mail.endswith(octets) for mail in rules.mailbox("admin1") for octets in letters)


def warnings(office: Office, name: str = "greg") -> list[bytes]:
    return [mail for mail in office.mailbox(name) if b"Subject: The mailbox" in mail]


def test_the_owner_is_warned_once_at_80_and_90_and_armed_again_below(rules: Office) -> None:
    """By messages: bound 100; the warnings themselves count as well."""
    change(rules, "greg", quota=Quota(0, 100))
    for _ in range(79):
        collect(rules, letter())
    assert warnings(rules) == []
    for _ in range(5):
        collect(rules, letter())
    assert len(warnings(rules)) == 1
    for _ in range(8):
        collect(rules, letter())
    assert len(warnings(rules)) == 2
    drop = finish(rules.store.mailboxes.lock_maildrop(rules.users["greg"].id, "test"))
    uids, _ = finish(drop.snapshot())
    finish(drop.commit(uids))
    drop.release()
    for _ in range(81):
        collect(rules, letter())
    assert len(warnings(rules)) == 1
    assert warnings(rules, "admin1") == []


def test_admin_hears_of_a_full_mailbox(rules: Office) -> None:
    """Once, by octets, in a single leap."""
    change(rules, "greg", quota=Quota(10_000))
    collect(rules, letter(size=12_000))
    collect(rules, letter())
    assert (len(warnings(rules)), len(warnings(rules, "admin1"))) == (1, 1)


# ---------------------------------------------------------------------- everybody


def everybody(office: Office, intake: Intake | None = None) -> bool:
    before = len(office.mailbox("carolyn"))
    origin = Origin(Source.COLLECT, f"{next(traces):016x}", account_id=1)
    octets = letter("PUBLIC <mail@company.example>")
    finish((intake or office.intake).accept(Envelope(FRIEND), office.body(octets), origin))
    return len(office.mailbox("carolyn")) > before


def test_the_hourly_count_of_mail_to_everybody_outlives_a_restart(rules: Office) -> None:
    """Ten an hour of one sender; the eleventh goes to ADMIN, also in a server that was started anew."""
    assert all(everybody(rules) for _ in range(10))
    rate = _rate(rules)
    finish(rate.recover(rules.store.events))
    again = Intake(rules.store, Router(rate), rules.clock, rules.reports)
    assert not everybody(rules, again)
    assert b"X-Mailshare-Reason: public-capped" in rules.mailbox("admin1")[-1]
    rules.clock.advance(3600)
    rate = _rate(rules)
    finish(rate.recover(rules.store.events))
    assert everybody(rules, Intake(rules.store, Router(rate), rules.clock, rules.reports))


def test_mail_to_everybody_is_one_body_with_many_references(rules: Office) -> None:
    """Many mailboxes, one stored message; neither ADMIN nor the local author gets it."""
    rules.send(letter("public"), "public", sender="andrew")
    assert [len(rules.mailbox(name)) for name in ("andrew", "greg", "carolyn", "admin1")] == [0, 1, 1, 0]
    assert len(finish(rules.store.recent(10))) == 1


@pytest.mark.parametrize("policy", ["fix", "enforce", "keep"])
@pytest.mark.parametrize("where", ["envelope", "header"])
def test_nobody_sends_as_public(rules: Office, policy: str, where: str) -> None:
    """Whatever becomes of other From fields."""
    rules.desk.rules = evolve(rules.desk.rules, policy=policy)
    public = "public1@mail.office.example"
    author = public if where == "header" else "mail@company.example"
    octets = letter("greg").replace(b"alice@far.example", author.encode())
    submitter = rules.desk.submitter(rules.users["andrew"])
    sender = Address.parse(public if where == "envelope" else "mail@company.example")
    envelope = Envelope(sender, (Recipient(Address("greg")),))
    with pytest.raises(PolicyRefusal) as refused:
        finish(submitter.sender(envelope, FakeSession()))
        submission = finish(submitter.submit(envelope, FakeSession()))
        submission.write(octets)
        finish(submission.finish())
    assert isinstance(refused.value, MailshareError)
    assert refused.value.code == 550


# ---------------------------------------------------------------------- copies


def test_copies_follow_every_rule(rules: Office) -> None:
    """One hop, nobody twice, not to the author, not of mail to everybody, for upstream and local mail alike."""
    carolyn, andrew = rules.users["carolyn"], rules.users["andrew"]
    change(rules, "greg", cc=(carolyn.id,))
    change(rules, "carolyn", cc=(andrew.id,))
    collect(rules, letter())
    assert [len(rules.mailbox(name)) for name in ("greg", "carolyn", "andrew")] == [1, 1, 0]
    assert b"X-Mailshare-Copy-For: greg\r\n" in rules.mailbox("carolyn")[0]
    assert b"X-Mailshare-Copy-For" not in rules.mailbox("greg")[0]
    rules.send(letter("greg, carolyn"), "greg", "carolyn", sender="andrew")
    assert [len(rules.mailbox(name)) for name in ("greg", "carolyn", "andrew")] == [2, 2, 0]
    rules.send(letter("greg"), "greg", sender="carolyn")
    assert [len(rules.mailbox(name)) for name in ("greg", "carolyn", "andrew")] == [3, 2, 0]
    collect(rules, letter("PUBLIC <mail@company.example>"))
    assert [len(rules.mailbox(name)) for name in ("greg", "carolyn", "andrew")] == [4, 3, 1]
    finish(rules.store.directory.delete_user(carolyn.id))
    collect(rules, letter())
    assert len(rules.mailbox("greg")) == 5
    assert rules.store.directory.current().user_by_name["greg"].cc == ()
