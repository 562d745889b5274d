"""Mail leaves as a fax and a fax becomes mail, in an office on its sockets over a line inside the process."""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import SMTP
from pathlib import Path

import pytest
from twisted.internet import reactor
from twisted.internet.task import deferLater

from mailshare.core.errors import NoSuchJob, NotPossible, PolicyRefusal
from mailshare.core.values import QueueState
from mailshare.fax.lines.loop import LoopLine
from mailshare.web.operations import BY_NAME
from mailshare.wire.tiff_fax import read_tiff
from tests.house import House

FAX = """
[[user]]
name = "anna"
names = ["Anna Bell"]
password = "anna"
accounts = ["mail@company.example"]
[[user]]
name = "ben"
password = "ben"
accounts = ["mail@company.example"]
[fax]
country = "DE"
area = "30"
senders = ["anna"]
station = "+49 30 5550100"
owner = "Office"
formats = ["tiff", "pdf"]
inbox = ["ben"]
[[fax_line]]
name = "pretend"
kind = "loop"
numbers = ["+49305550100"]
channels = 4
[fax_line.options.numbers]
"+49305550200" = "answers"
"+49305550201" = "busy*2,answers"
"+49305550202" = "voice"
"+49305550203" = "drop:1,answers"
"""
DEADLINE = 60.0
GATEWAY = "fax.mail.office.example"


def letter(to: str, text: str = "Dear customer,\n\nhere it is.\n", subject: str = "Offer") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "anna@mail.office.example", to, subject
    message.set_content(text)
    return message


def hands_in(to: str | list[str], message: EmailMessage, user: str = "anna") -> Callable[[smtplib.SMTP], object]:
    def talk(client: smtplib.SMTP) -> object:
        client.login(user, user)
        return client.send_message(message, "anna@mail.office.example", to)

    return talk


def line_of(house: House) -> LoopLine:
    assert house.office is not None
    found = house.office._parts.fax.running().pool.lines[0].line
    assert isinstance(found, LoopLine)
    return found


async def settled(house: House) -> None:
    """Wait until no fax waits; what waits for a later try is tried at once."""
    assert house.office is not None
    store, until = house.office.store, reactor.seconds() + DEADLINE
    while rows := await store.queue.items(agent="fax"):
        assert reactor.seconds() < until, rows
        waiting = [row.id for row in rows if row.state is QueueState.QUEUED]
        if waiting:
            await store.queue.steer(waiting, "retry", int(reactor.seconds() * 1_000_000))
            store.notifier.wake("fax")
        await deferLater(reactor, 0.02)


async def mails(house: House, name: str, least: int = 1) -> list[Message]:
    """The mails in a mailbox, once there are so many."""
    until = reactor.seconds() + DEADLINE
    while len(found := await house.mail_of(name, name)) < least:
        assert reactor.seconds() < until
        await deferLater(reactor, 0.05)
    return [message_from_bytes(one) for one in found]


async def test_mail_goes_out_as_a_fax_and_comes_back_as_a_mail_with_its_pages(house: House) -> None:
    """S1 S4 G1 G6: the whole journey; the number called is that of the office's own line."""
    await house.start(FAX)
    await house.smtp(hands_in(f"FAX=+49305550100/T33S=42@{GATEWAY}", letter("the customer")))
    [came] = await mails(house, "ben")
    await settled(house)
    kinds = [part.get_content_type() for part in came.walk() if not part.is_multipart()]
    assert kinds == ["text/plain", "application/pdf", "image/tiff"]
    assert came["From"] == f"Fax +49 30 5550100 <FAX=+49305550100@{GATEWAY}>"
    tiff = next(part for part in came.walk() if part.get_content_type() == "image/tiff")
    assert tiff.get_param("application") == "faxbw"
    [page] = read_tiff(tiff.get_payload(decode=True))
    assert (page.width, page.page is not None) == (1728, True)
    assert "Subaddress: 42" in came.get_payload(0).get_payload()
    [report] = await mails(house, "anna")
    assert report.get_content_type() == "multipart/report"
    fields = report.get_payload(1).as_string()
    assert "Action: delivered" in fields
    assert "Status: 2.1.5" in fields
    assert "Diagnostic-Code: X-FAX; ok" in fields
    assert "X-Fax-Pages: 1/1" in fields


@pytest.mark.parametrize(
    ("number", "calls", "action", "status"),
    [
        ("+49305550201", 3, "delivered", "2.1.5"),
        ("+49305550202", 1, "failed", "5.3.3"),
        ("+49305550203", 2, "delivered", "2.1.5"),
        ("+49305550299", 1, "failed", "5.1.1"),
    ],
)
async def test_each_end_of_a_call_has_its_retries_and_its_report(
    house: House, number: str, calls: int, action: str, status: str
) -> None:
    """S7 G14 G15: busy and broken calls are tried again, from the missing page; voice and dead numbers are not."""
    await house.start(FAX)
    line = line_of(house)
    await house.smtp(hands_in(f"FAX={number}@{GATEWAY}", letter("x", "one\f two\f three")))
    await settled(house)
    [report] = await mails(house, "anna")
    fields = report.get_payload(1).as_string()
    assert f"Action: {action}" in fields
    assert f"Status: {status}" in fields
    if calls > 1:
        assert f"X-Fax-Tries: {calls}" in fields
        assert sum(len(pages) for pages in line.taken[number]) == 3


