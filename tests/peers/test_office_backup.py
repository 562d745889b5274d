"""What docs/howto/backup.md tells to do works as it stands there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from real_peers.clients import READERS
from real_peers.letters import body, letter
from real_peers.office import Office
from real_peers.provider import Provider
from real_peers.running import ProgramFault

pytestmark = pytest.mark.peers


def test_backup_and_restore(office: Office, provider: Provider, program: Callable[[str], str], tmp_path: Path) -> None:
    """A copy made while serving brings back what was deleted since; a message kept at the provider comes once only."""
    office.accounts = [{**office.accounts[0], "leave_on_server_days": 7}]
    message = letter("kept", to="Andrew <mail@company.example>")
    provider.dovecot.put("mail", message, "kept.backup")
    office.start()
    office.sendreceive()
    office.command("backup", str(tmp_path / "monday"))
    READERS["mpop"](program, office.pop3("implicit", "andrew"), tmp_path)
    assert READERS["poplib"](program, office.pop3("implicit", "andrew"), tmp_path) == []
    with pytest.raises(ProgramFault):
        office.command("restore", str(tmp_path / "monday"), "--yes")
    office.stop()
    office.command("restore", str(tmp_path / "monday"), "--yes")
    office.start()
    office.sendreceive()
    (got,) = READERS["poplib"](program, office.pop3("implicit", "andrew"), tmp_path)
    assert body(got) == body(message)
