"""Collected mail of one shared address: the regular ladder, rung by rung, with its reason codes."""

from random import Random

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope
from mailshare.core.headers import Headers
from mailshare.core.sorting import references, returned_ids
from mailshare.core.values import (
    Account,
    Directory,
    Origin,
    Routing,
    SenderRule,
    SentMark,
    Source,
    User,
    UserKind,
)
from mailshare.delivery.public_rate import HOUR, PublicRate
from mailshare.delivery.router import Router
from mailshare.interfaces import IRouter

ACCOUNT = Account(1, 1, Address("mail", "company.example"), aliases=(Address("office", "company.example"),))
USERS = (
    User(1, "admin1", UserKind.ADMIN, accounts=(1,)),
    User(2, "public1", UserKind.PUBLIC, accounts=(1,)),
    User(3, "andrew", names=("Andrew Smith",), accounts=(1,)),
    User(4, "greg", accounts=(1,), cc=(5,)),
    User(5, "lisa", names=("André Müller",), accounts=(1,)),
    User(6, "jones", names=("Andrew Jones", "Andrew J"), accounts=(1,)),
    User(7, "gone", enabled=False, accounts=(1,)),
    User(8, "inside", local_only=True, accounts=(1,)),
)
OFFICE = Directory(USERS, (ACCOUNT,), hostname="mail.office.example")
NAMES = {user.id: user.name for user in USERS}
HOP = "Received: from a.example (a.example [198.51.100.7]) by mx.isp.example for <mail@company.example>; x\r\n"


def route(
    text: str, directory: Directory = OFFICE, known: tuple[SentMark, ...] = (), router: Router | None = None
) -> Routing:
    headers = Headers.parse(text.replace("\n", "\r\n").replace("\r\r", "\r").encode("latin-1") + b"\r\n\r\n")
    origin = Origin(Source.COLLECT, "0" * 16, account_id=1)
    marks = {mark.message_id: mark for mark in known}
    return (router or Router()).route(Envelope(None), headers, origin, directory, marks)


def who(routing: Routing) -> dict[str, str]:
    return {NAMES[target.user_id]: target.reason for target in routing.targets}


