"""Boxes, callers, barcodes, passing on: what becomes of a fax that came in, in an office on its sockets."""

from __future__ import annotations

import random
import smtplib
from collections.abc import Sequence
from email.message import EmailMessage, Message
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from twisted.internet import reactor
from twisted.internet.task import deferLater

from mailshare.core.errors import NotPossible
from mailshare.core.values import QueueState
from mailshare.core.values.fax import CallFacts, Coding, FaxCause, FaxPage, Ringing
from mailshare.documents.fax_strips import coded
from mailshare.wire.tiff_fax import read_tiff
from tests.fax.test_fax_desk import told
from tests.fax.test_fax_office import DEADLINE, FAX, GATEWAY, hands_in, line_of, mails, settled
from tests.house import House

TIFF = FAX.replace('formats = ["tiff", "pdf"]', 'formats = ["tiff"]')
BOXES = (
    TIFF
    + """
[[fax_box]]
name = "board"
to = ["ben"]
code = "4711"
[[fax_box]]
name = "prices"
kind = "bulletin"
code = "99"
[[fax_box]]
name = "branches"
kind = "relay"
to = ["FAX=+49305550200@fax.mail.office.example", "FAX=+49305550202@fax.mail.office.example", "ben", "floor"]
code = "20051123581321"
report = "anna"
[[printer]]
name = "floor"
addresses = ["floor"]
device = "dir:printed"
plain = true
[[fax_route]]
subaddress = "1"
to = ["box:board"]
[[fax_route]]
subaddress = "2"
to = ["box:prices"]
[[fax_route]]
subaddress = "3"
to = ["box:branches"]
"""
)


def page(seed: int) -> FaxPage:
    return coded(Image.frombytes("1", (1728, 60), random.Random(seed).randbytes(216 * 60)), 204, 196, Coding.MMR)


async def rings(
    house: House, pages: Sequence[FaxPage], number: int = 1, *, sub: str = "", password: str = "", station: str = "far"
) -> FaxCause:
    """A call comes in over the office's line, as a machine makes it."""
    receiver = line_of(house).receiver
    assert receiver is not None
    call = Ringing(f"call-{number}", "pretend", "+4989123456", "+49305550100")
    if (cause := await receiver.screen(call)) is not FaxCause.OK:
        return cause
    said = Ringing(call.id, call.line, call.caller, call.called, "", station, sub, password)
    if (cause := await receiver.screen(said)) is not FaxCause.OK:
        return cause
    for index, each in enumerate(pages):
        await receiver.page_received(call, index, each)
    await receiver.finished(call, CallFacts(FaxCause.OK, station, sub, password=password))
    return FaxCause.OK


def order(name: str, first: str, user: str) -> object:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = f"{user}@mail.office.example", f"box-{name}@{GATEWAY}", "box"
    message.set_content(f"{first}\n")
    return hands_in(f"box-{name}@{GATEWAY}", message, user)


def pages_in(mail: Message) -> list[FaxPage | None]:
    return [
        each.page
        for part in mail.walk()
        if part.get_content_type() == "image/tiff"
        for each in read_tiff(part.get_payload(decode=True))
    ]


async def faxes_of(house: House, name: str, least: int = 1) -> list[Message]:
    """The mails that hold a fax, once there are so many."""
    until = reactor.seconds() + DEADLINE
    while len(found := [one for one in await mails(house, name, 0) if pages_in(one)]) < least:
        assert reactor.seconds() < until
        await deferLater(reactor, 0.05)
    return found


async def held(house: House, count: int) -> None:
    assert house.office is not None
    until = reactor.seconds() + DEADLINE
    while True:
        rows = await house.office.store.queue.items(agent="fax-desk")
        if len(rows) == count and all(row.state is QueueState.HELD for row in rows):
            return
        assert reactor.seconds() < until, rows
        await deferLater(reactor, 0.02)


