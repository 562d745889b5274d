"""Certificates for STLS and STARTTLS from a directory of PEM files; changed files are used by the next connection."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.protocols._sni import SNIConnectionCreator, autoReloadingDirectoryOfPEMs
from twisted.python.filepath import FilePath
from zope.interface import implementer


def fingerprint(directory: str) -> tuple[tuple[str, int, int], ...]:
    """Names, times and sizes of the PEM files: equal as long as nothing changed."""
    found = []
    for folder, _, names in os.walk(directory):
        for name in names:
            if name.endswith(".pem"):
                status = os.stat(os.path.join(folder, name))
                found.append((os.path.join(folder, name), status.st_mtime_ns, status.st_size))
    return tuple(sorted(found))


@implementer(IOpenSSLServerConnectionCreator)
class CertificateDirectory:
    """Chooses the certificate by the name that the client asks for, as Twisted's ``tls:`` endpoint does."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._seen: tuple[tuple[str, int, int], ...] = ()
        self._creator: Any = None

    def serverConnectionForTLS(self, tlsProtocol: Any) -> Any:
        """A connection with the certificates of now."""
        seen = fingerprint(self._directory)
        if self._creator is None or seen != self._seen:
            self._creator = SNIConnectionCreator(autoReloadingDirectoryOfPEMs(FilePath(self._directory)))
            self._seen = seen
        return self._creator.serverConnectionForTLS(tlsProtocol)
