"""Who gets in, what it costs, and how long the others wait."""

from __future__ import annotations

import pytest
from twisted.cred.checkers import ANONYMOUS, AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import Anonymous, IUsernamePassword, UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailshare.core.errors import LoginRefused, TooManyTries
from mailshare.core.values import User
from mailshare.portal.checkers import CheckerStack, DirectoryChecker
from mailshare.portal.throttle import Throttle
from mailshare.portal.verified import VerifiedCache
from mailshare.shell.logins import DEVICE, IVerifiedLogin, PasswordLogin, VerifiedLogin
from mailshare.store.memory import MemoryStore
from tests.portal.conftest import CountedPasswords, finish


class Door:
    """A checker and its surroundings."""

    def __init__(self, store: MemoryStore, passwords: CountedPasswords, clock: Clock) -> None:
        self.secrets: dict[str, str] = {}
        self.clock = clock
        self.checker = DirectoryChecker(
            store.directory, passwords, Throttle(), VerifiedCache(b"k" * 32), clock, self.secrets.get
        )

    def start(self, name: str, password: str, peer: str = "192.0.2.1") -> Deferred[object]:
        """A try under way."""
        return self.checker.requestAvatarId(PasswordLogin(name, password, peer=peer))

    def log_in(self, name: str, password: str, peer: str = "192.0.2.1") -> object:
        """A try and its result, however long it waits."""
        deferred = self.start(name, password, peer)
        self.clock.pump([1.0] * 40)
        return finish(deferred)


@pytest.fixture
def door(store: MemoryStore, passwords: CountedPasswords, clock: Clock) -> Door:
    """The checker under test."""
    return Door(store, passwords, clock)


def test_right_and_wrong_password(door: Door, greg: User) -> None:
    """The right password gives the login name whatever its case; a wrong one is refused."""
    assert door.log_in("greg", "correct") == b"greg"
    assert door.log_in("GREG", "correct") == b"greg"
    with pytest.raises(LoginRefused):
        door.log_in("greg", "wrong")


def test_one_computation_for_known_and_unknown(door: Door, greg: User, passwords: CountedPasswords) -> None:
    """A wrong password, an unknown name and a declared user's wrong password cost the same."""
    door.secrets["carolyn"] = "open sesame"
    finish(door.checker._directory.add_user(User(0, "carolyn"), declared=True))
    for name in ("greg", "nobody", "carolyn", "public1"):
        passwords.computed = 0
        with pytest.raises(LoginRefused):
            door.log_in(name, "wrong", peer=name)
        assert passwords.computed == 1, name


def test_verified_logins_are_not_computed_again(door: Door, greg: User, passwords: CountedPasswords) -> None:
    """Within ten minutes the second login costs no argon2; after that it does."""
    door.log_in("greg", "correct")
    passwords.computed = 0
    door.log_in("greg", "correct")
    assert passwords.computed == 0
    door.clock.advance(601)
    door.log_in("greg", "correct")
    assert passwords.computed == 1


def test_changed_password_ends_the_memory(door: Door, greg: User, passwords: CountedPasswords) -> None:
    """After a change the old password is refused at once."""
    door.log_in("greg", "correct")
    finish(door.checker._directory.change_user(greg, password_hash=finish(passwords.hash(b"new"))))
    with pytest.raises(LoginRefused):
        door.log_in("greg", "correct")
    assert door.log_in("greg", "new") == b"greg"


def test_declared_user(door: Door, store: MemoryStore) -> None:
    """The secret of the configuration file opens the door, and an empty stored hash never does."""
    finish(store.directory.add_user(User(0, "carolyn"), declared=True))
    with pytest.raises(LoginRefused):
        door.log_in("carolyn", "")
    door.secrets["carolyn"] = "öffne dich"
    assert door.log_in("carolyn", "öffne dich") == b"carolyn"
    door.secrets["carolyn"] = "changed"
    with pytest.raises(LoginRefused):
        door.log_in("carolyn", "öffne dich")


def test_a_guesser_waits_and_a_verified_user_does_not(door: Door, greg: User) -> None:
    """Forty connections guess three times a second at most; greg, verified before, gets in at once meanwhile."""
    door.log_in("greg", "correct", peer="192.0.2.50")
    answers: list[object] = []
    for number in range(40):
        door.start("greg", f"guess{number}").addErrback(lambda failure: answers.append(failure.type))
    for second in range(20):
        assert len(answers) <= 1 + 3 * second
        assert finish(door.start("greg", "correct", peer="192.0.2.50")) == b"greg"
        door.clock.pump([0.5, 0.5])
    assert answers == [LoginRefused] * 40
    answers.clear()
    for number in range(40):
        door.start("greg", f"again{number}").addErrback(lambda failure: answers.append(failure.type))
    door.clock.advance(14)
    assert answers == []
    door.clock.pump([1.0] * 60)
    assert answers.count(TooManyTries) == 38
    assert answers.count(LoginRefused) == 2


def test_proven_names_are_looked_up(door: Door, greg: User, store: MemoryStore) -> None:
    """What SCRAM has proven needs no password, but the login must still be enabled."""
    assert finish(door.checker.requestAvatarId(VerifiedLogin("Greg"))) == b"greg"
    with pytest.raises(LoginRefused):
        finish(door.checker.requestAvatarId(VerifiedLogin("nobody")))


