"""What senders are told: every end of a call with its notice, in the forms that they asked for."""

from __future__ import annotations

import itertools
import smtplib
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.policy import SMTP
from email.utils import format_datetime
from io import BytesIO

import pytest
from PIL import Image

from mailshare.core.fax_report import report_forms
from mailshare.core.report import fate_of
from mailshare.core.values.fax import FaxCause
from tests.fax.calling_room import Room, ends
from tests.fax.test_fax_office import FAX, GATEWAY, hands_in, letter, mails, settled
from tests.house import House

# Word of the loop line, cause, Action and Status of the notice that comes of it when there is one try (RFC 3463 3.5).
ENDS = [
    ("answers", "ok", "delivered", "2.1.5"),
    ("slow", "ok", "delivered", "2.1.5"),
    ("busy", "busy", "failed", "4.4.1"),
    ("no-answer", "no-answer", "failed", "4.4.1"),
    ("no-dialtone", "no-dialtone", "failed", "4.4.1"),
    ("no-carrier", "no-carrier", "failed", "4.4.2"),
    ("congestion", "congestion", "failed", "4.4.1"),
    ("rejected", "rejected", "failed", "5.1.1"),
    ("unknown", "bad-number", "failed", "5.1.1"),
    ("voice", "not-a-fax", "failed", "5.3.3"),
    ("incompatible", "incompatible", "failed", "5.3.3"),
    ("bad-line", "cannot-train", "failed", "4.4.2"),
    ("poll-refused", "poll-refused", "failed", "5.7.1"),
    ("not-allowed", "not-allowed", "failed", "5.7.1"),
    ("fault", "internal", "failed", "4.3.0"),
    ("end-unknown", "dropped", "failed", "4.4.2"),
    ("drop:1", "dropped", "failed", "4.4.2"),
    ("refuse:1", "page-refused", "failed", "4.4.2"),
]
ONE_TRY = FAX.partition("[fax_line.options.numbers]")[0].replace("[fax]", "[fax]\nhead = false\ntries = 1")


def fields_of(report: Message) -> str:
    return str(report.get_payload(1).as_string())


async def test_every_end_of_a_call_has_its_notice(house: House) -> None:
    """G16 C1 U14: cause, status, action, subject and words; one notice for each number, and none twice."""
    numbers = {word: f"+4930555{4000 + index}" for index, (word, *_) in enumerate(ENDS)}
    broken = {"no-dialtone": "+493055660"}  # on a line of its own, which rests after that
    numbers.update(broken)
    table = "\n".join(f'"{number}" = "{word}"' for word, number in numbers.items() if word not in broken)
    lines = "".join(
        f'[[fax_line]]\nname = "{word}"\nkind = "loop"\ncalls = ["{number}"]\n'
        f'options = {{ numbers = {{ "{number}" = "{word}" }} }}\n'
        for word, number in broken.items()
    )
    good = ONE_TRY.replace("channels = 4", 'channels = 40\ncalls = ["+49305554*"]')
    await house.start(good + f"[fax_line.options.numbers]\n{table}\n{lines}")
    to = [f"FAX={number}@{GATEWAY}" for number in numbers.values()]
    await house.smtp(hands_in(to, letter("x", "one\f two")))
    await settled(house)
    found = {}
    for report in await mails(house, "anna", len(ENDS)):
        fields = fields_of(report)
        found[fields.partition("FAX=")[2].partition("@")[0]] = (report, fields)
    assert len(found) == len(await mails(house, "anna"))
    for word, cause, action, status in ENDS:
        report, fields = found[numbers[word]]
        assert f"Action: {action}\n" in fields, word
        assert f"Status: {status}\n" in fields, word
        assert f"Diagnostic-Code: X-FAX; {cause} " in fields, word
        outcome = "Fax delivered successfully." if action == "delivered" else "Fax not delivered."
        assert report["Subject"] == f"{outcome} (DSN) Offer", word
    assert "X-Fax-Pages: 1/2" in found[numbers["drop:1"]][1]
    assert "nobody heard whether it arrived; the far machine may have all of it" in found[numbers["end-unknown"]][1]


async def test_a_report_shows_the_page_and_says_what_can_be_faxed(house: House) -> None:
    """X7: the first page beside the words, the profiles for programs (RFC 2530), and two or three parts (RFC 6522)."""
    await house.start(FAX.replace("[fax]", '[fax]\nreport = "both"'))
    asks = letter("x")
    asks["Disposition-Notification-To"] = "anna@mail.office.example"
    await house.smtp(hands_in(f"FAX=+49305550200@{GATEWAY}", asks))
    await settled(house)
    reports = await mails(house, "anna", 2)
    assert {one.get_param("report-type") for one in reports} == {"delivery-status", "disposition-notification"}
    for report in reports:
        assert len(report.get_payload()) == 3
        words, picture = report.get_payload(0).get_payload()
        assert "RESEND" in words.get_payload()
        with Image.open(BytesIO(picture.get_payload(decode=True))) as shown:
            shown.load()
            assert shown.format == "PNG"
            assert shown.width == 620
            assert shown.height > shown.width
            assert shown.convert("L").getextrema()[0] < 100  # there is something on it
        assert "Media-Accept-Features: (& (image-file-structure=TIFF-minimal)" in fields_of(report)


