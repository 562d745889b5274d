"""By which server mail leaves: routes for domains, fallback, pauses, caps, sizes, and what is remembered of them."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError

from mailshare.core.address import Address
from mailshare.core.errors import MessageTooLarge, UntrustedServer
from mailshare.core.servers import parse_server
from mailshare.core.values import SECOND, QueueItem, QueueState, Server
from mailshare.core.ways_out import ways_out
from mailshare.delivery.outbound_size import refuse_too_large
from mailshare.isp import relay_route
from mailshare.isp.relay import Relay
from mailshare.testing.liars import CUT, PretendSMTP, honest, instead
from mailshare.testing.lies import SMTP_LIES
from mailshare.testing.memory_wire import MemoryEndpoint
from mailshare.testing.pretend_office import Office, ignore, submit

DAY = 86_400
MINUTE = 60


class Hosts:
    """Several smarthosts by name; one that is not there refuses connections."""

    def __init__(self, office: Office, **servers: PretendSMTP) -> None:
        self.servers = servers
        self.asked: list[str] = []
        self.office = office
        self.refuse_login = False
        office.doors = evolve(office.doors, endpoint=self._endpoint)

    def _endpoint(self, server: Server) -> Any:
        name = server.host.partition(".")[0]
        self.asked.append(name)
        return MemoryEndpoint(self.office.clock, self.servers.get(name))


def make(office: Office, **options: Any) -> Relay:
    return Relay(office.store, office.door, office.doors, **options)


def send(office: Office, agent: Relay, rows: list[QueueItem]) -> dict[str, Any]:
    outcomes = office.run(agent.deliver(rows, ignore), 3000)
    by_id = {outcome.item_id: outcome for outcome in outcomes}
    return {row.address: by_id[row.id] for row in rows}


def taken(server: PretendSMTP) -> list[list[str]]:
    return [accepted.recipients for accepted in server.accepted]


# ---------------------------------------------------------------------- choice


def test_a_domain_has_a_route_of_its_own(office: Office) -> None:
    """The exact name before ``.domain``, ``.domain`` for all below it, the account's own server for the rest."""
    hosts = Hosts(office, smtp=PretendSMTP(), gate=PretendSMTP(), gov=PretendSMTP())
    routes = {"partner.example": "submissions://mail@gate.example", ".gov.example": "submissions://mail@gov.example"}
    office.change(options={"routes": routes})
    agent = make(office)
    for address in ("a@partner.example", "b@tax.gov.example", "c@gov.example", "d@other.example"):
        assert send(office, agent, submit(office, [address]))[address].state is QueueState.DELIVERED
    assert {name: taken(server) for name, server in hosts.servers.items()} == {
        "gate": [["a@partner.example"]],
        "gov": [["b@tax.gov.example"], ["c@gov.example"]],
        "smtp": [["d@other.example"]],
    }


def test_a_route_may_lead_to_another_account(office: Office) -> None:
    """Its servers and its login; one that is switched off counts for nothing."""
    directory = office.store.directory
    other = evolve(
        office.account, id=0, address=Address.parse("b@b.example"), relay=parse_server("submissions://b@two.example")
    )
    made = office.wait(directory.add_account(other))
    office.change(options={"routes": {"x.example": "account:B@b.example"}})
    assert [way.name for way in ways_out(office.account, "x.example", directory.current())] == ["b@two.example:465"]
    office.wait(directory.change_account(evolve(made, enabled=False)))
    ways = ways_out(office.account, "X.example.", directory.current())
    assert [way.name for way in ways] == ["mail@smtp.example:465"]


def test_lanes_are_ways_out(office: Office) -> None:
    """Rows for another route do not wait for a slow one."""
    office.change(options={"routes": {"partner.example": "submissions://mail@gate.example"}})
    agent = make(office)
    rows = submit(office, ["a@partner.example", "b@other.example", "c@other.example"])
    assert [agent.lane(row) for row in rows] == ["mail@gate.example:465"] + ["mail@smtp.example:465"] * 2


