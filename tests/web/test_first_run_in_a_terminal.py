"""``mailshare setup --here``: the first run without a browser, against an office that runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest_twisted
from click.testing import CliRunner
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from mailshare.assembly.office import Office, read_again
from mailshare.cli import main
from mailshare.config import load_config

FILE = """\
[server]
hostname = "mail.office.example"
grace = 1
[listen]
web = ["tcp:0:interface=127.0.0.1"]
"""
ANSWERS = """\
admin
short
admin
three small words
authority
99999
0
0
authority
{pop3s}
0
0
<
-
mail@company.invalid
pop3://mail@127.0.0.1:{pop3}?tls=none
smtp://mail@127.0.0.1:{smtp}?tls=none
regular
isp
y
yes
-
andrew, Andrew Smith
greg

office
15
"""


class Finder:
    """Finds no servers, and asks no DNS for them."""

    async def find(self, text: str) -> list[Any]:
        del text
        return []


@pytest_twisted.async_yield_fixture
async def folder(tmp_path: Path, free_port: Callable[[], int]) -> AsyncIterator[tuple[Path, Any, dict[str, int]]]:
    ports = {name: free_port() for name in ("pop3", "smtp", "pop3s")}
    (tmp_path / "m.toml").write_text(FILE)
    config = load_config(str(tmp_path / "m.toml"))
    office = Office(config, reactor, reload_config=read_again(config, None))
    office.startService()
    assert office.started is not None
    await office.started
    office.acts.finder = Finder()  # type: ignore[assignment]
    yield tmp_path, office, ports
    await office.stopService()


@pytest_twisted.ensureDeferred
async def test_the_whole_first_run_is_gone_through_in_a_terminal(folder: tuple[Path, Any, dict[str, int]]) -> None:
    """A weak password and a wrong port are told and asked again, one step back, one left out; no provider is there."""
    place, office, ports = folder
    words = ["-c", str(place / "m.toml"), "setup", "--here"]
    given = ANSWERS.format(**ports)
    done = await deferToThread(CliRunner().invoke, main, words, given, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "at least 10 characters" in done.output
    assert "99999 is not a port" in done.output
    assert "Left out." in done.output
    assert "Andrew Smith <mail@company.invalid>" in done.output
    assert "NO  fetching from 127.0.0.1" in done.output
    assert "mail@company.invalid was added." in done.output
    assert "mailshare user handout andrew" in done.output
    acts = office.acts
    assert [one["name"] for one in await acts.administrators()] == ["admin"]
    assert {"andrew", "greg"} <= {one["name"] for one in await acts.users()}
    (account,) = await acts.accounts()
    assert [(row["days"], row["every"]) for row in account["timetable"]] == [("mon-fri", 15)]
    assert "pop3s" in {one["service"] for one in office.places()}
    url = await deferToThread(CliRunner().invoke, main, ["-c", str(place / "m.toml"), "setup-url"])
    assert "There is an administrator already" in url.output
