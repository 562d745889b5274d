"""A catch-all with people of clashing names: evidence and forgery, mailbox-own lines, qmail, lists of addresses."""

import pytest

from tests.examination.conftest import HOP, Examiner
from tests.examination.harbour import CATCH_ALL, EVERYBODY, HARBOUR

MAX = "From: x@far.example\nTo: Max <max@harbour.example>\n"
D = "@harbour.example\n"


def hop(by: str = "mx.isp.example", sender: str = "far.example (far.example [198.51.100.7])", who: str = "") -> str:
    """A Received field."""
    return f"Received: from {sender} by {by} (Postfix) with ESMTPS id 7{who and f' for <{who}>'}; x\n"


EVIDENCE = [
    (f"Delivered-To: kim{D}{HOP}{MAX}", "kim envelope"),
    (f"Delivered-To: KIM@Harbour.Example.\n{HOP}{MAX}", "kim envelope"),
    (f"Return-Path: <x@far.example>\nX-Original-To: kim{D}Delivered-To: pop-4711{D}{HOP}{MAX}", "kim envelope"),
    (f"Delivered-To: pop-4711{D}{HOP}{MAX}", "max guessed"),
    (f"Delivered-To: all{D}{hop(who='kim@harbour.example')}{MAX}", "kim received-for"),
    (f"Delivered-To: pop-4711@quay.example\nX-Delivered-To: kim{D}{HOP}{MAX}", "kim envelope"),
    (f"Envelope-To: pop-4711{D[:-1]}, kim{D}{HOP}{MAX}", "kim envelope"),
    (f"Delivered-To: harbour.example-kim{D}{HOP}{MAX}", "kim envelope"),
    (f"Delivered-To: quay.example-kim@quay.example\n{HOP}{MAX}", "kim envelope"),
    (f"Delivered-To: quay.example-kim{D}{HOP}{MAX}", "kim envelope"),
    (f"Delivered-To: far.example-kim{D}{HOP}{MAX}", "ADMIN unknown-user"),
    (f"Delivered-To: harbour.example-pop-4711{D}{HOP}{MAX}", "max guessed"),
    (f"Delivered-To: harbour.example-harbour.example-kim{D}{HOP}{MAX}", "ADMIN unknown-user"),
    (f"Delivered-To: max{D}Delivered-To: kim{D}{HOP}{MAX}", "kim envelope"),
    (f"Delivered-To: max{D}Delivered-To: kim@far.example\n{HOP}{MAX}", "max envelope"),
    (f"X-Envelope-To: kim{D}Delivered-To: max{D}{HOP}{MAX}", "kim envelope"),
    (f"X-Apparently-To: max{D}Delivered-To: kim{D}{HOP}{MAX}", "kim envelope"),
    (f"X-Original-To: kim\n{HOP}{MAX}", "max guessed"),
    (f"X-Original-To: <kim{D[:-1]}>\n{HOP}{MAX}", "kim envelope"),
    (f"X-Original-To: (max{D[:-1]}) kim{D}{HOP}{MAX}", "kim envelope"),
    (f'X-Original-To: "max{D[:-1]}" <kim{D[:-1]}>\n{HOP}{MAX}', "kim envelope"),
    (f"X-Original-To: kim{D[:-1]} (max{D[:-1]})\n{HOP}{MAX}", "kim envelope"),
    (f"X-Original-To: =?utf-8?q?kim?={D}{HOP}{MAX}", "ADMIN unknown-user"),
    (f"Envelope-To: kim{D[:-1]}, max@quay.example\n{HOP}{MAX}", "kim envelope, max envelope"),
    (f"Envelope-To: kim{D[:-1]} wei{D}{HOP}{MAX}", "kim envelope, wei envelope"),
    (f"Envelope-To: undisclosed-recipients:;\n{HOP}{MAX}", "max guessed"),
    (f"Envelope-To: kim@mx.harbour.example\n{HOP}{MAX}", "max guessed"),
    (f"Delivered-To: nobody{D}{HOP}{MAX}", "ADMIN unknown-user"),
    (f"Delivered-To: nobody{D}X-Original-To: kim@far.example\n{HOP}{MAX}", "ADMIN unknown-user"),
    (f"Delivered-To: gone{D}{HOP}{MAX}", "ADMIN former-user"),
    (f"Delivered-To: public{D}{HOP}{MAX}", EVERYBODY),
]
LOCAL_PARTS = [
    ("max.stone", "max envelope"),
    ("kim+shop", "kim envelope"),
    ("KIM+", "kim envelope"),
    ("+kim", "ADMIN unknown-user"),
    ("kim-shop", "ADMIN unknown-user"),
    ("k.im", "ADMIN unknown-user"),
    ("jose.nunez", "ADMIN unknown-user"),
    ("jose", "jose envelope"),
    ("wei.li", "wei envelope"),
    ("li.wei", "liwei envelope"),
    ("li", "ADMIN unknown-user"),
    ("invoice", "accounts envelope"),
    ("accounts.payable", "accounts envelope"),
    ('"accounts payable"', "accounts envelope"),
    ('"kim"', "kim envelope"),
    ("nguyen.van.an", "an envelope"),
    ("nguyễn.văn.an", "ADMIN unknown-user"),
    ("ｋｉｍ", "kim envelope"),
    ("кim", "ADMIN unknown-user"),
    ("k\u200bim", "kim envelope"),
    ("r&d", "rd envelope"),
    ("postmaster", "ADMIN envelope"),
    ("admin", "ADMIN envelope"),
    ("ADMIN1", "ADMIN envelope"),
    ("admin2", "ADMIN unknown-user"),
    ("abuse", "ADMIN unknown-user"),
    ("inside", "ADMIN local-only"),
    ("SRS0=ab=cd=far.example=kim", "ADMIN unknown-user"),
    ("prvs=1234567=kim", "ADMIN unknown-user"),
    ("kim%far.example", "ADMIN unknown-user"),
    ("far.example!kim", "ADMIN unknown-user"),
    ("x" * 300, "ADMIN unknown-user"),
]
FORGED = [
    (f"{HOP}Delivered-To: kim{D}{MAX}", "max guessed"),
    (f"{HOP}Return-Path: <>\nX-Original-To: kim{D}Delivered-To: kim{D}{MAX}", "max guessed"),
    (f"{HOP}{hop(who='kim@harbour.example')}{MAX}", "max guessed"),
    (f"X-Spam-Flag: NO\n{HOP}Envelope-To: kim{D}{MAX}", "max guessed"),
    (f"Delivered-To: wei{D}{HOP}X-Original-To: kim{D}{MAX}", "wei envelope"),
    (f"Delivered-To: pop-4711{D}{HOP}Delivered-To: kim{D}{MAX}", "max guessed"),
    (f"{hop(sender='kim (for <kim@harbour.example>)')}{MAX}", "max guessed"),
    (f"Received: from for <kim{D[:-1]}> by mx.isp.example; x\n{MAX}", "max guessed"),
    (f"Received: from x by mx.isp.example id for with for <kim{D[:-1]}>; x\n{MAX}", "max guessed"),
    (f"Received: from x by mx.isp.example for <kim{D[:-1]}>\n\tfor <wei{D[:-1]}>; x\n{MAX}", "max guessed"),
    (f"Received: from x by mx.isp.example for kim{D[:-1]}; x\n{MAX}", "kim received-for"),
    (f"Received: from x by mx.isp.example\n\tfor kim{D[:-1]} (wei{D[:-1]}); x\n{MAX}", "kim received-for"),
    (f"Received: from x by mx.isp.example for <kim{D[:-1]}>, <wei{D[:-1]}>; x\n{MAX}", "max guessed"),
    (f"Received: from x by mx.isp.example for <nobody{D[:-1]}>; x\n{MAX}", "ADMIN unknown-user"),
    (f"X-Received: by mx.isp.example for <kim{D[:-1]}>; x\n{HOP}{MAX}", "max guessed"),
    (f"Delivered-To : kim{D}{HOP}{MAX}", "kim envelope"),
    (f"Delivered-To:\n\tkim{D}{HOP}{MAX}", "kim envelope"),
    (f"X-Long: a\n Delivered-To: kim{D}{HOP}{MAX}", "max guessed"),
]
GUESSES = [
    (f"{HOP}To: kim{D[:-1]} (wei{D[:-1]})\n", "kim guessed"),
    (f'{HOP}To: "wei{D[:-1]}" <kim{D[:-1]}>\n', "kim guessed"),
    (f"{HOP}To: <kim{D[:-1]}> <wei{D[:-1]}>\n", "kim guessed, wei guessed"),
    (f"{HOP}To: kim{D[:-1]} wei{D}", "kim guessed, wei guessed"),
    (f"{HOP}To: kim{D[:-1]};wei{D}", "kim guessed, wei guessed"),
    (f"{HOP}To: Team: kim{D[:-1]}, Wei <wei@quay.example>;, x@far.example\n", "kim guessed, wei guessed"),
    (f"{HOP}To: Wei: kim{D[:-1]};\n", "kim guessed"),
    (f"{HOP}To: Wei <kim{D[:-1]}>\n", "kim guessed"),
    (f"{HOP}To: =?utf-8?q?wei=40harbour=2Eexample?= <x@far.example>\n", "ADMIN not-addressed"),
    (f"{HOP}To: x@far.example\nCc: Kim <KIM@QUAY.EXAMPLE>\n", "kim guessed"),
    (f"{HOP}To: all{D}", "ADMIN unknown-user"),
    (f"{HOP}To: pop-4711{D}Cc: kim{D}", "kim guessed"),
    (f"{HOP}To: nobody{D}Cc: kim{D}", "kim guessed"),
    (f"{HOP}To: wei{D}Resent-To: kim{D}", "kim guessed"),
    (f"{HOP}To: wei{D}Resent-To: x@far.example\nResent-Cc: kim{D}", "kim guessed"),
    (f"{HOP}To: wei{D}Resent-To: x@far.example\n", "ADMIN not-addressed"),
    (f"Delivered-To: jose{D}{HOP}To: wei{D}Resent-To: kim{D}", "jose envelope"),
    (f"{HOP}Apparently-To: kim{D}", "kim guessed"),
    (f"{HOP}To: x@far.example\nBcc: kim{D}X-To: wei{D}", "ADMIN not-addressed"),
    (f"{HOP}To: kim@harbour.example.far.example\n", "ADMIN not-addressed"),
    (f"{HOP}To: kim@xharbour.example\n", "ADMIN not-addressed"),
    (f"{HOP}To: <kim{D}Subject: open\n", "kim guessed"),
    (f"{HOP}To: x@far.example\nIn-Reply-To: <max-1@office.example>\n", "max ledger"),
    (f"{HOP}To: nobody{D}In-Reply-To: <max-1@office.example>\n", "max ledger"),
    (f"Delivered-To: wei{D}{HOP}In-Reply-To: <max-1@office.example>\n", "wei envelope"),
    (f"{HOP}To: x@far.example\nList-Id: <news.example>\n", "kim rule-list"),
    (f"Delivered-To: nobody{D}{HOP}To: wei{D}From: a@shop.example\n", "kim rule-from"),
]
TWO = {"trusted_by": ["mx1.isp.example", "mx2.isp.example", ".in.isp.example"]}
INSIDE = "mx1.isp.example (mx1.isp.example [192.0.2.1])"
BEHIND = [
    (hop("mx2.isp.example", INSIDE) + hop("mx1.isp.example", who="kim@harbour.example") + MAX, "kim received-for"),
    (hop("mx2.isp.example", INSIDE) + f"X-Original-To: kim{D}" + hop("mx1.isp.example") + MAX, "kim envelope"),
    (hop("mx2.isp.example", INSIDE) + hop("mx1.isp.example") + f"X-Original-To: kim{D}{MAX}", "max guessed"),
    (hop("mx2.isp.example") + hop("mx1.isp.example", who="kim@harbour.example") + MAX, "max guessed"),
    (hop("mx2.isp.example", INSIDE) + hop() + hop("mx1.isp.example", who="kim@harbour.example") + MAX, "max guessed"),
    (hop("mx2.isp.example", "mx1.isp.example (evil.example [203.0.113.9])")
     + hop("mx1.isp.example", who="kim@harbour.example") + MAX, "max guessed"),
    (hop("a7.in.isp.example", "mx1.isp.example (mx1.isp.example [192.0.2.1])")
     + hop("mx1.isp.example", who="kim@harbour.example") + MAX, "kim received-for"),
    (hop("in.isp.example.evil.example") + hop("mx1.isp.example", who="kim@harbour.example") + MAX, "max guessed"),
    (hop("mx2.isp.example", INSIDE, "wei@harbour.example") + hop("mx1.isp.example", who="kim@harbour.example") + MAX,
     "kim received-for"),
    (f"Delivered-To: wei{D}" + hop("mx2.isp.example", INSIDE) + f"Delivered-To: kim{D}" + hop("mx1.isp.example")
     + f"Delivered-To: jose{D}{MAX}", "kim envelope"),
    *(
        (hop("mx2.isp.example", sender) + hop("mx1.isp.example", who="kim@harbour.example") + MAX, "max guessed")
        for sender in (
            "unknown (HELO mx1.isp.example) (203.0.113.9)",
            "evil.example (EHLO [10.0.0.3]) (203.0.113.9)",
            "[203.0.113.9] (helo=mx1.isp.example)",
            "evil.example ([203.0.113.9] helo=mx1.isp.example)",
            "x (localhost.evil.example [203.0.113.9])",
            "x (ip10.0.0.3-x.evil.example [203.0.113.9])",
            "x (mx1.isp.example [203.0.113.9] (may be forged))",
            "(mx1.isp.example) (evil.example [203.0.113.9])",
        )
    ),
    *(
        (hop("mx2.isp.example", sender) + hop("mx1.isp.example", who="kim@harbour.example") + MAX, "kim received-for")
        for sender in (
            "mx1.isp.example (HELO filter) (192.0.2.1)",
            "mx1.isp.example ([192.0.2.1] helo=filter)",
            "(127.0.0.1)",
            "filter (localhost [127.0.0.1])",
            "[10.0.0.3] (helo=filter.local)",
        )
    ),
    (hop("MX2.ISP.EXAMPLE.", INSIDE) + hop("mx1.isp.example", who="kim@harbour.example") + MAX, "kim received-for"),
]  # fmt: skip


