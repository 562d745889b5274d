"""Our server as its users run it: ``twistd mailshare -c FILE`` in a process of its own, asked by its own command."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomlkit
from attrs import define, field
from real_peers.clients import Server
from real_peers.provider import Certificates, Provider
from real_peers.running import ProgramFault, Running, Spawn
from real_peers.warm import finished, spawn

PEOPLE = ("andrew", "greg", "carolyn")
PASSWORD = "office-secret"


def script(name: str) -> str:
    """A console script of the environment that the tests run in."""
    return str(Path(sys.executable).with_name(name))


def shared_account(
    provider: Provider, *, tls: str = "implicit", address: str = "mail@company.example", **more: Any
) -> dict[str, Any]:
    """An ``[[account]]`` at the provider; its login is ``mail``."""
    implicit = tls == "implicit"
    collect = provider.dovecot.pop3s if implicit else provider.dovecot.pop3
    relay = provider.postfix.submissions if implicit else provider.postfix.submission
    return {
        "address": address,
        "collect": f"pop3{'s' if implicit else ''}://mail@localhost:{collect}?ca={provider.authority}",
        "relay": f"submission{'s' if implicit else ''}://mail@localhost:{relay}?ca={provider.authority}",
        "password": {"env": "PROVIDER_PASSWORD"},
        "timetable": [{"every": 1}],
        **more,
    }


def person(name: str, *accounts: str, **more: Any) -> dict[str, Any]:
    """A ``[[user]]``; the password is the same for all."""
    return {"name": name, "accounts": list(accounts), "password": {"env": "OFFICE_PASSWORD"}, **more}


@define
class Office:
    """One server.

    :ivar spawn: starts the server; with ``None`` it imports everything itself, as one that is installed does.
    :ivar accounts: ``[[account]]`` tables; ``users`` ``[[user]]`` tables; ``more`` further top-level tables.
    """

    folder: Path
    certificates: Certificates
    ports: Mapping[str, int]
    accounts: Sequence[Mapping[str, Any]] = ()
    users: Sequence[Mapping[str, Any]] = ()
    more: Mapping[str, Any] = field(factory=dict)
    running: Running | None = None
    spawn: Spawn | None = spawn

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "mailshare.toml"

    @property
    def environment(self) -> dict[str, str]:
        """What the file's references lead to."""
        return {"PROVIDER_PASSWORD": "secret", "OFFICE_PASSWORD": PASSWORD, "PYTHONUNBUFFERED": "1"}

    def write(self) -> None:
        """Write the configuration file and the certificate folder."""
        certs = self.folder / "certs"
        certs.mkdir(exist_ok=True, parents=True)
        (certs / "localhost.pem").write_bytes(self.certificates.both.read_bytes())
        plain = {name: [f"tcp:{self.ports[name]}:interface=127.0.0.1"] for name in ("pop3", "smtp")}
        secure = {name: [f"tls:certs:{self.ports[name]}:interface=127.0.0.1"] for name in ("pop3s", "submissions")}
        tables = {
            "server": {"hostname": "mail.office.example", "data": "var"},
            "listen": {"certificates": "certs", **plain, **secure},
            **self.more,
            "account": list(self.accounts),
            "user": list(self.users),
        }
        self.config.write_text(tomlkit.dumps(tables))

    def start(self) -> None:
        """Start it and wait for its ports."""
        if self.running is None:
            self.write()
        argv = [script("twistd"), "--nodaemon", "--pidfile=", "mailshare", "-c", str(self.config)]
        self.running = Running(argv, self.folder / "server.log", self.environment, self.spawn)
        self.running.start(list(self.ports.values()), 180)

    def kill(self) -> None:
        """SIGKILL."""
        assert self.running is not None
        self.running.kill()

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        return self.running.stop() if self.running is not None else 0

    def log(self) -> str:
        """What it printed."""
        return (self.folder / "server.log").read_text(errors="replace")

    def command(self, *words: str) -> str:
        """``mailshare -c FILE ...`` against the running server."""
        return self._done(*words, data=b"")

    def command_in(self, *words: str, data: str) -> str:
        """The same, with something to read from its standard input."""
        return self._done(*words, data=data.encode() + b"\n")

    def _done(self, *words: str, data: bytes) -> str:
        argv = [script("mailshare"), "-c", self.config, *words]
        done = finished(*argv, data=data, environment=self.environment, seconds=400)
        if done.returncode:
            raise ProgramFault(f"{argv[0]} ended with {done.returncode}\n{(done.stdout + done.stderr).decode()}")
        return done.stdout.decode()

    def command_started(self, *words: str) -> subprocess.Popen[bytes]:
        """The same, without waiting for its end."""
        argv = [script("mailshare"), "-c", str(self.config), *words]
        return subprocess.Popen(argv, stdout=subprocess.DEVNULL, env={**os.environ, **self.environment})

    def ask_quietly(self, act: str) -> threading.Thread:
        """Ask for ``sendreceive`` over the control socket without the cost of a command; whatever comes is ignored."""
        path = {"sendreceive": "/api/v1/sendreceive"}[act]
        fields = "Host: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n"
        text = f"POST {path} HTTP/1.1\r\n{fields}\r\n{{}}"

        def ask() -> None:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as control:
                control.settimeout(90)
                control.connect(str(self.folder / "var" / "control"))
                control.sendall(text.encode())
                while control.recv(4096):
                    pass

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        return thread

    def asked(self, *words: str) -> Any:
        """The same with ``--json``, read."""
        return json.loads(self.command(*words, "--json"))

    def sendreceive(self) -> Any:
        """Collect and send now, and wait for the end."""
        return self.asked("sendreceive")

    def pop3(self, tls: str, user: str) -> Server:
        """How somebody reads."""
        port = self.ports["pop3s" if tls == "implicit" else "pop3"]
        return Server(port, tls, user, PASSWORD, self.certificates.authority)

    def smtp(self, tls: str, user: str) -> Server:
        """How somebody sends."""
        port = self.ports["submissions" if tls == "implicit" else "smtp"]
        return Server(port, tls, user, PASSWORD, self.certificates.authority)

    def memory(self) -> int:
        """Octets of memory that are this process's own: private pages, and its share of the others."""
        assert self.running is not None
        rollup = Path(f"/proc/{self.running.pid}/smaps_rollup").read_text()
        return next(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))
