"""Faxes that go on: by mail to another Internet fax gateway, back to a caller, and answers that find their way."""

from __future__ import annotations

from email import message_from_bytes
from email.message import Message

import pytest
from twisted.internet import reactor
from twisted.internet.task import deferLater

from mailshare.core.errors import PolicyRefusal
from mailshare.core.fax_routing import FaxRoute, reply_number
from mailshare.core.values.fax import Coding
from mailshare.testing.isp import Smarthost
from mailshare.wire.tiff_fax import read_tiff
from tests.fax.test_fax_boxes import TIFF, faxes_of, page, rings
from tests.fax.test_fax_office import DEADLINE, FAX, GATEWAY, hands_in, letter, line_of, mails, settled
from tests.house import House

PARTNER = """
[[fax_line]]
name = "partner"
kind = "mail"
calls = ["+44*"]
options = { gateway = "fax.partner.example", receipt = true }
"""
OWN = FAX.replace("channels = 4", 'channels = 4\ncalls = ["+49*"]')
REPORT = """\
Content-Type: multipart/report; report-type={kind}; boundary=b\r
MIME-Version: 1.0\r
References: {about}\r
\r
--b\r
Content-Type: text/plain\r
\r
A report.\r
--b\r
Content-Type: message/{kind}\r
\r
{fields}\r
--b--\r
"""


async def sent_on(house: House, count: int = 1) -> list[tuple[Message, object]]:
    """What the provider took, once there is so much."""
    assert house.office is not None
    until = reactor.seconds() + DEADLINE
    while len(house.isp.relayed) < count:
        assert reactor.seconds() < until
        await house.office.acts.send_receive()
        await deferLater(reactor, 0.05)
    return [(message_from_bytes(one.octets), one.envelope) for one in house.isp.relayed]


async def test_the_gateway_is_chosen_by_the_number(house: House) -> None:
    """G10 X3: FAX=+44 at the partner, in Profile S; its report is asked for, and ours says passed on, not delivered."""
    await house.start(OWN + PARTNER)
    await house.smtp(hands_in(f"FAX=+441164960348/T33S=7@{GATEWAY}", letter("x", "one\f two")))
    await settled(house)
    [(mail, envelope)] = await sent_on(house)
    [recipient] = envelope.recipients  # type: ignore[attr-defined]
    assert str(recipient.address) == "FAX=+441164960348/T33S=7@fax.partner.example"
    assert {"SUCCESS", "FAILURE"} <= recipient.notify
    assert mail.get_content_type() == "image/tiff"
    assert mail.get_param("application") == "faxbw"
    pages = read_tiff(mail.get_payload(decode=True))
    assert [(one.page.coding, one.width) for one in pages if one.page is not None] == [(Coding.MH, 1728)] * 2
    assert mail["Disposition-Notification-To"]
    assert not line_of(house).taken
    [report] = await mails(house, "anna")
    assert report["Subject"] == "Fax passed on. (DSN) Offer"
    fields = report.get_payload(1).as_string()
    assert "Action: relayed" in fields
    assert "Action: delivered" not in fields


async def test_reports_of_the_next_gateway_reach_the_sender_and_prove_what_they_may(house: House) -> None:
    """X1 X3: a failure DSN finds whoever sent the fax; an MDN that says dispatched changes nothing about the fax."""
    office = await house.start(OWN + PARTNER)
    await house.smtp(hands_in(f"FAX=+441164960348@{GATEWAY}", letter("x")))
    await settled(house)
    [(mail, envelope)] = await sent_on(house)
    assert str(envelope.sender) == "mail@company.example"  # type: ignore[attr-defined]
    fields = {
        "delivery-status": "Reporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; x@y\r\nAction: failed",
        "disposition-notification": "Final-Recipient: rfc822; x@y\r\nDisposition: automatic-action/x; dispatched",
    }
    for number, (kind, text) in enumerate(fields.items(), 1):
        more = REPORT.format(kind=kind, about=mail["Message-ID"], fields=text)
        house.arrives("mail@company.example", sender="", number=number, more=more)
    before = await office.store.queue.items(agent="fax", open_only=False)
    await office.acts.send_receive()
    until = reactor.seconds() + DEADLINE
    while len(found := await mails(house, "anna", 0)) < 3:
        assert reactor.seconds() < until
        await deferLater(reactor, 0.05)
    kinds = {one.get_param("report-type") for one in found if "far.example" in str(one["Message-ID"])}
    assert kinds == set(fields)
    assert await office.store.queue.items(agent="fax", open_only=False) == before


