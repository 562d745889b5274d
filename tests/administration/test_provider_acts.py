"""The provider's side of an account: how it goes, what was left there, the ledgers of other programs taken over."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from click.testing import CliRunner
from twisted.internet.defer import Deferred

from mailshare.assembly.acts import Acts
from mailshare.cli import main
from mailshare.cli.calling import Context
from mailshare.core.errors import NoSuchEntry, PeerFault
from mailshare.core.servers import parse_server
from mailshare.core.values import LedgerState
from mailshare.isp.collect import Collector
from mailshare.isp.sign_on import Doors
from mailshare.status import AccountStatus
from mailshare.testing.liars import PretendPOP3, instead
from mailshare.testing.memory_wire import MemoryEndpoint
from mailshare.testing.pretend_office import Password
from tests.administration.conftest import Office, finish

MAIL = "mail@company.example"


def letter(subject: str, octets: int = 0) -> bytes:
    head = f"From: Boss <boss@out.example>\r\nTo: Greg <{MAIL}>\r\nSubject: {subject}\r\n\r\n"
    return head.encode() + b"x" * 70 * (octets // 70) + b"\r\n"


class Provider:
    """A provider for the first account, and the collector that a running server would have."""

    def __init__(self, office: Office, server: PretendPOP3, **options: Any) -> None:
        self.office = office
        self.server = server
        account = office.store.directory.current().accounts[0]
        changed = evolve(account, collect=parse_server("pop3s://mail@pop.isp.example"), options=options)
        self.account = finish(office.store.directory.change_account(changed))
        doors = Doors(office.clock, Password(), office.token, endpoint=lambda _: MemoryEndpoint(office.clock, server))
        self.collector = Collector(office.store, office.intake, doors)
        self.asked = 0

    def collect(self) -> None:
        """One run."""
        run = Deferred.fromCoroutine(self.collector.collect(self.account))
        for _ in range(200):
            if run.called:
                return
            self.office.clock.advance(0.01)
        raise AssertionError("it goes on and on")

    def account_statuses(self) -> list[AccountStatus]:
        """As a server has them."""
        return [AccountStatus(self.account.id, MAIL, self.collector.status(self.account.id))]

    async def send_receive(self, _account: object, _by: str = "") -> dict[str, object]:
        """As a server does, at once."""
        self.asked += 1
        self.collect()
        return {"text": "collected 1, greg 1"}


def running(provider: Provider) -> Acts:
    """The acts of a server that runs."""
    acts = provider.office.acts
    acts._running = provider  # type: ignore[assignment]
    return acts


def show(office: Office) -> dict[str, Any]:
    found: dict[str, Any] = dict(finish(office.acts.account_show(address=MAIL)))
    return found


def test_an_account_that_never_collected_says_so(office: Office) -> None:
    """Nothing is made up."""
    found = show(office)
    assert (found["last_try"], found["last_success"], found["error"], found["at_provider"]) == ("", "", "", None)
    assert (found["left_behind"], found["server"]) == (0, False)


def test_how_it_went_survives_a_restart_and_quotes_the_server(office: Office) -> None:
    """Last try, last success, the server's own words, and what lies there: complaint 12."""
    provider = Provider(office, PretendPOP3({"a": letter("a"), "b": letter("b")}))
    provider.collect()
    good = show(office)
    assert (good["messages"], good["at_provider"], good["waiting"], good["error"]) == (2, 0, 0, "")
    assert good["last_success"] == good["last_try"] != ""
    provider.server.lie = instead(AUTH=b"-ERR [SYS/TEMP] Mailbox is being moved, try at noon\r\n")
    provider.server.messages["c"] = letter("c")
    office.clock.advance(60)
    Provider(office, provider.server).collect()  # another life: nothing is remembered but what was written
    bad = show(office)
    assert "Mailbox is being moved, try at noon" in bad["error"]
    assert (bad["last_success"], bad["at_provider"]) == (good["last_success"], 0)
    assert bad["last_try"] > good["last_try"]


def test_login_delay_holds_over_a_restart(office: Office) -> None:
    """A program that starts anew may not come to the provider's door earlier than one that went on."""
    server = PretendPOP3({}, capabilities=("UIDL", "TOP", "LOGIN-DELAY 900"))
    Provider(office, server).collect()
    again = Provider(office, server)
    again.collect()
    assert server.sessions == 1
    assert show(office)["login_delay"] == 900
    assert show(office)["not_before"]
    office.clock.advance(901)
    again.collect()
    assert server.sessions == 2


def test_the_recipient_hears_of_a_large_message_and_gets_it_on_request(office: Office) -> None:
    """The router finds greg from TOP; list and notice have the id; asked for once, it comes, whatever its size."""
    provider = Provider(office, PretendPOP3({"big": letter("plans", 50_000)}), max_size=10_000)
    for _ in range(2):
        provider.collect()
    assert len(office.box("greg")) == 1
    assert office.box("admin1") == []
    notice = office.octets("greg")
    (left,) = show(office)["left"]
    assert f"mailshare fetch {left['id']}".encode() in notice
    assert b"Subject: plans" in notice
    assert (left["why"], left["uidl"], left["asked_for"]) == ("too large", "big", False)
    assert [event.kind for event in office.events(left["id"])] == ["collect.skipped"]
    answer = finish(running(provider).fetch_anyway(id=left["id"]))
    assert answer == {"id": left["id"], "account": MAIL, "fetched": True, "text": "collected 1, greg 1"}
    assert len(office.box("greg")) == 2
    assert provider.server.messages == {}
    assert show(office)["left"] == []
    with pytest.raises(NoSuchEntry, match="account show"):
        finish(office.acts.fetch_anyway(id=left["id"]))


