"""The counting of wrong passwords."""

from __future__ import annotations

import pytest

from mailshare.portal.throttle import FORGET, MAX_REMEMBERED, Throttle, peer_key


def test_delays_grow_and_are_forgotten() -> None:
    """0.5, 2, 4, 8, 15 and 15 again; nothing after a quarter of an hour of peace."""
    throttle, now, seen = Throttle(), 0.0, []
    for guess in range(6):
        throttle.failed("192.0.2.1", "greg", b"%d" % guess, now)
        wait = throttle.wait("192.0.2.1", "greg", now)
        assert wait is not None
        seen.append(wait)
        now += wait
    assert seen == [0.5, 2.0, 4.0, 8.0, 15.0, 15.0]
    assert throttle.wait("192.0.2.1", "greg", now + FORGET) == 0.0


def test_the_same_wrong_password_counts_once() -> None:
    """A mail program with an old password polls without becoming slower and slower."""
    throttle = Throttle()
    for minute in range(10):
        throttle.failed("192.0.2.1", "greg", b"old", minute * 60.0)
    assert throttle.wait("192.0.2.1", "greg", 600.0) == 0.5


def test_more_connections_gain_nothing() -> None:
    """Tries of one peer at many names stand in line; a line that is too long is refused without looking."""
    throttle = Throttle()
    for guess in range(5):
        throttle.failed("192.0.2.1", f"user{guess}", b"x", 0.0)
    waits = [throttle.wait("192.0.2.1", f"other{guess}", 0.0) for guess in range(4)]
    assert waits == [15.0, 30.0, None, None]


def test_an_outsider_delays_a_user_but_never_locks() -> None:
    """However often somebody guesses at greg from elsewhere, greg waits 15 seconds at most and is never refused."""
    throttle = Throttle()
    for guess in range(500):
        throttle.failed(f"198.51.100.{guess % 250}", "greg", b"%d" % guess, 1.0)
    assert [throttle.wait("192.0.2.1", "greg", 1.0) for _ in range(50)] == [15.0] * 50
    assert throttle.wait("192.0.2.1", "andrew", 1.0) == 0.0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("", "", True),
    ],
)
def test_what_counts_as_one_peer(one: str, other: str, same: bool) -> None:
    """An IPv6 network of /64 is one peer; an IPv4 address is one."""
    assert (peer_key(one) == peer_key(other)) is same


def test_memory_is_bounded() -> None:
    """A flood of names and addresses is not kept."""
    throttle = Throttle()
    for number in range(MAX_REMEMBERED + 500):
        throttle.failed(f"peer{number}", f"user{number}", b"x", 0.0)
    assert len(throttle._peers) == len(throttle._users) == MAX_REMEMBERED


def test_who_waits_is_told_and_let_in_again() -> None:
    """Logins in any case are one; unlocking a login frees the peers that failed there alone."""
    throttle = Throttle()
    throttle.failed("192.0.2.1", "Greg", b"a", 10.0)
    throttle.failed("192.0.2.1", "greg ", b"b", 11.0)
    throttle.failed("2001:db8:1:2::9", "greg", b"c", 12.0)
    throttle.failed("2001:db8:1:2::9", "eve", b"c", 13.0)
    users, peers = throttle.slowed_users(14.0), throttle.slowed_peers(14.0)
    assert [(one.name, one.failures, one.others) for one in users] == [
        ("eve", 1, ("2001:db8:1:2::/64",)), ("greg", 3, ("192.0.2.1", "2001:db8:1:2::/64")),
    ]  # fmt: skip
    seen = [(one.name, one.others) for one in peers]
    assert seen == [("2001:db8:1:2::/64", ("greg", "eve")), ("192.0.2.1", ("greg",))]
    assert users[1].until == 12.0 + FORGET
    assert throttle.forgive_user("GREG")
    assert not throttle.forgive_user("greg")
    assert throttle.wait("192.0.2.1", "greg", 14.0) == 0.0
    assert throttle.wait("2001:db8:1:2::1", "andrew", 14.0) == 2.0
    assert throttle.forgive_peer("2001:db8:1:2::/64")
    assert throttle.wait("2001:db8:1:2::1", "andrew", 30.0) == 0.0
    assert throttle.slowed_users(14.0 + FORGET) == []


def test_what_is_remembered_of_others_is_bounded() -> None:
    """A guesser at thousands of names costs the memory of a few."""
    throttle = Throttle()
    for guess in range(1000):
        throttle.failed("192.0.2.1", f"{guess}{'x' * 500}", b"a", 0.0)
    (peer,) = throttle.slowed_peers(1.0)
    assert len(peer.others) == 8
    assert all(len(one) <= 128 for one in peer.others)