def test_a_right_proof_is_as_slow_as_a_wrong_one(door: Door, greg: User) -> None:
    """Whoever guessed wrong stands in the line with his next proof too; a machine known by its address does not."""
    with pytest.raises(LoginRefused):
        door.log_in("greg", "wrong")
    proven = door.checker.requestAvatarId(VerifiedLogin("greg", "192.0.2.1"))
    assert not proven.called
    assert finish(door.checker.requestAvatarId(VerifiedLogin("greg", "192.0.2.1", mechanism=DEVICE))) == b"greg"
    door.clock.advance(1)
    assert finish(proven) == b"greg"


def test_old_hash_is_renewed(door: Door, store: MemoryStore, passwords: CountedPasswords) -> None:
    """A hash with other parameters is replaced at the next login, and a missing SCRAM verifier is made."""
    old = CountedPasswords(memory=32)
    finish(store.directory.add_user(User(0, "ann"), password_hash=finish(old.hash(b"pw"))))
    assert door.log_in("ann", "pw") == b"ann"
    found = finish(store.directory.credentials("ann"))
    assert found is not None
    assert "m=64" in found[1]
    assert found[2].startswith("SCRAM-SHA-256$16384:")
    assert finish(passwords.verify(found[1], b"pw"))
    passwords.computed = 0
    door.log_in("ann", "pw")
    assert passwords.computed == 0


def test_long_password_is_refused(door: Door, greg: User) -> None:
    """A megabyte of password is not hashed."""
    with pytest.raises(LoginRefused):
        door.log_in("greg", "x" * 1_000_000)


def test_stock_credentials_work(door: Door, greg: User) -> None:
    """Twisted's own UsernamePassword is checked like ours."""
    assert finish(door.checker.requestAvatarId(UsernamePassword(b"greg", b"correct"))) == b"greg"


def test_stack_asks_in_turn(door: Door, greg: User) -> None:
    """Ours first, a stock one next, nobody's last; only refusals go on to the next."""
    other = InMemoryUsernamePasswordDatabaseDontUse(ann=b"pw")
    stack = CheckerStack([door.checker, other, AllowAnonymousAccess()])
    assert IUsernamePassword in stack.credentialInterfaces
    assert IVerifiedLogin in stack.credentialInterfaces
    assert finish(stack.requestAvatarId(PasswordLogin("greg", "correct", peer="a"))) == b"greg"
    assert finish(stack.requestAvatarId(PasswordLogin("ann", "pw", peer="b"))) == b"ann"
    assert finish(stack.requestAvatarId(Anonymous())) == ANONYMOUS
    refused = stack.requestAvatarId(PasswordLogin("ann", "no", peer="c"))
    door.clock.advance(1)
    with pytest.raises(UnauthorizedLogin):
        finish(refused)


@pytest.mark.parametrize("name", ["greg", "nobody"])
def test_a_volley_of_guesses_is_refused_one_by_one(
    door: Door, greg: User, passwords: CountedPasswords, name: str
) -> None:
    """Forty tries that all began before the first was refused are refused three times a second at most, whether the
    name exists or not; a right password among them does not wait for them."""
    computing: list[Deferred[None]] = []
    verify, waste = passwords.verify, passwords.waste

    async def busy(work: object, *arguments: object) -> object:
        computing.append(Deferred())
        await computing[-1]
        return await work(*arguments)

    passwords.verify = lambda *arguments: busy(verify, *arguments)
    passwords.waste = lambda *arguments: busy(waste, *arguments)
    refused: list[float] = []
    for number in range(40):
        door.start(name, f"guess{number}").addErrback(lambda _: refused.append(door.clock.seconds()))
    right = door.start("greg", "correct")
    began = door.clock.seconds()
    for each in computing:
        each.callback(None)
    assert finish(right) == b"greg"
    door.clock.pump([0.1] * 400)
    assert len(refused) == 40
    assert all(sum(start <= at < start + 1 for at in refused) <= 3 for start in refused)
    assert refused[-1] - began < 30


@pytest.mark.parametrize("connections", [1, 40])
def test_forty_wrong_tries_cost_the_same_for_every_name(
    door: Door, greg: User, store: MemoryStore, passwords: CountedPasswords, connections: int
) -> None:
    """Known, unknown, declared and disabled names, one after the other or all at once: the same number of password
    computations, the same times of the answers, and in sum no more than three in a second."""
    finish(store.directory.add_user(User(0, "carolyn", accounts=(1,)), password_hash=""))
    door.secrets["carolyn"] = "declared"
    finish(store.directory.add_user(User(0, "lisa", enabled=False), password_hash=finish(passwords.hash(b"x"))))
    found = {}
    for number, name in enumerate(("greg", "nobody", "carolyn", "lisa")):
        passwords.computed = 0
        began, times = door.clock.seconds(), list[float]()

        def told(_: object, times: list[float] = times, began: float = began) -> None:
            times.append(round(door.clock.seconds() - began, 1))

        for try_ in range(40):
            one = door.start(name, f"guess{try_}", peer=f"192.0.2.{number + 1}").addErrback(told)
            while connections == 1 and not one.called:
                door.clock.advance(0.1)
        while len(times) < 40:
            door.clock.advance(0.1)
        found[name] = passwords.computed, times
        assert all(sum(start <= at < start + 1 for at in times) <= 3 for start in times)
    assert len({str(each) for each in found.values()}) == 1, found
    assert found["greg"][0] == 40
