"""The collector against an honest server, and with the ledger in every state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from mailshare.core.errors import PolicyRefusal, StorageFull, Unavailable
from mailshare.core.servers import parse_server
from mailshare.core.values import DeliveryResult, LedgerState
from mailshare.isp.collect import Collector, words
from mailshare.isp.probing import Probe
from mailshare.testing.liars import CUT, PretendPOP3, instead
from mailshare.testing.pretend_office import Office, letters
from mailshare.wire.pop3_client_replies import POP3Limits
from tests.conftest import LoggedFailures


def collector(office: Office) -> Collector:
    return Collector(office.store, office.door, office.doors)


def states(office: Office) -> dict[str, LedgerState]:
    known = office.wait(office.store.ledger.known(office.account.id))
    return {uidl: row.state for uidl, row in known.items()}


@pytest.mark.parametrize("capabilities", [("TOP", "UIDL", "PIPELINING", "SASL PLAIN"), ("TOP", "UIDL", "USER"), ()])
def test_mail_is_collected_whole_and_deleted(office: Office, capabilities: tuple[str, ...]) -> None:
    """Pipelined, in lock-step and without CAPA: the same octets arrive once and leave the provider."""
    server = PretendPOP3(letters(), capabilities=capabilities)
    office.provider(server)
    collecting = collector(office)
    counts = office.run(collecting.collect(office.account), 5)
    assert counts == {"andrew": 3}
    assert office.mail_of("andrew") == list(letters().values())
    assert server.messages == {}
    assert set(states(office).values()) == {LedgerState.GONE}
    status = collecting.status(office.account.id)
    assert (status.error, status.messages, status.running) == ("", 3, False)
    assert words(counts, status.messages) == "collected 3, andrew 3"
    assert str(office.door.envelope.sender) == "boss@out.example"
    assert office.run(collecting.collect(office.account), 5) == {}


def test_pipelined_commands_leave_in_flights(office: Office) -> None:
    """Two hundred messages take far fewer turns than commands."""
    server = PretendPOP3(letters([f"m{n}" for n in range(200)]))
    office.provider(server)
    office.run(collector(office).collect(office.account), 5)
    assert len(office.mail_of("andrew")) == 200
    assert server.messages == {}


@pytest.mark.parametrize("waiting", [0, 3])
def test_listings_are_asked_for_in_one_flight(office: Office, waiting: int) -> None:
    """The distance is travelled once for the three of them; in lock-step an empty mailbox is not listed."""
    sent: list[bytes] = []

    class Hearing(PretendPOP3):
        def received(self, data: bytes) -> None:
            if data.startswith(b"STAT"):
                sent.append(office.endpoint.wires[-1].sent)
            super().received(data)

    for capabilities in (("TOP", "UIDL", "PIPELINING", "SASL PLAIN"), ("TOP", "UIDL", "SASL PLAIN")):
        server = Hearing(dict(list(letters().items())[:waiting]), capabilities=(*capabilities, "STLS"))
        office.provider(server)
        office.run(collector(office).collect(office.account), 5)
        assert server.messages == {}
        together = sent.pop().endswith(b"STAT\r\nLIST\r\nUIDL\r\n")
        assert together == ("PIPELINING" in capabilities)
        assert (b"LIST" in office.endpoint.wires[-1].sent) == (together or waiting > 0)


@pytest.mark.parametrize(("error", "told"), [(Unavailable("not together"), 0), (ValueError("ours"), 1)])
def test_messages_that_come_together_are_stored_together(
    office: Office,
    monkeypatch: pytest.MonkeyPatch,
    logged_failures: LoggedFailures,
    error: Exception,
    told: int,
) -> None:
    """Those of one turn are one transaction; when it fails each is stored alone, in order; a fault of ours is told."""
    lots: list[int] = []
    together = office.store.delivery.deliver_together

    async def counted(ready: Sequence[Any]) -> Sequence[DeliveryResult]:
        lots.append(len(ready))
        if len(lots) > 1:
            raise error
        return await together(ready)

    monkeypatch.setattr(office.store.delivery, "deliver_together", counted)
    first, second = letters(["a", "b", "c"]), letters(["d", "e"])
    for messages in (first, second):
        server = PretendPOP3(dict(messages))
        office.provider(server)
        office.run(collector(office).collect(office.account), 5)
        assert server.messages == {}
    assert lots == [3, 2]
    assert len(logged_failures.flush(ValueError)) == told
    assert office.mail_of("andrew") == [*first.values(), *second.values()]


def test_quit_that_fails_leaves_deletes_for_the_next_session(office: Office) -> None:
    """Nothing is fetched twice; the next session deletes only."""
    server = PretendPOP3(letters(), instead(QUIT=b"-ERR no\r\n"))
    office.provider(server)
    collecting = collector(office)
    office.run(collecting.collect(office.account), 5)
    assert set(states(office).values()) == {LedgerState.DELETE}
    assert "did not delete" in collecting.status(office.account.id).error
    server.lie = lambda _, reply: reply
    server.retrieved.clear()
    office.run(collecting.collect(office.account), 5)
    assert (server.retrieved, server.messages) == ([], {})
    assert len(office.mail_of("andrew")) == 3


def test_a_reused_unique_id_is_new_mail(office: Office) -> None:
    """The old row waits for deletion, but another message bears its id: it is fetched, not deleted unseen."""
    server = PretendPOP3(letters(["a"]), instead(QUIT=b"-ERR no\r\n"))
    office.provider(server)
    office.run(collector(office).collect(office.account), 5)
    other = letters(["a"])["a"].replace(b"Subject: a", b"Subject: z")
    server.messages = {"a": other}
    server.lie = lambda _, reply: reply
    office.run(collector(office).collect(office.account), 5)
    assert other in office.mail_of("andrew")
    assert server.messages == {}


def test_mail_is_left_for_days_and_then_deleted(office: Office) -> None:
    """Each message is fetched once, stays, and goes when its days are over."""
    office.change(leave_days=2)
    server = PretendPOP3(letters())
    office.provider(server)
    for _ in range(3):
        office.run(collector(office).collect(office.account), 5)
        office.clock.advance(86_400 * 0.9)
    assert len(server.messages) == 3
    assert server.retrieved == ["a", "b", "c"]
    office.run(collector(office).collect(office.account), 5)
    assert server.messages == {}
    assert server.retrieved == ["a", "b", "c"]


def test_renumbering_is_followed(office: Office) -> None:
    """New ids for the same messages: the ledger follows, nothing is fetched again."""
    office.change(leave_days=-1)
    server = PretendPOP3(letters())
    office.provider(server)
    office.run(collector(office).collect(office.account), 5)
    server.messages = {f"new-{uid}": message for uid, message in server.messages.items()}
    server.retrieved.clear()
    office.run(collector(office).collect(office.account), 5)
    assert server.retrieved == []
    assert set(states(office)) == {"new-a", "new-b", "new-c"}


@pytest.mark.parametrize("capabilities", [("TOP",), ("USER",)])
@pytest.mark.parametrize("lie", [{}, {"QUIT": b"-ERR\r\n"}, {"QUIT": CUT}])
def test_without_unique_ids_nothing_is_lost_or_doubled(
    office: Office, capabilities: tuple[str, ...], lie: dict[str, bytes]
) -> None:
    """Names by digest, or fetch and delete: also when deletion failed the first time."""
    server = PretendPOP3(letters(), instead(**lie), capabilities)
    office.provider(server)
    office.run(collector(office).collect(office.account), 200)
    server.lie = lambda _, reply: reply
    office.run(collector(office).collect(office.account), 200)
    assert sorted(office.mail_of("andrew")) == sorted(letters().values())
    assert server.messages == {}


def test_equal_headers_without_unique_ids_are_still_two_messages(office: Office) -> None:
    """The bodies tell them apart."""
    messages = {"a": b"Subject: x\r\n\r\none\r\n", "b": b"Subject: x\r\n\r\ntwo\r\n"}
    server = PretendPOP3(messages, capabilities=("TOP",))
    office.provider(server)
    office.run(collector(office).collect(office.account), 5)
    assert sorted(office.mail_of("andrew")) == sorted(messages.values())


def test_without_unique_ids_mail_can_be_left(office: Office) -> None:
    """TOP names what was stored, so that it is not fetched again."""
    office.change(leave_days=-1)
    server = PretendPOP3(letters(), capabilities=("TOP",))
    office.provider(server)
    for _ in range(3):
        office.run(collector(office).collect(office.account), 5)
    assert server.retrieved == ["a", "b", "c"]
    assert len(office.mail_of("andrew")) == 3


def test_a_mail_that_cannot_be_routed_goes_raw_to_admin(office: Office) -> None:
    """After one try, and the others go on."""
    server = PretendPOP3(letters())
    office.provider(server)
    office.door.trouble.append(PolicyRefusal("odd"))
    counts = office.run(collector(office).collect(office.account), 5)
    assert counts == {"andrew": 2, "ADMIN1": 1}
    raw, notice = office.mail_of("admin1")
    assert raw == b"X-Mailshare-Reason: could not be sorted: odd\r\n" + letters()["a"]
    assert b"could not be sorted" in notice
    assert b"mailshare why" in notice
    assert server.messages == {}


def test_a_full_disk_stops_the_run_and_the_provider_keeps_the_mail(office: Office) -> None:
    """What was stored is deleted there, the rest stays and comes later."""
    server = PretendPOP3(letters())
    office.provider(server)
    collecting = collector(office)
    office.door.trouble += [StorageFull()] * 3
    office.run(collecting.collect(office.account), 5)
    assert len(server.messages) == 3
    assert "room" in collecting.status(office.account.id).error
    office.run(collecting.collect(office.account), 5)
    assert office.mail_of("andrew") == list(letters().values())


def test_a_message_above_the_limit_is_skipped_and_admin_is_told(office: Office) -> None:
    """Once; and when the limit is raised it comes."""
    big = b"Subject: big\r\n\r\n" + b"x" * 5000 + b"\r\n"
    server = PretendPOP3({"a": letters()["a"], "big": big})
    office.provider(server)
    office.change(collect=parse_server("pop3s://mail@h?limit=1000"))
    for _ in range(2):
        office.run(collector(office).collect(office.account), 5)
    assert states(office)["big"] is LedgerState.SKIPPED
    assert len(office.mail_of("andrew")) == 1
    assert b"limit is 1000" in office.mail_of("admin1")[0]
    office.change(collect=parse_server("pop3s://mail@h"))
    office.run(collector(office).collect(office.account), 5)
    assert big in office.mail_of("andrew")


def test_a_refused_login_is_tried_once_a_run_and_then_left_alone_for_an_hour(office: Office) -> None:
    """Providers lock accounts; ADMIN hears of it."""
    server = PretendPOP3(letters(), instead(AUTH=b"-ERR [AUTH] no\r\n"))
    office.provider(server)
    collecting = collector(office)
    for _ in range(5):
        office.run(collecting.collect(office.account), 5)
    assert server.sessions == 2
    assert "refuses the login" in collecting.status(office.account.id).error
    assert len(office.mail_of("admin1")) == 1
    office.clock.advance(3601)
    server.lie = lambda _, reply: reply
    assert office.run(collecting.collect(office.account), 5) == {"andrew": 3}


def test_login_delay_is_a_floor(office: Office) -> None:
    """The provider's own interval holds whoever asks."""
    server = PretendPOP3(letters(), capabilities=("UIDL", "TOP", "LOGIN-DELAY 900"))
    office.provider(server)
    collecting = collector(office)
    office.run(collecting.collect(office.account), 5)
    office.run(collecting.collect(office.account), 5)
    assert server.sessions == 1
    office.clock.advance(901)
    office.run(collecting.collect(office.account), 5)
    assert server.sessions == 2


