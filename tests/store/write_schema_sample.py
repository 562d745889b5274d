"""Writes tests/data/store_schema_N.db.gz for the schema of now: `python tests/store/write_schema_sample.py`.

Whoever adds a migration runs this once, when its schema is final, and commits the file; test_schema_versions.py wants
one for each version. A file that exists is never written again: it is what that version really wrote.
"""

from __future__ import annotations

import gzip
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from mailshare.core.address import Address
from mailshare.core.values import Account, LedgerState, User
from mailshare.store.schema_version import HEAD
from mailshare.store.sqlite import SQLiteStore
from mailshare.testing.store_office import NOW, Office, bookmark

SAMPLE = Path(__file__).parent.parent / "data" / f"store_schema_{int(HEAD)}.db.gz"


async def write(reactor: Any, folder: str) -> None:
    """A store with a user, a message, a ledger row and a queue row."""
    store = SQLiteStore(folder, reactor=reactor)
    await store.open()
    account = await store.directory.add_account(Account(0, 0, Address.parse("mail@office.example")))
    andrew = await store.directory.add_user(User(0, "andrew", accounts=(account.id,)), password_hash="$a")
    place = Office(store, account, andrew, andrew)
    await place.deliver(
        "1", [andrew], ledger=bookmark(account, "u1"), hops=[place.hop("bob@out.example")], key=b"k" * 32
    )
    await store.ledger.mark(account.id, ["u1"], LedgerState.DELETE, NOW)
    await store.close()


def main() -> None:
    """Write the file, in one piece and with its log folded in."""
    if SAMPLE.exists():
        sys.exit(f"{SAMPLE} is there already, and stays as it is")
    with tempfile.TemporaryDirectory() as folder:

        def packed(_: object) -> None:
            path = Path(folder) / "mailshare.db"
            with sqlite3.connect(path) as connection:
                connection.execute("VACUUM")
            connection.close()
            SAMPLE.write_bytes(gzip.compress(path.read_bytes(), mtime=0))

        react(lambda reactor: Deferred.fromCoroutine(write(reactor, folder)).addCallback(packed))


if __name__ == "__main__":
    main()
