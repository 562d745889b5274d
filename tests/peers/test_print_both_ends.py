"""The example with CUPS at both ends: ``lp`` at the desk, and the far queue puts out the very octets."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from real_peers.cups import Cups
from real_peers.office import script
from real_peers.papers import pdf
from real_peers.running import LOOPBACK, ProgramFault, Running, wait_until
from real_peers.warm import finished, spawn

pytestmark = pytest.mark.peers
EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"
PAPER = """
[[destination]]
name = "paper"
address = "dir:paper"
socket = ["tcp:{0}:interface=127.0.0.1"]
"""


def test_a_scheduler_prints_by_mail_on_another(
    program: Callable[[str], str], open_folder: Path, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """From a queue of CUPS through both servers and the provider's mailbox to a queue of CUPS, byte for byte."""
    if os.geteuid():
        pytest.skip("the CUPS scheduler is started by root only")
    program("lpadmin")
    cups, socket = Cups(program("cupsd"), open_folder / "both-ends", free_port()), free_port()
    ports = {each: str(free_port()) for each in ("8112", "8026", "8631", "8515", "9112", "9026", "8113", "8027")}
    servers = []
    for name in ("print_office", "print_branch"):
        text = (EXAMPLES / f"{name}.toml").read_text()
        text = re.sub(r"\b[89]\d{3}\b", lambda found: ports.get(found[0], found[0]), text)
        if name == "print_branch":
            text = text.replace('"dir:paper"', f'"cups://{LOOPBACK}:{cups.port}/printers/far"') + PAPER.format(socket)
        (tmp_path / f"{name}.toml").write_text(text)
        argv = [script("twistd"), "--nodaemon", "--pidfile=", "mailshare", "-c", str(tmp_path / f"{name}.toml")]
        servers.append(Running(argv, tmp_path / f"{name}.log", {}, spawn))
    document = tmp_path / "report.pdf"
    document.write_bytes(pdf(pages=3))
    wanted = hashlib.sha256(document.read_bytes()).hexdigest()

    def out() -> bool:
        for name in ("print_office", "print_branch"):
            finished(script("mailshare"), "-c", tmp_path / f"{name}.toml", "sendreceive", environment=dict(os.environ))
        return any(
            hashlib.sha256(one.read_bytes()).hexdigest() == wanted for one in (tmp_path / "paper").glob("[!.]*")
        )

    try:
        cups.start()
        servers[0].start([int(ports["8631"]), int(ports["9112"])], 60)
        servers[1].start([int(ports["8113"]), socket], 60)
        cups.do("lpadmin", "-p", "far", "-E", "-v", f"socket://{LOOPBACK}:{socket}", "-m", "raw")
        uri = f"ipp://{LOOPBACK}:{ports['8631']}/ipp/print/branch"
        cups.add_everywhere("near", uri)
        cups.do("lp", "-d", "near", "-o", "raw", document)
        try:
            wait_until(out, "the paper", 120, tmp_path / "print_branch.log")
        except ProgramFault as fault:
            said = (open_folder / "both-ends" / "error_log").read_text(errors="replace")[-6000:]
            raise ProgramFault(f"{fault}\nThe scheduler:\n{said}") from fault
    finally:
        for one in (*servers, cups):
            one.stop()
