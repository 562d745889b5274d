"""The control API over a real UNIX socket, in front of a store in memory."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC
from pathlib import Path
from threading import current_thread
from typing import Any

import pytest_twisted
from attrs import define
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread
from twisted.web.client import Agent, readBody
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from mailshare.assembly.acts import Acts
from mailshare.store.memory import MemoryStore
from mailshare.web.control import ControlAPI
from mailshare.web.operations import OPERATIONS


@implementer(IAgentEndpointFactory)
class SocketFile:
    """Leads every request to one socket file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def endpointForURI(self, uri: object) -> UNIXClientEndpoint:
        return UNIXClientEndpoint(reactor, self.path)


@define
class Office:
    """A client of the API under test, and what stands behind it."""

    acts: Acts
    api: ControlAPI
    agent: Agent

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any, Headers]:
        producer = None
        if body is not None:
            from io import BytesIO

            from twisted.web.client import FileBodyProducer

            producer = FileBodyProducer(BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode()))
        sent = Headers({name.replace("_", "-"): [value] for name, value in headers.items()})
        url = f"http://office/api/v1{path}".encode()
        response = await self.agent.request(method.encode(), url, sent, producer)
        return response.code, json.loads(await readBody(response)), response.headers


async def _hasher(password: str, _like: str = "") -> tuple[str, str]:
    return f"$argon2id${password}", ""


@pytest_twisted.async_yield_fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    clock = Clock()
    clock.advance(1_700_000_000)
    store = MemoryStore(clock=clock)
    await store.open()
    acts = Acts(
        store,
        zone=UTC,
        hasher=_hasher,
        seal=lambda text: f"sealed {len(text)}",
        clock=lambda: int(clock.seconds() * 1_000_000),
    )
    api = ControlAPI(lambda: acts, clock)
    path = str(tmp_path / "control")
    port = reactor.listenUNIX(path, api.site(), mode=0o600)
    yield Office(acts, api, Agent.usingEndpointFactory(reactor, SocketFile(path)))
    api.close()
    await port.stopListening()
    await store.close()


@pytest_twisted.ensureDeferred
async def test_what_serves_is_made_aside_and_who_asks_meanwhile_waits(tmp_path: Path, office: Office) -> None:
    """The first requests bring in a web framework: in a thread, once, and each of them is answered."""
    began: list[Deferred[None]] = []
    threads: set[str] = set()

    async def aside(work: Callable[[], Any]) -> Any:
        began.append(Deferred())
        await began[-1]
        return await deferToThread(work)

    api = ControlAPI(lambda: office.acts, Clock(), aside)
    routes = api._routes

    def watched() -> Any:
        threads.add(current_thread().name)
        return routes()

    api._routes = watched  # type: ignore[method-assign]
    path = str(tmp_path / "other")
    port = reactor.listenUNIX(path, api.site(), mode=0o600)
    client = Office(office.acts, api, Agent.usingEndpointFactory(reactor, SocketFile(path)))
    asked = [Deferred.fromCoroutine(client.ask("GET", "/users")) for _ in range(3)]
    while not began:
        await deferLater(reactor, 0)
    began[0].callback(None)
    assert [(await one)[0] for one in asked] == [200, 200, 200]
    assert len(began) == 1
    assert current_thread().name not in threads
    assert (await client.ask("GET", "/users"))[0] == 200
    await port.stopListening()


@pytest_twisted.ensureDeferred
async def test_when_nothing_can_be_made_it_is_said(tmp_path: Path, office: Office, logged_failures: Any) -> None:
    """500 and a line in the log; the next request tries again."""
    broken = [True]

    async def aside(work: Callable[[], Any]) -> Any:
        if broken.pop():
            raise MemoryError
        return work()

    api = ControlAPI(lambda: office.acts, Clock(), aside)
    path = str(tmp_path / "other")
    port = reactor.listenUNIX(path, api.site(), mode=0o600)
    agent = Agent.usingEndpointFactory(reactor, SocketFile(path))
    response = await agent.request(b"GET", b"http://office/api/v1/users")
    await readBody(response)
    assert response.code == 500
    assert len(logged_failures.flush(MemoryError)) == 1
    broken.append(False)
    assert (await Office(office.acts, api, agent).ask("GET", "/users"))[0] == 200
    await port.stopListening()


