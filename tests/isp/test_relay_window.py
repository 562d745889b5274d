"""Several messages under way on one connection: which order of events is success, what a broken line leaves behind."""

from __future__ import annotations

import pytest
from attrs import evolve

from mailshare.core.servers import parse_server
from mailshare.core.values import Outcome, QueueState
from mailshare.isp.outcomes import AMBIGUOUS
from mailshare.isp.relay import Relay
from mailshare.shell.client import Conversation
from mailshare.testing.liars import CUT, Lie, PretendSMTP, honest
from mailshare.testing.pretend_office import Office, ignore, submit
from mailshare.wire.smtp_client_lines import SMTPLimits

CHUNKS = ("PIPELINING", "SIZE 1000000", "8BITMIME", "CHUNKING", "AUTH PLAIN")


def burst(
    office: Office, server: PretendSMTP, count: int, window: int = 8, seconds: float = 1.0
) -> tuple[Relay, list[Outcome]]:
    """Hand in so many messages at once, each to a recipient of its own; one connection."""
    office.provider(server)
    office.change(relay=parse_server(f"submissions://mail@h?connections=1&window={window}"))
    agent = Relay(office.store, office.door, office.doors)
    done = [
        office.begin(agent.deliver(submit(office, [f"r{number}@out.example"]), ignore)) for number in range(count)
    ]
    for _ in range(40):
        office.settle()
        office.clock.advance(seconds / 40)
    return agent, [results[0][0] for results in done]  # type: ignore[index,misc]


def nth(verb: str, number: int, reply: bytes) -> Lie:
    """Answer the n-th time that a verb comes so, and honestly else."""
    seen = {"count": 0}

    def lie(spoken: str, honest_reply: bytes) -> bytes:
        if spoken != verb:
            return honest_reply
        # The double asks twice about a dot: whether it takes the message, which it does, and what it says.
        if honest_reply == b"250":
            return honest_reply
        seen["count"] += 1
        return reply if seen["count"] == number else honest_reply

    return lie


def states(outcomes: list[Outcome]) -> list[str]:
    return [outcome.state.name for outcome in outcomes]


def test_a_message_held_back_by_the_window_of_commands_goes_out_whole(office: Office) -> None:
    """With three commands ahead of their replies at most, the octets still follow their BDAT, and nothing waits."""
    office.doors = evolve(office.doors, replies=SMTPLimits(window=3))
    server = PretendSMTP(extensions=CHUNKS)
    _, outcomes = burst(office, server, 8)
    assert {outcome.state for outcome in outcomes} == {QueueState.DELIVERED}
    assert len(server.accepted) == 8


def test_as_many_again_are_made_ready_as_may_be_under_way(office: Office) -> None:
    """So that the next goes out as soon as one is answered: a lane has room for twice the window."""
    agent, _ = burst(office, PretendSMTP(extensions=CHUNKS), 1, window=8)
    assert agent.room(submit(office, ["more@out.example"])[0]) == 16


def test_many_messages_go_ahead_of_their_replies(office: Office) -> None:
    """Thirty messages with a window of eight: all arrive once, over one connection."""
    server = PretendSMTP(extensions=CHUNKS)
    _, outcomes = burst(office, server, 30)
    assert {outcome.state for outcome in outcomes} == {QueueState.DELIVERED}
    assert {accepted.recipients[0] for accepted in server.accepted} == {f"r{n}@out.example" for n in range(30)}
    assert len(server.accepted) == 30
    assert server.sessions == 1
    assert not any(command.startswith("DATA") for command in server.commands)


def test_a_failed_message_takes_none_of_those_behind_it_along(office: Office) -> None:
    """RFC 3030 section 2: after a BDAT that failed only RSET makes the server's state plain; it goes with each."""
    server = PretendSMTP(extensions=CHUNKS, refuse={"r3@out.example": b"550 5.1.1 unknown\r\n"})
    _, outcomes = burst(office, server, 10)
    assert [number for number, outcome in enumerate(outcomes) if outcome.state is QueueState.FAILED] == [3]
    assert len(server.accepted) == 9
    kinds = [command.partition(" ")[0] for command in server.commands]
    mails = [number for number, kind in enumerate(kinds) if kind == "MAIL"]
    assert all(kinds[number - 1] == "RSET" for number in mails[1:8])


def test_a_server_that_does_not_know_bdat_after_all_gets_no_more_of_it(office: Office) -> None:
    """It says CHUNKING and answers 500: no reply behind that counts, and what follows goes by DATA."""
    server = PretendSMTP(lambda verb, reply: b"500 5.5.1 what\r\n" if verb == "dot" else reply, extensions=CHUNKS)
    agent, outcomes = burst(office, server, 5)
    assert QueueState.DELIVERED not in {outcome.state for outcome in outcomes}
    server.lie = honest
    (outcome,) = office.run(agent.deliver(submit(office, ["late@out.example"]), ignore), 4000.0)
    assert outcome.state is QueueState.DELIVERED
    assert server.commands[-1] == "DATA"


def test_a_server_that_closes_after_some_mail_has_lost_nothing(office: Office) -> None:
    """421 says that what went out behind was not looked at: it is sent again at once, once."""
    server = PretendSMTP(nth("MAIL", 4, b"421 4.7.0 enough\r\n" + CUT), extensions=CHUNKS)
    _, outcomes = burst(office, server, 12)
    assert set(states(outcomes)) == {"DELIVERED"}
    assert {accepted.recipients[0] for accepted in server.accepted} == {f"r{n}@out.example" for n in range(12)}
    assert len(server.accepted) == 12
    assert server.sessions == 2


def test_a_line_that_breaks_leaves_doubt_about_few_and_makes_us_careful(office: Office) -> None:
    """What was handed over whole may have been taken: never at once again; and from then on one at a time."""
    server = PretendSMTP(nth("dot", 4, CUT), extensions=CHUNKS)
    _, outcomes = burst(office, server, 12, window=4)
    doubtful = [outcome for outcome in outcomes if outcome.progress and outcome.progress.get(AMBIGUOUS)]
    assert 1 <= len(doubtful) <= 4
    assert states(outcomes).count("DELIVERED") == 12 - len(doubtful)
    recipients = [accepted.recipients[0] for accepted in server.accepted]
    assert len(set(recipients)) == len(recipients)
    assert "DATA" in server.commands


@pytest.mark.parametrize("reply", [b"250 one\r\n250 two\r\n", b"", b"354 go on\r\n", b"250-for\r\n550 ever\r\n"])
def test_replies_out_of_step_are_never_success_for_what_was_not_taken(office: Office, reply: bytes) -> None:
    """A reply too many, one too few, a wrong one: nothing is called delivered that the server did not take."""
    server = PretendSMTP(nth("dot", 3, reply), extensions=CHUNKS)
    _, outcomes = burst(office, server, 8, seconds=4000.0)
    taken = {accepted.recipients[0] for accepted in server.accepted}
    delivered = {f"r{number}@out.example" for number, each in enumerate(outcomes) if each.state is QueueState.DELIVERED}
    assert delivered <= taken


def test_a_body_goes_out_before_other_connections_are_dealt_with(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The socket takes it at once behind the 354, not when this turn of the reactor ends."""
    pushed: list[bytes] = []
    monkeypatch.setattr(Conversation, "push", lambda talk: pushed.append(talk.transport.sent[-5:]))
    server = PretendSMTP()
    _, outcomes = burst(office, server, 3)
    assert {outcome.state for outcome in outcomes} == {QueueState.DELIVERED}
    assert pushed == [b"\r\n.\r\n"] * 3
