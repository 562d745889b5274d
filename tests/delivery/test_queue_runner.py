"""The queue: what is tried when, what becomes of it, who is told, and what a kill leaves behind."""

from __future__ import annotations

import email
from itertools import pairwise
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailshare.core.address import Address
from mailshare.core.envelope import Recipient
from mailshare.core.errors import ConfigFault, Unavailable
from mailshare.core.values import QueueItem, QueueState
from mailshare.delivery.agents import Agents
from mailshare.delivery.queue import LEASE, QueueRules, QueueRunner
from mailshare.delivery.reports import Reports
from mailshare.interfaces import IAgent, ILaned
from tests.conftest import LoggedFailures
from tests.delivery.conftest import LATER, NEVER, OK, Office, ScriptedAgent, finish

MAIL = b"Subject: Offer\r\nMessage-ID: <own@company.example>\r\n\r\nBody\r\n"
HOUR = 3600


def report_parts(octets: bytes) -> tuple[str, dict[str, str]]:
    """The text and the recipient's fields of a report."""
    message = email.message_from_bytes(octets)
    text, status, _ = message.get_payload()  # type: ignore[misc]
    fields = status.get_payload()[1]  # type: ignore[union-attr, index]
    return text.get_payload(decode=True).decode(), dict(fields.items())  # type: ignore[union-attr]


def test_delivered(office: Office) -> None:
    """A row that the provider takes is done, with its answer in the journal, and nobody is bothered."""
    verifyObject(IAgent, office.agent)
    office.agent.answers = [OK]
    trace = office.send(MAIL, "ann@example.net", "bob@example.net")
    assert dict(office.flush()) == {"delivered": 2}
    assert len(office.agent.batches) == 1
    assert {row.state for row in office.rows()} == {QueueState.DELIVERED}
    first, _ = office.events("relay.delivered")
    assert (first.trace, first.data["reply"], first.data["host"]) == (trace, "Ok", "smtp.isp.example")
    assert office.mailbox("greg") == []
    assert dict(office.flush()) == {}


def test_refused_recipient_is_reported(office: Office) -> None:
    """The sender finds a report in his own mailbox, with the server's words and the message's header."""
    office.agent.answers = [NEVER]
    office.send(MAIL, Recipient(Address("ann", "example.net"), orcpt="rfc822;Ann@example.net"), envid="E1")
    assert dict(office.flush()) == {"failed": 1}
    (report,) = office.mailbox("greg")
    text, fields = report_parts(report)
    assert "550 5.1.1 No such user" in text
    assert fields["Action"] == "failed"
    assert fields["Status"] == "5.1.1"
    assert fields["Original-Recipient"] == "rfc822;Ann@example.net"
    assert fields["Remote-MTA"] == "dns; mx"
    assert b"Original-Envelope-Id: E1\r\n" in report
    assert b"Subject: Offer\r\n" in report
    assert b"Body" not in report
    assert b"In-Reply-To: <own@company.example>" in report


def test_whole_message_comes_back_on_request(office: Office) -> None:
    """RET=FULL."""
    office.agent.answers = [NEVER]
    office.send(MAIL, "ann@example.net", ret="FULL")
    office.flush()
    assert b"\r\n\r\nBody\r\n" in office.mailbox("greg")[0]


@pytest.mark.parametrize(
    ("notify", "answer", "action"),
    [
        ({"NEVER"}, NEVER, None),
        ({"SUCCESS"}, NEVER, None),
        ({"FAILURE"}, NEVER, "failed"),
        ({"SUCCESS"}, OK, "relayed"),
        ({"SUCCESS"}, {**OK, "detail": {"dsn": True}}, None),
        ({"FAILURE"}, OK, None),
    ],
)
def test_notify(office: Office, notify: set[str], answer: dict[str, Any], action: str | None) -> None:
    """The sender is told what he asked to be told; not of success when the provider took that duty over."""
    office.agent.answers = [answer]
    office.send(MAIL, Recipient(Address("ann", "example.net"), frozenset(notify)))
    office.flush()
    assert [report_parts(each)[1]["Action"] for each in office.mailbox("greg")] == ([action] if action else [])


