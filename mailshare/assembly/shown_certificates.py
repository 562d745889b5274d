"""The certificates that clients are shown: whose names they have, who signed them, and the key that signs profiles."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable, Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from OpenSSL import crypto

from mailshare.config import Config
from mailshare.config.endpoint_strings import split_endpoint
from mailshare.core.errors import ConfigFault
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
    found = []
    for listener in config.listeners:
        parts = split_endpoint(listener.endpoint)
        named = dict(part.split("=", 1) for part in parts[1:] if "=" in part)
        if parts[0] == "tls":
            found.append(named.get("path") or next((part for part in parts[1:] if "=" not in part), ""))
        elif parts[0] == "ssl":
            found.append(named.get("certKey") or named.get("privateKey", ""))
    found = [re.sub(r"\\(.)", r"\1", place) for place in found]
    return list(dict.fromkeys(place for place in [*found, config.certificates] if place))


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
