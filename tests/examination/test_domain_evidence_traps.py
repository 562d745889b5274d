"""A catch-all: what the provider wrote about the envelope, what senders forge, and where trust ends."""

import pytest

from tests.examination.conftest import DOMAIN, HOP, Examiner

TO = "From: x@far.example\nTo: Lisa <lisa@company.example>\n"


def hop(by: str = "mx.isp.example", sender: str = "far.example (far.example [198.51.100.7])", who: str = "") -> str:
    """A Received field."""
    return f"Received: from {sender}\n\tby {by} with ESMTP id 1{who and f' for <{who}>'}; Sat, 21 Nov 2026\n"


INNER = hop("pop.isp.example", "mx.isp.example (mx.isp.example [192.0.2.1])")
TRUSTED = {"trusted_by": ["mx.isp.example", "pop.isp.example"]}
PLAIN: list[tuple[str, str]] = [
    # the provider's fields above the first Received
    ("Delivered-To: greg@company.example\n" + HOP + TO, "greg envelope"),
    ("X-Original-To: greg@company.example\n" + HOP + TO, "greg envelope"),
    ("X-Envelope-To: <greg@company.example>\n" + HOP + TO, "greg envelope"),
    ("Envelope-to: greg@company.example\n" + HOP + TO, "greg envelope"),
    ("Envelope-To: greg@company.example, andrew@firm.example\n" + HOP + TO, "andrew envelope, greg envelope"),
    ("Envelope-To: greg@company.example,\n\tandrew@firm.example\n" + HOP + TO, "andrew envelope, greg envelope"),
    ("Envelope-To: x@far.example, andrew@firm.example\n" + HOP + TO, "andrew envelope"),
    ("Envelope-To: greg@company.example, nobody@company.example\n" + HOP + TO, "greg envelope"),
    ("X-RCPT-To: greg@company.example\n" + HOP + TO, "greg envelope"),
    ("X-Apparently-To: greg@company.example via 10.1.2.3; Sat, 21 Nov 2026\n" + HOP + TO, "greg envelope"),
    ("X-Real-To: GREG@COMPANY.EXAMPLE\n" + HOP + TO, "greg envelope"),
    ("X-Delivered-To: rfc822;greg@company.example\n" + HOP + TO, "greg envelope"),
    ("Return-Path: <greg@company.example>\n" + HOP + TO, "lisa guessed"),
    ("Delivered-To:\n greg@company.example\n" + HOP + TO, "greg envelope"),
    ("Delivered-To: (andrew@company.example) greg@company.example\n" + HOP + TO, "greg envelope"),
    ("Delivered-To: Andrew <greg@company.example>\n" + HOP + TO, "greg envelope"),
    ('Delivered-To: "greg"@company.example\n' + HOP + TO, "greg envelope"),
    ("Delivered-To: greg+shop@company.example\n" + HOP + TO, "greg envelope"),
    ("Delivered-To: sales@company.example\n" + HOP + TO, "andrew envelope"),
    ("Delivered-To: mary.jane@company.example\n" + HOP + TO, "mary.jane envelope"),
    ("Delivered-To: maryjane@company.example\n" + HOP + TO, "ADMIN unknown-user"),
    ("Delivered-To: gone@company.example\n" + HOP + TO, "ADMIN former-user"),
    ("Delivered-To: inside@company.example\n" + HOP + TO, "ADMIN local-only"),
    ("Delivered-To: anna@company.example\n" + HOP + TO, "ADMIN unknown-user"),
    ("Delivered-To: nobody@company.example\n" + HOP + TO, "ADMIN unknown-user"),
    ("Delivered-To: postmaster@firm.example\n" + HOP + TO, "ADMIN envelope"),
    ("Delivered-To: abuse@company.example\n" + HOP + TO, "ADMIN unknown-user"),
    # the mailbox's own name is nobody's
    ("Delivered-To: catchall@company.example\n" + HOP + TO, "lisa guessed"),
    ("Delivered-To: box17@company.example\n" + HOP + TO, "lisa guessed"),
    ("Delivered-To: box17@pop.isp.example\n" + HOP + TO, "lisa guessed"),
    ("Delivered-To: box17\n" + HOP + TO, "lisa guessed"),
    ("Delivered-To: catchall@company.example\nX-Original-To: greg@company.example\n" + HOP + TO, "greg envelope"),
    ("Delivered-To: catchall@company.example\nDelivered-To: greg@company.example\n" + HOP + TO, "greg envelope"),
    ("Delivered-To: greg@company.example\nDelivered-To: catchall@company.example\n" + HOP + TO, "greg envelope"),
    ("Delivered-To: catchall@company.example\n" + hop(who="greg@company.example") + TO, "greg received-for"),
    # qmail puts the virtual domain's user in front
    ("Delivered-To: company.example-greg@company.example\n" + HOP + TO, "greg envelope"),
    ("Delivered-To: Company.Example-Greg@company.example\n" + HOP + TO, "greg envelope"),
    ("Delivered-To: company.example-greg-shop@company.example\n" + HOP + TO, "ADMIN unknown-user"),
    ("Delivered-To: company.example-@company.example\n" + HOP + TO, "ADMIN unknown-user"),
    # repeated and contradicting fields
    (
        "Delivered-To: andrew@company.example\nDelivered-To: greg@company.example\n" + HOP + TO,
        "greg envelope",
    ),
    (
        "Delivered-To: andrew@company.example\nX-Original-To: greg@company.example\n" + HOP + TO,
        "greg envelope",
    ),
    (
        "X-Original-To: x@far.example\nDelivered-To: greg@company.example\n" + HOP + TO,
        "greg envelope",
    ),
    ("X-Original-To:\nDelivered-To: greg@company.example\n" + HOP + TO, "greg envelope"),
    ("Delivered-To: greg@company.example\n" + hop(who="andrew@company.example") + TO, "greg envelope"),
    # forged: below the first Received everything is the sender's
    (HOP + "Delivered-To: greg@company.example\n" + TO, "lisa guessed"),
    (HOP + "X-Original-To: greg@company.example\n" + TO, "lisa guessed"),
    (HOP + "Envelope-To: greg@company.example\nSubject: Bcc\n", "ADMIN not-addressed"),
    (HOP + hop(who="greg@company.example") + TO, "lisa guessed"),
    (HOP + hop("mx.isp.example", who="greg@company.example") + TO, "lisa guessed"),
    (
        "Delivered-To: andrew@company.example\n" + HOP + "Delivered-To: greg@company.example\n" + TO,
        "andrew envelope",
    ),
    (
        "Delivered-To: catchall@company.example\n" + HOP + "X-Original-To: greg@company.example\n" + TO,
        "lisa guessed",
    ),
    ("Delivered-To: greg@company.example\nFrom: x@far.example\nTo: x@y.example\n", "greg envelope"),
    ("From: x@far.example\nDelivered-To: greg@company.example\nTo: x@y.example\n", "ADMIN not-addressed"),
    # for-clauses
    (hop(who="greg@company.example") + TO, "greg received-for"),
    ("Received: from far.example by mx.isp.example for greg@company.example; x\n" + TO, "greg received-for"),
    (
        "Received: from far.example by mx.isp.example\n\tfor <greg@company.example> (andrew); x\n" + TO,
        "greg received-for",
    ),
    ("Received: by mx.isp.example for <greg@company.example> for <andrew@company.example>; x\n" + TO, "lisa guessed"),
    ("Received: by mx.isp.example for <greg@company.example>,<andrew@company.example>; x\n" + TO, "lisa guessed"),
    ("Received: from for <greg@company.example> by mx.isp.example; x\n" + TO, "lisa guessed"),
    ("Received: from a (HELO x for <greg@company.example>) by mx.isp.example; x\n" + TO, "lisa guessed"),
    ("Received: from a by mx.isp.example (for <greg@company.example>); x\n" + TO, "lisa guessed"),
    ("Received: from a by mx.isp.example; for <greg@company.example>\n" + TO, "lisa guessed"),
    (hop(who="greg@far.example") + TO, "lisa guessed"),
    (hop(who="box17@company.example") + TO, "lisa guessed"),
    (hop(who="multiple recipients") + TO, "lisa guessed"),
    # addresses in the message, only without evidence
    (HOP + "To: lisa@company.example, greg@firm.example, x@far.example\n", "greg guessed, lisa guessed"),
    (HOP + "To: x@far.example\nCc: greg@company.example\n", "greg guessed"),
    (HOP + "To: x@far.example\nBcc: greg@company.example\n", "ADMIN not-addressed"),
    (HOP + 'To: "greg@company.example" <x@far.example>\n', "ADMIN not-addressed"),
    (HOP + "To: x@far.example (greg@company.example)\n", "ADMIN not-addressed"),
    (HOP + "To: Greg <lisa@company.example>\n", "lisa guessed"),
    (HOP + "To: Greg <nobody@company.example>\n", "ADMIN unknown-user"),
    (HOP + "To: nobody@company.example, lisa@company.example\n", "lisa guessed"),
    (HOP + "To: undisclosed-recipients:;\n", "ADMIN not-addressed"),
    (HOP + "To: friends: lisa@company.example, greg@company.example;\n", "greg guessed, lisa guessed"),
    (HOP + TO + "Resent-To: greg@company.example\n", "greg guessed"),
    (HOP + TO + "Resent-To: x@far.example\n", "ADMIN not-addressed"),
    ("Delivered-To: andrew@company.example\n" + HOP + TO + "Resent-To: greg@company.example\n", "andrew envelope"),
    (HOP + "To: greg@sub.company.example\n", "ADMIN not-addressed"),
    (HOP + "To: greg@company.example.far.example\n", "ADMIN not-addressed"),
    (HOP + "To: catchall@company.example\nList-Id: News <news.example>\n", "lisa rule-list"),
    ("Delivered-To: greg@company.example\n" + HOP + "List-Id: News <news.example>\n", "greg envelope"),
    (HOP + "To: x@far.example\nIn-Reply-To: <andrew-1@office.example>\n", "andrew ledger"),
    (HOP + TO + "In-Reply-To: <andrew-1@office.example>\n", "lisa guessed"),
]
BEHIND: list[tuple[str, str]] = [
    (INNER + "X-Original-To: greg@company.example\n" + hop() + TO, "greg envelope"),
    (INNER + hop(who="greg@company.example") + TO, "greg received-for"),
    (INNER + hop() + "X-Original-To: greg@company.example\n" + TO, "lisa guessed"),
    (INNER + hop() + hop("mx.isp.example", who="greg@company.example") + TO, "lisa guessed"),
    (hop("pop.isp.example") + hop("mx.isp.example", who="greg@company.example") + TO, "lisa guessed"),
    (hop("evil.example") + "Delivered-To: greg@company.example\n" + hop() + TO, "lisa guessed"),
    (INNER + hop("MX.ISP.EXAMPLE", who="greg@company.example") + TO, "greg received-for"),
    (
        INNER + hop("mx.isp.example.evil.example", who="greg@company.example") + TO,
        "lisa guessed",
    ),
    (
        hop("pop.isp.example", "localhost (localhost [127.0.0.1])", "box17@company.example")
        + hop(who="greg@company.example")
        + TO,
        "greg received-for",
    ),
    (
        "Delivered-To: andrew@company.example\n" + INNER + "Delivered-To: greg@company.example\n" + hop() + TO,
        "greg envelope",
    ),
]