async def test_a_refused_mail_to_the_gateway_is_a_failed_fax(house: House) -> None:
    """A sender who may not is told so; nothing is passed on."""
    office = await house.start(OWN + PARTNER)
    line = office._parts.fax.running().pool.lines[1].line
    taken: list[object] = []

    async def refuses(*_: object) -> None:
        taken.append(1)
        raise PolicyRefusal("no")

    line._hand_in = refuses  # type: ignore[attr-defined]
    await house.smtp(hands_in(f"FAX=+441164960348@{GATEWAY}", letter("x")))
    await settled(house)
    [report] = await mails(house, "anna")
    assert "Status: 5.7.1" in report.get_payload(1).as_string()
    assert len(taken) == 1


async def test_a_fax_of_somebody_without_an_account_is_not_told_as_passed_on(house: House) -> None:
    """S8: no mail leaves in the name of whoever shares no account, so the fax fails with a report."""
    names = 'senders = ["anna", "carl"]'
    office = await house.start(
        OWN.replace('senders = ["anna"]', names) + PARTNER + '[[user]]\nname = "carl"\npassword = "carl"\n'
    )
    await office.acts.admin_reset(password="admin1")
    await house.smtp(hands_in(f"FAX=+441164960348@{GATEWAY}", letter("x"), "carl"))
    await settled(house)
    [report] = await mails(house, "carl")
    assert report["Subject"] == "Fax not delivered. (DSN) Offer"
    assert "share no account" in report.get_payload(1).as_string()
    assert not await mails(house, "admin1", 0)


RETURNS = (
    TIFF.replace("[fax]", '[fax]\nreturns = ["+4989*"]').replace('inbox = ["ben"]', 'inbox = ["reader@far.example"]')
    + '"+4989123456" = "answers"\n'
)


