"""Every example runs as its first lines say, on free ports."""

from __future__ import annotations

import os
import poplib
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailshare.assembly.demonstration import OFFICE_TOML

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
DEADLINE = 240.0
CONFIG = """\
[listen]
pop3 = ["tcp:{port}:interface=127.0.0.1"]
smtp = ["tcp:0:interface=127.0.0.1"]
[[user]]
name = "andrew"
password = "secret of andrew"
"""


@pytest.fixture
def started() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts programs and ends them with SIGTERM, in good order."""
    running: list[subprocess.Popen[bytes]] = []

    def start(*words: str | Path, folder: Path, **environment: str) -> subprocess.Popen[bytes]:
        program = subprocess.Popen(
            [sys.executable, *words],
            cwd=folder,
            env={**os.environ, "ISP_PASSWORD": "x", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        running.append(program)
        return program

    yield start
    for program in running:
        program.send_signal(signal.SIGTERM)
        output, _ = program.communicate(timeout=DEADLINE)
        assert b"Traceback" not in output, output.decode()
        assert program.returncode in (0, -signal.SIGTERM), output.decode()


def mailbox(port: int) -> tuple[int, int]:
    """Andrew's ``STAT`` as soon as the server answers."""
    until = time.monotonic() + DEADLINE
    while True:
        try:
            client = poplib.POP3("127.0.0.1", port, timeout=DEADLINE)
        except ConnectionRefusedError:
            assert time.monotonic() < until
            time.sleep(0.1)
            continue
        client.user("andrew")
        client.pass_("secret of andrew")
        found = client.stat()
        client.quit()
        return found


def test_one_account_is_shared_in_thirty_lines(
    started: Callable[..., object], free_port: Callable[[], int], tmp_path: Path
) -> None:
    """The shortest program serves its people over POP3."""
    port, smtp = free_port(), free_port()
    started(EXAMPLES / "share_in_30_lines.py", "var", str(port), str(smtp), folder=tmp_path)
    assert mailbox(port) == (0, 0)
    text = (EXAMPLES / "share_in_30_lines.py").read_text().split('"""', 2)[2]
    assert sum(bool(line.strip()) for line in text.splitlines()) <= 30


def test_an_office_is_a_part_of_another_application(
    started: Callable[..., object], free_port: Callable[[], int], tmp_path: Path
) -> None:
    """The embedding program asks the office in the same process."""
    port, web = free_port(), free_port()
    (tmp_path / "m.toml").write_text(CONFIG.format(port=port))
    started(EXAMPLES / "embed_in_application.py", "m.toml", str(web), folder=tmp_path)
    assert mailbox(port) == (0, 0)
    with urllib.request.urlopen(f"http://127.0.0.1:{web}/", timeout=DEADLINE) as page:
        assert page.read() == b"andrew: 0 unread\n"


def test_a_tac_file_runs_an_office(
    started: Callable[..., object], free_port: Callable[[], int], tmp_path: Path
) -> None:
    """Twistd runs the example as it runs any application."""
    port = free_port()
    (tmp_path / "m.toml").write_text(CONFIG.format(port=port))
    twistd = ("-m", "twisted", "-n", "--pidfile=", "-y", EXAMPLES / "mailshare.tac")
    twistd = (Path(sys.executable).parent / "twistd", *twistd[2:])
    started(*twistd, folder=tmp_path, MAILSHARE_CONFIG="m.toml")
    assert mailbox(port) == (0, 0)


def test_the_demonstration_office_is_the_one_that_the_command_writes() -> None:
    """``make run`` and ``mailshare demo`` show the same office."""
    assert (EXAMPLES / "office.toml").read_text() == OFFICE_TOML
