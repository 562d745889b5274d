"""An office with fax lines of four kinds, killed again and again: each fax goes out once, or is told as doubtful."""

from __future__ import annotations

import json
import os
import poplib
import smtplib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage, Message
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from PIL import Image, ImageOps
from real_peers.office import script
from real_peers.running import LOOPBACK, Running, wait_until
from real_peers.warm import spawn
from twisted.internet import reactor
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from mailshare.core.values.fax import FaxPage
from mailshare.testing.hylafax_double import PretendedHylaFAX
from mailshare.wire.tiff_fax import read_tiff, write_tiff

SECONDS = 180.0
PATIENCE = 10.0  # for a step; which fax goes over which line is chance
NUMBERS = [f"+493055501{number}" for number in range(10, 40)]
LINES = (4, 24, 46)  # of text on the pages of each fax: how far down they reach tells which one it is
DOWN, BROKEN = NUMBERS[3], NUMBERS[6]  # what the folder's software says of their first call
CONFIG = """
[server]
hostname = "office.example"
data = "var"
grace = 1
[listen]
pop3 = ["tcp:{pop3}:interface=127.0.0.1"]
smtp = ["tcp:{smtp}:interface=127.0.0.1"]
[[account]]
address = "mail@company.example"
[[user]]
name = "anna"
password = "anna"
accounts = ["mail@company.example"]
[[user]]
name = "ben"
password = "ben"
accounts = ["mail@company.example"]
[fax]
country = "DE"
senders = ["anna"]
inbox = ["ben"]
formats = ["tiff"]
head = false
retry_minutes = {{ dropped = [1], "line-down" = [1] }}
[[fax_line]]
name = "spool"
kind = "directory"
channels = 2
options = {{ folder = "spool", poll = 1 }}
[[fax_line]]
name = "api"
kind = "http"
numbers = ["+49305550100"]
channels = 2
options = {{ provider = "./own.toml", base = "http://127.0.0.1:{api}", poll = 1, receive = false }}
secrets = {{ key = "the key" }}
[[fax_line]]
name = "modems"
kind = "hylafax"
channels = 2
options = {{ host = "127.0.0.1", port = {modems}, poll = 1, receive = false }}
[[fax_line]]
name = "loop"
kind = "loop"
numbers = ["+493055501*"]
channels = 2
options = {{ speed = 12.0 }}
"""
PROVIDER = """
title = "Ours"
documentation = "https://example.com"
read = "2026-11-22"
base = "https://api.example"
hosts = ["api.example"]
document = "tiff"
poll = 1
[send]
method = "POST"
url = "{base}/faxes?to={number}&key={reference}"
form = "raw"
[sent]
id = "id"
[status]
url = "{base}/faxes/{id}"
[seen]
state = "state"
[find]
ask = { url = "{base}/faxes?key={reference}" }
items = "faxes"
complete = true
[states]
waiting = "waiting"
done = "ok"
[causes]
"*" = "dropped"
"""


def page_number(page: FaxPage) -> int:
    """Which page of its fax it is, from 1, by how far down its text reaches."""
    with Image.open(BytesIO(write_tiff([page]))) as picture:
        box = ImageOps.invert(picture.convert("L")).getbbox()
    bottom = box[3] / page.rows if box is not None else 0.0
    return 1 + (bottom > 0.25) + (bottom > 0.6)


