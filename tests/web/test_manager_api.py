"""The HTTP API for programs: tokens and their levels, problem documents, the description, and event streams."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater

from mailshare.core.levels import Level
from mailshare.core.values import Event, Role
from mailshare.web.api import api_routes
from mailshare.web.openapi import document
from mailshare.web.operations import BASE, OPERATIONS
from tests.web.conftest import Browser, House


async def program(house: House, level: str, name: str = "admin") -> tuple[Browser, str]:
    made = await house.office.acts.add_token(owner=name, label="monitor", level=level)
    return house.browser(), f"Bearer {made['token']}"


def test_the_description_has_exactly_the_routes_that_are_served() -> None:
    """What a program reads is what it gets: paths, methods, arguments, levels."""
    office = type("Office", (), {"version": int})
    rooms = type("Rooms", (), {"version": "1", "office": office})()
    served = {(method, re.sub(r"<(\w+)>", r"{\1}", path)) for method, path, _ in api_routes(rooms)}
    described = {
        (method.upper(), path) for path, one in document("1")["paths"].items() for method in one
    }
    assert served == described
    assert {one.name for one in OPERATIONS if not one.remote} == {
        "backup", "dry_run", "setup_code", "setup_survey", "setup_step", "setup_listen", "fax_send",
    }  # fmt: skip
    # Nobody over the network names a file of this machine.
    names = {"file", "path", "directory", "document", "secret"}
    naming = {one.name for one in OPERATIONS if one.remote and names & set(one.params)}
    assert naming == {"add_account", "change_account"}  # which refuse what names one
    for operation in OPERATIONS:
        if operation.remote:
            told = document("1")["paths"][BASE + re.sub(r"<(\w+)>", r"{\1}", operation.path)][operation.method.lower()]
            body = told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            names = {one["name"] for one in told["parameters"]} | set(body.get("properties", {}))
            places = {"before", "after"} & set(operation.params)
            assert names - {"If-Match"} == set(operation.params) - places | ({"cursor"} if places else set())
            assert told["x-level"] == operation.level.name.lower()


@pytest_twisted.ensureDeferred
async def test_a_token_reaches_as_far_as_its_level_and_no_further(house: House) -> None:
    """Read, operate, admin; each refusal is a problem document with its status."""
    await house.admin()
    wanted = {"read": (200, 403, 403), "operate": (200, 200, 403), "admin": (200, 200, 200)}
    for level, codes in wanted.items():
        browser, shown = await program(house, level)
        asked = [("GET", "/users", None), ("POST", "/verify", b"{}"), ("GET", "/export", None)]
        found = [
            (await browser.ask(method, BASE + path, body, Authorization=shown)).code for method, path, body in asked
        ]
        assert tuple(found) == codes, level
    refused = await browser.ask("GET", f"{BASE}/users", Authorization="Bearer mst_wrong")
    assert refused.code == 401
    assert refused.header("Content-Type") == "application/problem+json"
    assert json.loads(refused.text)["status"] == 401
    assert "Bearer" in refused.header("WWW-Authenticate")
    assert (await browser.ask("GET", f"{BASE}/users", Authorization="Basic eDp5")).code == 401


@pytest_twisted.ensureDeferred
async def test_a_token_dies_with_its_revocation_its_day_and_its_owner(house: House) -> None:
    """Its secret stands nowhere; whoever made it takes it along."""
    await house.admin()
    await house.admin("second")
    keeping = house.office._running().keeping
    browser, shown = await program(house, "read", "second")
    kept = str(await house.office.store.settings.all("web"))
    assert shown.partition(" ")[2] not in kept
    token = keeping.tokens.of("second")[0]
    now = keeping.tokens._clock
    keeping.tokens._clock = lambda: token.expires
    assert (await browser.ask("GET", f"{BASE}/users", Authorization=shown)).code == 401
    keeping.tokens._clock = now
    assert (await browser.ask("GET", f"{BASE}/users", Authorization=shown)).code == 200
    await house.office.acts.revoke_token(id=token.id)
    assert (await browser.ask("GET", f"{BASE}/users", Authorization=shown)).code == 401
    browser, shown = await program(house, "read", "second")
    await house.office.acts.remove_administrator(name="second")
    assert (await browser.ask("GET", f"{BASE}/users", Authorization=shown)).code == 401


@pytest_twisted.ensureDeferred
async def test_edits_compare_the_version_and_are_written_into_the_audit_with_who_did_them(house: House) -> None:
    """An old ETag is refused; the line of the audit names the token's owner and label, not the password."""
    await house.admin()
    browser, shown = await program(house, "admin")
    read = await browser.ask("GET", f"{BASE}/users", Authorization=shown)
    body = json.dumps({"name": "eve", "password": "geheim123"}).encode()
    tag = read.header("ETag")
    assert (await browser.ask("POST", f"{BASE}/users", body, Authorization=shown, If_Match=tag)).code == 200
    late = await browser.ask("DELETE", f"{BASE}/users/eve", Authorization=shown, If_Match=tag)
    assert late.code == 412
    log = await house.office.acts.log(kinds=["admin.did"])
    line = next(one for one in log["events"] if one["data"]["act"] == "add_user")
    assert line["data"]["by"] == "admin (monitor)"
    assert "geheim123" not in json.dumps(log)


