"""Signed JSON in the one form that is needed: flattened JWS, HS256 or EdDSA (RFC 7515 section 7.2.2, RFC 8037).

The octets that were signed travel inside, so no canonical form is needed and relays may wrap the text as they like.
The algorithm belongs to the key, never to the message: what the header says must agree with the key, or nothing is
verified.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from enum import Enum

from attrs import field, frozen

from mailshare.core.errors import ConfigFault, LocalFault, PeerFault

MIN_SECRET = 32  # octets of a shared secret: as many as the digest has (RFC 7518 section 3.2)
_BASE64URL = re.compile(r"[A-Za-z0-9_\-]*\Z")
KEY_ID = re.compile(r"[A-Za-z0-9._@+\-]{1,100}\Z")


class Algorithm(Enum):
    """The closed list; ``none`` and RSA are refused."""

    HS256 = "HS256"
    EDDSA = "EdDSA"


@frozen
class SigningKey:
    """A key of one correspondent.

    :ivar kid: its name.
    :ivar secret: HS256: the shared secret; EdDSA: the private seed of 32 octets, empty where only ``public`` is known.
    :ivar public: EdDSA: the public key, 32 octets.
    """

    kid: str
    algorithm: Algorithm
    secret: bytes = field(default=b"", repr=False)
    public: bytes = b""


@frozen
class Signed:
    """What a signed part says before anybody believed it.

    :ivar kid: name of the key, empty when it is not signed at all; look up the key by this name, then :func:`verified`.
    :ivar payload: the octets inside.
    """

    payload: bytes
    kid: str = ""
    algorithm: Algorithm | None = None
    signing_input: bytes = field(default=b"", repr=False)
    signature: bytes = field(default=b"", repr=False)


def sign(payload: bytes, key: SigningKey | None, *, kind: str) -> bytes:
    """Wrap octets.

    :param key: ``None`` leaves out the signature.
    :param kind: the ``typ`` of the header.
    :raises LocalFault: the key cannot sign.
    """
    text = _b64(payload)
    if key is None:
        return json.dumps({"payload": text.decode()}).encode()
    header = _b64(json.dumps({"alg": key.algorithm.value, "kid": key.kid, "typ": kind}).encode())
    signature = _b64(_signature(header + b"." + text, key))
    parts = {"payload": text, "protected": header, "signature": signature}
    return json.dumps({name: part.decode() for name, part in parts.items()}).encode()


def unwrap(octets: bytes, *, kind: str) -> Signed:
    """Take it apart; nothing is verified yet.

    :raises PeerFault: it is no flattened JWS of this kind, or of an algorithm that is not on the list.
    """
    try:
        value = json.loads(octets)
    except (ValueError, RecursionError):
        raise PeerFault("The signed part is not JSON") from None
    if not isinstance(value, dict) or not isinstance(value.get("payload"), str):
        raise PeerFault("The signed part has no payload")
    payload = _unb64(value["payload"])
    if "signature" not in value:
        return Signed(payload)
    protected, signature = value.get("protected"), value["signature"]
    if not isinstance(protected, str) or not isinstance(signature, str):
        raise PeerFault("The signed part has no protected header")
    try:
        header = json.loads(_unb64(protected))
        algorithm, kid = Algorithm(header["alg"]), header["kid"]
        right = isinstance(kid, str) and bool(KEY_ID.match(kid)) and header.get("typ") == kind and "crit" not in header
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        right = False
    if not right:
        raise PeerFault("The protected header of the signed part is not one that is known here")
    return Signed(payload, kid, algorithm, f"{protected}.{value['payload']}".encode(), _unb64(signature))


def verified(signed: Signed, key: SigningKey) -> bool:
    """The signature is by this key, and of the key's own algorithm."""
    if signed.kid != key.kid or signed.algorithm is not key.algorithm or not signed.signature:
        return False
    if key.algorithm is Algorithm.HS256:
        return hmac.compare_digest(_signature(signed.signing_input, key), signed.signature)
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - a heavy import, for those who use such keys
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signed.signature, signed.signing_input)
    except (InvalidSignature, ValueError):
        return False
    return True


def private_seed(text: str) -> bytes:
    """The octets that an Ed25519 key signs with, of its PKCS #8 form in base64 (RFC 8410 section 7), which is one line.

    ``openssl genpkey -algorithm ed25519 -outform DER | base64 -w0`` makes one.

    :raises ConfigFault: it is no such key.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_der_private_key  # noqa: PLC0415

    try:
        key = load_der_private_key(b64decode(text.strip(), validate=True), None)
    except (ValueError, TypeError) as fault:
        raise ConfigFault("The private key is not PKCS #8 in base64, in one line and without a password") from fault
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigFault("The private key is of another kind than Ed25519; make one with openssl genpkey")
    return key.private_bytes_raw()


def _signature(data: bytes, key: SigningKey) -> bytes:
    if key.algorithm is Algorithm.HS256:
        if len(key.secret) < MIN_SECRET:
            raise LocalFault(f"The shared secret {key.kid} is shorter than {MIN_SECRET} octets")
        return hmac.new(key.secret, data, hashlib.sha256).digest()
    if len(key.secret) != 32:
        raise LocalFault(f"The key {key.kid} has no private part to sign with")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    return Ed25519PrivateKey.from_private_bytes(key.secret).sign(data)


def _b64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def _unb64(text: str) -> bytes:
    if not _BASE64URL.match(text) or len(text) % 4 == 1:
        raise PeerFault("The signed part is not in base64url")
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
