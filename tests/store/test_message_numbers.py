"""The numbers of messages never come back: the journal and the outbox may name one long after it is gone."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor

from mailshare.core.address import Address
from mailshare.core.values import Account, User
from mailshare.store.sqlite import SQLiteStore
from mailshare.testing.store_office import NOW, Office


async def test_the_number_of_the_newest_message_is_not_given_again(tmp_path: Path) -> None:
    """Not when it was taken away, and not when the server was started anew since."""
    store = SQLiteStore(str(tmp_path), reactor=reactor)
    await store.open()
    account = await store.directory.add_account(Account(0, 0, Address.parse("mail@office.example")))
    andrew = await store.directory.add_user(User(0, "andrew", accounts=(account.id,)), password_hash="$a")
    office = Office(store, account, andrew, andrew)
    numbers = [(await office.deliver("1", [andrew])).message_id]
    for trace in ("2", "3"):
        drop = await store.mailboxes.lock_maildrop(andrew.id, "test")
        uids, _ = await drop.snapshot()
        await drop.commit(uids)
        drop.release()
        assert await store.collect_garbage(NOW) == 1
        if trace == "3":
            await store.close()
            await store.open()
        numbers.append((await office.deliver(trace, [andrew])).message_id)
    await store.close()
    assert numbers == [1, 2, 3]
