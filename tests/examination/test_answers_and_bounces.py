"""Mail without a name: answers, bounces of many makers, receipts, lists and automatic answers."""

import base64

import pytest

from tests.examination.conftest import BOX, DOMAIN, HOP, REGULAR, Examiner

TOP = HOP + f"From: x@far.example\nTo: {BOX}\n"
A1, A2, G1, L1 = (f"<{name}@office.example>" for name in ("andrew-1", "andrew-2", "greg-1", "lisa-1"))
SES = "<0102018b-1234@eu-west-1.amazonses.com>"
ANSWERS = [
    (f"In-Reply-To: {A1}\n", "andrew ledger"),
    (f"In-Reply-To: Your message of Monday {A1}\n", "andrew ledger"),
    ("In-Reply-To: andrew-1@office.example\n", "andrew ledger"),
    (f"In-Reply-To:\n {A1}\n", "andrew ledger"),
    (f"In-Reply-To: {A1} {G1}\n", "andrew ledger"),
    (f"In-Reply-To: {G1}\nReferences: {A1} {L1}\n", "greg ledger"),
    (f"In-Reply-To: <strange@far.example>\nReferences: {A1} {L1}\n", "lisa ledger"),
    (f"References: {A1} {G1} <strange@far.example>\n", "greg ledger"),
    (f"References: {A1}{G1}\n", "greg ledger"),
    (f"References: {A1}\n\t{G1}\n\t<strange@far.example>\n", "greg ledger"),
    (f"In-Reply-To: {SES}\nReferences: {A1} {SES}\n", "andrew ledger"),
    ("In-Reply-To: <ANDREW-1@office.example>\n", "ADMIN no-name"),
    ("In-Reply-To: <nobody-1@office.example>\n", "ADMIN no-name"),
    ("In-Reply-To: <>\nReferences:\n", "ADMIN no-name"),
    (f"X-In-Reply-To: {A1}\n", "ADMIN no-name"),
    (f"Message-ID: {A1}\n", "ADMIN no-name"),
    ("References: " + " ".join(f"<{n}@far.example>" for n in range(900)) + f" {A1}\n", "andrew ledger"),
    (f"References: {A1} " + " ".join(f"<{n}@far.example>" for n in range(900)) + "\n", "andrew ledger"),
    (f"Thread-Index: x\nIn-Reply-To: {A1}\nIn-Reply-To: {G1}\n", "andrew ledger"),
]
NAMED = [
    (f"To: Greg <{BOX}>\nIn-Reply-To: {A1}", "greg name-L1"),
    (f"To: Anna <{BOX}>\nIn-Reply-To: {A1}", "andrew ledger"),
    (f"To: Nobody <{BOX}>\nIn-Reply-To: {A1}", "andrew ledger"),
    (f"To: Company Ltd <{BOX}>\nIn-Reply-To: {A1}", "andrew ledger"),
    (f"To: x@far.example\nIn-Reply-To: {A1}", "andrew ledger"),
    (f"To: mail+lisa@company.example\nIn-Reply-To: {A1}", "lisa tag"),
    (f"To: mail+lost@company.example\nIn-Reply-To: {A1}", "andrew ledger"),
    (f"To: {BOX}\nList-Id: <news.example>", "lisa rule-list"),
    ("To: x@far.example\nList-Id: News of the week <NEWS.example>", "lisa rule-list"),
    ("To: x@far.example\nList-Id: =?utf-8?q?N=C3=A9ws?= <news.example>", "lisa rule-list"),
    ("To: x@far.example\nList-Id: news.example", "lisa rule-list"),
    ("To: x@far.example\nList-Post: <mailto:club@lists.example?subject=x>", "lisa rule-list"),
    ("To: x@far.example\nMailing-List: contact club-help@lists.example; run by ezmlm", "ADMIN not-addressed"),
    ("To: x@far.example\nMailing-List: list club@lists.example; contact club-owner@lists.example", "lisa rule-list"),
    ("To: x@far.example\nList-Id: <evil.example> (news.example)", "ADMIN not-addressed"),
    ("To: x@far.example\nList-Id: <news.example.evil.example>", "ADMIN not-addressed"),
    (f"To: Andrew <{BOX}>\nList-Id: <news.example>", "andrew name-L1"),
    (f"To: {BOX}\nList-Id: <news.example>\nIn-Reply-To: {G1}", "greg ledger"),
    (f"To: {BOX}\nFrom: Orders <orders@shop.example>", "lisa rule-from"),
    (f"To: {BOX}\nFrom: orders@shop.example.evil.example", "ADMIN no-name"),
    (f"To: {BOX}\nFrom: evil@x.example (orders@shop.example)", "ADMIN no-name"),
    (f"To: {BOX}\nAuto-Submitted: auto-replied\nIn-Reply-To: {L1}", "lisa ledger"),
    (f"To: {BOX}\nAuto-Submitted: auto-replied\nSubject: Out of office", "ADMIN no-name"),
]