def with_options(**options: object) -> Directory:
    return evolve(OFFICE, accounts=(evolve(ACCOUNT, options=options),))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("To: Andrew <mail@company.example>", {"andrew": "name-L1"}),
        ("To: Andrew <MAIL@Company.Example>", {"andrew": "name-L1"}),
        ("To: Andrew <office@company.example>", {"andrew": "name-L1"}),
        ("To: mail@company.example (Andrew)", {"andrew": "name-L1"}),
        ("To: Andrew <other@company.example>", {"admin1": "not-addressed"}),
        ("To: Andrew <andrew@elsewhere.example>, <mail@company.example>", {"admin1": "no-name"}),
        ('To: "greg@company.example" <mail@company.example>', {"admin1": "unknown-name"}),
        ("To: mail@company.example (greg@company.example)", {"admin1": "unknown-name"}),
        ("To: =?utf-8?Q?Andr=C3=A9?= =?utf-8?Q?_M=C3=BCller?= <mail@company.example>", {"lisa": "name-L1"}),
        ("To: Andr\xe9 M\xfcller <mail@company.example>", {"lisa": "name-L1"}),
        ("To: Andre Muller <mail@company.example>", {"lisa": "name-L2"}),
        ('To: "Smith, Andrew" <mail@company.example>', {"andrew": "name-L3"}),
        ("To: Smith, Andrew <mail@company.example>", {"andrew": "name-L3"}),
        ("To: Greg Brown <mail@company.example>", {"greg": "name-L4", "lisa": "cc"}),
        ("To: Andrew Brown <mail@company.example>", {"admin1": "ambiguous"}),
        ("To: team: Andrew <mail@company.example>, x@y.example;", {"andrew": "name-L1"}),
        ("To: x@y.example\nCc: Andrew <mail@company.example>", {"andrew": "name-L1"}),
        ("To: Andrew <mail@company.example>, Lisa <mail@company.example>", {"andrew": "name-L1", "lisa": "name-L1"}),
        ("To: Andrew, Lisa <mail@company.example>", {"andrew": "name-L1", "lisa": "name-L1"}),
        ("To: Andrew & Lisa <mail@company.example>", {"andrew": "name-L1", "lisa": "name-L1"}),
        ("To: Bob <mail@company.example>, Lisa <mail@company.example>", {"lisa": "name-L1"}),
        ("To: Bob <mail@company.example>", {"admin1": "unknown-name"}),
        ("To: mail@company.example", {"admin1": "no-name"}),
        ("To: unlisted-recipients:; (no To-header on input)", {"admin1": "not-addressed"}),
        ("Subject: no recipient at all", {"admin1": "not-addressed"}),
        ("To: ADMIN <mail@company.example>", {"admin1": "name-L1"}),
        ("To: Gone <mail@company.example>", {"admin1": "former-user"}),
        ("To: Inside <mail@company.example>", {"admin1": "local-only"}),
        ("To: mail+andrew@company.example", {"andrew": "tag"}),
        ("To: Lisa <mail+ANDREW@company.example>", {"andrew": "tag"}),
        ("To: Lisa <mail+shop@company.example>", {"lisa": "name-L1"}),
        ("To: mail+andrew@company.example, Lisa <mail@company.example>", {"andrew": "tag", "lisa": "name-L1"}),
        ("Delivered-To: mail+lisa@company.example\n" + HOP + "To: Andrew <mail@company.example>", {"lisa": "tag"}),
        (HOP.replace("mail@", "mail+lisa@") + "To: Andrew <mail@company.example>", {"lisa": "tag"}),
        (HOP + "Delivered-To: mail+lisa@company.example\nTo: Andrew <mail@company.example>", {"andrew": "name-L1"}),
        ("Resent-To: Lisa <mail@company.example>\nTo: Andrew <mail@company.example>", {"lisa": "name-L1"}),
        (
            "Resent-To: Lisa <mail@company.example>\n" + HOP + "Resent-To: Jones <mail@company.example>\nTo: x@y.org",
            {"lisa": "name-L1"},
        ),
        ("To: " + "x" * 300 + " <mail@company.example>", {"admin1": "oversize"}),
        ("To: Andrew <mail@company.example>" + ", x@y.example" * 2001, {"admin1": "oversize"}),
        (HOP * 51 + "To: Andrew <mail@company.example>", {"admin1": "loop"}),
        (HOP * 50 + "To: Andrew <mail@company.example>", {"andrew": "name-L1"}),
    ],
)
def test_ladder_3_1(text: str, expected: dict[str, str]):
    """Tag, then name; whoever is not surely meant does not get it; ADMIN gets it with the reason."""
    assert who(route(text)) == expected


MARK = SentMark("<ours@office>", 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("To: mail@company.example\nIn-Reply-To: <ours@office>", {"lisa": "ledger"}),
        ("To: mail@company.example\nReferences: <ours@office> <theirs@x>", {"lisa": "ledger"}),
        ("To: Andrew <mail@company.example>\nIn-Reply-To: <ours@office>", {"andrew": "name-L1"}),
        ("To: Bob <mail@company.example>\nIn-Reply-To: <ours@office>", {"lisa": "ledger"}),
        ("To: mail@company.example\nIn-Reply-To: <unknown@office>", {"admin1": "no-name"}),
    ],
)
def test_reply_ledger_3_1_5(text: str, expected: dict[str, str]):
    """An answer goes to who wrote the question, unless a name says otherwise."""
    assert who(route(text, known=(MARK,))) == expected


def test_the_ledger_parts_two_of_one_name():
    """Several people may be meant: the one who wrote before gets it."""
    text = "To: Andrew Brown <mail@company.example>\nIn-Reply-To: <ours@office>"
    assert who(route(text, known=(SentMark("<ours@office>", 6),))) == {"jones": "ledger"}


