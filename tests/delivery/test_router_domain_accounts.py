"""Collected mail of a catch-all: evidence, and how far down it can be believed."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope
from mailshare.core.headers import Headers
from mailshare.core.values import (
    Account,
    AccountMode,
    Directory,
    Origin,
    Routing,
    SenderRule,
    Server,
    Source,
    User,
    UserKind,
)
from mailshare.delivery.router import Router

ACCOUNT = Account(
    1,
    1,
    Address("catchall", "company.example"),
    AccountMode.DOMAIN,
    domains=("company.example", "firm.example"),
    collect=Server("pop3", "pop.isp.example", 995, login="box17@company.example"),
)
USERS = (
    User(1, "admin1", UserKind.ADMIN, accounts=(1,)),
    User(2, "public1", UserKind.PUBLIC, accounts=(1,)),
    User(3, "andrew", names=("Andrew Smith", "sales"), accounts=(1,)),
    User(4, "greg", names=("greg@firm.example",), accounts=(1,)),
    User(5, "lisa", names=("info", "Müller"), accounts=(1,)),
    User(6, "a.bee", accounts=(1,)),
)
NAMES = {user.id: user.name for user in USERS}
OFFICE = Directory(USERS, (ACCOUNT,), (SenderRule(1, "list", "news.example", (5,)),), hostname="mail.office.example")
TOP = "Received: from a.example (a.example [198.51.100.7]) by mx.isp.example with ESMTP id 1; x\n"


def with_options(**options: object) -> Directory:
    return evolve(OFFICE, accounts=(evolve(ACCOUNT, options=options),))


EXPERIENCED = Router()


def route(text: str, directory: Directory = OFFICE) -> Routing:
    """By a router that knows nothing, by one that has just seen the same, and by one that has seen everything."""
    headers = Headers.parse(text.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    message = Envelope(None), headers, Origin(Source.COLLECT, "0" * 16, account_id=1), directory
    router = Router()
    first = router.route(*message, {})
    assert router.route(*message, {}) == first
    assert EXPERIENCED.route(*message, {}) == first
    return first


def who(routing: Routing) -> dict[str, str]:
    return {NAMES[target.user_id]: target.reason for target in routing.targets}


def hop(recipient: str = "", by: str = "mx.isp.example", sender: str = "a.example (a.example [198.51.100.7])") -> str:
    return f"Received: from {sender} by {by} (Postfix) with ESMTP id 1{recipient and f' for <{recipient}>'}; x\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Delivered-To: andrew@company.example\n" + TOP + "To: greg@company.example", {"andrew": "envelope"}),
        ("Delivered-To: ANDREW@Firm.Example\n" + TOP, {"andrew": "envelope"}),
        (
            "Envelope-To: andrew@company.example, greg@company.example\n" + TOP,
            {"andrew": "envelope", "greg": "envelope"},
        ),
        (
            "Delivered-To: catchall@company.example\nX-Original-To: lisa@company.example\n" + TOP,
            {"lisa": "envelope"},
        ),
        ("Delivered-To: box17@company.example\n" + hop("andrew@company.example"), {"andrew": "received-for"}),
        ("Delivered-To: catchall@company.example\n" + TOP + "To: greg@company.example", {"greg": "guessed"}),
        ("Delivered-To: x@elsewhere.example\n" + TOP + "To: greg@company.example", {"greg": "guessed"}),
        (
            "Delivered-To: greg@company.example\nDelivered-To: info@company.example\n" + TOP,
            {"lisa": "envelope"},
        ),
        (TOP + "Delivered-To: andrew@company.example\nTo: greg@company.example", {"greg": "guessed"}),
        (TOP + "X-Original-To: andrew@company.example\nSubject: Bcc", {"admin1": "not-addressed"}),
        (hop("andrew@company.example") + hop("greg@company.example") + "To: x@y.example", {"andrew": "received-for"}),
        (
            "Received: from a by mx.isp.example for <andrew@company.example>, <greg@company.example>; x\nTo: x@y.org",
            {"admin1": "not-addressed"},
        ),
        (
            "Received: from a (for <greg@company.example>) by mx.isp.example for <andrew@company.example>; x",
            {"andrew": "received-for"},
        ),
        ("Delivered-To: andrew+shop@company.example\n" + TOP, {"andrew": "envelope"}),
        ("Delivered-To: sales@company.example\n" + TOP, {"andrew": "envelope"}),
        ("Delivered-To: sales+x@company.example\n" + TOP, {"andrew": "envelope"}),
        ("Delivered-To: andrew.smith@company.example\n" + TOP, {"andrew": "envelope"}),
        ("Delivered-To: muller@company.example\n" + TOP, {"lisa": "envelope"}),
        ("Delivered-To: company.example-andrew@company.example\n" + TOP, {"andrew": "envelope"}),
        ("Delivered-To: nobody@company.example\n" + TOP + "To: greg@company.example", {"admin1": "unknown-user"}),
        ("Delivered-To: nobody@company.example\n" + TOP + "List-Id: <news.example>", {"lisa": "rule-list"}),
        ("Delivered-To: andrew@company.example\n" + TOP + "List-Id: <news.example>", {"andrew": "envelope"}),
        ("Delivered-To: admin@company.example\n" + TOP, {"admin1": "envelope"}),
        ("Delivered-To: postmaster@company.example\n" + TOP, {"admin1": "envelope"}),
        (
            TOP + "To: andrew@company.example, x@y.example\nCc: greg@company.example",
            {"andrew": "guessed", "greg": "guessed"},
        ),
        (TOP + "Apparently-To: greg@company.example", {"greg": "guessed"}),
        (TOP + "Resent-To: lisa@company.example\nTo: greg@company.example", {"lisa": "guessed"}),
        (TOP + "To: undisclosed-recipients:;", {"admin1": "not-addressed"}),
        (TOP + 'To: "greg@company.example" <x@y.example> (lisa@company.example)', {"admin1": "not-addressed"}),
        ("Delivered-To: abee@company.example\n" + TOP, {"admin1": "unknown-user"}),
        ("Subject: no trace at all\nDelivered-To: andrew@company.example", {"admin1": "not-addressed"}),
    ],
)
def test_evidence_3_2(text: str, expected: dict[str, str]):
    """What the provider wrote decides; what the sender wrote below does not; ADMIN when nothing is sure."""
    assert who(route(text)) == expected


def test_trust_reaches_to_the_last_own_hop():
    """With ``trusted_by`` the evidence may stand below the first Received, between the provider's own hops."""
    text = (
        hop(by="store.isp.example", sender="mx.isp.example (mx.isp.example [203.0.113.9])")
        + "X-Original-To: andrew@company.example\n"
        + hop("catchall@company.example")
        + "Delivered-To: greg@company.example\nTo: lisa@company.example"
    )
    assert who(route(text)) == {"lisa": "guessed"}
    office = with_options(trusted_by=["store.isp.example", "mx.isp.example"])
    assert who(route(text, office)) == {"andrew": "envelope"}


