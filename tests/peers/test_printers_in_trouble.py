"""Other people's printers that are off, open, out of paper, busy, or stop in the middle: what jobs and people hear.

The printer is CUPS' ippeveprinter, whose own program says what it lacks; the queue is one of a CUPS scheduler.
"""

from __future__ import annotations

import hashlib
import json
import os
import poplib
import smtplib
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from attrs import define
from real_peers.cups import Cups
from real_peers.eve_printer import EvePrinter
from real_peers.office import script
from real_peers.papers import pdf
from real_peers.running import LOOPBACK, ProgramFault, Running, wait_until
from real_peers.warm import finished, spawn

pytestmark = pytest.mark.peers
FILE = """\
[server]
hostname = "print.example"
[listen]
smtp = ["tcp:{smtp}:interface=127.0.0.1"]
pop3 = ["tcp:{pop3}:interface=127.0.0.1"]
[[account]]
address = "mail@company.example"
[[user]]
name = "anna"
password = "anna"
accounts = ["mail@company.example"]
[[user]]
name = "kate"
password = "kate"
[[destination]]
name = "eve"
address = "ipp://localhost:{eve}/ipp/print"
[[destination]]
name = "queue"
address = "cups://127.0.0.1:{cups}/printers/far"
[[destination]]
name = "paper"
address = "dir:paper"
socket = ["tcp:{socket}:interface=127.0.0.1"]
[[printer]]
name = "Front"
addresses = ["front@company.example"]
device = "ipp://localhost:{eve}/ipp/print"
tags = ["let-me-in"]
[printer.contacts]
key = ["kate"]
"""


