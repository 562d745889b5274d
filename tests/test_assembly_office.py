"""A whole office in this process, with the pretend provider beside it."""

from __future__ import annotations

import os
import smtplib
import socket
import stat
import time
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_twisted
from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from mailshare.assembly.office import Office, read_again
from mailshare.config import load_config
from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import ConfigFault
from mailshare.core.values import Hop, Origin, SenderRule, Source
from mailshare.testing.isp import PretendISP

BASE = """\
[server]
hostname = "mail.office.example"
grace = 1
[listen]
pop3 = ["tcp:0:interface=127.0.0.1"]
smtp = ["tcp:0:interface=127.0.0.1"]
"""
ACCOUNT = """\
[[account]]
address = "mail@company.example"
collect = "pop3://mail@127.0.0.1:{pop3}?tls=none"
relay = "smtp://mail@127.0.0.1:{smtp}?tls=none"
password = "isp"
timetable = [{{ days = "mon", from = "00:00", to = "00:01", every = 1440 }}]
"""


def user(name: str, *, account: bool = True, more: str = "") -> str:
    accounts = 'accounts = ["mail@company.example"]' if account else ""
    return f'[[user]]\nname = "{name}"\npassword = "{name}"\n{accounts}\n{more}\n'


@define
class Room:
    """A folder with a configuration, a provider, and offices that were started."""

    folder: Path
    isp: PretendISP
    offices: list[Office] = field(factory=list)

    def write(self, text: str) -> None:
        pop3, smtp = self.isp.ports()
        (self.folder / "m.toml").write_text(BASE + text.replace("ACCOUNT", ACCOUNT.format(pop3=pop3, smtp=smtp)))

    async def start(self) -> Office:
        config = load_config(str(self.folder / "m.toml"))
        office = Office(config, reactor, reload_config=read_again(config, None))
        self.offices.append(office)
        office.startService()
        assert office.started is not None
        await office.started
        return office


@pytest_twisted.async_yield_fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    isp = PretendISP(reactor, os.urandom)
    isp.startService()
    made = Room(tmp_path, isp)
    yield made
    for office in made.offices:
        if office.up:
            await office.stopService()
    await isp.stopService()


@pytest_twisted.ensureDeferred
async def test_mail_is_collected_sorted_and_the_next_office_goes_on_with_it(room: Room) -> None:
    """Named, tagged and unnamed letters find their owners; a restart keeps them and collects nothing twice."""
    room.write("ACCOUNT" + user("andrew") + user("greg"))
    office = await room.start()
    room.isp.arrive('"Andrew" <mail@company.example>', "a", "named")
    room.isp.arrive("mail+greg@company.example", "b", "tagged")
    room.isp.arrive("mail@company.example", "c", "unnamed")
    answer = (await office.acts.send_receive())["mail@company.example"]
    assert {name.lower(): count for name, count in answer["collected"].items()} == {"andrew": 1, "greg": 1, "admin1": 1}
    assert answer["text"].startswith("collected 3, ")
    assert room.isp.box.letters == {}
    await office.stopService()
    assert not office.up
    second = await room.start()
    counts = {row["user"]: row["messages"] for row in await second.acts.mailboxes()}
    assert counts == {"admin1": 1, "andrew": 1, "greg": 1, "public1": 0}
    assert (await second.acts.send_receive())["mail@company.example"]["collected"] == {}


@pytest_twisted.ensureDeferred
async def test_a_row_that_is_retried_leaves_at_once_even_without_a_threshold(room: Room) -> None:
    """What an administrator asks for does not wait for the timetable."""
    room.write("ACCOUNTthreshold = 0\n" + user("andrew"))
    office = await room.start()
    store = office.store
    andrew = store.directory.current().user_by_name["andrew"]
    sink = store.new_body()
    sink.write(b"From: a@x.example\r\nMessage-ID: <1@x.example>\r\n\r\nhello\r\n")
    envelope = Envelope(Address("mail", "company.example"), (Recipient(Address("bob", "far.example")),))
    hop = Hop("relay", "bob@far.example", "outside", andrew.accounts[0])
    now = int(reactor.seconds() * 1_000_000)
    await store.delivery.deliver(
        envelope, await sink.finish(), Origin(Source.SMTP, "0" * 16, andrew.id), (), (hop,), at=now, expires=now * 2
    )
    (row,) = await office.acts.outbox()
    assert (row["to"], row["state"], row["user"]) == ("bob@far.example", "queued", "andrew")
    await office.acts.steer(act="hold", ids=[row["id"]])
    assert (await office.acts.outbox())[0]["state"] == "held"
    await office.acts.steer(act="release", ids=[row["id"]])
    await office.acts.steer(act="retry", ids=[row["id"]])
    until = time.monotonic() + 90
    while not room.isp.relayed:
        assert time.monotonic() < until
        await deferLater(reactor, 0.05)
    while await office.acts.outbox():
        assert time.monotonic() < until
        await deferLater(reactor, 0.05)
    assert (await office.acts.outbox(all=True))[0]["state"] == "delivered"


