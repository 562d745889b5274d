"""Real clients print to us: ipptool's suites, a CUPS scheduler over ipp, lpd and socket, and rlpr.

``docs/interoperability.md`` has the table of scores; this file holds it to the truth.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from attrs import define
from real_peers.cups import Cups
from real_peers.office import script
from real_peers.papers import pdf, suite
from real_peers.provider import Certificates
from real_peers.running import LOOPBACK, Running, run, wait_until
from real_peers.warm import spawn

pytestmark = pytest.mark.peers

TESTS = Path("/usr/share/cups/ipptool")
SCORES = Path(__file__).resolve().parents[2] / "docs" / "interoperability.md"
# Names that ipp-1.1.test skips by and never defines itself: it looks
# for print-quality where print-quality-supported is.
QUALITIES = [f"OPTIONAL_{word}_QUALITY=1" for word in ("DRAFT", "NORMAL", "HIGH")]


@define
class Printer:
    """An office that prints into a folder."""

    folder: Path
    ipp: int
    lpd: int
    socket: int
    running: Running

    @property
    def uri(self) -> str:
        """Of its only queue."""
        return f"ipp://{LOOPBACK}:{self.ipp}/ipp/print/office"

    def printed(self, count: int) -> list[str]:
        """SHA-256 of the files in the folder, once there are so many."""
        out = self.folder / "out"

        def there() -> bool:
            return out.is_dir() and len([one for one in out.iterdir() if one.name[0] != "."]) >= count

        wait_until(there, f"{count} printed files", 60, self.folder / "server.log")
        return sorted(hashlib.sha256(one.read_bytes()).hexdigest() for one in out.iterdir())


@pytest.fixture
def printer(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Printer]:
    """The office."""
    ipp, lpd, socket = free_port(), free_port(), free_port()
    folder = tmp_path / "office"
    folder.mkdir()
    (folder / "m.toml").write_text(
        f"""\
[server]
hostname = "print.example"
[listen]
ipp = ["tcp:{ipp}:interface=127.0.0.1"]
lpd = ["tcp:{lpd}:interface=127.0.0.1"]
[print]
fetch_from = ["127.0.0.1"]
[[destination]]
name = "office"
title = "Office printer"
location = "Room 1"
address = "dir:out"
resolutions = [150, 180, 300, 360, 600, 720]
socket = ["tcp:{socket}:interface=127.0.0.1"]
"""
    )
    argv = [script("twistd"), "--nodaemon", "--pidfile=", "mailshare", "-c", str(folder / "m.toml")]
    running = Running(argv, folder / "server.log", {}, spawn)
    running.start([ipp, lpd, socket], 60)
    yield Printer(folder, ipp, lpd, socket, running)
    running.stop()


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    """The folder in which ipptool runs."""
    suite(tmp_path / "suite", TESTS)
    return tmp_path / "suite"


@pytest.fixture
def web(papers: Path) -> Iterator[str]:
    """Where Print-URI fetches a document from."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((LOOPBACK, 0), partial(Quiet, directory=str(papers)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://{LOOPBACK}:{server.server_port}/document-a4.pdf"
    server.shutdown()
    thread.join()
    server.server_close()


def scores() -> dict[str, tuple[str, int, int, int]]:
    """File to ``(version, passed, failed, skipped)`` as the page tells them."""
    rows = re.findall(r"^\| `(\S+\.test)` \| (\S+) \| (\d+) / (\d+) / (\d+) \|", SCORES.read_text(), re.MULTILINE)
    return {name: (version, int(passed), int(failed), int(skipped)) for name, version, passed, failed, skipped in rows}


