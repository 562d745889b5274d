"""The ledger's rules: ids given out again, days that are capped, sizes, order, lots, and mail that cannot be had."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from zope.interface import implementer

from mailshare.core.envelope import Envelope
from mailshare.core.headers import Headers
from mailshare.core.servers import parse_server
from mailshare.core.values import LedgerKey, LedgerState, Origin, Source
from mailshare.interfaces import IBody, IBodySink, IForecast
from mailshare.isp.collect import Collector
from mailshare.isp.wanted import Wanted
from mailshare.testing.liars import CUT, PretendPOP3, instead
from mailshare.testing.pretend_office import Door, Office, letters
from tests.conftest import LoggedFailures


def collector(office: Office) -> Collector:
    return Collector(office.store, office.door, office.doors)


def collect(office: Office, collecting: Collector | None = None, seconds: float = 200) -> None:
    """One run, by a collector that remembers nothing unless one is given."""
    office.run((collecting or collector(office)).collect(office.account), seconds)


def large(name: str, octets: int) -> bytes:
    """A message of about so many octets."""
    return b"Subject: %b\r\n\r\n" % name.encode() + b"x" * 76 * (octets // 76) + b"\r\n"


def kinds(office: Office) -> list[str]:
    """Kinds of the journal's lines."""
    page = office.wait(office.store.events.page(since=0, until=10**18))
    return [event.kind for _, event in page]


def test_an_id_given_out_again_is_noticed_while_mail_is_left(office: Office) -> None:
    """Rule 3.3: same id and size, another header: new mail, fetched once, the old copy untouched."""
    office.change(leave_days=-1)
    server = PretendPOP3(letters())
    office.provider(server)
    collect(office)
    other = letters()["b"].replace(b"Subject: b", b"Subject: q")
    server.messages["b"] = other
    server.retrieved.clear()
    for _ in range(2):
        collect(office)
    assert server.retrieved == ["b"]
    assert office.mail_of("andrew") == [*letters().values(), other]
    assert "collect.reused" in kinds(office)


@pytest.mark.parametrize("capabilities", [("TOP", "UIDL", "USER"), ("TOP", "UIDL", "PIPELINING", "SASL PLAIN")])
def test_numbers_that_are_no_ids_are_seen_through(office: Office, capabilities: tuple[str, ...]) -> None:
    """Ids 1, 2, 3 that move up when another program deletes: each message once, also in lock-step."""
    office.change(leave_days=-1)
    before = letters(["1", "2", "3"])
    server = PretendPOP3(before, capabilities=capabilities)
    office.provider(server)
    collect(office)
    new = letters(["4"])["4"]
    server.messages = {"1": before["2"], "2": before["3"], "3": new}
    server.retrieved.clear()
    collect(office)
    assert new in office.mail_of("andrew")
    assert set(office.mail_of("andrew")) == {*before.values(), new}


def test_many_messages_are_compared_by_a_sample(office: Office) -> None:
    """A mailbox full of old mail costs sixteen TOPs a run and not one for each."""
    office.change(leave_days=-1)
    server = PretendPOP3(letters([f"m{n}" for n in range(100)]))
    office.provider(server)
    collect(office)
    tops: list[str] = []
    server.lie = lambda verb, reply: (tops.append(verb), reply)[1]
    collect(office)
    assert tops.count("TOP") == 16
    assert server.retrieved == [f"m{n}" for n in range(100)]


def test_expire_caps_the_days_and_says_so_once(office: Office) -> None:
    """RFC 2449 section 6.7: the provider keeps mail 2 days, so 30 are not to be had; ADMIN hears it, once."""
    office.change(leave_days=30)
    server = PretendPOP3(letters(), capabilities=("UIDL", "TOP", "PIPELINING", "EXPIRE 2"))
    office.provider(server)
    collecting = collector(office)
    for _ in range(3):
        collect(office, collecting)
    assert kinds(office).count("collect.expire") == 1
    assert len(office.mail_of("admin1")) == 1
    assert b"keeps mail for 2 days, not 30" in office.mail_of("admin1")[0]
    assert len(server.messages) == 3
    office.clock.advance(2 * 86_400 + 1)
    collect(office, collecting)
    assert server.messages == {}


def test_small_messages_come_first(office: Office) -> None:
    """Nobody's short letter waits behind a large attachment; ordinary mail keeps its order."""
    messages = {"huge": large("huge", 300_000), "b": letters()["b"], "big": large("big", 100_000), "a": letters()["a"]}
    server = PretendPOP3(messages)
    office.provider(server)
    collect(office)
    assert server.retrieved == ["b", "a", "big", "huge"]
    assert server.messages == {}


