"""The relay against an honest smarthost and against lying ones: outcomes for each recipient, never a false yes."""

from __future__ import annotations

import pytest

from mailshare.core.servers import parse_server
from mailshare.core.values import SECOND, Outcome, QueueItem, QueueState
from mailshare.isp.relay import Relay
from mailshare.testing.liars import CUT, PretendSMTP, behind, honest, instead
from mailshare.testing.lies import SMTP_LIES
from mailshare.testing.pretend_office import MESSAGE, Office, ignore, submit

PLAIN = ("PIPELINING", "SIZE 1000000", "8BITMIME", "DSN", "AUTH PLAIN")


def relay(office: Office) -> Relay:
    return Relay(office.store, office.door, office.doors)


def mark(office: Office, rows: list[QueueItem]) -> bytes:
    """The line by which the office knows its own mail again."""
    return f"X-Mailshare-Trace: {office.store.directory.current().instance}; {rows[0].trace}\r\n".encode()


def send(office: Office, agent: Relay, rows: list[QueueItem], seconds: float = 3000.0) -> dict[str, Outcome]:
    outcomes = office.run(agent.deliver(rows, ignore), seconds)
    assert sorted(outcome.item_id for outcome in outcomes) == sorted(row.id for row in rows)
    by_id = {outcome.item_id: outcome for outcome in outcomes}
    return {row.address: by_id[row.id] for row in rows}


@pytest.mark.parametrize("extensions", [PLAIN, (*PLAIN, "CHUNKING"), ("AUTH PLAIN", "SIZE")])
def test_a_message_arrives_octet_by_octet(office: Office, extensions: tuple[str, ...]) -> None:
    """In one flight, in chunks and step by step; dots and all."""
    server = PretendSMTP(extensions=extensions)
    office.provider(server)
    rows = submit(office, ["a@out.example", "b@out.example"])
    outcomes = send(office, relay(office), rows)
    assert {outcome.state for outcome in outcomes.values()} == {QueueState.DELIVERED}
    assert [accepted.octets for accepted in server.accepted] == [mark(office, rows) + MESSAGE]
    assert server.accepted[0].recipients == ["a@out.example", "b@out.example"]


def test_bare_line_ends_are_put_right(office: Office) -> None:
    """No octet of a message can end the data early, whatever server reads it."""
    server = PretendSMTP(extensions=(*PLAIN, "CHUNKING"))
    office.provider(server)
    rows = submit(office, message=b"Subject: x\r\n\r\na\n.\nMAIL FROM:<evil@x>\r.\r\nend")
    send(office, relay(office), rows)
    text = b"Subject: x\r\n\r\na\r\n.\r\nMAIL FROM:<evil@x>\r\n.\r\nend\r\n"
    assert server.accepted[0].octets == mark(office, rows) + text
    assert len(server.accepted) == 1


def test_each_recipient_has_its_own_outcome(office: Office) -> None:
    """4xx waits, 5xx fails that one alone, the others get the mail."""
    refuse = {"no@out.example": b"550 5.1.1 unknown\r\n", "later@out.example": b"450 4.2.0 busy\r\n"}
    server = PretendSMTP(refuse=refuse)
    office.provider(server)
    outcomes = send(office, relay(office), submit(office, ["a@out.example", "no@out.example", "later@out.example"]))
    assert {address: outcome.state for address, outcome in outcomes.items()} == {
        "a@out.example": QueueState.DELIVERED,
        "no@out.example": QueueState.FAILED,
        "later@out.example": QueueState.QUEUED,
    }
    assert (outcomes["no@out.example"].code, outcomes["no@out.example"].status) == (550, "5.1.1")


def test_dsn_parameters_are_passed_on_where_offered(office: Office) -> None:
    """NOTIFY, ORCPT, RET and ENVID, in xtext; and the outcome says that the provider reports."""
    server = PretendSMTP()
    office.provider(server)
    rows = submit(office, notify=["SUCCESS", "FAILURE"], orcpt="rfc822;a+b@out.example")
    outcome = send(office, relay(office), rows)["a@out.example"]
    assert outcome.detail["dsn"] is True
    parameters = server.accepted[0].parameters
    assert {"RET=HDRS", "ENVID=id+2B1", "NOTIFY=FAILURE,SUCCESS", "ORCPT=rfc822;a+2Bb@out.example"} <= set(parameters)
    plain = PretendSMTP(extensions=("AUTH PLAIN",))
    office.provider(plain)
    outcome = send(office, relay(office), submit(office, notify=["SUCCESS"]))["a@out.example"]
    assert plain.accepted[0].parameters == []
    assert "dsn" not in outcome.detail


@pytest.mark.parametrize(
    ("message", "extensions", "code"),
    [
        (b"x" * 2000 + b"\r\n", ("AUTH PLAIN", "SIZE 1000"), 552),
        (b"Subject: x\r\n\r\n\xe4\r\n", ("AUTH PLAIN",), 554),
    ],
)
def test_what_the_server_cannot_take_is_not_sent(
    office: Office, message: bytes, extensions: tuple[str, ...], code: int
) -> None:
    """Too large, or 8-bit towards a 7-bit server: refused here, before MAIL."""
    server = PretendSMTP(extensions=extensions)
    office.provider(server)
    outcome = send(office, relay(office), submit(office, message=message))["a@out.example"]
    assert (outcome.state, outcome.code) == (QueueState.FAILED, code)
    assert not any(command.startswith("MAIL") for command in server.commands)


