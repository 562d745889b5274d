"""Secret references: each kind, and what must not work."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor

from mailshare.core.errors import ConfigFault
from mailshare.core.values import Account
from mailshare.isp.secrets import SealingKey, Secrets
from mailshare.testing.pretend_office import Office


def secrets(office: Office, folder: Path, **environment: str) -> Secrets:
    key = SealingKey(str(folder / "key"), os.urandom)
    return Secrets(office.store.directory, environment=environment, base=str(folder), key=key, reactor=reactor)


def private(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_every_kind_of_reference(office: Office, tmp_path: Path) -> None:
    """Environment, file, credential, sealed, plain."""
    private(tmp_path / "secret", "from file\nsecond line\n")
    private(tmp_path / "cred", "from systemd\n", 0o440)
    source = secrets(office, tmp_path, ISP="from env", CREDENTIALS_DIRECTORY=str(tmp_path))
    sealed = SealingKey(str(tmp_path / "key"), os.urandom).seal("from seal")
    for reference, found in [
        ({"env": "ISP"}, "from env"),
        ({"file": "secret"}, "from file"),
        ({"credential": "cred"}, "from systemd"),
        ({"sealed": sealed}, "from seal"),
        ({"plain": "as it is"}, "as it is"),
    ]:
        assert office.wait(source.resolve(reference)) == found
    assert "from seal" not in sealed
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "reference",
    [
        {"env": "NONE"},
        {"file": "none"},
        {"credential": "none"},
        {"sealed": "AAAA"},
        {"magic": "x"},
        {},
        "x",
        {"command": "ls"},
    ],
)
def test_references_that_lead_nowhere(office: Office, tmp_path: Path, reference: object) -> None:
    """Each is a fault of configuration."""
    with pytest.raises(ConfigFault):
        office.wait(secrets(office, tmp_path, CREDENTIALS_DIRECTORY=str(tmp_path)).resolve(reference))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_may_read_is_refused(office: Office, tmp_path: Path, mode: int) -> None:
    """And the error does not hold the secret."""
    private(tmp_path / "secret", "hunter2", mode)
    with pytest.raises(ConfigFault, match="chmod 600") as caught:
        office.wait(secrets(office, tmp_path).resolve({"file": "secret"}))
    assert "hunter2" not in str(caught.value)


def test_another_key_does_not_open_it(office: Office, tmp_path: Path) -> None:
    """Nor does a changed octet."""
    sealed = SealingKey(str(tmp_path / "one"), os.urandom).seal("x")
    with pytest.raises(ConfigFault):
        SealingKey(str(tmp_path / "two"), os.urandom).unseal(sealed)


def test_one_for_each_direction(office: Office, tmp_path: Path) -> None:
    """Read anew for each session."""
    text = json.dumps({"collect": {"plain": "in"}, "relay": {"plain": "out"}})
    account: Account = office.wait(office.store.directory.change_account(office.account, secret=text))
    source = secrets(office, tmp_path)
    assert office.wait(source.password(account, "collect")) == "in"
    assert office.wait(source.password(account, "relay")) == "out"


@ensureDeferred
async def test_a_command(tmp_path: Path) -> None:
    """Its first line counts, and its failure is a fault."""
    source = secrets(Office(), tmp_path, PATH=os.environ["PATH"])
    assert await source.resolve({"command": [sys.executable, "-c", "print('spoken')"]}) == "spoken"
    with pytest.raises(ConfigFault):
        await source.resolve({"command": [sys.executable, "-c", "raise SystemExit(3)"]})
