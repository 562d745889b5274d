"""The commands for one person, as an administrator types them, on the store alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from real_peers.warm import finished

BIN = Path(sys.executable).parent


class Desk:
    """Types commands."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "m.toml"
        self.file.write_text(
            '[server]\nhostname = "mail.office.example"\n[[account]]\naddress = "mail@company.example"\n'
            'collect = "pop3s://mail@pop.isp.example"\n[[user]]\nname = "lisa"\naccounts = ["mail@company.example"]\n'
        )

    def __call__(self, *words: str, code: int = 0) -> str:
        done = finished(BIN / "mailshare", "-c", self.file, *words)
        said = (done.stdout + done.stderr).decode()
        assert done.returncode == code, said
        return said

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json"))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A file with an account; greg is made by a command."""
    made = Desk(tmp_path)
    made("account", "add", "info@shop.example", "--domain", "shop.example")
    made("user", "add", "greg", "--generate", "--alias", "Greg Jones", "--account", "info@shop.example")
    return made


def test_every_command_for_a_person_does_what_it_says(desk: Desk) -> None:
    """Show, change, app passwords, vacation, delete and restore; the export knows bounds and forwarding."""
    desk("account", "change", "info@shop.example", "--folder", "INBOX", "--folder", "Spam=junk")
    changed = desk.json("account", "show", "info@shop.example")
    assert changed["options"]["folders"] == ["INBOX", {"name": "Spam", "role": "junk"}]
    desk("account", "change", "info@shop.example", "--folder", "automatic")
    assert desk.json("account", "show", "info@shop.example")["options"]["folders"] == "automatic"
    assert "is unknown" in desk("account", "change", "info@shop.example", "--folder", "Spam=jnk", code=1)
    desk("user", "change", "greg", "--quota", "5000000", "--forward", "greg@home.example", "--no-keep")
    shown = desk("user", "show", "greg")
    assert "greg@shop.example" in shown
    assert "forwards to: greg@home.example (keeps nothing)" in shown
    made = desk.json("user", "app-password", "add", "greg", "telephone")
    assert made["password"] not in desk("user", "app-password", "list", "greg")
    assert "telephone" in desk("user", "app-password", "list", "greg")
    desk("user", "app-password", "revoke", "greg", "telephone")
    assert desk.json("user", "app-password", "list", "greg") == []
    assert "is away (to 2030-01-06)" in desk("user", "vacation", "greg", "--text", "Gone", "--to", "2030-01-06")
    assert "Gone" in desk("user", "vacation", "greg")
    assert "answers nobody" in desk("user", "vacation", "greg", "--off")
    exported = desk("export")
    assert "quota = 5000000" in exported
    assert 'forward = ["greg@home.example"]' in exported
    assert "forward_keep = false" in exported
    assert desk.json("user", "change", "greg", "--no-forward")["forward"] == []
    desk("user", "delete", "greg", "--yes")
    assert [row["name"] for row in desk.json("user", "restore")] == ["greg"]
    assert "greg is back" in desk("user", "restore", "greg")
    assert desk.json("user", "show", "greg")["quota"] == 5000000


def test_what_cannot_be_is_refused_in_a_sentence(desk: Desk) -> None:
    """ADMIN and PUBLIC stay; copies stay inside; forwarding goes outside only; nobody who never was comes back."""
    for words, said in (
        (("user", "delete", "admin1", "--yes"), "go with their account"),
        (("user", "change", "greg", "--cc", "bob@far.example"), "no user"),
        (("user", "change", "greg", "--forward", "x@shop.example"), "use cc"),
        (("user", "restore", "nobody"), "Nobody called nobody"),
        (("user", "vacation", "public1", "--text", "x"), "never answer"),
        (("user", "app-password", "add", "public1", "x"), "logs in as PUBLIC"),
    ):
        assert said in desk(*words, code=1)


def test_what_the_file_declares_counts_before_the_server_has_run(tmp_path: Path) -> None:
    """Commands on the store alone read the file as the server would: new, changed and missing objects."""
    desk = Desk(tmp_path)
    assert [row["name"] for row in desk.json("user", "list")] == ["admin1", "lisa", "public1"]
    assert desk.json("user", "show", "lisa")["accounts"] == ["mail@company.example"]
    more = '[[user]]\nname = "anna"\npassword = { command = ["false"] }\ncc = ["admin1"]\n'
    desk.file.write_text(desk.file.read_text().replace('name = "lisa"', 'name = "lisa"\nnames = ["Lisa Brown"]') + more)
    people = {row["name"]: row for row in desk.json("user", "list")}
    assert (people["lisa"]["names"], people["anna"]["cc"]) == (["Lisa Brown"], ["admin1"])
    desk.file.write_text(desk.file.read_text().replace(more, ""))
    assert {row["name"]: row["enabled"] for row in desk.json("user", "list")}["anna"] is False
