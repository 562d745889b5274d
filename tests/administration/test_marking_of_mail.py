"""How an office finds out by itself how its provider marks mail (rule 3.2), on the assembled office."""

from __future__ import annotations

from typing import Any

import pytest_twisted

from tests.test_assembly_office import Room, room

__all__ = ["room"]

FIRM = """\
[[account]]
address = "box@firm.example"
mode = "domain"
domains = ["firm.example"]
collect = "pop3://mail@127.0.0.1:{port}?tls=none"
password = "isp"
timetable = [{{ days = "mon", from = "00:00", to = "00:01", every = 1440 }}]
"""
NAMES = ("andrew", "greg", "lisa")


def edge(recipient: str = "") -> str:
    clause = f" for <{recipient}>" if recipient else ""
    return f"Received: from far.example (far.example [192.0.2.7]) by mx.isp.example with ESMTP{clause}; Mon, 1 Jan\r\n"


def below_the_box(to: str) -> str:
    """The recipient stands below the line that the inner server wrote, so that only a learned boundary finds it."""
    inner = "Received: from mx.isp.example (mx.isp.example [10.0.0.3]) by store.isp.example with LMTP; Mon, 1 Jan 2024"
    return f"Delivered-To: web17p1@isp.example\r\n{inner}\r\nDelivered-To: {to}\r\n{edge()}"


def on_top(to: str) -> str:
    return f"X-Original-To: {to}\r\nDelivered-To: web17p1@isp.example\r\n{edge()}"


def put(room: Room, number: int, name: str, marking: str) -> None:
    text = (
        f"{marking}From: a@far.example\r\nTo: undisclosed-recipients:;\r\nSubject: for {name}\r\n"
        f"Message-ID: <{number}@far.example>\r\n\r\nText {number}\r\n"
    )
    room.isp.box.put(text.encode(), f"u{number}")


def settings(room: Room, more: str = "") -> None:
    pop3, _ = room.isp.ports()
    people = "".join(
        f'[[user]]\nname = "{name}"\npassword = "x"\naccounts = ["box@firm.example"]\n' for name in NAMES
    )
    room.write(FIRM.format(port=pop3) + more + people)


async def boxes(acts: Any) -> dict[str, int]:
    return {row["user"]: row["messages"] for row in await acts.mailboxes() if row["messages"]}


@pytest_twisted.ensureDeferred
async def test_the_first_lot_of_a_full_mailbox_is_sorted_by_what_it_shows(room: Room) -> None:
    """Blind copies, marked below the mailbox's own name, reach their people in the very first run."""
    settings(room)
    for number in range(12):
        name = NAMES[number % 3]
        put(room, number, name, below_the_box(f"{name}@firm.example"))
    office = await room.start()
    await office.acts.send_receive()
    assert await boxes(office.acts) == {"andrew": 4, "greg": 4, "lisa": 4}
    (account,) = await office.acts.accounts()
    found: Any = account["found"]
    assert found["trusted_by"] == ["mx.isp.example", "store.isp.example"]
    assert (found["evidence"], found["share"], found["bcc_safe"]) == ("delivered-to", 1.0, True)
    status: Any = await office.acts.status()
    assert status["accounts"][0]["marking"]["evidence"] == "delivered-to"
    told: Any = await office.acts.log(kinds=["collect.style"])
    assert len(told["events"]) == 1
    await office.stopService()
    second = await room.start()  # what was learned is kept
    put(room, 50, "lisa", below_the_box("lisa@firm.example"))
    await second.acts.send_receive()
    assert (await boxes(second.acts))["lisa"] == 5


@pytest_twisted.ensureDeferred
async def test_it_is_learned_from_what_comes_in_little_by_little(room: Room) -> None:
    """With few messages nothing is concluded; with the eighth it is, without asking the provider for anything."""
    settings(room)
    office = await room.start()
    for number in range(7):
        put(room, number, "greg", below_the_box("greg@firm.example"))
        await office.acts.send_receive()
    assert await boxes(office.acts) == {"admin1": 7}
    put(room, 8, "greg", below_the_box("greg@firm.example"))
    await office.acts.send_receive()
    put(room, 9, "greg", below_the_box("greg@firm.example"))
    await office.acts.send_receive()
    assert await boxes(office.acts) == {"admin1": 8, "greg": 1}
    answer: Any = await office.acts.admin_sort()
    assert len(answer["past"]) == 8  # and the past finds its owner on request
    assert await boxes(office.acts) == {"greg": 9}


@pytest_twisted.ensureDeferred
async def test_a_provider_that_changes_is_told_once_and_followed(room: Room) -> None:
    """ADMIN hears of it when the old field falls under nine in ten; mail goes on to its people."""
    settings(room)
    for number in range(20):
        put(room, number, "greg", below_the_box("greg@firm.example"))
    office = await room.start()
    await office.acts.send_receive()
    for number in range(20, 26):
        put(room, number, "lisa", on_top("lisa@firm.example"))
        await office.acts.send_receive()
    counts = await boxes(office.acts)
    assert counts == {"greg": 20, "lisa": 6, "admin1": 1}
    (notice,) = await office.acts.admin_list()
    assert "marked otherwise" in str(notice["subject"])
    shown: Any = await office.acts.admin_show(id=str(notice["id"]))
    assert "delivered-to names the recipient in" in shown["text"]
    status: Any = await office.acts.status()
    assert "delivered-to" in status["accounts"][0]["marking"]["alarm"]


@pytest_twisted.ensureDeferred
async def test_a_boundary_set_by_hand_is_not_overruled(room: Room) -> None:
    """Where the file names the hosts, they count, whatever the mail shows."""
    settings(room, 'options = { trusted_by = ["other.isp.example"] }\n')
    for number in range(12):
        put(room, number, "greg", below_the_box("greg@firm.example"))
    office = await room.start()
    await office.acts.send_receive()
    assert await boxes(office.acts) == {"admin1": 12}


@pytest_twisted.ensureDeferred
async def test_a_change_is_noticed_by_the_weekly_look_though_no_mail_is_collected(room: Room) -> None:
    """What lies at the provider and is no longer fetched shows the change; ADMIN hears of it."""
    settings(room, "leave_on_server_days = -1\n")
    for number in range(20):
        put(room, number, "greg", below_the_box("greg@firm.example"))
    office = await room.start()
    await office.acts.send_receive()
    room.isp.box.letters.clear()
    for number in range(20, 40):
        put(room, number, "lisa", on_top("lisa@firm.example"))
    (account,) = office.store.directory.current().accounts
    past = int(str(account.found["at"])) - 8 * 24 * 3600 * 1_000_000
    await office.store.directory.learn(account.id, {**account.found, "at": past})
    await office._running().room.weekly.look()
    (notice,) = await office.acts.admin_list()
    assert "marked otherwise" in str(notice["subject"])
    assert (await boxes(office.acts)) == {"greg": 20, "admin1": 1}
