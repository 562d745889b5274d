"""Signed JSON: by the two algorithms, and nothing that is not signed by the right key."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from mailshare.core.errors import ConfigFault, LocalFault, PeerFault
from mailshare.wire.jws import Algorithm, SigningKey, private_seed, sign, unwrap, verified

SHARED = SigningKey("office", Algorithm.HS256, secret=bytes(range(32)))
_SEED = bytes(range(100, 132))
_PUBLIC = Ed25519PrivateKey.from_private_bytes(_SEED).public_key().public_bytes_raw()
OWN = SigningKey("own", Algorithm.EDDSA, secret=_SEED, public=_PUBLIC)
THEIRS = SigningKey("own", Algorithm.EDDSA, public=_PUBLIC)


@pytest.mark.parametrize(("signer", "reader"), [(SHARED, SHARED), (OWN, THEIRS)], ids=["HS256", "EdDSA"])
def test_a_signature_is_verified(signer: SigningKey, reader: SigningKey) -> None:
    """The payload comes out as it went in; one octet changed anywhere, and it does not verify."""
    octets = sign(b'{"v":1}', signer, kind="x")
    signed = unwrap(octets, kind="x")
    assert (signed.payload, signed.kid) == (b'{"v":1}', signer.kid)
    assert verified(signed, reader)
    value = json.loads(octets)
    other = {**value, "payload": urlsafe_b64encode(b'{"v":2}').decode().rstrip("=")}
    assert not verified(unwrap(json.dumps(other).encode(), kind="x"), reader)
    flipped = {**value, "signature": ("B" if value["signature"][0] == "A" else "A") + value["signature"][1:]}
    assert not verified(unwrap(json.dumps(flipped).encode(), kind="x"), reader)


def test_the_known_answer_of_rfc_8037() -> None:
    """Appendix A.4: the signature of that key over that input."""
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    compact = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    signature = bytes.fromhex(
        "860c98d2297f3060a33f42739672d61b53cf3adefed3d3c672f320dc021b411e"
        "9d59b8628dc351e248b88b29468e0e41855b0fb7d83bb15be902bfccb8cd0a02"
    )
    from mailshare.wire.jws import Signed

    key = SigningKey("a4", Algorithm.EDDSA, secret=seed, public=public)
    assert verified(Signed(b"", "a4", Algorithm.EDDSA, compact.encode(), signature), key)


def test_the_algorithm_is_the_keys() -> None:
    """A public key is no shared secret: a header that asks for HS256 with it is not believed."""
    forged = sign(b"{}", SigningKey("own", Algorithm.HS256, secret=_PUBLIC), kind="x")
    assert not verified(unwrap(forged, kind="x"), THEIRS)


def test_unsigned_is_unsigned() -> None:
    """Without a signature there is no name of a key, and no key verifies it."""
    signed = unwrap(sign(b"{}", None, kind="x"), kind="x")
    assert signed.kid == ""
    assert not verified(signed, SHARED)


@pytest.mark.parametrize(
    "header", [{"alg": "none"}, {"alg": "RS256"}, {"alg": "HS256", "crit": ["b64"]}, {}, [], {"alg": "HS256", "kid": 7}]
)
def test_other_headers_are_refused(header: object) -> None:
    """Nothing by guess: no algorithm off the list, no extension that must be understood, no other kind."""
    if isinstance(header, dict):
        header = {"kid": "office", "typ": "x", **header}
    protected = urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    value = {"payload": "e30", "protected": protected, "signature": "AA"}
    with pytest.raises(PeerFault):
        unwrap(json.dumps(value).encode(), kind="x")


def test_a_signature_of_another_kind_is_refused() -> None:
    """A signed status is no signed job."""
    with pytest.raises(PeerFault):
        unwrap(sign(b"{}", SHARED, kind="status"), kind="job")


def test_keys_that_cannot_sign_say_so() -> None:
    """A short secret, a key that is only public."""
    for key in (SigningKey("k", Algorithm.HS256, secret=b"short"), THEIRS):
        with pytest.raises(LocalFault):
            sign(b"{}", key, kind="x")


NAMES = st.sampled_from(["payload", "protected", "signature"])
OBJECT = st.dictionaries(NAMES, st.text(max_size=20) | st.integers()).map(lambda value: json.dumps(value).encode())


@given(st.binary(max_size=80) | OBJECT)
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    """Strangers send anything."""
    try:
        signed = unwrap(octets, kind="x")
    except PeerFault:
        return
    assert not verified(signed, SHARED)


def _line(key: Ed25519PrivateKey | X25519PrivateKey) -> str:
    """A private key as it stands in a file."""
    return b64encode(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())).decode()


def test_a_private_key_is_one_line() -> None:
    """As openssl writes it; the end of the line does no harm."""
    assert private_seed(_line(Ed25519PrivateKey.from_private_bytes(_SEED)) + "\n") == _SEED


_OTHER = _line(X25519PrivateKey.from_private_bytes(_SEED))


@pytest.mark.parametrize("text", ["", "secret", "-----BEGIN PRIVATE KEY-----", _OTHER, "ü"])
def test_what_is_no_private_key_is_told(text: str) -> None:
    """Another kind of key, or no key at all."""
    with pytest.raises(ConfigFault, match="private key"):
        private_seed(text)
