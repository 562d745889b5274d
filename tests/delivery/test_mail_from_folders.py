"""Mail that lay in another folder than the inbox (requirement 11): marked, sorted as ever, junk never answered."""

from __future__ import annotations

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope
from mailshare.core.values import Origin, Source
from tests.delivery.conftest import Office, finish
from tests.delivery.test_mailbox_rules import FRIEND, answers, away, change, letter, rules

__all__ = ["rules"]


def collected(office: Office, octets: bytes, folder: str, *, junk: bool) -> None:
    origin = Origin(Source.COLLECT, f"{len(octets):016x}", account_id=1, folder=folder, junk=junk)
    finish(office.intake.accept(Envelope(FRIEND), office.body(octets), origin))


def test_junk_is_marked_and_neither_forwarded_nor_answered(rules: Office) -> None:
    """It lies in the mailbox with its flag, also when the mailbox keeps nothing else; the journal says why."""
    away(rules)
    change(rules, "greg", forward=(Address("greg", "home.example"),), forward_keep=False)
    collected(rules, letter(), "Spam", junk=True)
    assert answers(rules) == []
    assert list(rules.rows()) == []
    assert b"X-Mailshare-Folder: Spam\r\nX-Spam-Flag: YES\r\n" in rules.mailbox("greg")[0]
    assert [event.data["why"] for event in rules.events("answer.none")] == ["junk"]
    (route,) = rules.events("route")
    assert ["not-forwarded", "for greg: the provider takes it for junk"] in route.data["steps"]  # type: ignore[operator]


def test_another_folder_is_told_and_changes_nothing(rules: Office) -> None:
    """Forwarded and answered as mail of the inbox; a name beyond ASCII spoils no header line."""
    away(rules)
    collected(rules, letter(), "Entwürfe\r\nX-Evil: 1", junk=False)
    assert len(answers(rules)) == 1
    assert b"X-Mailshare-Folder: Entw?rfe??X-Evil: 1\r\n" in rules.mailbox("greg")[0]
    assert b"X-Spam-Flag" not in rules.mailbox("greg")[0]


def test_junk_that_nobody_owns_goes_to_admin_with_its_flag(rules: Office) -> None:
    """And a copy for somebody on a list carries it too."""
    andrew = change(rules, "andrew")
    change(rules, "greg", cc=(andrew.id,))
    collected(rules, letter("mail@company.example"), "Spam", junk=True)
    collected(rules, letter(), "Spam", junk=True)
    for name in ("admin1", "greg", "andrew"):
        assert b"X-Spam-Flag: YES\r\n" in rules.mailbox(name)[0]
