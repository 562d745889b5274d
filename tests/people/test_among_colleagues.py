"""Mail that stays in the house, on an office through its sockets: addresses, names, copies, answers (3.4, 3.7)."""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import pytest_twisted

from mailshare.core.errors import MailshareError
from tests.house import House

PEOPLE = "".join(
    f'[[user]]\nname = "{name}"\nnames = [{more}]\npassword = "{name}"\naccounts = ["mail@company.example"]\n'
    for name, more in (("greg", '"Greg Jones"'), ("lisa", ""), ("andrew", ""))
)


def sends(*recipients: str, to: str, user: str = "greg") -> Callable[[smtplib.SMTP], list[int]]:
    """Log in and hand in a letter; the codes of RCPT and of the end."""

    def talk(client: smtplib.SMTP) -> list[int]:
        client.login(user, user)
        client.mail(user)
        codes = [client.rcpt(one)[0] for one in recipients]
        return [*codes, client.data(f"To: {to}\r\nSubject: Lunch\r\n\r\nAt noon\r\n".encode())[0]]

    return talk


async def counts(house: House) -> Mapping[str, Any]:
    assert house.office is not None
    return {str(row["user"]): row["messages"] for row in await house.office.acts.mailboxes()}


@pytest_twisted.ensureDeferred
async def test_an_address_of_the_local_network_is_this_house(house: House) -> None:
    """``lisa@192.168.1.2`` is a colleague; the provider could deliver it to nobody. A public address is not ours."""
    office = await house.start(PEOPLE)
    local = ["lisa@192.168.1.2", "andrew@[10.0.0.7]", "greg@127.0.0.1", "lisa@[IPv6:fd00::5]", "lisa@169.254.3.4"]
    assert await house.smtp(sends(*local, to="lisa")) == [250] * 6
    assert await house.smtp(sends("nobody@192.168.1.2", "lisa", to="lisa")) == [550, 250, 250]
    assert await house.smtp(sends("lisa@[8.8.4.4]", to="lisa")) == [250, 250]
    await office.acts.send_receive()
    gone = [[str(one.address) for one in each.envelope.recipients] for each in house.isp.relayed]
    assert gone == [["lisa@[8.8.4.4]"]]
    assert await counts(house) == {"admin1": 0, "andrew": 1, "greg": 1, "lisa": 2, "public1": 0}


@pytest_twisted.ensureDeferred
async def test_who_meant_a_person_is_told_as_he_wrote_it(house: House) -> None:
    """A name nobody has, and a tag nobody has: ADMIN has the letter, and the sender a note that quotes him."""
    await house.start(PEOPLE)
    wrong = '"Nobody McHere" <mail@company.example>'
    assert await house.smtp(sends("mail@company.example", to=wrong)) == [250, 250]
    tagged = "mail+noone@company.example"
    assert await house.smtp(sends(tagged, to=tagged)) == [250, 250]
    notes = await house.mail_of("greg", "greg")
    assert len(notes) == 2
    assert b"Nobody McHere: nobody here has this name" in notes[0]
    assert b"mail+noone@company.example: nobody here has this tag" in notes[1].replace(b"\r\n    ", b" ")
    assert (await counts(house))["admin1"] == 2


@pytest_twisted.ensureDeferred
async def test_a_colleague_who_writes_to_the_bare_login_hears_that_she_is_away(house: House) -> None:
    """The manual says: write ``lisa``. So that is a way of writing to her, and it is answered, once."""
    office = await house.start(PEOPLE)
    await office.acts.vacation(name="lisa", text="On an island.")
    await office.acts.vacation(name="greg", text="Gone fishing.")
    for _ in range(2):
        assert await house.smtp(sends("lisa", to="lisa")) == [250, 250]
    (answer,) = await house.mail_of("greg", "greg")
    assert b"On an island." in answer
    assert await counts(house) == {"admin1": 0, "andrew": 0, "greg": 1, "lisa": 2, "public1": 0}


@pytest_twisted.ensureDeferred
async def test_copies_go_to_people(house: House) -> None:
    """PUBLIC has a mailbox that nobody reads, so it is on no list of copies."""
    office = await house.start(PEOPLE)
    with pytest.raises(MailshareError, match="nobody reads"):
        await office.acts.add_user(name="anna", accounts=["1"], cc=["public1"])
    await office.acts.add_user(name="anna", accounts=["1"], cc=["admin1", "lisa"])