@pytest.fixture(scope="module")
def office() -> Examiner:
    """An office with a catch-all."""
    return Examiner(DOMAIN)


@pytest.fixture(scope="module")
def behind() -> Examiner:
    """The same, with the provider's hosts known."""
    return Examiner(DOMAIN, **TRUSTED)


@pytest.mark.parametrize(("text", "expected"), PLAIN)
def test_a_catch_all_3_2(office: Examiner, text: str, expected: str):
    """Evidence of the provider, forged evidence, no evidence."""
    assert office.ask(text) == expected


@pytest.mark.parametrize(("text", "expected"), BEHIND)
def test_a_catch_all_behind_several_hosts_3_2(behind: Examiner, text: str, expected: str):
    """With the provider's hosts known, trust reaches to the outermost of them and not one line further."""
    assert behind.ask(text) == expected


@pytest.mark.parametrize(
    ("prefixes", "written", "expected"),
    [
        (["mbox-company-"], "mbox-company-andrew@company.example", "andrew envelope"),
        (["mbox-company-"], "MBOX-Company-andrew@company.example", "andrew envelope"),
        (["mbox-company-"], "andrew@company.example", "andrew envelope"),
        ([], "mbox-company-andrew@company.example", "ADMIN unknown-user"),
        (["m", "mbox-company-"], "mbox-company-andrew@company.example", "andrew envelope"),
        ({r"^vuser-(.*)@box\.isp\.example$": r"\1@company.example"}, "vuser-greg@box.isp.example", "greg envelope"),
        ({r"(": "x"}, "greg@company.example", "greg envelope"),
    ],
)
def test_prefixes_of_virtual_users_3_2(prefixes: object, written: str, expected: str):
    """Qmail and its kind put the virtual user's name in front of the local part; the account's map takes it off."""
    assert Examiner(DOMAIN, prefix_map=prefixes).ask(f"Delivered-To: {written}\n{HOP}{TO}") == expected


def test_copies_with_different_evidence_reach_different_people_3_5():
    """One Message-ID, two copies: another envelope is another mailbox, the same envelope again is a duplicate."""
    office = Examiner(DOMAIN)
    text = HOP + TO + "Message-ID: <one@far.example>\n"
    assert office.ask("Delivered-To: greg@company.example\n" + text) == "greg envelope"
    assert office.ask("Delivered-To: andrew@company.example\n" + text) == "andrew envelope"
    assert office.count("greg") == office.count("andrew") == 1
    office.ask("Delivered-To: greg@company.example\n" + text)
    assert office.count("greg") == 1
    office.ask("Delivered-To: greg@company.example\n" + text + "X: y\n\nOther text\n")
    assert office.count("greg") == 2