@define(eq=False)
class World(Resource):
    """What the office's lines lead to: a provider, a HylaFAX server, other software at a folder.

    :ivar went: number and pages of each call that is over, as the far machine has them.
    :ivar silent: the provider takes the next fax and never answers.
    """

    isLeaf = True
    spool: Path
    went: list[tuple[str, list[int]]] = field(factory=list)
    faxes: dict[str, dict[str, Any]] = field(factory=dict)
    silent: bool = False
    unanswered: int = 0
    modems: PretendedHylaFAX = field(factory=lambda: PretendedHylaFAX(user="mailshare"))
    over: set[str] = field(factory=set)
    told: set[str] = field(factory=set)
    _turns: dict[str, int] = field(factory=dict)

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    def render(self, request: Any) -> Any:
        """The provider's API."""
        path = request.path.decode()
        if request.method == b"POST":
            to, key = (request.args[one][0].decode() for one in (b"to", b"key"))
            name = f"F{len(self.faxes)}"
            self.faxes[name] = {"id": name, "key": key, "looks": 0}
            self.went.append((to, pages_of(request.content.read())))
            if self.silent:
                self.silent, self.unanswered = False, self.unanswered + 1
                return NOT_DONE_YET
            return json.dumps({"id": name}).encode()
        if path == "/faxes":
            key = request.args[b"key"][0].decode()
            return json.dumps({"faxes": [one for one in self.faxes.values() if one["key"] == key]}).encode()
        fax = self.faxes[path.rpartition("/")[2]]
        fax["looks"] += 1
        return json.dumps({"state": "done" if fax["looks"] > 2 else "waiting"}).encode()

    def turn(self) -> None:
        """The modems dial, and the folder's software makes its calls."""
        for job in self.modems.jobs.values():
            number = job.parameters.get("EXTERNAL", "")
            self.modems.ends.setdefault(job.parameters.get("DIALSTRING", ""), "")
            ready = job.state == "READY"
            self._turns[job.number] = self._turns.get(job.number, 0) + ready
            if ready and self._turns[job.number] == 2:
                self.went.append((number, pages_of(job.document)))
                job.pages = job.total = len(read_tiff(job.document))
                job.state = "DONE"
        for path in sorted(self.spool.glob("out/*.json")):
            if path.stem not in self.over and path.with_suffix(".tif").exists():
                self.over.add(path.stem)
                self._call(path, json.loads(path.read_text()))

    def _call(self, path: Path, job: dict[str, Any]) -> None:
        number, pages = job["number"], pages_of(path.with_suffix(".tif").read_bytes())
        end: dict[str, object] = {"cause": "ok"}
        if number in (DOWN, BROKEN) and number not in self.told:
            self.told.add(number)
            pages = [] if number == DOWN else pages[:1]
            end = {"cause": "line-down"} if number == DOWN else {"cause": "dropped", "pages": len(pages)}
        if pages:
            self.went.append((number, pages))
        part = self.spool / "part"
        part.write_text(json.dumps(end))
        os.rename(part, self.spool / "done" / path.name)


def pages_of(tiff: bytes) -> list[int]:
    """The numbers of its pages."""
    return [page_number(one.page) for one in read_tiff(tiff) if one.page is not None]


@define
class Office:
    """The process that is killed."""

    folder: Path
    pop3: int
    smtp: int
    server: Running

    def start(self) -> None:
        self.server.start([self.pop3, self.smtp], SECONDS)

    def sends(self) -> None:
        message = EmailMessage()
        message["From"], message["Subject"] = "anna", "For all"
        message.set_content("\f".join("For all of you\n" * lines for lines in LINES))
        to = [f"FAX={number}@fax.office.example" for number in NUMBERS]
        with smtplib.SMTP(LOOPBACK, self.smtp, timeout=60) as client:
            client.login("anna", "anna")
            client.send_message(message, "anna@office.example", to)

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

    def reports(self) -> dict[str, list[str]]:
        """The delivery status of each final report, by number."""
        found: dict[str, list[str]] = {number: [] for number in NUMBERS}
        for mail in self.mails("anna"):
            status = mail.get_payload(1).as_string()  # type: ignore[union-attr]
            found[status.partition("FAX=")[2].partition("@")[0]].append(status)
        return found

    def came(self) -> list[tuple[str, list[int]]]:
        """What came in over the loop line: the number called and the pages of each mail."""
        found = []
        for mail in self.mails("ben"):
            words, tiff = mail.get_payload()  # type: ignore[misc]
            number = words.get_payload().partition("Called number: ")[2].split()[0]  # type: ignore[union-attr]
            found.append((number, pages_of(tiff.get_payload(decode=True))))  # type: ignore[union-attr,arg-type]
        return found

    def ledgers(self) -> list[dict[str, Any]]:
        """What is written down of faxes that go out."""
        found = []
        for path in self.folder.glob("var/fax/out/*.json"):
            try:
                found.append(json.loads(path.read_text()))
            except (OSError, ValueError):
                continue
        return found