async def test_a_bounce_is_faxed_back_with_words_and_codes(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """G12: one page to the caller, once, however many reports come; other callers and other mails get none."""
    office = await house.start(RETURNS)
    drawn: list[str] = []
    desk = office._parts.fax.running()
    made = desk.pages._made

    async def seen(body: object, rules: object, sheet: object) -> object:
        result = await made(body, rules, sheet)  # type: ignore[arg-type]
        drawn.append(result.text)
        return result

    monkeypatch.setattr(desk.pages, "_made", seen)
    await rings(house, [page(1)])
    [(mail, envelope)] = await sent_on(house)
    assert str(envelope.sender) == "mail@company.example"  # type: ignore[attr-defined]
    fields = (
        "Reporting-MTA: dns; mx.far.example\r\n\r\nFinal-Recipient: rfc822; reader@far.example\r\nAction: failed\r\n"
        "Status: 5.1.1\r\nDiagnostic-Code: smtp; 550 no such reader"
    )
    for number in (1, 2):
        more = REPORT.format(kind="delivery-status", about=mail["Message-ID"], fields=fields)
        house.arrives("mail@company.example", sender="", number=number, more=more)
        await office.acts.send_receive()
    until = reactor.seconds() + DEADLINE
    while not line_of(house).taken.get("+4989123456"):
        assert reactor.seconds() < until
        await deferLater(reactor, 0.05)
    await settled(house)
    assert len(line_of(house).taken["+4989123456"]) == 1
    [text] = drawn
    assert "could not be delivered to its reader" in text
    assert "Diagnostic-Code: smtp; 550 no such reader" in text
    assert "Status: 5.1.1" in text


async def test_a_fax_that_nobody_takes_elsewhere_is_not_lost(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """S8 S13 X1 G17: its mail comes from the office's address, so that ADMIN hears of a refusal; no caller does."""
    office = await house.start(RETURNS.replace('returns = ["+4989*"]', 'returns = ["+4940*"]'))
    await rings(house, [page(1)])
    [(mail, envelope)] = await sent_on(house)
    assert str(envelope.sender) == "mail@company.example"  # type: ignore[attr-defined]
    fields = "Reporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; reader@far.example\r\nAction: failed"
    more = REPORT.format(kind="delivery-status", about=mail["Message-ID"], fields=fields)
    house.arrives("mail@company.example", sender="", number=1, more=more)
    await office.acts.send_receive()
    await office.acts.admin_reset(password="admin1")
    [bounce] = await mails(house, "admin1")
    assert bounce["Subject"] == "Letter 1"
    monkeypatch.setattr(Smarthost, "recipient", _refused)
    await rings(house, [page(2)], 2)
    until = reactor.seconds() + DEADLINE
    while len(found := await mails(house, "admin1", 1)) < 2:
        assert reactor.seconds() < until
        await office.acts.send_receive()
        await deferLater(reactor, 0.05)
    assert any("Not delivered: Fax from far" in str(one["Subject"]) for one in found)
    assert not line_of(house).taken


async def _refused(*_: object) -> None:
    raise PolicyRefusal("No such reader", code=550, enhanced=(5, 1, 1))


ROUTES = (
    FaxRoute(("ben",), called="+4930*"),
    FaxRoute(("anna",), called="+4930 555 0100", subaddress="12"),
    FaxRoute(("ben", "anna"), called="+49305550101"),
)


def test_an_answer_by_fax_finds_whoever_sent() -> None:
    """G4: by the table of routes, where it says a number exactly; patterns are no number to answer to."""
    assert reply_number(ROUTES, "Anna") == ("+4930 555 0100", "12")
    assert reply_number(ROUTES, "ben") == ("+49305550101", "")
    assert reply_number(ROUTES, "carl") is None


async def test_the_far_reader_sees_where_to_answer(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """G4: number and subaddress of the sender on the line on top; a fax to them reaches him and nobody else."""
    route = '[[fax_route]]\ncalled = "+49305550100"\nsubaddress = "12"\nto = ["anna"]\n'
    office = await house.start(FAX.replace("[fax]", "[fax]\ncover = true") + route)
    pages, told = office._parts.fax.running().pages, []
    real = pages.for_recipient

    async def finished(made: object, cover: dict[str, str], head: list[str]) -> object:
        told.append((cover["Answer to"], head[1]))
        return await real(made, cover, head)  # type: ignore[arg-type]

    monkeypatch.setattr(pages, "for_recipient", finished)
    await house.smtp(hands_in(f"FAX=+49305550200@{GATEWAY}", letter("x")))
    await settled(house)
    assert told == [("+49305550100 sub 12", "Office +49305550100 sub 12 -> +49305550200")]
    await rings(house, [page(1)], sub="12")
    assert len(await faxes_of(house, "anna")) == 1


async def test_calls_are_logged_with_all_that_the_standard_names(house: House) -> None:
    """G18: when it began and ended, pages, octets, resolution, tries, the error; whose it is, the trace tells."""
    office = await house.start(FAX)
    await house.smtp(hands_in(f"FAX=+49305550203@{GATEWAY}", letter("x", "one\f two")))
    await settled(house)
    await mails(house, "anna")
    found = await office.store.events.page(since=0, until=2**62, kinds=("fax.called", "report.sent"))
    first, second, notice = (event for _, event in found)
    assert [one.data["cause"] for one in (first, second)] == ["dropped", "ok"]
    assert [one.data["pages"] for one in (first, second)] == [1, 1]
    assert all(int(str(one.data["octets"])) > 100 and one.data["resolution"] == "204x196" for one in (first, second))
    assert int(str(first.data["began"])) <= int(str(first.data["ended"])) <= int(str(second.data["began"]))
    assert second.data["tries"] == 2
    assert {first.trace} == {second.trace} == {notice.trace}
    await rings(house, [page(1), page(2)])
    await faxes_of(house, "ben")
    [(_, came)] = await office.store.events.page(since=0, until=2**62, kinds=("fax.received",))
    wanted = {"pages": 2, "resolution": "204x196", "octets": len(page(1).data) + len(page(2).data), "cause": "ok"}
    assert wanted.items() <= came.data.items()
    assert int(str(came.data["began"])) > 0
