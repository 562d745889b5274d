"""Who switches from fetchmail, getmail or mpop fetches only what is new: by the files that the programs wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from real_peers.clients import READERS, Server
from real_peers.keepers import KEEPERS
from real_peers.letters import letter, serial
from real_peers.office import Office, shared_account
from real_peers.provider import Provider

pytestmark = pytest.mark.peers


def put(provider: Provider, name: str) -> None:
    """A message to andrew at the provider."""
    provider.dovecot.put("mail", letter(name, to="Andrew <mail@company.example>"), f"{name}.switch")


def box(office: Office, tmp_path: Path) -> list[str]:
    """Andrew's mailbox."""
    messages = READERS["poplib"](lambda name: name, office.pop3("implicit", "andrew"), tmp_path)
    return [serial(message) for message in messages]


@pytest.mark.parametrize("days", [0, -1])
@pytest.mark.parametrize("name", sorted(KEEPERS))
def test_a_switch_fetches_what_is_new(
    name: str, days: int, office: Office, provider: Provider, program: Callable[[str], str], tmp_path: Path
) -> None:
    """The program kept three messages there; one more came; only that one is ours, and theirs stay where they are."""
    for number in range(3):
        put(provider, f"old-{number}")
    server = Server(provider.dovecot.pop3s, "implicit", "mail", "secret", provider.authority)
    file = KEEPERS[name](program, server, tmp_path)
    put(provider, "new")
    # No run by itself before the import.
    account = shared_account(provider, leave_on_server_days=days)
    account["enabled"] = False
    office.accounts = [account]
    office.start()
    said = office.command("account", "import-uids", "mail@company.example", str(file))
    assert f"3 unique-ids of {name} for mail@localhost, 3 of them new" in said
    assert "0 of them new" in office.command("account", "import-uids", "mail@company.example", str(file))
    office.stop()
    office.accounts = [{**account, "enabled": True}]
    office.write()
    office.start()
    for _ in range(2):
        office.sendreceive()
    assert box(office, tmp_path) == ["new"]
    assert provider.dovecot.messages_count("mail") == (3 if days == 0 else 4)
    shown = json.loads(office.command("account", "show", "mail@company.example", "--json"))
    assert (shown["error"], shown["waiting"], shown["at_provider"]) == ("", 0, 3 if days == 0 else 4)
    assert shown["last_success"]
