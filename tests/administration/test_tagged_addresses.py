"""The self-test of tags (rule 3.1 step 2): sent, come back or not, and what outgoing mail makes of it (rule 3.6)."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted

from mailshare.core.envelope import Recipient
from mailshare.core.errors import PolicyRefusal, Unavailable
from mailshare.core.people import people_of
from mailshare.core.values import SECOND
from mailshare.isp.tag_test import PATIENCE, TagTest
from mailshare.testing.isp import Smarthost
from tests.administration.conftest import Office
from tests.administration.conftest import finish as finished
from tests.test_assembly_office import Room, room, user

__all__ = ["room"]


def tags_work(office: Any) -> bool:
    return people_of(office.store.directory.current()).sharers[1].options.tags_work


@pytest_twisted.ensureDeferred
async def test_a_message_that_comes_back_with_its_tag_proves_that_tags_work(room: Room) -> None:
    """Out through the relay, back through the mailbox; the finding is kept and the journal says so."""
    room.write("ACCOUNT" + user("andrew"))
    office = await room.start()
    assert not tags_work(office)
    answer: Any = await office.acts.test_tag(address="1")
    while answer["state"] == "waiting":
        answer = await office.acts.test_tag(address="1", look=True)
    assert (answer["state"], answer["by_hand"]) == ("works", None)
    assert tags_work(office)
    (sent,) = room.isp.relayed
    assert [str(one.address) for one in sent.envelope.recipients] == ["mail+probe@company.example"]
    told: Any = await office.acts.log(kinds=["account.tag-test"])
    assert [event["data"]["state"] for event in told["events"]] == ["sent", "works"]
    await office.stopService()
    again = await room.start()
    assert tags_work(again)


@pytest_twisted.ensureDeferred
async def test_a_tag_that_the_provider_strips_does_not_work(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is back, but nothing in it says to which tag it went."""
    room.write("ACCOUNT" + user("andrew"))

    put = room.isp.box.put
    monkeypatch.setattr(
        type(room.isp.box), "put", lambda _box, octets, uidl: put(octets.replace(b"mail+probe@", b"mail@"), uidl)
    )
    office = await room.start()
    answer: Any = await office.acts.test_tag(address="1")
    while answer["state"] == "waiting":
        answer = await office.acts.test_tag(address="1", look=True)
    assert answer["state"] == "does not"
    assert not tags_work(office)


@pytest_twisted.ensureDeferred
async def test_a_tag_test_that_is_refused_says_so(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that answers 550 to the tagged address settles it at once; nobody gets a report of it."""
    room.write("ACCOUNT" + user("andrew"))

    async def refuse(_smarthost: Smarthost, _envelope: object, recipient: Recipient, _session: object) -> None:
        if "+" in recipient.address.local:
            raise PolicyRefusal("No such mailbox", code=550, enhanced=(5, 1, 1))

    monkeypatch.setattr(Smarthost, "recipient", refuse)
    office = await room.start()
    answer: Any = await office.acts.test_tag(address="1")
    while answer["state"] == "waiting":
        answer = await office.acts.test_tag(address="1", look=True)
    assert answer["state"] == "does not"
    assert not tags_work(office)
    told: Any = await office.acts.log(kinds=["account.tag-test"])
    assert [event["data"].get("came") for event in told["events"]] == [None, "refused"]
    assert all(row["messages"] == 0 for row in await office.acts.mailboxes())


def test_what_never_comes_back_does_not_work(office: Office) -> None:
    """After an hour the message counts as lost; before, it is waited for; a catch-all needs no test."""
    now = [SECOND]
    test = TagTest(office.store, lambda: now[0], office.token, "mail.office.example")
    one, two = office.store.directory.current().accounts
    with pytest.raises(PolicyRefusal, match="catch-all"):
        finished(test.start(two))
    with pytest.raises(PolicyRefusal, match="server to send through"):
        finished(test.start(one))
    assert finished(test.state(one)) == "never"
    finished(
        office.acts.change_account(
            address="1", collect="pop3s://pop.isp.example", relay="submissions://smtp.isp.example"
        )
    )
    one = office.store.directory.current().accounts[0]
    finished(test.start(one))
    assert finished(test.state(one)) == "waiting"
    now[0] += PATIENCE
    assert finished(test.state(one)) == "does not"
    with pytest.raises(Unavailable):
        finished(office.acts.test_tag(address="1"))
