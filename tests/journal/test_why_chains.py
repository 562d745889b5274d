"""``why``: found by whatever a person has in hand, told in order and in words (3.11, issue 3 item 3)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from twisted.internet.task import Clock

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope
from mailshare.core.values import (
    SECOND,
    Account,
    Event,
    Hop,
    LedgerKey,
    Origin,
    Outcome,
    QueueState,
    Routing,
    Source,
    Step,
    Target,
    User,
)
from mailshare.delivery.events import outcome_event, report_due, report_sent, route_event
from mailshare.journal.telling import Telling
from mailshare.journal.why import Chain, why
from mailshare.store.memory import MemoryStore
from tests.journal.conftest import BERLIN, finish

NOON = 1_795_259_000
AT = NOON * SECOND
TRACE = "0123456789abcdef"


class Desk:
    """An office with greg and lisa, and letters that came to it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOON)
        self.store = MemoryStore(clock=self.clock)
        finish(self.store.open())
        finish(self.store.directory.add_account(Account(0, 0, Address("mail", "company.example"))))
        self.greg = finish(self.store.directory.add_user(User(0, "greg", accounts=(1,))))
        self.lisa = finish(self.store.directory.add_user(User(0, "lisa", accounts=(1,))))

    def deliver(
        self,
        origin: Origin,
        targets: Sequence[Target] = (),
        hops: Sequence[Hop] = (),
        *,
        steps: Sequence[Step] = (),
        message_id: str = "<m1@x.example>",
        key: bytes = b"",
    ) -> int:
        directory = self.store.directory.current()
        sink = self.store.new_body()
        sink.write(f"Message-ID: {message_id}\r\n\r\n".encode())
        routing = Routing(tuple(targets), tuple(hops), tuple(steps))
        envelope = Envelope(Address("ann", "out.example"))
        event = route_event(AT, envelope, origin, routing, 30, directory, message_id)
        body = finish(sink.finish())
        done = self.store.delivery.deliver(
            envelope, body, origin, targets, hops, [event], at=AT, duplicate_key=key, expires=AT * 2
        )
        return finish(done).message_id

    def collect(self, trace: str = TRACE, key: bytes = b"", uidl: str = "u-1") -> int:
        origin = Origin(
            Source.COLLECT, trace, account_id=1, peer="pop.isp.example", secure=True,
            ledger=LedgerKey(1, uidl, 30, b"d"),
        )  # fmt: skip
        targets = [Target(self.greg.id, "name-L1"), Target(self.lisa.id, "cc")]
        return self.deliver(origin, targets, steps=[Step("name-L1", "To: Greg\r\n-> forged")], key=key)

    def note(self, *events: Event) -> None:
        finish(self.store.events.append(events))

    def one(self, wanted: str = TRACE) -> Chain:
        (chain,) = finish(why(self.store, wanted))
        return chain

    def told(self, wanted: str = TRACE) -> list[str]:
        return Telling(self.store.directory.current(), BERLIN).lines(self.one(wanted))


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_an_incoming_message_tells_whence_why_and_who_had_it(desk: Desk) -> None:
    """Account, session, evidence, mailboxes, copies, and later who read and who deleted it, in order."""
    desk.collect()
    desk.note(Event(AT + 3 * SECOND, "collect.run", account_id=1, data={"messages": 4}))
    desk.clock.advance(60)
    drop = finish(desk.store.mailboxes.lock_maildrop(desk.greg.id, "192.0.2.7"))
    finish(drop.commit([], [1]))
    finish(drop.commit([1], []))
    drop.release()
    drop = finish(desk.store.mailboxes.lock_maildrop(desk.lisa.id, "192.0.2.8"))
    finish(drop.commit([1]))
    assert desk.told()[1:] == [
        ("2026-11-21 12:03:20 collected from mail@company.example at pop.isp.example: 30 octets, by TLS, id there u-1, "
        "sender <ann@out.example>"),
        "    the name in front of the address is exactly that of a user: To: Greg -> forged [name-L1]",
        "    -> mailbox of greg: the name in front of the address is exactly that of a user [name-L1]",
        "    -> mailbox of lisa: a copy, by the list of copies [cc]",
        "    in the session that ended 2026-11-21 12:03:23 with 4 messages",
        "2026-11-21 12:04:20 greg fetched it over POP3 from 192.0.2.7",
        "2026-11-21 12:04:20 greg deleted it over POP3 from 192.0.2.7",
        "2026-11-21 12:04:20 lisa deleted it over POP3 from 192.0.2.8 without having fetched it",
    ]


def test_reading_twice_is_one_line_and_reading_and_deleting_at_once_is_one_line(desk: Desk) -> None:
    """A program that leaves mail on the server does not fill the journal."""
    desk.collect()
    for _ in range(2):
        drop = finish(desk.store.mailboxes.lock_maildrop(desk.greg.id, "192.0.2.7"))
        finish(drop.commit([], [1]))
        drop.release()
    drop = finish(desk.store.mailboxes.lock_maildrop(desk.lisa.id, "192.0.2.8"))
    finish(drop.commit([1], [1]))
    lines = [(event.kind, event.data) for _, event in desk.one().events[1:]]
    assert lines == [
        ("pop3.read", {"peer": "192.0.2.7"}),
        ("pop3.deleted", {"peer": "192.0.2.8", "read": True}),
    ]


