"""What senders and offices may wish for: receipts, cover sheets by mail, copies of reports, faxes straight on."""

from __future__ import annotations

import smtplib
from email.message import Message

import pytest
from twisted.internet import reactor
from twisted.internet.task import deferLater

from mailshare.assembly import health
from mailshare.core.errors import NotPossible, PolicyRefusal
from mailshare.core.values.fax import Coding
from mailshare.fax.offramp import Attempt
from mailshare.wire.tiff_fax import read_tiff
from tests.fax.test_fax_boxes import faxes_of, page, pages_in, rings
from tests.fax.test_fax_desk import answer, answers_of, told
from tests.fax.test_fax_office import DEADLINE, FAX, GATEWAY, hands_in, letter, line_of, mails, settled
from tests.house import House

SHOP = "+49305550200"
VOICE = "+49305550202"


async def test_a_sender_hears_at_once_that_his_fax_was_taken_and_stops_it(house: House) -> None:
    """A receipt for whoever asks: number, pages, seconds, cost; it can be answered before anything is dialled."""
    hours = 'cheap_tolls = ["local"]\ncheap_hours = ["mon 00:00-00:01"]\nprices = { local = 0.5 }'
    office = await house.start(FAX.replace("[fax]", f"[fax]\n{hours}"))
    to = [f"FAX={SHOP}@{GATEWAY}", f"FAX={VOICE}@{GATEWAY}"]
    await house.smtp(hands_in(to, letter("x", subject="Unasked")))
    asks = letter("x", "one\f two")
    asks["X-Fax-Receipt"] = "yes"
    await house.smtp(hands_in(to, asks))
    receipt = await told(house, "Fax taken, not sent yet. Offer")
    words = receipt.get_payload()
    assert f"to {SHOP}, 2 pages, about " in words
    assert f"to {VOICE}, 2 pages" in words
    assert "about 0.5" in words
    assert len(await mails(house, "anna")) == 1
    assert not line_of(house).taken
    await house.smtp(answer(answers_of(receipt), "STOP"))
    notice = await told(house, "Fax: What became of your answer")
    assert notice.get_payload().count("is stopped") == 2
    rows = await office.store.queue.items(agent="fax")
    assert len(rows) == 2  # those of the other mail


async def test_a_cover_sheet_is_chosen_within_the_mail(house: House) -> None:
    """By the field X-Fax-Cover, or in the address; one that is not there is refused while its sender listens."""
    office = await house.start(FAX + "\n[[fax_cover]]\nname = 'letter'\n")
    for to, field, cover in (("", "Letter", "letter"), ("/COVER=letter", "none", "letter"), ("", "", "")):
        message = letter("x")
        if field:
            message["X-Fax-Cover"] = field
        await house.smtp(hands_in(f"FAX={SHOP}{to}@{GATEWAY}", message))
        [row, *_] = await office.store.queue.items(agent="fax", open_only=False)
        assert str(row.params.get("cover", "")).casefold() == cover
        assert office._parts.fax.running().rules.sheet(row.params.get("cover")) is not None or not cover
    message = letter("x")
    message["X-Fax-Cover"] = "nosuch"
    with pytest.raises(smtplib.SMTPDataError, match="no cover sheet"):
        await house.smtp(hands_in(f"FAX={SHOP}@{GATEWAY}", message))
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        await house.smtp(hands_in(f"FAX={SHOP}/COVER=nosuch@{GATEWAY}", letter("x")))


