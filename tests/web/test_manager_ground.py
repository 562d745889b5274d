"""The manager over real sockets, in front of a whole office: who may in, from where, and how much."""

from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.internet.protocol import Protocol

from mailshare.assembly.office import Office, read_again
from mailshare.core.values import Role
from tests.web.conftest import PASSWORD, Browser, House


@pytest_twisted.ensureDeferred
async def test_without_an_administrator_only_the_code_leads_in(house: House) -> None:
    """Every page leads to the first run; a wrong code makes nobody, the right one makes the owner, once."""
    browser = house.browser()
    assert (await browser.get("/users")).header("Location") == "/setup"
    facts = {"name": "admin", "password": PASSWORD}
    refused = await browser.post("/setup", {**facts, "code": "aaaa-bbbb-cccc"})
    assert refused.code == 422
    assert "not the code" in refused.text
    code = (await house.office.acts.setup_code())["code"]
    weak = await browser.post("/setup", {**facts, "password": "admin12345", "code": code})
    assert weak.code == 422
    done = await browser.post("/setup", {**facts, "code": code})
    assert done.header("Location") == "/setup/listen"
    assert (await browser.get("/")).code == 200
    assert (await house.office.acts.setup_code()) == {"needed": False, "code": ""}
    again = await house.browser().post("/setup", {"name": "eve", "password": PASSWORD, "code": code})
    assert again.header("Location") == "/login"
    assert [one["name"] for one in await house.office.acts.administrators()] == ["admin"]


@pytest_twisted.ensureDeferred
async def test_who_is_not_logged_in_sees_nothing_and_gets_back_to_where_he_wanted(house: House) -> None:
    """The page to log in leads on to the page that was asked for, and to no other place."""
    await house.admin()
    browser = house.browser()
    assert (await browser.get("/users?q=x")).header("Location") == "/login?next=%2Fusers%3Fq%3Dx"
    asked = {"name": "admin", "password": PASSWORD}
    assert (await browser.post("/login", {**asked, "next": "/users?q=x"})).header("Location") == "/users?q=x"
    for way in ("//evil.example", "https://evil.example/", "/\\evil.example", "javascript:x"):
        assert (await house.browser().post("/login", {**asked, "next": way})).header("Location") == "/"


@pytest_twisted.ensureDeferred
async def test_a_session_has_a_careful_cookie_ends_with_the_log_out_and_is_kept_as_a_hash(house: House) -> None:
    """The secret stands nowhere in the store; after logging out it opens nothing."""
    browser = await house.admin()
    answer = await browser.log_in()
    line = answer.header("Set-Cookie").lower()
    assert "httponly" in line
    assert "samesite=lax" in line
    assert "path=/" in line
    secret = browser.cookie.partition("=")[2]
    kept = str(await house.office.store.settings.all("web"))
    assert secret not in kept
    assert PASSWORD not in kept
    old = browser.cookie
    await browser.post("/logout", {})
    browser.cookie = old
    assert (await browser.get("/")).header("Location") == "/login"


@pytest_twisted.ensureDeferred
async def test_a_form_of_another_origin_does_nothing(house: House) -> None:
    """Whatever the cookie says: the Origin must be ours, or Sec-Fetch-Site must say so; GET changes nothing."""
    browser = await house.admin()
    form = {"name": "eve", "names": "Eve"}
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": ""},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ):
        assert (await browser.post("/users/new", form, **headers)).code == 403, headers
    assert (await browser.get("/users/new?name=eve")).code == 200
    assert "eve" not in {one["name"] for one in await house.office.acts.users()}
    assert (await browser.post("/users/new", form, Origin="", Sec_Fetch_Site="same-origin")).code == 200
    assert "eve" in {one["name"] for one in await house.office.acts.users()}


@pytest_twisted.ensureDeferred
async def test_only_our_own_names_are_answered(house: House) -> None:
    """A name of a stranger that he points at us gets no page, no file and no API."""
    browser = house.browser()
    strange = ("evil.example", "mail.office.example.evil.example", "", "a b")
    ours = ("mail.office.example", "MANAGER.lan:8080", "localhost", "[::1]:80")
    for host in (*strange, *ours):
        expected = (421, 421) if host in strange else (303, 200)
        found = [(await browser.get(path, Host=host)).code for path in ("/", "/static/mailshare.css")]
        assert tuple(found) == expected, host


@pytest_twisted.ensureDeferred
async def test_every_answer_has_the_headers_that_keep_browsers_careful(house: House) -> None:
    """No inline script, no frame, no guessing of types, no address told to others; pages are not kept."""
    browser = await house.admin()
    for path in ("/", "/nowhere", "/static/mailshare.js", "/api/v1/status", "/login"):
        answer = await browser.get(path)
        policy = answer.header("Content-Security-Policy")
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.header("X-Content-Type-Options") == "nosniff"
        assert answer.header("Referrer-Policy") == "same-origin"
        assert "<script>" not in answer.text
        assert "style=" not in answer.text
    assert (await browser.get("/")).header("Cache-Control") == "no-store"