def ipptool(tool: str, uri: str, name: str, version: str, papers: Path, web: str, *more: str) -> tuple[int, int, int]:
    """Run one file; how many tests passed, failed and were skipped."""
    defined = [word for one in (f"document-uri={web}", *QUALITIES) for word in ("-d", one)]
    argv = [tool, "-V", version, "-tIR", "-T", "60", "-f", "document-a4.pdf", *defined, *more, uri, name]
    said = subprocess.run(argv, cwd=papers, capture_output=True, text=True, check=False, timeout=600).stdout
    found = {word: len(re.findall(rf"\[{word}\]", said)) for word in ("PASS", "FAIL", "SKIP")}
    assert not found["FAIL"], said[-8000:]
    return found["PASS"], found["FAIL"], found["SKIP"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ipp-2.2.test", "ipp-everywhere.test"])
def test_ipptool_scores(name: str, program: Callable[[str], str], printer: Printer, papers: Path, web: str) -> None:
    """What the page promises; 2.2 runs the files of 1.1, 2.0 and 2.1 too."""
    version, *promised = scores()[name]
    assert ipptool(program("ipptool"), printer.uri, name, version, papers, web) == tuple(promised)


@pytest.mark.parametrize("how", ["-c", "-L"])
def test_chunked_and_with_a_length(
    how: str, program: Callable[[str], str], printer: Printer, papers: Path, web: str
) -> None:
    """Ipptool sends chunks (-c) or a length (-L); what it sent lies in the folder."""
    tool = program("ipptool")
    assert ipptool(tool, printer.uri, "print-job.test", "2.0", papers, web, how)[1:] == (0, 0)
    assert printer.printed(1) == [hashlib.sha256((papers / "document-a4.pdf").read_bytes()).hexdigest()]


@pytest.mark.parametrize("name", ["print-job-gzip.test", "print-job-deflate.test"])
def test_compressed_documents(
    name: str, program: Callable[[str], str], printer: Printer, papers: Path, web: str
) -> None:
    """What came compressed lies in the folder as it was before."""
    assert ipptool(program("ipptool"), printer.uri, name, "2.0", papers, web)[1:] == (0, 0)
    assert printer.printed(1) == [hashlib.sha256((papers / "document-a4.pdf").read_bytes()).hexdigest()]


@pytest.fixture
def cups(open_folder: Path, program: Callable[[str], str], free_port: Callable[[], int]) -> Iterator[Cups]:
    """A scheduler."""
    if os.geteuid():
        pytest.skip("the CUPS scheduler is started by root only")
    program("lpadmin")
    server = Cups(program("cupsd"), open_folder / "cups", free_port())
    server.start()
    yield server
    server.stop()


def test_cups_prints_over_ipp_lpd_and_socket(cups: Cups, printer: Printer, tmp_path: Path) -> None:
    """CUPS makes a queue by asking the printer, and prints; raw queues hand on the very octets."""
    document = tmp_path / "report.pdf"
    document.write_bytes(pdf())
    cups.add_everywhere("everywhere", f"ipp://{LOOPBACK}:{printer.ipp}/ipp/print/office")
    raw_queues = {
        "lpd": f"lpd://{LOOPBACK}:{printer.lpd}/office?reserve=none",
        "socket": f"socket://{LOOPBACK}:{printer.socket}",
    }
    for name, uri in raw_queues.items():
        cups.do("lpadmin", "-p", name, "-E", "-v", uri, "-m", "raw")
    for number, name in enumerate(("everywhere", *raw_queues), 1):
        raw = ["-o", "raw"] if name == "everywhere" else []
        cups.print("-d", name, "-t", f"Report {number}", *raw, document)
        assert printer.printed(number)[:1] == [hashlib.sha256(document.read_bytes()).hexdigest()]
    assert len(set(printer.printed(3))) == 1
    # Its own filters make another PDF of it, which is what a program's print dialog sends.
    cups.print("-d", "everywhere", "-o", "sides=two-sided-long-edge", document)
    assert len(printer.printed(4)) == 4


def test_cups_lists_our_queues(program: Callable[[str], str], printer: Printer) -> None:
    """Lpstat -h asks us as if we were a scheduler."""
    said = run(program("lpstat"), "-h", f"{LOOPBACK}:{printer.ipp}", "-v")
    assert b"office" in said


def test_rlpr_prints_several_files_on_one_connection(
    program: Callable[[str], str], printer: Printer, tmp_path: Path
) -> None:
    """Two jobs, two files; rlpq tells, and a queue that is not there is refused."""
    first, second = tmp_path / "one.pdf", tmp_path / "two.pdf"
    first.write_bytes(pdf(pages=1))
    second.write_bytes(pdf(pages=2))
    to = ["-N", "-H", LOOPBACK, f"--port={printer.lpd}"]
    run(program("rlpr"), *to, "-P", "office", "--copies=2", first, second)
    wanted = sorted(hashlib.sha256(one.read_bytes()).hexdigest() for one in (first, second))
    assert printer.printed(2) == wanted
    said = subprocess.run(
        [program("rlpr"), *to, "-P", "nowhere", str(first)], capture_output=True, text=True, check=False, timeout=60
    )
    assert said.returncode != 0


def test_inside_tls(
    program: Callable[[str], str],
    certificates: Certificates,
    papers: Path,
    tmp_path: Path,
    free_port: Callable[[], int],
) -> None:
    """From the first octet, the printer's URIs being those of ipps, and by HTTP Upgrade; both print into the folder."""
    port, plain, folder = free_port(), free_port(), tmp_path / "office"
    (folder / "certs").mkdir(parents=True)
    (folder / "certs" / "localhost.pem").write_bytes(certificates.both.read_bytes())
    (folder / "m.toml").write_text(
        f"""\
[listen]
certificates = "certs"
ipp = ["tcp:{plain}:interface=127.0.0.1"]
ipps = ["tls:certs:{port}:interface=127.0.0.1"]
[[destination]]
name = "office"
address = "dir:out"
"""
    )
    argv = [script("twistd"), "--nodaemon", "--pidfile=", "mailshare", "-c", str(folder / "m.toml")]
    running = Running(argv, folder / "server.log", {}, spawn)
    running.start([port, plain], 60)
    try:
        printer = Printer(folder, port, 0, 0, running)
        uri = f"ipps://localhost:{port}/ipp/print/office"
        # ipptool 2.4.2 gets no answer inside TLS when it is given a time limit (-T), so it is given none.
        words = [program("ipptool"), "-tI", "-f", papers / "document-a4.pdf", uri, TESTS / "print-job.test"]
        assert b"[PASS]" in run(*words, seconds=60)
        assert printer.printed(1) == [hashlib.sha256((papers / "document-a4.pdf").read_bytes()).hexdigest()]
        # B-5.1 of the self-certification's DNS-SD part: -E wants TLS, and asks for it by Upgrade (RFC 2817).
        words[1:2] = ["-E", "-tI"]
        upgraded = run(*words[:-2], f"ipp://localhost:{plain}/ipp/print/office", words[-1], seconds=60)
        assert b"[PASS]" in upgraded
        assert len(printer.printed(2)) == 2
        said = run(program("ipptool"), "-tv", uri, TESTS / "get-printer-attributes.test", seconds=60).decode()
        both = f"{uri},ipp://localhost:{plain}/ipp/print/office"
        assert re.search(r"uri-security-supported \(1setOf keyword\) = tls,none", said)
        assert f"printer-uri-supported (1setOf uri) = {both}" in said
        browser = [program("curl"), "--silent", "--show-error", "--noproxy", "*", "--cacert", certificates.authority]
        assert b"office" in run(*browser, f"https://localhost:{port}/", seconds=60)
    finally:
        running.stop()
