"""Mail between people of the house, through the real SMTP session of a whole office."""

from __future__ import annotations

import smtplib

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from mailshare.assembly.office import Office
from tests.test_assembly_office import Room, room, user

__all__ = ["room"]
SHARED = "mail@company.example"
PEOPLE = user("andrew") + user("greg") + user("lisa", more='names = ["Lisa Stone"]')
PEOPLE += user("inside", more="local_only = true")


def smtp_port(office: Office) -> int:
    return int(next(one["address"] for one in office.places() if one["service"] == "smtp").rpartition(":")[2])


def say(port: int, header: str, *recipients: str, login: str = "andrew") -> dict[str, int]:
    """Send one message and tell how each recipient was answered."""
    with smtplib.SMTP("127.0.0.1", port, timeout=90) as client:
        client.ehlo()
        client.login(login, login)
        client.mail(f"{login}@213.0.0.117")
        codes = {each: client.docmd(f"RCPT TO:<{each}>")[0] for each in recipients}
        if any(code == 250 for code in codes.values()):
            assert client.data(header.replace("\n", "\r\n") + "\r\n\r\nHello\r\n")[0] == 250
    return codes


async def counts(office: Office) -> dict[str, int]:
    return {row["user"]: row["messages"] for row in await office.acts.mailboxes() if row["messages"]}


async def outgoing(office: Office) -> list[str]:
    return sorted(row["to"] for row in await office.acts.outbox())


@pytest_twisted.ensureDeferred
async def test_mixed_recipients_stay_and_leave_3_7(room: Room) -> None:
    """Local copies now, one upstream transaction for the rest; own addresses in any form never go upstream."""
    room.write("ACCOUNTthreshold = 0\n" + PEOPLE)
    office = await room.start()
    port = smtp_port(office)
    header = f"From: andrew@213.0.0.117\nTo: Greg <{SHARED}>, bob@far.example\nCc: carl@far.example\nBcc: lisa"
    names = ["greg", "mail+lisa@company.example", SHARED, "bob@far.example", "carl@far.example"]
    assert set((await deferToThread(say, port, header, *names)).values()) == {250}
    assert await counts(office) == {"greg": 1, "lisa": 1}
    assert await outgoing(office) == ["bob@far.example", "carl@far.example"]
    await office.acts.send_receive()
    while await office.acts.outbox():
        await deferLater(reactor, 0.05)
    (sent,) = room.isp.relayed
    assert [str(each.address) for each in sent.envelope.recipients] == ["bob@far.example", "carl@far.example"]
    assert str(sent.envelope.sender) == SHARED
    assert b"lisa" not in sent.octets.lower()
    assert b"From: andrew <mail@company.example>" in sent.octets


@pytest.mark.parametrize(
    ("recipient", "code", "expected"),
    [
        ("greg", 250, {"greg": 1}),
        ("GREG@mail.office.example", 250, {"greg": 1}),
        ("greg@localhost", 250, {"greg": 1}),
        ("mail+greg@company.example", 250, {"greg": 1}),
        ("greg@mail@company.example", 250, {"greg": 1}),
        ('"greg@mail"@company.example', 250, {"greg": 1}),
        ("nobody@mail@company.example", 550, {}),
        ("greg@other@company.example", 550, {}),
        ("nobody", 550, {}),
        ("nobody@mail.office.example", 550, {}),
        ("inside", 250, {"inside": 1}),
        ("admin", 250, {"admin1": 1}),
        ("public", 250, {"greg": 1, "lisa": 1, "inside": 1}),
        (SHARED, 250, {"admin1": 1}),
        ("mail+nobody@company.example", 250, {"admin1": 1, "andrew": 1}),  # and a note to its author
    ],
)
@pytest_twisted.ensureDeferred
async def test_recipients_of_the_house_3_7(room: Room, recipient: str, code: int, expected: dict[str, int]) -> None:
    """Each form of an address, as an SMTP client names it."""
    room.write("ACCOUNTthreshold = 0\n" + PEOPLE)
    office = await room.start()
    header = f"From: x@y.example\nTo: undisclosed-recipients:;\nMessage-ID: <{len(recipient)}@x>"
    assert (await deferToThread(say, smtp_port(office), header, recipient))[recipient] == code
    assert await counts(office) == expected
    assert await outgoing(office) == []


@pytest_twisted.ensureDeferred
async def test_a_name_nobody_bears_is_told_to_the_sender_3_7(room: Room) -> None:
    """The names in the header decide after DATA; ADMIN gets what is left, the author a note; nothing goes upstream."""
    room.write("ACCOUNTthreshold = 0\n" + PEOPLE)
    office = await room.start()
    port = smtp_port(office)
    await deferToThread(say, port, f"From: x@y.example\nTo: Lisa Stone <{SHARED}>\nMessage-ID: <1@x>", SHARED)
    assert await counts(office) == {"lisa": 1}
    await deferToThread(say, port, f"From: x@y.example\nTo: Peter <{SHARED}>\nMessage-ID: <2@x>", SHARED)
    assert await counts(office) == {"lisa": 1, "admin1": 1, "andrew": 1}
    await deferToThread(say, port, f"From: x@y.example\nTo: {SHARED}\nMessage-ID: <3@x>", SHARED)
    assert await counts(office) == {"lisa": 1, "admin1": 2, "andrew": 1}
    assert await outgoing(office) == []


@pytest_twisted.ensureDeferred
async def test_who_may_not_write_to_the_outside_3_7(room: Room) -> None:
    """Somebody for inside only reaches the house and nobody else; nobody logs in as PUBLIC."""
    room.write("ACCOUNTthreshold = 0\n" + PEOPLE)
    office = await room.start()
    answers = await deferToThread(say, smtp_port(office), "To: greg", "greg", "bob@far.example", login="inside")
    assert answers == {"greg": 250, "bob@far.example": 550}
    assert await counts(office) == {"greg": 1}
    with pytest.raises(smtplib.SMTPAuthenticationError):
        await deferToThread(say, smtp_port(office), "To: greg", "greg", login="public1")
