"""What a file says of printing comes out of an export as it went in."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve
from twisted.internet.task import Clock

from mailshare.config.export import export_toml
from mailshare.config.loading import parse_config
from mailshare.store.memory import MemoryStore

TEXT = """\
[[account]]
address = "mail@company.example"

[print]
fetch_from = ["192.0.2.1"]
jobs = 7

[print.defaults]
media = "iso_a4_210x297mm"

[[destination]]
name = "folder"
address = "dir:out"
title = "Room 1"
duplex = false
resolutions = [600]

[destination.defaults]
copies = 2

[[destination]]
name = "branch"
address = "printer@branch.example"
account = "mail@company.example"
key_id = "k1"
key = {file = "secrets/key"}

[[destination]]
name = "pair"
address = "printer@pair.example"
key_id = "k2"
key = {file = "secrets/key"}
signature = "EdDSA"
printer_key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

[[destination]]
name = "both"
members = ["folder", "branch"]

[[printer]]
name = "office"
addresses = ["mail+office@company.example"]
device = "dir:paper"
level = 3
pages_day = 50
tags = [{file = "secrets/key"}]
signing_key = {file = "secrets/key"}
hours = [{days = "mon-fri", from = "07:00", to = "19:00"}]
keys = [
    {id = "k1", secret = {file = "secrets/key"}},
    {id = "k2", public = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
]
senders = [{match = "@company.example", level = 1, hold = "yes"}]
guests = {pages_day = 3}

[printer.contacts]
key = ["anna@company.example"]
"""


@pytest.mark.parametrize("again", [False, True])
async def test_destinations_come_back(tmp_path: Path, again: bool) -> None:
    """Loaded, exported and loaded again they are the same, but for paths, which come out whole."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "key").write_text("x" * 40)
    config = parse_config(TEXT, str(tmp_path / "m.toml"))
    store = MemoryStore(clock=Clock())
    await store.open()
    written = await export_toml(store, config)
    if again:
        written = await export_toml(store, parse_config(written, str(tmp_path / "other.toml")))
    found = parse_config(written, str(tmp_path / "other.toml"))
    assert found.tables.print == config.tables.print
    assert [one.name for one in found.tables.destination] == ["folder", "branch", "pair", "both"]
    assert found.tables.destination[0].address == f"dir:{tmp_path}/out"
    assert found.tables.destination[0].defaults == {"copies": 2}
    assert found.tables.destination[3] == config.tables.destination[3]
    pair = config.tables.destination[2]
    assert evolve(found.tables.destination[2], key=pair.key) == pair
    (printer,), (before,) = found.tables.printer, config.tables.printer
    secret = str(tmp_path / "secrets" / "key")
    assert (printer.device, printer.tags[0].value) == (f"dir:{tmp_path}/paper", secret)
    assert [(key.id, key.secret.value, key.public) for key in printer.keys] == [
        ("k1", secret, ""),
        ("k2", "", before.keys[1].public),
    ]
    assert printer.signing_key.value == secret
    same = {"device": "", "tags": (), "keys": (), "signing_key": before.signing_key}
    assert evolve(printer, **same) == evolve(before, **same)
    assert found.tables.destination[1].key.value == str(tmp_path / "secrets" / "key")
