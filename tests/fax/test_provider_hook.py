"""Calls of providers: what proves them, and that they do no more than make us look."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import http.client
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_twisted
from attrs import define
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from mailshare.config.fax_providers import load_provider
from mailshare.core.fax_provider import Hook
from mailshare.core.fax_provider_reading import read_provider
from mailshare.fax.lines.provider_hook import ProviderHook, proves

NOW = 1_800_000_000.0
BODY = b'{"data": {"payload": {"fax_id": "F1"}}}'
SIGNED = Hook("hmac-sha256", "X-Signature", "X-Time", "{timestamp}.{body}", prefix="sha256=")


def signature(body: bytes = BODY, time: str = str(int(NOW)), key: bytes = b"key") -> dict[str, str]:
    digest = hmac.new(key, time.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"X-Signature": f"sha256={digest}", "X-Time": time}


def shown(hook: Hook, headers: dict[str, str], body: bytes = BODY, secret: str = "key") -> bool:
    return proves(hook, secret, lambda name: headers.get(name, ""), body, NOW)


def test_a_signature_over_the_raw_body_and_the_time_proves_a_call() -> None:
    assert shown(SIGNED, signature())
    assert not shown(SIGNED, signature(), BODY + b" ")
    assert not shown(SIGNED, signature(key=b"other"))
    assert not shown(SIGNED, {**signature(), "X-Signature": signature()["X-Signature"].removeprefix("sha256=")})
    assert not shown(SIGNED, {})


@pytest.mark.parametrize(("off", "heard"), [(0, True), (-300, True), (300, True), (-301, False), (301, False)])
def test_an_old_call_is_not_heard_again(off: int, heard: bool) -> None:
    """The window holds both ways."""
    assert shown(SIGNED, signature(time=str(int(NOW) + off))) is heard


@pytest.mark.parametrize("time", ["", "now", "-5", "9" * 40, "1e9"])
def test_odd_times_are_refused(time: str) -> None:
    assert not shown(SIGNED, signature(time=time))


def test_telnyx_signs_with_its_key_pair() -> None:
    """Ed25519 over ``timestamp|body``: https://developers.telnyx.com/api-reference/callbacks/fax-sending-started."""
    hook = load_provider("telnyx", "").hook
    assert hook is not None
    own = Ed25519PrivateKey.generate()
    public = base64.b64encode(own.public_key().public_bytes_raw()).decode()
    time = str(int(NOW))
    headers = {
        "Telnyx-Signature-Ed25519": base64.b64encode(own.sign(f"{time}|".encode() + BODY)).decode(),
        "Telnyx-Timestamp": time,
    }
    assert shown(hook, headers, secret=public)
    assert not shown(hook, headers, BODY + b" ", public)
    assert not shown(hook, {**headers, "Telnyx-Timestamp": str(int(NOW) - 1)}, secret=public)
    assert not shown(hook, {**headers, "Telnyx-Signature-Ed25519": "@@"}, secret=public)


def test_a_login_in_the_address_proves_a_call_too() -> None:
    hook = Hook("basic")
    right = "Basic " + base64.b64encode(b"us:word").decode()
    assert shown(hook, {"Authorization": right}, secret="us:word")
    assert not shown(hook, {"Authorization": right}, secret="us:other")
    assert not shown(hook, {}, secret="us:word")


@define
class Listening:
    hook: ProviderHook
    heard: list[str]

    async def call(self, path: str, headers: dict[str, str], body: bytes = BODY, method: str = "POST") -> int:
        port = self.hook.place.port

        def ask() -> int:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            try:
                connection.request(method, path, body, headers)
                return connection.getresponse().status
            finally:
                connection.close()

        return await deferToThread(ask)


@pytest_twisted.async_yield_fixture
async def listening() -> AsyncIterator[Listening]:
    """A listener on a port of its own."""

    async def secret() -> str:
        return "us:word"

    heard: list[str] = []
    hook = Hook("basic", id="data.payload.fax_id")
    place = Listening(ProviderHook("api", hook, secret, "tcp:0:interface=127.0.0.1", reactor, heard.append), heard)
    place.hook.start()
    yield place
    await place.hook.stop()
    until = reactor.seconds() + 60
    while reactor.getDelayedCalls() and reactor.seconds() < until:  # a connection that is being closed has a timer
        await deferLater(reactor, 0.01)