def test_the_newest_known_message_decides():
    """In-Reply-To first, then References from the last to the first."""
    headers = Headers.parse(b"References: <a@x> <b@x>\r\nIn-Reply-To: <c@x>\r\n")
    assert references(headers) == ("<c@x>", "<b@x>", "<a@x>")


def test_ambiguous_names_may_go_to_all():
    """``ambiguous = "all"`` gives it to everybody who may be meant."""
    office = evolve(OFFICE, accounts=(evolve(ACCOUNT, ambiguous="all"),))
    text = "To: Andrew Brown <mail@company.example>"
    assert who(route(text, office)) == {"andrew": "ambiguous-all", "jones": "ambiguous-all"}


BOUNCE_BODY = (
    b"--b\r\nContent-Type: text/plain\r\n\r\nsorry\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
    b"Final-Recipient: rfc822; x@y\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: a@b\r\nMessage-ID:\r\n"
    b" <ours@office>\r\nSubject: x\r\n\r\nbody\r\n--b--\r\n"
)


def test_bounces_3_1_6():
    """A bounce without a name finds the sender by the Message-ID of what it returns; other mail does not."""
    assert returned_ids(BOUNCE_BODY) == ("<ours@office>",)
    assert returned_ids(b"Original-Message-ID: <ours@office>\r\n" + b"x" * 100_000) == ("<ours@office>",)
    report = "To: mail@company.example\nContent-Type: multipart/report; report-type=delivery-status; boundary=b"
    assert who(route(report, known=(MARK,))) == {"lisa": "bounce"}
    assert who(route("To: mail@company.example", known=(MARK,))) == {"admin1": "no-name"}


RULES = (
    SenderRule(1, "list", "news.lists.example", (3,)),
    SenderRule(1, "list", "talk@lists.example", (4, 5)),
    SenderRule(1, "from", "shop@store.example", (5,)),
    SenderRule(1, "from", "@bank.example", (6,)),
    SenderRule(1, "to", "Bob The Builder", (3,)),
    SenderRule(1, "to", "all@lists.example", (6,)),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("List-Id: News <news.lists.example>\nTo: news@lists.example", {"andrew": "rule-list"}),
        ("List-Post: <mailto:talk@lists.example>", {"greg": "rule-list", "lisa": "rule-list"}),
        ("Mailing-List: list talk@lists.example; contact x@y", {"greg": "rule-list", "lisa": "rule-list"}),
        ("From: Shop <SHOP@store.example>\nTo: mail@company.example", {"lisa": "rule-from"}),
        ("From: a@bank.example\nTo: mail@company.example", {"jones": "rule-from"}),
        ("From: a@bank.example\nTo: Bob the builder <mail@company.example>", {"andrew": "rule-to"}),
        ("From: x@y.example\nTo: all@lists.example", {"jones": "rule-to"}),
        ("From: a@bank.example\nTo: Lisa <mail@company.example>", {"lisa": "name-L1"}),
    ],
)
def test_taught_rules_3_1_7(text: str, expected: dict[str, str]):
    """Lists, then what was written to, then the sender; a name in front of the address beats them all."""
    assert who(route(text, evolve(OFFICE, rules=RULES))) == expected


def test_public_3_4():
    """PUBLIC is everybody who is enabled and gets outside mail, not ADMIN; no CC copies are made of it."""
    text = "From: x@y.example\nTo: PUBLIC <mail@company.example>"
    assert who(route(text)) == dict.fromkeys(["andrew", "greg", "lisa", "jones"], "public")


