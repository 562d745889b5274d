"""A whole office with a manager, and browsers that ask it over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_twisted
from attrs import define, field
from twisted.internet import reactor
from twisted.web.client import Agent, FileBodyProducer, readBody
from twisted.web.http_headers import Headers

from mailshare.assembly.office import Office, read_again
from mailshare.config import load_config
from mailshare.core.values import Role

PASSWORD = "three small words"
FILE = """\
[server]
hostname = "mail.office.example"
grace = 1
[listen]
smtp = ["tcp:0:interface=127.0.0.1"]
web = ["tcp:0:interface=127.0.0.1"]
[web]
names = ["manager.lan"]
[[account]]
address = "mail@company.example"
timetable = []
[[destination]]
name = "branch"
title = "Branch <b>office</b>"
address = "printer@branch.example"
[[account]]
address = "two@firm.example"
timetable = []
[[user]]
name = "andrew"
names = ["Andrew Smith"]
password = "andrew"
accounts = ["mail@company.example"]
"""


@define
class Answer:
    """What came back."""

    code: int
    text: str
    headers: Headers

    def header(self, name: str) -> str:
        return (self.headers.getRawHeaders(name) or [""])[0]


@define
class Browser:
    """Asks as a browser does."""

    port: int
    cookie: str = ""
    agent: Agent = field(factory=lambda: Agent(reactor))

    async def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        sent = {"Host": f"127.0.0.1:{self.port}", **({"Cookie": self.cookie} if self.cookie else {})}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        raw = Headers({name: [value] for name, value in sent.items()})
        producer = FileBodyProducer(BytesIO(body)) if body is not None else None
        response = await self.agent.request(
            method.encode(), f"http://127.0.0.1:{self.port}{path}".encode(), raw, producer
        )
        for line in response.headers.getRawHeaders("Set-Cookie") or []:
            kept = dict(part.split("=", 1) for part in self.cookie.split("; ") if part)
            kept.update([line.partition(";")[0].split("=", 1)])
            self.cookie = "; ".join(f"{name}={value}" for name, value in kept.items())
        return Answer(response.code, (await readBody(response)).decode("utf-8", "replace"), response.headers)

    async def raw(self, method: str, path: str, body: bytes) -> bytes:
        """The octets of an answer."""
        sent = {"Host": f"127.0.0.1:{self.port}", "Cookie": self.cookie, "Origin": f"http://127.0.0.1:{self.port}"}
        response = await self.agent.request(
            method.encode(),
            f"http://127.0.0.1:{self.port}{path}".encode(),
            Headers({name: [value] for name, value in sent.items()}),
            FileBodyProducer(BytesIO(body)),
        )
        return await readBody(response)  # type: ignore[no-any-return]

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.ask("GET", path, **headers)

    async def post(self, path: str, form: Mapping[str, Any], **headers: str) -> Answer:
        given = {"Origin": f"http://127.0.0.1:{self.port}", "Content_Type": "application/x-www-form-urlencoded"}
        given.update(headers)
        given = {name: value for name, value in given.items() if value}
        return await self.ask("POST", path, urlencode(form, doseq=True).encode(), **given)

    async def upload(self, path: str, form: Mapping[str, Any], name: str, document: bytes, **headers: str) -> Answer:
        """A form with a document."""
        edge = "frontier"
        parts = [
            f'--{edge}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
            for key, value in form.items()
        ]
        parts.append(f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode())
        body = b"".join([*parts, document, f"\r\n--{edge}--\r\n".encode()])
        given = {"Origin": f"http://127.0.0.1:{self.port}", "Content_Type": f"multipart/form-data; boundary={edge}"}
        return await self.ask("POST", path, body, **{**given, **headers})

    async def log_in(self, name: str = "admin", password: str = PASSWORD) -> Answer:
        return await self.post("/login", {"name": name, "password": password})


@define
class House:
    office: Office

    @property
    def port(self) -> int:
        place = next(one for one in self.office.places() if one["service"] == "web")
        return int(str(place["address"]).rpartition(":")[2])

    def browser(self) -> Browser:
        return Browser(self.port)

    async def admin(self, name: str = "admin", role: Role = Role.OWNER, accounts: tuple[str, ...] = ()) -> Browser:
        """An administrator who is logged in."""
        doors = self.office.acts.doorkeepers
        assert doors is not None
        await doors.administrators.add(name, PASSWORD, role, accounts)
        browser = self.browser()
        assert (await browser.log_in(name)).code == 303
        return browser


@pytest.fixture
def office_file() -> str:
    """The configuration of the house; modules that need another one say so."""
    return FILE


@pytest_twisted.async_yield_fixture
async def house(tmp_path: Path, office_file: str) -> AsyncIterator[House]:
    path = tmp_path / "m.toml"
    path.write_text(office_file)
    config = load_config(str(path))
    office = Office(config, reactor, reload_config=read_again(config, None))
    office.startService()
    assert office.started is not None
    await office.started
    yield House(office)
    if office.up:
        await office.stopService()
