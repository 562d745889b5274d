"""An office that is carried elsewhere, by its export or a copy of its store, behaves as it did."""

from __future__ import annotations

import smtplib
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from mailshare.assembly.office import Office
from mailshare.assembly.offline import restore_store
from mailshare.config import BrokenConfig, load_config
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
    await acts.change_user(
        name="admin1", names=["The office", "Reception"], cc=["lisa"], password="boss", quota=8_000_000,
        quota_messages=900, forward=["boss@home.example"], forward_keep=True,
    )  # fmt: skip
    await acts.change_user(name="public1", names=["Everybody here"])
    await acts.change_user(name="anna", cc=["admin1"])
    await acts.add_app_password(name="admin1", label="desk")
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
    counted = ("managed_by", "messages", "octets", "unread", "quota_percent", "oldest", "last_retrieval")
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
    assert done["mail@company.example"]["collected"] == {"greg": 1, "lisa": 3, "ADMIN1": 1}
    await office.acts.send_receive()
    gone = [[str(one.address) for one in each.envelope.recipients] for each in house.isp.relayed[before:]]
    assert sorted(gone) == [["alice@far.example"], ["boss@home.example"], ["greg@home.example"]]

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
    house.arrives("Reception <mail@company.example>", number=14)
    house.arrives("Everybody here <mail@company.example>", number=15)
    done = await office.acts.send_receive()
    assert done["mail@company.example"]["collected"] == {"ADMIN1": 1, "lisa": 2, "greg": 1}
    assert any(b"Text 14" in mail for mail in await house.mail_of("admin1", "boss"))


@pytest_twisted.ensureDeferred
async def test_an_export_begins_the_same_office_in_a_fresh_directory(house: House, tmp_path: Path) -> None:
    """Rules, aliases, app passwords, devices, forwarding, answers, bounds, caps and what was found all come along."""
    office, app = await furnish(house)
    text, before = await office.acts.export(secrets=True), await shown(office)
    assert app not in text
    await office.stopService()
    house.folder = tmp_path / "again"
    house.folder.mkdir()
    head = (tmp_path / "m.toml").read_text().partition("[[account]]")[0]
    (house.folder / "m.toml").write_text(head + text)
    again = await house.start()
    assert await shown(again) == before
    assert (await again.acts.reload())["changed"] == 0
    assert await again.acts.export(secrets=True) == text
    await behaves(house, app)


@pytest_twisted.ensureDeferred
async def test_an_export_without_secrets_says_what_is_missing(house: House, tmp_path: Path) -> None:
    """No password of the file is printed; loading names each with its line, and filled in it is the same office."""
    text = PEOPLE + '[[user]]\nname = "desk"\npassword = "Dsk&Passw0rd"\n'
    office = await house.start(text.replace('password = "lisa"', 'password = { env = "LISA" }'))
    await office.acts.change_user(name="admin1", password="boss")
    before, exported = await shown(office), await office.acts.export()
    await office.stopService()
    assert "Dsk&Passw0rd" not in exported
    assert '"isp"' not in exported
    assert exported.count("left_out = ") == 2
    house.folder = tmp_path / "again"
    house.folder.mkdir()
    path = house.folder / "m.toml"
    head = (tmp_path / "m.toml").read_text().partition("[[account]]")[0]
    path.write_text(head + exported)
    with pytest.raises(BrokenConfig) as broken:
        load_config(str(path))
    missing = [one for one in broken.value.problems if not one.warning]
    assert [one.key for one in missing] == ["account[0].password", "user[0].password"]
    lines = path.read_text().splitlines()
    assert all("left_out" in lines[one.line - 1] for one in missing)
    assert all("is missing" in one.text for one in missing)
    filled = (head + exported).replace(lines[missing[0].line - 1], 'password = "isp"')
    path.write_text(filled.replace(lines[missing[1].line - 1], 'password = "Dsk&Passw0rd"'))
    again = await house.start()
    assert await shown(again) == before
    assert await house.mail_of("desk", "Dsk&Passw0rd") == []
    assert await house.mail_of("admin1", "boss") == []


@pytest_twisted.ensureDeferred
async def test_a_password_of_the_file_is_sealed_in_the_store(house: House) -> None:
    """What stands as text in the file lies nowhere in the store, and a changed text is taken over by a reload."""
    office = await house.start(PEOPLE)
    path = house.folder / "m.toml"
    path.write_text(path.read_text().replace('password = "isp"', 'password = "Xq7&tOld+wZ"'))
    assert (await office.acts.reload())["changed"] == 1
    assert (await office.acts.reload())["changed"] == 0
    (account,) = office.store.directory.current().accounts
    kept = await office.store.directory.secret(account.id)
    assert "Xq7&tOld+wZ" not in kept
    assert "sealed" in kept
    assert await office.acts.export(secrets=True) != await office.acts.export()
    path.write_text(path.read_text().replace('"Xq7&tOld+wZ"', '{ collect = "Xq7&tNew", relay = { env = "NONE" } }'))
    assert (await office.acts.reload())["changed"] == 1
    kept = await office.store.directory.secret(account.id)
    assert "Xq7&tNew" not in kept
    assert '"env": "NONE"' in kept
    exported = await office.acts.export()
    assert "Xq7&tNew" not in exported
    assert 'collect = {left_out = "it stands as text at m.toml:' in exported


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
