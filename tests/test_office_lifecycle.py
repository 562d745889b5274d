"""Starts that fail, a second server in the same place, ports below 1024, and a user without rights."""

from __future__ import annotations

import contextlib
import os
import poplib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.threads import deferToThread

from mailshare.assembly.early_ports import BACKLOG, EarlyPorts
from mailshare.assembly.listening import Listeners
from mailshare.assembly.office import Office, read_again
from mailshare.config import load_config, parse_config

TWISTD = str(Path(sys.executable).parent / "twistd")
DEADLINE = 60.0


def _open_to_all(place: str) -> bool:
    """Others may go into this folder and all above it."""
    path = Path(place).resolve()
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


class Servers:
    """Runs twistd over files of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: list[subprocess.Popen[bytes]] = []

    def write(self, pop3: int, smtp: int, more: str = "", name: str = "m") -> Path:
        path = self.folder / f"{name}.toml"
        path.write_text(
            f'[server]\ngrace = 1\ndata = "var-{name}"\n[listen]\npop3 = ["tcp:{pop3}:interface=127.0.0.1"]\n'
            f'smtp = ["tcp:{smtp}:interface=127.0.0.1"]\n[[user]]\nname = "joe"\npassword = {{ file = "joe" }}\n{more}'
        )
        secret = self.folder / "joe"
        if not secret.exists():
            secret.write_text("secret\n")
            secret.chmod(0o600)
        return path

    def start(
        self, path: Path, *options: str, told: str = ""
    ) -> tuple[subprocess.Popen[bytes], Path]:
        """Begin to start.

        :param told: the socket to which the server says that it is ready.
        """
        log = path.with_suffix(f".{len(self.running)}.log")
        with log.open("wb") as stream:
            server = subprocess.Popen(
                [TWISTD, "--nodaemon", "--pidfile=", *options, "mailshare", "-c", str(path)],
                stdout=stream, stderr=subprocess.STDOUT, cwd=self.folder, env={**os.environ, "NOTIFY_SOCKET": told},
            )  # fmt: skip
        self.running.append(server)
        return server, log

    def up(self, path: Path, *options: str) -> tuple[subprocess.Popen[bytes], Path]:
        """Started, and ready."""
        told = f"\0mailshare-{os.getpid()}-{len(self.running)}"  # no file, so that any user may reach it
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind(told)
            ready.settimeout(0.5)
            server, log = self.start(path, *options, told=told.replace("\0", "@"))
            end = time.monotonic() + DEADLINE
            while True:
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < end, log.read_text()
                with contextlib.suppress(TimeoutError):
                    if b"READY=1" in ready.recv(4096):
                        return server, log


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    made = Servers(tmp_path)
    yield made
    for server in made.running:
        if server.poll() is None:
            server.kill()
        server.wait()


def log_in(port: int) -> bytes:
    client = poplib.POP3("127.0.0.1", port, timeout=DEADLINE)
    client.user("joe")
    answer = client.pass_("secret")
    client.quit()
    return answer


@pytest.mark.slow
def test_a_second_server_is_refused_and_a_socket_left_by_a_kill_is_not_in_the_way(
    servers: Servers, free_port: Callable[[], int]
) -> None:
    """One sentence, exit code 1, no traceback; the first serves on; after SIGKILL the next start is as any other."""
    pop3 = free_port()
    first = servers.write(pop3, free_port())
    running, _ = servers.up(first)
    other = servers.write(free_port(), free_port(), name="other")
    other.write_text(other.read_text().replace("var-other", "var-m"))
    second, log = servers.start(other)
    assert second.wait(DEADLINE) == 1
    assert "mailshare cannot start: Another server has this store open" in log.read_text()
    assert "Traceback" not in log.read_text()
    assert log_in(pop3).startswith(b"+OK")
    running.kill()
    running.wait()
    assert (servers.folder / "var-m" / "control").exists()
    lock = servers.folder / "var-m" / "control.lock"
    assert os.readlink(lock) == str(running.pid)
    lock.unlink()
    lock.symlink_to(str(os.getpid()))  # the number of the process is another's now
    servers.up(first)
    assert log_in(pop3).startswith(b"+OK")


@pytest.mark.slow
def test_a_port_in_use_is_one_sentence_and_leaves_nothing_behind(
    servers: Servers, free_port: Callable[[], int]
) -> None:
    """Exit code 1, which a service manager sees; no control socket, no lock that stops the next start."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        path = servers.write(free_port(), port)
        server, log = servers.start(path)
        assert server.wait(DEADLINE) == 1
        assert f"listen.smtp tcp:{port}:interface=127.0.0.1: Address already in use" in log.read_text()
        assert "Traceback" not in log.read_text()
        assert not (servers.folder / "var-m" / "control").exists()
    server, log = servers.up(path)
    server.send_signal(signal.SIGTERM)
    assert server.wait(DEADLINE) == -signal.SIGTERM


