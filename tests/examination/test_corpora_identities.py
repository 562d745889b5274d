"""Every name of the foreign mail as the name of a user here: what he sends is read everywhere and answered to him."""

from __future__ import annotations

import sys
from email.header import Header

import pytest

from mailshare.core.headers import Headers
from mailshare.core.values import Directory, User
from tests.examination.corpora import ROOT, messages, needs_mail
from tests.examination.test_answers_to_our_mail import ADMIN, PERSONS, PUBLIC, SHARED, answered, sent

pytestmark = needs_mail
WRITTEN = ("From: {first} <mail@company.example>", "From: mail@company.example", "From: mail@company.example ({first})")


@pytest.fixture(scope="module")
def names() -> list[str]:
    """All display names of all senders and recipients."""
    found: dict[str, None] = {}
    for _, octets in messages(ROOT) if ROOT else ():
        headers = Headers.parse(octets)
        for field in ("from", "to", "cc", "reply-to", "sender"):
            found |= dict.fromkeys(box.name for box in headers.mailboxes(field)[:50] if box.name)
    return sorted(found)


def test_answers_come_back_to_names_of_the_wild_3_6(names: list[str]):
    """By the name as it left, as a program writes it anew, and in capitals; else by the reference.

    The standard library's newer reader puts a blank where two encoded words meet, so it may read a very long word and
    a name that holds the text of an encoded word in its own way; nobody else may, and not often.
    """
    differ = set[str]()
    for name in names:
        user = User(50, "person", names=(name,), accounts=(1,))
        office = Directory((ADMIN, PUBLIC, *PERSONS, user), (SHARED,), hostname="mail.office.example")
        for written in WRITTEN:
            try:
                headers = sent(user, written, directory=office)
            except AssertionError:
                differ.add(name)
                continue
            (box,) = headers.mailboxes("from")
            value, address = headers.first("from") or "", str(box.address)
            again = Header(box.name, "utf-8").encode(linesep="\n")
            for reply in (
                f"To: {value}",
                f"Cc: Carl <carl@far.example>, {value}",
                f"To: {again} <{address}>",
                f"To: {box.name.upper() if box.name.isalnum() else again} <{address}>",
                f"To: {address}\nIn-Reply-To: <new@company.example>",
            ):
                assert answered(reply, office, user) == "person", (name, reply)
    sys.stdout.write(f"\n{len(names)} names, {len(WRITTEN)} ways to write each; read differently: {len(differ)}\n")
    assert len(differ) <= len(names) // 100
