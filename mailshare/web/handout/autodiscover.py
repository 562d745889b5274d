"""The "plain old XML" of Autodiscover, which Outlook (the classic program) asks for.

Shapes: the request and response of Microsoft's open specification MS-OXDSCLI, with the ``POP3`` and ``SMTP`` protocol
types that Outlook 2007 and later read.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET
from xml.parsers import expat

from mailshare.core.errors import PeerFault
from mailshare.web.handout.description import Door, Handout
from mailshare.web.handout.xml_text import document, leaf

_ENVELOPE = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
_ANSWER = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
_TYPES = {"pop3": "POP3", "smtp": "SMTP"}
_ENCRYPTIONS = {"implicit": "SSL", "starttls": "TLS", "none": "None"}
_MOST_REQUEST = 16_384
_MOST_ADDRESS = 320


def autodiscover(handout: Handout) -> str:
    """The answer for one person."""
    root = ET.Element("Autodiscover", xmlns=_ENVELOPE)
    response = ET.SubElement(root, "Response", xmlns=_ANSWER)
    leaf(ET.SubElement(response, "User"), "DisplayName", handout.name)
    account = ET.SubElement(response, "Account")
    leaf(account, "AccountType", "email")
    leaf(account, "Action", "settings")
    for protocol in ("pop3", "smtp"):
        _protocol(account, handout.needed(protocol), handout.login)
    return document(root)


def _protocol(account: ET.Element, door: Door, login: str) -> None:
    protocol = ET.SubElement(account, "Protocol")
    leaf(protocol, "Type", _TYPES[door.protocol])
    leaf(protocol, "Server", door.host)
    leaf(protocol, "Port", str(door.port))
    leaf(protocol, "LoginName", login)
    leaf(protocol, "DomainRequired", "off")
    leaf(protocol, "SPA", "off")
    leaf(protocol, "SSL", "off" if door.tls == "none" else "on")
    leaf(protocol, "Encryption", _ENCRYPTIONS[door.tls])  # where a program knows it, it stands above SSL
    leaf(protocol, "AuthRequired", "on")
    if door.protocol == "smtp":
        leaf(protocol, "UsePOPAuth", "on")
        leaf(protocol, "SMTPLast", "off")


def requested_address(request: bytes) -> str:
    """The address in a request, as written there; it is whatever the sender likes.

    :param request: the body of the POST.
    :raises PeerFault: 400, it is too large, no XML, has a document type, or names no address.
    """
    if len(request) > _MOST_REQUEST:
        raise PeerFault("The request is too large", code=400)
    parser = expat.ParserCreate(namespace_separator=" ")
    inside: list[str] = []
    found: list[str] = []

    def refuse(*_: object) -> None:
        raise PeerFault("A document type has no place in a request", code=400)

    def start(tag: str, _: object) -> None:
        inside.append(tag.rpartition(" ")[2])

    def end(_: str) -> None:
        inside.pop()

    def text(data: str) -> None:
        if inside[-1:] == ["EMailAddress"]:
            found.append(data)

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    try:
        parser.Parse(request, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise PeerFault("The request is not XML", code=400) from error
    address = "".join(found).strip()
    if not address or len(address) > _MOST_ADDRESS:
        raise PeerFault("The request names no e-mail address", code=400)
    return address
