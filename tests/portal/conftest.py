"""A memory store with some people, cheap password parameters, and a way to run a coroutine to its end."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailshare.core.address import Address
from mailshare.core.values import Account, User
from mailshare.portal.passwords import Passwords
from mailshare.store.memory import MemoryStore

T = TypeVar("T")


def finish(work: Coroutine[Any, Any, T] | Awaitable[T]) -> T:
    """The result of something that does not really wait."""
    outcome: list[Any] = []
    deferred = work if isinstance(work, Deferred) else Deferred.fromCoroutine(work)  # type: ignore[arg-type]
    deferred.addBoth(outcome.append)
    assert outcome, "it waits"
    if hasattr(outcome[0], "raiseException"):
        outcome[0].raiseException()
    return outcome[0]  # type: ignore[no-any-return]


async def at_once(work: Callable[[], T]) -> T:
    """A thread pool that is none."""
    return work()


def counting_random() -> Callable[[int], bytes]:
    """A random source that repeats itself in each run."""
    numbers = itertools.count(1)
    return lambda length: bytes((next(numbers) * 37 + position * 11) % 256 for position in range(length))


class CountedPasswords(Passwords):
    """Counts argon2 computations."""

    def __init__(self, **options: int) -> None:
        self.computed = 0
        super().__init__(self._count, counting_random(), **{"memory": 64, "passes": 1, **options})

    async def _count(self, work: Callable[[], T]) -> T:
        self.computed += 1
        return work()


@pytest.fixture
def clock() -> Clock:
    """Time."""
    made = Clock()
    made.advance(1_000_000)
    return made


@pytest.fixture
def store(clock: Clock) -> MemoryStore:
    """An open store with one account."""
    made = MemoryStore(clock=clock)
    finish(made.open())
    finish(made.directory.add_account(Account(0, 0, Address("mail", "company.example"))))
    return made


@pytest.fixture
def passwords() -> CountedPasswords:
    """Cheap ones."""
    return CountedPasswords()


@pytest.fixture
def greg(store: MemoryStore, passwords: CountedPasswords) -> User:
    """A user with the password ``correct``."""
    stored = finish(passwords.hash(b"correct"))
    verifier = finish(passwords.verifier(b"correct"))
    user = finish(store.directory.add_user(User(0, "greg", accounts=(1,)), password_hash=stored, scram=verifier))
    passwords.computed = 0
    return user
