"""Does the signature of a domain fit a mail? DKIM (RFC 6376) by dkimpy; the key is looked up before.

Imported only when a mail is signed and its sender is on the list of a printer.
"""

from __future__ import annotations

import re
from hashlib import sha256

from attrs import frozen

from mailshare.core.errors import ConfigFault

_TAG = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)\s*=\s*([^;]*)")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._\-]{0,251}[A-Za-z0-9])?\Z")
_LEAST_KEY = 1024  # bits of an RSA key (RFC 8301 section 3.2)


@frozen
class Signature:
    """What is needed of a ``DKIM-Signature`` field before its key is known.

    :ivar place: name of the TXT record with the key.
    :ivar covers: names of the fields that it signs, casefolded.
    :ivar mark: digest of what was signed, hexadecimal: the same for every copy of a mail.
    """

    domain: str
    place: str
    covers: frozenset[str] = frozenset()
    mark: str = ""

    @classmethod
    def read(cls, value: str) -> Signature | None:
        """``None`` for one that counts for nothing: without domain or selector, or over a part of the body (l=)."""
        tags = {found[1].lower(): found[2].strip() for found in _TAG.finditer(value)}
        domain, selector = tags.get("d", "").rstrip(".").casefold(), tags.get("s", "")
        if "l" in tags or "." not in domain or not _NAME.match(domain) or not _NAME.match(selector):
            return None
        covers = frozenset(name.strip().casefold() for name in tags.get("h", "").split(":"))
        digits = "".join(tags.get("b", "").split()).rstrip("=")
        return cls(domain, f"{selector}._domainkey.{domain}", covers, sha256(digits.encode()).hexdigest())

    def speaks_for(self, domain: str) -> bool:
        """It is by the domain of the ``From`` field, or by one that this lies in (RFC 7489 section 3.1.1, no wider)."""
        return domain == self.domain or domain.endswith("." + self.domain)


def verifies(message: bytes, index: int, record: bytes) -> bool:
    """Whether a signature fits. Takes about 50 milliseconds for a megabyte: call it in a thread.

    :param index: of the ``DKIM-Signature`` fields, from the top, beginning with 0.
    :param record: TXT record with its key.
    :raises ConfigFault: dkimpy is not installed.
    """
    try:
        import dkim  # noqa: PLC0415 - installed with the extra "print" only
    except ImportError:
        raise ConfigFault(
            "Level 1 looks at DKIM signatures with dkimpy, which is not installed; install mailshare[print]"
        ) from None

    try:
        return bool(dkim.DKIM(message, minkey=_LEAST_KEY).verify(index, dnsfunc=lambda *_args, **_more: record))
    except (dkim.DKIMException, ValueError, IndexError, KeyError):
        return False  # what a stranger wrote cannot be read, or is of another kind than RFC 6376 knows
