"""Faxes from a provider's mailbox: by what the provider wrote of the envelope, and by nothing that a sender wrote."""

from __future__ import annotations

import itertools

import pytest
from attrs import evolve
from twisted.internet import reactor
from twisted.internet.task import deferLater

from mailshare.core.errors import NotPossible, PolicyRefusal
from mailshare.core.headers import Headers
from mailshare.core.values import QueueState
from mailshare.core.values.fax import FaxCause
from tests.fax.calling_room import Room, ends
from tests.fax.test_fax_office import FAX, GATEWAY, mails, settled
from tests.house import House

BOX = """
[[fax_mailbox]]
account = "mail@company.example"
header = "X-Original-To"
user = "anna"
senders = ["*@company.example"]
"""
UIDS = itertools.count()
NUMBER = f"FAX=+49305550200@{GATEWAY}"


def put(house: House, top: str, number: int = 1, *, below: str = "", author: str = "boss@company.example") -> None:
    """A message at the provider, with these lines above Received, and those below it."""
    octets = (
        f"Return-Path: <{author}>\r\n{top}Received: from far by mx; x\r\n{below}From: The boss <{author}>\r\n"
        f"To: mail@company.example\r\nSubject: Offer\r\nMessage-ID: <{number}@far.example>\r\n\r\nText\r\n"
    )
    house.isp.box.put(octets.encode(), f"uid{next(UIDS)}")


async def numbers(house: House) -> list[object]:
    assert house.office is not None
    rows = await house.office.store.queue.items(agent="fax", open_only=False)
    return sorted(str(row.params["number"]) for row in rows)


async def test_a_fax_from_a_mailbox_is_told_of_as_a_disposition(house: House) -> None:
    """X5: fetched, sent in the name of the user that is named, who gets no DSN: an MDN, or words if none was asked."""
    office = await house.start(FAX + BOX)
    put(house, f"X-Original-To: {NUMBER}\r\n", below="Disposition-Notification-To: boss@company.example\r\n")
    [ran] = await office.acts.fax_receive()
    assert ran["account"] == "mail@company.example"
    assert len(ran["faxes"]) == 1  # type: ignore[arg-type]
    assert "1" in str(ran["text"])
    await settled(house)
    [row] = await office.acts.fax_queue(all=True)
    assert row["user"] == "anna"
    [report] = await mails(house, "anna")
    assert report["Subject"] == "Fax delivered successfully. (MDN) Offer"
    assert report.get_param("report-type") == "disposition-notification"
    put(house, f"X-Original-To: {NUMBER}\r\n", 2)
    await office.acts.fax_receive()
    await settled(house)
    unasked = next(one for one in await mails(house, "anna", 2) if "(MDN)" not in one["Subject"])
    assert (unasked["Subject"], unasked.get_content_type()) == ("Fax delivered successfully. Offer", "text/plain")
    assert await house.mail_of("ben", "ben") == []


@pytest.mark.parametrize(
    ("top", "below", "author"),
    [
        ("", f"X-Original-To: {NUMBER}\r\n", "boss@company.example"),  # the sender wrote it
        ("", f"Cc: {NUMBER}\r\n", "boss@company.example"),
        (f"Delivered-To: {NUMBER}\r\n", "", "boss@company.example"),  # another field than is named
        (f"X-Original-To: {NUMBER}\r\n", "", "stranger@far.example"),
        (f"X-Original-To: FAX=+499001234567@{GATEWAY}\r\n", "", "boss@company.example"),  # a premium number
        ("X-Original-To: mail@company.example\r\n", "", "boss@company.example"),
    ],
)
async def test_nothing_that_a_sender_writes_makes_a_fax(house: House, top: str, below: str, author: str) -> None:
    """S2 S10: it is sorted as mail, and nobody is called."""
    office = await house.start(FAX + BOX)
    put(house, top, below=below, author=author)
    [ran] = await office.acts.fax_receive()
    assert ran["faxes"] == []
    assert await numbers(house) == []


