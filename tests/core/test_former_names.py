"""Who left: for thirty days the names of a deleted user lead to ADMIN, and nobody of today loses mail by them."""

from __future__ import annotations

import pytest
from attrs import evolve

from mailshare.core.address import Address
from mailshare.core.headers import Headers
from mailshare.core.personal import FormerUser
from mailshare.core.recipients import Local, resolve_recipient
from mailshare.core.sorting import Decision, sort_collected
from mailshare.core.values import Account, AccountMode, Directory, SenderRule, SentMark, User, UserKind

SHARED = Account(1, 1, Address("mail", "company.example"))
DOMAIN = Account(2, 2, Address("box", "isp.example"), mode=AccountMode.DOMAIN, domains=("firm.example",))
ADMIN, ADMIN2 = User(1, "admin1", UserKind.ADMIN), User(2, "admin2", UserKind.ADMIN)
GREG = User(3, "greg", names=("Greg Hill",), accounts=(1, 2))
LEFT = FormerUser(9, "andrew", ("Andrew Smith", "André"), (1, 2), 5)
OFFICE = Directory((ADMIN, ADMIN2, GREG), (SHARED, DOMAIN), former=(LEFT,))


def sort(header: str, account: Account = SHARED, directory: Directory = OFFICE, sent: int = 0) -> Decision:
    """What becomes of a collected message."""
    known = {"<a@b>": SentMark("<a@b>", sent)} if sent else {}
    return sort_collected(Headers.parse(header.encode() + b"\r\n"), account, directory, known)


@pytest.mark.parametrize(
    "header",
    [
        "To: Andrew <mail@company.example>\r\n",
        "To: Andrew Smith <mail@company.example>\r\n",
        'To: "Smith, Andrew" <mail@company.example>\r\n',
        "To: mail+andrew@company.example\r\n",
    ],
)
def test_a_former_name_leads_to_admin_with_its_reason(header: str) -> None:
    """Name, full name, turned name and tag of somebody who was deleted."""
    decision = sort(header)
    assert (decision.hits, decision.fallback) == ({}, "former-user")


def test_a_former_address_of_a_domain_leads_to_admin() -> None:
    """The same in a domain account, by the provider's envelope field."""
    decision = sort("Envelope-To: andrew@firm.example\r\nReceived: by mx.isp.example; x\r\n", DOMAIN)
    assert (decision.hits, decision.fallback) == ({}, "former-user")


def test_an_answer_to_a_former_user_leads_to_admin() -> None:
    """The reply ledger knows who wrote, and that he has left."""
    decision = sort("To: mail@company.example\r\nIn-Reply-To: <a@b>\r\n", sent=9)
    assert (decision.hits, decision.fallback) == ({}, "former-user")


def test_a_colleague_named_beside_a_former_user_gets_his_mail() -> None:
    """One who left spoils nothing for the others."""
    decision = sort("To: Andrew <mail@company.example>, Greg <mail@company.example>\r\n")
    assert list(decision.hits) == [GREG.id]


def test_a_successor_of_the_same_name_gets_the_mail() -> None:
    """Names of today come first."""
    new = User(10, "andrew", accounts=(1,))
    directory = evolve(OFFICE, users=(*OFFICE.users, new))
    assert list(sort("To: Andrew <mail@company.example>\r\n", directory=directory).hits) == [10]


def test_a_full_name_of_a_former_user_is_not_given_to_a_namesake() -> None:
    """``Andrew Smith`` left; Andrew Jones must not get the mail for him by the word Andrew alone."""
    jones = User(10, "andrew", names=("Andrew Jones",), accounts=(1,))
    directory = evolve(OFFICE, users=(*OFFICE.users, jones))
    decision = sort("To: Andrew Smith <mail@company.example>\r\n", directory=directory)
    assert (decision.hits, decision.fallback) == ({}, "former-user")


@pytest.mark.parametrize(
    ("address", "admin"),
    [("andrew", 1), ("mail+andrew@company.example", 1), ("andrew@firm.example", 2), ("andrew.smith@firm.example", 2)],
)
def test_local_mail_to_a_former_user_goes_to_admin(address: str, admin: int) -> None:
    """A colleague's mail is taken and given to ADMIN of the account."""
    found = resolve_recipient(Address.parse(address), sender_user=GREG, directory=OFFICE, trusted=True)
    assert isinstance(found, Local)
    assert (found.user_ids, found.reason) == ((admin,), "former-user")


RULES = ((1, "from", "shop@far.example"), (1, "list", "news.example"), (1, "to", "sales"))
RULED = evolve(OFFICE, former=(evolve(LEFT, rules=RULES),))


@pytest.mark.parametrize(
    "header",
    [
        "From: shop@far.example\r\nTo: mail@company.example\r\n",
        "From: x@y.example\r\nTo: other@else.example\r\nList-Id: News <news.example>\r\n",
        'From: x@y.example\r\nTo: "Sales" <mail@company.example>\r\n',
        'From: shop@far.example\r\nTo: "Somebody New" <mail@company.example>\r\n',
    ],
)
def test_what_only_a_former_users_rule_caught_says_so(header: str) -> None:
    """By sender, list, and what was written to; and also when the name beside it was nobody's."""
    decision = sort(header, directory=RULED)
    assert (decision.hits, decision.fallback) == ({}, "former-user")
    assert decision.steps[-1].code == "former-user"


def test_a_rule_of_today_goes_before_a_former_one() -> None:
    """Taught anew for somebody else, or by another mark of the same message; another account is not concerned."""
    header = "From: shop@far.example\r\nTo: mail@company.example\r\nList-Id: News <news.example>\r\n"
    for kind, match in (("list", "news.example"), ("from", "shop@far.example")):
        directory = evolve(RULED, rules=(SenderRule(1, kind, match, (GREG.id,)),))
        assert list(sort(header, directory=directory).hits) == [GREG.id]
    elsewhere = sort("From: shop@far.example\r\nDelivered-To: who@firm.example\r\n", DOMAIN, RULED)
    assert elsewhere.fallback != "former-user"
