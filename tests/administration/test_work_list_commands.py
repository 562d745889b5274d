"""ADMIN's work by the installed commands, with the server up and down."""

from __future__ import annotations

import json
import time
from typing import Any

from click.testing import CliRunner

from mailshare.cli import main
from tests.test_cli_running_office import Installed, office

__all__ = ["office"]


def ask(office: Installed, *words: str, code: int = 0) -> str:
    """A command in this process: with a running server it only asks over the control socket."""
    done = CliRunner().invoke(main, ["-c", str(office.folder / "m.toml"), *words])
    assert done.exit_code == code, done.output
    return done.output


def ask_json(office: Installed, *words: str) -> Any:
    return json.loads(ask(office, *words, "--json"))


def wait_for_work(office: Installed, reason: str) -> dict[str, Any]:
    until = time.monotonic() + 30
    while True:
        ask_json(office, "sendreceive")
        for row in ask_json(office, "admin", "list"):
            if row["reason"] == reason:
                return dict(row)
        assert time.monotonic() < until
        time.sleep(0.5)


def test_the_work_list_by_commands(office: Installed) -> None:
    """List, show, give, always-give, rules, dry run and tag test work; what needs no server works without."""
    office.start()
    first = wait_for_work(office, "no-name")
    assert "no name stands with it" in ask(office, "admin", "show", first["id"])
    assert ask_json(office, "admin", "give", first["id"], "andrew")["to"] == ["andrew"]
    assert "it was given to andrew" in ask(office, "admin", "give", first["id"], "andrew", code=1)
    nameless = wait_for_work(office, "no-name")
    assert nameless["id"] != first["id"]
    given = ask_json(office, "admin", "always-give", nameless["id"], "andrew", "--by", "from")
    assert given["rule"]["match"] == "alice@far.example"
    assert [row["users"] for row in ask_json(office, "rule", "list")] == [["andrew"]]
    assert "alice@far.example" in ask(office, "export")
    assert ask_json(office, "account", "test-tag", "1", "--wait", "20")["state"] == "works"
    office.stop()
    assert office.json("rule", "list")
    office.run("rule", "delete", "1", "from", "alice@far.example")
    assert office.json("rule", "list") == []
    assert office.json("route", "--dry-run", "--last", "5")["stored"] == 5
    assert office.run("account", "probe", "1", code=1)  # the provider was part of the server
    assert "No server runs" in office.run("account", "test-tag", "1", code=3)