def report(
    returned: str, *, status: str = "", kind: str = "message/rfc822", encoding: str = "", rep: str = "delivery-status"
) -> str:
    """An RFC 3464 report that returns something."""
    head = f"Content-Type: {kind}\n" + (f"Content-Transfer-Encoding: {encoding}\n" if encoding else "")
    if encoding == "base64":
        returned = base64.encodebytes(returned.replace("\n", "\r\n").encode()).decode()
    return (
        HOP + f"Return-Path: <>\nFrom: Mail Delivery Subsystem <MAILER-DAEMON@far.example>\nTo: {BOX}\n"
        f"Subject: Undelivered Mail\nMessage-ID: <bounce@far.example>\nMIME-Version: 1.0\n"
        f'Content-Type: multipart/report; report-type={rep};\n\tboundary="b=1"\n\n--b=1\n\nNo such user.\n\n'
        f"--b=1\nContent-Type: message/{rep}\n\nReporting-MTA: dns; far.example\n{status}\n"
        f"Final-Recipient: rfc822; x@far.example\nAction: failed\nStatus: 5.1.1\n\n--b=1\n{head}\n{returned}\n--b=1--\n"
    )


def text_bounce(body: str, sender: str = "MAILER-DAEMON@far.example", more: str = "") -> str:
    """A bounce that is plain text."""
    return f"{HOP}From: {sender}\nTo: {BOX}\nSubject: failure notice\n{more}\n{body}\n"


