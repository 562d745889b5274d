"""Remembers for some minutes which passwords were verified, without keeping any password.

An entry is a keyed BLAKE2 digest (RFC 7693 section 2.9), under a key that only this process knows, of the name, the
stored credential and the password. As the stored credential is part of it, a changed password makes the entry
worthless at once.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict

MINUTES = 10
MAX_ENTRIES = 10_000


class VerifiedCache:
    """What was verified lately.

    :param key: 32 to 64 random octets, made anew in each process.
    :param lifetime: seconds.
    """

    def __init__(self, key: bytes, lifetime: float = MINUTES * 60.0) -> None:
        self._key = key
        self._lifetime = lifetime
        self._entries: OrderedDict[str, tuple[bytes, float]] = OrderedDict()

    def holds(self, name: str, stored: str, password: bytes, now: float) -> bool:
        """Whether exactly this was verified within the lifetime. Being asked does not prolong it."""
        found = self._entries.get(name)
        if found is None:
            return False
        mark, until = found
        if not until - self._lifetime <= now < until:  # before that time lies a clock that was set back
            del self._entries[name]
            return False
        return hmac.compare_digest(mark, self._mark(name, stored, password))

    def keep(self, name: str, stored: str, password: bytes, now: float) -> None:
        """Remember it; the oldest entry makes room."""
        self._entries[name] = self._mark(name, stored, password), now + self._lifetime
        self._entries.move_to_end(name)
        while len(self._entries) > MAX_ENTRIES:
            self._entries.popitem(last=False)

    def forget(self, name: str) -> None:
        """Drop what is known of a name."""
        self._entries.pop(name, None)

    def _mark(self, name: str, stored: str, password: bytes) -> bytes:
        who, known = name.encode(), stored.encode()
        # With the lengths in front no two triples are told alike.
        told = b"%d %d %b%b%b" % (len(who), len(known), who, known, password)
        return hashlib.blake2b(told, key=self._key, digest_size=32).digest()
