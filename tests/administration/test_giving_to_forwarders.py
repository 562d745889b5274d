"""What ADMIN gives, teaches or sorts once more goes to the outside as well, for those who have their mail sent on."""

from __future__ import annotations

from typing import Any

import pytest

from mailshare.core.envelope import Envelope
from mailshare.core.values import Origin, Outcome, QueueState, Source
from mailshare.delivery.events import report_due
from tests.administration.conftest import Office, finish


def outbox(office: Office) -> list[tuple[str, str]]:
    """Trace and recipient of each waiting row, oldest first."""
    rows = finish(office.store.queue.items(agent="relay"))
    return [(row.trace, row.address) for row in rows][::-1]


def comes(office: Office, header: str) -> str:
    """A message with that on top of its header is collected; gives its trace."""
    octets = f"{header}From: Ann <ann@out.example>\r\nSubject: S\r\n\r\nText\r\n".encode()
    sink = office.store.new_body(len(octets))
    sink.write(octets)
    origin = Origin(Source.COLLECT, f"{next(office.numbers):016x}", account_id=1)
    return str(finish(office.intake.accept(Envelope(None), finish(sink.finish()), origin)).trace)


@pytest.fixture
def away(office: Office) -> Office:
    """Greg has everything sent on and keeps nothing; andrew has it sent on and keeps it."""
    finish(office.acts.change_user(name="greg", forward=["greg@home.example"], forward_keep=False))
    finish(office.acts.change_user(name="andrew", forward=["andy@phone.example"]))
    return office


def test_what_admin_gives_is_sent_on_and_kept_as_the_owner_wants(away: Office) -> None:
    """One transaction: greg's mailbox stays empty, andrew has a copy, both outside addresses wait in the outbox."""
    trace = away.arrive("mail@company.example")
    woken: list[int] = []
    end = away.store.notifier.subscribe("relay", lambda: woken.append(1))
    answer = finish(away.acts.admin_give(id=trace, users=["greg", "andrew"], by="root"))
    end()
    assert answer["to"] == ["greg", "andrew"]
    assert answer["sent_on"] == ["greg@home.example", "andy@phone.example"]
    assert outbox(away) == [(trace, "greg@home.example"), (trace, "andy@phone.example")]
    assert (away.box("greg"), away.box("andrew"), away.box("admin1")) == ([], [trace], [])
    assert woken
    row: Any = next(one for one in finish(away.store.queue.items()) if one.address == "greg@home.example")
    assert row.sender is None  # the null sender stays
    assert row.params["top"] == "Delivered-To: greg@mail.office.example\r\n"
    assert row.expires > row.queued
    (gave,) = [event for event in away.events(trace) if event.kind == "admin.gave"]
    assert [code for code, _ in gave.data["steps"]] == ["forward", "forward"]
    assert finish(away.store.verify(deep=True)) == []


def test_what_was_sent_on_once_is_not_sent_on_again(away: Office) -> None:
    """The same message once more, by itself or by ADMIN's hand, is a duplicate of what greg had."""
    first = comes(away, "To: mail@company.example\r\nMessage-ID: <once@out.example>\r\n")
    finish(away.acts.admin_give(id=first, users=["greg"]))
    again = comes(away, "To: greg <mail@company.example>\r\nMessage-ID: <once@out.example>\r\n")
    assert outbox(away) == [(first, "greg@home.example")]
    assert away.box("greg") == []
    assert "deliver.duplicate" in [event.kind for event in away.events(again)]


def test_a_hand_that_comes_too_late_is_a_duplicate(away: Office) -> None:
    """Greg had the message by name; ADMIN has a copy that came without a name, and gives it to him as well."""
    first = comes(away, "To: greg <mail@company.example>\r\nMessage-ID: <once@out.example>\r\n")
    second = comes(away, "To: mail@company.example\r\nMessage-ID: <once@out.example>\r\n")
    assert outbox(away) == [(first, "greg@home.example")]
    finish(away.acts.admin_give(id=second, users=["greg"]))
    assert outbox(away) == [(first, "greg@home.example")]
    (told,) = [event for event in away.events(second) if event.kind == "deliver.duplicate"]
    assert told.data["of"] == first
    assert (away.box("greg"), away.box("admin1")) == ([], [])