async def test_a_delay_says_until_when_this_fax_is_tried(room: Room) -> None:
    """Twelve hours, and not the five days of mail (RFC 3464 section 2.3.9: Will-Retry-Until)."""
    room.line.acts = [ends(FaxCause.BUSY)]
    item = await room.row()
    fate = fate_of(item, await room.tried(item))
    assert (fate.status, fate.cause, fate.until) == ("4.4.1", "busy", item.queued + 12 * 3_600_000_000)


async def test_lines_that_are_all_down_until_the_deadline_are_told_as_such(house: House) -> None:
    """C4 U16: the true cause and which line it was; nobody was called, and nothing is wrong with the number."""
    table = "[fax_line.options.numbers]"
    second = f'[[fax_line]]\nname = "second"\nkind = "loop"\n{table}\n"+49305550200" = "down"\n'
    await house.start(FAX.partition(table)[0] + f'{table}\n"+49305550200" = "down"\n{second}')
    for seconds in (8, 60):  # on a machine where eight did not suffice to make pages of it
        message = letter("x")
        message["Expiry-Date"] = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds))
        await house.smtp(hands_in(f"FAX=+49305550200@{GATEWAY}", message))
        await settled(house)
        report = (await mails(house, "anna"))[-1]
        fields = fields_of(report)
        if "line-down" in fields:
            break
    assert "Action: failed\nStatus: 4.4.1\nDiagnostic-Code: X-FAX; line-down (" in fields
    assert "X-Fax-Tries" not in fields
    words = " ".join(report.get_payload(0).get_payload(0).get_payload().split())
    assert "No line of this office could make the call" in words
    assert "Nothing is wrong with the number." in words
    assert "Check the number" not in words


@pytest.mark.parametrize("ret", ["FULL", "HDRS", ""])
async def test_what_the_client_asked_for_decides(house: House, ret: str) -> None:
    """C5: every combination of NOTIFY with a success and a failure; RET, ENVID and ORCPT in each (RFC 3461)."""
    await house.start(FAX.replace("[fax]", "[fax]\nhead = false"))
    asked = ["", "NEVER", "SUCCESS", "FAILURE", "DELAY", "SUCCESS,FAILURE", "SUCCESS,FAILURE,DELAY"]
    numbers = {True: "+49305550200", False: "+49305550202"}
    cases = list(enumerate(itertools.product(asked, numbers)))

    def talk(client: smtplib.SMTP) -> None:
        client.login("anna", "anna")
        options = ["ENVID=Q+2B7"] + ([f"RET={ret}"] if ret else [])
        assert client.mail("anna@mail.office.example", options)[0] == 250
        for case, (notify, good) in cases:
            more = [f"NOTIFY={notify}"] if notify else []
            to = f"FAX={numbers[good]}/T33S={case + 1}@{GATEWAY}"
            assert client.rcpt(to, [*more, f"ORCPT=rfc822;c+2D{case}@old.example"])[0] == 250
        answer = client.data(letter("x", "These are the words.").as_bytes(policy=SMTP))
        assert answer[0] == 250, answer

    await house.smtp(talk)
    await settled(house)
    wanted = {
        (case, good)
        for case, (notify, good) in cases
        if (("SUCCESS" if good else "FAILURE") in notify) or not notify
    }
    told = {}
    for report in await mails(house, "anna", 2):
        fields = fields_of(report)
        assert "Original-Envelope-Id: Q+7" in fields
        for block in fields.split("\n\n")[1:]:
            if "Original-Recipient: rfc822;" in block:
                case = int(block.partition("rfc822;")[2].strip().partition("@")[0].removeprefix("c-"))
                told[case, "Action: delivered" in block] = report
    assert set(told) == wanted
    for (_, good), report in told.items():
        whole = ret == "FULL" and not good
        assert report.get_payload(2).get_content_type() == ("message/rfc822" if whole else "text/rfc822-headers")


def test_the_form_of_a_report_follows_the_office_and_the_sender() -> None:
    """C6 X3: dispositions about failures and for those who asked; a plain notice where a DSN is not ours to write."""
    told = {
        (form, action, asked): "+".join(report_forms(form, action, asked=asked))
        for form in ("dsn", "mdn", "both", "plain")
        for action in ("delivered", "failed", "delayed", "relayed")
        for asked in (False, True)
    }
    assert {told["dsn", action, asked] for _, action, asked in told} == {"dsn"}
    assert {told["plain", action, asked] for _, action, asked in told} == {"plain"}
    assert told["mdn", "failed", False] == told["mdn", "delivered", True] == "mdn"
    assert told["mdn", "delivered", False] == told["mdn", "delayed", True] == told["mdn", "relayed", True] == "plain"
    assert told["both", "failed", False] == told["both", "delivered", True] == "mdn+dsn"
    assert told["both", "delivered", False] == told["both", "relayed", True] == "dsn"