def test_a_wish_waits_for_the_server_and_is_fulfilled_once(office: Office) -> None:
    """With the server down it is written; after it was fulfilled the limit holds again."""
    provider = Provider(office, PretendPOP3({"big": letter("one", 50_000)}), max_size=10_000)
    provider.collect()
    answer = finish(office.acts.fetch_anyway(id="big", account="1"))
    assert (answer["fetched"], show(office)["left"][0]["asked_for"]) == (False, True)
    provider.server.messages["more"] = letter("two", 60_000)
    provider.collect()
    assert provider.server.retrieved == ["big"]
    assert [left["uidl"] for left in show(office)["left"]] == ["more"]


def test_a_wish_that_fails_three_times_is_given_up(office: Office) -> None:
    """It must not be tried for ever; whoever wants it asks again."""
    lie = instead(RETR=b"-ERR no\r\n")
    provider = Provider(office, PretendPOP3({"big": letter("one", 50_000)}, lie), max_size=10_000)
    provider.collect()
    finish(office.acts.fetch_anyway(id="big"))
    for _ in range(5):
        provider.collect()
    assert provider.server.retrieved == ["big", "big", "big"]
    (left,) = show(office)["left"]
    assert (left["why"], left["asked_for"]) == ("cannot be had", False)


def test_a_large_message_that_nobody_is_named_in_is_told_to_admin(office: Office) -> None:
    """The same router decides, so ADMIN hears of what ADMIN would have got; without TOP nobody else can be known."""
    big = letter("odd", 50_000).replace(b"Greg", b"Zoe")
    provider = Provider(office, PretendPOP3({"big": big}), max_size=10_000)
    provider.collect()
    blind = Provider(office, PretendPOP3({"blind": letter("x", 50_000)}, capabilities=("UIDL",)), max_size=10_000)
    blind.collect()
    assert len(office.box("admin1")) == 2
    assert office.box("greg") == []


def test_ids_of_another_program_are_taken_over(office: Office) -> None:
    """What it had is neither fetched nor deleted; with ``ours`` it goes when its days are over."""
    server = PretendPOP3({"a": letter("a"), "b": letter("b"), "c": letter("c")})
    seconds = int(office.clock.seconds())
    assert finish(office.acts.import_uids(address=MAIL, program="mpop", uids={"a": 0}))["new"] == 1
    uids = {"a": 0, "b": seconds - 86_400}
    assert finish(office.acts.import_uids(address=MAIL, program="getmail", uids=uids, ours=True))["new"] == 1
    provider = Provider(office, server)
    provider.account = finish(office.store.directory.change_account(evolve(provider.account, leave_days=2)))
    provider.collect()
    assert server.retrieved == ["c"]
    office.clock.advance(86_400 + 1)
    provider.collect()
    assert list(server.messages) == ["a", "c"]
    assert server.retrieved == ["c"]
    rows = finish(office.store.ledger.known(1))
    assert (rows["b"].state, rows["a"].error) == (LedgerState.GONE, "fetched by mpop")


@pytest.mark.parametrize(
    ("program", "uids"), [("mutt", {"a": 0}), ("mpop", {"a b": 0}), ("mpop", {"a": "x"}), ("mpop", {"\n": 0})]
)
def test_what_is_no_list_of_ids_is_refused(office: Office, program: str, uids: dict[str, object]) -> None:
    """A sentence, and nothing is written."""
    with pytest.raises(PeerFault):
        finish(office.acts.import_uids(address=MAIL, program=program, uids=uids))
    assert finish(office.store.ledger.known(1)) == {}


@pytest.fixture
def shell(office: Office, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Commands that reach this office directly."""

    def ask(_self: Context, name: str, /, **arguments: Any) -> Any:
        given = {key: value for key, value in arguments.items() if value is not None}
        return finish(getattr(office.acts, name)(**given))

    monkeypatch.setattr(Context, "ask", ask)
    return CliRunner()


def test_the_commands_speak_plainly(office: Office, shell: CliRunner, tmp_path: Any) -> None:
    """``account show``, ``fetch`` and ``account import-uids`` as a person reads them."""
    provider = Provider(office, PretendPOP3({"big": letter("plans", 50_000)}), max_size=10_000)
    provider.collect()
    shown = shell.invoke(main, ["account", "show", MAIL])
    assert shown.exit_code == 0, shown.output
    assert "every 5 minutes, day and night" in shown.output
    assert "1 messages, which nobody fetches unasked" in shown.output
    assert "the limit is 10000" in shown.output
    assert "none: the server does not run" in shown.output
    (left,) = show(office)["left"]
    fetched = shell.invoke(main, ["fetch", left["id"]])
    assert "in the first run after the server starts" in fetched.output
    file = tmp_path / ".fetchids"
    file.write_bytes(b"mail@pop.isp.example x1\nmail@pop.isp.example x2\n")
    taken = shell.invoke(main, ["account", "import-uids", MAIL, str(file)])
    assert "2 unique-ids of fetchmail for mail@pop.isp.example, 2 of them new" in taken.output
    file.write_bytes(b"other@pop.isp.example x3\n")
    refused = shell.invoke(main, ["account", "import-uids", MAIL, str(file)])
    assert refused.exit_code == 1
    assert "--login" in refused.output
    said = shell.invoke(main, ["account", "import-uids", MAIL, str(file), "--login", "other"])
    assert said.exit_code == 0
    assert set(finish(office.store.ledger.known(1))) >= {"x1", "x2", "x3"}