async def test_a_confidential_box_is_opened_by_its_code_and_handed_out_once(house: House) -> None:
    """Faxes add up; whom they are for hears that they wait, and nothing of them; a restart loses none."""
    await house.start(BOXES)
    await rings(house, [page(1)], 1, sub="1")
    await rings(house, [page(2), page(3)], 2, sub="1")
    await held(house, 2)
    assert house.office is not None
    boxes = {one["name"]: (one["kind"], one["waiting"]) for one in await house.office.acts.fax_boxes()}
    assert boxes == {"board": ("confidential", 2), "prices": ("bulletin", 0), "branches": ("relay", 0)}
    notice = await told(house, "A fax waits in board", "ben")
    assert notice["Reply-To"] == f"<box-board@{GATEWAY}>"
    assert not [one for one in await mails(house, "ben", 0) if pages_in(one)]
    assert house.office is not None
    await house.office.stopService()
    await house.start()
    with pytest.raises(smtplib.SMTPDataError) as wrong:
        await house.smtp(order("board", "GET 4712", "ben"))
    assert b"not the code" in wrong.value.smtp_error
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        await house.smtp(order("board", "GET 4711", "anna"))
    await house.smtp(order("board", "GET 4711", "ben"))
    found = await faxes_of(house, "ben", 2)
    assert [pages_in(one) for one in found] == [[page(1)], [page(2), page(3)]]
    await held(house, 0)
    await house.smtp(order("board", "GET 4711", "ben"))
    await told(house, "Fax: The box board is empty", "ben")
    assert len(await faxes_of(house, "ben", 2)) == 2


async def test_a_code_is_not_found_out_by_trying(house: House) -> None:
    """After five wrong ones the right one is refused, too."""
    await house.start(BOXES)
    for number in range(5):
        with pytest.raises(smtplib.SMTPDataError):
            await house.smtp(order("board", f"GET {number}", "ben"))
    with pytest.raises(smtplib.SMTPDataError) as closed:
        await house.smtp(order("board", "GET 4711", "ben"))
    assert b"Too many" in closed.value.smtp_error


async def test_a_bulletin_box_is_read_by_many_and_holds_the_newest(house: House) -> None:
    """A fax takes the place of the one before; so does a mail with PUT."""
    await house.start(BOXES)
    await rings(house, [page(1)], 1, sub="2")
    await held(house, 1)
    await rings(house, [page(2)], 2, sub="2")
    await held(house, 1)
    for user in ("anna", "ben"):
        await house.smtp(order("prices", "GET 99", user))
        assert [pages_in(one) for one in await faxes_of(house, user)] == [[page(2)]]
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "anna@mail.office.example", "x", "New prices"
    message.set_content("PUT 99\n")
    await house.smtp(hands_in(f"box-prices@{GATEWAY}", message))
    assert house.office is not None
    store, until = house.office.store, reactor.seconds() + DEADLINE
    while [row.submitter_id is None for row in await store.queue.items(agent="fax-desk")] != [False]:
        assert reactor.seconds() < until
        await deferLater(reactor, 0.02)
    await held(house, 1)
    await house.smtp(order("prices", "GET 99", "ben"))
    await told(house, "New prices", "ben")


async def test_a_relay_box_passes_on_and_tells_how_it_went(house: House) -> None:
    """To machines in the same pixels, to a mailbox, to a printer; whoever is named hears of each machine."""
    office = await house.start(BOXES.replace("[fax]", "[fax]\nhead = false"))
    assert await rings(house, [page(1)], 1, sub="3") is FaxCause.REJECTED
    assert await rings(house, [page(1)], 2, sub="3", password="20051123581321") is FaxCause.OK
    [came] = await faxes_of(house, "ben")
    assert pages_in(came) == [page(1)]
    until = reactor.seconds() + DEADLINE
    while "+49305550200" not in line_of(house).taken:  # the mail may be there before the fax that is passed on
        assert reactor.seconds() < until
        await deferLater(reactor, 0.02)
    await settled(house)
    assert line_of(house).taken["+49305550200"] == [[page(1)]]
    reports = {str(one["Subject"]) for one in await mails(house, "anna", 3)}
    assert reports == {
        "Fax delivered successfully. (DSN) Fax from far, 1 page",
        "Fax not delivered. (DSN) Fax from far, 1 page",
        "[print] done: Fax from far, 1 page (on floor)",
    }
    until = reactor.seconds() + DEADLINE
    while not list(Path(house.folder, "printed").glob("*")):
        assert reactor.seconds() < until, await office.store.queue.items(open_only=False)
        await deferLater(reactor, 0.05)


