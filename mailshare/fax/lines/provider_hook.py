"""Hears a provider call: a listener of its own for one line, which believes nothing but that it is worth looking.

What stands in the call is used only to know which fax to look at; its state is then asked for over the provider's own
API. So a forged or repeated call can do no more than make us look, and has to prove itself even for that.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from functools import partial
from io import BytesIO
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import server
from twisted.web.resource import Resource
from typing_extensions import override

from mailshare.core.errors import ConfigFault
from mailshare.core.fax_provider import Hook, text_at
from mailshare.fax.lines.door import Door
from mailshare.interfaces import IFaxReceiver
from mailshare.shell.http_connections import CountedChannel, OpenConnections
from mailshare.shell.limits import ConnectionLimits

_MOST = 8 * 1024 * 1024  # octets of a call; one that brings the whole fax along is refused, and the fax is asked for
_SECONDS = 30  # that a connection may be idle
Secret = Callable[[], Awaitable[str]]
_LIMITS = ConnectionLimits(total=50, per_peer=20)


def proves(hook: Hook, secret: str, header: Callable[[str], str], body: bytes, now: float) -> bool:
    """Whether a call is the provider's. Compared in the same time whatever is wrong.

    :param secret: the shared key; for ``ed25519`` the public key in base64; for ``basic`` ``user:password``.
    :param header: gives a header, empty when it is not there.
    :param now: seconds since 1970.
    """
    if hook.scheme == "basic":
        wanted = "Basic " + b64encode(secret.encode()).decode()
        return hmac.compare_digest(wanted.encode(), header("Authorization").encode())
    timestamp = header(hook.timestamp) if hook.timestamp else ""
    if hook.timestamp and not _in_time(timestamp, now, hook.window):
        return False
    signed = hook.signed.encode().replace(b"{timestamp}", timestamp.encode()).replace(b"{body}", body)
    given = header(hook.header)
    if hook.prefix and not given.startswith(hook.prefix):
        return False
    given = given.removeprefix(hook.prefix).strip()
    if hook.scheme == "ed25519":
        try:
            Ed25519PublicKey.from_public_bytes(b64decode(secret)).verify(b64decode(given, validate=True), signed)
        except (InvalidSignature, ValueError):
            return False
        return True
    kind = hashlib.sha1 if hook.scheme == "hmac-sha1" else hashlib.sha256
    digest = hmac.new(secret.encode(), signed, kind).digest()
    wanted = digest.hex() if hook.coding == "hex" else b64encode(digest).decode()
    return hmac.compare_digest(wanted.encode(), (given.lower() if hook.coding == "hex" else given).encode())


def _in_time(timestamp: str, now: float, window: int) -> bool:
    return timestamp.isdecimal() and len(timestamp) < 12 and abs(now - int(timestamp)) <= window


class ProviderHook:
    """The listener.

    :param listen: endpoint, e.g. ``tcp:8090:interface=127.0.0.1``.
    :param heard: called with the id of a fax, empty when the call names none.
    """

    def __init__(
        self, line: str, hook: Hook, secret: Secret, listen: str, reactor: Any, heard: Callable[[str], None]
    ) -> None:
        page = _HookPage(hook, secret, reactor, heard)
        self.site = _HookSite(_Tree(line, page), reactor)
        self._door = Door(line, reactor, listen, self.site)

    def set_receiver(self, receiver: IFaxReceiver) -> None:
        """Nothing is received here."""

    def start(self) -> None:
        """Listen. When that cannot be, faxes are still looked at from time to time."""
        self._door.open()

    @property
    def place(self) -> Any:
        """Where it listens; ``None`` while it does not."""
        return self._door.host

    async def stop(self) -> None:
        """Listen no more."""
        await self._door.close()
        await self.site.connections.drain(1.0)


class _Branch(Resource):
    """A place where there is nothing but what was put there."""

    @override
    def getChild(self, path: bytes, request: Any) -> Resource:
        """Whatever else is asked for; Twisted calls this."""
        return _Refusal(404)


class _Tree(_Branch):
    """``/fax/NAME``, and nothing else."""

    def __init__(self, line: str, page: Resource) -> None:
        super().__init__()
        fax = _Branch()
        self.putChild(b"fax", fax)
        fax.putChild(line.encode(), page)


class _Refusal(Resource):
    """A status and nothing to read."""

    isLeaf = True

    def __init__(self, code: int) -> None:
        super().__init__()
        self._code = code

    @override
    def render(self, request: Any) -> bytes:
        """Say so; Twisted calls this."""
        request.setResponseCode(self._code)
        return b""


class _HookPage(Resource):
    isLeaf = True
    _log = Logger()

    def __init__(self, hook: Hook, secret: Secret, clock: Any, heard: Callable[[str], None]) -> None:
        super().__init__()
        self._hook = hook
        self._secret = secret
        self._clock = clock
        self._heard = heard

    def render_GET(self, request: Any) -> bytes:
        """No call; Twisted calls this."""
        return _Refusal(405).render(request)

    def render_POST(self, request: Any) -> int:
        """A call; Twisted calls this."""
        done = Deferred.fromCoroutine(self._hear(request))
        done.addErrback(lambda failure: self._failed(request, failure))
        return server.NOT_DONE_YET

    def _failed(self, request: Any, failure: Failure) -> None:
        self._log.failure("a call could not be heard", failure=failure)
        request.channel.abortConnection()

    async def _hear(self, request: Any) -> None:
        body: bytes = request.content.read()
        try:
            secret = await self._secret()
        except ConfigFault as fault:
            self._log.warn("a provider's call cannot be proved: {why}", why=fault.public)
            secret = ""
        header, now = partial(_header, request), self._clock.seconds()
        if not secret or not proves(self._hook, secret, header, body, now):
            request.setResponseCode(401)
            request.finish()
            return
        request.finish()
        try:
            fax = text_at(json.loads(body), self._hook.id)
        except (ValueError, RecursionError):
            fax = ""
        self._heard(fax)


def _header(request: Any, name: str) -> str:
    """A header; empty when it is not there. What is no text is none that proves anything."""
    return (request.getHeader(name.encode("ascii")) or b"").decode("utf-8", "replace")


class _HookRequest(server.Request):
    """One request, bounded before it is read."""

    channel: Any
    content: Any
    _taken = 0

    @override
    def gotLength(self, length: int | None) -> None:
        """The headers are there; Twisted calls this."""
        self.content = BytesIO()
        if length is not None and length > _MOST:
            self._too_large()

    @override
    def handleContentChunk(self, data: bytes) -> None:
        """Some octets of the body; Twisted calls this."""
        if self._taken > _MOST:
            return  # it was told so; what is on its way still is passed over
        self._taken += len(data)
        if self._taken > _MOST:
            self._too_large()
            return
        self.content.write(data)

    def _too_large(self) -> None:
        words = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        self.channel.transport.write(words)
        self.channel.transport.loseConnection()
        self._taken = _MOST + 1


class _HookChannel(CountedChannel):
    requestFactory = _HookRequest


class _HookSite(server.Site):
    noisy = False
    displayTracebacks = False
    protocol: Any = _HookChannel

    def __init__(self, resource: Resource, reactor: Any) -> None:
        # Nothing of a body is read before the call has proved itself, whatever kind it says to be.
        super().__init__(
            resource, requestFactory=_HookRequest, timeout=_SECONDS, reactor=reactor, parsePOSTFormSubmission=False
        )
        self.connections = OpenConnections(_LIMITS, reactor)

    @override
    def log(self, request: Any) -> None:
        """Say nothing."""
