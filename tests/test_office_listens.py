"""An office on its sockets that listens at IMAP servers: mail is there without any run being due (requirement 10)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field
from twisted.internet import reactor
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater

from mailshare.assembly.office import Office
from mailshare.cli.screens import status
from mailshare.core.values import Event
from mailshare.isp import vigil
from mailshare.testing.imap_double import PretendIMAP
from mailshare.testing.liars import PASSWORD, USER
from tests.test_assembly_imap import Spoken
from tests.test_assembly_office import Room, room, user

__all__ = ["room"]
LETTER = b"From: Alice <alice@far.example>\r\nTo: Andrew <%b>\r\nMessage-ID: <%d@far.example>\r\n\r\n4711\r\n"
ONCE_A_DAY = "timetable = [{ every = 1440 }]\n"


@define
class Provider:
    """IMAP servers on ports of their own, one for each account."""

    servers: list[PretendIMAP] = field(factory=list)
    spoken: list[Spoken] = field(factory=list)
    _ports: list[Any] = field(factory=list)

    def account(self, address: str, more: str = ONCE_A_DAY) -> str:
        """Another server and the account there."""
        server = PretendIMAP([])
        self.servers.append(server)

        def spoken() -> Spoken:
            self.spoken.append(Spoken(server))
            return self.spoken[-1]

        port = reactor.listenTCP(0, Factory.forProtocol(spoken), interface="127.0.0.1")  # type: ignore[attr-defined]
        self._ports.append(port)
        return (
            f'[[account]]\naddress = "{address}"\npassword = "{PASSWORD}"\n'
            f'collect = "imap://{USER}@127.0.0.1:{port.getHost().port}?tls=none"\n{more}'
        )

    async def close(self) -> None:
        """Listen no more."""
        for port in self._ports:
            await port.stopListening()


@pytest_twisted.async_yield_fixture
async def provider() -> AsyncIterator[Provider]:
    """None yet."""
    made = Provider()
    yield made
    await made.close()


async def until(true: Callable[[], object]) -> None:
    """Let the reactor turn until it is so."""
    ends = time.monotonic() + 60
    while not true():
        assert time.monotonic() < ends
        await deferLater(reactor, 0.01)


async def arrived(office: Office, count: int) -> None:
    """Let the reactor turn until so many messages lie in the mailboxes."""
    ends = time.monotonic() + 60
    while (await office.indicators()).inbox < count:
        assert time.monotonic() < ends
        await deferLater(reactor, 0.02)


async def line_of(office: Office, kind: str) -> Event:
    """The first line of the journal of that kind, as soon as it is written."""
    ends = time.monotonic() + 60
    while not (page := await office.store.events.page(since=0, until=2**62, kinds=[kind])):
        assert time.monotonic() < ends
        await deferLater(reactor, 0.02)
    return page[0][1]


def listened_to(office: Office) -> int:
    """How many accounts are listened to."""
    return sum(one.news.since > 0 for one in office.account_statuses())


@pytest_twisted.ensureDeferred
async def test_mail_is_there_as_soon_as_the_provider_tells(room: Room, provider: Provider) -> None:
    """The next run is a day away, and the mail is in its mailbox; status and journal say how; the end is a logout."""
    room.write(provider.account("mail@company.example") + user("andrew"))
    office = await room.start()
    await until(lambda: listened_to(office))
    provider.servers[0].arrive(LETTER % (b"mail@company.example", 1))
    await arrived(office, 1)
    await until(lambda: not provider.servers[0].inbox.messages)
    answer: Any = await office.acts.status()
    (account,) = answer["accounts"]
    assert account["news"]["since"]
    assert any(line.strip().startswith("news: waiting for news since ") for line in status(answer))
    shown: Any = await office.acts.account_show(address="mail@company.example")
    assert shown["news"] == account["news"]
    assert (await line_of(office, "collect.run")).data["cause"] == "the provider told of it"
    assert await line_of(office, vigil.HELD)
    await office.stopService()
    assert provider.servers[0].commands.count("LOGOUT") == provider.servers[0].sessions


@pytest_twisted.ensureDeferred
async def test_twenty_accounts_are_listened_to_by_one_process(room: Room, provider: Provider) -> None:
    """Mail at all of them at once, and each is there; no account waits for another's connection."""
    addresses = [f"mail{number}@company.example" for number in range(20)]
    accounts = [provider.account(address) for address in addresses]
    people = user("andrew").replace('["mail@company.example"]', str(addresses).replace("'", '"'))
    room.write("".join(accounts) + people)
    office = await room.start()
    await until(lambda: listened_to(office) == 20)
    for number, server in enumerate(provider.servers):
        server.arrive(LETTER % (addresses[number].encode(), number))
    await arrived(office, 20)
    assert listened_to(office) == 20


@pytest_twisted.ensureDeferred
async def test_a_connection_that_is_killed_comes_back(
    room: Room, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a collection too: what came meanwhile is collected with the new one, what comes then is told."""
    monkeypatch.setattr(vigil, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(vigil, "TRY_AGAIN", 0.05)
    monkeypatch.setattr(vigil, "BREATH", 0.05)
    room.write(provider.account("mail@company.example") + user("andrew"))
    office = await room.start()
    await until(lambda: listened_to(office))
    (server,) = provider.servers
    for number in range(1, 6):
        sessions = server.sessions
        for one in provider.spoken:
            if one.transport is not None:
                one.transport.abortConnection()
        server.inbox.put(LETTER % (b"mail@company.example", number))
        await until(lambda before=sessions: server.sessions >= before + 2)  # type: ignore[misc]
        await arrived(office, 2 * number - 1)
        await until(lambda: listened_to(office))
        server.arrive(LETTER % (b"mail@company.example", 100 + number))
        await arrived(office, 2 * number)


@pytest_twisted.ensureDeferred
async def test_a_reload_ends_and_begins_listening(room: Room, provider: Provider) -> None:
    """``idle = false`` in the file logs out; taken away again it begins anew."""
    account = provider.account("mail@company.example")
    room.write(account + user("andrew"))
    office = await room.start()
    await until(lambda: listened_to(office))
    room.write(account + "options = { idle = false, look_sooner = false }\n" + user("andrew"))
    await office.reload()
    await until(lambda: not listened_to(office))
    assert office.account_statuses()[0].news.error == ""
    room.write(account + user("andrew"))
    await office.reload()
    await until(lambda: listened_to(office))