@pytest.mark.parametrize(
    ("to", "user", "code", "status"),
    [
        ("FAX=+49305550200", "ben", 550, "5.7.1"),  # who may not
        ("FAX=+499001234567", "anna", 550, "5.7.1"),  # a premium number
        ("FAX=+4930/X=1", "anna", 550, "5.1.3"),
        ("FAX=abc", "anna", 550, "5.1.3"),
        ("nobody", "anna", 550, "5.1.1"),
    ],
)
async def test_who_and_whereto_is_judged_at_once(house: House, to: str, user: str, code: int, status: str) -> None:
    """S10 G2 G3 C2: refused at RCPT, before anything is converted or dialled."""
    await house.start(FAX)
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        await house.smtp(hands_in(f"{to}@{GATEWAY}", letter("x"), user))
    [(given, text)] = refused.value.recipients.values()
    assert given == code
    assert text.decode().startswith(status)


async def test_the_envelope_alone_says_where_a_fax_goes(house: House) -> None:
    """S2: numbers in To and Cc ring nobody."""
    office = await house.start(FAX)
    message = letter(f"FAX=+49305550202@{GATEWAY}")
    message["Cc"] = f"FAX=+49305550203@{GATEWAY}"
    await house.smtp(hands_in([f"FAX=+49305550200@{GATEWAY}", "ben@mail.office.example"], message))
    await settled(house)
    rows = await office.store.queue.items(agent="fax", open_only=False)
    assert [row.params["number"] for row in rows] == ["+49305550200"]
    assert len(await house.mail_of("ben", "ben")) == 1


async def test_notify_decides_what_is_told(house: House) -> None:
    """X2 X6 X11: NEVER silences reports, SUCCESS asks for one; ENVID and ORCPT come back in it."""
    await house.start(FAX + "\n[[fax_contact]]\nname = 'shop'\nnumber = '+49305550200'\n")

    def talk(client: smtplib.SMTP) -> None:
        client.login("anna", "anna")
        assert client.mail("anna@mail.office.example", ["ENVID=Q7"])[0] == 250
        assert client.rcpt(f"FAX=+49305550202@{GATEWAY}", ["NOTIFY=NEVER"])[0] == 250
        asked = ["NOTIFY=SUCCESS", "ORCPT=rfc822;shop@old.example"]
        assert client.rcpt(f"shop@{GATEWAY}", asked)[0] == 250
        answer = client.data(letter("x").as_bytes(policy=SMTP))
        assert answer[0] == 250, answer

    await house.smtp(talk)
    await settled(house)
    [report] = await mails(house, "anna")
    fields = report.get_payload(1).as_string()
    assert "Original-Envelope-Id: Q7" in fields
    assert "Original-Recipient: rfc822; shop@old.example" in fields.replace("rfc822;shop", "rfc822; shop")
    assert "Final-Recipient: rfc822; FAX=+49305550200@" in fields
    assert report["Subject"] == "Fax delivered successfully. (DSN) Offer"


async def test_reports_may_be_dispositions(house: House) -> None:
    """X4 X9 X10 G7: dispatched or processed/error, the kind in the subject; no success that nobody asked for."""
    await house.start(FAX.replace("[fax]", '[fax]\nreport = "mdn"'))
    asks = letter("x")
    asks["Disposition-Notification-To"] = "anna@mail.office.example"
    to = [f"FAX=+49305550200@{GATEWAY}", f"FAX=+49305550202@{GATEWAY}"]
    await house.smtp(hands_in(to, asks))
    await house.smtp(hands_in(to, letter("x", subject="Unasked")))
    await settled(house)
    found = {str(one["Subject"]): one for one in await mails(house, "anna", 4)}
    assert set(found) == {
        "Fax delivered successfully. (MDN) Offer",
        "Fax rejected. (MDN) Offer",
        "Fax delivered successfully. Unasked",
        "Fax rejected. (MDN) Unasked",
    }
    told = found["Fax delivered successfully. (MDN) Offer"].get_payload(1).as_string()
    assert "MDN-sent-automatically; dispatched" in told
    assert found["Fax delivered successfully. Unasked"].get_content_type() == "text/plain"
    failed = found["Fax rejected. (MDN) Offer"].get_payload(1).as_string()
    assert "MDN-sent-automatically; processed/error" in failed
    assert "Error: X-FAX; not-a-fax" in failed