def test_a_forged_hop_that_names_the_provider_is_not_trusted():
    """A hop that took the message from a strange host ends the provider's part, whatever stands below it."""
    office = with_options(trusted_by=["mx.isp.example"])
    forged = hop() + "Delivered-To: greg@company.example\n" + hop("greg@company.example") + "To: lisa@company.example"
    assert who(route(forged, office)) == {"lisa": "guessed"}
    liar = "mx.isp.example (evil.example [198.51.100.66])"
    assert who(route(hop(sender=liar) + hop("greg@company.example") + "To: x@y.example", office)) == {
        "admin1": "not-addressed"
    }
    inside = hop(sender="localhost (localhost [127.0.0.1])") + hop("greg@company.example") + "To: x@y.example"
    assert who(route(inside, office)) == {"greg": "received-for"}


def test_header_order_and_prefixes_are_settings():
    """``envelope_headers`` sets the order of belief; ``prefix_map`` takes off what qmail puts in front."""
    text = "Delivered-To: isp-17-greg@company.example\nX-Original-To: andrew@company.example\n" + TOP
    assert who(route(text, with_options(envelope_headers=["Delivered-To"], prefix_map=["isp-17-"]))) == {
        "greg": "envelope"
    }
    regex = with_options(envelope_headers=["Delivered-To"], prefix_map={r"^isp-\d+-": ""})
    assert who(route(text, regex)) == {"greg": "envelope"}
    assert who(route(text)) == {"andrew": "envelope"}
    broken = with_options(prefix_map={"(": ""})
    assert who(route(text, broken)) == {"andrew": "envelope"}


def test_dots_may_be_ignored():
    """``dot_insensitive`` finds a.bee under abee, and only then."""
    text = "Delivered-To: abee@company.example\n" + TOP
    assert who(route(text, with_options(dot_insensitive=True))) == {"a.bee": "envelope"}


def test_the_original_address_is_kept():
    """A copy tells which address it was written to, besides whose it is."""
    target = route("Delivered-To: sales@company.example\n" + TOP).targets[0]
    delivered = b"Delivered-To: andrew@mail.office.example\r\n"
    assert target.prefix == delivered + b"X-Original-To: sales@company.example\r\n"


@given(st.permutations(["andrew", "sales", "nobody", "info"]), st.booleans())
def test_exact_user_before_alias_before_rule_before_admin(order: list[str], listed: bool):
    """A user of that very name is never robbed by an alias, a rule or the fall-back."""
    users = (*USERS, *(User(10 + i, name, accounts=(1,)) for i, name in enumerate(["sales"] if listed else [])))
    office = evolve(OFFICE, users=users)
    for local in order:
        routing = route(f"Delivered-To: {local}@company.example\n{TOP}List-Id: <news.example>", office)
        owners = {"andrew": 3, "sales": 10 if listed else 3, "nobody": 5, "info": 5}
        assert [target.user_id for target in routing.targets] == [owners[local]]


PIECES = st.sampled_from(
    [
        TOP,
        "Delivered-To: andrew@company.example\n",
        "X-Original-To: nobody@company.example\n",
        "Received: from by for for by\n",
        "To: greg@company.example,,<>;:\n",
        "Cc: (((\n",
        "List-Id: <\n",
        "garbage\n",
        "From: Lisa <x@y>\n",
        "\tcontinued (\n",
    ]
)


@given(st.lists(PIECES, max_size=12))
def test_routing_never_raises_and_never_loses(pieces: list[str]):
    """Whatever fields come in whatever order, somebody gets the message and a reason is given."""
    routing = route("".join(pieces))
    assert routing.targets
    assert all(target.reason for target in routing.targets)
    assert routing.steps
