"""Answers to reports: STOP and RESEND, in an office on its sockets."""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from email.message import EmailMessage, Message
from email.utils import parseaddr

import pytest
from twisted.internet import reactor
from twisted.internet.task import deferLater

from mailshare.core.fax_orders import HOUR, answer_address
from mailshare.core.values import QueueState
from tests.fax.test_fax_office import DEADLINE, FAX, GATEWAY, hands_in, letter, line_of, mails, settled
from tests.house import House

BOTH = FAX.replace('senders = ["anna"]', 'senders = ["anna", "ben"]')


def answer(to: str, first: str = "RESEND", user: str = "anna") -> Callable[[smtplib.SMTP], object]:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = f"{user}@mail.office.example", to, "Re: a report"
    message.set_content(f"{first}\n\n> Your message could not be sent.\n> RESEND\n")
    return hands_in(to, message, user)


def answers_of(report: Message) -> str:
    address = parseaddr(report["Reply-To"])[1]
    assert address.startswith("fax-")
    return address


async def told(house: House, subject: str, name: str = "anna") -> Message:
    """The notice with that subject, once it is there."""
    until = reactor.seconds() + DEADLINE
    while True:
        found = [one for one in await mails(house, name, 0) if one["Subject"] == subject]
        if found:
            return found[-1]
        assert reactor.seconds() < until
        await deferLater(reactor, 0.05)


async def test_an_answer_sends_a_fax_again_and_only_once(house: House) -> None:
    """RESEND by mail; the same answer a second time is harmless."""
    office = await house.start(FAX)
    number = "+49305550202"
    await house.smtp(hands_in(f"FAX={number}@{GATEWAY}", letter("x")))
    await settled(house)
    [report] = await mails(house, "anna")
    await house.smtp(answer(answers_of(report)))
    notice = await told(house, "Fax: What became of your answer")
    assert "is sent once more" in notice.get_payload()
    await settled(house)
    await house.smtp(answer(answers_of(report)))
    until = reactor.seconds() + DEADLINE
    while not any("by an answer before" in one.as_string() for one in await mails(house, "anna", 0)):
        assert reactor.seconds() < until
        await deferLater(reactor, 0.05)
    rows = await office.store.queue.items(agent="fax", open_only=False)
    assert [row.params["number"] for row in rows] == [number] * 2


async def test_an_answer_stops_a_fax_that_waits(house: House) -> None:
    """STOP by mail, as a report about a delay asks; a second time it was stopped before."""
    office = await house.start(FAX.replace('"busy*2,answers"', '"busy"'))
    await house.smtp(hands_in(f"FAX=+49305550201@{GATEWAY}", letter("x")))
    until = reactor.seconds() + DEADLINE
    while not [row for row in await office.store.queue.items(agent="fax") if row.attempts]:
        assert reactor.seconds() < until
        await deferLater(reactor, 0.02)
    [row] = await office.store.queue.items(agent="fax")
    fax = office._parts.fax.running()
    anna = next(user for user in office.store.directory.current().users if user.name == "anna")
    address, _ = fax.desk.answers_to([row], anna)
    await house.smtp(answer(address, "stop"))
    notice = await told(house, "Fax: What became of your answer")
    assert "is stopped" in notice.get_payload()
    [row] = await office.store.queue.items(agent="fax", open_only=False)
    assert row.state is QueueState.CANCELLED


async def test_answers_of_others_old_ones_and_forged_ones_are_refused(house: House) -> None:
    """Bound to the row, to the user whom the report went to, and to a time; refused at RCPT."""
    office = await house.start(BOTH)
    await house.smtp(hands_in(f"FAX=+49305550202@{GATEWAY}", letter("x")))
    await settled(house)
    [report] = await mails(house, "anna")
    address = answers_of(report)
    desk = office._parts.fax.running().desk
    anna = next(user for user in office.store.directory.current().users if user.name == "anna")
    old = f"{answer_address(desk._key, [1], anna.id, int(reactor.seconds() * 1_000_000) - HOUR)}@{GATEWAY}"
    forged = address.replace("fax-", "fax-9", 1)
    for to, user, why in ((address, "ben", b"somebody else"), (old, "anna", b"too old"), (forged, "anna", b"else")):
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            await house.smtp(answer(to, user=user))
        [(code, text)] = refused.value.recipients.values()
        assert code == 550
        assert text.startswith(b"5.7.1")
        assert why in text

    def stranger(client: smtplib.SMTP) -> object:
        return client.sendmail("anna@mail.office.example", [address], b"Subject: x\r\n\r\nRESEND\r\n")

    with pytest.raises(smtplib.SMTPException):
        await house.smtp(stranger)
    assert len(await office.store.queue.items(agent="fax", open_only=False)) == 1


async def test_an_answer_without_an_order_is_refused_at_the_end_of_data(house: House) -> None:
    """Prose stops nothing and sends nothing."""
    await house.start(FAX)
    await house.smtp(hands_in(f"FAX=+49305550202@{GATEWAY}", letter("x")))
    await settled(house)
    [report] = await mails(house, "anna")
    with pytest.raises(smtplib.SMTPDataError) as refused:
        await house.smtp(answer(answers_of(report), "Please stop this nonsense"))
    assert refused.value.smtp_code == 550
    assert b"5.6.1" in refused.value.smtp_error


async def test_the_address_of_an_answer_outlives_a_restart(house: House) -> None:
    """The key is in the data directory."""
    await house.start(FAX)
    await house.smtp(hands_in(f"FAX=+49305550200@{GATEWAY}", letter("x")))
    await settled(house)
    [report] = await mails(house, "anna")
    assert house.office is not None
    await house.office.stopService()
    await house.start()
    await house.smtp(answer(answers_of(report)))
    await told(house, "Fax: What became of your answer")
    await settled(house)
    assert len(line_of(house).taken["+49305550200"]) == 1
