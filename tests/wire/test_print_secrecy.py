"""Documents that nobody reads on their way: vectors by an independent hand, and what is refused."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mailshare.core.errors import PeerFault
from mailshare.wire.print_secrecy import Opening, Sealing, job_key, job_salt

JOB = "01900000-0000-7000-8000-000000000001"
SECRET = b"a secret of thirty-two octets or more"
SALT = bytes(range(16))
VECTOR = "f8fb0766245b0bc7a01d62cde15cfd4f3da62d0442bf29c0a480"


def hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """RFC 5869 in four lines, for 32 octets."""
    extracted = hmac.new(salt, secret, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()


def opened(sealed: bytes, *, key: bytes, job: str = JOB, part: int = 3, piece: int = 7) -> bytes:
    opening = Opening(key, job, part)
    out = b"".join(opening.feed(sealed[at : at + piece]) for at in range(0, len(sealed), piece))
    opening.end()
    return out


def test_key_nonce_and_what_is_authenticated_are_as_the_page_says() -> None:
    """docs/protocol/print-mail.md, followed with other tools, gives the same octets."""
    key = hkdf(SECRET, SALT, b"mailshare-print-job A256GCM " + JOB.encode())
    assert job_key(SECRET, SALT, JOB) == key
    sealing = Sealing(key, JOB, 3)
    sealed = sealing.feed(b"a docu") + sealing.feed(b"ment") + sealing.end()
    nonce, about = bytes(11) + b"\x03", JOB.encode() + b"\0\0\0\x03"
    assert sealed == AESGCM(key).encrypt(nonce, b"a document", about)
    assert sealed.hex() == VECTOR


@pytest.mark.parametrize("piece", [1, 5, 16, 17, 1000])
def test_pieces_of_any_size_are_opened(piece: int) -> None:
    """The tag is at the end, however the octets come."""
    key, data = job_key(SECRET, SALT, JOB), bytes(range(200))
    sealing = Sealing(key, JOB, 3)
    assert opened(sealing.feed(data) + sealing.end(), key=key, piece=piece) == data


def test_another_part_job_key_or_octet_is_refused() -> None:
    """No part stands in for another, and nothing is changed on the way."""
    key = job_key(SECRET, SALT, JOB)
    sealing = Sealing(key, JOB, 3)
    sealed = sealing.feed(b"a document") + sealing.end()
    wrong = bytes([sealed[0] ^ 1]) + sealed[1:]
    for octets, told in (
        (sealed, {"part": 4}),
        (sealed, {"job": JOB[:-1] + "2"}),
        (sealed, {"key": job_key(SECRET, SALT[::-1], JOB)}),
        (wrong, {}),
        (sealed[:-1], {}),
        (sealed[:10], {}),
        (b"", {}),
    ):
        with pytest.raises(PeerFault):
            opened(octets, **{"key": key, **told})


def test_a_salt_follows_from_what_is_sent() -> None:
    """The same for the same thing, another one for another job, document or cut."""
    one = job_salt(SECRET, JOB, "digest", "gzip", "1,2")
    assert one == job_salt(SECRET, JOB, "digest", "gzip", "1,2")
    others = [job_salt(SECRET, JOB, "digest", "none", "1,2"), job_salt(SECRET, JOB, "other", "gzip", "1,2")]
    assert len({one, *others}) == 3
