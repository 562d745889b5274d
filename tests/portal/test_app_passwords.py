"""App passwords: each opens the same mailbox, each can be taken back alone, and none costs more than one check."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from mailshare.core.errors import LoginRefused, NoSuchUser, PolicyRefusal
from mailshare.core.values import User
from mailshare.portal.app_passwords import MOST, AppPassword, AppPasswords, salted_as
from mailshare.portal.checkers import DirectoryChecker
from mailshare.portal.throttle import Throttle
from mailshare.portal.verified import VerifiedCache
from mailshare.portal.verifier import DirectoryVerifiers
from mailshare.shell.logins import PasswordLogin, VerifiedLogin
from mailshare.store.memory import MemoryStore
from mailshare.wire.sasl.mechanism import Challenge, NeedVerifier, Proven, Refused, Result
from mailshare.wire.sasl.scram import ScramClient, ScramServer
from tests.portal.conftest import CountedPasswords, finish

PHONE, SCANNER = "abcd-efgh-jkmn-pqrs", "wxyz-2345-6789-abcd"


class Door:
    """A checker that knows app passwords, and the source of verifiers beside it."""

    def __init__(self, store: MemoryStore, passwords: CountedPasswords, clock: Clock) -> None:
        self.clock, self.passwords = clock, passwords
        self.apps = AppPasswords(store.settings)
        self.secrets: dict[str, str] = {}
        self.checker = DirectoryChecker(
            store.directory, passwords, Throttle(), VerifiedCache(b"k" * 32), clock, self.secrets.get, self.apps
        )
        self.source = DirectoryVerifiers(store.directory, passwords, b"s" * 32, self.secrets.get, self.apps)

    def make(self, user: User, password: str, label: str) -> AppPassword:
        """Give a user one, salted as the others."""
        like = finish(self.source.verifier(user.name)).partition("\n")[0]
        scram = finish(self.passwords.verifier(password.encode(), like))
        app = AppPassword(password[:4], label, finish(self.passwords.hash(password.encode())), scram, made=5)
        finish(self.apps.add(user.id, app))
        self.passwords.computed = 0
        return app

    def log_in(self, name: str, password: str) -> object:
        """A try and its result, however long it waits."""
        deferred = self.checker.requestAvatarId(PasswordLogin(name, password, peer="192.0.2.1"))
        self.clock.pump([1.0] * 40)
        return finish(deferred)

    def scram(self, name: str, password: str) -> Result:
        """A whole exchange; the last word of the server."""
        client, server = ScramClient(name, password, "c" * 24), ScramServer("s" * 24)
        asked = server.start(client.initial())
        assert isinstance(asked, NeedVerifier)
        first = server.verifier(finish(self.source.verifier(asked.name)))
        assert isinstance(first, Challenge)
        last = server.step(client.respond(first.data))
        if isinstance(last, Challenge):
            client.respond(last.data)
            client.succeeded()
            return server.step(b"")
        return last


@pytest.fixture
def door(store: MemoryStore, passwords: CountedPasswords, clock: Clock) -> Door:
    """The checker under test."""
    return Door(store, passwords, clock)


def test_each_password_opens_the_mailbox(door: Door, greg: User) -> None:
    """The user's own and every app password; nothing else."""
    door.make(greg, PHONE, "telephone")
    door.make(greg, SCANNER, "scanner")
    for password in ("correct", PHONE, SCANNER):
        assert door.log_in("greg", password) == b"greg"
    with pytest.raises(LoginRefused):
        door.log_in("greg", "abcd-efgh-jkmn-wxyz")


def test_revoking_one_leaves_the_others(door: Door, greg: User) -> None:
    """Also when all of them were verified a moment ago: what is remembered dies with the hash."""
    door.make(greg, PHONE, "telephone")
    door.make(greg, SCANNER, "scanner")
    for password in ("correct", PHONE, SCANNER):
        door.log_in("greg", password)
    finish(door.apps.revoke(greg.id, "Telephone"))
    with pytest.raises(LoginRefused):
        door.log_in("greg", PHONE)
    assert door.log_in("greg", SCANNER) == door.log_in("greg", "correct") == b"greg"


def test_a_remembered_app_password_costs_nothing(door: Door, greg: User) -> None:
    """Two programs that poll in turn do not push each other out of the cache."""
    door.make(greg, PHONE, "telephone")
    door.log_in("greg", PHONE)
    door.log_in("greg", "correct")
    door.passwords.computed = 0
    door.log_in("greg", PHONE)
    door.log_in("greg", "correct")
    assert door.passwords.computed == 0


