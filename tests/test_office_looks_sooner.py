"""An office on its sockets that looks for mail between the runs of its timetable (requirement 10)."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Callable

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater

from mailshare.core.quick_looks import FLOOR, Stir
from mailshare.core.values import SECOND
from tests.house import BASE, House, house

__all__ = ["house"]

EVERY_FIVE = BASE[: BASE.index("threshold")] + '[[user]]\nname = "andrew"\naccounts = ["mail@company.example"]\n'


async def until(true: Callable[[], object]) -> None:
    """Let the office go on."""
    ends = time.monotonic() + 60
    while not true():
        assert time.monotonic() < ends
        await deferLater(reactor, 0.01)


@pytest_twisted.ensureDeferred
async def test_mail_and_logins_bring_the_next_try_nearer_and_the_journal_says_why(house: House) -> None:
    """Collected by the timetable at the start; then half a minute to the next try; logins are noticed."""
    pop3, smtp = house.isp.ports()
    (house.folder / "m.toml").write_text(EVERY_FIVE.format(pop3=pop3, smtp=smtp) + 'password = "a"\n')
    house.arrives("Andrew <mail@company.example>")
    office = await house.start()
    await until(lambda: office.account_statuses()[0].collect.last_ok)
    status = office.account_statuses()[0].collect
    assert status.messages == 1
    near = range(FLOOR - SECOND, FLOOR + SECOND)
    await until(lambda: office.account_statuses()[0].collect.next_try - status.last_try in near)
    (event,) = [one for _, one in await office.store.events.page(since=0, until=2**62, kinds=["collect.run"])]
    assert event.data["cause"] == "the interval is over"
    assert len(await house.mail_of("andrew", "a")) == 1
    assert office._parts is not None
    assert list(office._parts.room.timetable._stirring._rhythms) == [("andrew", "127.0.0.1")]


@pytest_twisted.ensureDeferred
async def test_mail_that_was_sent_stirs_its_account(house: House) -> None:
    """An answer may follow: when the provider has taken a message, it is asked before the interval is over."""
    pop3, smtp = house.isp.ports()
    (house.folder / "m.toml").write_text(EVERY_FIVE.format(pop3=pop3, smtp=smtp) + 'password = "a"\n')
    office = await house.start()

    def send(client: smtplib.SMTP) -> None:
        client.login("andrew", "a")
        client.sendmail("andrew@mail.office.example", ["x@out.example"], "Subject: x\r\n\r\nx\r\n")

    await house.smtp(send)
    await office.acts.send_receive()
    assert len(house.isp.relayed) == 1
    assert office._parts is not None
    assert office._parts.room.timetable._stirring._looks[1].stir is Stir.SENT