def test_public_may_be_closed_to_strangers():
    """``public_from`` local or known: a stranger's mail to everybody goes to ADMIN, with the reason."""
    text = "From: x@y.example\nTo: PUBLIC <mail@company.example>"
    assert who(route(text, with_options(public_from="local"))) == {"admin1": "public-refused"}
    assert who(route(text, with_options(public_from="known"))) == {"admin1": "public-refused"}
    assert len(who(route(text, with_options(public_from="known", known_senders=["@y.example"])))) == 4
    answer = text + "\nIn-Reply-To: <ours@office>"
    assert len(who(route(answer, with_options(public_from="known"), known=(MARK,)))) == 4


def test_public_is_capped_by_sender_and_hour():
    """The eleventh mail to everybody within an hour goes to ADMIN; another sender is not concerned."""
    clock = [0]
    router = Router(PublicRate(lambda: clock[0]))
    text = "From: {}\nTo: PUBLIC <mail@company.example>"
    for _ in range(10):
        assert len(route(text.format("x@y.example"), router=router).targets) == 4
    assert who(route(text.format("x@y.example"), router=router)) == {"admin1": "public-capped"}
    assert len(route(text.format("z@y.example"), router=router).targets) == 4
    clock[0] = HOUR
    assert len(route(text.format("x@y.example"), router=router).targets) == 4


def test_cc_3_4():
    """A copy is made once, one hop, says whose it is, and is not made for somebody who got the mail anyway."""
    routing = route("To: Greg <mail@company.example>")
    copy = next(target for target in routing.targets if target.reason == "cc")
    assert b"X-Mailshare-Copy-For: greg\r\n" in copy.prefix
    assert who(route("To: Greg, Lisa <mail@company.example>")) == {"greg": "name-L1", "lisa": "name-L1"}
    chained = evolve(OFFICE, users=tuple(evolve(u, cc=(6,)) if u.id == 5 else u for u in USERS))
    assert who(route("To: Greg <mail@company.example>", chained)) == {"greg": "name-L1", "lisa": "cc"}


def test_delivered_to_and_loops_3_12():
    """Each copy says whose it is; the same line among the provider's fields means that the mail went round."""
    target = route("To: Andrew <mail@company.example>").targets[0]
    assert target.prefix == b"Delivered-To: andrew@mail.office.example\r\n"
    back = target.prefix.decode() + HOP + "To: Andrew <mail@company.example>"
    assert who(route(back)) == {"admin1": "loop"}
    forged = HOP + target.prefix.decode() + "To: Andrew <mail@company.example>"
    assert who(route(forged)) == {"andrew": "name-L1"}
    stranger = "Delivered-To: peter@mail.office.example\n" + HOP + "To: Andrew <mail@company.example>"
    assert who(route(stranger)) == {"andrew": "name-L1"}


@pytest.mark.parametrize("hostname", ["company.example", "localhost"])
def test_a_server_called_like_the_mail_sees_no_loop_3_12(hostname: str):
    """Where a provider may write the very same line it proves nothing."""
    text = f"Delivered-To: andrew@{hostname}\n" + HOP + "To: Lisa <mail@company.example>"
    assert who(route(text, evolve(OFFICE, hostname=hostname))) == {"lisa": "name-L1"}


def test_admin_reads_why_he_has_it():
    """What nobody owns says so in its own header, and only there."""
    assert route("To: Bob <mail@company.example>").targets[0].prefix.endswith(b"X-Mailshare-Reason: unknown-name\r\n")
    assert b"Reason" not in route("To: Admin <mail@company.example>").targets[0].prefix
    assert b"Reason" not in route("To: Andrew <mail@company.example>").targets[0].prefix


def test_strange_address_with_a_local_name_is_marked():
    """From with the name of somebody here and a foreign address gets a warning; an own address does not."""
    text = "To: Andrew <mail@company.example>\nFrom: {}"
    for bad in ("Lisa <x@evil.example>", "ADMIN1 <x@evil.example>", "Smith, Andrew <x@evil.example>"):
        assert b"X-Mailshare-Warning: display-name\r\n" in route(text.format(bad)).targets[0].prefix
    for good in ("Peter <x@evil.example>", "lisa@evil.example"):
        assert b"Warning" not in route(text.format(good)).targets[0].prefix