def test_a_suppressed_copy_names_the_first(desk: Desk) -> None:
    """``duplicate of`` and the trace, for each mailbox that had it."""
    desk.collect(key=b"k" * 32)
    desk.collect("f" * 16, key=b"k" * 32, uidl="u-2")
    told = desk.told("f" * 16)
    assert f"2026-11-21 12:03:20 greg has it already: duplicate of {TRACE}" in told
    assert f"2026-11-21 12:03:20 lisa has it already: duplicate of {TRACE}" in told


def test_an_outgoing_message_tells_who_sent_it_and_what_the_provider_said(desk: Desk) -> None:
    """Who, rewriting, every try with its quoted answer, the report, and what waits now."""
    origin = Origin(Source.SMTP, TRACE, desk.greg.id, peer="192.0.2.9")
    hops = [Hop("relay", f"{name}@far.example", "outside", 1) for name in ("ann", "bob", "eve")]
    desk.deliver(origin, (), hops, steps=[Step("from-fixed", "greg@here became Greg <mail@company.example>")])
    rows = finish(desk.store.queue.claim("relay", 10, AT, 60 * SECOND))
    ann, bob, eve = sorted(rows, key=lambda row: row.address)
    host = {"host": "smtp.isp.example"}
    outcomes = [
        Outcome(ann.id, QueueState.DELIVERED, AT + SECOND, 250, "2.0.0", "Ok: queued", detail=host),
        Outcome(bob.id, QueueState.FAILED, AT + SECOND, 550, "5.1.1", "No such user\r\nhere", detail=host),
        Outcome(eve.id, QueueState.QUEUED, AT + SECOND, 451, "4.2.0", "Try later", AT + 300 * SECOND, detail=host),
    ]
    due = report_due("failed", [bob], AT + SECOND)
    events = [outcome_event(row, outcome) for row, outcome in zip((ann, bob, eve), outcomes, strict=True)]
    finish(desk.store.queue.settle(outcomes, [*events, due]))
    desk.note(report_sent(due, AT + 2 * SECOND, "c" * 16))
    assert desk.told()[1:] == [
        "2026-11-21 12:03:20 handed in by greg at 192.0.2.9: 30 octets, sender <ann@out.example>",
        "    the From field was made right: greg@here became Greg <mail@company.example> [from-fixed]",
        *(f"    -> outbox (relay) for {name}@far.example: it goes to the outside, by the provider [outside]"
          for name in ("ann", "bob", "eve")),
        (f"2026-11-21 12:03:21 ann@far.example (row {ann.id}): the provider took it for this recipient; "
        'smtp.isp.example: "250 Ok: queued"'),
        (f"2026-11-21 12:03:21 bob@far.example (row {bob.id}): the provider refused this recipient for good; "
        'smtp.isp.example: "550 No such user here"'),
        (f"2026-11-21 12:03:21 eve@far.example (row {eve.id}): the provider said not now, or could not be reached; it "
        'is tried again; smtp.isp.example: "451 Try later"'),
        "2026-11-21 12:03:21 a report that it failed became due",
        f"2026-11-21 12:03:22 a report that it failed was stored for greg: message {'c' * 16}",
        (f"now: eve@far.example waits in the outbox (row {eve.id}), not before 2026-11-21 12:08:20"
        '; the last answer: "451 Try later"'),
    ]  # fmt: skip
    for wanted in (str(bob.id), f"#{eve.id}"):
        assert desk.one(wanted).trace == TRACE


@pytest.mark.parametrize("wanted", [TRACE, TRACE.upper(), "<m1@x.example>", "m1@x.example", " m1@x.example "])
def test_a_message_is_found_while_it_is_stored_and_when_it_is_gone(desk: Desk, wanted: str) -> None:
    """By trace or Message-ID, with or without brackets; the journal outlives the message."""
    desk.collect()
    assert (desk.one(wanted).trace, desk.one(wanted).stored) == (TRACE, True)
    for user in (desk.greg, desk.lisa):
        drop = finish(desk.store.mailboxes.lock_maildrop(user.id, "x"))
        finish(drop.commit([1]))
        drop.release()
    assert finish(desk.store.collect_garbage(AT)) == 1
    chain = desk.one(wanted)
    assert (chain.trace, chain.message_id, chain.stored) == (TRACE, "m1@x.example", False)
    assert desk.told(wanted)[0].endswith("(no longer stored)")


def test_one_message_id_may_stand_on_several_messages(desk: Desk) -> None:
    """All of them are found, each with a line to choose by."""
    desk.collect()
    desk.collect("f" * 16, uidl="u-2")
    chains = finish(why(desk.store, "m1@x.example"))
    telling = Telling(desk.store.directory.current(), BERLIN)
    assert [telling.title(chain)[:16] for chain in chains] == ["f" * 16, TRACE]
    assert all("collected from mail@company.example" in telling.title(chain) for chain in chains)


def test_what_is_unknown_is_unknown(desk: Desk) -> None:
    """No trace, no message, no row."""
    desk.collect()
    for wanted in ("f" * 16, "nonsense", "", "7", "x@y.example", "<>"):
        assert finish(why(desk.store, wanted)) == []


def test_lines_of_before_and_users_who_are_gone_are_told(desk: Desk) -> None:
    """Routing lines with numbers, written by an earlier version; a number that is nobody's now."""
    targets = [[desk.greg.id, "tag"], [99, "cc"], ["paul", "tag"]]
    desk.note(Event(AT, "route", TRACE, data={"source": "smtp", "targets": targets}))
    told = desk.told()
    assert [line.split(":")[0] for line in told[2:]] == [
        "    -> mailbox of greg", "    -> mailbox of former user 99", "    -> mailbox of paul"
    ]  # fmt: skip
    assert "handed in by somebody who did not log in" in told[1]
