"""Heads that no browser of ours sends, and requests that dribble: by raw octets."""

from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.web.resource import Resource

from mailshare.core.values import Role
from mailshare.shell.limits import ConnectionLimits
from mailshare.web.site import PACE, PATIENCE, ManagerSite
from tests.web.conftest import PASSWORD, Browser, House
from tests.web.test_manager_ground import Sender

HEADS: tuple[tuple[str, str, bytes], ...] = (
    ("GET /login HTTP/1.0", "", b" 400 "),
    ("GET /login HTTP/1.1", "", b" 400 "),
    ("GET /login HTTP/1.1", "Host: evil.example\r\nHost: {here}", b" 400 "),
    ("GET /login HTTP/1.1", "Host: {here}\r\nHost: {here}", b" 400 "),
    ("GET http://evil.example/login HTTP/1.1", "Host: {here}", b" 421 Misdirected Request"),
    ("GET http://{here}@evil.example/login HTTP/1.1", "Host: {here}", b" 421 "),
    ("GET /login HTTP/1.1", "Host: 2130706433", b" 421 "),
    ("OPTIONS * HTTP/1.1", "Host: {here}", b" 400 "),
    ("POST /act/pause HTTP/1.1", "Host: {here}\r\nOrigin: https://{here}", b" 403 "),
    ("POST /act/pause HTTP/1.1", "Host: manager.lan\r\nOrigin: https://manager.lan", b" 403 "),
    ("POST /act/pause HTTP/1.1", "Host: manager.lan:443\r\nOrigin: http://manager.lan", b" 403 "),
    ("POST /act/pause HTTP/1.1", "Host: {here}\r\nOrigin: http://127.0.0.1:1", b" 403 "),
    ("POST /act/pause HTTP/1.1", "Host: {here}\r\nOrigin: http://evil.example\r\nAuthorization: Basic eDp5", b" 403 "),
    ("POST /act/pause HTTP/1.1", "Host: manager.lan:80\r\nOrigin: http://manager.lan", b" 303 "),
)
"""The first line, fields, and the status that answers; somebody is logged in everywhere."""


async def octets(house: House, request: str) -> bytes:
    """What comes back, to the end of the connection."""
    sender = await connectProtocol(HostnameEndpoint(reactor, "127.0.0.1", house.port), Sender())
    assert sender.transport is not None
    sender.transport.write(request.encode())
    return await sender.over  # type: ignore[no-any-return]


@pytest_twisted.ensureDeferred
async def test_a_head_that_no_browser_of_ours_sends_changes_nothing(house: House) -> None:
    """One host, that is ours; scheme, name and port of the origin; a token excuses nobody on a page."""
    browser = await house.admin()
    here = f"127.0.0.1:{house.port}"
    for line, fields, status in HEADS:
        head = f"{line}\r\n{fields}\r\nCookie: {browser.cookie}\r\nContent-Length: 0\r\nConnection: close\r\n"
        answer = await octets(house, head.replace("{here}", here).replace("\r\n\r\n", "\r\n") + "\r\n")
        assert status in answer.partition(b"\r\n")[0], (line, fields, answer[:200])
        assert b"Server: TwistedWeb" not in answer
        assert (await house.office.acts.status())["paused"] is (status == b" 303 ")


@pytest_twisted.ensureDeferred
async def test_who_asks_before_a_document_of_200_megabytes_is_told_to_keep_it(house: House) -> None:
    """After the refusal no ``100 Continue`` asks for it all the same, and the connection ends."""
    answer = await octets(
        house, "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000000\r\nExpect: 100-continue\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 413")
    assert answer.count(b"HTTP/1.1") == 1


LINE = b"GET / HTTP/1.1\r\nHost: a\r\n"
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n"


@pytest.mark.parametrize("sent", [b"G", LINE, HEAD], ids=["line", "head", "body"])
def test_whoever_dribbles_is_let_go(sent: bytes) -> None:
    """An octet each ten seconds keeps no idle time from running out, but the time of a request."""
    clock = Clock()
    site = ManagerSite(Resource(), clock, ConnectionLimits(), lambda _: (400, "no"), lambda: None, lambda *_: None)
    channel = site.buildProtocol(IPv4Address("TCP", "192.0.2.7", 4))
    transport = StringTransport(peerAddress=IPv4Address("TCP", "192.0.2.7", 4))
    channel.makeConnection(transport)
    channel.dataReceived(sent)
    for _ in range(PATIENCE // 10):
        clock.advance(10)
        channel.dataReceived(b"x")
    clock.advance(50 / PACE + 1)
    assert transport.value().startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert transport.disconnecting
    channel.connectionLost()


async def aged(house: House, browser: Browser) -> None:
    """The password was given here some time ago."""
    keeping = house.office._running().keeping
    for session in keeping.sessions.of("admin"):
        keeping.sessions._change(session.id, proved=0)


@pytest_twisted.ensureDeferred
async def test_a_browser_left_alone_makes_no_way_in_by_the_api_either(house: House) -> None:
    """What the pages ask the own password for asks for it in the API too; a token of its own is proof enough."""
    browser = await house.admin()
    token = (await house.office.acts.add_token(owner="admin", label="x", level="admin"))["token"]
    await aged(house, browser)
    asked = (
        ("POST", "/manager/administrators", b'{"name": "eve", "password": "four other small words", "role": "owner"}'),
        ("PATCH", "/manager/administrators/admin", b'{"password": "four other small words"}'),
        ("POST", "/manager/tokens", b'{"owner": "admin", "label": "y", "level": "admin"}'),
        ("PATCH", "/users/andrew", b'{"password": "eve"}'),
        ("POST", "/users/andrew/app-passwords", b'{"label": "phone"}'),
        ("GET", "/export", None),
    )
    own = {"Origin": f"http://127.0.0.1:{house.port}"}
    for method, way, body in asked:
        answer = await browser.ask(method, f"/api/v1{way}", body, **own)
        assert answer.code == 403, way
        assert "asks for your own password" in answer.text
    assert len(await house.office.acts.administrators()) == 1
    assert (await browser.ask("PATCH", "/api/v1/users/andrew", b'{"quota": 5000000}', **own)).code == 409  # declared
    bearer = {"Authorization": f"Bearer {token}"}
    assert (await house.browser().ask("GET", "/api/v1/export", **bearer)).code == 200
    await browser.post("/unlock", {"password": PASSWORD})
    assert (await browser.ask("GET", "/api/v1/export", **own)).code == 200


@pytest_twisted.ensureDeferred
async def test_every_wrong_password_of_an_administrator_is_written_down(house: House) -> None:
    """At the lock and before a secret as well as at the door; and a link that is taken back."""
    browser = await house.admin()
    await house.admin("bob", Role.VIEWER)
    await aged(house, browser)
    link = await browser.post("/users/andrew/links", {"hours": "1"})
    assert link.code == 200
    (made,) = house.office._running().keeping.links.of("andrew")
    await browser.post("/users/andrew/links/revoke", {"id": made.id})
    await browser.post("/unlock", {"password": "wrong"})
    await browser.post("/settings/token", {"label": "x", "level": "read", "own_password": "wronger"})
    await browser.post("/settings/password", {"own_password": "wrongest", "password": "three other words"})
    log = await house.office.acts.log(kinds=["admin.login-refused", "admin.did"])
    told = [one["data"].get("act", one["kind"]) for one in log["events"]]
    assert told.count("admin.login-refused") == 3
    assert told[:2] == ["handout link", "handout link taken back"]