@pytest.mark.parametrize(
    ("options", "sessions"), [({"session_messages": 4}, 3), ({"session_octets": 300}, 3), ({"session_octets": 1}, 10)]
)
def test_a_session_takes_so_much_and_the_rest_follows_at_once(
    office: Office, options: dict[str, object], sessions: int
) -> None:
    """Deleted in lots: each session ends with its QUIT; one run brings everything."""
    office.change(options=options)
    server = PretendPOP3(letters([f"m{n}" for n in range(10)]))
    office.provider(server)
    collecting = collector(office)
    counts = office.run(collecting.collect(office.account), 5)
    assert counts == {"andrew": 10}
    assert collecting.status(office.account.id).messages == 10
    assert server.messages == {}
    assert server.retrieved == [f"m{n}" for n in range(10)]
    assert server.sessions == sessions


def test_the_rest_waits_for_login_delay(office: Office) -> None:
    """The provider's floor comes before our haste."""
    office.change(options={"session_messages": 2})
    server = PretendPOP3(letters(), capabilities=("UIDL", "TOP", "PIPELINING", "LOGIN-DELAY 60"))
    office.provider(server)
    collecting = collector(office)
    collect(office, collecting, 5)
    assert (server.sessions, len(server.messages)) == (1, 1)
    office.clock.advance(61)
    collect(office, collecting, 5)
    assert server.messages == {}


def test_a_floor_from_before_the_clock_was_set_back_is_dropped(office: Office) -> None:
    """Two days back in time do not mean two days without mail."""
    server = PretendPOP3(letters(), capabilities=("UIDL", "TOP", "LOGIN-DELAY 900"))
    office.provider(server)
    collecting = collector(office)
    collect(office, collecting, 5)
    assert collecting.not_before(office.account.id) > office.now()
    office.clock.rightNow -= 2 * 86_400
    assert collecting.not_before(office.account.id) == 0


@implementer(IForecast)
class ForeseeingDoor(Door):
    """Says that andrew would get everything."""

    def __init__(self, office: Office) -> None:
        super().__init__(office)
        self.headers: list[bytes] = []

    async def who_gets(self, envelope: Envelope, header: bytes, origin: Origin) -> Sequence[int]:
        """Andrew."""
        del envelope, origin
        self.headers.append(header)
        return [self.office.user("andrew").id]

    async def accept(  # type: ignore[override]
        self, envelope: Envelope, body: object, origin: Origin, headers: Headers | None = None
    ) -> object:
        """A notice goes to whom it names."""
        receipt = await super().accept(envelope, body, origin, headers)  # type: ignore[arg-type]
        if origin.source is Source.REPORT:
            self.named = [recipient.address.local for recipient in envelope.recipients]
        return receipt


def test_who_would_get_a_large_message_is_told_and_can_ask_for_it(office: Office) -> None:
    """Size limits with a notice to the recipient and "fetch it anyway": TOP names him, the wish lifts the limit."""
    office.change(options={"max_size": 10_000})
    office.door = door = ForeseeingDoor(office)
    big = b"From: Boss <boss@out.example>\r\n" + large("plans", 50_000)
    server = PretendPOP3({"a": letters()["a"], "big": big})
    office.provider(server)
    for _ in range(2):
        collect(office)
    assert office.mail_of("andrew") == [letters()["a"]]
    notices = office.mail_of("admin1")  # the pretend door puts all notices there
    assert (len(notices), door.named) == (1, ["andrew"])
    assert b"Subject: plans" in notices[0]
    assert b"mailshare fetch " in notices[0]
    assert b"Subject: plans" in door.headers[0]
    office.wait(Wanted(office.store).add(office.account.id, "big"))
    collect(office)
    assert big in office.mail_of("andrew")
    assert server.messages == {}
    assert office.wait(Wanted(office.store).of(office.account.id)) == frozenset()


def test_a_wish_lifts_the_engines_limit_too(office: Office) -> None:
    """Also what is above the hard limit comes when somebody asks for it."""
    office.change(collect=parse_server("pop3s://mail@h?limit=1000"))
    server = PretendPOP3({"big": large("big", 5000)})
    office.provider(server)
    collect(office)
    office.wait(Wanted(office.store).add(office.account.id, "big"))
    collect(office)
    assert len(office.mail_of("andrew")) == 1


def test_a_wish_for_what_is_gone_is_forgotten(office: Office) -> None:
    """Somebody deleted it at the provider."""
    server = PretendPOP3(letters())
    office.provider(server)
    office.wait(Wanted(office.store).add(office.account.id, "gone"))
    collect(office)
    assert office.wait(Wanted(office.store).of(office.account.id)) == frozenset()


