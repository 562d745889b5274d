"""An office that is carried elsewhere, by its export or a copy of its store, behaves as it did."""

from __future__ import annotations

import smtplib
from pathlib import Path
from typing import Any

import pytest_twisted

from mailshare.assembly.office import Office
from mailshare.assembly.offline import restore_store
from mailshare.config import load_config
from tests.acceptance.conftest import House

PEOPLE = """
[[user]]
name = "lisa"
names = ["Lisa Brown"]
password = "lisa"
accounts = ["mail@company.example"]
[[device]]
name = "scanner-2"
networks = ["127.0.0.1"]
user = "lisa"
recipients = ["greg@mail.office.example"]
per_hour = 1
"""
FOUND = {"trusted_by": ["mx.isp.example"], "evidence": "tag", "share": 0.9, "bcc_safe": True, "at": 5, "alarm": ""}


async def furnish(house: House) -> tuple[Office, str]:
    """An office with one of everything; gives an app password."""
    office = await house.start(PEOPLE)
    acts = office.acts
    await acts.add_user(
        name="greg", names=["Greg Jones", "sales"], accounts=["1"], cc=["lisa"], password="greg",
        quota=9_000_000, quota_messages=3, forward=["greg@home.example"], forward_keep=True,
    )  # fmt: skip
    await acts.add_user(name="anna", accounts=["1"], password="anna", local_only=True)
    await acts.add_user(name="carl", accounts=["1"], password="carl", enabled=False)
    await acts.vacation(name="lisa", text="Away.", subject="Away", start="2020-01-01", end="2099-12-31")
    made = await acts.add_app_password(name="greg", label="telephone")
    house.arrives("mail@company.example", sender="news@list.example", number=1)
    await acts.send_receive()
    (row,) = await acts.admin_list()
    await acts.admin_always(id=str(row["id"]), users=["greg"], kind="from")
    await acts.send_receive()  # greg has it sent on
    (account,) = office.store.directory.current().accounts
    await office.store.directory.learn(account.id, FOUND)
    return office, str(made["password"])


async def shown(office: Office) -> list[Any]:
    """Everything that is set, without the places where it is declared."""
    people: Any = [await office.acts.show_user(name=str(one["name"])) for one in await office.acts.users()]
    rows: Any = [*people, *await office.acts.accounts(), *await office.acts.rules()]
    counted = ("managed_by", "messages", "octets", "unread", "quota_percent")
    return [{key: value for key, value in row.items() if key not in counted} for row in rows]


async def behaves(house: House, app: str) -> None:
    """What each object does, over the sockets."""
    office = house.office
    assert office is not None
    had = len(await house.mail_of("greg", app))
    assert had == len(await house.mail_of("greg", "greg"))
    before = len(house.isp.relayed)
    house.arrives("mail@company.example", sender="news@list.example", number=11)
    house.arrives("Lisa <mail@company.example>", number=12)
    house.arrives("Anna <mail@company.example>", number=13)
    done: Any = await office.acts.send_receive()
    assert done["mail@company.example"]["collected"] == {"greg": 1, "lisa": 2, "ADMIN1": 1}
    await office.acts.send_receive()
    gone = [[str(one.address) for one in each.envelope.recipients] for each in house.isp.relayed[before:]]
    assert sorted(gone) == [["alice@far.example"], ["greg@home.example"]]

    def scan(client: smtplib.SMTP) -> list[int]:
        codes = [client.mail("x@y.example")[0]]
        codes += [client.rcpt(to)[0] for to in ("anna", "greg@mail.office.example")]
        client.data(b"Subject: Scan\r\n\r\nPages\r\n")
        return [*codes, client.mail("x@y.example")[0]]

    assert await house.smtp(scan) == [250, 550, 250, 450]

    def colleague(client: smtplib.SMTP) -> list[int]:
        client.login("anna", "anna")
        for _ in range(had, 1):
            client.sendmail("anna", ["greg"], b"Subject: one more\r\n\r\nText\r\n")
        client.mail("anna")
        return [client.rcpt("greg")[0], client.rcpt("a@far.example")[0]]

    assert await house.smtp(colleague) == [452, 550]


@pytest_twisted.ensureDeferred
async def test_an_export_begins_the_same_office_in_a_fresh_directory(house: House, tmp_path: Path) -> None:
    """Rules, aliases, app passwords, devices, forwarding, answers, bounds, caps and what was found all come along."""
    office, app = await furnish(house)
    text, before = await office.acts.export(), await shown(office)
    assert app not in text
    await office.stopService()
    house.folder = tmp_path / "again"
    house.folder.mkdir()
    head = (tmp_path / "m.toml").read_text().partition("[[account]]")[0]
    (house.folder / "m.toml").write_text(head + text)
    again = await house.start()
    assert await shown(again) == before
    assert (await again.acts.reload())["changed"] == 0
    assert await again.acts.export() == text
    await behaves(house, app)


@pytest_twisted.ensureDeferred
async def test_a_copy_of_the_store_is_the_same_office(house: House, tmp_path: Path) -> None:
    """Backup while it serves, restore into an empty directory: objects, mail and the marks of what was collected."""
    office, app = await furnish(house)
    before, mail = await shown(office), await office.acts.mailboxes()
    await office.acts.backup(directory=str(tmp_path / "copy"))
    await office.stopService()
    text = (tmp_path / "m.toml").read_text()
    house.folder = tmp_path / "again"
    house.folder.mkdir()
    (house.folder / "m.toml").write_text(text)
    restore_store(load_config(str(house.folder / "m.toml")), str(tmp_path / "copy"))
    again = await house.start()
    assert await shown(again) == before
    assert await again.acts.mailboxes() == mail
    await behaves(house, app)
