"""The collector against IMAP servers that lie in every way of the kit: bounded, nothing lost, torn or doubled."""

from __future__ import annotations

import pytest

from mailshare.core.servers import parse_server
from mailshare.isp.collect import Collector
from mailshare.testing.imap_double import CAPABILITIES, PretendIMAP
from mailshare.testing.imap_lies import imap_lies
from mailshare.testing.liars import CUT, honest
from mailshare.testing.pretend_office import Office, letters

MAIL = list(letters().values())


def ready(office: Office, server: PretendIMAP) -> Collector:
    office.provider(server)
    office.change(collect=parse_server("imap://mail@h"))
    return Collector(office.store, office.door, office.doors)


def mail_of(office: Office) -> list[bytes]:
    return office.mail_of("andrew")


@pytest.mark.parametrize("capabilities", [CAPABILITIES, ("IMAP4rev1", "STARTTLS")])
@pytest.mark.parametrize("lie", sorted(imap_lies()))
def test_a_lie_costs_time_at_most(office: Office, lie: str, capabilities: tuple[str, ...]) -> None:
    """After the lie every message is with us or still there; after an honest run each is with us once."""
    server = PretendIMAP(MAIL, imap_lies()[lie], capabilities)
    collecting = ready(office, server)
    office.run(collecting.collect(office.account), 3700)
    got = mail_of(office)
    assert all(message in MAIL for message in got), "torn"
    assert {*got, *server.inbox.messages.values()} == {*MAIL}, "lost"
    assert server.clear_secrets == 0
    server.lie = honest
    office.clock.advance(4000)
    office.run(collecting.collect(office.account), 3700)
    assert sorted(mail_of(office)) == sorted(MAIL)
    status = collecting.status(office.account.id)
    assert (status.error, status.note) == ("", "")
    assert server.inbox.messages == {}
    assert server.inbox.seen == set()


@pytest.mark.parametrize("lie", sorted(imap_lies()))
def test_no_secret_goes_in_clear(office: Office, lie: str) -> None:
    """Whatever the server says, without TLS there is no login."""
    server = PretendIMAP(MAIL, imap_lies()[lie])
    server._do_starttls = lambda *_: b"<tag> NO TLS here\r\n"  # type: ignore[method-assign]
    office.run(ready(office, server).collect(office.account), 3700)
    assert server.clear_secrets == 0
    assert not {"LOGIN", "AUTHENTICATE"} & set(server.commands)


@pytest.mark.parametrize("lie", sorted(imap_lies()))
def test_mail_that_is_left_there_stays_untouched(office: Office, lie: str) -> None:
    """Left for ever: nothing is marked, expunged or read; after an honest run each message is with us once."""
    server = PretendIMAP(MAIL, imap_lies()[lie])
    collecting = ready(office, server)
    office.change(leave_days=-1)
    office.run(collecting.collect(office.account), 3700)
    server.lie = honest
    office.clock.advance(4000)
    office.run(collecting.collect(office.account), 3700)
    assert sorted(mail_of(office)) == sorted(MAIL)
    assert list(server.inbox.messages.values()) == MAIL
    assert (server.inbox.seen, server.inbox.deleted) == (set(), set())


@pytest.mark.parametrize("verb", ["greeting", "CAPABILITY", "SIZES", "BODY", "EXPUNGE"])
def test_a_drip_ends_by_the_clock(office: Office, verb: str) -> None:
    """An octet now and then moves no deadline."""
    server = PretendIMAP(MAIL, lambda spoken, reply: b"" if spoken == verb else reply)
    results = office.begin(ready(office, server).collect(office.account))
    for _ in range(150):
        office.settle()
        if office.endpoint.wires[-1].closed:
            break
        office.endpoint.wires[-1].say(b"*")
        office.clock.advance(5)
    office.settle()
    assert office.endpoint.wires[-1].closed
    assert len(results) == 1


@pytest.mark.parametrize("leave_days", [0, -1])
def test_a_session_can_be_cut_behind_every_octet(leave_days: int) -> None:
    """The reset comes after n octets of the server, for every n: each message once, whole, in the end."""
    failed = 0
    for cut in range(0, 2400, 11):
        office = Office()
        server = PretendIMAP(MAIL)
        collecting = ready(office, server)
        office.change(leave_days=leave_days)
        server.lie = _CutAfter(cut)
        office.run(collecting.collect(office.account), 3700)
        failed += collecting.status(office.account.id).error != ""
        server.lie = honest
        office.run(collecting.collect(office.account), 3700)
        assert sorted(mail_of(office)) == sorted(MAIL), cut
        assert len(server.inbox.messages) == (3 if leave_days else 0), cut
    assert failed > 50


class _CutAfter:
    """A lie that cuts the connection after so many octets; what was not said whole was done all the same."""

    def __init__(self, octets: int) -> None:
        self._left = octets

    def __call__(self, _verb: str, reply: bytes) -> bytes:
        if len(reply) <= self._left:
            self._left -= len(reply)
            return reply
        said = reply[: self._left]
        self._left = 0
        return said + CUT
