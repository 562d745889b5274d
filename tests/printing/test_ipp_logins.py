"""IPP with names that are proved: HTTP Basic, asked for before a document is taken."""

from __future__ import annotations

import base64

import pytest
from attrs import evolve
from counter import PDF, Counter, settled, value
from test_ipp_over_http import Client, head, request, site
from twisted.internet.defer import Deferred

from mailshare.core.errors import LoginRefused
from mailshare.core.values import PrintJob
from mailshare.printing.basic_login import read_basic
from mailshare.printing.http import PrintSite
from mailshare.wire.ipp_codes import Operation, Status
from mailshare.wire.ipp_values import Tag


class Doorkeeper:
    """Knows one user; answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[Deferred[None]] = []

    async def __call__(self, name: str, password: bytes, peer: str) -> str:
        assert peer == "127.0.0.1"
        self.asked.append(Deferred())
        await self.asked[-1]
        if (name, password) != ("Anna", b"s\xc3\xa4lz"):
            raise LoginRefused
        return "anna"


@pytest.fixture
def keeper(counter: Counter) -> Doorkeeper:
    """Logins are asked for."""
    counter.service.rules = evolve(counter.service.rules, login=True)
    return Doorkeeper()


def asking(counter: Counter, keeper: Doorkeeper) -> PrintSite:
    """A site with a doorkeeper."""
    made = site(counter)
    made._check = keeper
    return made


def basic(name: str, password: str) -> bytes:
    """An Authorization field."""
    return b"Authorization: Basic " + base64.b64encode(f"{name}:{password}".encode())


def jobs(counter: Counter) -> list[PrintJob]:
    """All of them."""
    return list(settled(counter.service.store.print_jobs.jobs()))


@pytest.mark.parametrize("step", [0, 5])
def test_a_proved_name_prints_as_that_user(counter: Counter, keeper: Doorkeeper, step: int) -> None:
    """The client calls itself bob; the job is Anna's. What comes while the password is looked at waits."""
    client = Client(asking(counter, keeper))
    body = request(Operation.PRINT_JOB, PDF)
    client.send(head(body, basic("Anna", "sälz")) + body, step)
    assert client.transport.value() == b""
    assert jobs(counter) == []
    keeper.asked[0].callback(None)
    assert client.message().code == Status.OK
    (job,) = jobs(counter)
    assert (job.ticket.user, job.octets) == ("anna", len(PDF))


@pytest.mark.parametrize("field", [b"X-No: thing", b"Authorization: Bearer x", basic("Anna", "wrong")])
def test_without_a_right_password_nothing_is_taken(counter: Counter, keeper: Doorkeeper, field: bytes) -> None:
    """401 with a challenge, to IPP and browsers alike; the document is not kept."""
    client = Client(asking(counter, keeper))
    body = request(Operation.PRINT_JOB, PDF)
    client.send(head(body, field) + body)
    for waits in keeper.asked:
        waits.callback(None)
    first, headers, _ = client.answer()
    assert first.startswith(b"HTTP/1.1 401")
    assert headers[b"www-authenticate"].startswith(b"Basic realm=")
    assert jobs(counter) == []
    client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert client.answer()[0].startswith(b"HTTP/1.1 401")


def test_the_printer_says_that_it_asks(counter: Counter, keeper: Doorkeeper) -> None:
    """``uri-authentication-supported`` is basic, so that clients ask their users."""
    assert keeper.asked == []
    said = counter.ask(Operation.GET_PRINTER_ATTRIBUTES)
    assert value(said.group(Tag.PRINTER), "uri-authentication-supported") == "basic"


@pytest.mark.parametrize("header", ["", "Basic", "Basic !!!", "Basic " + "A" * 2000, "Basic OmE=", "Digest YTpi"])
def test_what_is_no_basic_login(header: str) -> None:
    """Without a colon or a name, too long, or of another kind."""
    assert read_basic(header) is None
    assert read_basic("bAsIc YTpiOmM=") == ("a", b"b:c")
