"""Collected mail of a catch-all to local parts that nobody has: rule 3.2, by the option ``strangers``."""

from __future__ import annotations

import pytest

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope
from mailshare.core.headers import Headers
from mailshare.core.values import (
    Account,
    AccountMode,
    Directory,
    LedgerKey,
    Origin,
    Routing,
    Source,
    User,
    UserKind,
)
from mailshare.delivery.router import Router
from tests.delivery.conftest import Office, finish

USERS = (
    User(1, "admin1", UserKind.ADMIN, accounts=(1,)),
    User(2, "public1", UserKind.PUBLIC, accounts=(1,)),
    User(3, "andrew", accounts=(1,)),
    User(4, "carolyn", accounts=(1,)),
    User(5, "gone", enabled=False, accounts=(1,)),
    User(6, "elsewhere", accounts=()),
)
NAMES = {user.id: user.name for user in USERS}
TOP = "Received: from a.example (a.example [198.51.100.7]) by mx.isp.example with ESMTP id 1; x\n"
STRANGER = "Delivered-To: nobody@company.example\n" + TOP
SPAM = "X-Spam-Flag: YES\n" + STRANGER


def route(text: str, strangers: str) -> Routing:
    """By an office whose account has this option."""
    account = Account(
        1,
        1,
        Address("catchall", "company.example"),
        AccountMode.DOMAIN,
        domains=("company.example",),
        options={"strangers": strangers},
    )
    office = Directory(USERS, (account,), hostname="mail.office.example")
    headers = Headers.parse(text.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    return Router().route(Envelope(None), headers, Origin(Source.COLLECT, "0" * 16, account_id=1), office, {})


def who(routing: Routing) -> dict[str, str]:
    """Login to reason."""
    return {NAMES[target.user_id]: target.reason for target in routing.targets}


def test_a_user_gets_the_mail_of_strangers() -> None:
    """The one that the option names, for this reason; everybody else's mail is untouched by it."""
    assert who(route(STRANGER, "carolyn")) == {"carolyn": "stranger"}
    assert who(route("Delivered-To: andrew@company.example\n" + TOP, "carolyn")) == {"andrew": "envelope"}


@pytest.mark.parametrize("strangers", ["admin", "nobody-here", "gone", "elsewhere"])
def test_otherwise_admin_gets_it(strangers: str) -> None:
    """Also when the named user is unknown, switched off, or shares another account."""
    assert set(who(route(STRANGER, strangers))) == {"admin1"}


@pytest.mark.parametrize("mark", ["X-Spam-Flag: YES", "X-Spam: Yes", "X-Spam-Status: Yes, score=12.1 required=5.0"])
def test_only_spam_to_strangers_is_dropped(mark: str) -> None:
    """What the provider marked, and nothing that somebody is meant to have."""
    dropped = route(f"{mark}\n{STRANGER}", "drop-spam")
    assert not dropped.targets
    assert not dropped.hops
    assert "spam-dropped" in [step.code for step in dropped.steps]
    assert who(route(f"{mark}\nDelivered-To: andrew@company.example\n{TOP}", "drop-spam")) == {"andrew": "envelope"}
    assert who(route(STRANGER, "drop-spam")) == {"admin1": "unknown-user"}
    assert who(route(f"{mark}\n{STRANGER}", "admin")) == {"admin1": "unknown-user"}


@pytest.mark.parametrize("text", [STRANGER + "X-Spam-Flag: YES\n", "X-Spam-Flag: NO\n" + STRANGER])
def test_a_mark_below_the_boundary_or_a_no_drops_nothing(text: str) -> None:
    """A sender cannot have his mail dropped in the provider's name, nor does a negative verdict count."""
    assert who(route(text, "drop-spam")) == {"admin1": "unknown-user"}


def test_dropped_mail_is_done_with(office: Office) -> None:
    """No mailbox has it, the journal says why, the ledger knows it, and garbage collection takes its octets away."""
    account = Account(
        1, 1, Address("all", "company.example"), AccountMode.DOMAIN, domains=("company.example",),
        options={"strangers": "drop-spam"},
    )  # fmt: skip
    finish(office.store.directory.change_account(account))
    octets = SPAM.replace("\n", "\r\n").encode() + b"\r\nbuy\r\n"
    key = LedgerKey(1, "uid1", len(octets), b"d" * 32)
    origin = Origin(Source.COLLECT, "a" * 16, account_id=1, ledger=key)
    receipt = finish(office.intake.accept(Envelope(None), office.body(octets), origin))
    assert receipt.routing.targets == ()
    assert [len(office.mailbox(name)) for name in ("admin1", "greg")] == [0, 0]
    assert office.events("route")[0].data["steps"][-1][0] == "spam-dropped"
    assert "uid1" in finish(office.store.ledger.known(1))
    assert finish(office.store.collect_garbage(int(office.clock.seconds() * 1_000_000) + 1)) == 1