async def test_a_second_copy_of_a_message_makes_no_second_fax(house: House) -> None:
    """G13: by its Message-ID and the number; other recipients of the same message get theirs."""
    office = await house.start(FAX + BOX)
    other = f"FAX=+49305550203@{GATEWAY}"
    for top in (NUMBER, NUMBER, other):
        put(house, f"X-Original-To: <{top}>\r\n")
    await office.acts.fax_receive()
    await settled(house)
    rows = await office.store.queue.items(agent="fax", open_only=False)
    ended = sorted((str(row.params["number"]), row.state) for row in rows)
    assert ended == [
        ("+49305550200", QueueState.DELIVERED),
        ("+49305550200", QueueState.CANCELLED),
        ("+49305550203", QueueState.DELIVERED),
    ]
    assert len(await mails(house, "anna", 2)) == 2


async def test_the_first_copy_stays_the_first_over_a_stop(room: Room) -> None:
    """A row that was the first is so after a restart; another one is not, also then; after 30 days it is forgotten."""
    first = await room.row(once="m1")
    room.line.acts = [ends(FaxCause.BUSY)]
    assert (await room.tried(first)).state is QueueState.QUEUED
    await room.fax.close()
    await room.open()
    second = await room.row(once="m1")
    assert (await room.tried(second)).state is QueueState.CANCELLED
    room.line.acts = [ends(FaxCause.OK, 3)]
    assert (await room.tried(first)).state is QueueState.DELIVERED
    once, now = room.fax.once, room.clock.seconds()
    assert await once.is_first("m2", 1, now)
    assert not await once.is_first("m2", 2, now + 29 * 86_400)
    assert await once.is_first("m2", 2, now + 31 * 86_400)


async def test_what_is_too_dear_is_not_called(room: Room) -> None:
    """Nobody could be told while the message was handed in, so it is told in the report."""
    room.rules = evolve(room.rules, most_cost=0.01, prices={"national": 5.0})
    room.fax.follow(room.rules)
    outcome = await room.tried(await room.row(once="m2", toll="national"))
    assert (outcome.state, outcome.detail["cause"]) == (QueueState.FAILED, "not-allowed")


async def test_without_a_mailbox_there_is_nothing_to_fetch(house: House) -> None:
    """A sentence says what to declare."""
    office = await house.start(FAX)
    with pytest.raises(NotPossible, match="fax_mailbox"):
        await office.acts.fax_receive()
    await deferLater(reactor, 0)


async def test_an_author_that_is_not_one_may_not_send(house: House) -> None:
    """Two authors, or none, are nobody."""
    office = await house.start(FAX + BOX)
    gateway = office._parts.fax.running().gateway
    directory = office.store.directory.current()
    [account] = directory.accounts
    head = f"X-Original-To: {NUMBER}\r\nReceived: x\r\n"
    for author in ("", "From: a@company.example, b@company.example\r\n", "From: boss@company.example.evil\r\n"):
        with pytest.raises(PolicyRefusal):
            gateway.collected(Headers.parse((head + author + "\r\n").encode()), account, directory)
    assert gateway.collected(Headers.parse((head + "From: a@company.example\r\n\r\n").encode()), account, directory)


async def test_whoever_faxes_through_a_mailbox_hears_what_was_refused(house: House) -> None:
    """G2: why, and what; ten times an hour; nothing about what a machine wrote, and nothing to the outside."""
    office = await house.start(FAX + BOX)
    top = f"X-Original-To: FAX=+499001234567@{GATEWAY}\r\n"
    put(house, f"X-Original-To: {NUMBER}\r\n", 1, below="Auto-Submitted: auto-replied\r\n", author="x@far.example")
    put(house, top, 2)
    await office.acts.fax_receive()
    [first] = await mails(house, "anna")
    assert "boss@company.example wanted to send a fax" in " ".join(str(first.get_payload()).split())
    assert "remium" in str(first.get_payload())
    for number in range(3, 15):
        put(house, f"X-Original-To: {NUMBER}\r\n", number, author="stranger@far.example")
    await office.acts.fax_receive()
    found = await mails(house, "anna", 10)
    assert {str(one["Subject"]) for one in found} == {"Fax from a mailbox not sent"}
    assert len(found) == 10
    words = [" ".join(str(one.get_payload()).split()) for one in found]
    assert sum("stranger@far.example may not send faxes through this mailbox" in one for one in words) == 9
    assert await office.store.queue.items(agent="relay", open_only=False) == []
    assert await numbers(house) == []