def test_a_wrong_password_costs_one_check_however_many_there_are(door: Door, greg: User) -> None:
    """The mark says which hash is meant, so that time tells nothing about how many there are."""
    for number in range(5):
        door.make(greg, f"{number}bcd-efgh", f"label {number}")
    door.passwords.computed = 0
    with pytest.raises(LoginRefused):
        door.log_in("greg", "wrong")
    assert door.passwords.computed == 1


def test_last_use_is_noted_to_the_hour(door: Door, greg: User) -> None:
    """A program that polls each minute writes once an hour."""
    door.make(greg, PHONE, "telephone")
    door.log_in("greg", PHONE)
    (first,) = finish(door.apps.of(greg.id))
    door.log_in("greg", PHONE)
    assert finish(door.apps.of(greg.id)) == (first,)
    door.clock.advance(3600)
    door.log_in("greg", PHONE)
    (later,) = finish(door.apps.of(greg.id))
    assert 0 < first.used < later.used


@pytest.mark.parametrize("password", ["correct", PHONE, SCANNER])
def test_scram_takes_each_password(door: Door, greg: User, password: str) -> None:
    """One exchange fits any of them, and the server proves itself with the right key; the checker lets it in."""
    door.make(greg, PHONE, "telephone")
    door.make(greg, SCANNER, "scanner")
    proven = door.scram("greg", password)
    assert isinstance(proven, Proven)
    login = VerifiedLogin("greg", "192.0.2.1", verifier=proven.verifier)
    assert finish(door.checker.requestAvatarId(login)) == b"greg"
    used = [app.label for app in finish(door.apps.of(greg.id)) if app.used]
    assert used == {"correct": [], PHONE: ["telephone"], SCANNER: ["scanner"]}[password]


def test_scram_refuses_what_was_revoked(door: Door, greg: User) -> None:
    """A new exchange does not fit it, and one under way comes too late."""
    door.make(greg, PHONE, "telephone")
    proven = door.scram("greg", PHONE)
    assert isinstance(proven, Proven)
    finish(door.apps.revoke(greg.id, "telephone"))
    assert isinstance(door.scram("greg", PHONE), Refused)
    with pytest.raises(LoginRefused):
        finish(door.checker.requestAvatarId(VerifiedLogin("greg", "192.0.2.1", verifier=proven.verifier)))


def test_a_declared_user_keeps_scram_beside_app_passwords(door: Door, greg: User) -> None:
    """The verifier of the secret in the file is made with the salt of the app passwords."""
    door.secrets["greg"] = "open sesame"
    door.make(greg, PHONE, "telephone")
    lines = finish(door.source.verifier("greg")).split("\n")
    assert len(lines) == 2
    assert len({salted_as(line) for line in lines}) == 1
    for password in ("open sesame", PHONE):
        proven = door.scram("greg", password)
        assert isinstance(proven, Proven)
        login = VerifiedLogin("greg", "192.0.2.1", verifier=proven.verifier)
        assert finish(door.checker.requestAvatarId(login)) == b"greg"


def test_verifiers_with_other_salts_are_not_mixed(greg: User) -> None:
    """Several verifiers without a common salt cannot serve one exchange: the server's half refuses."""
    server = ScramServer("s" * 24)
    server.start(ScramClient("greg", "x", "c" * 24).initial())
    one = "SCRAM-SHA-256$4096:QUFBQUFBQUE=$" + "A" * 43 + "=:" + "A" * 43 + "="
    assert isinstance(server.verifier(one + "\n" + one.replace("QUFB", "QkJC")), Refused)


def test_labels_are_unique_and_bounded(door: Door, greg: User) -> None:
    """The same label twice, one too many, and one that is not there."""
    door.make(greg, PHONE, "telephone")
    with pytest.raises(PolicyRefusal):
        door.make(greg, SCANNER, "Telephone")
    for number in range(MOST - 1):
        finish(door.apps.add(greg.id, AppPassword("m", str(number), "h", "")))
    with pytest.raises(PolicyRefusal):
        finish(door.apps.add(greg.id, AppPassword("m", "one more", "h", "")))
    with pytest.raises(NoSuchUser):
        finish(door.apps.revoke(greg.id, "tablet"))
    assert finish(door.apps.revoke_all(greg.id)) == MOST
    assert finish(door.apps.of(greg.id)) == ()