def steps(office: Office, world: World) -> list[Callable[[], object]]:
    """Where the office is killed, in this order."""
    def more(of: Callable[[], int]) -> Callable[[], bool]:
        before: list[int] = []

        def grown() -> bool:
            before[:] = before or [of()]
            return of() > before[0]

        return grown

    def on(line: str, **facts: object) -> Callable[[], bool]:
        return lambda: any(
            one["line"] == line and one["calling"] and all(one[name] == value for name, value in facts.items())
            for one in office.ledgers()
        )

    return [
        lambda: world.unanswered,
        lambda: any((world.spool / "out").glob("*.json")),
        lambda: any(job.state == "READY" for job in world.modems.jobs.values()),
        more(lambda: len(world.over)),
        on("loop", confirmed=1),
        more(lambda: len(world.faxes)),
        lambda: any((world.spool / "out").glob("*.prepared")) or on("spool")(),
        on("loop", last_begun=True),
        more(lambda: sum(job.state == "DONE" for job in world.modems.jobs.values())),
        lambda: True,  # as soon as it listens
    ]


def work_through(office: Office, world: World) -> int:
    """Send, kill at each step, and wait for the ends; how many times it was killed."""
    kills = 0
    world.silent = True
    office.sends()
    for reached in steps(office, world):
        ends = time.monotonic() + PATIENCE
        while not reached() and time.monotonic() < ends:
            time.sleep(0.01)
        office.server.kill()  # also where the step did not come in time: then it hits something else
        kills += 1
        office.start()
    wait_until(lambda: all(office.reports().values()), "a report about each fax", SECONDS, office.server.log)
    wait_until(lambda: not any(office.folder.glob("var/fax/in/*")), "mails of all pages", SECONDS, office.server.log)
    return kills


@pytest.fixture
def running(tmp_path: Path, free_port: Callable[[], int]) -> Callable[[World], Any]:
    """Runs an office and the world around it."""

    @asynccontextmanager
    async def run(world: World) -> AsyncIterator[Office]:
        api: IListeningPort = reactor.listenTCP(0, Site(world), interface="127.0.0.1")  # type: ignore[attr-defined]
        turning = LoopingCall(world.turn)
        pop3, smtp = free_port(), free_port()
        modems = world.modems.listen(reactor)
        (tmp_path / "own.toml").write_text(PROVIDER)
        (tmp_path / "m.toml").write_text(
            CONFIG.format(pop3=pop3, smtp=smtp, api=api.getHost().port, modems=modems)
        )
        argv = [script("twistd"), "--nodaemon", "--pidfile=", "mailshare", "-c", str(tmp_path / "m.toml")]
        office = Office(tmp_path, pop3, smtp, Running(argv, tmp_path / "server.log", {}, spawn))
        turning.start(0.5)
        try:
            yield office
        finally:
            turning.stop()
            await deferToThread(office.server.stop)
            await world.modems.close()
            await api.stopListening()  # type: ignore[misc]

    return run


async def test_a_pool_of_four_kinds_sends_each_fax_once_through_kills(
    running: Callable[[World], Any], tmp_path: Path
) -> None:
    """Failover, a call that broke off, an answer that never came; no page is lost, and none that was confirmed is
    sent again, over whatever lines it went."""
    world = World(tmp_path / "spool")
    async with running(world) as office:
        await deferToThread(office.start)
        kills = await deferToThread(work_through, office, world)
        reports, came = await deferToThread(office.reports), await deferToThread(office.came)
    assert kills > 5
    assert not list(world.spool.glob("*/*"))
    for number in NUMBERS:
        [report] = reports[number]
        calls = [pages for to, pages in (*world.went, *came) if to == number]
        arrived = [page for pages in calls for page in pages]
        assert arrived.count(3) <= 1, (number, calls)  # nobody is called again once the last page may be there
        if "Action: delivered" in report:
            assert set(arrived) == {1, 2, 3}, (number, calls)
        else:
            assert "may have all of it" in report or "not known" in report, report
    assert world.faxes
    assert world.modems.ends  # jobs that are over are deleted there
    assert world.over
    assert came
    assert sum("Action: delivered" in one for [one] in reports.values()) > len(NUMBERS) // 2