async def test_the_listener_hears_what_is_proved_and_nothing_else(listening: Listening) -> None:
    """One path, POST only, bounded; the id is all that is taken from a call."""
    right = {"Authorization": "Basic " + base64.b64encode(b"us:word").decode()}
    assert await listening.call("/fax/api", right) == 200
    assert await listening.call("/fax/api", right, b"no json") == 200
    assert listening.heard == ["F1", ""]
    assert await listening.call("/fax/api", {}) == 401
    assert await listening.call("/fax/other", right) == 404
    assert await listening.call("/", right) == 404
    assert await listening.call("/fax/api", right, b"", "GET") == 405
    assert await listening.call("/fax/api", {**right, "Content-Length": "9000000"}, b"") == 413
    assert listening.heard == ["F1", ""]


async def test_odd_calls_of_strangers_cost_nothing_and_heard_ones_may_come_twice(listening: Listening) -> None:
    """Octets that are no text, another kind of body, none, one without end, twice, a deep one: no fault."""
    right = {"Authorization": "Basic " + base64.b64encode(b"us:word").decode()}
    assert await listening.call("/fax/api", {"Authorization": "Basic \xff\xfe"}) == 401
    assert await listening.call("/fax/api", {"Authorization": "Basic " + "x" * 12_000}) == 401
    assert await listening.call("/fax/api", {}, b"[" * 100_000) == 401
    assert listening.heard == []
    form = {**right, "Content-Type": "multipart/form-data; boundary=x"}
    for headers, body in ((form, BODY), (right, BODY), (right, b""), (right, b"[" * 100_000), (right, b'{"data": 7}')):
        assert await listening.call("/fax/api", headers, body) == 200
    assert listening.heard == ["F1", "F1", "", "", ""]

    def endless() -> bytes:
        with socket.create_connection(("127.0.0.1", listening.hook.place.port), 20) as line:
            line.sendall(b"POST /fax/api HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            with contextlib.suppress(OSError):
                for _ in range(1000):
                    line.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            with contextlib.suppress(OSError):
                return line.recv(100)
        return b""

    assert b"200" not in await deferToThread(endless)
    assert await listening.call("/fax/api", right) == 200


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sned": {}}, "sned is not known; did you mean send?"),
        ({"send": {"url": "{base}/{numbr}"}}, "send: nobody gives {numbr} here; did you mean {number}?"),
        ({"states": {"x": "bussy"}}, "states.x is 'bussy', which is none of"),
        ({"hosts": []}, "hosts names nobody who could be asked"),
        ({"sent": {}}, "sent.id and seen.state are needed"),
        ({"login": {"kind": "digest"}}, "login.kind is 'digest'"),
        ({"poll": "soon"}, "poll has the wrong form: 'soon'"),
        ({"hook": {"scheme": "hmac-sha256"}}, "hook.header is missing"),
        ({"send": {"method": "POST"}}, "send.url is missing"),
        ({"reference": 4}, "reference is 16 or more"),
    ],
)
def test_what_is_wrong_in_a_description_is_told_with_its_place(change: dict[str, object], words: str) -> None:
    """Before a fax is sent."""
    right: dict[str, object] = {
        "title": "t", "documentation": "d", "read": "r", "base": "https://x", "hosts": ["x"],
        "send": {"url": "{base}/faxes", "method": "POST"}, "sent": {"id": "id"},
        "status": {"url": "{base}/{id}"}, "seen": {"state": "s"}, "states": {}, "causes": {},
    }  # fmt: skip
    read_provider(right)
    with pytest.raises(ValueError, match=r".") as told:
        read_provider({**right, **change})
    assert words in str(told.value)


def test_a_description_of_ones_own_is_a_file(tmp_path: Path) -> None:
    """By its path; what is not there is told with what is."""
    shipped = load_provider("sinch", "")
    with pytest.raises(ValueError, match="known are interfax, phaxio, sinch, srfax, telnyx"):
        load_provider("sinhc", "")
    (tmp_path / "own.toml").write_text("title = 1\n[")
    with pytest.raises(ValueError, match=r"own\.toml is wrong"):
        load_provider("./own.toml", str(tmp_path))
    assert shipped.title
