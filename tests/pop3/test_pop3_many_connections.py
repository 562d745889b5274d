"""Hundreds who wait or drip cost little each, and nobody waits for them."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from mailshare.pop3.limits import POP3Limits
from mailshare.shell.limits import ConnectionLimits

MANY = POP3Limits(connections=ConnectionLimits(total=2000, per_peer=2000))


@pytest.fixture
def crowd(build_office):
    """An office with 500 idle and 100 dripping connections."""
    office = build_office(limits=MANY)
    idle = [office.connect() for _ in range(500)]
    dripping = [office.connect() for _ in range(100)]
    return office, idle, dripping


def test_a_new_session_is_greeted_at_once(crowd):
    """Between two octets of those who drip, whoever comes is greeted and served in the very turn it comes in."""
    office, _, dripping = crowd
    for octet in b"USER " + b"x" * 40:
        for each in dripping:
            each.protocol.dataReceived(bytes([octet]))
        client = office.connect()
        assert client.greeting == b"+OK pop.example POP3 server ready\r\n"
        client.drop()
    client = office.connect()
    assert client.log_in().endswith(b"+OK 3 messages (136 octets)\r\n")


def test_one_timer_for_all(crowd):
    """However many wait, the reactor keeps one timer for them."""
    office, _, _ = crowd
    assert len(office.clock.getDelayedCalls()) == 1


def test_dripping_is_no_activity(crowd):
    """Those who drip are put out with those who are silent, after the three minutes before a login."""
    office, idle, dripping = crowd
    for _ in range(182):
        for each in dripping:
            if not each.closed:
                each.protocol.dataReceived(b"x")
        office.clock.advance(1)
    assert all(each.closed for each in idle + dripping)


def test_a_line_without_end_is_not_kept(build_office):
    """Octets that never make a line cost the longest line of a login exchange and no more."""
    client = build_office(limits=MANY).connect()
    for _ in range(200):
        client.protocol.dataReceived(b"x" * 1000)
    assert client.protocol._session.engine.buffered <= MANY.auth_line


def test_an_idle_connection_is_small(build_office):
    """What we keep of a connection that waits, before login and after it, is a few KiB."""
    office = build_office(limits=POP3Limits(connections=MANY.connections, sessions_per_user=2000))
    office.connect().log_in()
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        clients = []
        for _ in range(200):
            office.box.locked = False
            clients.append(office.connect())
            assert b"3 messages" in clients[-1].log_in()
        gc.collect()
        each = (tracemalloc.get_traced_memory()[0] - before) / len(clients)
    finally:
        tracemalloc.stop()
    assert each < 8_000  # the test's own transport and client included