@pytest.mark.parametrize("url", ["pop3://mail@h", "pop3s://mail@h"])
def test_the_password_goes_inside_tls_only(office: Office, url: str) -> None:
    """With STLS as with implicit TLS."""
    server = PretendPOP3(letters())
    office.provider(server)
    office.change(collect=parse_server(url))
    office.run(collector(office).collect(office.account), 5)
    assert server.clear_secrets == 0
    assert len(office.mail_of("andrew")) == 3


def test_tls_none_is_possible_when_configured(office: Office) -> None:
    """Only then a password goes in clear."""
    server = PretendPOP3(letters())
    office.provider(server)
    office.change(collect=parse_server("pop3://mail@h?tls=none"))
    office.run(collector(office).collect(office.account), 5)
    assert server.clear_secrets == 1
    assert len(office.mail_of("andrew")) == 3


def test_nobody_at_home(office: Office) -> None:
    """A refused connection is a status, not an error."""
    collecting = collector(office)
    assert office.run(collecting.collect(office.account), 100) == {}
    assert "No connection" in collecting.status(office.account.id).error


def test_a_look_asks_for_all_its_headers_at_once(office: Office) -> None:
    """Fifty of the newest, one flight: a distant provider is waited for once."""
    server = PretendPOP3(letters([f"m{n}" for n in range(60)]))
    asked: list[int] = []

    def counting(verb: str, reply: bytes) -> bytes:
        if verb == "TOP":
            asked.append(office.endpoint.wires[-1].sent.count(b"TOP "))
        return reply

    server.lie = counting
    office.provider(server)
    look = office.run(Probe(office.doors, POP3Limits()).look(office.account, office.store.directory.current()), 5)
    assert len(look.sightings) == 50
    assert asked == [50] * 50