ACCOUNT = {"address": "mail@company.example", "collect": "pop3s://mail@pop.isp.example", "password": "secret"}


@pytest_twisted.ensureDeferred
async def test_accounts_and_users_are_made_changed_listed_and_deleted(office: Office) -> None:
    """The whole life of both, in the words of the configuration file."""
    code, made, _ = await office.ask("POST", "/accounts", ACCOUNT)
    assert (code, made["number"], made["collect"]) == (200, 1, "pop3s://mail@pop.isp.example")
    code, greg, _ = await office.ask(
        "POST", "/users", {"name": "Greg", "accounts": ["mail@company.example"], "password": "x"}
    )
    assert (code, greg["name"], greg["accounts"]) == (200, "greg", ["mail@company.example"])
    code, greg, _ = await office.ask("PATCH", "/users/greg", {"names": ["Greg Jones"]})
    assert (code, greg["names"], greg["accounts"]) == (200, ["Greg Jones"], ["mail@company.example"])
    code, account, _ = await office.ask("PATCH", "/accounts/mail%40company.example", {"threshold": 3})
    assert (code, account["threshold"], account["collect"]) == (200, 3, ACCOUNT["collect"])
    _, users, _ = await office.ask("GET", "/users")
    assert [user["name"] for user in users] == ["admin1", "greg", "public1"]
    assert (await office.ask("DELETE", "/users/greg"))[:2] == (200, {"deleted": "greg"})
    assert (await office.ask("DELETE", "/accounts/1"))[:2] == (200, {"deleted": "mail@company.example"})
    assert (await office.ask("GET", "/users"))[1] == []


@pytest_twisted.ensureDeferred
async def test_a_password_for_the_provider_is_kept_only_sealed(office: Office) -> None:
    """No plain password reaches the store, and none comes back out of the API."""
    await office.ask("POST", "/accounts", ACCOUNT)
    assert json.loads(await office.acts._store.directory.secret(1)) == {"sealed": "sealed 6"}
    _, accounts, _ = await office.ask("GET", "/accounts")
    assert "secret" not in json.dumps(accounts)


@pytest_twisted.ensureDeferred
async def test_refusals_are_problem_documents_with_a_sentence(office: Office) -> None:
    """Each kind of refusal has its status, and says what is wrong."""
    await office.ask("POST", "/users", {"name": "greg"})
    for method, path, body, status, words in (
        ("POST", "/users", {"name": "greg"}, 409, "already"),
        ("POST", "/users", {"name": "ADMIN7"}, 422, "reserved"),
        ("POST", "/users", {"name": "a b"}, 422, "cannot be a login"),
        ("POST", "/users", {}, 400, "name: this is needed"),
        ("POST", "/users", {"name": "x", "color": "red"}, 400, "does not know color"),
        ("POST", "/users", {"name": 5}, 400, "a text is needed here"),
        ("POST", "/users", b"{", 400, "not JSON"),
        ("POST", "/users", [1], 400, "JSON object"),
        ("PATCH", "/users/nobody", {"names": ["x"]}, 404, "no user nobody"),
        ("PATCH", "/users/greg", {"accounts": ["x@y.example"]}, 404, "no account"),
        ("PATCH", "/users/greg", {"cc": ["greg"]}, 400, "own cc list"),
        ("POST", "/accounts", {"address": "mail"}, 422, "no domain"),
        ("POST", "/outbox/eat", {"ids": [1]}, 404, "none of"),
        ("GET", "/log?day=tomorrow", None, 400, "is not a day"),
        ("GET", "/why?id=0123456789abcdef", None, 404, "Nothing is known"),
        ("POST", "/sendreceive", None, 503, "does not run"),
        ("POST", "/reload", None, 503, "does not run"),
    ):
        code, document, headers = await office.ask(method, path, body)
        assert (code, words in document["detail"]) == (status, True), (path, document)
        assert document["status"] == status
        assert headers.getRawHeaders("Content-Type") == ["application/problem+json"]


