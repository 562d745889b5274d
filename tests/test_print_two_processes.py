"""The example: a desk and a branch in two processes, a mail account between them; killed at odd moments, each job comes
out once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest
from attrs import define, field
from real_peers.warm import Forked, finished, spawn

from mailshare.wire.ipp_codec import decode, encode
from mailshare.wire.ipp_codes import Operation, Status
from mailshare.wire.ipp_values import Attribute, Group, Message, Tag, Value, integer, name_of, uri

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
BIN = Path(sys.executable).parent
DEADLINE = 120.0
READY = "mailshare is ready"


@define
class Servers:
    """Both processes."""

    folder: Path
    ipp: int
    running: dict[str, Forked] = field(factory=dict)

    def start(self, name: str) -> None:
        """Start one, and wait until it answers."""
        words = [str(BIN / "twistd"), "--nodaemon", "--pidfile=", "mailshare", "-c", str(self.folder / f"{name}.toml")]
        log = self.folder / f"{name}.log"
        before = log.read_text().count(READY) if log.exists() else 0
        self.running[name] = spawn(words, log, dict(os.environ))
        until = time.monotonic() + DEADLINE
        while log.read_text().count(READY) == before:
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)

    def command(self, name: str, *words: str) -> subprocess.CompletedProcess[bytes]:
        """A command of the office."""
        return finished(BIN / "mailshare", "-c", self.folder / f"{name}.toml", *words, environment=dict(os.environ))

    def kill(self, name: str) -> None:
        """As the power is cut."""
        process = self.running.pop(name)
        process.kill()
        process.wait(DEADLINE)

    def ask(self, code: int, *attributes: Attribute, data: bytes = b"") -> Message:
        """An IPP request at the desk."""
        place = f"127.0.0.1:{self.ipp}/ipp/print/branch"
        common = (
            Attribute("attributes-charset", (Value(Tag.CHARSET, "utf-8"),)),
            Attribute("attributes-natural-language", (Value(Tag.LANGUAGE, "en"),)),
            uri("printer-uri", f"ipp://{place}"),
        )
        octets = encode(Message((2, 0), code, 1, (Group(Tag.OPERATION, (*common, *attributes)),))) + data
        until = time.monotonic() + DEADLINE
        while True:
            try:
                request = Request(f"http://{place}", octets, {"Content-Type": "application/ipp"})
                with urlopen(request, timeout=30) as answer:
                    return decode(answer.read())[0]
            except URLError:
                assert time.monotonic() < until
                time.sleep(0.1)

    def print(self, data: bytes) -> int:
        """Print-Job; its job-id."""
        answer = self.ask(Operation.PRINT_JOB, name_of("job-name", "Report"), data=data)
        assert answer.code == Status.OK
        found = answer.group(Tag.JOB).get("job-id")
        assert found is not None
        return int(found.first.number)

    def state(self, number: int) -> int:
        """``job-state`` of a job."""
        found = self.ask(Operation.GET_JOB_ATTRIBUTES, integer("job-id", number)).group(Tag.JOB).get("job-state")
        assert found is not None
        return int(found.first.number)

    def paper(self) -> list[bytes]:
        """What came out at the branch."""
        return [path.read_bytes() for path in sorted(self.folder.glob("paper/*.pdf"))]


@pytest.fixture
def servers(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Servers]:
    """Both from the examples, on free ports."""
    ports = {each: free_port() for each in (8112, 8026, 8631, 8515, 9112, 9026, 8113, 8027)}
    for name in ("print_office", "print_branch"):
        text = (EXAMPLES / f"{name}.toml").read_text()
        text = re.sub(r"\b(8\d{3}|9\d{3})\b", lambda found: str(ports.get(int(found[1]), found[1])), text)
        (tmp_path / f"{name}.toml").write_text(text.replace("part_size = 1000000", "part_size = 70000"))
    made = Servers(tmp_path, ports[8631])
    made.start("print_office")
    made.start("print_branch")
    yield made
    for process in made.running.values():
        process.terminate()
        process.wait(DEADLINE)
    for log in tmp_path.glob("*.log"):
        assert "Traceback" not in log.read_text()


def paper(octets: int) -> bytes:
    """A PDF of one page that no other is like, so long."""
    noise = os.urandom(octets // 2).hex().encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R >>",
        b"<< /Length %d >>\nstream\n%% %s\nendstream" % (len(noise) + 2, noise),
    ]
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, one in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(out)
    out += b"xref\n0 5\n0000000000 65535 f \n" + table
    return bytes(out + b"trailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start)


def test_each_job_comes_out_once_whatever_is_killed(servers: Servers) -> None:
    """The branch is killed while it collects, joins and prints; then all have their paper, and the desk knows."""
    documents, numbers = [], []
    for delay in (None, 0.02, 0.12, 0.3):
        documents.append(paper(200_000))
        numbers.append(servers.print(documents[-1]))
        servers.command("print_office", "sendreceive")
        if delay is None:
            continue
        pressing = threading.Thread(target=servers.command, args=("print_branch", "sendreceive"))
        pressing.start()
        time.sleep(0.1 + delay)  # the command itself takes a moment to begin
        servers.kill("print_branch")
        pressing.join(DEADLINE)
        servers.start("print_branch")
    until = time.monotonic() + DEADLINE
    while {servers.state(number) for number in numbers} != {9}:
        assert time.monotonic() < until, servers.command("print_branch", "log").stdout.decode()
        for name in ("print_branch", "print_office"):
            servers.command(name, "sendreceive")
    assert sorted(servers.paper()) == sorted(documents)
