"""TLS contexts of the servers."""

from __future__ import annotations

from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates
from twisted.internet.ssl import CertificateOptions, TLSVersion

from mailshare.core.errors import ConfigFault


def server_context(certificates: bytes, key: bytes) -> CertificateOptions:
    """The context of a server: TLS 1.2 at least.

    :param certificates: PEM, the server's own first, then those up to but without the root.
    :param key: PEM, without password.
    :raises ConfigFault: they cannot be read, or do not belong together.
    """
    try:
        own, *chain = load_pem_x509_certificates(certificates)
    except ValueError as error:
        raise ConfigFault("The certificate cannot be read; it must be PEM") from error
    try:
        private = load_pem_private_key(key, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigFault("The key of the certificate cannot be read; it must be PEM, without a password") from error
    if own.public_key() != private.public_key():
        raise ConfigFault("The key does not belong to the certificate")
    # pyOpenSSL takes these since 24.3 and warns of its own kinds; Twisted's hints still name those.
    material: dict[str, Any] = {"privateKey": private, "certificate": own, "extraCertChain": chain}
    return CertificateOptions(**material, raiseMinimumTo=TLSVersion.TLSv1_2)