@pytest.fixture(scope="module")
def office() -> Examiner:
    """An office with a catch-all."""
    return Examiner(CATCH_ALL, HARBOUR)


@pytest.fixture(scope="module")
def behind() -> Examiner:
    """The same, with the provider's hosts known."""
    return Examiner(CATCH_ALL, HARBOUR, **TWO)


@pytest.mark.parametrize(("text", "expected"), [*EVIDENCE, *FORGED, *GUESSES])
def test_evidence_forgeries_and_guesses_3_2(office: Examiner, text: str, expected: str):
    """What the provider wrote decides; what a sender wrote is never evidence; To and Cc only without any."""
    assert office.ask(text) == expected


@pytest.mark.parametrize(("local", "expected"), LOCAL_PARTS)
def test_local_parts_3_2(office: Examiner, local: str, expected: str):
    """Login, alias, dotted name, tag; two people with one spelling are nobody."""
    assert office.ask(f"Delivered-To: {local}{D}{HOP}{MAX}") == expected


@pytest.mark.parametrize(("text", "expected"), BEHIND)
def test_several_hosts_of_the_provider_3_2(behind: Examiner, text: str, expected: str):
    """Trust reaches over the provider's own hosts down to the one that took the message from a stranger."""
    assert behind.ask(text) == expected