def test_mail_that_left_here_before_is_known_again_3_12():
    """The office's id in X-Mailshare-Trace is told; another office's is not; the mail is delivered all the same."""
    own = evolve(OFFICE, instance="0123456789abcdef")
    for instance, known in (("0123456789abcdef", True), ("fedcba9876543210", False), ("", False)):
        routing = route(f"X-Mailshare-Trace: {instance}; 12\n" + HOP + "To: Andrew <mail@company.example>", own)
        assert who(routing) == {"andrew": "name-L1"}
        assert routing.came_back is known
        assert ("came-back" in {step.code for step in routing.steps}) is known
    assert not route("X-Mailshare-Trace: ; 12\nTo: Andrew <mail@company.example>").came_back


@pytest.mark.parametrize(
    ("results", "vouched"),
    [
        ("mx.isp.example; dmarc=pass (p=none) header.from=company.example", True),
        ("mx.isp.example; spf=fail smtp.mailfrom=x@y.example; dkim=pass header.d=mail.company.example", True),
        ("mx.isp.example; auth=pass (login) smtp.auth=mail@company.example", True),
        ("mx.isp.example; dmarc=fail header.from=company.example", False),
        ("mx.isp.example; dkim=pass header.d=evil.example; spf=pass smtp.mailfrom=evil.example", False),
        ("mx.isp.example; dkim=pass header.d=evilcompany.example", False),
        ("mx.isp.example; none (dmarc=pass header.from=company.example)", False),
        ("mx.isp.example; dkim=pass header.d=example", False),
        ("", False),
    ],
)
def test_own_address_needs_somebody_who_vouches_for_it(results: str, vouched: bool):
    """An address of this office in From is marked unless the provider, not the sender, wrote that it is authentic."""
    field = f"Authentication-Results: {results}\n"
    text = "From: Lisa <mail@company.example>\nTo: Andrew <mail@company.example>"
    assert (b"Warning" not in route(field + HOP + text).targets[0].prefix) is vouched
    assert b"Warning" in route(HOP + field + text).targets[0].prefix


def test_the_router_provides_its_seam():
    """Whoever takes an IRouter may take this one."""
    assert verifyObject(IRouter, Router())


def test_every_decision_leaves_its_step():
    """The chain of steps names the rung and the evidence, printable and short."""
    routing = route("To: Bob <mail@company.example>, Lisa <mail@company.example>, \x07" + "y" * 400)
    assert [each.code for each in routing.steps] == ["unknown-name", "name-L1"]
    assert all(each.detail.isprintable() and len(each.detail) <= 200 for each in routing.steps)


LOGINS = st.sampled_from(["andrew", "greg", "lisa", "jones"])
DECOYS = st.builds(
    lambda shape, login: shape.format(login),
    st.sampled_from(
        [
            "{0} <{0}@elsewhere.example>",
            '"{0} <mail@company.example>" <x@elsewhere.example>',
            "x@elsewhere.example ({0} mail@company.example)",
            '"{0}@company.example" <mail@company.example>',
            "{0}x <mail@company.example>",
            "=?utf-8?Q?{0}_=3Cmail=40company.example=3E?= <x@elsewhere.example>",
            "{0}:;",
            "<mail@company.example.evil.example> ({0})",
        ]
    ),
    LOGINS,
)


@given(st.lists(LOGINS, max_size=3), st.lists(DECOYS, max_size=4), st.randoms(use_true_random=False))
def test_never_a_wrong_person(named: list[str], decoys: list[str], order: Random):
    """Exactly those named in front of the shared address get it, whatever else names the others; else ADMIN."""
    mailboxes = [f"{login} <mail@company.example>" for login in named] + decoys
    order.shuffle(mailboxes)
    got = who(route("To: " + ", ".join(mailboxes)))
    assert {name for name, reason in got.items() if reason != "cc"} == (set(named) or {"admin1"})