@pytest_twisted.ensureDeferred
async def test_files_are_kept_for_ever_by_their_hash_and_packed(house: House) -> None:
    """A page names the hash; what is asked for by it never changes."""
    browser = await house.admin()
    page = (await browser.get("/")).text
    way = page.partition('href="/static/mailshare.css')[2].partition('"')[0]
    answer = await browser.get(f"/static/mailshare.css{way}")
    assert "immutable" in answer.header("Cache-Control")
    assert "immutable" not in (await browser.get("/static/mailshare.css?v=other")).header("Cache-Control")
    assert (await browser.get("/static/mailshare.css", If_None_Match=answer.header("ETag"))).code == 304
    assert (await browser.get("/static/../site.py")).code == 404
    assert (await browser.get("/static/%2e%2e/site.py")).code == 404


class Sender(Protocol):
    """Sends what it is told and keeps what comes."""

    def __init__(self) -> None:
        self.octets = b""
        self.over: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.octets += data

    def connectionLost(self, reason: object = None) -> None:
        self.over.callback(self.octets)


@pytest.mark.parametrize("length", ["Content-Length: 200000000", "Transfer-Encoding: chunked"])
@pytest_twisted.ensureDeferred
async def test_a_post_of_200_megabytes_is_refused_before_it_is_read(house: House, length: str) -> None:
    """413 comes with the headers, or with the octet that is too much, and the connection ends."""
    endpoint = HostnameEndpoint(reactor, "127.0.0.1", house.port)
    sender = await connectProtocol(endpoint, Sender())
    assert sender.transport is not None
    sender.transport.write(f"POST /login HTTP/1.1\r\nHost: localhost\r\n{length}\r\n\r\n".encode())
    for _ in range(100):
        sender.transport.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
    answer = await sender.over
    assert b"HTTP/1.1 413" in answer
    assert answer.count(b"HTTP/1.1") == 1


@pytest_twisted.ensureDeferred
async def test_wrong_passwords_are_refused_slowed_down_and_written_down(house: House) -> None:
    """The same count as for mailboxes: a peer that guesses here waits there."""
    browser = await house.admin()
    stranger = house.browser()
    for name in ("admin", "nobody"):
        answer = await stranger.log_in(name, "wrong")
        assert answer.code == 403
        assert "Wrong user name or password" in answer.text
    entrance = house.office._running().entrance
    assert entrance.throttle.wait("127.0.0.1", "andrew", reactor.seconds()) > 0
    log = await house.office.acts.log(kinds=["admin.login-refused", "admin.login"])
    assert [(one["kind"], one["data"].get("login", one["data"].get("by"))) for one in log["events"]] == [
        ("admin.login", "admin"), ("admin.login-refused", "admin"), ("admin.login-refused", "nobody"),
    ]  # fmt: skip
    assert (await browser.get("/")).code == 200


@pytest_twisted.ensureDeferred
async def test_a_viewer_sees_and_changes_nothing(house: House) -> None:
    """Pages come without their buttons, and what is posted all the same is refused."""
    browser = await house.admin("eye", Role.VIEWER)
    page = await browser.get("/users")
    assert "andrew" in page.text
    assert "Add a user" not in page.text
    refused = await browser.post("/users/new", {"name": "eve"})
    assert refused.code == 403
    assert "does not reach so far" in refused.text
    assert "eve" not in {one["name"] for one in await house.office.acts.users()}
    for path in ("/act/pause", "/health/verify", "/settings/reload", "/settings/token"):
        await browser.post(path, {"own_password": PASSWORD, "label": "x", "level": "read"})
        assert "said bad" in (await browser.get("/settings")).text, path
    assert "Tokens of programs" not in (await browser.get("/settings")).text


