"""What a file says of faxes comes out of an export as it went in."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.task import Clock

import mailshare
from mailshare.config.export import export_toml
from mailshare.config.loading import parse_config
from mailshare.store.memory import MemoryStore

EXAMPLE = Path(__file__).parents[2] / "examples" / "fax_office.toml"
MORE = """
[[fax_line]]
name = "spool"
kind = "directory"
calls = ["+4930*"]
options = { folder = "faxes" }
[[fax_box]]
name = "board"
to = ["ben"]
code = { env = "BOARD_CODE" }
[[fax_cover]]
name = "law"
note = "For the addressee alone."
text = false
[[fax_caller]]
caller = "+49*"
code = { file = "pin" }
[[fax_line]]
name = "api"
kind = "http"
options = { provider = "./mine.toml", settings = { project = "p" } }
secrets = { key = "k" }
"""


async def test_faxes_are_exported(tmp_path: Path) -> None:
    """Settings, lines with whole paths, address book and routes; the passwords of people are no part of it."""
    (tmp_path / "pin").write_text("1234\n")
    (tmp_path / "pin").chmod(0o600)
    shipped = Path(mailshare.__file__).parent / "fax" / "providers" / "sinch.toml"
    (tmp_path / "mine.toml").write_text(shipped.read_text())
    config = parse_config(EXAMPLE.read_text() + MORE, str(tmp_path / "m.toml"))
    store = MemoryStore(clock=Clock())
    await store.open()
    again = parse_config(await export_toml(store, config, secrets=True), str(tmp_path / "n.toml")).tables
    assert again.fax == config.tables.fax
    assert again.fax_contact == config.tables.fax_contact
    assert again.fax_route == config.tables.fax_route
    assert again.fax_box == config.tables.fax_box
    assert again.fax_cover == config.tables.fax_cover
    assert again.fax_caller[0].caller == "+49*"
    assert again.fax_line[0] == config.tables.fax_line[0]
    assert again.fax_line[1].options == {"folder": str(tmp_path / "faxes")}
    options = again.fax_line[2].options
    assert options == {"provider": f"{tmp_path}/./mine.toml", "settings": {"project": "p"}}
    await store.close()
