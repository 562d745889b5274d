"""Reports read back with the standard library's parser, and attacks on them."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailshare.core.address import Address
from mailshare.core.report import (
    Action,
    Fate,
    Letterhead,
    Returned,
    delivery_report,
    disposition_report,
    fate_of,
    notice,
    wanted,
)
from mailshare.core.report_parts import date_text, printable, text_field
from mailshare.core.report_words import route_paused, span, too_large, unknown_name
from mailshare.core.values import Outcome, QueueItem, QueueState

AT = 1_795_262_400_000_000  # 2026-11-21 12:00 UTC
HEAD = Letterhead(
    "mail.office.example", "admin1@office.example", "greg@office.example", AT, "<r1@office.example>", "b0"
)
ORIGINAL = b"From: <mail@company.example>\r\nTo: ann@example.net\r\nSubject: Hello\r\n\r\n"
ABOUT = Returned(ORIGINAL, "00112233aabbccdd", AT - 3_600_000_000, subject="Hello", message_id="<m1@company.example>")
REFUSED = Fate(
    "ann@example.net", "rfc822;Ann@example.net", "5.1.1", 550, "5.1.1 No such user", "mx.example.net", AT, AT
)


def parse(octets: bytes) -> EmailMessage:
    """The report as the standard library reads it."""
    message = email.message_from_bytes(octets, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def statuses(octets: bytes) -> list[EmailMessage]:
    """The blocks of the machine-readable part."""
    return list(parse(octets).get_payload(1).get_payload())  # type: ignore[arg-type, union-attr]


def test_failure_in_full() -> None:
    """Every field that RFC 3464 asks for is there, with the server's words, and lines end with CRLF only."""
    octets = delivery_report(Action.FAILED, [REFUSED], ABOUT, HEAD)
    message = parse(octets)
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["In-Reply-To"] == "<m1@company.example>"
    first, second = statuses(octets)
    assert first["Reporting-MTA"] == "dns; mail.office.example"
    assert second["Original-Recipient"] == "rfc822;Ann@example.net"
    assert second["Final-Recipient"] == "rfc822; ann@example.net"
    assert (second["Action"], second["Status"]) == ("failed", "5.1.1")
    assert second["Diagnostic-Code"] == "smtp; 550 5.1.1 No such user"
    assert second["Remote-MTA"] == "dns; mx.example.net"
    assert octets.count(b"\n") == octets.count(b"\r\n") == octets.count(b"\r")


def test_failure_tells_people_what_to_do() -> None:
    """The text part names the recipient, quotes the answer and advises."""
    text = parse(delivery_report(Action.FAILED, [REFUSED], ABOUT, HEAD)).get_payload(0).get_content()  # type: ignore[union-attr]
    assert "ann@example.net" in text
    assert "550 5.1.1 No such user" in text
    assert "Check its spelling" in text
    assert "00112233aabbccdd" in text


def test_header_only_is_returned_by_default_and_the_whole_on_request() -> None:
    """RET=HDRS is the default; RET=FULL returns the message, unless it is large."""
    third = parse(delivery_report(Action.FAILED, [REFUSED], ABOUT, HEAD)).get_payload(2)
    assert third.get_content_type() == "text/rfc822-headers"  # type: ignore[union-attr]
    whole = Returned(ORIGINAL, "t", AT, whole=ORIGINAL + b"body\r\n")
    octets = delivery_report(Action.FAILED, [REFUSED], whole, HEAD)
    assert b"Content-Type: message/rfc822\r\n" in octets
    assert b"\r\n\r\nbody\r\n\r\n--b0--\r\n" in octets
    large = Returned(ORIGINAL, "t", AT, whole=ORIGINAL + b"x" * 300_000)
    assert len(delivery_report(Action.FAILED, [REFUSED], large, HEAD)) < 5000


def test_delay_names_the_end() -> None:
    """A delay report carries Will-Retry-Until and says how long it goes on."""
    fate = Fate("ann@example.net", status="4.4.1", tried=AT, until=AT + 4 * 86_400_000_000)
    octets = delivery_report(Action.DELAYED, [fate], ABOUT, HEAD)
    block = statuses(octets)[1]
    assert (block["Action"], block["Status"]) == ("delayed", "4.4.1")
    assert block["Will-Retry-Until"] == "Wed, 25 Nov 2026 12:00:00 +0000"
    assert b"another 4 days" in octets


def test_envelope_id_is_echoed() -> None:
    """ENVID comes back as Original-Envelope-Id."""
    about = Returned(ORIGINAL, "t", AT, envid="QQ314159")
    assert statuses(delivery_report(Action.RELAYED, [REFUSED], about, HEAD))[0]["Original-Envelope-Id"] == "QQ314159"


@pytest.mark.parametrize(
    ("action", "given", "status"),
    [
        (Action.FAILED, "", "5.0.0"),
        (Action.FAILED, "4.4.7", "4.4.7"),
        (Action.DELAYED, "5.1.1", "4.0.0"),
        (Action.RELAYED, "nonsense", "2.0.0"),
        (Action.DELIVERED, "2.1.5", "2.1.5"),
    ],
)
def test_status_fits_the_action(action: Action, given: str, status: str) -> None:
    """A missing or contradicting code becomes a general one."""
    assert statuses(delivery_report(action, [Fate("a@b.example", status=given)], ABOUT, HEAD))[1]["Status"] == status


