"""Certificates from a directory of PEM files, chosen by the name a client asks for; changed files serve at once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from OpenSSL.crypto import Error as CryptoError
from OpenSSL.SSL import NO_OVERLAPPING_PROTOCOLS
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.logger import Logger
from twisted.protocols._sni import PEMObjects, SNIConnectionCreator
from twisted.python.filepath import FilePath
from zope.interface import implementer

from mailshare.core.errors import ConfigFault

_Print = tuple[tuple[str, int, int], ...]


def _fingerprint(directory: str) -> _Print:
    """Names, times and sizes of the PEM files: equal as long as nothing changed."""
    found = []
    for path in _pem_files(directory):
        status = os.stat(path)
        found.append((path, status.st_mtime_ns, status.st_size))
    return tuple(found)


def _pem_files(directory: str) -> list[str]:
    return sorted(
        os.path.join(folder, name)
        for folder, _, names in os.walk(directory)
        for name in names
        if name.endswith(".pem")
    )


def read_certificates(directory: str) -> Any:
    """Read every certificate and key below a directory.

    :returns: what makes the server side of a TLS connection (Twisted's ``IOpenSSLServerConnectionCreator``).
    :raises ConfigFault: it does not exist, a file cannot be read, or there is no certificate to serve with.
    """
    if not os.path.isdir(directory):
        raise ConfigFault(f"the directory {directory} does not exist; it must hold .pem files with certificate and key")
    paths = _pem_files(directory)
    if not paths:
        raise ConfigFault(f"the directory {directory} holds no .pem file with certificate and key")
    everything = PEMObjects([], [])
    for path in paths:
        try:
            found = PEMObjects.fromFile(FilePath(path))
        except OSError as error:
            raise ConfigFault(f"the file {path} cannot be read: {error.strerror}") from error
        except (ValueError, TypeError, CryptoError) as error:
            raise ConfigFault(f"the file {path} is damaged: it holds no readable certificate or key") from error
        everything._certificates.extend(found._certificates)  # noqa: SLF001 - as its own reader of a directory does
        everything._keyPairs.extend(found._keyPairs)  # noqa: SLF001 - as above
    all_of_it = everything._certificates  # noqa: SLF001 - as above
    all_of_it[:] = [one for one in all_of_it if not _is_a_root(one[1], everything)]
    by_name = everything.inferDomainMapping()
    if not by_name:
        raise ConfigFault(
            f"the directory {directory} holds no certificate to serve with: it needs a certificate whose"
            " subjectAltName names a host, and its key"
        )
    contexts = {name.casefold(): options.getContext() for name, options in by_name.items()}
    for context in contexts.values():
        context.set_alpn_select_callback(_protocol)
    first = next(iter(contexts.values()))

    def chosen(name: bytes | None) -> Any:
        """The context for a name; without one, the first certificate serves."""
        return contexts.get(name.decode("ascii", "replace").casefold()) if name else first

    return SNIConnectionCreator(chosen)


def _is_a_root(certificate: Any, everything: PEMObjects) -> bool:
    """An authority's own certificate: clients have it or never will, and the search for a chain would not end."""
    if certificate.getIssuer() != certificate.getSubject():
        return False
    own = certificate.getPublicKey().keyHash()
    return all(pair.keyHash() != own for _, pair in everything._keyPairs)  # noqa: SLF001 - as above


def _protocol(_: Any, offered: Sequence[bytes]) -> Any:
    """What is spoken inside TLS, for clients that ask (RFC 7301): HTTP if that is offered, else they are told nothing.

    Twisted's own contexts refuse a client whose offer they have no answer to, though there is but one protocol here.
    """
    return b"http/1.1" if b"http/1.1" in offered else NO_OVERLAPPING_PROTOCOLS


@implementer(IOpenSSLServerConnectionCreator)
class CertificateDirectory:
    """Serves with the certificates of now; when changed files are damaged, with those of before, and says why.

    :raises ConfigFault: as :func:`read_certificates`, when made.
    """

    _log = Logger()

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._seen = self._look()
        self._creator = read_certificates(directory)

    def _look(self) -> _Print:
        try:
            return _fingerprint(self._directory)
        except OSError:
            return ()  # a file went away between listing and looking; the next connection looks again

    def serverConnectionForTLS(self, tlsProtocol: Any) -> Any:
        """A connection with the certificates of now; Twisted calls this."""
        seen = self._look()
        if seen != self._seen:
            self._seen = seen
            try:
                self._creator = read_certificates(self._directory)
            except ConfigFault as fault:
                self._log.error("the certificates in use stay: {reason}", reason=fault.public)
        return self._creator.serverConnectionForTLS(tlsProtocol)
