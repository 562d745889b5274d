"""The middle of the journey on the real store: a refusal, a stop in the wrong moment, a new start, one report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.values import Account, Outcome, QueueItem, QueueState, User
from mailshare.delivery.agents import Agents
from mailshare.delivery.intake import Intake
from mailshare.delivery.moments import micros
from mailshare.delivery.queue import QueueRunner
from mailshare.delivery.reports import Reports
from mailshare.delivery.router import Router
from mailshare.delivery.submission import Desk
from mailshare.interfaces import IAgent
from mailshare.store.sqlite import SQLiteStore
from tests.delivery.conftest import FakeSession

LARGE = b"Subject: Large\r\n\r\n" + b"0123456789abcdef" * 4096 * 8 + b"\r\n"


@implementer(IAgent)
class Refusing:
    """A provider that knows nobody."""

    name = "relay"

    async def deliver(self, batch: Sequence[QueueItem], progress: Any) -> Sequence[Outcome]:
        """Refuse."""
        at = micros(reactor)  # type: ignore[arg-type]
        return [Outcome(item.id, QueueState.FAILED, at, 550, "5.1.1", "Unknown") for item in batch]


class DyingReports(Reports):
    """The process ends before any report is stored."""

    async def send_owed(self) -> int:
        """Nothing."""
        return len(self._owed)


async def opened(path: Path) -> SQLiteStore:
    """The store of the office."""
    store = SQLiteStore(str(path), reactor=reactor, hostname="mail.office.example")  # type: ignore[arg-type]
    await store.open()
    return store


async def mailbox(store: SQLiteStore, user: User) -> list[bytes]:
    """A user's messages, whole."""
    drop = await store.mailboxes.lock_maildrop(user.id, "test")
    uids, sizes = await drop.snapshot()
    out = []
    for uid, size in zip(uids, sizes, strict=True):
        body, octets = await drop.body(uid), b""
        while len(octets) < body.size:
            octets += await body.read(len(octets), 65_536)
        assert len(octets) == size
        out.append(octets)
    drop.release()
    return out


def parts(store: SQLiteStore, kind: type[Reports]) -> Mapping[str, Any]:
    """The middle over a store."""
    reports = kind(store, reactor, os.urandom)  # type: ignore[arg-type]
    intake = Intake(store, Router(), reactor, reports)  # type: ignore[arg-type]
    return {
        "desk": Desk(store, intake, reactor, os.urandom),  # type: ignore[arg-type]
        "runner": QueueRunner(store, Agents([Refusing()]), reports, reactor),  # type: ignore[arg-type]
        "reports": reports,
    }


@pytest_twisted.ensureDeferred
async def test_a_report_outlives_the_process(tmp_path: Path) -> None:
    """Greg's message reaches carolyn whole and is refused outside; the report comes with the next start, once."""
    store = await opened(tmp_path / "store")
    account = await store.directory.add_account(Account(0, 0, Address("mail", "company.example")))
    greg = await store.directory.add_user(User(0, "greg", accounts=(account.id,)))
    carolyn = await store.directory.add_user(User(0, "carolyn", accounts=(account.id,)))
    before = parts(store, DyingReports)
    recipients = tuple(Recipient(Address.parse(each)) for each in ("carolyn", "ann@example.net"))
    submission = await before["desk"].submitter(greg).submit(Envelope(Address("greg"), recipients), FakeSession())
    for start in range(0, len(LARGE), 10_000):
        wait = submission.write(LARGE[start : start + 10_000])
        if wait is not None:
            await wait
    trace = await submission.finish()
    assert dict(await before["runner"].flush(account.id)) == {"failed": 1}
    assert await mailbox(store, greg) == []
    await store.close()

    for _start in range(2):
        store = await opened(tmp_path / "store")
        after = parts(store, Reports)
        after["runner"].startService()
        for _turn in range(6_000):
            if await mailbox(store, greg):
                break
            await after["reports"].send_owed()
            await deferLater(reactor, 0.01, lambda: None)
        await after["runner"].stopService()
        (report,) = await mailbox(store, greg)
        assert b"Action: failed\r\n" in report
        assert f"Final-Log-ID: {trace}".encode() in report
        (local,) = await mailbox(store, carolyn)
        assert local.endswith(LARGE.partition(b"\r\n\r\n")[2])
        assert await store.verify(deep=True) == []
        await store.close()
