"""The server is killed while printers print: what it said yes to comes out once, or it says that nobody knows."""

from __future__ import annotations

import http.client
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from real_peers.office import script
from real_peers.running import LOOPBACK, Running, wait_until
from real_peers.warm import spawn

from mailshare.wire.ipp_codec import decode, encode
from mailshare.wire.ipp_codes import Operation, Status
from mailshare.wire.ipp_values import Attribute, Group, Message, Tag, Value, name_of, uri

pytestmark = [pytest.mark.peers, pytest.mark.slow]
KILLS = int(os.environ.get("MAILSHARE_DEVICE_KILLS", "3"))
# The printer is a process of its own, so that it lives on; it writes a line for each copy that comes out.
PRINTER = """\
import sys
from twisted.internet import reactor
from mailshare.testing.pretend_printer import PretendPrinter

class Telling(PretendPrinter):
    def _print(self, job):
        super()._print(job)
        with open(sys.argv[2], "a") as paper:
            paper.write(job.document.split(b"\\n", 2)[1][1:].decode() + "\\n")

reactor.listenTCP(int(sys.argv[1]), Telling(in_steps=sys.argv[3] == "two").site(), interface="127.0.0.1")
reactor.run()
"""


def print_job(port: int, queue: str, name: str) -> bool:
    """Print a document that begins with its name; True when the answer says that it was taken."""
    operation = (
        Attribute("attributes-charset", (Value(Tag.CHARSET, "utf-8"),)),
        Attribute("attributes-natural-language", (Value(Tag.LANGUAGE, "en"),)),
        uri("printer-uri", f"ipp://{LOOPBACK}:{port}/ipp/print/{queue}"),
        name_of("job-name", name),
    )
    body = encode(Message((2, 0), Operation.PRINT_JOB, 1, (Group(Tag.OPERATION, operation),)))
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=20)
    try:
        document = f"%PDF-1.4\n%{name}\n".encode() + bytes(300_000)
        connection.request("POST", f"/ipp/print/{queue}", body + document, {"Content-Type": "application/ipp"})
        return decode(connection.getresponse().read())[0].code == Status.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def test_kills_while_printers_print(tmp_path: Path, free_port: Callable[[], int]) -> None:
    """A printer that names jobs first, and one that does not; jobs for both, killed at any moment."""
    port, paper = free_port(), tmp_path / "paper"
    devices = {"two": free_port(), "one": free_port()}
    places = "".join(
        f'[[destination]]\nname = "{steps}"\naddress = "ipp://{LOOPBACK}:{device}/ipp/print"\n'
        for steps, device in devices.items()
    )
    (tmp_path / "m.toml").write_text(f'[listen]\nipp = ["tcp:{port}:interface=127.0.0.1"]\n{places}')
    (tmp_path / "printer.py").write_text(PRINTER)
    printers = {
        device: Running(
            [sys.executable, str(tmp_path / "printer.py"), str(device), str(paper), steps],
            tmp_path / f"{steps}.log",
            {},
        )
        for steps, device in devices.items()
    }
    argv = [script("twistd"), "--nodaemon", "--pidfile=", "mailshare", "-c", str(tmp_path / "m.toml")]
    server = Running(argv, tmp_path / "server.log", {}, spawn)
    chance = random.Random(20_261_121)
    taken: list[str] = []
    for device, printer in printers.items():
        printer.start([device], 60)
    server.start([port], 60)

    def jobs() -> dict[str, Any]:
        said = subprocess.run(
            [script("mailshare"), "-c", str(tmp_path / "m.toml"), "jobs", "--all", "--json"],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        return {one["name"]: one for one in json.loads(said.stdout)}

    try:
        for number in range(KILLS):
            for count in range(8):
                queue = ("two", "one")[count % 2]
                if print_job(port, queue, name := f"{queue}-{number}-{count}"):
                    taken.append(name)
            time.sleep(chance.uniform(0.0, 0.3))  # any moment will do: this is no wait for something
            server.kill()
            server.start([port], 60)
        assert len(taken) > KILLS
        wait_until(
            lambda: all(one["word"] in ("done", "unknown") for name, one in jobs().items() if name in taken),
            "the end of all jobs",
            120,
            tmp_path / "server.log",
        )
        printed, found = Counter(paper.read_text().split()), jobs()
        assert {name: count for name, count in printed.items() if count > 1} == {}
        assert {name for name in taken if found[name]["word"] == "done"} <= set(printed)
        assert {name for name in taken if name.startswith("two")} <= set(printed)
    finally:
        for running in (server, *printers.values()):
            running.stop()
