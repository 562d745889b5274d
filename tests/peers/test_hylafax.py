"""An office sends and receives through a real HylaFAX server, whose modem's calls all come to nothing."""

from __future__ import annotations

import io
import json
import os
import poplib
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from attrs import define
from PIL import Image, ImageSequence
from real_peers.at_modem import AtModem
from real_peers.hylafax import HylaFAX
from real_peers.office import script
from real_peers.running import LOOPBACK, Running, run, wait_until
from real_peers.soft_modems import Exchange
from real_peers.warm import finished, spawn

from mailshare.core.values.fax import Coding, FaxPage
from mailshare.wire.tiff_fax import write_tiff

pytestmark = pytest.mark.peers

CONFIG = """\
[server]
hostname = "mail.office.example"
grace = 1
[listen]
pop3 = ["tcp:{pop3}:interface=127.0.0.1"]
[[account]]
address = "mail@company.example"
collect = "pop3://mail@127.0.0.1:{nobody}?tls=none"
relay = "smtp://mail@127.0.0.1:{nobody}?tls=none"
password = "isp"
threshold = 0
timetable = [{{ days = "mon", from = "00:00", to = "00:01", every = 1440 }}]
[[user]]
name = "ben"
password = "ben"
accounts = ["mail@company.example"]
[fax]
country = "DE"
area = "30"
inbox = ["ben"]
formats = ["pdf", "tiff"]
[[fax_route]]
to = ["ben"]
called = "5550100"
[[fax_line]]
name = "modems"
kind = "hylafax"
channels = 3
options = {{ host = "127.0.0.1", port = {port}, poll = 1, called = 3 }}
secrets = {{ password = {{ file = "password" }}, admin = {{ file = "admin" }} }}
"""


@define
class Place:
    """The server and the office."""

    folder: Path
    server: HylaFAX
    pop3: int
    running: Running

    def do(self, *words: str) -> Any:
        """A command of ours; what it says."""
        done = finished(script("mailshare"), "-c", str(self.folder / "m.toml"), *words, "--json", seconds=120)
        assert done.returncode == 0, (done.stdout + done.stderr).decode()
        return json.loads(done.stdout)

    def start(self) -> None:
        """Start the office, or start it again."""
        self.running.start([self.pop3], 120)
        wait_until((self.folder / "var" / "control").exists, "the office", 60, self.running.log)

    def faxes(self, number: str) -> int:
        """Hand a fax in; its number here."""
        page = self.folder / "page.txt"
        page.write_text("Dear customer,\n\nhere it is.\n")
        return int(self.do("fax", "send", str(page), "--to", number)["faxes"][0])

    def job_of(self, fax: int, queue: str = "-s") -> str:
        """The line of its job in a queue there; empty when there is none."""
        found = [line for line in self.server.faxstat(queue) if re.search(rf"-{fax}-\d+ ", line)]
        assert len(found) < 2, found
        return found[0] if found else ""

    def mails(self, of: str) -> list[Message]:
        """Those of ben with that in their From."""
        box = poplib.POP3(LOOPBACK, self.pop3)
        box.user("ben")
        box.pass_("ben")
        found = [message_from_bytes(b"\r\n".join(box.retr(number + 1)[1])) for number in range(len(box.list()[1]))]
        box.quit()
        return [mail for mail in found if of in str(mail["From"])]

    def waits_for(self, condition: Callable[[], object], what: str) -> None:
        wait_until(condition, what, 180, self.running.log)


def attached(mail: Message, kind: str) -> bytes:
    """The octets of a part."""
    octets = next(part for part in mail.walk() if part.get_content_type() == kind).get_payload(decode=True)
    assert isinstance(octets, bytes)
    return octets


def pixels(tiff: bytes) -> list[tuple[tuple[int, int], bytes]]:
    """Each page as somebody else decodes it."""
    with Image.open(io.BytesIO(tiff)) as pages:
        return [(one.size, one.convert("L").tobytes()) for one in ImageSequence.Iterator(pages)]


@pytest.fixture(scope="module")
def place(
    program: Callable[[str], str],
    open_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    free_port: Callable[[], int],
) -> Iterator[Place]:
    """Both, once for all tests here."""
    if os.geteuid():
        pytest.skip("hfaxd is started by root only")
    program("faxstat")
    server = HylaFAX(open_folder / "hylafax", free_port(), (program("hfaxd"), program("faxq")))
    folder, pop3 = tmp_path_factory.mktemp("fax-office"), free_port()
    (folder / "m.toml").write_text(CONFIG.format(pop3=pop3, nobody=free_port(), port=server.port))
    for name, word in zip(("password", "admin"), server.words, strict=True):
        (folder / name).write_text(word)
        (folder / name).chmod(0o600)
    argv = [script("twistd"), "--nodaemon", "--pidfile=", "mailshare", "-c", str(folder / "m.toml")]
    made = Place(folder, server, pop3, Running(argv, folder / "server.log", {}, spawn))
    try:
        server.start()
        made.start()
        yield made
    finally:
        made.running.stop()
        server.stop()