def test_addresses_in_utf8_use_the_global_form() -> None:
    """RFC 6533: the utf-8 address type and message/global-delivery-status."""
    octets = delivery_report(Action.FAILED, [Fate("jürgen@bücher.example")], ABOUT, HEAD)
    assert b"Content-Type: message/global-delivery-status\r\n" in octets
    assert "Final-Recipient: utf-8; jürgen@bücher.example\r\n".encode() in octets
    assert b"Content-Transfer-Encoding: 8bit" in octets.split(b"\r\n\r\n")[0]
    raw = Returned("Subject: Grüße\r\n\r\n".encode(), "t", AT)
    assert b"message/global-headers" in delivery_report(Action.FAILED, [REFUSED], raw, HEAD)


@pytest.mark.parametrize(
    ("notify", "told"),
    [
        (set(), {Action.FAILED, Action.DELAYED}),
        ({"NEVER"}, set()),
        ({"SUCCESS"}, {Action.DELIVERED, Action.RELAYED}),
        ({"FAILURE"}, {Action.FAILED}),
        ({"DELAY", "FAILURE"}, {Action.FAILED, Action.DELAYED}),
    ],
)
def test_notify_is_honoured(notify: set[str], told: set[Action]) -> None:
    """Nobody is told what he did not ask for."""
    assert {action for action in Action if wanted(action, notify)} == told


def test_expired_row_keeps_the_last_answer() -> None:
    """A row given up reports 4.4.7 and the last words that were heard."""
    item = QueueItem(
        1, 1, 1, "t", "relay", "ann@example.net", Address("a", "b.example"), QueueState.ACTIVE, 9, 0, 0, AT, 10,
        code=451, reply="4.7.1 Try later", params={"orcpt": "rfc822;x@y.example"},
    )  # fmt: skip
    fate = fate_of(item, Outcome(1, QueueState.EXPIRED, AT))
    assert (fate.status, fate.code, fate.reply, fate.orcpt) == ("4.4.7", 451, "4.7.1 Try later", "rfc822;x@y.example")


def test_boundary_that_occurs_is_made_longer() -> None:
    """A message that holds the boundary cannot break out of its part."""
    evil = Returned(ORIGINAL, "t", AT, whole=ORIGINAL + b"--b0--\r\n\r\n--b0\r\n")
    message = parse(delivery_report(Action.FAILED, [REFUSED], evil, HEAD))
    assert len(message.get_payload()) == 3


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=100), st.text(max_size=300))
def test_no_text_of_a_peer_makes_a_line(reply: str, address: str, remote: str, subject: str) -> None:
    """Whatever a server, an address or a subject holds, the report has the same fields in the same places."""
    about = Returned(ORIGINAL, "t", AT, subject=subject, envid=reply)
    octets = delivery_report(Action.FAILED, [Fate(address, "", "5.1.1", 550, reply, remote, AT)], about, HEAD)
    assert octets.count(b"\r\n--b0\r\n") == 3
    assert octets.count(b"\n") == octets.count(b"\r\n") == octets.count(b"\r")
    assert octets.count(b"\r\nAction: failed\r\n") == 1
    assert all(len(line) <= 998 * 2 for line in octets.split(b"\r\n"))
    assert octets.split(b"\r\n\r\n")[0].isascii()


def test_disposition_report() -> None:
    """RFC 8098: the fields of a processed receipt."""
    octets = disposition_report(
        ABOUT,
        HEAD,
        recipient="printer@office.example",
        disposition="automatic-action/MDN-sent-automatically; processed",
        words=["Printed: 3 pages."],
    )
    block = statuses(octets)[0]
    assert block["Original-Message-ID"] == "<m1@company.example>"
    assert block["Disposition"].endswith("processed")
    assert b"report-type=disposition-notification" in octets


def test_notices_are_plain_mail() -> None:
    """Each notice has a subject and wrapped text and says what to do."""
    for subject, words in (
        unknown_name(["Nobody here is called Grgory"]),
        too_large("big@example.net", 90_000_000, 50_000_000, "mail@company.example"),
        route_paused("mail@company.example", "mail@smtp.isp.example:465", "535 5.7.8 bad\r\nBcc: x", "13:00"),
    ):
        message = parse(notice(subject, words, HEAD))
        assert message["Subject"] == subject
        assert message["Bcc"] is None
        assert message["Auto-Submitted"] == "auto-generated"
        assert max(len(line) for line in message.get_content().splitlines()) <= 76


def test_small_bricks() -> None:
    """Dates, spans, encoded words and safe lines."""
    assert date_text(AT) == "Sat, 21 Nov 2026 12:00:00 +0000"
    assert [span(each * 3_600_000_000) for each in (0, 1, 4, 47, 48)] == [
        "1 minute",
        "60 minutes",
        "4 hours",
        "47 hours",
        "2 days",
    ]
    assert printable("a\r\nBcc: b\x00\u202ec") == "a Bcc: b c"
    long = "Grüße aus München " * 8
    folded = text_field("Subject", long)
    assert all(len(line) <= 76 for line in folded.split(b"\r\n"))
    assert parse(folded + b"\r\n")["Subject"] == " ".join(long.split())
