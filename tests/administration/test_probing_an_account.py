"""``account probe``: the table and verdict of rule 3.2's set-up, without touching the mailbox or the ledger."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
import pytest_twisted

from mailshare.core.address import Address
from mailshare.core.errors import Declared, PolicyRefusal, Unavailable
from mailshare.core.people import Sharers
from mailshare.core.values import Account, Directory
from mailshare.isp.listing import Upstream
from mailshare.isp.probing import newest_sightings
from mailshare.isp.provider_session import Fetching
from tests.administration.conftest import Office
from tests.administration.conftest import finish as finished
from tests.administration.test_marking_of_mail import NAMES, below_the_box, put, settings
from tests.test_assembly_office import Room, room

__all__ = ["room"]


@pytest_twisted.ensureDeferred
async def test_the_probe_looks_and_leaves_everything_as_it_is(room: Room) -> None:
    """The declared account's box, its ledger and its settings stay; the sentence says what to write into the file."""
    settings(room)
    for number in range(12):
        put(room, number, NAMES[number % 3], below_the_box(f"{NAMES[number % 3]}@firm.example"))
    office = await room.start()
    answer: Any = await office.acts.probe_account(address="1")
    assert (answer["waiting"], answer["mails"], answer["enough"]) == (12, 12, True)
    (row,) = [one for one in answer["kinds"] if one["header"] == "delivered-to"]
    assert (row["present"], row["trusted"], row["inside"], row["distinct"], row["copies"]) == (12, 12, 12, 3, 1.0)
    assert (answer["evidence"], answer["bcc_safe"], answer["one_copy_each"]) == ("delivered-to", True, "unknown")
    assert tomllib.loads(answer["file"])["options"] == {"trusted_by": ["mx.isp.example", "store.isp.example"]}
    assert len(room.isp.box.letters) == 12
    assert await office.store.ledger.known(1) == {}
    (account,) = await office.acts.accounts()
    assert (account["options"], account["found"]) == ({}, {})
    with pytest.raises(Declared, match=r"m\.toml:\d+; write there: options = \{ trusted_by"):
        await office.acts.probe_account(address="1", write=True)


@pytest_twisted.ensureDeferred
async def test_what_was_found_is_written_for_an_account_of_the_store(room: Room) -> None:
    """--write makes settings by hand beside those that were there; they are exported with the account."""
    room.write("")
    pop3, _ = room.isp.ports()
    office = await room.start()
    await office.acts.add_account(
        address="box@firm.example",
        mode="domain",
        domains=["firm.example"],
        collect=f"pop3://mail@127.0.0.1:{pop3}?tls=none",
        password="isp",
        timetable=[{"days": "mon", "from": "00:00", "to": "00:01", "every": 1440}],
        options={"ignore_names": ["Firm"]},
    )
    put(room, 0, "greg", below_the_box("greg@firm.example"))
    few: Any = await office.acts.probe_account(address="1")
    assert (few["enough"], few["settings"]) == (False, {})
    assert "8 are needed" in few["words"][-1]
    with pytest.raises(PolicyRefusal, match="nothing to write"):
        await office.acts.probe_account(address="1", write=True)
    for number in range(1, 60):
        put(room, number, "greg", below_the_box("greg@firm.example"))
    answer: Any = await office.acts.probe_account(address="box@firm.example", write=True)
    assert (answer["waiting"], answer["mails"], answer["written"]) == (60, 50, True)
    (account,) = await office.acts.accounts()
    assert account["options"] == {
        "ignore_names": ["Firm"],
        "trusted_by": ["mx.isp.example", "store.isp.example"],
    }
    assert "store.isp.example" in await office.acts.export()


def test_where_nothing_may_go_out_it_says_so(office: Office) -> None:
    """An office without a way to the provider refuses in a sentence."""
    with pytest.raises(Unavailable):
        finished(office.acts.probe_account(address="1"))


class _Silent:
    """A session with a server that gives no headers alone; it keeps which messages it is asked for."""

    lost = False
    gives_headers = False

    def __init__(self) -> None:
        self.asked: list[int] = []

    def fetch(self, message: Upstream, to: Fetching) -> None:
        self.asked.append(message.number)
        to.take(f"Message-ID: <{message.number}@x.example>\r\n\r\nText\r\n".encode())
        to.came("")


def test_without_top_small_messages_are_read_whole() -> None:
    """RETR stands in, but never for a large message; the newest come last."""
    session = _Silent()
    huge = Upstream(2, "b", 50_000_000)
    messages = [Upstream(1, "a", 500), huge, *(Upstream(number, f"{number}", 100) for number in range(3, 60))]
    sharers = Sharers.build(Account(1, 1, Address("mail", "company.example")), Directory())
    sightings = finished(newest_sightings(session, messages, sharers))  # type: ignore[arg-type]
    assert len(sightings) == 50
    assert session.asked[0] == 10
    assert sightings[-1].message_id == "<59@x.example>"
    session.asked.clear()
    finished(newest_sightings(session, [huge], sharers))  # type: ignore[arg-type]
    assert session.asked == []
