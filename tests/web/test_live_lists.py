"""Lists that others change: an open page is told, and fetches its list anew without seeming to be a person."""

from __future__ import annotations

import re

import pytest_twisted

from mailshare.core.values import SECOND, Role
from tests.web.conftest import House
from tests.web.test_manager_api import stream, until
from tests.web.test_manager_pages import letter

_CHANGED = b"event: changed\n"


@pytest_twisted.ensureDeferred
async def test_an_open_list_is_told_that_another_changed_it(house: House) -> None:
    """Users, the address book and the work list; nothing is told while nothing changes, or of another list."""
    browser = await house.admin()
    readers = {}
    for name in ("users", "book", "work"):
        readers[name] = await stream(house, f"/live/changes?of={name}", f"Cookie: {browser.cookie}")
        await until(readers[name], b": mailshare")
        assert f"/live/changes?of={name}" in (await browser.get(f"/{name}")).text
    await house.office.acts.add_contact(name="shop", number="+49305550100")
    await until(readers["book"], _CHANGED)
    assert _CHANGED not in readers["users"].octets + readers["work"].octets
    await letter(house, "for nobody")
    await until(readers["work"], _CHANGED)
    readers["users"].octets = b""
    await house.office.acts.add_user(name="eve", password="geheim123")
    await until(readers["users"], _CHANGED)
    for reader in readers.values():
        reader.transport.abortConnection()


@pytest_twisted.ensureDeferred
async def test_who_comes_back_after_a_break_is_told_at_once(house: House) -> None:
    """What was missed meanwhile is not known."""
    browser = await house.admin()
    reader = await stream(house, "/live/changes?of=users", f"Cookie: {browser.cookie}\r\nLast-Event-ID: 3")
    await until(reader, _CHANGED)
    assert reader.octets.count(_CHANGED) == 1
    reader.transport.abortConnection()


@pytest_twisted.ensureDeferred
async def test_a_page_that_asks_by_itself_keeps_nobody_logged_in_and_takes_no_line_away(house: House) -> None:
    """The lock comes after the idle time all the same, and what an act said waits for the person."""
    browser = await house.admin()
    await browser.post("/act/pause", {})
    assert "The service is paused</p>" not in (await browser.get("/users", MS_By_Itself="1")).text
    assert "The service is paused" in (await browser.get("/users")).text
    sessions = house.office._running().web._keeping.sessions
    now = sessions._clock
    sessions._clock = lambda: now() + sessions.lock_after - SECOND
    assert (await browser.get("/users", MS_By_Itself="1")).code == 200
    sessions._clock = lambda: now() + sessions.lock_after + SECOND
    assert (await browser.get("/users")).header("Location").startswith("/unlock")


@pytest_twisted.ensureDeferred
async def test_who_comes_back_to_the_log_gets_no_line_twice(house: House) -> None:
    """The id of an event says which line was the last; the address of the stream still names that of the page."""
    browser = await house.admin()
    for way in ("/live/log", "/live"):
        reader = await stream(house, f"{way}?after=1", f"Cookie: {browser.cookie}")
        await until(reader, b"id: line ")
        await house.admin(f"first{len(way)}")
        await until(reader, f"first{len(way)}".encode())
        reader.transport.abortConnection()
        last = max(int(one) for one in re.findall(rb"id: line ([0-9]+)\n", reader.octets))
        again = await stream(house, f"{way}?after=1", f"Cookie: {browser.cookie}\r\nLast-Event-ID: line {last}")
        await house.admin(f"second{len(way)}")
        await until(again, f"second{len(way)}".encode())
        assert f"first{len(way)}".encode() not in again.octets
        again.transport.abortConnection()


@pytest_twisted.ensureDeferred
async def test_the_dashboard_follows_with_all_its_parts(house: House) -> None:
    """The button of the pause, devices, the strip of health, and with whom a lamp burns, told to no account admin."""
    browser = await house.admin()
    keeper = await house.admin("keeper", Role.KEEPER, ("two@firm.example",))
    reader = await stream(house, "/live?after=1", f"Cookie: {browser.cookie}")
    narrow = await stream(house, "/live?after=1", f"Cookie: {keeper.cookie}")
    for part in (b'hx-target="#acts"', b'hx-target="#devices"', b'hx-target="#health"', b"to look at"):
        await until(reader, part)
    await house.office.acts.pause(paused=True)
    await until(reader, b"Start the service")
    counting = house.office._running().journal.counting
    counting.sending(1, "192.0.2.7")
    await until(reader, b"busy: 192.0.2.7")
    await until(narrow, b"busy</small>")
    assert b"192.0.2.7" not in narrow.octets
    assert (await browser.get("/")).text.count("busy: 192.0.2.7") == 1
    for page in ("/", "/api/v1/status"):
        assert "192.0.2.7" not in (await keeper.get(page)).text
    counting.sending(-1, "192.0.2.7")
    for one in (reader, narrow):
        one.transport.abortConnection()
