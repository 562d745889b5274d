"""When a machine may answer, by RFC 3834."""

import pytest

from mailshare.core.address import Address
from mailshare.core.autoreply import PAUSE, why_no_answer
from mailshare.core.headers import Headers
from mailshare.core.values import User, UserKind

ANDREW = User(3, "andrew")
OWN = frozenset({("mail", "company.example"), ("mail+andrew", "company.example")})
TO = b"To: Andrew <mail@company.example>\r\n"


def ask(
    block: bytes = TO,
    sender: Address | None = Address("x", "y.example"),  # noqa: B008 (a frozen value)
    user: User = ANDREW,
    last: int | None = None,
) -> str:
    headers = Headers.parse(block)
    return why_no_answer(headers, sender=sender, user=user, own=OWN, instance="office-1", last_answer=last, now=PAUSE)


def test_a_personal_message_may_be_answered():
    """A person writes to a person who was not answered within a week."""
    assert ask() == ""
    assert ask(TO + b"Auto-Submitted: no\r\n") == ""
    assert ask(last=0) == ""
    assert ask(last=1) == "again"


@pytest.mark.parametrize("to", ["To: andrew\r\n", "Cc: Greg <greg@x.example>, ANDREW\r\n", "To: <andrew>\r\n"])
def test_a_colleague_writes_to_the_bare_login(to: str):
    """In this office a login is an address, and mail programs write it into To as it is."""
    own = OWN | {("andrew", "")}
    facts = {"user": ANDREW, "instance": "office-1", "last_answer": None, "now": PAUSE}
    sender = Address("greg", "mail.office.example")
    assert why_no_answer(Headers.parse(to.encode()), sender=sender, own=own, **facts) == ""
    for other in (b"To: somebody, andrews\r\n", b"To: andrew smith\r\n", b"Subject: andrew\r\n"):
        assert why_no_answer(Headers.parse(other), sender=sender, own=own, **facts) == "not-addressed"


@pytest.mark.parametrize(
    ("block", "why"),
    [
        (TO + b"Auto-Submitted: auto-replied\r\n", "automatic"),
        (TO + b"Auto-Submitted: auto-generated; x=y\r\n", "automatic"),
        (TO + b"List-Id: <a.b>\r\n", "list"),
        (TO + b"Precedence: Bulk\r\n", "bulk"),
        (TO + b"X-Mailshare-Trace: office-1; 00\r\n", "loop"),
        (b"To: somebody@else.example\r\n", "not-addressed"),
    ],
)
def test_what_is_never_answered(block: bytes, why: str):
    """Answers to lists, bulk and automatic mail, to our own and to mail not written to the user would be noise."""
    assert ask(block) == why


@pytest.mark.parametrize(
    ("sender", "why"),
    [
        (None, "null-sender"),
        (Address("MAILER-DAEMON", "y.example"), "robot"),
        (Address("talk-request", "y.example"), "robot"),
        (Address("owner-talk", "y.example"), "robot"),
        (Address("mail", "company.example"), "own"),
    ],
)
def test_senders_that_are_never_answered(sender: Address | None, why: str):
    """Nobody reads what is sent to a robot."""
    assert ask(sender=sender) == why


def test_admin_and_public_never_answer():
    """Only persons go on holiday."""
    assert ask(user=User(1, "admin1", UserKind.ADMIN)) == "robot-user"
    assert ask(user=User(2, "public1", UserKind.PUBLIC)) == "robot-user"
