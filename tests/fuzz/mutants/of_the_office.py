"""The control API: any JSON for any operation, on an office in memory."""

from __future__ import annotations

import json
from collections.abc import Coroutine
from datetime import UTC
from io import BytesIO
from random import Random
from typing import Any

from attrs import define, frozen
from mutants.subject import Subject
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from mailshare.assembly.acts import Acts
from mailshare.store.memory import MemoryStore
from mailshare.web.control import request_body
from mailshare.web.operations import BY_NAME, OPERATIONS

_LEFT_OUT = {"backup"}  # writes where it is told to


def now(work: Coroutine[Any, Any, Any]) -> Any:
    """The result of what does not really wait; nothing when it does."""
    outcome: list[Any] = []
    Deferred.fromCoroutine(work).addBoth(outcome.append)
    if outcome and isinstance(outcome[0], Failure):
        outcome[0].raiseException()
    return outcome[0] if outcome else None


async def _hasher(password: str, _like: str = "") -> tuple[str, str]:
    password.encode("utf-8")
    return "$argon2id$x", ""


@define
class Office:
    """One that is made anew now and then, because what was made in it stays."""

    acts: Acts | None = None
    calls: int = 0

    def fresh(self) -> Acts:
        """An office with an account and a user."""
        self.calls += 1
        if self.acts is None or self.calls % 200 == 0:
            clock = Clock()
            clock.advance(1_700_000_000)
            store = MemoryStore(clock=clock)
            now(store.open())
            self.acts = Acts(
                store, zone=UTC, hasher=_hasher, seal=lambda text: text.encode().hex(), clock=lambda: 1_700_000_000_000_000
            )
            now(self.acts.add_account(address="mail@company.example", collect="pop3s://mail@pop.isp.example", password="x"))
            now(self.acts.add_user(name="greg", accounts=["mail@company.example"]))
        return self.acts


OFFICE = Office()


@frozen
class _Request:
    content: BytesIO


def control(data: bytes) -> None:
    """The name of an operation, a blank, a body."""
    name, _, body = data.partition(b" ")
    given = request_body(_Request(BytesIO(body)))
    operation = BY_NAME.get(name.decode("ascii", "replace"))
    if operation is None or operation.name in _LEFT_OUT:
        return
    for argument in ("path", "file"):  # each names a file of ours to read
        given.pop(argument, None)
    arguments = operation.arguments(given)
    if operation.raw:
        arguments["document"] = BytesIO(body)
    json.dumps(now(getattr(OFFICE.fresh(), operation.name)(**arguments))).encode("utf-8")


_TEXTS = (
    "greg", "mail@company.example", "1", "", "x" * 3000, "\ud800", "a\0b", "a\r\nb", "-1", "9" * 5000, "admin1", "\u202egreg",
    "pop3s://mail@pop.isp.example", "2026-01-01", "domain", "0123456789abcdef", "company.example", "../../etc", "٣",
)  # fmt: skip
_ODD: tuple[Any, ...] = (
    None, True, 0, -1, 2**63, 10**400, 1.5, [], {}, [None], [[]], [{}], {"x": {}}, ["greg", 1], {"": None}, *_TEXTS,
    [{"days": "mon", "from": "07:00", "to": "08:00", "every": 5}], [{"days": 1}], {"plain": 5}, {"env": "\0"},
)  # fmt: skip


def call(random: Random) -> bytes:
    """A call that an operation may even take: right keys, mostly values of the right kind."""
    operation = random.choice([each for each in OPERATIONS if each.name not in _LEFT_OUT])
    fitting = {
        str: lambda: random.choice(_TEXTS),
        int: lambda: random.choice((0, 1, -1, 5, 2**31, 2**63, 2**70, 10**400)),
        bool: lambda: random.random() < 0.5,
        list: lambda: [random.choice(_ODD) for _ in range(random.randrange(3))],
        dict: lambda: {random.choice(_TEXTS[:4]): random.choice(_ODD) for _ in range(random.randrange(3))},
    }
    given: dict[str, Any] = {}
    for name, kind in operation.params.items():
        if name in operation.required or random.random() < 0.4:
            given[name] = random.choice(_ODD) if random.random() < 0.1 else fitting[kind]()
    return operation.name.encode() + b" " + json.dumps(given).encode()


CALLS = tuple(call(Random(seed)) for seed in range(200))
OFFICE_SUBJECTS = (Subject("control", control, CALLS, (b'"', b"[[", b'{"a":' * 2000, b"[" * 3000, b'"\\ud800"', b"1e400")),)
