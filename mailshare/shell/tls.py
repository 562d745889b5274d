"""TLS contexts of the servers."""

from __future__ import annotations

from OpenSSL import crypto
from twisted.internet.ssl import Certificate, CertificateOptions, KeyPair, PrivateCertificate, TLSVersion

from mailshare.core.errors import ConfigFault


def server_context(certificates: bytes, key: bytes) -> CertificateOptions:
    """The context of a server: TLS 1.2 at least.

    :param certificates: PEM, the server's own first, then those up to but without the root.
    :param key: PEM, without password.
    :raises ConfigFault: they cannot be read, or do not belong together.
    """
    marker = b"-----BEGIN CERTIFICATE-----"
    blocks = [marker + block for block in certificates.split(marker)[1:]]
    if not blocks:
        raise ConfigFault("There is no certificate in the certificate file")
    try:
        own, *chain = [Certificate.loadPEM(block) for block in blocks]
        pair = KeyPair.load(key, crypto.FILETYPE_PEM)
        private = PrivateCertificate.fromCertificateAndKeyPair(own, pair)
    except (crypto.Error, ValueError, TypeError, AssertionError) as error:
        raise ConfigFault("The certificate or its key cannot be read, or they do not belong together") from error
    return CertificateOptions(
        privateKey=private.privateKey.original,
        certificate=private.original,
        extraCertChain=[certificate.original for certificate in chain],
        raiseMinimumTo=TLSVersion.TLSv1_2,
    )
