"""Counts and bounds that hold over restarts, reloads, several listeners and deliveries at the same moment."""

from __future__ import annotations

import smtplib
import threading
from typing import Any

import pytest_twisted
from twisted.internet.threads import deferToThread

from tests.house import House

LISA = '[[user]]\nname = "lisa"\npassword = "lisa"\naccounts = ["mail@company.example"]\n'
SCANNER = '[[user]]\nname = "scanner"\npassword = "x"\naccounts = ["mail@company.example"]\n'
DEVICE = '[[device]]\nname = "scanner-2"\nnetworks = ["127.0.0.1"]\nuser = "scanner"\nper_hour = 3\n'
LETTER = b"From: x@y.example\r\nSubject: Scan\r\n\r\nPages\r\n"


def scan(client: smtplib.SMTP) -> int:
    """One page to lisa; the code that ended the try."""
    code = client.mail("x@y.example")[0]
    if code == 250:
        client.rcpt("lisa")
        code = client.data(LETTER)[0]
    return code


@pytest_twisted.ensureDeferred
async def test_a_machines_hour_outlives_restart_and_reload_and_is_one_for_all_listeners(house: House) -> None:
    """Requirement 17: three in an hour are three, whatever happens in between and whichever port is used."""
    office = await house.start(LISA + SCANNER + DEVICE)
    assert await house.smtp(scan, "device") == 250
    assert await house.smtp(scan, "smtp") == 250
    await office.stopService()
    office = await house.start()
    assert await house.smtp(scan, "device") == 250
    assert await house.smtp(scan, "smtp") == 450
    text = (house.folder / "m.toml").read_text()
    (house.folder / "m.toml").write_text(text.replace('hostname = "mail.', 'hostname = "post.'))
    await office.acts.reload()
    assert [await house.smtp(scan, service) for service in ("smtp", "device")] == [450, 450]
    counts = {row["user"]: row["messages"] for row in await office.acts.mailboxes()}
    assert counts["lisa"] == 3
    kinds = [row["kind"] for row in (await office.acts.log(kinds=["device.sent"]))["events"]]  # type: ignore[union-attr]
    assert kinds == ["device.sent"] * 3


@pytest_twisted.ensureDeferred
async def test_many_at_once_do_not_pass_a_bound(house: House) -> None:
    """Eight colleagues hear 250 at RCPT and end their messages in the same moment: three fit, five hear 552."""
    office = await house.start(LISA + "quota_messages = 3\n" + SCANNER)
    port = house.port("smtp")
    together = threading.Barrier(8)

    def send(number: int) -> int:
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
            client.login("scanner", "x")
            client.mail("scanner")
            assert client.rcpt("lisa")[0] == 250
            client.docmd("DATA")
            together.wait(60)
            client.send(b"Subject: %d\r\n\r\nText\r\n.\r\n" % number)
            return client.getreply()[0]

    def all_of_them() -> list[int]:
        codes: list[int] = []
        threads = [threading.Thread(target=lambda n=n: codes.append(send(n))) for n in range(8)]  # type: ignore[misc]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        return codes

    codes: Any = await deferToThread(all_of_them)
    assert sorted(codes) == [250] * 3 + [552] * 5
    counts = {row["user"]: row["messages"] for row in await office.acts.mailboxes()}
    assert counts["lisa"] >= 3
    letters = await house.mail_of("lisa", "lisa")
    assert sum(b"\r\nText" in mail for mail in letters) == 3


@pytest_twisted.ensureDeferred
async def test_a_second_copy_of_mail_to_everybody_does_not_count(house: House) -> None:
    """Rule 3.4: ten an hour are ten messages, however often the provider brings each, over a restart too."""
    office = await house.start(LISA + SCANNER)

    async def comes(first: int, last: int, copies: int) -> None:
        for number in range(first, last):
            for copy in range(copies):
                octets = house.arrives("PUBLIC <mail@company.example>", number=number)
                house.isp.box.put(octets, f"uid{number}-{copy}")
        await office.acts.send_receive()

    await comes(0, 5, 3)
    await office.stopService()
    office = await house.start()
    await comes(5, 9, 3)
    counts = {row["user"]: row["messages"] for row in await office.acts.mailboxes()}
    assert (counts["lisa"], counts["admin1"]) == (9, 0)
    await comes(9, 12, 1)
    counts = {row["user"]: row["messages"] for row in await office.acts.mailboxes()}
    assert (counts["lisa"], counts["scanner"]) == (10, 10)
    assert counts["admin1"] == 2
