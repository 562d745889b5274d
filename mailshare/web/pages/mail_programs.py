"""What mail programs ask for that look for their settings, and the certificate to trust; for whoever asks.

It names the server's listeners and no person. Source: draft-ietf-mailmaint-autoconfig; Microsoft's open specifications
MS-OXDSCLI (the XML of Autodiscover) and MS-OXWADT (its JSON).
"""

from __future__ import annotations

import json

from mailshare.core.errors import MailshareError
from mailshare.web.handout import requested_address
from mailshare.web.routing import Page
from mailshare.web.visit import Visit

AUTODISCOVER = "/autodiscover/autodiscover.xml"
_JSON = "/autodiscover/autodiscover.json"
_TEXT = "text/plain; charset=utf-8"
_MOST_ADDRESS = 320


def _missing(visit: Visit, error: MailshareError) -> bytes:
    visit.request.setResponseCode(404)
    return visit.file(f"{error.public}\n".encode(), _TEXT)


async def autoconfig(visit: Visit) -> bytes:
    """The settings for ``?emailaddress=``; 404 for addresses that the provider answers for."""
    host = (visit.request.getHeader("Host") or "").partition(":")[0]  # some programs do not tell whose mail it is
    address = visit.asked("emailaddress") or f"@{host.removeprefix('autoconfig.')}"
    try:
        text = visit.rooms.handouts.autoconfig(address[:_MOST_ADDRESS])
    except MailshareError as error:
        return _missing(visit, error)
    return visit.file(text.encode(), "text/xml; charset=utf-8")


async def autodiscover(visit: Visit) -> bytes:
    """The settings for the address in a posted request; 404 as above, 400 for what is no request."""
    visit.request.content.seek(0)
    try:
        address = requested_address(visit.request.content.read())
    except MailshareError as error:
        visit.request.setResponseCode(400)
        return visit.file(f"{error.public}\n".encode(), _TEXT)
    try:
        text = visit.rooms.handouts.autodiscover(address)
    except MailshareError as error:
        return _missing(visit, error)
    return visit.file(text.encode(), "text/xml; charset=utf-8")


async def autodiscover_json(visit: Visit) -> bytes:
    """Where the XML is asked for: all that the JSON of version 2 says of servers like this one."""
    wanted = visit.asked("Protocol")
    if wanted.casefold() == "autodiscoverv1":
        scheme = "https" if visit.request.isSecure() else "http"
        host = visit.request.getHeader("Host") or ""
        answer = {"Protocol": "AutodiscoverV1", "Url": f"{scheme}://{host}{AUTODISCOVER}"}
    else:
        visit.request.setResponseCode(400)
        words = "Only AutodiscoverV1 is answered here: this server speaks POP3 and SMTP"
        answer = {"ErrorCode": "ProtocolNotSupported", "ErrorMessage": words}
    return visit.file(json.dumps(answer).encode(), "application/json")


async def authority(visit: Visit) -> bytes:
    """The certificate of the private authority, to be trusted once: DER, PEM, or as a profile for Apple's devices."""
    try:
        octets, kind, name = visit.rooms.handouts.authority(visit.path["form"])
    except MailshareError as error:
        return _missing(visit, error)
    return visit.file(octets, kind, name)


PAGES = (
    Page("/mail/config-v1.1.xml", autoconfig, public=True),
    Page("/.well-known/autoconfig/mail/config-v1.1.xml", autoconfig, public=True),
    Page(AUTODISCOVER, autodiscover, "POST", public=True),
    Page("/Autodiscover/Autodiscover.xml", autodiscover, "POST", public=True),
    Page(_JSON, autodiscover_json, public=True),
    Page(f"{_JSON}/v1.0/<address>", autodiscover_json, public=True),
    Page("/ca.<any(crt, pem, mobileconfig):form>", authority, public=True),
)
