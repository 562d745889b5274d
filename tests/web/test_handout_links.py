"""Links that show one person's hand-out, and what programs are told that ask by themselves: over a whole office."""

from __future__ import annotations

import json
import plistlib
import re
import socket
from typing import Any
from xml.etree import ElementTree as ET

import pytest_twisted
from attrs import evolve
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread

from mailshare.config import Listener
from mailshare.core.values import Role
from mailshare.portal.guesses import Guesses
from mailshare.portal.handout_links import AFTER_OPENING, HandoutLinks
from mailshare.portal.throttle import Throttle
from tests.web.conftest import Browser, House


def with_doors(house: House) -> None:
    """Say that mail is read and sent here, on ports that a hand-out can name."""
    doors = (Listener("pop3", "tcp:40110"), Listener("submission", "tcp:40587"))
    house.office.config = evolve(house.office.config, listeners=(*doors, *house.office.config.listeners))


async def made(browser: Browser, **form: Any) -> str:
    """A link for andrew: its path."""
    answer = await browser.post("/users/andrew/links", {"hours": "24", **form})
    found = re.search(r'href="http[^"]*(/u/[A-Za-z0-9_-]{43})"', answer.text)
    assert found, answer.text
    return found[1]


@pytest_twisted.ensureDeferred
async def test_a_link_shows_one_hand_out_without_a_login_and_without_a_password(house: House) -> None:
    """The values, the files and the slip are there; no referrer, no keeping; the secret is not in the store."""
    with_doors(house)
    link = await made(await house.admin())
    stranger = house.browser()
    page = await stranger.get(link)
    assert page.code == 200
    assert "Andrew Smith" in page.text
    assert "Nobody can look it up" in page.text
    assert page.header("Referrer-Policy") == "no-referrer"
    assert page.header("Cache-Control") == "no-store"
    assert "noindex" in page.header("X-Robots-Tag")
    assert link.removeprefix("/u/") not in str(await house.office.store.settings.all("web"))
    profile = await stranger.get(f"{link}/mobileconfig")
    assert profile.header("Content-Type") == "application/x-apple-aspen-config"
    assert plistlib.loads(profile.text.encode())["PayloadContent"][0]["IncomingMailServerUsername"] == "andrew"
    assert (await stranger.get(f"{link}/text")).code == 200
    assert (await stranger.get(f"{link}/page")).code == 404
    assert (await stranger.get("/users/andrew")).header("Location").startswith("/login")


@pytest_twisted.ensureDeferred
async def test_a_link_is_taken_back_and_others_open_nothing(house: House) -> None:
    """The list of the person's links ends one; a link that never was gets the same answer; who guesses waits."""
    admin = await house.admin()
    link = await made(admin)
    kept = re.search(r'name="id" value="([0-9a-f]{12})"', (await admin.get("/users/andrew/handout")).text)
    assert kept
    await admin.post("/users/andrew/links/revoke", {"id": kept[1]})
    gone = await house.browser().get(link)
    never = await house.browser().get("/u/" + "A" * 43)
    assert (gone.code, never.code) == (404, 404)
    assert "is not valid" in gone.text
    assert "is not valid" in never.text
    assert (await admin.post("/users/andrew/links", {"hours": "9999"})).header("Location")
    assert not house.office._parts.keeping.links.of("andrew")  # type: ignore[union-attr]


@pytest_twisted.ensureDeferred
async def test_a_link_for_one_browser_waits_for_a_button_and_then_belongs_to_it(house: House) -> None:
    """A program that looks links up uses nothing up; the second browser is told so."""
    with_doors(house)
    link = await made(await house.admin(), once="on")
    preview, first, second = house.browser(), house.browser(), house.browser()
    for _ in range(2):
        page = await preview.get(link)
        assert "Open it here" in page.text
        assert "pop" not in page.text.casefold().partition("<main")[2]
    assert (await preview.get(f"{link}/text")).code == 404
    assert (await first.post(link, {})).header("Location") == link
    assert "Andrew Smith" in (await first.get(link)).text
    assert (await first.get(f"{link}/text")).code == 200
    assert (await second.get(link)).code == 404
    assert (await second.post(link, {})).code == 404


@pytest_twisted.ensureDeferred
async def test_viewers_make_no_links_and_keepers_only_for_their_people(house: House) -> None:
    """A link shows what its maker may see."""
    viewer = await house.admin("eve", Role.VIEWER)
    assert "/u/" not in (await viewer.post("/users/andrew/links", {"hours": "24"})).text
    keeper = await house.admin("karl", Role.KEEPER, ("two@firm.example",))
    assert "/u/" not in (await keeper.post("/users/andrew/links", {"hours": "24"})).text
    assert not house.office._parts.keeping.links.of("andrew")  # type: ignore[union-attr]


class Settings:
    """Keeps one value."""

    def __init__(self) -> None:
        self.kept: Any = None

    async def get(self, scope: str, name: str) -> Any:
        return (self.kept, 1) if self.kept is not None else None

    async def put(self, scope: str, name: str, value: object, version: int | None = None) -> int:
        self.kept = json.loads(json.dumps(value))
        return 1