async def test_others_get_copies_of_reports_and_words_alone_if_the_office_says_so(house: House) -> None:
    """U15: lists for success and for failure; report = plain has no parts for programs."""
    lists = 'report = "plain"\ntell_sent = ["ben"]\ntell_failed = ["admin1", "anna"]'
    office = await house.start(FAX.replace("[fax]", f"[fax]\n{lists}"))
    await office.acts.admin_reset(password="admin1")
    await house.smtp(hands_in([f"FAX={SHOP}@{GATEWAY}", f"FAX={VOICE}@{GATEWAY}"], letter("x")))
    await settled(house)
    found = {name: await mails(house, name, least) for name, least in (("anna", 2), ("ben", 1), ("admin1", 1))}
    subjects = {name: sorted(str(one["Subject"]) for one in told) for name, told in found.items()}
    assert subjects == {
        "anna": ["Fax delivered successfully. Offer", "Fax not delivered. Offer"],
        "ben": ["Fax delivered successfully. Offer"],
        "admin1": ["Fax not delivered. Offer"],
    }
    assert {one.get_content_type() for one in found["anna"]} == {"text/plain"}
    assert "no fax machine" in found["admin1"][0].get_payload()


PARTNER = """
[[user]]
name = "gateway"
password = "gateway"
"""


async def test_reports_about_a_partners_faxes_go_to_the_sender_of_its_mail(house: House) -> None:
    """S7 S12 X1: RFC 3461 section 5; everybody else's reports stay in this house, whatever MAIL FROM says."""
    names = 'partners = ["gateway"]\nsenders = ["anna", "gateway"]'
    await house.start(FAX.replace('senders = ["anna"]', names) + PARTNER)

    def talk(user: str, sender: str) -> object:
        def say(client: smtplib.SMTP) -> object:
            client.login(user, user)
            mail = letter("x")
            mail.replace_header("From", sender)
            return client.send_message(mail, sender, f"FAX={VOICE}@{GATEWAY}", ["ENVID=Q7"])

        return say

    await house.smtp(talk("gateway", "boss@partner.example"))  # type: ignore[arg-type]
    await house.smtp(talk("anna", "boss@partner.example"))  # type: ignore[arg-type]
    await settled(house)
    assert house.office is not None
    until = reactor.seconds() + DEADLINE
    while not house.isp.relayed:
        assert reactor.seconds() < until
        await house.office.acts.send_receive()
        await deferLater(reactor, 0.05)
    [sent] = house.isp.relayed
    assert sent.envelope.sender is None
    assert [str(one.address) for one in sent.envelope.recipients] == ["boss@partner.example"]
    for part in (b"Original-Envelope-Id: Q7", b"Status: 5.3.3", b"Diagnostic-Code: X-FAX; not-a-fax"):
        assert part in sent.octets
    assert b"RESEND" not in sent.octets
    assert b"\r\nFrom: boss@partner.example\r\n" in sent.octets  # of the message: whoever wrote it stays known (S12)
    [own] = await mails(house, "anna")
    assert own["To"] == "<anna@mail.office.example>"
    assert not await mails(house, "gateway", 0)


ROUTES = """
[[fax_route]]
line = "pretend"
subaddress = "4930555????"
to = ["+{subaddress}"]
[[fax_route]]
subaddress = "44*"
to = ["FAX=+{subaddress}@fax.partner.example"]
[[fax_route]]
line = "other*"
to = ["anna"]
[[fax_route]]
subaddress = "8"
to = ["+49 900 123-4567", "+49 30 5550200"]
"""


async def test_a_fax_goes_straight_on_to_the_number_that_was_dialled(house: House) -> None:
    """G10: direct mapping of digits to a number here, or at a gateway chosen by it; tolls hold for callers, too."""
    await house.start(FAX.replace("[fax]", "[fax]\nhead = false") + ROUTES)
    await rings(house, [page(1)], 1, sub="49305550200")
    await rings(house, [page(2)], 2, sub="8")
    await rings(house, [page(3)], 3, sub="441164960348")
    until = reactor.seconds() + DEADLINE
    while len(line_of(house).taken.get(SHOP, ())) < 2 or not house.isp.relayed:
        assert reactor.seconds() < until
        assert house.office is not None
        await house.office.acts.send_receive()
        await deferLater(reactor, 0.05)
    await settled(house)
    assert line_of(house).taken == {SHOP: [[page(1)], [page(2)]]}
    [sent] = house.isp.relayed
    assert [str(one.address) for one in sent.envelope.recipients] == ["FAX=+441164960348@fax.partner.example"]
    await rings(house, [page(4)], 4, sub="")
    [came] = await faxes_of(house, "ben")
    assert not await mails(house, "anna", 0)
    assert came["From"] is not None


