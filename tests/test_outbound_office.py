"""What leaves a whole office: priority, limits known before, a provider that refuses the login, and the commands."""

from __future__ import annotations

import os
import smtplib
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from mailshare.assembly.clock_watch import steady
from mailshare.assembly.mail_room import MailRoom
from mailshare.assembly.office import Office, read_again
from mailshare.config import load_config
from mailshare.core.errors import NoSuchUser, PeerFault
from mailshare.core.values import SECOND
from mailshare.testing.isp import PretendISP

FILE = """\
[server]
hostname = "mail.office.example"
data = "var"
grace = 1
[listen]
pop3 = ["tcp:0:interface=127.0.0.1"]
smtp = ["tcp:0:interface=127.0.0.1"]
[[account]]
address = "mail@company.example"
relay = "smtp://mail@127.0.0.1:{smtp}?tls=none&limit=5000"
password = "{password}"
threshold = {threshold}
timetable = [{{ days = "mon", from = "00:00", to = "00:01", every = 1440 }}]
[[user]]
name = "andrew"
password = "andrew"
accounts = ["mail@company.example"]
"""


class Place:
    """A folder, a provider, and the office."""

    def __init__(self, folder: Path, isp: PretendISP) -> None:
        self.folder, self.isp = folder, isp
        self.office: Office | None = None

    def write(self, *, password: str = "isp", threshold: int = 1) -> None:
        """The configuration file."""
        text = FILE.format(smtp=self.isp.ports()[1], password=password, threshold=threshold)
        (self.folder / "m.toml").write_text(text)

    async def start(self) -> Office:
        """The office, up."""
        config = load_config(str(self.folder / "m.toml"))
        self.office = Office(config, reactor, reload_config=read_again(config, None))
        self.office.startService()
        assert self.office.started is not None
        await self.office.started
        return self.office

    def port(self) -> int:
        """Of the office's SMTP."""
        assert self.office is not None
        (address,) = (place["address"] for place in self.office.places() if place["service"] == "smtp")
        return int(str(address).rpartition(":")[2])

    async def send(self, recipient: str, header: str = "", size: int = 10) -> None:
        """As andrew's mail program does."""
        await deferToThread(_hand_in, self.port(), recipient, f"{header}Subject: x\r\n\r\n{'y' * size}\r\n")


def _hand_in(port: int, recipient: str, message: str) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as session:
        session.login("andrew", "andrew")
        session.sendmail("andrew@company.example", [recipient], message)


def _unannounced(port: int, recipient: str, size: int) -> tuple[int, bytes]:
    """Without SIZE at MAIL; the reply to the end of the data."""
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as session:
        session.login("andrew", "andrew")
        session.mail("andrew@company.example")
        session.rcpt(recipient)
        return session.data(f"Subject: x\r\n\r\n{'y' * size}\r\n")


async def until(true: Callable[[], object]) -> None:
    """Let the reactor turn until it is so."""
    ends = time.monotonic() + 30
    while not true():
        assert time.monotonic() < ends
        await deferLater(reactor, 0.02)


async def waiting_again(office: Office) -> None:
    """Let the reactor turn until the way out is paused and the row is written down as waiting for it."""
    await until(lambda: office.account_statuses()[0].relay.paused)
    while (await office.acts.outbox())[0]["state"] == "active":
        await deferLater(reactor, 0.02)


@pytest_twisted.async_yield_fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """A provider, and no office yet."""
    isp = PretendISP(reactor, os.urandom)
    isp.startService()
    made = Place(tmp_path, isp)
    yield made
    if made.office is not None and made.office.up:
        await made.office.stopService()
    await isp.stopService()


@pytest_twisted.ensureDeferred
async def test_priority_mail_leaves_at_once_and_the_rest_with_it(place: Place) -> None:
    """Without a threshold and outside the hours; one flush takes what else waits."""
    place.write(threshold=0)
    office = await place.start()
    await place.send("bob@far.example")
    (row,) = await office.acts.outbox()
    assert (row["state"], row["why"]) == ("queued", "waits for the next send")
    await place.send("cid@far.example", "X-Priority: 1 (Highest)\r\n")
    await until(lambda: len(place.isp.relayed) == 2)


@pytest_twisted.ensureDeferred
async def test_what_no_way_out_takes_is_refused_to_the_sender_at_once(place: Place) -> None:
    """At RCPT by the size that the client announces, and colleagues get as much as ever."""
    place.write()
    await place.start()
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refusal:
        await place.send("bob@far.example", size=6000)
    code, words = refusal.value.recipients["bob@far.example"]
    assert code == 552
    assert b"5.3.4" in words
    assert b"5000" in words
    await place.send("andrew", size=6000)


@pytest_twisted.ensureDeferred
async def test_what_turns_out_too_large_is_refused_at_its_end(place: Place) -> None:
    """A client that announces no size hears it after the dot; nothing is queued, and colleagues get as much as ever."""
    place.write()
    office = await place.start()
    code, words = await deferToThread(_unannounced, place.port(), "bob@far.example", 6000)
    assert (code, words[:5]) == (552, b"5.3.4")
    assert b"5000" in words
    assert await office.acts.outbox() == []
    assert (await deferToThread(_unannounced, place.port(), "andrew", 6000))[0] == 250