@pytest_twisted.ensureDeferred
async def test_each_thing_has_a_tag_of_its_own(house: House) -> None:
    """It changes with the thing and with nothing else; an older one is refused for a change and for taking away."""
    await house.admin()
    browser, shown = await program(house, "admin")
    acts = house.office.acts
    await acts.add_user(name="eve", password="geheim123")
    await acts.add_account(address="new@firm.example", collect="pop3s://x@127.0.0.1", password="x")
    await acts.add_contact(name="shop", number="+49305550100")
    changes: dict[str, dict[str, Any]] = {
        "users/eve": {"names": ["Eve Green"]},
        "accounts/new@firm.example": {"threshold": 7},
        "book/entries/shop": {"title": "The shop"},
    }
    reading = {"accounts/new@firm.example": "accounts/new@firm.example/provider"}

    async def tag(path: str) -> str:
        answer = await browser.ask("GET", f"{BASE}/{reading.get(path, path)}", Authorization=shown)
        assert answer.code == 200
        return answer.header("ETag")

    tags = {path: await tag(path) for path in changes}
    assert len(set(tags.values())) == len(tags)
    for path, change in changes.items():
        others = {one: await tag(one) for one in changes if one != path}
        body = json.dumps(change).encode()
        done = await browser.ask("PATCH", f"{BASE}/{path}", body, Authorization=shown, If_Match=tags[path])
        assert done.code == 200, done.text
        assert done.header("ETag") == await tag(path) != tags[path]
        assert others == {one: await tag(one) for one in others}
        for method, sent in (("PATCH", body), ("DELETE", None)):
            late = await browser.ask(method, f"{BASE}/{path}", sent, Authorization=shown, If_Match=tags[path])
            assert late.code == 412
            assert late.header("Content-Type") == "application/problem+json"
    for path in changes:
        gone = await browser.ask("DELETE", f"{BASE}/{path}", Authorization=shown, If_Match=await tag(path))
        assert gone.code == 200


@pytest_twisted.ensureDeferred
async def test_nobody_over_the_network_says_where_a_password_is_found(house: House) -> None:
    """A reference may name a command: that would be running programs here."""
    await house.admin()
    browser, shown = await program(house, "admin")
    for secret in ({"command": ["touch", "/tmp/x"]}, {"file": "/etc/passwd"}):
        body = json.dumps({"address": "new@firm.example", "secret": secret}).encode()
        answer = await browser.ask("POST", f"{BASE}/accounts", body, Authorization=shown)
        assert answer.code == 409
        assert "configuration file" in json.loads(answer.text)["detail"]
    for path in ("/backup", "/manager/setup-code", "/route/dry-run"):
        assert (await browser.ask("POST", BASE + path, b"{}", Authorization=shown)).code in (404, 405)


@pytest_twisted.ensureDeferred
async def test_a_cookie_beside_a_token_is_not_looked_at_and_a_foreign_form_reaches_nothing(house: House) -> None:
    """An owner's cookie does not lift a token; without a token the API asks for our origin as pages do."""
    owner = await house.admin()
    _, shown = await program(house, "read")
    body = json.dumps({"name": "eve"}).encode()
    assert (await owner.ask("POST", f"{BASE}/users", body, Authorization=shown)).code == 403
    assert (await owner.ask("POST", f"{BASE}/users", body, Origin="http://evil.example")).code == 403
    assert (await owner.ask("POST", f"{BASE}/users", body)).code == 403
    assert "eve" not in {one["name"] for one in await house.office.acts.users()}


@pytest_twisted.ensureDeferred
async def test_a_token_of_an_account_admin_is_as_narrow_as_its_owner(house: House) -> None:
    """And one of a viewer cannot be made to reach further than he does."""
    await house.admin("keeper", Role.KEEPER, ("two@firm.example",))
    browser, shown = await program(house, "operate", "keeper")
    answer = await browser.ask("GET", f"{BASE}/accounts", Authorization=shown)
    assert [one["address"] for one in json.loads(answer.text)] == ["two@firm.example"]
    assert (await browser.ask("GET", f"{BASE}/users/andrew", Authorization=shown)).code == 403
    assert (await browser.ask("GET", f"{BASE}/nowhere", Authorization=shown)).code == 404
    doors = house.office.acts.doorkeepers
    assert doors is not None
    await doors.administrators.add("eye", "three small words", Role.VIEWER)
    eye = doors.administrators.find("eye")
    assert eye is not None
    assert eye.role.level is Level.READ
    answer = await (await house.admin()).ask("GET", f"{BASE}/manager/tokens")
    assert answer.code == 200
    assert "mst_" not in answer.text


