"""A whole office with the pretend provider beside it, asked over its sockets: for the tests of several folders."""

from __future__ import annotations

import os
import poplib
import smtplib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest_twisted
from attrs import define, field
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from mailshare.assembly.office import Office, read_again
from mailshare.config import load_config
from mailshare.testing.isp import PretendISP

T = TypeVar("T")
BASE = """\
[server]
hostname = "mail.office.example"
grace = 1
[listen]
pop3 = ["tcp:0:interface=127.0.0.1"]
smtp = ["tcp:0:interface=127.0.0.1"]
device = ["tcp:0:interface=127.0.0.1"]
[[account]]
address = "mail@company.example"
collect = "pop3://mail@127.0.0.1:{pop3}?tls=none"
relay = "smtp://mail@127.0.0.1:{smtp}?tls=none"
password = "isp"
threshold = 0
timetable = [{{ days = "mon", from = "00:00", to = "00:01", every = 1440 }}]
"""


@define
class House:
    """A folder with a configuration, a provider and an office."""

    folder: Path
    isp: PretendISP
    office: Office | None = None
    started: list[Office] = field(factory=list)

    async def start(self, text: str = "", *, listen: str = "") -> Office:
        """Start an office on the folder, with that text after the account, and those lines more in ``[listen]``."""
        pop3, smtp = self.isp.ports()
        path = self.folder / "m.toml"
        if text or not path.exists():
            base = BASE.format(pop3=pop3, smtp=smtp).replace("[[account]]", f"{listen}[[account]]")
            path.write_text(base + text)
        config = load_config(str(path))
        self.office = office = Office(config, reactor, reload_config=read_again(config, None))
        self.started.append(office)
        office.startService()
        assert office.started is not None
        await office.started
        assert not office.trouble
        return office

    def port(self, service: str) -> int:
        """Where a service listens."""
        assert self.office is not None
        place = next(one for one in self.office.places() if one["service"] == service)
        return int(str(place["address"]).rpartition(":")[2])

    def arrives(self, to: str, *, sender: str = "alice@far.example", number: int = 1, more: str = "") -> bytes:
        """A letter comes to the provider; its octets."""
        octets = (
            f"Return-Path: <{sender}>\r\nReceived: from far by mx.isp.example; x\r\nFrom: Alice <{sender}>\r\n"
            f"To: {to}\r\nSubject: Letter {number}\r\nMessage-ID: <{number}@far.example>\r\n{more}\r\nText {number}\r\n"
        ).encode()
        self.isp.box.put(octets, f"uid{number}")
        return octets

    async def mail_of(self, name: str, password: str) -> list[bytes]:
        """What a POP3 client reads."""
        port = self.port("pop3")

        def read() -> list[bytes]:
            client = poplib.POP3("127.0.0.1", port, timeout=60)
            try:
                client.user(name)
                client.pass_(password)
                found = [b"\r\n".join(client.retr(number + 1)[1]) for number in range(client.stat()[0])]
                client.quit()
            finally:
                client.close()
            return found

        return await deferToThread(read)

    async def smtp(self, talk: Callable[[smtplib.SMTP], T], service: str = "smtp") -> T:
        """What comes of a dialogue with the SMTP server."""
        port = self.port(service)

        def run() -> T:
            with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
                client.ehlo("client.example")
                return talk(client)

        result: Any = await deferToThread(run)
        return result  # type: ignore[no-any-return]


@pytest_twisted.async_yield_fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """An office that is stopped at the end."""
    isp = PretendISP(reactor, os.urandom)
    isp.startService()
    made = House(tmp_path, isp)
    yield made
    for office in made.started:
        if office.up:
            await office.stopService()
    await isp.stopService()