@pytest_twisted.ensureDeferred
async def test_links_end_by_the_clock_and_outlive_a_restart() -> None:
    """After their hours; half an hour after the opening when it was for once."""
    now, settings, counter = [1_000_000], Settings(), iter(range(100))
    clock = Clock()

    def fresh() -> HandoutLinks:
        return HandoutLinks(
            settings, lambda n: bytes([next(counter)]) * n, lambda: now[0], Guesses(Throttle(), clock)  # type: ignore[arg-type]
        )

    links = fresh()
    plain, _ = await links.make("Andrew", "admin", hours=2, once=False)
    single, link = await links.make("andrew", "admin", hours=2, once=True)
    await links.open(link)
    links = fresh()
    await links.load()
    now[0] += AFTER_OPENING - 1
    assert (await links.find(single, "192.0.2.1")).browser
    now[0] += 1
    assert [one.once for one in links.of("andrew")] == [False]
    now[0] = 1_000_000 + 2 * 3600 * 1_000_000 - 1
    assert (await links.find(plain, "192.0.2.1")).user == "andrew"
    now[0] += 1
    assert not links.of("andrew")


REQUEST = """<?xml version="1.0"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/\
requestschema/2006"><Request><EMailAddress>{}</EMailAddress></Request></Autodiscover>"""


async def discover(house: House, body: str, path: str = "/autodiscover/autodiscover.xml", **headers: str) -> Any:
    return await house.browser().ask("POST", path, body.encode(), Content_Type="text/xml", **headers)


@pytest_twisted.ensureDeferred
async def test_outlook_is_answered_without_a_login_for_our_own_domain_only(house: House) -> None:
    """POST without an Origin, by either spelling, under the name autodiscover.; whoever the address is."""
    with_doors(house)
    body = REQUEST.format("Andrew@office.example")
    for path in ("/autodiscover/autodiscover.xml", "/Autodiscover/Autodiscover.xml"):
        answer = await discover(house, body, path, Host="autodiscover.office.example")
        assert answer.code == 200
        assert answer.header("Content-Type").startswith("text/xml")
        names = [one.text for one in ET.fromstring(answer.text).iter() if one.tag.endswith("LoginName")]
        assert names == ["andrew", "andrew"]
    assert (await discover(house, REQUEST.format("mail@company.example"))).code == 404
    assert (await discover(house, REQUEST.format("a\nb@office.example"))).code == 404
    assert (await discover(house, "nonsense")).code == 400
    assert (await discover(house, body, Host="autodiscover.evil.example")).code == 421
    assert (await discover(house, body, "/users/new")).code == 403
    where = await house.browser().get("/autodiscover/autodiscover.json?Email=a@office.example&Protocol=AutodiscoverV1")
    assert json.loads(where.text)["Url"].endswith("/autodiscover/autodiscover.xml")
    other = await house.browser().get("/autodiscover/autodiscover.json/v1.0/a@office.example?Protocol=ActiveSync")
    assert other.code == 400
    assert json.loads(other.text)["ErrorCode"] == "ProtocolNotSupported"


@pytest_twisted.ensureDeferred
async def test_a_program_behind_a_proxy_is_answered_by_the_host_in_its_address(house: House) -> None:
    """The whole address in the request line counts, whatever the Host field says; without an address the name does."""
    with_doors(house)
    browser = house.browser()
    whole = "http://autoconfig.office.example/mail/config-v1.1.xml"
    for path, host, code in (
        (whole, "evil.example", 200), ("/mail/config-v1.1.xml", "autoconfig.office.example", 200),
        ("http://evil.example/mail/config-v1.1.xml", "autoconfig.office.example", 421),
        (f"{whole}?emailaddress=x@company.example", "office.example", 404),
    ):  # fmt: skip
        answer = await line(browser.port, path, host)
        assert answer.startswith(f"HTTP/1.1 {code} "), path


async def line(port: int, path: str, host: str) -> str:
    """The answer to a request line as it stands."""

    def ask() -> str:
        with socket.create_connection(("127.0.0.1", port), 10) as link:
            link.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            return link.recv(4096).decode()

    return await deferToThread(ask)


@pytest_twisted.ensureDeferred
async def test_a_server_without_a_private_authority_hands_out_none(house: House) -> None:
    """404 in words for each form, and for a form that there is not."""
    for name in ("crt", "pem", "mobileconfig"):
        answer = await house.browser().get(f"/ca.{name}")
        assert answer.code == 404
        assert "no private authority" in answer.text
    assert (await house.browser().get("/ca.exe")).code in (303, 404)


@pytest_twisted.ensureDeferred
async def test_a_link_tells_what_the_device_finds_and_its_slip_speaks_the_readers_language(house: House) -> None:
    """The name by which the device came, TLS, what programs there may ask by themselves; French and German on paper."""
    with_doors(house)
    link = await made(await house.admin())
    stranger = house.browser()
    page = (await stranger.get(link)).text
    assert "It reached the server as 127.0.0.1; mail programs here need the name mail.office.example" in page
    assert "This page came without TLS" in page
    assert "http://autoconfig.office.example/mail/config-v1.1.xml?emailaddress=andrew@office.example" in page
    assert "http://autoconfig.company.example" not in page
    known = (await stranger.ask("GET", link, Host="mail.office.example")).text
    assert "It knows the server by the name mail.office.example" in known
    for language, words in (("fr", ("Courrier pour", "Mot de passe")), ("de", ("Benutzername", "Passwort"))):
        text = (await stranger.get(f"{link}/text", Accept_Language=language)).text
        assert all(word in text for word in words), text
        assert "Password" not in text
        assert (await stranger.get(f"{link}/slip", Accept_Language=language)).text.startswith("%PDF")
