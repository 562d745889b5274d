"""Documents that nobody reads on their way: AES-256-GCM, a key for each job, a nonce for each part (NIST SP 800-38D).

The key follows from the shared secret, the salt of the job and its id by HKDF-SHA256 (RFC 5869), so it is never sent
and no two jobs have the same. The nonce is the number of the part; job and part are authenticated with it, so no part
can stand in for another.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from mailshare.core.errors import PeerFault
from mailshare.core.print_manifest import TAG

_INFO = b"mailshare-print-job A256GCM "
_SALT = 16


def job_salt(secret: bytes, *parts: str) -> bytes:
    """A salt that is the same whenever the same thing is sent under the same name, and never otherwise.

    Not drawn by lot: a part that is sent again must be the same octets.

    :param parts: the job's id, the digest of its document, and how it is encoded and cut.
    """
    return hmac.new(secret, b"salt " + "\0".join(parts).encode(), hashlib.sha256).digest()[:_SALT]


def job_key(secret: bytes, salt: bytes, job: str) -> bytes:
    """The key of one job.

    :param job: the manifest's id.
    """
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 - heavy, for those who encrypt
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=_INFO + job.encode()).derive(secret)


class Sealing:
    """Encrypts one part, piece by piece."""

    def __init__(self, key: bytes, job: str, part: int) -> None:
        self._cipher = _cipher(key, part).encryptor()
        self._cipher.authenticate_additional_data(_about(job, part))

    def feed(self, data: bytes) -> bytes:
        """As many octets, encrypted."""
        sealed: bytes = self._cipher.update(data)
        return sealed

    def end(self) -> bytes:
        """The tag, 16 octets."""
        tail: bytes = self._cipher.finalize() + self._cipher.tag
        return tail


class Opening:
    """Decrypts one part, piece by piece. Nothing of it may be used before :meth:`end` has returned."""

    def __init__(self, key: bytes, job: str, part: int) -> None:
        self._cipher = _cipher(key, part).decryptor()
        self._cipher.authenticate_additional_data(_about(job, part))
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Decrypted octets; the last 16 that came are held back, for they may be the tag."""
        data = self._held + data
        self._held = data[-TAG:]
        opened: bytes = self._cipher.update(data[:-TAG])
        return opened

    def end(self) -> None:
        """That was all.

        :raises PeerFault: it was not encrypted with this key, for this job and part, or was changed.
        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415

        if len(self._held) == TAG:
            try:
                self._cipher.finalize_with_tag(self._held)
            except InvalidTag:
                pass
            else:
                return
        raise PeerFault("A part of the job cannot be decrypted: its key is another one, or it was changed on its way")


def _cipher(key: bytes, part: int) -> Any:
    from cryptography.hazmat.primitives.ciphers import Cipher  # noqa: PLC0415
    from cryptography.hazmat.primitives.ciphers.algorithms import AES  # noqa: PLC0415
    from cryptography.hazmat.primitives.ciphers.modes import GCM  # noqa: PLC0415

    return Cipher(AES(key), GCM(part.to_bytes(12)))


def _about(job: str, part: int) -> bytes:
    return job.encode() + part.to_bytes(4)
