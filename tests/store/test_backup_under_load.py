"""Copies that are made while mail comes and goes: each is whole and restores to the state of one instant."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList

from mailshare.store import segments
from mailshare.store.backup import restore
from mailshare.store.sqlite import SQLiteStore
from mailshare.testing.store_office import HEADER, Account, Address, Office, User

SENDERS, COPIES = 6, 3


async def test_copies_made_under_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was acknowledged before a copy began is in it, octet for octet, in the database, beside it and in files."""
    monkeypatch.setattr(segments, "SAVED", 1.0)
    store = SQLiteStore(str(tmp_path / "a"), reactor=reactor)
    await store.open()
    account = await store.directory.add_account(Account(0, 0, Address.parse("mail@office.example")))
    andrew = await store.directory.add_user(User(0, "andrew", accounts=(account.id,)))
    place = Office(store, account, andrew, andrew)
    kept: dict[str, bytes] = {}
    stop = False

    async def send(sender: int) -> None:
        number = 0
        while not stop:
            number += 1
            name = f"{sender:x}a{number:x}"
            data = HEADER + f"{name}\r\n".encode() * (1, 5_000, 15_000)[number % 3]
            await place.deliver(name, [andrew], data=data, hops=[place.hop("bob@out.example")])
            kept[name] = data

    work = DeferredList([Deferred.fromCoroutine(send(sender)) for sender in range(SENDERS)], fireOnOneErrback=True)
    promised = []
    for copy in range(COPIES):
        while len(kept) < 20 * (copy + 1):
            await store._database.write(lambda connection: None)
        promised.append(set(kept.values()))
        await store.backup(str(tmp_path / f"copy{copy}"))
    stop = True
    await work
    assert await store.verify(deep=True) == []
    await store.close()
    for copy, wanted in enumerate(promised):
        restore(str(tmp_path / f"copy{copy}"), str(tmp_path / f"b{copy}"))
        again = SQLiteStore(str(tmp_path / f"b{copy}"), reactor=reactor)
        await again.open()
        assert await again.verify(deep=True) == []
        drop = await again.mailboxes.lock_maildrop(andrew.id, "test")
        found = [await place.content(drop, uid) for uid in (await drop.snapshot())[0]]
        drop.release()
        assert wanted <= set(found) <= set(kept.values())
        assert len(found) == len(set(found)) == len(await again.queue.items())
        await again.close()
