"""What a right configuration file comes to."""

from __future__ import annotations

import json
import time
from pathlib import Path

from mailshare.config import Limits, parse_config
from mailshare.config.timetable import parse_days, write_days, write_window
from mailshare.core.values import AccountMode, Window

OFFICE = """\
[server]
hostname = "mail.office.example"

[[account]]
address = "mail@company.example"
collect = "pop3s://mail@pop.isp.example"
relay = "submissions://mail@smtp.isp.example"
password = { file = "isp" }
timetable = [{ days = "fri-mon", from = "22:00", to = "06:30", every = 15 }]
leave_on_server_days = 3

[[user]]
name = "Andrew"
names = ["Andrew Smith"]
accounts = ["Mail@Company.Example"]
"""


def test_an_office_is_read_into_values(tmp_path: Path) -> None:
    """Defaults, relative paths, URLs and places all come out resolved."""
    (tmp_path / "isp").write_text("secret\n")
    (tmp_path / "isp").chmod(0o600)
    config = parse_config(OFFICE, str(tmp_path / "m.toml"))
    (declared,) = config.accounts
    account = declared.account
    assert json.loads(declared.secret) == {"file": str(tmp_path / "isp")}
    assert (account.mode, account.leave_days, account.managed_by) == (AccountMode.REGULAR, 3, "m.toml:4")
    assert account.collect is not None
    assert (account.collect.host, account.collect.port, account.collect.login) == ("pop.isp.example", 995, "mail")
    assert account.timetable == (Window(frozenset({4, 5, 6, 0}), 22 * 60, 6 * 60 + 30, 15),)
    (user,) = config.users
    assert (user.name, user.accounts, user.managed_by) == ("andrew", ("mail@company.example",), "m.toml:12")
    assert config.data == str(tmp_path / "var")


def test_without_listeners_only_loopback_is_served(tmp_path: Path) -> None:
    """An empty file opens nothing to the network, and passwords in clear come from loopback only."""
    config = parse_config("", str(tmp_path / "m.toml"))
    assert all("interface=127.0.0.1" in one.endpoint for one in config.listeners)
    assert {one.service for one in config.listeners} == {"pop3", "smtp"}
    assert all(network.is_loopback for network in config.trusted)
    assert config.devices == ()


def test_twenty_accounts_of_sixty_four_users_are_read_in_seconds(tmp_path: Path) -> None:
    """A large office is no trouble for the reader."""
    parts = [f'[[account]]\naddress = "mail@c{number}.example"\n' for number in range(20)]
    parts += [
        f'[[user]]\nname = "u{number}"\npassword = {{ hash = "$argon2id$x" }}\n'
        f'accounts = ["mail@c{number // 64}.example"]\n'
        for number in range(1280)
    ]
    started = time.process_time()
    config = parse_config("\n".join(parts), str(tmp_path / "m.toml"))
    assert (len(config.accounts), len(config.users)) == (20, 1280)
    assert config.users[-1].managed_by == f"m.toml:{20 * 3 + 1279 * 5 + 1}"
    assert time.process_time() - started < 60


def test_days_are_written_as_they_are_read() -> None:
    """Export and reading agree on the words for weekdays."""
    for days in (frozenset({0, 1, 2, 3, 4}), frozenset({0, 2, 5, 6}), frozenset({6}), frozenset(range(7))):
        assert parse_days(write_days(days)) == days
    assert write_window(Window())["to"] == "24:00"


def test_every_limit_has_a_unit_and_a_meaning_and_a_default_in_its_range() -> None:
    """``check --defaults`` has something to say about each."""
    limits = Limits()
    for name, default, unit, meaning in Limits.table():
        assert unit
        assert meaning
        value = getattr(limits, name)
        assert (list(value) if isinstance(value, tuple) else value) == default