RETURNED = (
    f"Received: by far.example; x\nFrom: Andrew <{BOX}>\nTo: x@far.example\n"
    f"Message-ID: {A1}\nSubject: Question\n\nWell?\n"
)
SHORT = RETURNED.partition("\n\n")[0] + "\n"
QMAIL = (
    "Hi. This is the qmail-send program at far.example.\nI'm afraid I wasn't able to deliver your message.\n\n"
    "<x@far.example>:\n192.0.2.9 does not like recipient.\n\n--- Below this line is a copy of the message.\n\n"
)
EXIM = (
    "This message was created automatically by mail delivery software.\n\n  x@far.example\n    SMTP error from remote\n"
    "\n------ This is a copy of the message's headers. ------\n\n"
)
BOUNCES = [
    (report(RETURNED), "andrew bounce"),
    (report(SHORT, kind="text/rfc822-headers"), "andrew bounce"),
    (report(SHORT.replace("Message-ID", "message-id"), kind="text/rfc822-headers"), "andrew bounce"),
    (report(SHORT.replace(f"Message-ID: {A1}", f"Message-Id:\n\t{A1}"), kind="text/rfc822-headers"), "andrew bounce"),
    (report(RETURNED, encoding="base64"), "andrew bounce"),
    (report(RETURNED.replace("@", "=40").replace("<", "=3C"), encoding="quoted-printable"), "andrew bounce"),
    (report("Message removed\n", status=f"X-Original-Message-ID: {A1}\n"), "andrew bounce"),
    (
        report("Message removed\n", status=f"Original-Message-ID: {A1}\n", rep="disposition-notification"),
        "andrew bounce",
    ),
    (report(f"Message-ID: {SES}\nReferences: {A1}\n\nx\n"), "andrew bounce"),
    (report(f"Message-ID: {SES}\nReferences: {G1}\n {A1}\n\nx\n"), "andrew bounce"),
    (report(f"References: {G1} {A1}\nMessage-ID: {A1}\n\nx\n"), "andrew bounce"),
    (report(f"In-Reply-To: {G1}\nMessage-ID: {A1}\n\nx\n"), "andrew bounce"),
    (report(f"Message-ID: {SES}\nX-Google-Original-Message-ID: {A1}\n\nx\n"), "andrew bounce"),
    (report(f"Message-ID: {SES}\nX-Microsoft-Original-Message-ID: {A1}\n\nx\n"), "andrew bounce"),
    (report(f"Message-ID: {G1}\n\nbody says\nMessage-ID: {A1}\n"), "greg bounce"),
    (report(f"Message-ID: {L1}\n\nbody says\nMessage-ID: {A1}\n"), "lisa bounce"),
    (report("Message-ID: <not-ours@far.example>\n\nx\n"), "ADMIN no-name"),
    (report("Message removed\n"), "ADMIN no-name"),
    (text_bounce(QMAIL + "Return-Path: <mail@company.example>\n" + RETURNED), "andrew bounce"),
    (text_bounce(EXIM + SHORT, "Mail Delivery System <Mailer-Daemon@far.example>"), "andrew bounce"),
    (
        text_bounce(EXIM + SHORT, "Mail System <noreply@far.example>", "X-Failed-Recipients: x@far.example\n"),
        "andrew bounce",
    ),
    (
        text_bounce(
            "Message from yahoo.com.\n\n--- Original message follows.\n\n" + RETURNED, "MAILER-DAEMON@yahoo.com"
        ),
        "andrew bounce",
    ),
    (text_bounce("> Message-ID: " + A1, "postmaster@far.example"), "andrew bounce"),
    (text_bounce("    Message-ID: " + A1, "postmaster@far.example"), "andrew bounce"),
    (text_bounce("Message-ID: " + A1, "MAILER-DAEMON"), "andrew bounce"),
    (text_bounce("Message-ID: " + A1, "<>"), "andrew bounce"),
    (text_bounce("Message-ID: " + A1, "Mail <bounces@x.example>", "Auto-Submitted: auto-replied\n"), "andrew bounce"),
    (
        text_bounce("Message-ID: " + A1, "System Administrator <postmaster@far.example>", "X-MS-Embedded-Report:\n"),
        "andrew bounce",
    ),
    (text_bounce("x" * 80 + "\n" + "y\n" * 9_000 + "Message-ID: " + A1, "postmaster@far.example"), "andrew bounce"),
    (text_bounce("Message-ID: " + A1, '"Mail System" <>'), "andrew bounce"),
    (text_bounce("Message-ID: " + A1, "E500_Mail_Service@far.example"), "andrew bounce"),
    *(
        (text_bounce("Message-ID: " + A1, sender).replace("failure notice", subject), "andrew bounce")
        for sender, subject in (
            ("gateway@far.example", "Mail could not be delivered"),
            ("gateway@far.example", "Warning: message delayed 4 hours"),
            ("Mail\\@far.example@x.example", "Mail Delivery Warning"),
        )
    ),
    (
        text_bounce("Message-ID: " + A1, "friend@far.example").replace("Subject: failure", "Subject: Re: failure"),
        "ADMIN no-name",
    ),
    (
        f"{HOP}From: postmaster@far.example\nTo: {BOX}\nIn-Reply-To: {A1}\nContent-Type: multipart/report\n\nx\n",
        "andrew ledger",
    ),
    (
        report(RETURNED).replace(f"To: {BOX}\nSubject: Und", f"To: Greg <{BOX}>\nSubject: Und"),
        "greg name-L1",
    ),
]


@pytest.fixture(scope="module")
def office() -> Examiner:
    """An office that shares one address."""
    return Examiner(REGULAR)


@pytest.mark.parametrize(("more", "expected"), ANSWERS)
def test_answers_find_who_asked_3_1_5(office: Examiner, more: str, expected: str):
    """In-Reply-To before References, the last of these first, only what really left here."""
    assert office.ask(TOP + more) == expected


@pytest.mark.parametrize(("text", "expected"), NAMED)
def test_what_comes_before_and_behind_the_ledger_3_1(office: Examiner, text: str, expected: str):
    """A name or tag outweighs the ledger, the ledger outweighs lists and taught senders."""
    assert office.ask(HOP + text) == expected


@pytest.mark.parametrize(("text", "expected"), BOUNCES)
def test_bounces_find_the_sender_3_1_6(office: Examiner, text: str, expected: str):
    """What a bounce returns tells whose it was, whoever made it and however it is wrapped."""
    assert office.ask(text) == expected


def test_bounces_of_a_catch_all_follow_the_envelope_3_2():
    """The null-sender report comes to the address that sent; without evidence the returned message tells."""
    office = Examiner(DOMAIN)
    text = report(RETURNED).replace(f"To: {BOX}\nSubject: Und", "To: x@far.example\nSubject: Und")
    assert office.ask("Delivered-To: greg@company.example\n" + text) == "greg envelope"
    assert office.ask(text) == "andrew bounce"
