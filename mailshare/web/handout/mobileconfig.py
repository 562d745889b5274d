"""A configuration profile for iPhone, iPad and Mac.

Keys: Apple's Device Management reference, payloads ``com.apple.mail.managed`` and ``com.apple.security.root``. The
identifiers are made from server and login (UUID version 5, RFC 9562), so that a newer profile replaces the older one.
"""

from __future__ import annotations

import plistlib
import uuid
from typing import Any
from urllib.parse import quote

from attrs import field, frozen
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from mailshare.core.errors import ConfigFault
from mailshare.web.handout.description import Authority, Handout
from mailshare.web.handout.plain_text import exact

MEDIA_TYPE = "application/x-apple-aspen-config"
_SPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "mailshare.handout")


@frozen
class Signer:
    """A key to sign profiles with.

    :ivar chain: certificates between the signer's and the authority's.
    """

    certificate: x509.Certificate
    key: Any = field(repr=False)
    chain: tuple[x509.Certificate, ...] = ()


def signed(profile: str, signer: Signer) -> bytes:
    """A profile inside a CMS signature (RFC 5652), DER, as devices show it as "verified" when they trust the signer.

    :raises ConfigFault: the key is of a kind that cannot sign it.
    """
    if not isinstance(signer.key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ConfigFault("Only RSA and EC keys can sign a profile; the server's key is of another kind")
    builder = pkcs7.PKCS7SignatureBuilder().set_data(profile.encode())
    builder = builder.add_signer(signer.certificate, signer.key, SHA256())
    for one in signer.chain:
        builder = builder.add_certificate(one)
    return builder.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary])


def mobileconfig(handout: Handout, *, password: str = "") -> str:
    """The profile as XML text, unsigned; :func:`signed` signs it.

    :param password: put inside when given; whoever gets the file then has it. Else the device asks.
    :raises ConfigFault: a listener is missing.
    """
    identifier = f"mailshare.{handout.hostname}.{quote(handout.login, safe='')}"
    payloads = [_mail(handout, identifier, exact(password, "password"))]
    if handout.authority is not None:
        payloads.append(_root(handout.authority, identifier))
    profile = {
        **_payload("Configuration", identifier, f"Mail of {handout.name}"),
        "PayloadDescription": f"Reads and sends the mail of {handout.name} through {handout.hostname}.",
        "PayloadOrganization": handout.hostname,
        "PayloadContent": payloads,
        "PayloadRemovalDisallowed": False,
    }
    return plistlib.dumps(profile, sort_keys=True).decode("utf-8")


def authority_profile(authority: Authority, hostname: str) -> str:
    """A profile that makes a device trust the private authority, and nothing else; XML text, unsigned."""
    identifier = f"mailshare.{hostname}"
    profile = {
        **_payload("Configuration", f"{identifier}.trust", f"Certificate of {hostname}"),
        "PayloadDescription": f"Lets this device trust {hostname}. SHA-256: {authority.fingerprint}",
        "PayloadOrganization": hostname,
        "PayloadContent": [_root(authority, identifier)],
        "PayloadRemovalDisallowed": False,
    }
    return plistlib.dumps(profile, sort_keys=True).decode("utf-8")


def _payload(kind: str, identifier: str, name: str) -> dict[str, Any]:
    return {
        "PayloadType": kind,
        "PayloadVersion": 1,
        "PayloadIdentifier": identifier,
        "PayloadUUID": str(uuid.uuid5(_SPACE, identifier)).upper(),
        "PayloadDisplayName": name,
    }


def _mail(handout: Handout, identifier: str, password: str) -> dict[str, Any]:
    mail = {
        **_payload("com.apple.mail.managed", f"{identifier}.mail", f"Mailbox {handout.login}"),
        "EmailAccountType": "EmailTypePOP",
        "EmailAccountDescription": f"{handout.name} at {handout.hostname}",
        "EmailAccountName": handout.name,
        "EmailAddress": exact(str(handout.address), "address"),
        "OutgoingPasswordSameAsIncomingPassword": True,
    }
    for direction, protocol in (("Incoming", "pop3"), ("Outgoing", "smtp")):
        door = handout.needed(protocol)
        mail |= {
            f"{direction}MailServerAuthentication": "EmailAuthPassword",
            f"{direction}MailServerHostName": door.host,
            f"{direction}MailServerPortNumber": door.port,
            f"{direction}MailServerUseSSL": door.tls != "none",
            f"{direction}MailServerUsername": handout.login,
        }
    if password:
        mail["IncomingPassword"] = password
    return mail


def _root(authority: Authority, identifier: str) -> dict[str, Any]:
    return {
        **_payload("com.apple.security.root", f"{identifier}.authority", f"Certificate of {authority.name}"),
        "PayloadCertificateFileName": "mailshare.cer",
        "PayloadContent": authority.der,
    }
