"""Usual messages of a collection come in together; whatever needs more is for the door alone, and nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from zope.interface.verify import verifyObject

from mailshare.core.envelope import Envelope
from mailshare.core.errors import Unavailable
from mailshare.core.headers import Headers
from mailshare.core.personal import Quota
from mailshare.core.values import LedgerKey, LedgerState, Origin, Source
from mailshare.interfaces import IBody, IIntake
from tests.delivery.conftest import MESSAGE, Office, collected, finish
from tests.delivery.test_mailbox_rules import change, rules

__all__ = ["rules"]
Given = tuple[Envelope, IBody, Origin, Headers | None]


def given(office: Office, number: int, octets: bytes = MESSAGE) -> Given:
    """A message to greg."""
    octets = octets.replace(b"To: mail@company.example", b'To: "Greg" <mail@company.example>')
    octets = octets.replace(b"<m1@", b"<m%d@" % number)
    origin = evolve(
        collected(f"{number:016x}"), ledger=LedgerKey(1, f"u{number}", len(octets), b"%d" % number),
        ledger_state=LedgerState.DELETE,
    )  # fmt: skip
    return Envelope(None), office.body(octets), origin, Headers.parse(octets.partition(b"\r\n\r\n")[0] + b"\r\n")


def test_they_are_stored_as_if_alone(office: Office) -> None:
    """In their order, in one transaction, each with its line in the journal; a second time they are known."""
    verifyObject(IIntake, office.intake)
    lot = [given(office, number) for number in range(1, 4)]
    transactions: list[int] = []
    write = office.store.delivery._database.write  # type: ignore[attr-defined]

    async def counted(operation: Any, **more: Any) -> Any:
        transactions.append(operation.rows)
        return await write(operation, **more)

    office.store.delivery._database.write = counted  # type: ignore[attr-defined]
    receipts = finish(office.intake.accept_together(lot))
    assert len(transactions) == 1
    assert [receipt is not None and receipt.already for receipt in receipts] == [False] * 3
    bodies = [body.data for _, body, _, _ in lot]  # type: ignore[attr-defined]
    assert [mail[-len(data) :] for mail, data in zip(office.mailbox("greg"), bodies, strict=True)] == bodies
    assert [event.trace for event in office.events("route")] == [origin.trace for _, _, origin, _ in lot]
    again = finish(office.intake.accept_together(lot))
    assert [receipt is not None and receipt.already for receipt in again] == [True] * 3
    assert len(office.mailbox("greg")) == 3


def test_unusual_ones_are_left_to_the_door(office: Office) -> None:
    """An answer, whose original is looked up; one whose header is long; what a client hands in."""
    answer = MESSAGE.replace(b"Subject", b"In-Reply-To: <a@company.example>\r\nSubject")
    long = (*given(office, 3)[:3], None)
    envelope, body, origin, headers = given(office, 4)
    client = (envelope, body, evolve(origin, source=Source.SMTP), headers)
    lot: list[Given] = [given(office, 1, answer), given(office, 2), long, client]
    receipts = finish(office.intake.accept_together(lot))
    assert [receipt is not None for receipt in receipts] == [False, True, False, False]
    assert len(office.mailbox("greg")) == 1


@pytest.mark.parametrize("fault", [Unavailable("not now"), Unavailable(detail={"why": "a user went away"})])
def test_when_one_cannot_be_stored_none_is(office: Office, monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    """Who handed them in tries them one by one."""

    async def refuses(_: object) -> None:
        raise fault

    monkeypatch.setattr(office.store.delivery, "deliver_together", refuses)
    assert finish(office.intake.accept_together([given(office, 1), given(office, 2)])) == [None, None]
    assert office.mailbox("greg") == []


def test_a_full_mailbox_takes_collected_mail(rules: Office) -> None:
    """Bounds are for what people here send."""
    change(rules, "greg", quota=Quota(messages=1))
    receipts = finish(rules.intake.accept_together([given(rules, 1), given(rules, 2)]))
    assert None not in receipts
    assert sum(b"From: x@example.net" in mail for mail in rules.mailbox("greg")) == 2