def test_a_connection_serves_many_messages_and_is_closed_when_idle(office: Office) -> None:
    """One login, twenty messages at once; QUIT some seconds later."""
    server = PretendSMTP()
    office.provider(server)
    office.change(relay=parse_server("submissions://mail@h?connections=1"))
    agent = relay(office)
    done = []
    for _ in range(20):
        rows = submit(office)
        done.append(office.begin(agent.deliver(rows, ignore)))
    office.settle()
    assert [results[0][0].state for results in done] == [QueueState.DELIVERED] * 20  # type: ignore[index]
    assert server.sessions == 1
    assert "QUIT" not in server.commands
    office.clock.advance(6)
    office.settle()
    assert "QUIT" in server.commands
    assert agent.active == 0


def test_a_kept_connection_that_died_is_replaced(office: Office) -> None:
    """The row is not counted as tried because the server closed an idle line."""
    server = PretendSMTP()
    office.provider(server)
    agent = relay(office)
    send(office, agent, submit(office), 5)
    cuts = [CUT]
    server.lie = lambda verb, reply: cuts.pop() if cuts and verb == "MAIL" else reply
    assert send(office, agent, submit(office), 5)["a@out.example"].state is QueueState.DELIVERED
    assert server.sessions == 2


@pytest.mark.parametrize("lie", ["auth_refused", "auth_basic_gone", "auth_needed"])
def test_a_refused_login_pauses_the_route_and_bounces_nothing(office: Office, lie: str) -> None:
    """The mail stays as it is, ADMIN is told, the next try does not even connect."""
    server = PretendSMTP(SMTP_LIES[lie])
    office.provider(server)
    agent = relay(office)
    rows = submit(office)
    outcome = send(office, agent, rows)["a@out.example"]
    assert (outcome.state, outcome.counts) == (QueueState.QUEUED, False)
    assert outcome.next_at > office.now() + 600 * SECOND
    assert len(office.mail_of("admin1")) == 1
    sessions = server.sessions
    send(office, agent, rows)
    assert server.sessions == sessions
    server.lie = honest
    agent.reopen(office.account.id)
    assert send(office, agent, rows)["a@out.example"].state is QueueState.DELIVERED


def test_nobody_at_home(office: Office) -> None:
    """The row waits, longer each time; one that came later waits with it, and that is no try of its own."""
    agent = relay(office)
    rows = submit(office)
    first = send(office, agent, rows)["a@out.example"]
    assert (first.state, first.counts) == (QueueState.QUEUED, True)
    assert first.next_at == office.now() + 60 * SECOND
    assert send(office, agent, rows)["a@out.example"].counts is True
    office.clock.advance(1)
    assert send(office, agent, submit(office))["a@out.example"].counts is False
    office.clock.advance(60)
    assert send(office, agent, rows)["a@out.example"].next_at == office.now() + 300 * SECOND


def test_nothing_is_handed_over_behind_a_refused_sender(office: Office) -> None:
    """A server that refuses MAIL and says 354 all the same gets an empty message: the whole one comes later, once."""
    server = PretendSMTP(instead(MAIL=b"450 4.7.1 slow\r\n"))
    office.provider(server)
    rows = submit(office)
    agent = relay(office)
    assert send(office, agent, rows)["a@out.example"].state is QueueState.QUEUED
    assert all(MESSAGE not in accepted.octets for accepted in server.accepted)


@pytest.mark.parametrize(
    "extensions", [(*PLAIN, "STARTTLS"), ("AUTH PLAIN", "STARTTLS"), (*PLAIN, "STARTTLS", "CHUNKING")]
)
@pytest.mark.parametrize("lie", sorted(SMTP_LIES))
def test_a_lie_is_never_taken_for_success(office: Office, lie: str, extensions: tuple[str, ...]) -> None:
    """Bounded in time, nothing marked as delivered that was not taken, no secret in clear, and it leaves later."""
    server = PretendSMTP(SMTP_LIES[lie], extensions)
    office.provider(server)
    office.change(relay=parse_server("submission://mail@h"))
    agent = relay(office)
    rows = submit(office)
    outcome = send(office, agent, rows, 1000)["a@out.example"]
    if outcome.state is QueueState.DELIVERED:
        # It was taken with a word that says so; what else the server said was of no account.
        assert outcome.code == 250
        assert [accepted.octets for accepted in server.accepted] == [mark(office, rows) + MESSAGE]
        return
    assert outcome.state is QueueState.QUEUED
    assert server.clear_secrets == 0
    server.lie = honest
    server.accepted.clear()
    agent.reopen(office.account.id)
    assert send(office, agent, rows)["a@out.example"].state is QueueState.DELIVERED
    assert [accepted.octets for accepted in server.accepted] == [mark(office, rows) + MESSAGE]


@pytest.mark.parametrize("verb", ["MAIL", "RCPT"])
def test_a_reply_too_many_is_no_word_on_a_chunk(office: Office, verb: str) -> None:
    """The chunk goes out with its envelope: the yes that stands too much is not taken for the yes to the message."""
    replies = behind(**{verb: b"250 ok\r\n"})
    server = PretendSMTP(
        lambda spoken, reply: b"451 4.3.0 later\r\n" if spoken == "dot" else replies(spoken, reply),
        (*PLAIN, "CHUNKING"),
    )
    office.provider(server)
    assert send(office, relay(office), submit(office))["a@out.example"].state is QueueState.QUEUED
    assert server.accepted == []
