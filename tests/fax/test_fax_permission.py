"""Who may send where is decided before a page is made and before a number is dialled, whoever the sender says he is."""

from __future__ import annotations

import smtplib
from collections.abc import Mapping
from email.message import EmailMessage

import pytest

from tests.fax.test_fax_office import FAX, GATEWAY, letter, line_of
from tests.house import House

PREMIUM = (
    "+499001234567",
    "09001234567",
    "00499001234567",
    "+49-900.1234567",
    "+441904123456x",
    "+449098790000",
    "+19002345678",
    "+8821312345",
    "110",
    "112",
)


async def watched(house: House) -> list[str]:
    """An office that notes what it has made of documents."""
    office = await house.start(FAX)
    pages, made = office._parts.fax.running().pages, []
    real = pages._perform

    async def noted(operation: str, *rest: object) -> object:
        made.append(operation)
        return await real(operation, *rest)

    pages._perform = noted  # type: ignore[assignment]
    return made


def refusals(
    client: smtplib.SMTP, sender: str, to: list[str], message: EmailMessage
) -> Mapping[str, tuple[int, bytes]]:
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        client.send_message(message, sender, to)
    return refused.value.recipients


async def test_no_premium_number_is_reached_however_it_is_written(house: House) -> None:
    """U19: no an emergency number, a satellite, or what only looks like a number; nothing is converted for them."""
    made = await watched(house)
    to = [f"FAX={number}@{GATEWAY}" for number in PREMIUM] + [f"09001234567@{GATEWAY}"]

    def talk(client: smtplib.SMTP) -> Mapping[str, tuple[int, bytes]]:
        client.login("anna", "anna")
        return refusals(client, "anna@mail.office.example", to, letter("x"))

    found = await house.smtp(talk)
    assert set(found) == set(to)
    assert all(code == 550 and text[:5] in (b"5.7.1", b"5.1.3") for code, text in found.values())
    assert not made
    assert not line_of(house).taken


@pytest.mark.parametrize("user", ["ben", ""])
async def test_a_forged_sender_sends_nothing(house: House, user: str) -> None:
    """The login counts: neither MAIL FROM nor From of somebody who may helps one who may not, or a stranger."""
    made = await watched(house)

    def talk(client: smtplib.SMTP) -> object:
        if user:
            client.login(user, user)
        message = letter("x")
        message["Sender"] = "anna@mail.office.example"
        with pytest.raises((smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused)):
            client.send_message(message, "anna@mail.office.example", f"FAX=+49305550200@{GATEWAY}")
        return None

    await house.smtp(talk)
    assert not made
    assert not line_of(house).taken
    assert house.office is not None
    assert not await house.office.store.queue.items(agent="fax", open_only=False)


async def test_one_who_may_is_held_to_his_own_name(house: House) -> None:
    """A report goes to whoever logged in, whatever the envelope says; and so does the order that answers it."""
    await watched(house)

    def talk(client: smtplib.SMTP) -> object:
        client.login("anna", "anna")
        return client.send_message(letter("x"), "ben@mail.office.example", f"FAX=+49305550202@{GATEWAY}")

    await house.smtp(talk)
    assert house.office is not None
    [row] = await house.office.store.queue.items(agent="fax", open_only=False)
    anna = next(user for user in house.office.store.directory.current().users if user.name == "anna")
    assert row.submitter_id == anna.id
