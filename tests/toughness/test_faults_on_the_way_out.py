"""Faults of the disk below outbox and relay: no false acknowledgement, nothing lost or torn, one extra copy at most."""

from __future__ import annotations

import errno
import os
import smtplib
import sqlite3
from collections import Counter

import pytest
import pytest_twisted

from mailshare.core.errors import Unavailable
from mailshare.store import bodies
from tests.house import House
from tests.toughness.faulty_disk import CODES, FaultyConnection

USER = '[[user]]\nname = "andrew"\npassword = "x"\naccounts = ["mail@company.example"]\n'
STATEMENTS = 14  # more than handing in needs, so that the last ones succeed
LINE = "y" * 60 + "\r\n"


async def hand_in(house: House, number: int, lines: int = 1) -> int:
    """A message of andrew's to the outside; the code that settles it."""

    def talk(client: smtplib.SMTP) -> int:
        client.login("andrew", "x")
        for step in (lambda: client.mail("mail@company.example"), lambda: client.rcpt("bob@out.example")):
            code, _ = step()
            if code >= 400:
                return code
        return client.data(f"Subject: s{number}\r\nMessage-ID: <{number}@x>\r\n\r\n{LINE * lines}end\r\n")[0]

    return await house.smtp(talk)


def relayed(house: House) -> Counter[int]:
    """How often each message reached the provider; none is torn."""
    found: Counter[int] = Counter()
    for each in house.isp.relayed:
        assert each.octets.endswith(b"y\r\nend\r\n")
        found[int(each.octets.partition(b"Subject: s")[2].partition(b"\r\n")[0])] += 1
    return found


async def flush(house: House) -> None:
    """Try all that waits now, whenever its next try is due; a store that fails may say so."""
    try:
        await house.office.acts.steer(act="retry", all=True)
        await house.office.acts.send_receive()
    except Unavailable:
        return


async def opened_again(house: House) -> None:
    """What a broken-off settling left claimed is free when the store opens."""
    await house.office.stopService()
    await house.start()
    await flush(house)
    assert await house.office.acts.outbox() == []
    assert await house.office.store.verify(deep=True) == []


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("name", CODES)
async def test_handing_out_mail(house, files, name: str) -> None:
    """Whichever statement fails while mail for the outside is taken: 250 means that it leaves, 45x that it does not."""
    await house.start(USER)
    taken, refused = set(), 0
    for statement in range(STATEMENTS):
        FaultyConnection.fail(getattr(sqlite3, name), statement)
        code = await hand_in(house, statement)
        FaultyConnection.code = 0
        if code == 250:
            taken.add(statement)
        else:
            assert code in (451, 452), code
            refused += 1
    assert refused >= 3
    assert taken
    await flush(house)
    assert relayed(house) == Counter(dict.fromkeys(taken, 1))
    await opened_again(house)
    assert relayed(house) == Counter(dict.fromkeys(taken, 1))


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("reading", [False, True])
@pytest.mark.parametrize("name", [*CODES, "SQLITE_IOERR_READ"])
async def test_relaying(house, files, name: str, reading: bool, logged_failures) -> None:
    """Whichever statement of a flush fails: every message leaves in the end, a fault costs one more copy at most."""
    await house.start(USER)
    rounds, met = 20, 0
    for statement in range(rounds):
        assert await hand_in(house, statement) == 250
        FaultyConnection.fail(getattr(sqlite3, name), statement, reading=reading)
        await flush(house)
        FaultyConnection.code = 0
        met += FaultyConnection.met
    await opened_again(house)
    found = relayed(house)
    assert set(found) == set(range(rounds))
    assert met >= 4
    assert sum(found.values()) - rounds <= met
    assert max(found.values()) <= 2
    assert all(failure.check(Unavailable) for failure in logged_failures.flush())


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOENT])
async def test_a_content_file_that_cannot_be_read(house, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At whichever read it fails, also in the middle of DATA, the provider gets nothing torn, and the mail waits."""
    await house.start(USER)
    left = [1 << 30]
    pread = os.pread

    def reading(descriptor: int, length: int, start: int) -> bytes:
        left[0] -= 1
        if left[0] < 0:
            left[0] = 1 << 30
            raise OSError(number, os.strerror(number))
        return pread(descriptor, length, start)

    monkeypatch.setattr(bodies.os, "pread", reading)
    assert await hand_in(house, 1, lines=5_000) == 250
    failed = 0
    for call in range(30):
        left[0] = call
        await flush(house)
        if relayed(house):
            break
        failed += 1
        (row,) = await house.office.acts.outbox()
        assert row["state"] == "deferred"
    assert failed >= 10
    assert relayed(house) == Counter({1: 1})
    assert await house.office.acts.outbox() == []