@pytest_twisted.ensureDeferred
async def test_the_control_socket_is_for_the_owner_alone(room: Room) -> None:
    """No password guards it, so its file mode must."""
    room.write("")
    await room.start()
    assert stat.S_IMODE((room.folder / "var").stat().st_mode) == 0o700
    assert stat.S_IMODE((room.folder / "var" / "control").stat().st_mode) == 0o600


@pytest_twisted.ensureDeferred
async def test_reload_takes_over_users_and_listeners_and_leaves_the_rest_alone(room: Room) -> None:
    """New people come in, those no longer declared are disabled, an unchanged listener keeps its port."""
    room.write("ACCOUNT" + user("andrew") + user("greg"))
    office = await room.start()
    before = {place["service"]: place["address"] for place in office.places()}
    room.write("ACCOUNT" + user("andrew", more='names = ["Andrew Smith"]') + user("lisa"))
    answer = await office.reload()
    assert (answer["made"], answer["changed"], answer["disabled"]) == (1, 1, 1)
    assert (answer["listeners_opened"], answer["listeners_closed"], answer["needs_restart"]) == (0, 0, "")
    assert {place["service"]: place["address"] for place in office.places()} == before
    users = {one["name"]: one for one in await office.acts.users()}
    assert (users["greg"]["enabled"], users["greg"]["managed_by"]) == (False, "")
    assert users["andrew"]["names"] == ["Andrew Smith"]
    text = (room.folder / "m.toml").read_text().replace('smtp = ["tcp:0:interface=127.0.0.1"]\n', "", 1)
    (room.folder / "m.toml").write_text(text)
    answer = await office.reload()
    assert (answer["listeners_opened"], answer["listeners_closed"]) == (0, 1)
    assert [place["service"] for place in office.places()] == ["pop3"]


@pytest_twisted.ensureDeferred
async def test_a_broken_file_changes_nothing_and_is_told(room: Room) -> None:
    """The old settings stay in force, and the status says why until the file is right again."""
    room.write(user("andrew", account=False))
    office = await room.start()
    room.write('[[user]]\nname = "andrew"\npasword = "x"\n')
    with pytest.raises(ConfigFault, match="did you mean 'password'"):
        await office.reload()
    assert "pasword" in (await office.acts.status())["reload_error"]
    assert [one["name"] for one in await office.acts.users()] == ["andrew"]
    room.write(user("andrew", account=False))
    await office.reload()
    assert (await office.acts.status())["reload_error"] == ""


@pytest_twisted.ensureDeferred
async def test_declared_objects_are_locked_for_the_commands(room: Room) -> None:
    """The refusal names the line of the file."""
    room.write(user("andrew", account=False))
    office = await room.start()
    with pytest.raises(Exception, match=r"m\.toml:7"):
        await office.acts.change_user(name="andrew", names=["A"])


@pytest_twisted.ensureDeferred
async def test_the_export_of_an_office_loads_again_to_the_same(room: Room) -> None:
    """What commands made can be moved into a file as it is."""
    room.write("")
    office = await room.start()
    acts = office.acts
    secret = room.folder / "isp"
    secret.write_text("x\n")
    secret.chmod(0o600)
    await acts.add_account(
        address="mail@company.example",
        collect="pop3s://mail@pop.isp.example",
        secret={"file": str(secret)},
        timetable=[{"days": "mon-fri", "from": "07:00", "to": "19:00", "every": 10}],
        options={"ignore_names": ["Company Ltd"]},
    )
    await acts.add_account(address="info@shop.example", mode="domain", domains=["shop.example"], password="geheim")
    await acts.add_user(name="greg", names=['Greg "G" Jones'], accounts=["2", "1"], password="x")
    await acts.add_user(name="lisa", cc=["greg"], local_only=True)
    greg = office.store.directory.current().user_by_name["greg"]
    for kind, match in (("list", "news.example"), ("from", "@far.example"), ("to", "sales team")):
        await office.store.directory.teach(SenderRule(2, kind, match, (greg.id,)))
    exported = await acts.export()
    users, accounts, rules = await acts.users(), await acts.accounts(), await acts.rules()
    assert len(rules) == 3
    await office.stopService()
    again = room.folder / "again"
    again.mkdir()
    (again / "m.toml").write_text(BASE + exported)
    second = await Room(again, room.isp, room.offices).start()

    def plain(rows: object) -> list[dict[str, object]]:
        return [{key: value for key, value in row.items() if key != "managed_by"} for row in rows]  # type: ignore[attr-defined]

    assert plain(await second.acts.users()) == plain(users)
    assert plain(await second.acts.accounts()) == plain(accounts)
    assert await second.acts.rules() == rules
    told = (await second.acts.log(kinds=["admin.rule"]))["events"]
    assert {row["data"]["by"] for row in told} == {str(again / "m.toml")}  # type: ignore[attr-defined]
    assert len(told) == 3  # type: ignore[arg-type]
    assert (await second.acts.export()).count("$argon2id$") == 1