def test_copies_of_what_is_given_are_sent_on(away: Office) -> None:
    """Greg is on andrew's list: his copy goes the way of all his mail."""
    finish(away.acts.change_user(name="andrew", forward=[], cc=["greg"]))
    trace = away.arrive("mail@company.example")
    finish(away.acts.admin_give(id=trace, users=["andrew"]))
    assert outbox(away) == [(trace, "greg@home.example")]
    assert (away.box("andrew"), away.box("greg")) == ([trace], [])


@pytest.mark.parametrize("act", ["always", "teach", "sort"])
def test_past_mail_is_sent_on_too(away: Office, act: str) -> None:
    """Rule, name and sorting once more: what they move goes the same way as what comes from now on."""
    to = "mail@company.example" if act == "always" else '"Zoe Zed" <mail@company.example>'
    past, this = away.arrive(to), away.arrive(to)
    if act == "always":
        finish(away.acts.admin_always(id=this, users=["greg"], kind="from", past=True))
    elif act == "teach":
        finish(away.acts.admin_teach(id=this, user="greg", past=True))
    else:
        finish(away.acts.change_user(name="greg", names=["Zoe Zed"]))
        finish(away.acts.admin_sort())
    assert sorted(outbox(away)) == [(past, "greg@home.example"), (this, "greg@home.example")]
    assert (away.box("greg"), away.box("admin1")) == ([], [])


def test_circles_stay_here(away: Office) -> None:
    """A loop, what left here before, a report of ours and thirty hops: greg's own mailbox has them after all."""
    instance = away.store.directory.current().instance
    hops = "".join(f"Received: from a by h{number}.example; x\r\n" for number in range(30))
    traces = [
        comes(away, "Delivered-To: greg@mail.office.example\r\nTo: mail@company.example\r\n"),
        away.arrive("mail@company.example", more=f"X-Mailshare-Trace: {instance}; 0123456789abcdef\r\n"),
        away.arrive("mail@company.example", more=hops),
    ]
    reason = finish(away.acts.admin_show(id=traces[0]))["reason"]
    assert reason == "loop"
    for trace in traces:
        answer = finish(away.acts.admin_give(id=trace, users=["greg"]))
        assert answer["sent_on"] == []
        (told,) = [event for event in away.events(trace) if event.kind == "admin.gave"]
        assert [code for code, _ in told.data["steps"]] == ["not-forwarded"]
    assert outbox(away) == []
    assert away.box("greg") == traces


def test_a_notice_of_ours_stays_here(away: Office) -> None:
    """Reports are never sent on, by whatever way greg gets them."""
    admin = away.store.directory.current().user_by_name["admin1"]
    finish(away.reports.notify(admin.id, "Something", ["Words"], account_id=1))
    (row,) = finish(away.acts.admin_list())
    assert finish(away.acts.admin_give(id=row["id"], users=["greg"]))["sent_on"] == []
    assert outbox(away) == []
    assert len(away.box("greg")) == 1


def test_what_cannot_be_sent_on_after_all_lies_with_its_owner(away: Office) -> None:
    """The provider refuses the address outside: what ADMIN gave is in the mailbox after all, and a notice beside it."""
    trace = away.arrive("mail@company.example")
    finish(away.acts.admin_give(id=trace, users=["greg"]))
    (row,) = finish(away.store.queue.items(agent="relay"))
    outcome = Outcome(row.id, QueueState.FAILED, row.queued + 1, 550, "5.1.1", "No such user")
    due = report_due("failed", [row], row.queued + 1)
    finish(away.store.queue.settle([outcome], [due]))
    away.reports.owe(due)
    assert finish(away.reports.send_owed()) == 0
    assert len(away.box("greg")) == 2
    drop = finish(away.store.mailboxes.lock_maildrop(away.store.directory.current().user_by_name["greg"].id, "test"))
    letter, notice = (finish(finish(drop.body(uid)).read(0, 5000)) for uid in (1, 2))
    assert letter.startswith(b"Delivered-To: greg@mail.office.example\r\nX-Mailshare-Reason: forward-failed\r\n")
    assert letter.endswith(b"\r\n\r\nText 1\r\n")
    assert b"greg@home.example" in notice
