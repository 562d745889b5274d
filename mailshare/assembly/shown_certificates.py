"""The certificates that clients are shown: whose names they have, who signed them, and the key that signs profiles."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable, Sequence

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from OpenSSL import crypto

from mailshare.config import Config
from mailshare.config.endpoint_strings import split_endpoint
from mailshare.core.errors import ConfigFault
from mailshare.core.values import SECOND
from mailshare.shell.private_authority import names_of
from mailshare.web.handout import Authority, Certificate, Signer

Chain = Sequence[x509.Certificate]


def shown_certificate(config: Config, trusted: Callable[[Chain], bool]) -> Certificate | None:
    """What clients are shown: of all certificates the one made out for the server's name, else the first.

    :param trusted: whether clients trust a chain out of the box.
    :raises ConfigFault: a certificate cannot be read.
    """
    found = _chosen(config)
    if found is None:
        return None
    _, chain = found
    names = names_of(chain[0])
    given = config.tables.listen.authority
    if given:
        root = _load(os.path.join(config.directory, given))[0]
        return Certificate(names=names, authority=_authority(root))
    if trusted(chain):
        return Certificate(names=names, known=True)
    last = chain[-1]
    return Certificate(names=names, authority=_authority(last) if last.issuer == last.subject else None)


@frozen
class Served:
    """A certificate that listeners use.

    :ivar services: of those listeners.
    :ivar names: it is made out for. ``until``, ``root_until``: microseconds UTC.
    :ivar root: name of the private authority at the end of the chain, when there is one.
    """

    services: tuple[str, ...]
    names: tuple[str, ...]
    until: int
    chain: Chain
    root: str | None = None
    root_until: int = 0


def served_certificates(config: Config) -> list[Served]:
    """All that listeners use, inside TLS from the first octet or by STLS and STARTTLS.

    :raises ConfigFault: one cannot be read.
    """
    given = config.tables.listen.authority
    above = _load(os.path.join(config.directory, given))[0] if given else None
    found = []
    for place in _places(config):
        services = tuple(dict.fromkeys(one.service for one in config.listeners if place in _place_of(one.endpoint)))
        for file in _files(place):
            chain = _load(file)
            last = above or chain[-1]
            private = above is not None or last.issuer == last.subject
            found.append(
                Served(
                    services or ("STLS, STARTTLS",),
                    names_of(chain[0]),
                    _end(chain[0]),
                    chain,
                    _authority(last).name if private else None,
                    _end(last),
                )
            )
    return found


def _end(certificate: x509.Certificate) -> int:
    return int(certificate.not_valid_after_utc.timestamp()) * SECOND


def signer(config: Config) -> Signer:
    """The key of :func:`shown_certificate`, to sign profiles with.

    :raises ConfigFault: there is none, or it cannot be read.
    """
    found = _chosen(config)
    if found is None:
        raise ConfigFault("There is no key to sign with; give the server certificates under [listen]")
    file, chain = found
    try:
        with open(file, "rb") as stream:
            key = load_pem_private_key(stream.read(), None)
    except OSError as error:
        raise ConfigFault(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, crypto.Error) as error:
        raise ConfigFault(f"{file} holds no private key that can be read without a password") from error
    return Signer(chain[0], key, tuple(chain[1:]))


def _chosen(config: Config) -> tuple[str, Chain] | None:
    """The file and chain of the certificate made out for the server's name, else of the first."""
    found = [(file, _load(file)) for place in _places(config) for file in _files(place)]
    hostname = config.tables.server.hostname
    fitting = (one for one in found if Certificate(names=names_of(one[1][0])).fits(hostname))
    return next(fitting, found[0] if found else None)


def _places(config: Config) -> list[str]:
    """Directories and files that listeners take certificates from, in their order."""
    found = [place for listener in config.listeners for place in _place_of(listener.endpoint)]
    return list(dict.fromkeys(place for place in [*found, config.certificates] if place))


def _place_of(endpoint: str) -> list[str]:
    """Where one listener takes its certificates from; empty for one without TLS of its own."""
    parts = split_endpoint(endpoint)
    named = dict(part.split("=", 1) for part in parts[1:] if "=" in part)
    place = ""
    if parts[0] == "tls":
        place = named.get("path") or next((part for part in parts[1:] if "=" not in part), "")
    elif parts[0] == "ssl":
        place = named.get("certKey") or named.get("privateKey", "")
    return [re.sub(r"\\(.)", r"\1", place)] if place else []


def _files(place: str) -> list[str]:
    if os.path.isfile(place):
        return [place]
    files = [os.path.join(folder, name) for folder, _, names in os.walk(place) for name in names]
    return [file for file in sorted(files) if file.endswith(".pem")]


def _load(file: str) -> Chain:
    """The certificates of a PEM file, the server's own first.

    :raises ConfigFault: it cannot be read or holds none.
    """
    try:
        with open(file, "rb") as stream:
            return x509.load_pem_x509_certificates(stream.read())
    except OSError as error:
        raise ConfigFault(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigFault(f"{file} holds no certificate") from error


def _authority(root: x509.Certificate) -> Authority:
    return Authority(root.public_bytes(Encoding.DER), root.subject.rfc4514_string())


def this_computer_trusts(chain: Chain) -> bool:
    """Somebody in the system's store vouches for it, as programs on this computer would find too."""
    paths = ssl.get_default_verify_paths()
    store = crypto.X509Store()
    for file, folder in ((paths.openssl_cafile, None), (None, paths.openssl_capath)):
        if os.path.exists(file or folder or ""):
            store.load_locations(file, folder)
    leaf, *others = (crypto.X509.from_cryptography(one) for one in chain)
    try:
        crypto.X509StoreContext(store, leaf, others).verify_certificate()
    except crypto.X509StoreContextError:
        return False
    return True
