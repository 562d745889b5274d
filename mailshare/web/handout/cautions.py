"""What a person or the administrator should know before anybody types values into a mail program."""

from __future__ import annotations

from attrs import frozen

from mailshare.web.handout.description import Door, Handout

_WORDS = {"pop3": "reading", "smtp": "sending"}

_CLOUD = (
    "Programs that fetch mail through their maker's computers, such as the new Outlook for Windows, may not reach a "
    "server of a local network, and give the password away. Take a program that connects by itself."
)


@frozen
class Caution:
    """One warning.

    :ivar code: stable: ``no-door``, ``no-tls``, ``near-only``, ``unknown-port``, ``provider-domain``, ``local-name``,
        ``certificate-name``, ``private-authority``, ``unknown-authority``, ``closed-login``, ``no-address``,
        ``cloud-client``.
    :ivar text: a sentence or two for people.
    """

    code: str
    text: str


def cautions(handout: Handout) -> tuple[Caution, ...]:
    """Everything worth saying about a hand-out, the gravest first."""
    found = []
    if not handout.enabled:
        found.append(Caution("closed-login", f"The login {handout.login} is closed: nobody can connect with it."))
    for protocol, word in _WORDS.items():
        door = handout.best(protocol)
        if door is None:
            found.append(Caution("no-door", f"The server has no listener for {word} mail whose port is known."))
        else:
            found += _of_door(door, word)
    found += [
        Caution("unknown-port", f"The configuration does not tell the port of the listener {text}; ask who set it up.")
        for text in handout.unknown
    ]
    found += _of_certificate(handout)
    found += _of_names(handout)
    found.append(Caution("cloud-client", _CLOUD))
    return tuple(found)


def _of_door(door: Door, word: str) -> list[Caution]:
    found = []
    if door.tls == "none" and not door.near:
        text = (
            f"This listener has no TLS: for {word} mail on port {door.port} the password and the mail cross the "
            "network readable to others. The server takes a password there from its trusted networks only."
        )
        found.append(Caution("no-tls", text))
    if door.near:
        text = f"For {word} mail the server listens on port {door.port} of its own computer only; no desk reaches it."
        found.append(Caution("near-only", text))
    return found


def _of_certificate(handout: Handout) -> list[Caution]:
    certificate = handout.certificate
    if certificate is None:
        return []
    found = []
    if not certificate.fits(handout.hostname):
        names = ", ".join(certificate.names) or "no name at all"
        text = f"The certificate is made out for {names}, not for {handout.hostname}; programs will refuse or warn."
        found.append(Caution("certificate-name", text))
    if certificate.authority is not None:
        text = (
            "The server's certificate comes from a private authority. Install its certificate, or compare the SHA-256 "
            f"fingerprint when the program asks: {certificate.authority.fingerprint}"
        )
        found.append(Caution("private-authority", text))
    elif not certificate.known:
        text = (
            "Nobody whom this computer trusts signed the server's certificate. If a private authority did, name its "
            "file as authority under [listen], so that it is handed out too."
        )
        found.append(Caution("unknown-authority", text))
    return found


def _of_names(handout: Handout) -> list[Caution]:
    found = []
    if not handout.local_domain:
        text = (
            f"The server calls itself {handout.hostname}, which other computers may not find. Set hostname under "
            "[server] to a name that your network's DNS knows."
        )
        found.append(Caution("local-name", text))
    for identity in handout.identities:
        domain = identity.address.domain
        if domain and domain.casefold() not in {handout.local_domain.casefold(), handout.hostname.casefold()}:
            text = (
                f"Do not let the program search for settings: {domain} belongs to the mail provider, so a search by "
                f"that name leads to the provider's servers, past {handout.hostname}. Use what is given here."
            )
            found.append(Caution("provider-domain", text))
        if not identity.usable:
            text = f"No name leads mail to {identity.address} to this person alone; give the user a name of his own."
            found.append(Caution("no-address", text))
    return found