async def test_a_box_of_another_machine_is_given_its_password(house: House) -> None:
    """The office calls itself: the box with a code takes the fax that brings it, and refuses the one that does not."""
    office = await house.start(BOXES.replace("[fax]", "[fax]\nhead = false"))
    document = house.folder / "letter.txt"
    document.write_text("Dear customer\n")
    acts: Any = office.acts
    for password, state in (("", "failed"), ("9999", "failed"), ("20051123581321", "delivered")):
        sent = await acts.fax_send(file=str(document), to=["FAX=+49305550100/T33S=3@" + GATEWAY], password=password)
        [fax] = sent["faxes"]
        await settled(house)
        shown = await acts.fax_show(id=fax)
        assert shown["state"] == state, shown
        assert "20051123581321" not in str(shown)
    with pytest.raises(NotPossible, match="at most 20 characters"):
        await acts.fax_send(file=str(document), to=["+49305550100"], password="x" * 21)


async def test_callers_need_the_number_the_station_and_the_password(house: House) -> None:
    """G8 G19: a table of callers; who fits no line of it is refused before a page is taken."""
    callers = """
[[fax_caller]]
caller = "+4989*"
station = "branch*"
code = "s3"
[[fax_caller]]
caller = "+4940*"
"""
    await house.start(TIFF + callers)
    assert await rings(house, [page(1)], 1, station="Branch 7", password="no") is FaxCause.REJECTED
    assert await rings(house, [page(1)], 2, station="other", password="s3") is FaxCause.REJECTED
    assert await rings(house, [page(1)], 3, station="Branch 7", password="s3") is FaxCause.OK
    [came] = await faxes_of(house, "ben")
    assert pages_in(came) == [page(1)]
    receiver = line_of(house).receiver
    assert receiver is not None
    assert await receiver.screen(Ringing("call-4", "pretend", "+441632960000")) is FaxCause.REJECTED
    assert await receiver.screen(Ringing("call-5", "pretend", "+4940123")) is FaxCause.OK


async def test_a_line_that_hears_the_password_last_loses_no_page(house: House) -> None:
    """The fax is here already: the inbox gets it, with a word about that, and nobody else."""
    text = TIFF + '[[fax_caller]]\ncode = "s3"\n[[fax_route]]\nsubaddress = "7"\nto = ["anna"]\n'
    await house.start(text)
    receiver = line_of(house).receiver
    assert receiver is not None
    call = Ringing("call-1", "pretend", "+4989123456")
    await receiver.screen(call)
    await receiver.page_received(call, 0, page(1))
    await receiver.finished(call, CallFacts(FaxCause.OK, subaddress="7", password="wrong"))
    [came] = await faxes_of(house, "ben")
    assert "may not send faxes here" in came.as_string()
    assert not await mails(house, "anna", 0)


@pytest.mark.parametrize(("word", "cause"), [("refuse", FaxCause.REJECTED), ("inbox", FaxCause.OK)])
async def test_a_look_up_that_fails_is_told_to_the_caller_where_that_is_wanted(
    house: House, word: str, cause: FaxCause
) -> None:
    """G9: a subaddress in no table is refused before a page goes, and nothing comes of it; by default ben gets it."""
    await house.start(BOXES.replace("[fax]", f'[fax]\nunrouted = "{word}"'))
    assert await rings(house, [page(1)], 1, sub="9") is cause
    assert await rings(house, [page(2)], 2, sub="1") is FaxCause.OK
    await held(house, 1)
    assert [pages_in(one) for one in await faxes_of(house, "ben", 0)] == ([[page(1)]] if word == "inbox" else [])


async def test_a_number_that_is_in_no_table_is_not_even_answered(house: House) -> None:
    """G9: where the network says which number was called; a route by a barcode lets it in."""
    route = '[[fax_route]]\ncalled = "+4930555077*"\nto = ["ben"]\n'
    coded_one = '[[fax_route]]\nbarcode = "INV*"\nto = ["ben"]\n'
    for more, cause in (("", FaxCause.REJECTED), (coded_one, FaxCause.OK)):
        office = await house.start(TIFF.replace("[fax]", '[fax]\nunrouted = "refuse"') + route + more)
        receiver = line_of(house).receiver
        assert receiver is not None
        assert await receiver.screen(Ringing("c", "pretend", "+4989", "+49305550100")) is cause
        assert await receiver.screen(Ringing("d", "pretend", "+4989", "+49305550771")) is FaxCause.OK
        await office.stopService()