@pytest.mark.parametrize("capabilities", [("TOP", "UIDL", "PIPELINING", "SASL PLAIN"), ("TOP",)])
def test_what_cannot_be_had_is_left_alone_after_three_runs_also_over_restarts(
    office: Office, capabilities: tuple[str, ...]
) -> None:
    """Counted in the ledger, by id or by digest; the others go on, ADMIN is told once, a wish tries again."""
    server = PretendPOP3(letters(), capabilities=capabilities)
    server.lie = lambda verb, reply: b"-ERR broken\r\n" if verb == "RETR" and b"Subject: b" in reply else reply
    office.provider(server)
    for _ in range(5):
        collect(office)  # a new collector each time: nothing is remembered but the ledger
    assert server.retrieved.count("b") == 3
    assert len(office.mail_of("andrew")) == 2
    assert len(office.mail_of("admin1")) == 1
    assert b"tried in 3 runs" in office.mail_of("admin1")[0]
    (row,) = [
        row
        for row in office.wait(office.store.ledger.known(office.account.id)).values()
        if row.state is LedgerState.POISON
    ]
    assert row.attempts == 3
    server.lie = lambda _, reply: reply
    office.wait(Wanted(office.store).add(office.account.id, row.key.uidl))
    collect(office)
    assert sorted(office.mail_of("andrew")) == sorted(letters().values())
    assert server.messages == {}


def test_a_message_that_always_cuts_the_line_is_left_alone(office: Office) -> None:
    """It came in part three times, so the fourth run leaves it and fetches what stands behind it."""
    server = PretendPOP3(letters())
    server.lie = lambda verb, reply: reply[:30] + CUT if verb == "RETR" and b"Subject: a" in reply else reply
    office.provider(server)
    for _ in range(4):
        collect(office)
    assert sorted(office.mail_of("andrew")) == sorted([letters()["b"], letters()["c"]])
    assert list(server.messages) == ["a"]


def test_a_delivered_row_never_becomes_poison(office: Office) -> None:
    """What waits for deletion and cannot be compared must not be forgotten as delivered, or it comes twice."""
    server = PretendPOP3(letters(["a"]), instead(QUIT=b"-ERR no\r\n"), ("UIDL",))
    office.provider(server)
    collecting = collector(office)
    collect(office, collecting)
    server.lie = instead(RETR=b"-ERR broken\r\n")
    for _ in range(4):
        collect(office, collecting)
    known = office.wait(office.store.ledger.known(office.account.id))
    assert known["a"].state is LedgerState.DELETE
    server.lie = lambda _, reply: reply
    collect(office, collecting)
    assert office.mail_of("andrew") == [letters()["a"]]
    assert server.messages == {}


def test_what_another_program_fetched_is_neither_fetched_nor_deleted(office: Office) -> None:
    """An imported row: known by its id alone at first, then by its header; reuse of the id is noticed after that."""
    office.change(leave_days=0)
    for name in ("a", "b"):
        key = LedgerKey(office.account.id, name, 0, b"")
        office.wait(office.store.delivery.refuse(key, LedgerState.KEPT, "fetched by fetchmail", office.now()))
    server = PretendPOP3(letters())
    office.provider(server)
    collect(office)
    assert office.mail_of("andrew") == [letters()["c"]]
    assert list(server.messages) == ["a", "b"]
    row = office.wait(office.store.ledger.known(office.account.id))["a"]
    assert (row.key.size, len(row.key.digest)) == (len(letters()["a"]), 32)
    other = letters()["a"].replace(b"Subject: a", b"Subject: z")
    server.messages["a"] = other
    collect(office)
    assert other in office.mail_of("andrew")
    assert list(server.messages) == ["b"]


def test_a_fault_of_ours_at_one_message_keeps_no_other_from_coming(
    office: Office, monkeypatch: pytest.MonkeyPatch, logged_failures: LoggedFailures
) -> None:
    """It is logged and told, the message stays at the provider, and the next run has it."""
    server = PretendPOP3(letters())
    office.provider(server)
    collecting = collector(office)
    new_body, faults = office.store.new_body, [KeyError("a mistake in the code")]

    def mistaken(size_hint: int = 0) -> IBodySink:
        sink = new_body(size_hint)
        if faults:
            fault = faults.pop()
            monkeypatch.setattr(sink, "finish", lambda: _fails(fault))
        return sink

    monkeypatch.setattr(office.store, "new_body", mistaken)
    collect(office, collecting)
    assert len(logged_failures.flush(KeyError)) == 1
    assert len(office.mail_of("andrew")) == 2
    assert len(server.messages) == 1
    collect(office, collecting)
    assert sorted(office.mail_of("andrew")) == sorted(letters().values())
    assert server.messages == {}


async def _fails(fault: Exception) -> IBody:
    raise fault