async def test_a_fax_that_came_is_given_to_a_fax_number(house: House) -> None:
    """Its pages alone, by number or by a name of the book; ADMIN hears of it, and the mailbox it lay in is empty."""
    book = '\n[[fax_contact]]\nname = "shop"\nnumber = "+49305550200"\n'
    office = await house.start(FAX.replace("[fax]", "[fax]\nhead = false") + book)
    await office.acts.admin_reset(password="admin1")
    await rings(house, [page(1), page(2)])
    await faxes_of(house, "ben")
    [row] = await office.acts.fax_received()
    with pytest.raises(PolicyRefusal):
        await office.acts.fax_give(trace=str(row["trace"]), to=["+499001234567"], by="me")
    given = await office.acts.fax_give(trace=str(row["trace"]), to=["+49 (30) 555-0200"], keep=True, by="me")
    assert given["to"] == [SHOP]
    await settled(house)
    assert line_of(house).taken[SHOP] == [[page(1), page(2)]]
    given = await office.acts.fax_give(trace=str(row["trace"]), to=["shop"], by="me")
    assert (given["from"], given["to"]) == ("ben", [SHOP])
    await settled(house)
    assert line_of(house).taken[SHOP] == [[page(1), page(2)]] * 2
    assert not await mails(house, "ben", 0)
    reports = await mails(house, "admin1", 2)
    assert {str(one["Subject"]) for one in reports} == {"Fax delivered successfully. (DSN) Fax from far, 2 pages"}
    await rings(house, [], 2)
    with pytest.raises(NotPossible):
        await office.acts.fax_give(trace=str(row["trace"]), to=[], by="me")


async def test_pages_come_as_profile_s_where_an_office_wants_it(house: House) -> None:
    """G6 S5: what every Internet fax reads (RFC 4160 section 4.4), the same pixels; PDF beside it as ever."""
    await house.start(FAX.replace('formats = ["tiff", "pdf"]', 'formats = ["profile-s", "pdf"]'))
    await rings(house, [page(1), page(2)])
    [came] = await faxes_of(house, "ben")
    tiff = _tiff(came)
    assert tiff[:8] == b"II*\0\x08\0\0\0"
    found = [one.page for one in read_tiff(tiff)]
    assert [one.coding for one in found if one is not None] == [Coding.MH] * 2
    assert [one.rows for one in found if one is not None] == [60, 60]
    assert len([part for part in came.walk() if part.get_content_type() == "application/pdf"]) == 1
    assert len(pages_in(came)) == 2


async def test_a_fax_that_hangs_on_a_line_is_told_of(house: House) -> None:
    """U16: after two hours the health of the office says which one it is, and how it is given up."""
    office = await house.start(FAX)
    await house.smtp(hands_in(f"FAX={SHOP}@{GATEWAY}", letter("x")))
    await settled(house)
    [row] = await office.store.queue.items(agent="fax", open_only=False)
    fax = office._parts.fax.running()
    now = int(reactor.seconds() * 1_000_000)
    for hours, stuck in ((1, []), (3, [row.id])):
        fax.agent.attempts[row.id] = Attempt(row, line=fax.pool.lines[0], since=now - hours * 3_600_000_000)
        [line] = await office.acts.fax_lines()
        assert line["stuck"] == stuck
    found = [one.seen for one in health._devices(await office.acts.overview()) if one.what == "Fax line pretend"]
    assert f"mailshare fax cancel {row.id} gives it up" in found[1]
    fax.agent.attempts.clear()


def _tiff(mail: Message) -> bytes:
    [part] = [each for each in mail.walk() if each.get_content_type() == "image/tiff"]
    data = part.get_payload(decode=True)
    assert isinstance(data, bytes)
    return data
