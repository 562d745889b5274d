"""Fetches documents that Print-URI and Send-URI name, from hosts that the configuration allows and no others.

Whoever may print could otherwise make this machine ask any server it reaches. Redirects are not followed, for the same
reason.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, ResponseDone, ResponseFailed
from twisted.web.error import SchemeNotSupported

from mailshare.core.errors import MailshareError, Unavailable
from mailshare.printing.documents import DocumentIntake

CONNECT, WHOLE = 15.0, 300.0  # seconds
_PORTS = {"http": 80, "https": 443, "ftp": 21}


def fetchable(address: str, hosts: Sequence[str]) -> bool:
    """Whether documents may be fetched from there: ``host`` or ``host:port`` is one of those."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    allowed = {one.lower() for one in hosts}
    return bool(host) and address.isascii() and (host in allowed or f"{host}:{port}" in allowed)


class _Into(Protocol):
    """Hands what comes to an intake, and lets the other side wait while the disk is behind."""

    def __init__(self, intake: DocumentIntake) -> None:
        self._intake = intake
        self.done: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        """Take some octets; Twisted calls this."""
        wait = self._intake.write(data)
        if wait is not None:
            transport: Any = self.transport
            transport.pauseProducing()
            done = Deferred.fromCoroutine(_after(wait))
            done.addErrback(lambda _: None)  # the intake keeps what went wrong for its end
            done.addCallback(lambda _: transport.resumeProducing())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """All is there, or the connection broke; Twisted calls this."""
        if self.done.called:
            return
        if reason.check(ResponseDone, ConnectionClosed) and not reason.check(ResponseFailed):
            self.done.callback(None)
        else:
            self.done.errback(reason)


async def _after(wait: Awaitable[None]) -> None:
    await wait


async def fetch(reactor: Any, address: str, intake: DocumentIntake, most: int) -> None:
    """Bring a document.

    :param most: octets; a server that announces more is not listened to.
    :raises Unavailable: it cannot be had.
    """
    work = Deferred.fromCoroutine(_fetch(reactor, address, intake, most))
    work.addTimeout(WHOLE, reactor)
    try:
        await work
    except MailshareError:
        raise
    except (ConnectError, ConnectionClosed, DNSLookupError, ResponseFailed, SchemeNotSupported) as fault:
        raise Unavailable(f"The document cannot be fetched: {type(fault).__name__}") from fault
    except (TimeoutError, CancelledError) as fault:
        raise Unavailable("The document did not come in time") from fault


async def _fetch(reactor: Any, address: str, intake: DocumentIntake, most: int) -> None:
    if urlsplit(address).scheme.lower() == "ftp":
        await _by_ftp(reactor, address, intake)
        return
    response: Any = await Agent(reactor, connectTimeout=CONNECT).request(b"GET", address.encode("ascii"))
    if response.code != 200:
        raise Unavailable(f"The server that has the document answers {response.code}")
    if isinstance(response.length, int) and response.length > most:
        raise Unavailable("The document is larger than this printer takes")
    into = _Into(intake)
    response.deliverBody(into)
    await into.done


async def _by_ftp(reactor: Any, address: str, intake: DocumentIntake) -> None:
    # It installs a reactor when it is imported, which is not for this module to choose; by now there is one.
    from twisted.protocols.ftp import FTPClient, FTPError  # noqa: PLC0415

    parts = urlsplit(address)
    endpoint = HostnameEndpoint(reactor, parts.hostname or "", parts.port or _PORTS["ftp"], timeout=CONNECT)
    user, password = unquote(parts.username or "anonymous"), unquote(parts.password or "mailshare@")
    client: Any = await connectProtocol(endpoint, FTPClient(user, password, passive=1))
    try:
        into = _Into(intake)
        await client.retrieveFile(unquote(parts.path), into)
        await into.done
    except FTPError as fault:
        raise Unavailable(f"The server that has the document says no: {type(fault).__name__}") from fault
    finally:
        client.transport.loseConnection()
