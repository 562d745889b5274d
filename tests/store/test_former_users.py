"""Deleted users: their mail stays thirty days, they can come back whole, and then nothing is left of them."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope
from mailshare.core.errors import NoSuchUser, PolicyRefusal
from mailshare.core.personal import Quota, Vacation
from mailshare.core.values import Account, Origin, Source, Target, User
from mailshare.store.memory import MemoryStore

DAY = 86_400
LETTER = b"From: x@example.net\r\nSubject: Hi\r\n\r\nBody\r\n"


def done(work: Awaitable[Any]) -> Any:
    """The result of what does not really wait."""
    out: list[Any] = []
    Deferred.fromCoroutine(work).addBoth(out.append)  # type: ignore[arg-type]
    if hasattr(out[0], "raiseException"):
        out[0].raiseException()
    return out[0]


@pytest.fixture
def clock() -> Clock:
    """A day in November."""
    clock = Clock()
    clock.advance(1_795_262_400)
    return clock


@pytest.fixture
def store(clock: Clock) -> MemoryStore:
    """An office where greg has one letter, a copy rule in each direction, and everything that a user may have."""
    store = MemoryStore(clock=clock, hostname="mail.office.example")
    done(store.open())
    done(store.directory.add_account(Account(0, 0, Address("mail", "company.example"))))
    lisa = done(store.directory.add_user(User(0, "lisa", accounts=(1,))))
    greg = User(
        0, "greg", names=("Greg Hill",), accounts=(1,), cc=(lisa.id,), quota=Quota(1000, 2),
        forward=(Address("greg", "example.net"),), vacation=Vacation("Away", "Gone", "2026-11-01", "2026-12-01"),
    )  # fmt: skip
    greg = done(store.directory.add_user(greg, password_hash="hash", scram="scram"))
    done(store.directory.change_user(User(lisa.id, "lisa", accounts=(1,), cc=(greg.id,))))
    sink = store.new_body(len(LETTER))
    sink.write(LETTER)
    body = done(sink.finish())
    at = int(clock.seconds()) * 1_000_000
    origin = Origin(Source.COLLECT, "a" * 16)
    done(store.delivery.deliver(Envelope(None), body, origin, [Target(greg.id, "tag")], at=at))
    return store


def test_what_a_user_has_of_his_own_is_kept(store: MemoryStore) -> None:
    """Quota, forwarding and vacation come back from the rows as they went in."""
    greg = store.directory.current().user_by_name["greg"]
    assert (greg.quota, greg.forward) == (Quota(1000, 2), (Address("greg", "example.net"),))
    assert greg.vacation == Vacation("Away", "Gone", "2026-11-01", "2026-12-01")


def test_a_deleted_user_is_known_as_former(store: MemoryStore) -> None:
    """Nobody logs in as him, nobody copies to him, and his names are remembered."""
    greg = store.directory.current().user_by_name["greg"]
    done(store.directory.delete_user(greg.id))
    directory = store.directory.current()
    assert [(one.id, one.name, one.names, one.accounts) for one in directory.former] == [
        (greg.id, "greg", ("Greg Hill",), (1,))
    ]
    assert directory.user_by_name["lisa"].cc == ()
    assert done(store.directory.credentials("greg")) is None


def test_a_restored_user_is_the_same_again(store: MemoryStore, clock: Clock) -> None:
    """Id, mail, passwords, settings and copies in both directions, on the last of thirty days."""
    before = store.directory.current()
    greg = before.user_by_name["greg"]
    done(store.directory.delete_user(greg.id))
    clock.advance(30 * DAY - 60)
    done(store.collect_garbage(int(clock.seconds()) * 1_000_000))
    assert done(store.directory.restore_user("Greg")) == greg
    after = store.directory.current()
    assert (after.users, after.former) == (before.users, ())
    assert done(store.directory.credentials("greg"))[1:] == ("hash", "scram")
    drop = done(store.mailboxes.lock_maildrop(greg.id, "test"))
    assert drop.count == 1
    drop.release()


def test_after_thirty_days_nothing_is_left(store: MemoryStore, clock: Clock) -> None:
    """The garbage timer drops mail, name and settings; coming back is over."""
    greg = store.directory.current().user_by_name["greg"]
    done(store.settings.put("app-password", str(greg.id), [{"id": "abcd"}]))
    done(store.directory.delete_user(greg.id))
    clock.advance(30 * DAY + 60)
    with pytest.raises(NoSuchUser):
        done(store.directory.restore_user("greg"))
    done(store.collect_garbage(int(clock.seconds()) * 1_000_000))
    assert store.directory.current().former == ()
    assert done(store.settings.all("app-password")) == {}
    assert done(store.settings.all("former-user")) == {}
    assert done(store.find("a" * 16)) == []


def test_the_days_are_those_of_the_limits(clock: Clock) -> None:
    """``limits.former_mailbox`` of 2 days: a user comes back within them and not after."""
    store = MemoryStore(clock=clock, former_days=2)
    done(store.open())
    for name in ("greg", "lisa"):
        done(store.directory.delete_user(done(store.directory.add_user(User(0, name))).id))
    (greg, _) = store.directory.current().former
    assert greg.until - greg.deleted == 2 * DAY * 1_000_000
    clock.advance(2 * DAY - 1)
    done(store.collect_garbage(int(clock.seconds()) * 1_000_000))
    done(store.directory.restore_user("greg"))
    clock.advance(2)
    done(store.collect_garbage(int(clock.seconds()) * 1_000_000))
    with pytest.raises(NoSuchUser):
        done(store.directory.restore_user("lisa"))
    assert store.directory.current().former == ()


def test_nobody_comes_back_into_a_name_that_is_taken(store: MemoryStore) -> None:
    """A successor keeps the login."""
    done(store.directory.delete_user(store.directory.current().user_by_name["greg"].id))
    done(store.directory.add_user(User(0, "greg", accounts=(1,))))
    with pytest.raises(PolicyRefusal):
        done(store.directory.restore_user("greg"))


def test_the_first_of_two_who_had_one_login_comes_back(store: MemoryStore, clock: Clock) -> None:
    """The last one comes back by name; an earlier one by number, with what was his, and never somebody else."""
    first = store.directory.current().user_by_name["greg"]
    done(store.directory.delete_user(first.id))
    second = done(store.directory.add_user(User(0, "greg", names=("Greg Other",), accounts=(1,))))
    lisa = store.directory.current().user_by_name["lisa"]
    done(store.directory.delete_user(second.id))
    for number in (lisa.id, 999):
        with pytest.raises(NoSuchUser):
            done(store.directory.restore_user("greg", number))
    back = done(store.directory.restore_user("greg", first.id))
    assert (back.id, back.names) == (first.id, ("Greg Hill",))
    drop = done(store.mailboxes.lock_maildrop(first.id, "test"))
    assert drop.count == 1
    drop.release()
    assert [one.id for one in store.directory.current().former] == [second.id]
    clock.advance(60)
    done(store.directory.delete_user(first.id))
    assert done(store.directory.restore_user("greg")).id == first.id
