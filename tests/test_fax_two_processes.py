"""Offices with fax lines, each a process of its own, killed at each step of a call: no page that somebody confirmed is
lost, nobody is called twice without being told, and the pages are the same bit for bit."""

from __future__ import annotations

import json
import os
import poplib
import shutil
import smtplib
import time
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.message import EmailMessage, Message
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from real_peers.office import script
from real_peers.running import LOOPBACK, Running, wait_until
from real_peers.warm import spawn

from mailshare.core.values.fax import FaxPage
from mailshare.wire.tiff_fax import read_tiff

SECONDS = 120.0
CONFIG = """
[server]
hostname = "{name}.example"
data = "var"
grace = 1
[listen]
pop3 = ["tcp:{pop3}:interface=127.0.0.1"]
smtp = ["tcp:{smtp}:interface=127.0.0.1"]
[[account]]
address = "mail@{name}.company.example"
[[user]]
name = "anna"
password = "anna"
accounts = ["mail@{name}.company.example"]
[[user]]
name = "ben"
password = "ben"
accounts = ["mail@{name}.company.example"]
[fax]
country = "DE"
senders = ["anna"]
inbox = ["ben"]
formats = ["tiff"]
station = "{number}"
head = false
[[fax_line]]
name = "line"
numbers = ["{number}"]
channels = 3
"""
SPOOL = 'kind = "directory"\noptions = { folder = "spool", poll = 1 }\n'
LOOP = 'kind = "loop"\noptions = { speed = 12.0 }\n'
TEXT = "\f".join(f"Page {number}\n" + f"line of page {number}\n" * 30 for number in range(1, 4))


@define
class House:
    """One office."""

    folder: Path
    name: str
    number: str
    pop3: int
    smtp: int
    server: Running = field(init=False)

    def write(self, line: str) -> None:
        self.folder.mkdir()
        (self.folder / "m.toml").write_text(
            CONFIG.format(name=self.name, number=self.number, pop3=self.pop3, smtp=self.smtp) + line
        )
        argv = [script("twistd"), "--nodaemon", "--pidfile=", "mailshare", "-c", str(self.folder / "m.toml")]
        self.server = Running(argv, self.folder / "server.log", {}, spawn)

    def start(self) -> None:
        self.server.start([self.pop3, self.smtp], SECONDS)

    def kill_and_start(self) -> None:
        self.server.kill()
        self.start()

    def sends(self, number: str, text: str = TEXT) -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "anna", number, "Offer"
        message.set_content(text)
        with smtplib.SMTP(LOOPBACK, self.smtp, timeout=60) as client:
            client.login("anna", "anna")
            client.send_message(message, f"anna@{self.name}.example", f"FAX={number}@fax.{self.name}.example")

    def mails(self, name: str) -> list[Message]:
        client = poplib.POP3(LOOPBACK, self.pop3, timeout=60)
        try:
            client.user(name)
            client.pass_(name)
            octets = [b"\r\n".join(client.retr(number + 1)[1]) for number in range(client.stat()[0])]
            client.quit()
        finally:
            client.close()
        return [message_from_bytes(one) for one in octets]

    def faxes(self) -> list[list[FaxPage | None]]:
        """The pages of each mail of ben's."""
        tiffs = [
            part.get_payload(decode=True)
            for mail in self.mails("ben")
            for part in mail.walk()
            if part.get_content_type() == "image/tiff"
        ]
        return [[one.page for one in read_tiff(bytes(each))] for each in tiffs]  # type: ignore[arg-type]

    def reports(self) -> list[str]:
        """Delivery status of each report to anna."""
        return [mail.get_payload(1).as_string() for mail in self.mails("anna") if mail.is_multipart()]  # type: ignore[union-attr]

    def ledger(self) -> dict[str, Any]:
        """What is written down of the one fax that goes out; empty when there is none."""
        for path in self.folder.glob("var/fax/out/*.json"):
            try:
                return dict(json.loads(path.read_text()))
            except (OSError, ValueError):
                break
        return {}

    def kept(self) -> int:
        """Pages of calls that come in, on the disk."""
        return len(list(self.folder.glob("var/fax/in/*/*.tif")))


@pytest.fixture
def houses(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Callable[[str, str, str], House]]:
    """Makes offices; they end with the test."""
    made: list[House] = []

    def make(name: str, number: str, line: str) -> House:
        house = House(tmp_path / name, name, number, free_port(), free_port())
        house.write(line)
        made.append(house)
        house.start()
        return house

    yield make
    for house in made:
        house.server.stop()


STEPS: dict[str, Callable[[House], bool]] = {
    "dialled": lambda house: bool(house.ledger().get("calling")),
    "a page has come": lambda house: house.kept() >= 1,
    "a page is confirmed": lambda house: int(house.ledger().get("confirmed", 0)) >= 1,
    "the last page is on its way": lambda house: bool(house.ledger().get("last_begun")),
    "the last page has come": lambda house: house.kept() >= 3,
}


def caught(house: House, reached: Callable[[House], bool], told: int) -> bool:
    """Whether a fax is seen at a step; some are shorter than what lies between two looks of a busy machine."""
    for look in range(1, int(SECONDS / 0.02)):
        if reached(house):
            return True
        if look % 50 == 0 and len(house.reports()) > told:
            wait_until(lambda: house.kept() == 0, "mails of all pages", SECONDS, house.server.log)
            return False
        time.sleep(0.02)
    raise AssertionError(house.server.log.read_text(errors="replace")[-4000:])