@pytest_twisted.ensureDeferred
async def test_a_start_that_fails_leaves_nothing_open_in_this_process(
    tmp_path: Path, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever embeds an office may mend the file and start another one, without stopping the first."""
    monkeypatch.setattr(Office, "_give_up", lambda self: None)
    servers = Servers(tmp_path)
    pop3 = free_port()

    async def started() -> Office:
        config = load_config(str(path))
        office = Office(config, reactor, reload_config=read_again(config, None))
        office.startService()
        assert office.started is not None
        await office.started
        return office

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        path = servers.write(pop3, taken.getsockname()[1])
        failed = await started()
    assert failed.trouble
    assert not failed.up
    path = servers.write(pop3, free_port(), '[[extension]]\nkind = "absent"\n')
    assert "absent" in (await started()).trouble
    path = servers.write(pop3, free_port())
    office = await started()
    assert office.up
    assert (await deferToThread(log_in, pop3)).startswith(b"+OK")
    await office.stopService()


class _Adopting:
    """A reactor that notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def listenTCP(self, port: int, factory: Any, backlog: int, interface: str) -> str:
        self.asked.append(("listen", port, interface))
        return "listening"

    def adoptStreamPort(self, descriptor: int, family: int, factory: Any) -> str:
        with socket.socket(fileno=os.dup(descriptor)) as adopted:
            self.asked.append(("adopt", adopted.getsockname()[1], family))
        return "adopted"


def test_low_ports_are_bound_early_and_handed_over(free_port: Callable[[], int], tmp_path: Path) -> None:
    """Only ports below the border; the rest is the reactor's; what nobody took is closed."""
    low, high = sorted((free_port(), free_port()))
    text = f'[listen]\npop3 = ["tcp:{low}:interface=127.0.0.1"]\nsmtp = ["tcp:{high}:interface=127.0.0.1"]\n'
    config = parse_config(text, str(tmp_path / "m.toml"))
    real = _Adopting()
    early = EarlyPorts(real)
    early.bind(config, below=high)
    with pytest.raises(CannotListenError):
        EarlyPorts(real).bind(config, below=high)
    assert early.listenTCP(low, None, interface="127.0.0.1") == "adopted"
    assert early.listenTCP(high, None, interface="127.0.0.1") == "listening"
    assert real.asked == [("adopt", low, socket.AF_INET), ("listen", high, "127.0.0.1")]
    early.bind(config, below=high)
    early.close()
    early.bind(config, below=high)
    early.close()


class _Roomy:
    """A reactor that notes how many connections may wait."""

    def __init__(self) -> None:
        self.room: list[int] = []

    def listenTCP(self, port: int, factory: Any, backlog: int, interface: str) -> None:
        del port, factory, interface
        self.room.append(backlog)


async def test_many_may_come_at_once(tmp_path: Path) -> None:
    """More than Twisted's 50 may wait to be accepted, unless the endpoint says how many."""
    text = '[listen]\npop3 = ["tcp:8110"]\nsmtp = ["tcp:8025:backlog=7"]\n'
    config = parse_config(text, str(tmp_path / "m.toml"))
    real = _Roomy()
    await Listeners(real, lambda _service, _config: Factory()).prepare(config)
    assert sorted(real.room) == [7, BACKLOG]


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give rights away")
@pytest.mark.skipif(not _open_to_all(sys.base_prefix), reason="other users cannot run this Python")
def test_low_ports_are_served_by_a_user_without_rights(servers: Servers) -> None:
    """``twistd --uid --gid``: ports 1011 and 1012 are bound first, files are opened by that user, and TERM drains."""
    nobody = pwd.getpwnam("nobody")
    path = servers.write(1011, 1012)
    for folder in (servers.folder, *servers.folder.parents):
        if folder.owner() == "root" and str(folder).startswith("/tmp/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    for place in (servers.folder, path, servers.folder / "joe"):
        shutil.chown(place, nobody.pw_uid, nobody.pw_gid)
    server, log = servers.up(path, f"--uid={nobody.pw_uid}", f"--gid={nobody.pw_gid}")
    status = Path(f"/proc/{server.pid}/status").read_text()
    assert f"Uid:\t{nobody.pw_uid}\t" in status
    assert log_in(1011).startswith(b"+OK")
    assert (servers.folder / "var-m" / "store").stat().st_uid == nobody.pw_uid
    server.send_signal(signal.SIGTERM)
    server.wait(DEADLINE)
    assert "mailshare has stopped" in log.read_text()
