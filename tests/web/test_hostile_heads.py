"""Heads of requests that hold anything but what they should."""

from __future__ import annotations

import json

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol

from mailshare.web.operations import BASE
from tests.web.conftest import House
from tests.web.test_manager_api import Reader, program


async def raw(house: House, octets: bytes) -> bytes:
    """What the server answers to these octets until it closes."""
    reader = await connectProtocol(HostnameEndpoint(reactor, "127.0.0.1", house.port), Reader())
    assert reader.transport is not None
    reader.transport.write(octets)
    await reader.over
    return reader.octets


@pytest_twisted.ensureDeferred
async def test_octets_that_are_no_text_in_a_head_and_controls_in_a_path_break_nothing(house: House) -> None:
    """A field that is no UTF-8 is a wrong one; a refusal stays one printable line."""
    await house.admin()
    browser, shown = await program(house, "admin")
    head = f"DELETE {BASE}/users/andrew HTTP/1.1\r\nHost: 127.0.0.1:{house.port}\r\nAuthorization: {shown}\r\n".encode()
    assert b" 412 " in await raw(house, head + b"If-Match: \xae\r\nConnection: close\r\n\r\n")
    for name in (b"Authorization", b"Referer", b"Accept-Language", b"Cookie", b"Sec-Fetch-Site", b"User-Agent"):
        head = f"GET /login HTTP/1.1\r\nHost: 127.0.0.1:{house.port}\r\nConnection: close\r\n".encode()
        assert b" 200 " in (await raw(house, head + name + b": \xae\xff\r\n\r\n"))[:40], name
    assert b" 4" in (await raw(house, b"GET / HTTP/1.1\r\nHost: \xae\r\nConnection: close\r\n\r\n"))[:40]
    refused = await browser.ask("GET", f"{BASE}/users/a%0Ab%E2%80%A8", Authorization=shown)
    assert refused.code == 404
    assert json.loads(refused.text)["detail"].isprintable()
    assert refused.header("Server") == "mailshare"