@pytest.mark.parametrize("greeting", [None, b"421 4.3.2 come back later\r\n", b"554 5.3.2 no\r\n"])
def test_fallback_servers_are_asked_in_order(office: Office, greeting: bytes | None) -> None:
    """When no connection comes about, or the greeting is a refusal; and the one that works is asked first next time."""
    second = PretendSMTP()
    hosts = Hosts(office, smtp2=second)
    if greeting is not None:
        hosts.servers["smtp"] = PretendSMTP(instead(greeting=greeting))
    office.change(options={"fallback": ["submissions://mail@smtp1.example", "submissions://mail@smtp2.example"]})
    agent = make(office, idle_seconds=0.0)
    assert send(office, agent, submit(office))["a@out.example"].state is QueueState.DELIVERED
    assert hosts.asked == ["smtp", "smtp1", "smtp2"]
    office.clock.advance(10 * MINUTE)
    assert send(office, agent, submit(office))["a@out.example"].state is QueueState.DELIVERED
    assert hosts.asked[3:] == ["smtp2"]
    hosts.servers["smtp"] = PretendSMTP()
    office.clock.advance(31 * MINUTE)
    assert send(office, agent, submit(office))["a@out.example"].state is QueueState.DELIVERED
    assert hosts.asked[4:] == ["smtp"]


def test_when_no_way_works_the_row_waits_for_the_first(office: Office) -> None:
    """And its reply names what was wrong with each."""
    Hosts(office)
    office.change(options={"fallback": ["submissions://mail@smtp1.example"]})
    outcome = send(office, make(office), submit(office))["a@out.example"]
    assert (outcome.state, outcome.counts, outcome.next_at) == (
        QueueState.QUEUED, True, office.now() + MINUTE * SECOND
    )  # fmt: skip
    assert "smtp.example" in outcome.reply
    assert "smtp1.example" in outcome.reply


class NeverThere:
    """An endpoint that is still connecting when it is cancelled, and says so in Twisted's own way."""

    def connect(self, _factory: object) -> Deferred[object]:
        """Begin."""
        return Deferred(lambda self: self.errback(ConnectingCancelledError(None)))


def test_a_stop_while_connecting_is_a_stop_and_a_deadline_is_a_deadline(office: Office) -> None:
    """Cancelled, the row goes back as it was; after the deadline it waits like any that met nobody."""
    office.doors = evolve(office.doors, endpoint=lambda _: NeverThere())
    agent = make(office)
    stopped = office.begin(agent.deliver(submit(office), ignore))
    office.settle()
    office.deferred.cancel()
    assert isinstance(stopped[0], CancelledError)
    outcome = send(office, make(office), submit(office))["a@out.example"]
    assert (outcome.state, outcome.counts) == (QueueState.QUEUED, True)
    assert "within 30 s" in outcome.reply


# ---------------------------------------------------------------------- pauses


def notices(office: Office) -> list[str]:
    return [octets.decode() for octets in office.mail_of("admin1")]