def test_five_days_of_failures(office: Office) -> None:
    """Tried by the rule, one delay report after four hours, given up after five days with one failure report."""
    office.agent.answers = [LATER]
    office.send(MAIL, "ann@example.net")
    start, times = office.clock.seconds(), []
    while True:
        before = len(office.agent.batches)
        office.flush()
        if len(office.agent.batches) > before:
            times.append(round(office.clock.seconds() - start))
        (row,) = office.rows()
        if row.state is not QueueState.QUEUED:
            break
        assert row.word == "deferred"
        office.clock.advance(60)
    waits = [(b - a) // 60 for a, b in pairwise(times)]
    assert waits[:8] == [1, 5, 15, 60, 60, 60, 39, 60]
    assert times[-1] == 5 * 24 * HOUR
    assert row.state is QueueState.EXPIRED
    delayed, failed = [report_parts(each) for each in office.mailbox("greg")]
    assert delayed[1]["Action"] == "delayed"
    assert "451 4.7.1 Try later" in delayed[0]
    assert (failed[1]["Action"], failed[1]["Status"]) == ("failed", "4.4.7")


def test_only_the_refused_recipient_bounces(office: Office) -> None:
    """One of two is refused: the report speaks of that one, the other is delivered."""
    answers = {"ann@example.net": NEVER, "bob@example.net": OK}

    async def deliver(batch: Any, _progress: Any) -> Any:
        from mailshare.core.values import Outcome

        return [Outcome(item.id, at=int(office.clock.seconds() * 1e6), **answers[item.address]) for item in batch]

    office.agent.deliver = deliver  # type: ignore[method-assign]
    office.send(MAIL, "ann@example.net", "bob@example.net")
    assert dict(office.flush()) == {"failed": 1, "delivered": 1}
    (report,) = office.mailbox("greg")
    assert b"bob@example.net" not in report


def test_nothing_is_told_to_the_null_sender(office: Office) -> None:
    """A report that fails is not reported."""
    office.agent.answers = [NEVER]
    office.send(MAIL, "ann@example.net")
    submission = office.desk.submitter(office.users["greg"])
    made = finish(submission.submit(_null("ann@example.net"), _session()))
    made.write(b"Auto-Submitted: auto-replied\r\n" + MAIL.replace(b"own@", b"own2@"))
    finish(made.finish())
    office.flush()
    assert len(office.mailbox("greg")) == 1
    assert office.mailbox("admin1") == []


def _null(recipient: str) -> Any:
    from mailshare.core.envelope import Envelope

    return Envelope(None, (Recipient(Address.parse(recipient)),))


def _session() -> Any:
    from tests.delivery.conftest import FakeSession

    return FakeSession()


def test_paused_route_costs_no_attempt(office: Office) -> None:
    """A try that never reached the peer leaves the count alone, and the run comes to an end."""
    office.agent.answers = [{"state": QueueState.QUEUED, "counts": False}]
    office.send(MAIL, "ann@example.net")
    office.flush()
    (row,) = office.rows()
    assert (row.state, row.attempts) == (QueueState.QUEUED, 0)
    assert row.next_at > office.clock.seconds() * 1_000_000
    assert len(office.agent.batches) == 1


def test_agent_that_raises(office: Office, logged_failures: LoggedFailures) -> None:
    """A program error of an agent defers its mail and leaves other mail alone."""
    office.agent.answers = [RuntimeError("bug"), OK]
    office.send(MAIL, "ann@example.net")
    office.send(MAIL.replace(b"own@", b"own2@"), "bob@example.net")
    assert dict(office.flush()) == {"deferred": 1, "delivered": 1}
    assert len(logged_failures.flush(RuntimeError)) == 1
    assert office.rows()[0].code == 451


def test_agent_that_forgets_a_row(office: Office) -> None:
    """A row without an outcome goes back to the queue as it was."""

    async def deliver(_batch: Any, progress: Any) -> Any:
        return []

    office.agent.deliver = deliver  # type: ignore[method-assign]
    office.send(MAIL, "ann@example.net")
    office.flush()
    assert (office.rows()[0].state, office.rows()[0].attempts) == (QueueState.QUEUED, 0)


def test_report_survives_a_kill(office: Office) -> None:
    """Killed between settling and reporting: the next start sends the report, and only once."""
    office.agent.answers = [NEVER]
    office.send(MAIL, "ann@example.net")
    whole = Reports.send_owed
    try:
        Reports.send_owed = _nothing_sent  # type: ignore[method-assign]
        office.flush()
    finally:
        Reports.send_owed = whole  # type: ignore[method-assign]
    assert office.mailbox("greg") == []
    for start in range(3):
        reports = Reports(office.store, office.clock, lambda length, start=start: bytes([9, start]) * (length // 2))  # type: ignore[misc]
        assert finish(reports.recover()) == (1 if start == 0 else 0)
        assert finish(reports.send_owed()) == 0
    assert len(office.mailbox("greg")) == 1


async def _nothing_sent(_reports: Reports) -> int:
    """A kill before the report."""
    return 0


def test_report_that_cannot_be_stored_is_sent_later(office: Office) -> None:
    """G17: a full disk keeps the report due, not lost."""
    office.agent.answers = [NEVER]
    office.send(MAIL, "ann@example.net")
    office.store._capacity = 10
    office.flush()
    assert office.mailbox("greg") == []
    office.store._capacity = 1 << 30
    office.flush()
    assert len(office.mailbox("greg")) == 1


def test_leases_are_renewed_while_an_agent_works(office: Office) -> None:
    """A long try keeps its rows; no second run takes them."""
    gate: Deferred[Any] = Deferred()
    office.agent.answers = [gate]
    office.send(MAIL, "ann@example.net")
    running = Deferred.fromCoroutine(office.runner.flush(1))
    office.clock.pump([60.0] * 20)
    now = int(office.clock.seconds() * 1_000_000)
    assert finish(office.store.queue.claim("relay", 10, now, LEASE)) == []
    gate.callback(OK)
    assert dict(finish(running)) == {"delivered": 1}


def test_leases_outlive_a_run_that_breaks_off(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the store cannot be asked for more, what is under way keeps its rows until it is written down."""
    gate: Deferred[Any] = Deferred()
    office.agent.answers = [gate]
    office.send(MAIL, "ann@example.net")
    claim, asked = office.store.queue.claim, []

    async def once(*given: Any, **options: Any) -> Any:
        asked.append(given)
        if len(asked) > 1:
            raise Unavailable
        return await claim(*given, **options)

    monkeypatch.setattr(office.store.queue, "claim", once)
    monkeypatch.setattr("mailshare.delivery.queue._CLAIM", 1)  # a whole claim, so that more is asked for at once
    running = Deferred.fromCoroutine(office.runner.flush(1))
    with pytest.raises(Unavailable):
        finish(running)
    office.clock.pump([60.0] * 20)
    now = int(office.clock.seconds() * 1_000_000)
    assert finish(claim("relay", 10, now, LEASE)) == []
    gate.callback(OK)
    assert office.rows()[0].state is QueueState.DELIVERED
    office.clock.pump([60.0] * 20)
    assert not [call for call in office.clock.getDelayedCalls() if "LoopingCall" in str(call.func)]


def test_runs_beside_each_other_share_no_row(office: Office) -> None:
    """A second flush takes nothing that the first one has, and does not wait for it with what came in meanwhile."""
    gate: Deferred[Any] = Deferred()
    office.agent.answers = [gate, OK]
    office.send(MAIL, "ann@example.net")
    first = Deferred.fromCoroutine(office.runner.flush(1))
    assert dict(office.flush()) == {}
    office.send(MAIL.replace(b"own@", b"own2@"), "bob@example.net")
    assert dict(office.flush()) == {"delivered": 1}
    assert not first.called
    gate.callback(OK)
    assert dict(finish(first)) == {"delivered": 1}


@implementer(ILaned)
class ByDomain(ScriptedAgent):
    """Each domain is a way out of its own."""

    def lane(self, item: QueueItem) -> str:
        """The domain."""
        return item.address.partition("@")[2]

    def room(self, item: QueueItem) -> int:
        """Six at a time by the wide way."""
        return 6 if "wide" in item.address else 1


def test_a_slow_way_out_never_holds_up_another(office: Office) -> None:
    """Ten messages hang on one route; one for another route, and one of mixed recipients, pass them."""
    gates: list[Deferred[Any]] = [Deferred() for _ in range(4)]
    agent = ByDomain(office.clock, "relay", [*gates, OK])
    runner = QueueRunner(office.store, Agents([agent]), office.reports, office.clock)
    for number in range(10):
        office.send(MAIL.replace(b"own@", b"own%d@" % number), "ann@slow.example")
    office.send(MAIL.replace(b"own@", b"fast@"), "bob@fast.example")
    office.send(MAIL.replace(b"own@", b"both@"), "cid@fast.example", "dan@slow.example")
    running = Deferred.fromCoroutine(runner.flush(1))
    assert [len(batch) for batch in agent.batches] == [1] * 6
    done = {row.address for row in office.rows() if row.state is QueueState.DELIVERED}
    assert done == {"bob@fast.example", "cid@fast.example"}
    for gate in gates:
        gate.callback(OK)
    assert dict(finish(running)) == {"delivered": 13}


def test_an_agent_that_has_use_for_more_gets_more(office: Office) -> None:
    """Ten messages by a way with room for six."""
    gates: list[Deferred[Any]] = [Deferred() for _ in range(10)]
    agent = ByDomain(office.clock, "relay", [*gates, OK])
    runner = QueueRunner(office.store, Agents([agent]), office.reports, office.clock)
    for number in range(10):
        office.send(MAIL.replace(b"own@", b"own%d@" % number), "ann@wide.example")
    running = Deferred.fromCoroutine(runner.flush(1))
    assert len(agent.batches) == 6
    for gate in gates:
        gate.callback(OK)
    assert dict(finish(running)) == {"delivered": 10}


def test_batches_under_way_are_bounded(office: Office) -> None:
    """Ten messages, four at a time."""
    gates: list[Deferred[Any]] = [Deferred() for _ in range(10)]
    office.agent.answers = [*gates, OK]
    for number in range(10):
        office.send(MAIL.replace(b"own@", b"own%d@" % number), "ann@example.net")
    running = Deferred.fromCoroutine(office.runner.flush(1))
    assert len(office.agent.batches) == QueueRules().at_once == 4
    for gate in gates:
        gate.callback(OK)
    assert dict(finish(running)) == {"delivered": 10}


def test_cancel_and_stop_put_rows_back(office: Office) -> None:
    """What was under way is queued again, uncounted, when a flush is cancelled or the service stops."""
    office.agent.answers = [Deferred(), Deferred(), OK]
    office.send(MAIL, "ann@example.net")
    running = Deferred.fromCoroutine(office.runner.flush(1))
    running.cancel()
    assert dict(finish(running)) == {"deferred": 1}
    office.clock.advance(1)
    office.runner.startService()
    running = Deferred.fromCoroutine(office.runner.flush(1))
    assert office.rows()[0].state is QueueState.ACTIVE
    finish(office.runner.stopService())
    assert (office.rows()[0].state, office.rows()[0].attempts) == (QueueState.QUEUED, 0)
    finish(running)
    assert office.clock.getDelayedCalls() == []


def test_unpaced_agent_acts_by_itself(office: Office) -> None:
    """A row for a printer is tried as soon as it is there, again when its time comes, without anybody's flush."""
    printer = ScriptedAgent(office.clock, "print", [LATER, OK])
    runner = QueueRunner(office.store, Agents([printer]), office.reports, office.clock)
    runner.startService()
    finish(
        office.store.delivery.deliver(
            _null("x@y.example"), office.body(MAIL), *_printed(), at=_now(office), expires=1 << 60
        )
    )
    office.clock.advance(0)
    office.clock.advance(0)
    assert len(printer.batches) == 1
    office.clock.pump([1.0] * 59)
    assert len(printer.batches) == 1
    office.clock.pump([1.0] * 32)
    assert len(printer.batches) == 2
    assert office.rows()[0].state is QueueState.DELIVERED
    finish(runner.stopService())
    assert office.clock.getDelayedCalls() == []


def test_a_wake_does_not_wait_for_the_next_look(office: Office) -> None:
    """A row waits twenty seconds for its time; somebody says "now", and it is now."""
    soon = {**LATER, "counts": False, "next_at": _now(office) + 20_000_000}
    printer = ScriptedAgent(office.clock, "print", [soon, OK])
    runner = QueueRunner(office.store, Agents([printer]), office.reports, office.clock)
    runner.startService()
    printed = _printed()
    finish(
        office.store.delivery.deliver(
            _null("x@y.example"), office.body(MAIL), *printed, at=_now(office), expires=1 << 60
        )
    )
    office.clock.pump([0, 0])
    assert len(printer.batches) == 1
    finish(office.store.queue.steer([office.rows()[0].id], "retry", _now(office)))
    office.store.notifier.wake("print")
    office.clock.pump([0, 0])
    assert len(printer.batches) == 2
    finish(runner.stopService())
    assert office.clock.getDelayedCalls() == []


def _now(office: Office) -> int:
    return int(office.clock.seconds() * 1_000_000)


def _printed() -> Any:
    from mailshare.core.values import Hop, Origin, Source

    return Origin(Source.PRINT, "p" * 16), (), [Hop("print", "laser", "job")]


def test_failure_of_nobodys_mail_goes_to_admin(office: Office) -> None:
    """Mail that no local user handed in is never bounced outside: ADMIN hears of it."""
    from mailshare.core.envelope import Envelope
    from mailshare.core.values import Hop, Origin, Source

    office.agent.answers = [NEVER]
    envelope = Envelope(Address("stranger", "example.org"))
    origin = Origin(Source.COLLECT, "f" * 16, account_id=1)
    hops = [Hop("relay", "ann@example.net", "forward", 1)]
    finish(office.store.delivery.deliver(envelope, office.body(MAIL), origin, (), hops, at=_now(office)))
    office.flush()
    assert len(office.mailbox("admin1")) == 1
    assert [row.address for row in office.rows()] == ["ann@example.net"]


def test_agents_by_name(office: Office) -> None:
    """Each name once, and no unknown one."""
    agents = Agents([office.agent])
    with pytest.raises(ConfigFault):
        agents.add(office.agent)
    with pytest.raises(ConfigFault):
        agents.get("pigeon")
    assert agents.paced("relay")
    with pytest.raises(ConfigFault):
        finish(office.runner.flush(agent="pigeon"))


def test_store_that_is_away(office: Office) -> None:
    """A fault of the store reaches whoever asked for the flush, and the next flush works."""
    office.agent.answers = [OK]
    office.send(MAIL, "ann@example.net")
    settle = office.store.queue.settle

    async def away(*_arguments: object) -> None:
        raise Unavailable

    office.store.queue.settle = away  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        office.flush()
    office.store.queue.settle = settle  # type: ignore[method-assign]
    office.clock.advance(LEASE / 1_000_000 + 1)
    assert dict(office.flush()) == {"delivered": 1}


def test_two_runs_send_a_report_once(office: Office) -> None:
    """While one run stores a report, another one does not begin the same report."""
    office.agent.answers = [NEVER]
    office.send(MAIL, "ann@example.net")
    deliver, gate = office.store.delivery.deliver, Deferred[None]()

    async def slow(*arguments: Any, **options: Any) -> Any:
        await gate
        return await deliver(*arguments, **options)

    office.store.delivery.deliver = slow  # type: ignore[method-assign]
    runs = [Deferred.fromCoroutine(office.runner.flush(account)) for account in (1, None)]
    gate.callback(None)
    for run in runs:
        finish(run)
    assert len(office.events("report.sent")) == 1
    assert len(office.mailbox("greg")) == 1


def test_stop_waits_for_a_flush_of_somebody_else(office: Office) -> None:
    """The store may be closed when the runner has stopped: nothing of a flush comes after that."""
    gate: Deferred[Any] = Deferred(lambda _: None)
    office.agent.answers = [gate]
    office.send(MAIL, "ann@example.net")
    office.runner.startService()
    running = Deferred.fromCoroutine(office.runner.flush(1))
    stopping = Deferred.fromCoroutine(office.runner.stopService())
    assert not running.called or stopping.called
    finish(stopping)
    assert running.called
    finish(running)
    assert office.clock.getDelayedCalls() == []


def test_delay_by_a_paused_route_is_told_once(office: Office) -> None:
    """Mail that waits because the provider refuses our login does not run out of tries, but its sender hears of it."""
    words = {"code": 451, "status": "4.4.1", "reply": "Sending by this account is paused"}
    office.agent.answers = [{"state": QueueState.QUEUED, "counts": False, **words}]
    office.send(MAIL, "ann@example.net")
    for _hour in range(6 * 24):
        office.flush()
        office.clock.advance(HOUR)
    (row,) = office.rows()
    assert (row.state, row.attempts) == (QueueState.QUEUED, 0)
    (told,) = office.mailbox("greg")
    text, fields = report_parts(told)
    assert (fields["Action"], fields["Status"]) == ("delayed", "4.4.1")
    assert "Sending by this account is paused" in text
