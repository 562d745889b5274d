"""Hashes, generated passwords and SCRAM verifiers."""

from __future__ import annotations

import os

import pytest
from argon2.exceptions import VerifyMismatchError
from hypothesis import given, settings
from hypothesis import strategies as st

from mailshare.core.values import User
from mailshare.portal.passwords import Passwords
from mailshare.portal.verified import VerifiedCache
from mailshare.portal.verifier import DirectoryVerifiers
from mailshare.store.memory import MemoryStore
from mailshare.wire.sasl.scram import Verifier
from tests.portal.conftest import CountedPasswords, at_once, finish


def test_real_parameters() -> None:
    """The hash that is stored is argon2id with 19 MiB, two passes, one lane."""
    passwords = Passwords(at_once, os.urandom)
    stored = finish(passwords.hash(b"secret"))
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert finish(passwords.verify(stored, b"secret"))
    assert not finish(passwords.verify(stored, b"Secret"))
    assert not passwords.outdated(stored)


def test_names_without_a_password_cost_a_whole_check() -> None:
    """What stands in for their hash is one by form and parameters, so argon2 is computed and finds no match."""
    passwords = Passwords(at_once, os.urandom)
    assert not passwords.outdated(passwords._dummy)
    with pytest.raises(VerifyMismatchError):
        passwords._hasher.verify(passwords._dummy, b"secret")
    assert Passwords(at_once, os.urandom)._dummy != passwords._dummy


@pytest.mark.parametrize("stored", ["", "plain", "$argon2id$v=19$m=64,t=1,p=1$broken"])
def test_what_is_no_hash_never_matches(stored: str, passwords: CountedPasswords) -> None:
    """A damaged row lets nobody in and raises nothing."""
    assert not finish(passwords.verify(stored, b""))
    assert not finish(passwords.verify(stored, stored.encode()))


def test_generated_passwords() -> None:
    """Four groups of letters that are not mistaken for one another, different each time."""
    passwords = Passwords(at_once, os.urandom)
    made = {passwords.generate() for _ in range(50)}
    assert len(made) == 50
    assert all(len(each) == 19 and not set(each) & set("ilo01") for each in made)


def test_verifiers(store: MemoryStore, passwords: CountedPasswords, greg: User) -> None:
    """Known users get theirs; unknown names a made-up one that never changes and looks the same."""
    source = DirectoryVerifiers(store.directory, passwords, b"s" * 32)
    known, unknown = finish(source.verifier("greg")), finish(source.verifier("nobody"))
    assert finish(source.verifier("Nobody")) == unknown
    assert finish(source.verifier("somebody")) != unknown
    one, other = Verifier.parse(known), Verifier.parse(unknown)
    assert one.iterations == other.iterations
    assert len(one.salt) == len(other.salt)
    assert len(known) == len(unknown)
    assert finish(DirectoryVerifiers(store.directory, passwords, b"t" * 32).verifier("nobody")) != unknown


def test_verifier_of_a_declared_user(store: MemoryStore, passwords: CountedPasswords) -> None:
    """It is computed once, and again when the secret of the file changes."""
    secrets = {"carolyn": "one"}
    finish(store.directory.add_user(User(0, "carolyn"), declared=True))
    source = DirectoryVerifiers(store.directory, passwords, b"s" * 32, secrets.get)
    first = finish(source.verifier("carolyn"))
    assert finish(source.verifier("carolyn")) == first
    secrets["carolyn"] = "two"
    assert finish(source.verifier("carolyn")) != first


@given(st.text(max_size=20), st.text(max_size=20), st.binary(max_size=20), st.binary(max_size=20))
@settings(max_examples=50)
def test_cache_holds_exactly_what_was_kept(name: str, stored: str, password: bytes, other: bytes) -> None:
    """Nothing but the same name, credential and password is found."""
    cache = VerifiedCache(b"k" * 32)
    cache.keep(name, stored, password, 0.0)
    assert cache.holds(name, stored, password, 1.0)
    assert cache.holds(name, stored, other, 1.0) is (password == other)
    assert not cache.holds(name, stored + "x", password, 1.0)
    assert not cache.holds(name + "x", stored, password, 1.0)
    assert not cache.holds(name, stored, password, 600.0)
    cache.keep(name, stored, password, 700.0)
    cache.forget(name)
    assert not cache.holds(name, stored, password, 701.0)
