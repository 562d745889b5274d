"""An envelope is agreed to at once where each of its commands would be taken; else they are asked singly."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from zope.interface.verify import verifyObject

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import StorageFull
from mailshare.core.personal import Quota
from mailshare.core.values import Origin, Source
from mailshare.delivery.agreed import Agreed
from mailshare.delivery.submission import SubmissionRules
from mailshare.interfaces import IWholeEnvelopes
from tests.delivery.conftest import FakeSession, Office, finish

SENDER = Address.parse("greg@laptop.lan")


def envelope(*names: str, **more: Any) -> Envelope:
    """To these addresses."""
    return Envelope(SENDER, tuple(Recipient(Address.parse(name)) for name in names), **more)


def agreed(office: Office, to: Envelope, user: str = "greg", **session: Any) -> bool:
    """Whether there is a place for it at once; asked twice, for the second answer comes from memory."""
    submitter = office.desk.submitter(office.users.get(user))
    assert verifyObject(IWholeEnvelopes, submitter)
    answers = [submitter.whole(to, FakeSession(**session)) is not None for _ in range(2)]
    assert answers[0] == answers[1]
    return answers[0]


@pytest.mark.parametrize(
    ("names", "user", "session", "answer"),
    [
        (("carolyn", "andrew"), "greg", {}, True),
        (("carolyn",), "", {"trusted": True}, True),
        (("carolyn",), "", {}, False),
        (("carolyn", "ann@example.net"), "greg", {}, False),
        (("carolyn", "nobody"), "greg", {}, False),
    ],
)
def test_local_people_of_those_who_may(
    office: Office, names: tuple[str, ...], user: str, session: dict[str, Any], answer: bool
) -> None:
    """What goes outside has further questions; strangers and unknown names have a reply of their own."""
    assert agreed(office, envelope(*names), user, **session) is answer


def test_who_is_asked_each_time(office: Office) -> None:
    """A change of people or of rules forgets what was agreed to; a bound of a mailbox is looked at each time."""
    to = envelope("carolyn")
    assert agreed(office, to)
    finish(office.store.directory.change_user(evolve(office.users["carolyn"], quota=Quota(messages=5))))
    assert not agreed(office, to)
    finish(office.store.directory.change_user(evolve(office.users["carolyn"], quota=Quota())))
    assert agreed(office, to)
    office.desk.rules = SubmissionRules(max_recipients=0)
    assert not agreed(office, to)
    office.desk.rules = SubmissionRules(policy="enforce")
    assert not agreed(office, to)
    office.desk.rules = SubmissionRules(max_size=10)
    assert not agreed(office, envelope("carolyn", size=11))
    assert agreed(office, envelope("carolyn", size=10))
    finish(office.store.directory.change_user(evolve(office.users["greg"], enabled=False)))
    assert not agreed(office, envelope("carolyn", size=10))


class _Gateway:
    """Claims one name."""

    def claims(self, address: Address) -> bool:
        return address.local == "andrew"


def test_gateways_and_a_full_disk_are_looked_at_each_time(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both may come and go while the server runs."""
    to, other = envelope("andrew"), envelope("carolyn")
    assert agreed(office, to)
    office.desk.gateways = [_Gateway()]  # type: ignore[list-item]
    assert not agreed(office, to)
    assert agreed(office, other)

    def full(_hint: int = 0) -> None:
        raise StorageFull

    monkeypatch.setattr(office.store, "new_body", full)
    assert not agreed(office, other)


def test_what_is_remembered_is_bounded(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond some envelopes all are forgotten, and learnt again."""
    monkeypatch.setattr("mailshare.delivery.agreed._MOST", 3)
    kept, directory, rules = Agreed(), office.store.directory.current(), office.desk.rules
    many = [envelope(f"user{number}") for number in range(5)]
    origins = [Origin(Source.SMTP, "", number) for number in range(5)]
    for each, origin in zip(many, origins, strict=True):
        kept.keep(each, (1,), directory, rules, (origin, None))
    found = [kept.find(each, (1,), directory, rules) for each in many]
    assert [each and each[0] for each in found] == [None, None, None, *origins[3:]]
    assert not kept.find(many[4], (2,), directory, rules)


def test_what_is_told_of_the_session_is_its_own(office: Office) -> None:
    """The same envelope from another machine, or under another name: nothing of the first is told of it."""
    to, submitter = envelope("carolyn"), office.desk.submitter(office.users["greg"])
    for told in ({"peer": "192.168.1.8"}, {"helo": "other.lan"}, {"secure": False, "protocol": "ESMTPA"}, {}):
        for _ in range(2):
            submission = submitter.whole(to, FakeSession(**told))
            assert submission is not None
            submission.write(b"From: greg\r\n\r\nx\r\n")
            finish(submission.finish())
            asked = office.events("submit", "route")[-1].data
            session = FakeSession(**told)
            assert (asked["peer"], asked["helo"]) == (session.peer, session.helo)
