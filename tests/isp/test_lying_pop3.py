"""The collector against POP3 servers that lie in every way of the kit: bounded, nothing lost, torn or doubled."""

from __future__ import annotations

import pytest

from mailshare.core.servers import parse_server
from mailshare.isp.collect import Collector
from mailshare.testing.liars import PretendPOP3, honest
from mailshare.testing.lies import POP3_LIES
from mailshare.testing.pretend_office import Office, letters

# One status line too many among replies that were asked for ahead: a message is stored under the id of the next one,
# which is found out at its deletion. It comes again then; the door of a real office knows it, the one here does not.
HIDDEN_SHIFT = ("retr_err_behind",)


@pytest.mark.parametrize("capabilities", [("TOP", "UIDL", "PIPELINING", "SASL PLAIN"), ("UIDL", "TOP"), ()])
@pytest.mark.parametrize("lie", sorted(POP3_LIES))
def test_a_lie_costs_time_at_most(office: Office, lie: str, capabilities: tuple[str, ...]) -> None:
    """After the lie every message is with us or still there; after an honest run each is with us once."""
    server = PretendPOP3(letters(), POP3_LIES[lie], (*capabilities, "STLS"))
    office.provider(server)
    office.change(collect=parse_server("pop3://mail@h"))
    collecting = Collector(office.store, office.door, office.doors)
    office.run(collecting.collect(office.account), 3700)
    got = office.mail_of("andrew")
    assert all(message in letters().values() for message in got), "torn"
    assert {*got, *server.messages.values()} == {*letters().values()}, "lost"
    assert server.clear_secrets == 0
    server.lie = honest
    office.clock.advance(4000)
    office.run(collecting.collect(office.account), 3700)
    got = office.mail_of("andrew")
    got = sorted(set(got) if lie in HIDDEN_SHIFT and "PIPELINING" in capabilities else got)
    assert got == sorted(letters().values())
    assert collecting.status(office.account.id).error == ""
    assert server.messages == {}


@pytest.mark.parametrize("lie", sorted(POP3_LIES))
def test_no_secret_goes_in_clear(office: Office, lie: str) -> None:
    """Whatever the server says, without TLS there is no login."""
    server = PretendPOP3(letters(), POP3_LIES[lie], ("UIDL",))
    server._do_stls = lambda _: b"-ERR no TLS here\r\n"  # type: ignore[method-assign]
    office.provider(server)
    office.change(collect=parse_server("pop3://mail@h"))
    office.run(Collector(office.store, office.door, office.doors).collect(office.account), 3700)
    assert server.clear_secrets == 0


@pytest.mark.parametrize("verb", ["greeting", "CAPA", "RETR"])
def test_a_drip_ends_by_the_clock(office: Office, verb: str) -> None:
    """An octet now and then moves no deadline."""
    server = PretendPOP3(letters(), lambda spoken, reply: b"" if spoken == verb else reply)
    office.provider(server)
    results = office.begin(Collector(office.store, office.door, office.doors).collect(office.account))
    for _ in range(40):
        office.settle()
        if office.endpoint.wires[-1].closed:
            break
        office.endpoint.wires[-1].say(b"+")
        office.clock.advance(5)
    office.settle()
    assert office.endpoint.wires[-1].closed
    assert results == [{}]


def test_a_session_can_be_cut_behind_every_octet(office: Office) -> None:
    """The reset comes after n octets of the server, for every n: each message once, whole, in the end."""
    total = 0
    for cut in range(0, 1400, 7):
        fresh = Office()
        server = PretendPOP3(letters())
        _CutAfter(server, cut)
        fresh.provider(server)
        collecting = Collector(fresh.store, fresh.door, fresh.doors)
        fresh.run(collecting.collect(fresh.account), 3700)
        total += collecting.status(fresh.account.id).error != ""
        server.lie = honest
        fresh.run(collecting.collect(fresh.account), 3700)
        assert sorted(fresh.mail_of("andrew")) == sorted(letters().values()), cut
        assert server.messages == {}, cut
    assert total > 50


class _CutAfter:
    """A lie that cuts the connection after so many octets."""

    def __init__(self, server: PretendPOP3, octets: int) -> None:
        self._left = octets
        server.lie = self

    def __call__(self, _verb: str, reply: bytes) -> bytes:
        if len(reply) <= self._left:
            self._left -= len(reply)
            return reply
        said = reply[: self._left]
        self._left = 0
        return said + b"\0cut\0"


def test_cancelling_stops_and_keeps_what_was_stored(office: Office) -> None:
    """The rest comes in the next run."""
    server = PretendPOP3(letters(), POP3_LIES["dele_cut"])
    office.provider(server)
    collecting = Collector(office.store, office.door, office.doors)
    results = office.begin(collecting.collect(office.account))
    while not office.door.origins:
        office.turn()
    collecting.stop(office.account.id)
    office.settle()
    assert results
    assert collecting.status(office.account.id).error
    server.lie = honest
    office.run(collecting.collect(office.account), 100)
    assert sorted(office.mail_of("andrew")) == sorted(letters().values())


def test_a_stop_waits_for_no_deletion(office: Office) -> None:
    """One is stored, the server says no more: the run ends at once, and the next one deletes without fetching again."""
    server = PretendPOP3(letters())
    silent: list[str] = []

    def falls_silent(verb: str, reply: bytes) -> bytes:
        if verb in {"RETR", "DELE", "QUIT"}:
            silent.append(verb)
        return b"" if len(silent) > 1 else reply

    server.lie = falls_silent
    office.provider(server)
    collecting = Collector(office.store, office.door, office.doors)
    results = office.begin(collecting.collect(office.account))
    while not office.door.origins:
        office.turn()
    office.settle()
    assert not results
    began = office.clock.seconds()
    collecting.stop(office.account.id)
    office.settle()
    assert results
    assert office.clock.seconds() == began
    server.lie = honest
    server.retrieved.clear()
    office.run(collecting.collect(office.account), 100)
    assert sorted(server.retrieved) == ["b", "c"]
    assert sorted(office.mail_of("andrew")) == sorted(letters().values())
    assert server.messages == {}