@pytest_twisted.ensureDeferred
async def test_an_export_keeps_the_passwords_of_declared_and_of_disabled_users(room: Room) -> None:
    """References of the file come out with whole paths, hashes of those who may not log in too."""
    secret = room.folder / "greg"
    secret.write_text("geheim\n")
    secret.chmod(0o600)
    room.write(
        'ACCOUNT[[user]]\nname = "greg"\nenabled = false\npassword = { file = "greg" }\n'
        '[[user]]\nname = "andrew"\npassword = "plain"\n'
        '[[user]]\nname = "carol"\npassword = { env = "NOWHERE_SET" }\n'
    )
    office = await room.start()
    await office.acts.add_user(name="lisa", password="x")
    await office.acts.change_user(name="lisa", enabled=False)
    exported = await office.acts.export(secrets=True)
    users = tomllib.loads(exported)["user"]
    passwords = {one["name"]: one["password"] for one in users}
    assert passwords["lisa"].pop("hash").startswith("$argon2id$")
    assert {name: passwords[name] for name in ("andrew", "carol", "greg")} == {
        "andrew": "plain",
        "carol": {"env": "NOWHERE_SET"},
        "greg": {"file": str(secret)},
    }
    assert (await office.reload())["changed"] == 0
    again = room.folder / "again"
    again.mkdir()
    (again / "m.toml").write_text(BASE + exported)
    second = await Room(again, room.isp, room.offices).start()
    assert tomllib.loads(await second.acts.export(secrets=True)) == tomllib.loads(exported)
    assert (await second.reload())["changed"] == 0


@pytest_twisted.ensureDeferred
async def test_an_office_that_cannot_start_says_why(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port in use stops the start with a sentence, and what was opened is closed again."""
    pop3, _ = room.isp.ports()
    room.write("")
    path = room.folder / "m.toml"
    path.write_text(path.read_text().replace('pop3 = ["tcp:0:', f'pop3 = ["tcp:{pop3}:'))
    given_up: Deferred[None] = Deferred()
    monkeypatch.setattr(Office, "_give_up", lambda self: given_up.callback(None))
    office = await room.start()
    await given_up
    assert not office.up
    assert "Address already in use" in office.trouble
    await office.stopService()


@pytest_twisted.ensureDeferred
async def test_a_port_that_becomes_free_is_waited_for(room: Room) -> None:
    """A connection to elsewhere may have it for a moment, or a server that is ending."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        room.write("")
        path = room.folder / "m.toml"
        path.write_text(path.read_text().replace('pop3 = ["tcp:0:', f'pop3 = ["tcp:{taken.getsockname()[1]}:'))
        reactor.callLater(0.5, taken.close)  # type: ignore[attr-defined]
        office = await room.start()
        assert office.up


def _hand_in(port: int, recipient: str) -> tuple[int, bytes]:
    with smtplib.SMTP("127.0.0.1", port, timeout=90) as client:
        client.ehlo()
        client.mail("scanner@lan.example")
        return client.rcpt(recipient)


@pytest_twisted.ensureDeferred
async def test_a_device_without_login_writes_to_people_here_only(room: Room) -> None:
    """From a trusted network the SMTP listener takes mail for local people, and relays nothing."""
    room.write("ACCOUNT" + user("andrew"))
    office = await room.start()
    port = int(next(one["address"] for one in office.places() if one["service"] == "smtp").rpartition(":")[2])
    assert (await deferToThread(_hand_in, port, "andrew@mail.office.example"))[0] == 250
    assert (await deferToThread(_hand_in, port, "somebody@outside.example"))[0] == 550


async def test_a_large_message_is_left_told_and_fetched_anyway(room: Room) -> None:
    """``[limits] collected_size`` holds; its recipient hears of it; ``fetch`` gets it, also after a restart."""
    room.write("[limits]\ncollected_size = 65536\nACCOUNT" + user("andrew"))
    room.isp.arrive("Andrew <mail@company.example>", "plans", "x" * 70 + "\r\n" + ("y" * 70 + "\r\n") * 2000)
    room.isp.arrive("Andrew <mail@company.example>", "small", "hello")
    office = await room.start()
    answer = (await office.acts.send_receive())["mail@company.example"]
    assert answer["collected"] == {"andrew": 1}
    assert {row["user"]: row["messages"] for row in await office.acts.mailboxes()}["andrew"] == 2  # with the notice
    shown = await office.acts.account_show(address="1")
    (left,) = shown["left"]
    assert (shown["at_provider"], shown["waiting"], shown["left_behind"], left["why"]) == (1, 0, 1, "too large")
    await office.stopService()
    second = await room.start()
    again = await second.acts.account_show(address="1")
    assert (again["left"], again["last_success"]) == (shown["left"], shown["last_success"])
    fetched = await second.acts.fetch_anyway(id=left["id"])
    assert fetched["fetched"]
    assert {row["user"]: row["messages"] for row in await second.acts.mailboxes()}["andrew"] == 3
    assert (await second.acts.account_show(address="1"))["at_provider"] == 0
    (chain,) = await second.acts.why(id=left["id"])
    assert [event["kind"] for event in chain["events"]] == ["collect.skipped", "admin.fetch"]