async def test_the_panel_sends_lists_shows_cancels_and_sends_again(house: House, tmp_path: Path) -> None:
    """U1 U25: the commands of a fax machine, by the operations behind them."""
    office = await house.start(FAX.replace('"busy*2,answers"', '"busy"') + "[[fax_contact]]\nname = 'shop'\n"
                               "number = '+49305550201'\nshort = '7'\ntitle = 'The shop'\n")  # fmt: skip
    acts, paper = office.acts, tmp_path / "paper.txt"
    paper.write_text("words")
    sent = await acts.fax_send(file=str(paper), to=["7"], user="anna", text="Hello")
    [number] = sent["faxes"]  # type: ignore[misc]
    while not (await acts.fax_show(id=number))["calls"]:
        await deferLater(reactor, 0.02)
    [row] = await acts.fax_queue()
    assert (row["number"], row["user"], row["state"]) == ("+49305550201", "anna", "deferred")
    shown = await acts.fax_show(id=number)
    assert [call["cause"] for call in shown["calls"]] == ["busy"]  # type: ignore[index,attr-defined]
    await acts.fax_cancel(id=number)
    assert await acts.fax_queue() == []
    with pytest.raises(NotPossible):
        await acts.fax_cancel(id=number)
    again = await acts.fax_resend(id=number)
    assert again["faxes"] != sent["faxes"]
    [line] = await acts.fax_lines()
    assert (line["name"], line["trouble"]) == ("pretend", "")
    [contact] = await acts.fax_book()
    assert (contact["name"], contact["short"], contact["who"]) == ("shop", "7", "The shop")
    with pytest.raises(PolicyRefusal):
        await acts.fax_send(file=str(paper), to=["+499001234567"], user="anna")
    with pytest.raises(NoSuchJob):
        await acts.fax_show(id=4711)


def test_nobody_from_elsewhere_has_a_file_of_this_machine_faxed() -> None:
    """The command names a path; over the web that would give away every file that the server may read."""
    assert not BY_NAME["fax_send"].remote


async def test_lines_and_rules_follow_the_file_without_a_restart(house: House) -> None:
    """A line that is added rings at once; a sender who is taken away sends no more."""
    office = await house.start(FAX.partition("[[fax_line]]")[0])
    path = house.folder / "m.toml"
    path.write_text(path.read_text() + "[[fax_line]]" + FAX.partition("[[fax_line]]")[2])
    await office.reload()
    await house.smtp(hands_in(f"FAX=+49305550200@{GATEWAY}", letter("x")))
    await settled(house)
    assert line_of(house).taken
    path.write_text(path.read_text().replace('senders = ["anna"]', 'senders = ["ben"]'))
    await office.reload()
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        await house.smtp(hands_in(f"FAX=+49305550200@{GATEWAY}", letter("x")))


async def test_what_can_be_no_fax_is_refused_at_the_end_of_data(house: House) -> None:
    """S8 X8 C3: 5.6.1 after a real conversion, while the sender still listens; nothing is queued."""
    office = await house.start(FAX)
    message = letter("x")
    message.add_attachment(b"%PDF-1.4 broken", maintype="application", subtype="pdf", filename="offer.pdf")
    with pytest.raises(smtplib.SMTPDataError) as refused:
        await house.smtp(hands_in(f"FAX=+49305550200@{GATEWAY}", message))
    assert refused.value.smtp_code == 554
    assert b"5.6.1" in refused.value.smtp_error
    assert b"offer.pdf" in refused.value.smtp_error
    assert not await office.store.queue.items(agent="fax", open_only=False)


async def test_a_fax_is_put_off_by_the_command_and_by_mail(house: House, tmp_path: Path) -> None:
    """It waits as scheduled, is told of nobody as late, and can be given up."""
    office = await house.start(FAX)
    paper = tmp_path / "paper.txt"
    paper.write_text("words")
    await office.acts.fax_send(
        file=str(paper), to=["+49305550200"], user="anna", at="+8h", deadline="+9h", priority="urgent"
    )
    message = letter("x")
    message["Deferred-Delivery"] = "Fri, 01 Jan 2100 08:00:00 +0100"
    await house.smtp(hands_in(f"FAX=+49305550203@{GATEWAY}", message))
    until = reactor.seconds() + DEADLINE
    rows = await office.acts.fax_queue()
    while [row["state"] for row in rows] != ["scheduled"] * 2:
        assert reactor.seconds() < until, rows
        await deferLater(reactor, 0.02)
        rows = await office.acts.fax_queue()
    by_number = {row["number"]: row for row in rows}
    assert (by_number["+49305550200"]["priority"], by_number["+49305550200"]["at"] != "") == ("urgent", True)
    assert by_number["+49305550200"]["deadline"] > by_number["+49305550200"]["at"]  # type: ignore[operator]
    assert not line_of(house).taken
    for row in rows:
        await office.acts.fax_cancel(id=row["id"])
    for wrong in ({"at": "soon"}, {"priority": "asap"}, {"at": "+9h", "deadline": "+8h"}):
        with pytest.raises(NotPossible):
            await office.acts.fax_send(file=str(paper), to=["+49305550200"], user="anna", **wrong)