class Reader(Protocol):
    """Reads a stream, or leaves it unread."""

    def __init__(self) -> None:
        self.octets = b""
        self.over: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.octets += data

    def connectionLost(self, reason: object = None) -> None:
        self.over.callback(None)


async def stream(house: House, path: str, header: str) -> Reader:
    reader = await connectProtocol(HostnameEndpoint(reactor, "127.0.0.1", house.port), Reader())
    assert reader.transport is not None
    reader.transport.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n".encode())
    return reader


async def until(reader: Reader, what: bytes) -> None:
    for _ in range(3000):
        if what in reader.octets:
            return
        await deferLater(reactor, 0.02)
    raise AssertionError(reader.octets[-2000:])


@pytest_twisted.ensureDeferred
async def test_a_stream_begins_with_the_state_of_now_tells_changes_and_ends_with_the_session(house: House) -> None:
    """For pages as pieces of HTML, for programs as JSON; after the log-out nothing more comes."""
    browser = await house.admin()
    page = await stream(house, "/live", f"Cookie: {browser.cookie}")
    await until(page, b"lamp-outbox")
    assert b"id: 1\n" in page.octets
    assert b"text/event-stream" in page.octets
    _, shown = await program(house, "read")
    api = await stream(house, f"{BASE}/events", f"Authorization: {shown}")
    await until(api, b"event: indicators")
    before = api.octets.count(b"event: status")
    house.office.acts.tell("status", {**await house.office.acts.status(), "n": 1})
    await until(api, b'"n": 1')
    assert before >= 1
    await browser.post("/logout", {})
    house.office.acts.tell("indicators", dict.fromkeys(
        ("local_sending", "local_receiving", "outgoing", "incoming", "inbox", "outbox"), 7))  # fmt: skip
    await until(page, b"event: over")
    assert b">7<" not in page.octets
    assert page not in house.office._running().web._manager.rooms.streams


@pytest_twisted.ensureDeferred
async def test_300_streams_are_bounded_and_the_manager_still_answers(house: House) -> None:
    """Those beyond what one address may have are refused, and leave room for pages; one that is not read is cut."""
    browser = await house.admin()
    _, shown = await program(house, "read")
    readers = []
    for number in range(300):
        way, proof = ("/live", f"Cookie: {browser.cookie}") if number < 3 else (
            f"{BASE}/events", f"Authorization: {shown}"
        )  # fmt: skip
        readers.append(await stream(house, way, proof))
        await until(readers[-1], b" 200 OK" if len(readers) <= 15 else b" 503 ")
    rooms = house.office._running().web._manager.rooms
    assert len(rooms.streams) == 15
    assert (await browser.get("/")).code == 200
    for reader in readers[1:]:
        reader.transport.abortConnection()
        await reader.over
    readers[0].transport.pauseProducing()
    status = await house.office.acts.status()
    for _ in range(3000):
        house.office.acts.tell("status", {**status, "reload_error": "x" * 300_000})
        await deferLater(reactor, 0.001)
        if not rooms.streams:
            break
    assert not rooms.streams
    readers[0].transport.abortConnection()
    assert (await browser.get("/")).code == 200


@pytest_twisted.ensureDeferred
async def test_a_long_list_is_read_by_following_its_links(house: House) -> None:
    """Every line once, the answer names the rest; a cursor of another list, or none at all, is refused."""
    await house.admin()
    lines = [Event(1_795_000_000_000_000, "admin.did", data={"act": str(number)}) for number in range(5)]
    await house.office.store.events.append(lines)
    browser, shown = await program(house, "read")
    way = f"{BASE}/log?day=2026-11-18&kinds=admin.did"
    whole = json.loads((await browser.ask("GET", way, Authorization=shown)).text)["events"]
    found: list[int] = []
    way += "&limit=2"
    while way:
        answer = await browser.ask("GET", way, Authorization=shown)
        found += [one["id"] for one in json.loads(answer.text)["events"]]
        link = re.fullmatch(r'<([^>]+)>; rel="next"', answer.header("Link"))
        way = link[1] if link else ""
        foreign = re.sub(r"/log\?.*cursor", "/outbox?cursor", way)
        assert not way or (await browser.ask("GET", foreign, Authorization=shown)).code == 400
    assert found == [one["id"] for one in whole]
    for bad in ("cursor=x", "cursor=bG9nOi0x", "cursor=%F0%9F%92%8C", "after=1"):
        assert (await browser.ask("GET", f"{BASE}/log?{bad}", Authorization=shown)).code == 400, bad
