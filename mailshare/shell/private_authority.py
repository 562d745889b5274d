"""A certificate authority of one office: makes itself, and certificates for the server's names.

It is bound to names of this office and to private addresses (name constraints, RFC 5280 section 4.2.1.10), so that who
steals its key can pretend to be nobody else.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Collection, Sequence

from attrs import field, frozen
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mailshare.core.errors import ConfigFault

ROOT_YEARS = 10
LEAF_DAYS = 730
"""Apple's devices take no longer ones than 825 days."""
RENEW_DAYS = 60
"""A certificate is made anew when it has fewer days left."""
_DAY = 24 * 3600 * 1_000_000
_MOST_NAME = 64  # letters of a common name (RFC 5280 appendix A.1)
_PRIVATE = (
    "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "::1/128", "fc00::/7", "fe80::/10"
)  # fmt: skip
Names = Sequence[str]
"""Host names and addresses."""


@frozen
class Root:
    """The authority itself.

    :ivar key: its private key as PEM text.
    """

    certificate: x509.Certificate
    key: str = field(repr=False)

    @property
    def pem(self) -> str:
        """The certificate as text."""
        return self.certificate.public_bytes(Encoding.PEM).decode("ascii")


def make_root(hostname: str, names: Names, now: int) -> Root:
    """A new authority that may vouch for these names, for names below them and for private addresses.

    :param now: microseconds UTC.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"mailshare {hostname}"[:_MOST_NAME])])
    hosts, addresses = _sorted([hostname, *names])
    networks = [ipaddress.ip_network(text) for text in _PRIVATE]
    own = [ipaddress.ip_network(one) for one in addresses if not any(_within(one, network) for network in networks)]
    permitted = [
        *(x509.DNSName(host) for host in dict.fromkeys([*hosts, "localhost"])),
        *(x509.IPAddress(network) for network in (*networks, *own)),
    ]
    certificate = (
        _begun(subject, subject, key.public_key(), now, ROOT_YEARS * 365)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
        .sign(key, SHA256())
    )
    return Root(certificate, _written(key))


def read_root(pem: str, key: str) -> Root:
    """An authority as it was kept.

    :raises ConfigFault: it is damaged, or certificate and key do not belong together.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        private = load_pem_private_key(key.encode(), None)
    except ValueError as error:
        raise ConfigFault("The private authority of this office is damaged; make a new one") from error
    if private.public_key() != certificate.public_key():
        raise ConfigFault("The key of the private authority does not fit its certificate; make a new one")
    return Root(certificate, key)


def issue(root: Root, names: Names, now: int) -> str:
    """A certificate for these names and a key of its own, followed by the authority's, as PEM text.

    :raises ConfigFault: the authority may not vouch for one of the names.
    """
    refused = [name for name in names if not covers(root.certificate, name)]
    if refused:
        words = f"The private authority of this office may not vouch for {', '.join(refused)}"
        raise ConfigFault(f"{words}; make a new one")
    key = ec.generate_private_key(ec.SECP256R1())
    signing = load_pem_private_key(root.key.encode(), None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    hosts, addresses = _sorted(names)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, next(iter(names))[:_MOST_NAME])])
    shown = [*(x509.DNSName(host) for host in hosts), *(x509.IPAddress(address) for address in addresses)]
    certificate = (
        _begun(subject, root.certificate.subject, key.public_key(), now, LEAF_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(shown), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root.certificate.public_key()),  # type: ignore[arg-type]
            critical=False,
        )
        .sign(signing, SHA256())
    )
    return _written(key) + certificate.public_bytes(Encoding.PEM).decode("ascii") + root.pem


def stale(pem: str, root: x509.Certificate, names: Collection[str], now: int) -> bool:
    """Whether a certificate of :func:`issue` must be made anew: soon over, without one of these names, or of another
    authority."""
    try:
        leaf = x509.load_pem_x509_certificate(pem.encode())
        root_key = root.public_key()
        assert isinstance(root_key, ec.EllipticCurvePublicKey)
        leaf.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        return True
    return days_left(leaf, now) < RENEW_DAYS or not {name.casefold() for name in names} <= set(names_of(leaf))


def lasts(root: x509.Certificate, names: Collection[str], now: int) -> bool:
    """Whether an authority may vouch for all these names, for as long as a certificate of :func:`issue` is valid."""
    return days_left(root, now) > LEAF_DAYS and all(covers(root, name) for name in names)


def days_left(certificate: x509.Certificate, now: int) -> int:
    """Whole days until a certificate is over; negative afterwards."""
    return (int(certificate.not_valid_after_utc.timestamp()) * 1_000_000 - now) // _DAY


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Host names and addresses that a certificate is made out for, casefolded."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = (str(one) for one in found.get_values_for_type(x509.IPAddress))
    return tuple(name.casefold() for name in (*found.get_values_for_type(x509.DNSName), *addresses))


def covers(root: x509.Certificate, name: str) -> bool:
    """Whether the constraints of an authority let it vouch for a name or address."""
    try:
        permitted = root.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or ()
    except x509.ExtensionNotFound:
        return True
    hosts, addresses = _sorted([name])
    if addresses:
        return any(isinstance(one, x509.IPAddress) and _within(addresses[0], one.value) for one in permitted)
    wanted = hosts[0].casefold()
    known = [one.value.casefold() for one in permitted if isinstance(one, x509.DNSName)]
    return any(wanted == one or wanted.endswith(f".{one}") for one in known)


def _within(address: ipaddress.IPv4Address | ipaddress.IPv6Address, network: object) -> bool:
    return isinstance(network, ipaddress.IPv4Network | ipaddress.IPv6Network) and address in network


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: int, days: int
) -> x509.CertificateBuilder:
    at = dt.datetime.fromtimestamp(now // 1_000_000, dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        # Clocks of telephones and printers go wrong by hours.
        .not_valid_before(at - dt.timedelta(days=1))
        .not_valid_after(at + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _sorted(names: Names) -> tuple[list[str], list[ipaddress.IPv4Address | ipaddress.IPv6Address]]:
    """Host names, and addresses."""
    hosts: list[str] = []
    addresses: list[ipaddress.IPv4Address | ipaddress.IPv6Address] = []
    for name in dict.fromkeys(names):
        try:
            addresses.append(ipaddress.ip_address(name))
        except ValueError:
            hosts.append(name)
    return hosts, addresses


def _written(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