@pytest_twisted.ensureDeferred
async def test_an_account_admin_sees_and_changes_the_own_accounts_alone(house: House) -> None:
    """Users, mail and lines of other accounts are neither shown nor reached by their address."""
    await house.office.acts.add_user(name="greg", accounts=["two@firm.example"], password="greg")
    browser = await house.admin("keeper", Role.KEEPER, ("two@firm.example",))
    page = (await browser.get("/users")).text
    assert "greg" in page
    assert "andrew" not in page
    assert "mail@company.example" not in (await browser.get("/accounts")).text
    for path in ("/users/andrew", "/accounts/mail@company.example", "/accounts/1", "/mailboxes/andrew",
                 "/users/andrew/handout"):  # fmt: skip
        assert (await browser.get(path)).code == 403, path
    await browser.post("/users/greg", {"names": "Greg Jones", "accounts": "two@firm.example", "enabled": "on"})
    assert (await house.office.acts.show_user(name="greg"))["names"] == ["Greg Jones"]
    await browser.post("/users/greg", {"accounts": "mail@company.example", "enabled": "on"})
    assert (await house.office.acts.show_user(name="greg"))["accounts"] == ["two@firm.example"]
    await browser.post("/users/new", {"name": "eve", "accounts": "mail@company.example"})
    assert "eve" not in {one["name"] for one in await house.office.acts.users()}
    assert (await browser.post("/settings/administrator", {"name": "x", "own_password": PASSWORD})).code == 303
    assert len(await house.office.acts.administrators()) == 1


@pytest_twisted.ensureDeferred
async def test_what_is_secret_asks_for_the_own_password_again(house: House) -> None:
    """Ten minutes after it was given last, a new password for somebody needs one's own in the same form."""
    browser = await house.admin()
    keeping = house.office._running().keeping
    (session,) = keeping.sessions.of("admin")
    keeping.sessions._change(session.id, proved=0)
    await browser.post("/users/new", {"name": "eve", "accounts": "mail@company.example"})
    assert "Your own password" in (await browser.get("/users/eve")).text
    await browser.post("/users/eve/password", {"password": "new"})
    assert "Give your own password" in (await browser.get("/users/eve")).text
    await browser.post("/users/eve/password", {"password": "new", "own_password": "wrong"})
    assert "Wrong user name or password" in (await browser.get("/users/eve")).text
    answer = await browser.post("/users/eve/password", {"password": "brandnew", "own_password": PASSWORD})
    assert "brandnew" in answer.text
    assert "Your own password" not in (await browser.get("/users/eve")).text


@pytest_twisted.ensureDeferred
async def test_an_idle_session_is_locked_until_the_password_is_given(house: House) -> None:
    """A locked page shows nothing, its stream ends, and the password leads back to where one was."""
    browser = await house.admin()
    await browser.post("/lock", {}, Referer=f"http://127.0.0.1:{house.port}/outbox")
    answer = await browser.get("/users")
    assert answer.header("Location") == "/unlock?next=%2Fusers"
    assert "andrew" not in answer.text
    assert (await browser.get("/api/v1/users")).code == 401
    assert (await browser.post("/unlock", {"password": "wrong", "next": "/users"})).code == 403
    opened = await browser.post("/unlock", {"password": PASSWORD, "next": "/users"})
    assert opened.header("Location") == "/users"
    assert "andrew" in (await browser.get("/users")).text


@pytest_twisted.ensureDeferred
async def test_a_restart_keeps_who_is_logged_in(house: House) -> None:
    """The session is in the store; the page that was open goes on with the next server."""
    browser = await house.admin()
    config = house.office.config
    await house.office.stopService()
    second = Office(config, reactor, reload_config=read_again(config, None))
    second.startService()
    assert second.started is not None
    await second.started
    after = House(second)
    again = Browser(after.port, browser.cookie)
    assert (await again.get("/")).code == 200
    await second.stopService()


@pytest_twisted.ensureDeferred
async def test_what_is_declared_in_the_file_is_shown_locked(house: House) -> None:
    """With the line where it stands; what is posted all the same changes nothing."""
    browser = await house.admin()
    page = (await browser.get("/users/andrew")).text
    assert "m.toml:" in page
    assert "disabled" in page
    await browser.post("/users/andrew", {"names": "Somebody Else", "enabled": "on"})
    assert "m.toml:" in (await browser.get("/users/andrew")).text
    assert (await house.office.acts.show_user(name="andrew"))["names"] == ["Andrew Smith"]


@pytest_twisted.ensureDeferred
async def test_two_editors_do_not_overwrite_each_other(house: House) -> None:
    """The second to save sees how it is now."""
    browser = await house.admin()
    await browser.post("/users/new", {"name": "eve", "accounts": "mail@company.example"})
    page = (await browser.get("/users/eve")).text
    was = page.partition('name="was" value="')[2].partition('"')[0]
    form = {"was": was, "accounts": "mail@company.example", "enabled": "on"}
    assert (await browser.post("/users/eve", {**form, "names": "Eve One"})).code == 303
    late = await browser.post("/users/eve", {**form, "names": "Eve Two"})
    assert late.code == 412
    assert "Somebody else changed this" in late.text
    assert "Eve One" in late.text
    assert "Eve Two" not in late.text
    assert (await house.office.acts.show_user(name="eve"))["names"] == ["Eve One"]
