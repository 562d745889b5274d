"""An office inside another Twisted application: here a web page that shows how much mail waits.

Usage: python embed_in_application.py CONFIG WEB_PORT
"""

import sys
from typing import Any

from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

import mailshare


class Waiting(Resource):
    """The page."""

    isLeaf = True

    def __init__(self, office: Any) -> None:
        super().__init__()
        self.office = office

    def render_GET(self, request: Request) -> int:
        """Ask the office, then answer."""
        Deferred.fromCoroutine(self._answer(request))
        return NOT_DONE_YET

    async def _answer(self, request: Request) -> None:
        try:
            rows = await self.office.acts.mailboxes()
        except mailshare.MailshareError as error:
            request.setResponseCode(503)
            request.write(error.public.encode() + b"\n")
        else:
            for row in rows:
                request.write(f"{row['user']}: {row['unread']} unread\n".encode())
        request.finish()


def build_application(reactor: Any, path: str, port: int) -> MultiService:
    """The office and the page as one service."""
    whole = MultiService()
    office = mailshare.build(mailshare.load_config(path), reactor)
    office.setServiceParent(whole)
    endpoint = TCP4ServerEndpoint(reactor, port, interface="127.0.0.1")
    StreamServerEndpointService(endpoint, Site(Waiting(office))).setServiceParent(whole)
    return whole


if __name__ == "__main__":
    from twisted.internet import reactor

    application = build_application(reactor, sys.argv[1], int(sys.argv[2]))
    reactor.callWhenRunning(application.startService)
    reactor.addSystemEventTrigger("before", "shutdown", application.stopService)
    reactor.run()