def test_a_refused_login_is_told_once_until_it_is_mended(office: Office) -> None:
    """Tried again from time to time, one mail with the server's words and the next step; then told anew."""
    server = PretendSMTP(SMTP_LIES["auth_refused"])
    hosts = Hosts(office, smtp=server, smtp1=PretendSMTP())
    office.change(options={"fallback": ["submissions://mail@smtp1.example"]})
    agent = make(office)
    rows = submit(office)
    waits = []
    for _ in range(4):
        outcome = send(office, agent, rows)["a@out.example"]
        assert (outcome.state, outcome.counts) == (QueueState.QUEUED, False)
        waits.append((outcome.next_at - office.now()) // SECOND)
        office.clock.advance(waits[-1] + 1)
    assert waits == [900, 3600, 3600, 3600]
    assert server.sessions == 4
    assert "smtp1" not in hosts.asked
    (text,) = notices(office)
    assert "535 5.7.8 no" in text
    assert "mailshare account resume mail@company.example" in text
    server.lie = honest
    assert send(office, agent, rows)["a@out.example"].state is QueueState.DELIVERED
    server.lie = SMTP_LIES["auth_refused"]
    office.clock.advance(2 * DAY)
    send(office, agent, submit(office))
    assert len(notices(office)) == 2


def test_the_pause_is_the_configured_one(office: Office) -> None:
    """``login_refused_pause``, for the first refusal too when it is short."""
    Hosts(office, smtp=PretendSMTP(SMTP_LIES["auth_refused"]))
    agent = make(office, refused_pause=120)
    outcome = send(office, agent, submit(office))["a@out.example"]
    assert outcome.next_at == office.now() + 120 * SECOND


def test_the_number_of_refusals_is_the_configured_one(office: Office) -> None:
    """``login_refusals``: before the last of them the way rests for a quarter of an hour only."""
    Hosts(office, smtp=PretendSMTP(SMTP_LIES["auth_refused"]))
    agent = make(office, refusals=3)
    rows, waits = submit(office), []
    for _ in range(4):
        outcome = send(office, agent, rows)["a@out.example"]
        waits.append((outcome.next_at - office.now()) // SECOND)
        office.clock.advance(waits[-1] + 1)
    assert waits == [900, 900, 3600, 3600]


def test_a_restart_does_not_tell_again(office: Office) -> None:
    """That ADMIN was told is in the store."""
    Hosts(office, smtp=PretendSMTP(SMTP_LIES["auth_refused"]))
    send(office, make(office), submit(office))
    again = make(office)
    office.wait(again.load())
    send(office, again, submit(office))
    assert len(notices(office)) == 1


def test_a_paused_route_shows_in_the_status_and_opens_by_command(office: Office) -> None:
    """With the answer and the next try; ``reopen`` ends it."""
    server = PretendSMTP(SMTP_LIES["auth_refused"])
    Hosts(office, smtp=server)
    agent = make(office)
    rows = submit(office)
    send(office, agent, rows)
    status = agent.status(office.account.id)
    assert status.paused
    assert "535 5.7.8 no" in status.error
    assert status.next_try == office.now() + 900 * SECOND
    server.lie = honest
    agent.reopen(office.account.id)
    assert not agent.status(office.account.id).paused
    assert send(office, agent, rows)["a@out.example"].state is QueueState.DELIVERED


def test_a_new_password_or_server_opens_a_paused_route(office: Office) -> None:
    """At the next look at the settings; one that found the same ones leaves it closed."""
    Hosts(office, smtp=PretendSMTP(SMTP_LIES["auth_refused"]))
    words, opened = ["old"], list[int]()

    class Changing:
        async def password(self, _account: object, _purpose: str) -> str:
            return words[0]

    office.doors = evolve(office.doors, secrets=Changing())
    agent = make(office, reopened=opened.append)
    send(office, agent, submit(office))
    office.wait(agent.recheck())
    assert opened == []
    words[0] = "new"
    office.wait(agent.recheck())
    assert opened == [office.account.id]
    assert not agent.status(office.account.id).paused
    send(office, agent, submit(office))
    office.change(relay=parse_server("submissions://mail@other.example"))
    office.wait(agent.recheck())
    assert opened == [office.account.id] * 2


def test_a_certificate_that_is_not_trusted_is_a_cause_of_its_own(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paused, nothing bounced, and ADMIN reads about certificates, not about passwords."""

    async def refuse(*_: object) -> None:
        raise UntrustedServer("The certificate of the server is not trusted: certificate verify failed")

    monkeypatch.setattr(relay_route, "open_smtp", refuse)
    agent = make(office)
    outcome = send(office, agent, submit(office))["a@out.example"]
    assert (outcome.state, outcome.counts) == (QueueState.QUEUED, False)
    (text,) = notices(office)
    assert "certificate is not trusted" in text
    assert "password of the account" not in text


# ---------------------------------------------------------------------- the provider's limits


def midnight_after(office: Office) -> int:
    return (office.now() // (DAY * SECOND) + 1) * DAY * SECOND


def test_the_daily_cap_spreads_the_outbox_over_days(office: Office) -> None:
    """Five recipients a day: the rest waits for tomorrow, uncounted, also after a restart; then it goes on."""
    server = PretendSMTP()
    Hosts(office, smtp=server)
    office.change(options={"daily_cap": 5})
    agent = make(office)
    first = send(office, agent, submit(office, [f"a{n}@out.example" for n in range(3)]))
    second = send(office, agent, submit(office, [f"b{n}@out.example" for n in range(4)]))
    assert {outcome.state for outcome in first.values()} == {QueueState.DELIVERED}
    held = [outcome for outcome in second.values() if outcome.state is QueueState.QUEUED]
    assert len(held) == 2
    assert {(outcome.counts, outcome.next_at) for outcome in held} == {(False, midnight_after(office) + 60 * SECOND)}
    again = make(office)
    office.wait(again.load())
    assert send(office, again, submit(office))["a@out.example"].state is QueueState.QUEUED
    office.clock.advance(DAY)
    assert send(office, again, submit(office)[-1:])["a@out.example"].state is QueueState.DELIVERED
    assert sum(map(len, taken(server))) == 6


def test_a_cap_on_messages_counts_what_was_taken(office: Office) -> None:
    """Refused mail does not use the day up."""
    server = PretendSMTP(refuse={"no@out.example": b"550 5.1.1 unknown\r\n"})
    Hosts(office, smtp=server)
    office.change(options={"daily_messages": 1})
    agent = make(office)
    send(office, agent, submit(office, ["no@out.example"]))
    assert send(office, agent, submit(office))["a@out.example"].state is QueueState.DELIVERED
    assert send(office, agent, submit(office))["a@out.example"].state is QueueState.QUEUED


@pytest.mark.parametrize(
    "reply",
    [
        b"550 5.4.5 Daily user sending limit exceeded.\r\n",
        b"421 4.7.0 Daily sending quota exceeded\r\n",
        b"554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException\r\n",
        b"452 4.3.1 You have reached the limit of 500 messages per day\r\n",
    ],
)
def test_a_limit_used_up_bounces_nothing(office: Office, reply: bytes) -> None:
    """Whatever code a provider says it with: the way rests an hour, the mail waits uncounted, ADMIN is told once."""
    Hosts(office, smtp=PretendSMTP(instead(MAIL=reply)))
    agent = make(office)
    outcome = send(office, agent, submit(office))["a@out.example"]
    assert (outcome.state, outcome.counts, outcome.next_at) == (
        QueueState.QUEUED, False, office.now() + 3600 * SECOND
    )  # fmt: skip
    assert len(notices(office)) == 1


@pytest.mark.parametrize(
    "reply",
    [
        b"552 5.2.2 Mailbox quota exceeded, daily limit\r\n",
        b"550 5.1.1 no such user\r\n",
        b"552 5.2.2 user over quota\r\n",
        b"550 5.7.1 Message rejected: content limit\r\n",
    ],
)
def test_a_full_mailbox_is_no_limit_of_ours(office: Office, reply: bytes) -> None:
    """Such a recipient fails, and the way stays open."""
    Hosts(office, smtp=PretendSMTP(refuse={"a@out.example": reply}))
    agent = make(office)
    assert send(office, agent, submit(office))["a@out.example"].state is QueueState.FAILED
    assert not agent.status(office.account.id).paused


def test_sizes_are_learned_and_outlive_a_restart(office: Office) -> None:
    """From EHLO, and from a refusal below it; a fallback that takes more counts too."""
    server = PretendSMTP(extensions=("AUTH PLAIN", "SIZE 5000"))
    hosts = Hosts(office, smtp=server)
    agent = make(office)
    assert agent.largest(office.account.id, "out.example") == 0
    send(office, agent, submit(office))
    assert agent.largest(office.account.id, "out.example") == 5000
    server.lie = instead(MAIL=b"552 5.3.4 too big\r\n")
    outcome = send(office, agent, submit(office, message=b"Subject: x\r\n\r\n" + b"y" * 2000 + b"\r\n"))
    assert outcome["a@out.example"].state is QueueState.FAILED
    again = make(office)
    office.wait(again.load())
    learned = again.largest(office.account.id, "out.example")
    assert 2000 < learned < 2200
    office.clock.advance(8 * DAY)
    assert again.largest(office.account.id, "out.example") == 5000
    hosts.servers["big"] = PretendSMTP(extensions=("AUTH PLAIN", "SIZE 90000"))
    office.change(options={"fallback": ["submissions://mail@big.example"]})
    assert again.largest(office.account.id, "out.example") == 0  # it never told


def test_what_the_first_server_cannot_take_the_fallback_may(office: Office) -> None:
    """Too large for one, not for the other."""
    hosts = Hosts(office, smtp=PretendSMTP(extensions=("AUTH PLAIN", "SIZE 100")), big=PretendSMTP())
    office.change(options={"fallback": ["submissions://mail@big.example"]})
    rows = submit(office, message=b"Subject: x\r\n\r\n" + b"y" * 500 + b"\r\n")
    assert send(office, make(office), rows)["a@out.example"].state is QueueState.DELIVERED
    assert hosts.asked == ["smtp", "big"]


def test_a_message_no_way_takes_is_refused_with_both_figures() -> None:
    """Only when every account has a known limit below it; an unknown one lets it pass."""
    address = Address.parse("a@out.example")
    with pytest.raises(MessageTooLarge) as refusal:
        refuse_too_large(lambda account, _: {1: 1000, 2: 2000}[account], (1, 2), address, 2001)
    assert (refusal.value.code, refusal.value.status) == (552, "5.3.4")
    assert "2001" in refusal.value.public
    assert "2000" in refusal.value.public
    refuse_too_large(lambda account, _: {1: 1000, 2: 2000}[account], (1, 2), address, 2000)
    refuse_too_large(lambda account, _: {1: 1000, 2: 0}[account], (1, 2), address, 10**9)


# ---------------------------------------------------------------------- transactions and connections


def test_many_recipients_are_sent_in_several_transactions(office: Office) -> None:
    """A hundred at a time unless the account says otherwise."""
    server = PretendSMTP()
    Hosts(office, smtp=server)
    addresses = [f"r{number}@out.example" for number in range(150)]
    rows = []
    for start in range(0, 150, 100):
        rows += submit(office, addresses[start : start + 100])
    rows = [evolve(row, submission_id=1) for row in rows]
    outcomes = send(office, make(office), rows)
    assert {outcome.state for outcome in outcomes.values()} == {QueueState.DELIVERED}
    assert sorted(map(len, taken(server))) == [50, 100]
    office.change(options={"recipients_per_message": 2})
    server.accepted.clear()
    send(office, make(office), submit(office, addresses[:5]))
    assert [len(each) for each in taken(server)] == [2, 2, 1]


@pytest.mark.parametrize("reply", [b"452 4.5.3 too many recipients\r\n", b"552 too many recipients\r\n"])
def test_too_many_recipients_for_the_server(office: Office, reply: bytes) -> None:
    """The rest comes at once in another transaction, and that is no failed try (RFC 5321 section 4.5.3.1.10)."""
    Hosts(office, smtp=PretendSMTP(refuse={"b@out.example": reply}))
    outcome = send(office, make(office), submit(office, ["a@out.example", "b@out.example"]))["b@out.example"]
    assert (outcome.state, outcome.counts) == (QueueState.QUEUED, False)
    assert outcome.next_at <= office.now() + SECOND


def test_a_full_mailbox_among_others_waits_by_the_rule(office: Office) -> None:
    """452 about a mailbox is not about the number of recipients: no try each second."""
    Hosts(office, smtp=PretendSMTP(refuse={"b@out.example": b"452 4.2.2 over quota\r\n"}))
    outcome = send(office, make(office), submit(office, ["a@out.example", "b@out.example"]))["b@out.example"]
    assert (outcome.counts, outcome.next_at) == (True, 0)


def test_a_connection_is_left_after_so_many_messages(office: Office) -> None:
    """Seven messages at three for each connection make three of them."""
    server = PretendSMTP()
    Hosts(office, smtp=server)
    office.change(
        relay=parse_server("submissions://mail@smtp.example?connections=1"), options={"messages_per_connection": 3}
    )
    agent = make(office)
    done = [office.begin(agent.deliver(submit(office), ignore)) for _ in range(7)]
    office.settle()
    assert [results[0][0].state for results in done] == [QueueState.DELIVERED] * 7  # type: ignore[index]
    assert server.sessions == 3


def test_a_kept_connection_that_says_goodbye_costs_no_try(office: Office) -> None:
    """421 to the MAIL of a second message: a new connection takes it."""
    server = PretendSMTP()
    Hosts(office, smtp=server)
    agent = make(office)
    send(office, agent, submit(office))
    goodbyes = [b"421 4.4.2 idle too long\r\n" + CUT]
    server.lie = lambda verb, reply: goodbyes.pop() if goodbyes and verb == "MAIL" else reply
    assert send(office, agent, submit(office))["a@out.example"].state is QueueState.DELIVERED
    assert server.sessions == 2


@pytest.mark.parametrize("extensions", [("AUTH PLAIN",), ("AUTH PLAIN", "PIPELINING", "CHUNKING")])
def test_a_line_that_breaks_behind_the_last_octet_makes_one_copy_more_at_most(
    office: Office, extensions: tuple[str, ...]
) -> None:
    """Tried again after a quarter of an hour; broken there again, it is told to the sender and tried no more."""
    server = PretendSMTP(lambda verb, reply: CUT if verb == "dot" and reply != b"250" else reply, extensions)
    Hosts(office, smtp=server)
    agent = make(office)
    (row,) = submit(office)
    first = send(office, agent, [row])["a@out.example"]
    assert (first.state, first.counts, first.next_at) == (QueueState.QUEUED, True, office.now() + 900 * SECOND)
    office.clock.advance(901)
    second = send(office, agent, [evolve(row, progress=first.progress or {})])["a@out.example"]
    assert (second.state, second.status) == (QueueState.FAILED, "5.4.2")
    assert "may have got it" in second.reply
    assert len(server.accepted) == 2
    assert server.accepted[0].octets == server.accepted[1].octets


def test_only_recipients_that_need_smtputf8_fail_without_it(office: Office) -> None:
    """The others of the message are sent, and a client's mere word that it is needed hurts nobody."""
    server = PretendSMTP()
    Hosts(office, smtp=server)
    outcomes = send(office, make(office), submit(office, ["a@out.example", "bj\u00f6rn@out.example"], smtputf8=True))
    assert outcomes["a@out.example"].state is QueueState.DELIVERED
    assert (outcomes["bj\u00f6rn@out.example"].code, outcomes["bj\u00f6rn@out.example"].status) == (550, "5.6.7")
    raw = submit(office, message="Subject: \u00e4\r\n\r\nx\r\n".encode(), smtputf8=True)
    assert send(office, make(office), raw)["a@out.example"].status == "5.6.7"


def test_the_server_is_named_in_every_outcome(office: Office) -> None:
    """For the report's Remote-MTA."""
    Hosts(office, smtp=PretendSMTP(refuse={"b@out.example": b"550 5.1.1 no\r\n"}))
    outcomes = send(office, make(office), submit(office, ["a@out.example", "b@out.example"]))
    assert {outcome.detail["host"] for outcome in outcomes.values()} == {"smtp.example"}
