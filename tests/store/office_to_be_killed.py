"""A process that forks offices which deliver or collect until somebody kills them; driven by test_kill.py.

Lines on standard input: ``deliver|collect DIRECTORY SEED``. For each, a child is forked (all is imported already,
so that a kill costs milliseconds); the answers are ``started PID``, ``ready`` once its store is open, and ``ended
STATUS``. What the child acknowledges it appends to ``DIRECTORY.acknowledged`` before it goes on.

A kill may cut a write where it crosses a page of the file (the kernel copies page by page and looks for a fatal signal
in between). So each line begins with a line end of its own and ends with a semicolon: one without was cut, counts as
never written, and spoils none that follows.
"""

from __future__ import annotations

import os
import random
import sys
from hashlib import sha256

from twisted.internet import defer, epollreactor, threads  # noqa: F401 - imported before the fork
from twisted.python.threadpool import ThreadPool  # noqa: F401

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope
from mailshare.core.values import Account, LedgerKey, LedgerState, Origin, Source, Target, User
from mailshare.store import segments
from mailshare.store.sqlite import SQLiteStore

UPSTREAM = 400
PRODUCERS = 8


def key_of(trace: str) -> bytes:
    """By which a second copy is known."""
    return sha256(trace.encode()).digest()


def append(path: str, line: str) -> None:
    """Add a line that a kill cannot take back."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"\n{line};\n".encode())
    os.close(descriptor)


def lines(path: str) -> list[str]:
    """What was appended and not cut."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="ascii") as file:
        return [line[:-1] for line in file.read().split("\n") if line.endswith(";")]


async def people(store: SQLiteStore) -> tuple[Account, list[User]]:
    """One account and three users, made by the first child."""
    found = store.directory.current()
    account = found.accounts[0] if found.accounts else None
    if account is None:
        account = await store.directory.add_account(Account(0, 0, Address.parse("mail@office.example")))
    for name in ("andrew", "greg", "lisa"):
        if name not in found.user_by_name:
            await store.directory.add_user(User(0, name, accounts=(account.id,)))
    names = store.directory.current().user_by_name
    return account, [names["andrew"], names["greg"], names["lisa"]]


async def body(store: SQLiteStore, name: str, size: int, chance: random.Random):
    """A message of that size with a name in its header."""
    data = b"Message-ID: <%s>\r\nFrom: a@out.example\r\n\r\n" % name.encode() + chance.randbytes(size)
    sink = store.new_body(len(data))
    for start in range(0, len(data), 32_768):
        wait = sink.write(data[start : start + 32_768])
        if wait is not None:
            await wait
    return await sink.finish(), sha256(data).hexdigest()


async def deliver(store: SQLiteStore, directory: str, seed: int) -> None:
    """Deliver for ever, eight at a time."""
    _, users = await people(store)
    say("ready")

    async def produce(number: int) -> None:
        chance = random.Random(seed * 100 + number)
        while True:
            trace = f"{chance.getrandbits(64):016x}"
            one, digest = await body(store, trace, chance.randint(600, 120_000), chance)
            targets = [Target(user.id, "test", b"Delivered-To: x\r\n") for user in users[: chance.randint(1, 3)]]
            at = store.events._database.now()
            origin = Origin(Source.SMTP, trace)
            await store.delivery.deliver(Envelope(None), one, origin, targets, at=at, duplicate_key=key_of(trace))
            append(directory + ".acknowledged", f"{trace} {digest} {len(targets)}")

    await defer.gatherResults([defer.Deferred.fromCoroutine(produce(number)) for number in range(PRODUCERS)])


async def collect(store: SQLiteStore, directory: str, seed: int) -> None:
    """Collect a pretend upstream mailbox: store, then delete there, then note that it is gone."""
    account, users = await people(store)
    say("ready")
    chance = random.Random(seed)
    removed = set(lines(directory + ".removed"))
    listed = [uidl for uidl in (f"{seed // 1000}-{number}" for number in range(UPSTREAM)) if uidl not in removed]
    known = await store.ledger.known(account.id)
    at = store.events._database.now()
    wanted = [uidl for uidl in listed if uidl in known]
    for uidl in [*wanted, *(uidl for uidl in listed if uidl not in known)]:
        if uidl not in known:
            key = LedgerKey(account.id, uidl, 700, b"d" * 32)
            one, _ = await body(store, uidl, chance.choice([700, 700, 70_000]), chance)
            origin = Origin(Source.COLLECT, f"{chance.getrandbits(64):016x}", ledger=key)
            await store.delivery.deliver(Envelope(None), one, origin, [Target(users[0].id, "test")], at=at)
            wanted.append(uidl)
        if len(wanted) >= 10:
            await forget(store, directory, account, wanted, at)
            wanted = []
    await forget(store, directory, account, wanted, at)


async def forget(store: SQLiteStore, directory: str, account: Account, uidls: list[str], at: int) -> None:
    """Delete upstream, then say so in the ledger."""
    for uidl in uidls:
        append(directory + ".removed", uidl)
    await store.ledger.mark(account.id, uidls, LedgerState.GONE, at)


def say(text: str) -> None:
    """Tell the test."""
    os.write(1, text.encode() + b"\n")


def live(mode: str, directory: str, seed: int) -> None:
    """The child: ends by itself only when there is nothing left to collect."""
    epollreactor.install()
    from twisted.internet import reactor

    segments.SAVED = 1.0  # on whatever disk: bodies in the database, beside it with others, and alone
    store = SQLiteStore(directory, reactor=reactor)

    async def run() -> None:
        await store.open()
        await (deliver if mode == "deliver" else collect)(store, directory, seed)
        await store.close()

    status = []

    def end(result: object) -> None:
        status.append(3 if hasattr(result, "printTraceback") else 0)
        if status[0]:
            result.printTraceback(sys.stderr)
        reactor.stop()

    reactor.callWhenRunning(lambda: defer.Deferred.fromCoroutine(run()).addBoth(end))
    reactor.run(installSignalHandlers=False)
    sys.stderr.flush()
    os._exit(status[0])


def main() -> None:
    """Fork what is asked for."""
    for line in sys.stdin:
        mode, directory, seed = line.split()
        child = os.fork()
        if child == 0:
            live(mode, directory, int(seed))
        say(f"started {child}")
        _, status = os.waitpid(child, 0)
        say(f"ended {status}")


main()