@define
class Site:
    """The office, the printer and the queue."""

    folder: Path
    eve: EvePrinter
    cups: Cups
    office: Running
    ports: dict[str, int]
    papers: int = 0

    @property
    def log(self) -> Path:
        """Of the office."""
        return self.folder / "server.log"

    def do(self, *words: str, code: int = 0) -> str:
        """A command of ours, which ends with that code; what it says."""
        argv = (script("mailshare"), "-c", self.folder / "m.toml", *words)
        done = finished(*argv, environment=dict(os.environ))
        assert done.returncode == code, (done.stdout + done.stderr).decode()
        return done.stdout.decode()

    def document(self) -> tuple[Path, str]:
        """A document like no other, and its digest."""
        self.papers += 1
        path = self.folder / f"paper-{self.papers}.pdf"
        path.write_bytes(pdf(pages=1 + self.papers))
        return path, hashlib.sha256(path.read_bytes()).hexdigest()

    def print(self, to: str) -> tuple[int, str]:
        """Print a document; the job's number, and the document's digest."""
        path, digest = self.document()
        return json.loads(self.do("print", str(path), "--to", to, "--json"))["id"], digest

    def job(self, number: int) -> dict[str, Any]:
        """As ``mailshare job show`` has it."""
        found: dict[str, Any] = json.loads(self.do("job", "show", str(number), "--json"))
        return found

    def until(self, number: int, wanted: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """The job once that is so."""
        seen: list[dict[str, Any]] = []

        def so() -> bool:
            seen.append(self.job(number))
            return wanted(seen[-1])

        try:
            wait_until(so, what, 90, self.log)
        except ProgramFault as fault:
            raise AssertionError(json.dumps(seen[-1], indent=1)) from fault
        return seen[-1]

    def done(self, number: int) -> dict[str, Any]:
        """The job when it is printed."""
        return self.until(number, lambda job: job["over"], f"the end of job {number}")

    def mails(self, user: str) -> list[EmailMessage]:
        """What lies in somebody's mailbox."""
        box = poplib.POP3(LOOPBACK, self.ports["pop3"], timeout=60)
        box.user(user)
        box.pass_(user)
        found = [b"\r\n".join(box.retr(number + 1)[1]) for number in range(box.stat()[0])]
        box.quit()
        made = [message_from_bytes(one, policy=policy.default) for one in found]
        return [one for one in made if isinstance(one, EmailMessage)]

    def mailed(self, user: str, words: str) -> EmailMessage:
        """The mail with these words, once it is there."""
        found: list[EmailMessage] = []

        def there() -> bool:
            found[:] = [one for one in self.mails(user) if words in one.as_string()]
            return bool(found)

        try:
            wait_until(there, f"a mail to {user}: {words}", 90, self.log)
        except ProgramFault as fault:
            raise AssertionError([one.as_string() for one in self.mails(user)]) from fault
        return found[0]

    def paper(self) -> list[str]:
        """SHA-256 of what the queue has put out."""
        files = (self.folder / "paper").glob("[!.]*") if (self.folder / "paper").is_dir() else []
        return [hashlib.sha256(one.read_bytes()).hexdigest() for one in files]


@pytest.fixture(scope="module")
def site(
    program: Callable[[str], str],
    open_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    free_port: Callable[[], int],
) -> Iterator[Site]:
    """All of it, once for all tests here."""
    if os.geteuid():
        pytest.skip("the CUPS scheduler is started by root only")
    folder = tmp_path_factory.mktemp("trouble")
    ports = {name: free_port() for name in ("smtp", "pop3", "eve", "cups", "socket", "nobody")}
    eve = EvePrinter(program("ippeveprinter"), program("dbus-daemon"), folder / "eve", ports["eve"])
    cups = Cups(program("cupsd"), open_folder / "trouble-cups", ports["cups"])
    program("lpadmin")
    (folder / "m.toml").write_text(FILE.format(**ports))
    argv = [script("twistd"), "--nodaemon", "--pidfile=", "mailshare", "-c", str(folder / "m.toml")]
    made = Site(folder, eve, cups, Running(argv, folder / "server.log", {}, spawn), ports)
    try:
        eve.start()
        cups.start()
        made.office.start([ports["smtp"], ports["pop3"], ports["socket"]], 60)
        uri = f"socket://{LOOPBACK}:{ports['socket']}"
        cups.do("lpadmin", "-p", "far", "-E", "-v", uri, "-m", "raw", "-o", "printer-error-policy=retry-current-job")
        yield made
    finally:
        for one in (made.office, cups, eve):
            one.stop()


def by_mail(site: Site, name: str) -> str:
    """Anna mails a document to the printer; its digest."""
    path, digest = site.document()
    mail = EmailMessage()
    mail["From"], mail["To"] = "anna@print.example", "front+let-me-in@company.example"
    mail["Subject"], mail["Message-ID"] = name, f"<{name}@company.example>"
    mail.add_attachment(path.read_bytes(), maintype="application", subtype="pdf", filename=f"{name}.pdf")
    with smtplib.SMTP(LOOPBACK, site.ports["smtp"], timeout=60) as door:
        door.send_message(mail)
    return digest


def of_the_mail(site: Site, name: str) -> int:
    """The number of the job that the mail became."""
    found: list[int] = []

    def here() -> bool:
        found[:] = [one["id"] for one in json.loads(site.do("jobs", "--all", "--json")) if name in one["name"]]
        return bool(found)

    wait_until(here, f"the job {name}", 90, site.log)
    return found[0]


def test_a_printer_that_wants_somebody(site: Site) -> None:
    """Out of paper and open: the job says both while it is so; the key user hears of each and of its end; one copy."""
    words = ("media-empty", "cover-open")
    with site.eve.in_trouble(",".join(words)):
        digest = by_mail(site, "minutes")
        number = of_the_mail(site, "minutes")
        site.until(number, lambda job: all(word in str(job["members"]) for word in words), "the job to say both")
        for word in words:
            site.mailed("kate", f"Condition {word}")
        assert digest in site.eve.kept()
    job = site.done(number)
    assert (job["word"], job["members"][0]["certainty"]) == ("done", "completed")
    assert site.eve.kept().count(digest) == 1
    site.mailed("anna", "done: minutes")
    site.mailed("kate", "is over")


def test_a_printer_that_is_off(site: Site) -> None:
    """Jobs wait, people who look after it hear that it does not answer; turned on, it prints them, each once."""
    site.eve.turn_off()
    by_mail(site, "while-off")
    number, digest = site.print("eve")
    site.until(number, lambda job: "connecting-to-device" in str(job), "the job to wait")
    assert "cannot be reached" in site.do("printers", "test", "eve", code=1)
    site.mailed("kate", "Condition offline-report")
    site.eve.turn_on()
    job = site.done(number)
    assert (job["word"], job["members"][0]["certainty"]) == ("done", "completed")
    assert site.eve.kept().count(digest) == 1
    assert site.done(of_the_mail(site, "while-off"))["word"] == "done"


def test_a_printer_that_is_busy(site: Site) -> None:
    """It takes one job at a time; those behind it wait without a fault, and come out in turn."""
    with site.eve.in_trouble("media-jam"):
        first, one = site.print("eve")
        site.until(first, lambda job: "media-jam" in str(job["members"]), "the first job to print")
        second, two = site.print("eve")
        waiting = site.until(second, lambda job: "busy" in str(job).lower(), "the second job to be told so")
        assert not waiting["over"]
    assert [site.done(number)["word"] for number in (first, second)] == ["done", "done"]
    assert [site.eve.kept().count(digest) for digest in (one, two)] == [1, 1]


def test_a_printer_that_is_switched_off_while_it_prints(site: Site) -> None:
    """It has forgotten the job and counts from 1: nobody knows, nobody prints it again by himself, somebody decides."""
    with site.eve.in_trouble("media-jam"):
        number, digest = site.print("eve")
        site.until(number, lambda job: "media-jam" in str(job["members"]), "the job to print")
        site.eve.turn_off()
        site.until(number, lambda job: "offline" in str(job["members"]), "the printer to be missed")
    site.eve.turn_on()
    job = site.until(number, lambda job: job["members"][0]["certainty"] == "unknown", "the doubt")
    assert not job["over"]
    assert site.eve.kept().count(digest) == 1
    site.do("job", "reprint", str(number))
    wait_until(lambda: site.eve.kept().count(digest) == 2, "the paper", 90, site.log)


def test_a_queue_that_is_stopped_rejects_and_fails(site: Site) -> None:
    """A disabled queue keeps the job, a rejecting one is asked again, and a backend that fails is left to CUPS."""
    cups = site.cups
    cups.do("cupsdisable", "-r", "out of toner", "far")
    number, digest = site.print("queue")
    told = site.until(number, lambda job: "out of toner" in str(job) or "paused" in str(job), "the queue's words")
    assert not told["over"]
    cups.do("cupsreject", "-r", "moving house", "far")
    later, other = site.print("queue")
    site.until(later, lambda job: "moving house" in str(job) or "takes no jobs" in str(job), "the second job to wait")
    cups.do("cupsaccept", "far")
    cups.do("cupsenable", "far")
    assert [site.done(one)["members"][0]["certainty"] for one in (number, later)] == ["accepted", "accepted"]
    wait_until(lambda: {digest, other} <= set(site.paper()), "both papers", 60, site.log)
    cups.do("lpadmin", "-p", "far", "-v", f"socket://{LOOPBACK}:{site.ports['nobody']}")
    number, digest = site.print("queue")
    site.until(number, lambda job: "unavailable" in str(job), "the backend's trouble")
    cups.do("lpadmin", "-p", "far", "-v", f"socket://{LOOPBACK}:{site.ports['socket']}")
    assert site.done(number)["word"] == "done"
    wait_until(lambda: digest in site.paper(), "the paper", 60, site.log)
    assert [site.paper().count(one) for one in (digest, other)] == [1, 1]
