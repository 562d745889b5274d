"""What was looked up before the transaction is looked at again within it, and what failed counts for nothing."""

from __future__ import annotations

from typing import Any

import pytest

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope
from mailshare.core.errors import MailshareError, Unavailable
from mailshare.core.personal import Quota
from mailshare.core.values import SECOND, Origin, Source
from mailshare.delivery.intake import Intake
from mailshare.delivery.public_rate import PublicRate
from mailshare.delivery.router import Router
from tests.delivery.conftest import Office, finish
from tests.delivery.test_mailbox_rules import change, letter, rules

__all__ = ["rules"]


def stale(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks how full mailboxes are hears how full they are now, for ever."""
    now = finish(office.store.mailboxes.counts())

    async def counts() -> Any:
        return now

    monkeypatch.setattr(office.store.mailboxes, "counts", counts)


def test_the_second_of_two_at_once_is_refused(rules: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both saw room for one: one is stored, the sender of the other hears 552 and keeps it."""
    change(rules, "greg", quota=Quota(messages=1))
    stale(rules, monkeypatch)
    rules.send(letter(), "greg", sender="andrew")
    with pytest.raises(MailshareError) as refused:
        rules.send(letter(), "greg", sender="andrew")
    assert (refused.value.code, refused.value.enhanced) == (552, (5, 2, 2))
    assert len(rules.mailbox("greg")) == 1


def test_the_others_get_it_and_the_sender_is_told(rules: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Octets count as messages do; who has room gets the message, and a note names who has not."""
    change(rules, "greg", quota=Quota(octets=700))
    change(rules, "carolyn", quota=Quota(messages=1))
    stale(rules, monkeypatch)
    for expected in ((1, 1, 1), (1, 1, 2)):
        rules.send(letter(size=200), "greg", "carolyn", "admin", sender="andrew")
        assert tuple(len(rules.mailbox(name)) for name in ("greg", "carolyn", "admin1")) == expected
    (note,) = rules.mailbox("andrew")
    assert b"greg: the mailbox is full" in note
    assert b"carolyn: the mailbox is full" in note


def test_collected_mail_passes_every_bound(rules: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound holds back what people here send and nothing else."""
    change(rules, "greg", quota=Quota(messages=1))
    stale(rules, monkeypatch)
    for number in range(3):
        origin = Origin(Source.COLLECT, f"{900 + number:016x}", account_id=1)
        finish(rules.intake.accept(Envelope(None), rules.body(letter()), origin))
    assert len([mail for mail in rules.mailbox("greg") if b"Hello" in mail]) == 3


def test_what_comes_again_counts_once(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 3.4: a message to everybody that met a full disk nine times is one message when it comes in."""
    rate = PublicRate(lambda: int(office.clock.seconds() * SECOND))
    office.intake = Intake(office.store, Router(rate), office.clock, office.reports)
    octets = letter("PUBLIC <mail@company.example>")

    def comes(number: int) -> None:
        origin = Origin(Source.COLLECT, f"{700 + number:016x}", account_id=1)
        finish(office.intake.accept(Envelope(Address("alice", "far.example")), office.body(octets), origin))

    async def no_room(*_: object, **__: object) -> None:
        raise Unavailable

    with monkeypatch.context() as patch:
        patch.setattr(office.store.delivery, "deliver", no_room)
        for number in range(9):
            with pytest.raises(Unavailable):
                comes(number)
    comes(10)
    comes(11)  # a second copy
    assert rate.count(1, "alice@far.example") == 1
    after_a_restart = PublicRate(lambda: int(office.clock.seconds() * SECOND))
    finish(after_a_restart.recover(office.store.events))
    assert after_a_restart.count(1, "alice@far.example") == 1


def test_another_text_under_the_same_id_counts(office: Office) -> None:
    """Who uses one Message-ID for all he sends to everybody is counted message by message."""
    rate = PublicRate(lambda: int(office.clock.seconds() * SECOND))
    office.intake = Intake(office.store, Router(rate), office.clock, office.reports)
    for number in range(12):
        octets = letter("PUBLIC <mail@company.example>", key="same") + b"%d\r\n" % number
        origin = Origin(Source.COLLECT, f"{800 + number:016x}", account_id=1)
        finish(office.intake.accept(Envelope(None), office.body(octets), origin))
    assert rate.count(1, "alice@far.example") == 10
    assert len(office.mailbox("greg")) == 10
    assert len(office.mailbox("admin1")) == 2