@pytest_twisted.ensureDeferred
async def test_two_editors_do_not_overwrite_each_other(office: Office) -> None:
    """An edit with an old version is refused with 412 and changes nothing."""
    await office.ask("POST", "/users", {"name": "greg"})
    _, _, headers = await office.ask("GET", "/users")
    (version,) = headers.getRawHeaders("ETag")
    code, _, _ = await office.ask("PATCH", "/users/greg", {"names": ["G"]}, If_Match=version)
    assert code == 200
    code, _, _ = await office.ask("PATCH", "/users/greg", {"names": ["H"]}, If_Match=version)
    assert code == 412
    assert (await office.ask("GET", "/users"))[1][0]["names"] == ["G"]


@pytest_twisted.ensureDeferred
async def test_every_operation_is_a_method_of_the_office(office: Office) -> None:
    """The table and what stands behind it belong together."""
    for operation in OPERATIONS:
        assert callable(getattr(office.acts, operation.name))


class Listener(Protocol):
    """Gathers a stream."""

    def __init__(self) -> None:
        self.text = b""
        self.wanted: list[tuple[bytes, Deferred[None]]] = []
        self.lost: Deferred[None] = Deferred()

    def until(self, text: bytes) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        self.wanted.append((text, done))
        self.dataReceived(b"")
        return done

    def dataReceived(self, data: bytes) -> None:
        self.text += data
        for text, done in tuple(self.wanted):
            if text in self.text:
                self.wanted.remove((text, done))
                done.callback(None)

    def connectionLost(self, reason: object = None) -> None:
        self.lost.callback(None)


@pytest_twisted.ensureDeferred
async def test_events_reach_whoever_watches(office: Office) -> None:
    """An event told to the office comes out of the stream; closing ends it."""
    response = await office.agent.request(b"GET", b"http://office/api/v1/events")
    listener = Listener()
    response.deliverBody(listener)
    await listener.until(b": mailshare")
    assert office.acts.watched
    office.acts.tell("status", {"inbox": 3})
    await listener.until(b'event: status\ndata: {"inbox": 3}\n\n')
    office.api.close()
    await listener.lost
    assert not office.acts.watched


@pytest_twisted.ensureDeferred
async def test_every_change_stands_in_the_audit_without_its_secrets(office: Office) -> None:
    """What was asked with what, one line each; looking, and what was refused, leaves none; a password nowhere."""
    await office.ask("POST", "/accounts", ACCOUNT)
    await office.ask("POST", "/users", {"name": "greg", "accounts": ["1"], "password": "geheim"})
    await office.ask("PATCH", "/users/greg", {"names": ["Greg Jones"]})
    await office.ask("PATCH", "/users/nobody", {"names": ["Greg Jones"]})
    await office.ask("GET", "/users")
    await office.ask("DELETE", "/users/greg")
    _, log, _ = await office.ask("GET", "/log?kinds=admin.did")
    assert [line["data"] for line in log["events"]] == [
        {"act": "add_account", "with": {**ACCOUNT, "password": "(given)"}},
        {"act": "add_user", "with": {"name": "greg", "accounts": ["1"], "password": "(given)"}},
        {"act": "change_user", "with": {"names": ["Greg Jones"], "name": "greg"}},
        {"act": "delete_user", "with": {"name": "greg"}},
    ]
    assert "geheim" not in json.dumps(log)