def test_a_kill_at_each_step_loses_no_page_and_tells_of_doubt(houses: Callable[[str, str, str], House]) -> None:
    """The office calls itself, so both ends die at once; after each start the fax comes to an end that is told."""
    house = houses("office", "+49305550100", LOOP)
    for step, reached in STEPS.items():
        before, told = len(house.faxes()), len(house.reports())
        house.sends(house.number)
        while not caught(house, reached, told):  # it went by between two looks
            before, told = len(house.faxes()), len(house.reports())
            house.sends(house.number)
        house.server.kill()
        confirmed = int(house.ledger().get("confirmed", 0))
        house.start()
        wait_until(lambda: len(house.reports()) > told, f"the report after {step}", SECONDS, house.server.log)  # noqa: B023
        wait_until(lambda: house.kept() == 0, "mails of all pages", SECONDS, house.server.log)
        pages = [page for mail in house.faxes()[before:] for page in mail]
        whole = {page.data for page in pages if page is not None}
        report = house.reports()[-1]
        assert len(whole) >= confirmed, step
        if "Action: delivered" in report:
            assert len(whole) == 3, step
            assert len(pages) <= 4, step  # no page again that was confirmed; one may have come unconfirmed
        else:
            assert "may have all of it" in report, step


@define
class Exchange:
    """The telephone network between two spools: what lies in out here comes to in there, and back comes done."""

    ends: dict[str, House]
    calls: list[str] = field(factory=list)
    over: list[str] = field(factory=list)

    def turn(self) -> None:
        """Carry what lies there now; a call is over only when the far end has taken its pages."""
        for house in self.ends.values():
            spool = house.folder / "spool"
            for job in sorted(spool.glob("out/*.json")):
                told = json.loads(job.read_text())
                done, far = spool / "done" / job.name, self.ends[told["number"]].folder / "spool" / "in"
                if job.stem in self.over:
                    continue
                if job.stem not in self.calls:
                    self.calls.append(job.stem)
                    facts = {"caller": house.number, "called": told["number"], "station": told["ident"]}
                    (far / job.name).write_text(json.dumps(facts))
                    shutil.copy(job.with_suffix(".tif"), far / "part")
                    os.rename(far / "part", far / f"{job.stem}.tif")
                elif not (far / f"{job.stem}.tif").exists():
                    part = spool / "part"
                    part.write_text(json.dumps({"cause": "ok", "pages": told["total"]}))
                    os.rename(part, done)
                    self.over.append(job.stem)


def test_two_offices_fax_each_other_through_kills(houses: Callable[[str, str, str], House]) -> None:
    """Both ways over the spools, either process killed between any two steps: each fax comes once, and bit for bit."""
    left, right = houses("left", "+49305550101", SPOOL), houses("right", "+49305550102", SPOOL)
    exchange = Exchange({house.number: house for house in (left, right)})
    sent: dict[str, bytes] = {}
    for kills, (one, other) in enumerate(((left, right), (right, left))):
        one.sends(other.number)
        spool = one.folder / "spool"
        wait_until(lambda: list(spool.glob("out/*.json")), "the job", SECONDS, one.server.log)  # noqa: B023
        one.kill_and_start()
        [job] = spool.glob("out/*.json")
        sent[other.number] = job.with_suffix(".tif").read_bytes()
        exchange.turn()
        other.kill_and_start()
        ends = time.monotonic() + SECONDS
        while job.stem not in exchange.over:
            assert time.monotonic() < ends
            exchange.turn()
            time.sleep(0.05)
        one.kill_and_start()
        wait_until(one.reports, "the report", SECONDS, one.server.log)
        wait_until(other.faxes, "the fax", SECONDS, other.server.log)
        assert len(exchange.calls) == kills + 1
    for house in (left, right):
        house.kill_and_start()
        [report], [pages] = house.reports(), house.faxes()
        assert "Action: delivered" in report
        assert "X-Fax-Pages: 3/3" in report
        assert pages == [one.page for one in read_tiff(sent[house.number])]
        assert len(pages) == 3
    assert len(exchange.calls) == 2
    assert not [path for house in (left, right) for path in (house.folder / "spool").glob("*/*")]


def test_a_kill_before_a_job_is_handed_over_leaves_no_file_behind(houses: Callable[[str, str, str], House]) -> None:
    """Killed as soon as a file of a job lies there: the fax goes out once, and the spool is empty when it is over."""
    house = houses("office", "+49305550101", SPOOL)
    out, done = house.folder / "spool" / "out", house.folder / "spool" / "done"
    house.sends("+49305550102")
    wait_until(lambda: any(out.iterdir()), "a file of the job", SECONDS, house.server.log)
    house.kill_and_start()
    wait_until(lambda: list(out.glob("*.json")), "the job", SECONDS, house.server.log)
    [job] = out.glob("*.json")
    (done / "part").write_text(json.dumps({"cause": "ok", "pages": 3}))
    os.rename(done / "part", done / job.name)
    wait_until(house.reports, "the report", SECONDS, house.server.log)
    assert "Action: delivered" in house.reports()[0]
    wait_until(lambda: not any(done.iterdir()), "an empty spool", SECONDS, house.server.log)
    assert not any(out.iterdir())
