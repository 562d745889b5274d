"""Many tabs of one browser: it makes six connections, so the streams of further tabs are short and come again."""

from __future__ import annotations

import re
from typing import Any

import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.web.http_headers import Headers

from mailshare.web.rooms import MOST_OF_BROWSER
from tests.web.conftest import Browser, House


class _Open(Protocol):
    """A stream that somebody reads."""

    def __init__(self) -> None:
        self.first: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        if not self.first.called:
            self.first.callback(data)


async def opened(browser: Browser, path: str = "/live") -> _Open:
    """Open a stream and read its beginning."""
    headers: dict[str, Any] = {"Host": f"127.0.0.1:{browser.port}", "Cookie": browser.cookie}
    response = await browser.agent.request(
        b"GET", f"http://127.0.0.1:{browser.port}{path}".encode(), Headers({key: [one] for key, one in headers.items()})
    )
    made = _Open()
    response.deliverBody(made)
    await made.first
    return made


@pytest_twisted.ensureDeferred
async def test_further_tabs_get_the_state_of_now_and_come_again(house: House) -> None:
    """Three streams stay; the next ends by itself with all that the page shows; another browser is not crowded."""
    browser = await house.admin()
    kept = [await opened(browser) for _ in range(MOST_OF_BROWSER)]
    brief = await browser.get("/live")
    assert "retry: 2500\nevent: version\ndata: " in brief.text
    assert "Local" in brief.text or "hx-partial" in brief.text
    lines = (await browser.get("/live/log?after=0")).text
    newest = re.findall(r"^id: (line \d+)$", lines, re.MULTILINE)[-1]
    assert "data: " in lines
    again = await browser.get("/live/log?after=0", Last_Event_ID=newest)
    assert "<hx-partial" not in again.text
    assert (await browser.get("/live/changes?of=users", Last_Event_ID="")).text.count("event: changed") == 0
    other = house.browser()
    assert (await other.log_in()).code == 303
    assert b"retry: 500" in await (await opened(other)).first
    for one in kept:
        one.transport.loseConnection()


@pytest_twisted.ensureDeferred
async def test_a_short_stream_tells_what_changed_since_the_one_before(house: House) -> None:
    """By the place that the reader names: the list is another one, or it is not."""
    browser = await house.admin()
    kept = [await opened(browser) for _ in range(MOST_OF_BROWSER)]
    first = (await browser.get("/live/changes?of=users")).text
    place = re.findall(r"^id: (\S+)$", first, re.MULTILINE)[-1]
    assert "changed" not in (await browser.get("/live/changes?of=users", Last_Event_ID=place)).text
    await house.office.acts.add_user(name="greg", names=[], password="greg greg", accounts=["mail@company.example"])
    assert "event: changed" in (await browser.get("/live/changes?of=users", Last_Event_ID=place)).text
    for one in kept:
        one.transport.loseConnection()
