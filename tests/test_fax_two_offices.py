"""Two offices in two processes: T.37 over a telephone line between them, and from one to the other directly by mail."""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Iterator
from email.message import EmailMessage, Message
from email.utils import parseaddr
from pathlib import Path

import pytest
from real_peers.office import script
from real_peers.running import LOOPBACK, Running, wait_until
from real_peers.warm import finished, spawn

from mailshare.core.values.fax import Coding, FaxPage
from mailshare.wire.tiff_fax import read_tiff
from tests.test_fax_two_processes import House

SECONDS = 120.0
COMMON = """
[server]
hostname = "{name}.example"
data = "var"
grace = 1
[listen]
pop3 = ["tcp:{pop3}:interface=127.0.0.1"]
smtp = ["tcp:{smtp}:interface=127.0.0.1"]
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
inbox = ["ben"]
formats = ["tiff"]
station = "{number}"
head = false
senders = ["anna", "ben", "gateway"]
"""
HERE = """
report = "dsn"
[[account]]
address = "mail@here.company.example"
collect = "pop3://gateway@127.0.0.1:{far.pop3}?tls=none"
relay = "smtp://gateway@127.0.0.1:{far.smtp}?tls=none"
password = "gateway"
timetable = []
[[fax_line]]
name = "telephone"
kind = "loop"
numbers = ["{number}"]
calls = ["+49*"]
options = {{ listen = "unix:{folder}/line", trunks = {{ "{far.number}" = "unix:{far.folder}/line" }} }}
[[fax_line]]
name = "partner"
kind = "mail"
calls = ["+44*"]
options = {{ gateway = "fax.there.example", receipt = true }}
"""
THERE = """
report = "both"
[[account]]
address = "mail@there.company.example"
[[user]]
name = "gateway"
password = "gateway"
[[fax_line]]
name = "telephone"
kind = "loop"
numbers = ["{number}"]
[fax_line.options]
listen = "unix:{folder}/line"
trunks = {{ "{far.number}" = "unix:{far.folder}/line" }}
numbers = {{ "+441164960348" = "answers", "+441164960999" = "voice" }}
"""


@pytest.fixture
def houses(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[tuple[House, House]]:
    """Both offices."""
    here = House(tmp_path / "here", "here", "+49305550101", free_port(), free_port())
    there = House(tmp_path / "there", "there", "+49305550102", free_port(), free_port())
    for house, far, more in ((here, there, HERE), (there, here, THERE)):
        house.folder.mkdir()
        words = {"name": house.name, "number": house.number, "pop3": house.pop3, "smtp": house.smtp}
        text = (COMMON + more).format(**words, folder=house.folder, far=far)
        (house.folder / "m.toml").write_text(text)
        argv = [script("twistd"), "--nodaemon", "--pidfile=", "mailshare", "-c", str(house.folder / "m.toml")]
        house.server = Running(argv, house.folder / "server.log", {}, spawn)
    there.start()
    here.start()
    yield here, there
    for house in (here, there):
        house.server.stop()
        assert "Traceback" not in (house.folder / "server.log").read_text()


def command(house: House, *words: str) -> str:
    """What a command of the office prints."""
    told = finished(script("mailshare"), "-c", str(house.folder / "m.toml"), *words)
    assert told.returncode == 0, told.stderr
    return told.stdout.decode()


def tiffs(mail: Message) -> list[FaxPage]:
    """The pages that hang on a mail."""
    files = [part.get_payload(decode=True) for part in mail.walk() if part.get_content_type() == "image/tiff"]
    return [one.page for each in files for one in read_tiff(bytes(each)) if one.page is not None]  # type: ignore[arg-type]


def test_a_mail_goes_over_the_line_to_the_other_office_and_the_answer_comes_back(houses: tuple[House, House]) -> None:
    """Offramp of the one, a call, onramp of the other, a mail to its user, whose answer comes the same way."""
    here, there = houses
    here.sends(there.number)
    wait_until(lambda: there.mails("ben"), "the fax over there", SECONDS, here.server.log)
    [came] = there.mails("ben")
    assert parseaddr(came["From"])[1] == f"FAX={here.number}@fax.there.example"
    [part] = [each for each in came.walk() if each.get_content_type() == "image/tiff"]
    assert part.get_param("application") == "faxbw"
    assert [(page.width, page.coding) for page in tiffs(came)] == [(1728, Coding.MMR)] * 3
    wait_until(here.reports, "the report", SECONDS, here.server.log)
    [report] = here.reports()
    assert "Action: delivered" in report
    assert "X-Fax-Pages: 3/3" in report

    answer = EmailMessage()
    answer["From"], answer["To"], answer["Subject"] = "ben", came["From"], "Re: Offer"
    answer["In-Reply-To"] = came["Message-ID"]
    answer.set_content("Agreed.\n")
    with smtplib.SMTP(LOOPBACK, there.smtp, timeout=60) as client:
        client.login("ben", "ben")
        client.send_message(answer, "ben@there.example", parseaddr(came["From"])[1])
    wait_until(lambda: here.mails("ben"), "the answer", SECONDS, there.server.log)
    [back] = here.mails("ben")
    assert parseaddr(back["From"])[1] == f"FAX={there.number}@fax.here.example"
    assert len(tiffs(back)) == 1
    for house, far in ((here, there), (there, here)):
        told = command(house, "log").splitlines()
        assert any("fax.called" in line and f"number={far.number}" in line for line in told)
        assert any("fax.received" in line and f"caller={far.number}" in line for line in told)


def test_from_internet_fax_to_internet_fax_with_both_notices(houses: tuple[House, House]) -> None:
    """The one mails Profile S to the other's fax address and asks for DSN and MDN; it calls, and both come back."""
    here, there = houses
    here.sends("+441164960348")
    here.sends("+441164960999")

    def reports() -> list[Message]:
        command(here, "sendreceive")
        return here.mails("anna")

    wait_until(lambda: len(reports()) == 6, "all reports", SECONDS, there.server.log)
    told = {(str(one.get_param("report-type")), str(one["Subject"])): one for one in here.mails("anna")}
    assert set(told) == {
        ("delivery-status", "Fax passed on. (DSN) Offer"),  # ours, twice
        ("delivery-status", "Fax delivered successfully. (DSN) Offer"),
        ("delivery-status", "Fax not delivered. (DSN) Offer"),
        ("disposition-notification", "Fax delivered successfully. (MDN) Offer"),
        ("disposition-notification", "Fax rejected. (MDN) Offer"),
    }
    facts = {key: mail.get_payload(1).as_string() for key, mail in told.items()}  # type: ignore[union-attr]
    assert "X-Fax-Pages: 3/3" in facts["delivery-status", "Fax delivered successfully. (DSN) Offer"]
    assert "X-FAX; not-a-fax" in facts["delivery-status", "Fax not delivered. (DSN) Offer"]
    assert "dispatched" in facts["disposition-notification", "Fax delivered successfully. (MDN) Offer"]
    assert "processed/error" in facts["disposition-notification", "Fax rejected. (MDN) Offer"]
    for house, line in ((here, "partner"), (there, "telephone")):
        calls = [each for each in command(house, "log").splitlines() if "fax.called" in each]
        assert len(calls) == 2
        assert all(f"line={line}" in each for each in calls)
        assert any("number=+441164960348" in each and "pages=3" in each for each in calls)
