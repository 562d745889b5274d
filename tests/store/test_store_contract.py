"""Both stores keep the contract that strangers' stores are held to."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from mailshare.store.memory import MemoryStore
from mailshare.store.sqlite import SQLiteStore
from mailshare.testing import store_contract, store_contract_print, store_contract_queue


@pytest.fixture(params=["memory", "sqlite"])
def store_factory(request: pytest.FixtureRequest, tmp_path: Path):
    """A factory of fresh stores of one kind."""
    if request.param == "memory":
        clock = Clock()
        clock.advance(1_800_000_000)
        return lambda: MemoryStore(clock=clock)
    from twisted.internet import reactor

    numbers = itertools.count()
    return lambda: SQLiteStore(str(tmp_path / str(next(numbers))), reactor=reactor, durability="relaxed")


class TestSeams(store_contract.SeamsContract):
    """Seams."""


class TestBody(store_contract.BodyContract):
    """Bodies."""


class TestDelivery(store_contract.DeliveryContract):
    """The door's transaction."""


class TestLedger(store_contract.LedgerContract):
    """The ledger."""


class TestMailbox(store_contract.MailboxContract):
    """Mailboxes."""


class TestWorkList(store_contract.WorkListContract):
    """Giving mail away."""


class TestQueue(store_contract_queue.QueueContract):
    """The queue."""


class TestPrintJobs(store_contract_print.PrintJobsContract):
    """Print jobs."""


class TestDirectory(store_contract_queue.DirectoryContract):
    """The directory."""


class TestJournal(store_contract_queue.JournalContract):
    """Events and settings."""
