"""What mail programs ask for that look for their settings: Mozilla's autoconfig, for whoever asks.

It names the server's listeners and no person. Source: draft-ietf-mailmaint-autoconfig.
"""

from __future__ import annotations

from mailshare.core.errors import MailshareError
from mailshare.web.routing import Page
from mailshare.web.visit import Visit


async def autoconfig(visit: Visit) -> bytes:
    """The settings for ``?emailaddress=``; 404 for addresses that the provider answers for."""
    try:
        text = visit.rooms.autoconfig(visit.asked("emailaddress")[:320])
    except MailshareError as error:
        visit.request.setResponseCode(404)
        return visit.file(f"{error.public}\n".encode(), "text/plain; charset=utf-8")
    return visit.file(text.encode(), "text/xml; charset=utf-8")


PAGES = (
    Page("/mail/config-v1.1.xml", autoconfig, public=True),
    Page("/.well-known/autoconfig/mail/config-v1.1.xml", autoconfig, public=True),
)
