"""Passwords of local users: argon2id, always in a thread, and generated ones that people can type.

The parameters (19 MiB, two passes, one lane) cost about 20 ms, which a mail program that polls each minute can afford;
:mod:`mailshare.portal.checkers` remembers what was verified for some minutes on top of that.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from mailshare.wire.sasl.scram import Verifier, make_verifier

T = TypeVar("T")
_TYPED_EASILY = "abcdefghjkmnpqrstuvwxyz23456789"  # without i, l, o, 0 and 1, which are mistaken for one another
ITERATIONS = 16_384  # of SCRAM verifiers; made-up ones must show the same number


class InThread(Protocol):
    """Does work in a thread and fires on the reactor's thread with what it returned or raised."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]:
        """Do it."""
        ...


class Passwords:
    """Hashes and checks.

    :param in_thread: where the work is done; a bounded pool.
    :param random: gives that many random octets, e.g. :func:`os.urandom`.
    :param memory: KiB for one check.
    """

    def __init__(
        self, in_thread: InThread, random: Callable[[int], bytes], *, memory: int = 19 * 1024, passes: int = 2
    ) -> None:
        self._in_thread = in_thread
        self._random = random
        self._hasher = PasswordHasher(
            time_cost=passes, memory_cost=memory, parallelism=1, hash_len=32, salt_len=16, type=Type.ID
        )
        self._dummy = _nobodys_hash(random, memory, passes)

    async def hash(self, password: bytes) -> str:
        """The encoded hash to be stored, ``$argon2id$v=19$...``."""
        salt = self._random(16)
        return await self._in_thread(lambda: self._hasher.hash(password, salt=salt))

    async def verify(self, stored: str, password: bytes) -> bool:
        """Whether this is the password; a stored value that is no hash never matches, and costs as much."""
        return await self._in_thread(lambda: self._matches(stored, password))

    async def waste(self, password: bytes) -> None:
        """Spend what a check costs, for names that have no password, so that the time taken tells nothing."""
        await self._in_thread(lambda: self._matches(self._dummy, password))

    def outdated(self, stored: str) -> bool:
        """Whether the hash was made with other parameters than those of today."""
        return self._hasher.check_needs_rehash(stored)

    async def verifier(self, password: bytes, like: str = "") -> str:
        """The SCRAM-SHA-256 verifier of a password; empty when it is not one that SASL can carry (RFC 8265).

        :param like: a verifier of the same user whose salt is to be used again, so that one exchange can try both.
        """
        salt = Verifier.parse(like).salt if like else self._random(16)
        return await self._in_thread(lambda: _verifier(password, salt))

    def generate(self, groups: int = 4) -> str:
        """A random password, see :func:`generated`."""
        return generated(self._random, groups)

    def _matches(self, stored: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except InvalidHashError:
            return self._matches(self._dummy, password) and False
        except VerificationError:
            return False


def _nobodys_hash(random: Callable[[int], bytes], memory: int, passes: int) -> str:
    """An encoded hash that no password has: checking one against it costs what every check costs, making it nothing."""
    salt, digest = (base64.b64encode(random(length)).decode().rstrip("=") for length in (16, 32))
    return f"$argon2id$v=19$m={memory},t={passes},p=1${salt}${digest}"


def generated(random: Callable[[int], bytes], groups: int = 4) -> str:
    """A random password in groups of four, easy to type: about 20 bits for each group."""
    return "-".join("".join(_letter(random) for _ in range(4)) for _ in range(groups))


def _letter(random: Callable[[int], bytes]) -> str:
    while True:
        draw = random(1)[0]
        if draw < 256 - 256 % len(_TYPED_EASILY):
            return _TYPED_EASILY[draw % len(_TYPED_EASILY)]


def _verifier(password: bytes, salt: bytes) -> str:
    try:
        return make_verifier(password.decode(), salt, ITERATIONS)
    except ValueError:  # octets that are no UTF-8, or characters that SASLprep forbids: SCRAM cannot carry them
        return ""
