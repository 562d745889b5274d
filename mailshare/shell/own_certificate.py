"""A certificate that somebody brings along: can a server serve with it, and what is worth saying about it?"""

from __future__ import annotations

import re

from attrs import frozen
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from mailshare.core.errors import ConfigFault
from mailshare.shell.private_authority import days_left, names_of

MOST = 100_000
"""Octets of PEM text that are looked at."""
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----.*?-----END \1-----", re.DOTALL)
_SOON = 14
_Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
_KEYS = (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)


@frozen
class Looked:
    """What was found.

    :ivar pem: key, certificate and those behind it, in the order that a server wants.
    :ivar names: what the certificate is made out for.
    :ivar days: how long it is still valid.
    :ivar words: what is not forbidden and yet worth knowing, as sentences.
    """

    pem: str
    names: tuple[str, ...]
    days: int
    words: tuple[str, ...]


def looked_at(text: str, hostname: str, now: int) -> Looked:
    """Look at pasted PEM text: the key, the server's certificate and those behind it, in any order.

    :param hostname: what clients will call the server.
    :param now: microseconds UTC.
    :raises ConfigFault: no server can serve with it; the sentence says what to do.
    """
    if len(text) > MOST:
        raise ConfigFault("This is more than any certificate and its key; paste those alone")
    blocks = [(match[1], match[0]) for match in _BLOCK.finditer(text.replace("\r\n", "\n"))]
    certificates = [_certificate(block) for kind, block in blocks if kind == "CERTIFICATE"]
    keys = [block for kind, block in blocks if kind.endswith("PRIVATE KEY")]
    if not certificates:
        raise ConfigFault("There is no certificate in it; it begins with -----BEGIN CERTIFICATE-----")
    if len(keys) != 1:
        words = f"One private key belongs to it, and there are {len(keys)}"
        raise ConfigFault(f"{words}; it begins with -----BEGIN PRIVATE KEY-----")
    key = _key(keys[0])
    leaf = next((one for one in certificates if one.public_key() == key.public_key()), None)
    if leaf is None:
        raise ConfigFault("The key belongs to none of the certificates; take the one of their request")
    days, names = days_left(leaf, now), names_of(leaf)
    if days < 0:
        raise ConfigFault(f"The certificate was valid until {leaf.not_valid_after_utc:%Y-%m-%d}; have it renewed first")
    if leaf.not_valid_before_utc.timestamp() * 1_000_000 > now:
        raise ConfigFault(f"The certificate is valid from {leaf.not_valid_before_utc:%Y-%m-%d}; is the clock right?")
    if not names:
        raise ConfigFault("The certificate names no host (subjectAltName), so programs refuse it; have another made")
    chain, complete = _chain(leaf, certificates)
    whole = [one.public_bytes(Encoding.PEM).decode("ascii") for one in (leaf, *chain)]
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
    told = tuple(_words(names, hostname, days, complete=complete))
    return Looked(private + "".join(whole), names, days, told)


def _certificate(block: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(block.encode())
    except ValueError as error:
        raise ConfigFault("A certificate is damaged; copy it again, with its first and last line") from error


def _key(block: str) -> _Key:
    try:
        key = load_pem_private_key(block.encode(), None)
    except TypeError as error:
        raise ConfigFault("The key has a password; take it off: openssl pkey -in key.pem -out plain.pem") from error
    except ValueError as error:
        raise ConfigFault("The key is damaged; copy it again, with its first and last line") from error
    if not isinstance(key, _KEYS):
        raise ConfigFault("The key is of a kind that no mail program takes; make one of RSA or EC")
    return key


def _chain(leaf: x509.Certificate, others: list[x509.Certificate]) -> tuple[list[x509.Certificate], bool]:
    """Those who vouch for it, in their order, and whether there is anybody, or need be."""
    chain: list[x509.Certificate] = []
    last = leaf
    while last.issuer != last.subject:
        above = next((one for one in others if one not in chain and one is not leaf and _vouches(one, last)), None)
        if above is None:
            return chain, bool(chain)  # the authority at the top is known to clients, and is left out
        chain.append(above)
        last = above
    return chain, True


def _vouches(above: x509.Certificate, below: x509.Certificate) -> bool:
    try:
        below.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _words(names: tuple[str, ...], hostname: str, days: int, *, complete: bool) -> list[str]:
    found = []
    wanted = hostname.casefold()
    if wanted not in names and f"*.{wanted.partition('.')[2]}" not in names:
        found.append(f"It is made out for {', '.join(names)} and not for {hostname}: programs will refuse or warn.")
    if not complete:
        found.append("The certificates of those who signed it are missing; many programs will refuse it.")
    if days < _SOON:
        found.append(f"It is valid for {days} more days only; bring the next one in time.")
    return found
