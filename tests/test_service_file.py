"""The systemd unit that is shipped is one that systemd understands, and it shuts the server in."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mailshare.config import Limits

UNIT = Path(__file__).resolve().parent.parent / "examples" / "mailshare.service"


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that exists on any machine in place of the installed one."""
    text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text(), flags=re.MULTILINE)
    copy = tmp_path / UNIT.name
    copy.write_text(text)
    return copy


@pytest.mark.peers
def test_systemd_understands_it(unit: Path, program: Callable[[str], str]) -> None:
    """systemd-analyze has nothing to say about it."""
    argv = [program("systemd-analyze"), "verify", "--man=no", str(unit)]
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    about_it = [line for line in (result.stdout + result.stderr).splitlines() if UNIT.name in line]
    assert not about_it


@pytest.mark.peers
def test_server_is_shut_in(unit: Path, program: Callable[[str], str]) -> None:
    """Its exposure is at most 2.0 of 10 on systemd's scale."""
    argv = [program("systemd-analyze"), "security", "--offline=true", "--threshold=20", "--no-pager", str(unit)]
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-600:] + result.stderr


def test_paths_are_those_of_the_tutorial() -> None:
    """The unit starts what the tutorial installs, with the file that the tutorial writes."""
    tutorial = (UNIT.parent.parent / "docs" / "tutorial" / "first_office.md").read_text()
    (start,) = re.findall(r"^ExecStart=(\S+) .*-c (\S+)$", UNIT.read_text(), flags=re.MULTILINE)
    assert Path(start[0]).name == "twistd"
    assert f"python3 -m venv {Path(start[0]).parent.parent}" in tutorial
    assert f"Put this into `{start[1]}`" in tutorial


def test_limits_of_the_process_fit_those_of_the_configuration() -> None:
    """The unit allows the open files and threads that the default limits can lead to, and bounds memory and threads."""
    found = dict(re.findall(r"^(LimitNOFILE|MemoryMax|TasksMax)=(\d+)", UNIT.read_text(), flags=re.MULTILINE))
    limits = Limits()
    listeners, store_threads, resolver_threads, others = 6, 9, 10, 5
    threads = limits.threads + store_threads + resolver_threads + others
    assert threads * 2 <= int(found["TasksMax"])
    files = listeners * limits.connections + 3 * threads + 100
    assert files * 2 <= int(found["LimitNOFILE"])
    assert int(found["MemoryMax"]) <= 512
    assert "MemoryMax=512M" in UNIT.read_text()
