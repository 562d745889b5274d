"""Whom we believe to be the provider: TLS 1.2 at least, a chain to a known authority, and the right name, always."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import frozen
from cryptography.x509.oid import NameOID
from OpenSSL.crypto import X509
from OpenSSL.crypto import Error as CryptoError
from OpenSSL.SSL import Context
from twisted.internet._sslverify import IOpenSSLTrustRoot, platformTrust
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import Certificate, optionsForClientTLS
from zope.interface import implementer

from mailshare.core.errors import ConfigFault
from mailshare.core.values import Server

_BEGIN = "-----BEGIN CERTIFICATE-----"


@implementer(IOpenSSLTrustRoot)
class _FurtherTrust:
    """The platform's authorities and some more."""

    def __init__(self, certificates: list[X509]) -> None:
        self._certificates = certificates

    def _addCACertsToContext(self, context: Context) -> None:
        platformTrust()._addCACertsToContext(context)  # noqa: SLF001  the interface's only method is spelled so
        store = context.get_cert_store()
        if store is not None:
            for certificate in self._certificates:
                store.add_cert(certificate)


def tls_options(server: Server) -> IOpenSSLClientConnectionCreator:
    """What TLS towards this server asks for.

    The certificate must bear ``server.host``, or the name of the option ``name``. The option ``ca`` names a file of
    further authorities in PEM form.

    :raises ConfigFault: that file cannot be read, or has no certificate in it.
    """
    name = server.options.get("name") or server.host
    path = server.options.get("ca")
    root = _FurtherTrust(_read(path)) if path else platformTrust()
    return optionsForClientTLS(name, trustRoot=root)


@frozen
class Protection:
    """What a connection is encrypted with.

    :ivar version: of TLS.
    :ivar issuer: of the server's certificate; empty when it says nothing.
    :ivar days: for which the certificate is still good.
    """

    version: str
    issuer: str
    days: int


def protection(transport: Any, now: float) -> Protection:
    """How a connection inside TLS is protected.

    :param now: seconds since 1970.
    """
    connection = transport.getHandle()
    certificate = connection.get_peer_certificate()
    version = str(connection.get_protocol_version_name())
    if certificate is None:
        return Protection(version, "", 0)
    found = certificate.to_cryptography()
    names = [*found.issuer.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    names += found.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    issuer = str(names[0].value)[:80] if names else ""
    return Protection(version, issuer, int((found.not_valid_after_utc.timestamp() - now) // 86_400))


def _read(path: str) -> list[X509]:
    try:
        text = Path(path).read_text("ascii")
        blocks = [_BEGIN + block for block in text.split(_BEGIN)[1:]]
        certificates = [Certificate.loadPEM(block.encode()).original for block in blocks]
    except (OSError, UnicodeDecodeError, CryptoError, ValueError) as error:
        raise ConfigFault(f"The file of certificates {path} cannot be read: {error}") from error
    if not certificates:
        raise ConfigFault(f"There is no certificate in {path}")
    return certificates