def test_jobs_wait_in_its_queue_and_are_found_again(place: Place) -> None:
    """Its own command lists them with our key; a kill of the office doubles none; cancelled ones end there."""
    first, second = place.faxes("0301111117"), place.faxes("0301111118")
    place.waits_for(lambda: place.job_of(first) and place.job_of(second), "both jobs")
    assert re.fullmatch(rf"\d+ W [0-9a-f]{{16}}-{first}-1 \+49301111117", place.job_of(first))
    place.running.kill()
    place.start()
    place.do("fax", "cancel", str(second))
    place.waits_for(lambda: place.job_of(second, "-d"), "the end of the second")
    assert place.job_of(second, "-d").endswith("Job aborted by request")
    assert place.do("fax", "show", str(second))["state"] == "cancelled"
    place.running.stop()
    assert place.job_of(first).split()[1] == "W"
    place.start()
    with_modem(place, first)


def with_modem(place: Place, waiting: int) -> None:
    """The modem calls for the job that outlived a kill and a stop, and once for each fax after it."""
    modem = AtModem({"1117": "BUSY", "1119": "NO ANSWER"})
    try:
        place.server.configure(modem.name)
        place.server.add_modem(modem.name)
        silent = place.faxes("0301111119")
        for fax, cause in ((waiting, "busy"), (silent, "no-answer")):
            place.waits_for(lambda fax=fax: place.do("fax", "show", str(fax))["calls"], f"the call of fax {fax}")
            [call] = place.do("fax", "show", str(fax))["calls"]
            assert (call["cause"], call["line"]) == (cause, "modems")
            assert place.job_of(fax, "-d").split()[1] == "F"
        assert sorted(modem.dialled) == ["DT1111117", "DT1111119"]  # as this place dials
        assert place.do("fax", "lines")[0]["calls"] >= 2
        for fax in (waiting, silent):
            place.do("fax", "cancel", str(fax))  # no other call shall come of them in the tests behind
    finally:
        modem.close()


def test_what_it_received_is_a_mail_and_is_gone_there(place: Place, program: Callable[[str], str]) -> None:
    """The file is as HylaFAX leaves it: its own user's alone, with station and caller in its description."""
    page = FaxPage(1728, 1, 204, 196, Coding.MMR, bytes.fromhex("80080080"))
    path = place.folder / "fax00007.tif"
    path.write_bytes(write_tiff([page, page]))
    text = "+49 30 77\n0307777777\nSmith\n5550100"
    subprocess.run([program("tiffset"), "-s", "270", text, path], check=True)
    there = place.server.folder / "recvq" / path.name
    shutil.copy(path, there)
    there.chmod(0o600)
    run("chown", "uucp:uucp", there)
    place.waits_for(lambda: not there.exists(), "the fax to be taken away")
    [came] = place.mails("0307777777")
    assert "+49 30 77" in came.get_payload(0).get_payload()
    (place.folder / "came.pdf").write_bytes(attached(came, "application/pdf"))
    assert b"Pages:           2" in run(program("pdfinfo"), place.folder / "came.pdf")


@pytest.mark.nightly
def test_pages_go_over_a_real_call_and_come_back_as_a_mail(place: Place, program: Callable[[str], str]) -> None:
    """Two modems of spandsp, joined in sound: HylaFAX sends over one what is handed in, and answers at the other."""
    exchange, gettys = Exchange(), list[Running]()
    try:
        for modem in exchange.modems:
            place.server.configure(modem.name, flow="xonxoff")
            argv = [program("faxgetty"), "-q", str(place.server.folder), modem.device.removeprefix("/dev/")]
            gettys.append(Running(argv, place.server.folder.parent / "getty.log"))
            gettys[-1].start()
        for modem in exchange.modems:
            status = place.server.folder / "status" / modem.name
            place.waits_for(lambda status=status: status.exists() and "idle" in status.read_text(), "faxgetty")
        fax = place.faxes("0301111150")
        place.waits_for(lambda: place.job_of(fax), "the job")
        [document] = (place.server.folder / "docq").glob(f"doc*.{place.job_of(fax).split()[0]}")
        sent = document.read_bytes()
        place.waits_for(lambda: place.do("fax", "show", str(fax))["state"] == "delivered", "the page to arrive")
        place.waits_for(lambda: place.mails("49305550100"), "the mail")
        [came] = place.mails("49305550100")
        [call] = place.do("fax", "show", str(fax))["calls"]
        assert (exchange.calls, call["X-Fax-Pages"]) == (1, "1/1")
        assert (call["X-Fax-Rate"], call["X-Fax-Ecm"], call["X-Fax-Remote-Id"]) == ("14400", "yes", "+49305550100")
        assert pixels(attached(came, "image/tiff")) == pixels(sent)
    finally:
        for getty in gettys:
            getty.kill()
        exchange.close()


def test_no_word_stands_in_any_log(place: Place) -> None:
    """Neither of ours nor of the server's."""
    logs = place.running.log.read_text() + "".join(one.read_text() for one in place.server.folder.parent.glob("*.log"))
    assert not any(word in logs for word in place.server.words)