@pytest_twisted.ensureDeferred
async def test_the_office_watches_the_clock_while_it_is_up(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch that the office itself started notices a clock that was set, and ends with the office."""
    monkeypatch.setattr("mailshare.assembly.clock_watch.BEAT", 0.02)
    jumps: list[int] = []
    monkeypatch.setattr(MailRoom, "_clock_jumped", lambda _self, jump: jumps.append(jump))
    place.write()
    office = await place.start()
    assert office._parts is not None
    office._parts.room.clock_watch._steady = lambda: steady() - 7200
    await until(lambda: jumps)
    assert round(jumps[0] / SECOND / 60) == 120
    await office.stopService()
    assert "clock watch" not in {thread.name for thread in threading.enumerate()}


@pytest_twisted.ensureDeferred
async def test_a_refused_login_waits_for_a_new_password(place: Place) -> None:
    """The status and the outbox quote the answer, ADMIN has one mail, and a reload with the right password sends."""
    place.write(password="wrong")
    office = await place.start()
    await place.send("bob@far.example")

    def paused() -> bool:
        return office.account_statuses()[0].relay.paused

    await waiting_again(office)
    (status,) = office.account_statuses()
    assert "535" in status.relay.error
    await place.send("cid@far.example")
    await office.acts.send_receive()  # somebody says "now": tried once more, told no second time
    counts = {row["user"]: row["messages"] for row in await office.acts.mailboxes()}
    assert counts == {"admin1": 1, "andrew": 0, "public1": 0}
    assert all("535" in str(row["why"]) for row in await office.acts.outbox())
    assert place.isp.relayed == []
    place.write()
    await office.reload()
    await until(lambda: len(place.isp.relayed) == 2)
    assert not paused()


@pytest_twisted.ensureDeferred
async def test_resume_sends_at_once(place: Place) -> None:
    """When the provider mended it and no password changed here: what waited is due, and the login is tried."""
    place.write(password="right-soon")
    office = await place.start()
    await place.send("bob@far.example")
    await waiting_again(office)
    answer = await office.acts.resume(address="mail@company.example")
    assert answer == {"address": "mail@company.example", "waiting": 1}
    log = await office.acts.log(kinds=["relay.paused", "admin.resume"])
    kinds = [event["kind"] for event in log["events"]]  # type: ignore[attr-defined]
    assert kinds[:2] == ["relay.paused", "admin.resume"]


@pytest_twisted.ensureDeferred
async def test_rows_are_steered_by_message_account_route_and_all(place: Place) -> None:
    """As well as by their numbers; a group that was not named in one way is refused."""
    place.write(threshold=0)
    office = await place.start()
    for number in range(4):
        await place.send(f"r{number}@far.example", f"Message-ID: <{number}@desk.example>\r\n")

    async def act(act: str, **which: object) -> object:
        return (await office.acts.steer(act=act, **which))["changed"]  # type: ignore[arg-type]

    async def states() -> list[object]:
        return [row["state"] for row in reversed(list(await office.acts.outbox(all=True)))]

    traces = [row["trace"] for row in reversed(list(await office.acts.outbox()))]
    assert await act("hold", message="<0@desk.example>") == 1
    assert await act("hold", message=traces[1]) == 1
    assert await states() == ["held", "held", "queued", "queued"]
    assert await act("release", route="127.0.0.1") == 2
    assert await act("hold", account="1") == 4
    assert await act("retry", all=True) == 0
    assert await act("delete", message="3@desk.example") == 1
    assert await act("release", all=True) == 3
    assert await act("hold", route="elsewhere.example") == 0
    for wrong in ({}, {"all": True, "account": "1"}, {"ids": ["1"]}):
        with pytest.raises(PeerFault):
            await act("hold", **wrong)
    with pytest.raises(NoSuchUser):
        await act("hold", message="nobody@knows.example")
    assert await act("retry", all=True) == 3
    ends = time.monotonic() + 30
    while await office.acts.outbox():
        assert time.monotonic() < ends
        await deferLater(reactor, 0.02)
    assert len(place.isp.relayed) == 3
    assert await states() == ["delivered", "delivered", "delivered", "cancelled"]


@pytest_twisted.ensureDeferred
async def test_a_deletion_is_taken_back_after_a_restart_and_nothing_is_sent_in_between(place: Place) -> None:
    """Also not when everything is tried at once; the row lies in the store with what it was."""
    place.write(threshold=0)
    office = await place.start()
    await place.send("bob@far.example")
    (row,) = await office.acts.outbox()
    assert (await office.acts.steer(act="delete", ids=[row["id"]]))["rows"] == [row["id"]]  # type: ignore[list-item]
    await office.acts.send_receive()
    await office.stopService()
    office = await place.start()
    await office.acts.send_receive()
    assert place.isp.relayed == []
    assert (await office.acts.steer(act="undelete", ids=[row["id"]]))["changed"] == 1  # type: ignore[list-item]
    assert [one["state"] for one in await office.acts.outbox()] == ["queued"]
    await office.acts.send_receive()
    await until(lambda: len(place.isp.relayed) == 1)
