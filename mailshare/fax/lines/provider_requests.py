"""Asks a provider: one request, one answer, within its time and size, and only of hosts that its description names."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from io import BytesIO
from typing import Any
from urllib.parse import urlencode, urlsplit

from attrs import frozen
from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet import error
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IReactorTime
from twisted.web._newclient import RequestNotSent  # nobody else exports it
from twisted.web.client import (
    FileBodyProducer,
    RequestTransmissionFailed,
    ResponseNeverReceived,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent

from mailshare.core.errors import ConfigFault
from mailshare.core.fax_provider import Ask, Provider, fill, filled, holds, text_at
from mailshare.shell.bounded_page import page_of

CONNECT = 15.0  # seconds until a connection is there
_ANSWER = 60.0  # seconds until an answer is there, whole
_HANDED_OVER = 300.0  # the same with a document on its way, either way
MOST_ANSWER = 4 * 1024 * 1024  # octets of an answer; 100 faxes in a list are far less
MOST_DOCUMENT = 64 * 1024 * 1024
_UNSENT = (error.ConnectError, error.DNSLookupError, error.ConnectingCancelledError, RequestNotSent)


class NotAskedError(Exception):
    """The request never left: the provider knows nothing of it."""


class NoAnswerError(Exception):
    """The request went out, or part of it, and no whole answer came: nobody here knows what the provider did."""


@frozen
class Answer:
    """What a provider said.

    :ivar place: the ``Location`` header.
    """

    code: int
    body: bytes
    place: str = ""

    @property
    def value(self) -> Any:
        """The body as JSON; ``None`` when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):  # no JSON, or one that is deeper than anybody means it
            return None

    def accepted(self, ask: Ask) -> bool:
        """Whether it means yes."""
        return 200 <= self.code < 300 and (not ask.accept or holds(self.value, ask.accept, {}))

    @property
    def undecided(self) -> bool:
        """The provider failed in the middle: it may have done what was asked for. (503 says that it did not begin.)"""
        return self.code >= 500 and self.code != 503


class Asking:
    """Requests to one provider with one login.

    :param line: the words of the line: ``base``, ``user`` ...
    :param secret: gives the password or key, read anew for each request; told to nobody but the provider.
    """

    def __init__(
        self,
        provider: Provider,
        line: Mapping[str, str],
        secret: Callable[[], Awaitable[str]],
        agent: IAgent,
        clock: IReactorTime,
    ) -> None:
        self._provider = provider
        self._line = line
        self._secret = secret
        self._agent = agent
        self._clock = clock

    async def ask(
        self, ask: Ask, words: Mapping[str, str], document: bytes = b"", most: int = MOST_ANSWER
    ) -> Answer:
        """Ask, and wait for the answer.

        :param document: the fax, for requests that carry one.
        :param most: octets of the answer.
        :raises NotAskedError: nothing was sent.
        :raises NoAnswerError: no whole answer came.
        """
        try:
            known = {**self._line, "secret": await self._secret(), **words}
        except ConfigFault as fault:
            raise NotAskedError(fault.public) from fault
        url = words["link"] if ask.url == "{link}" else fill(ask.url, known, in_address=True)
        if not self._provider.may_ask(url, document="link" in words):
            raise NotAskedError(f"{urlsplit(url).hostname} is no host of this provider, or is not asked by HTTPS")
        headers = Headers({"User-Agent": ["mailshare"], "Accept": ["application/json, application/pdf, image/tiff"]})
        if "link" not in words:  # an address inside an answer is signed in itself, and gets no secret of ours
            self._log_in(headers, known)
        for name, value in ask.headers.items():
            headers.setRawHeaders(name, [_one_line(fill(value, known))])
        kind, body = _body(ask, known, document, self._provider.document)
        if kind:
            headers.setRawHeaders("Content-Type", [kind])
        wait = _HANDED_OVER if document or most > MOST_ANSWER else _ANSWER
        return await self._exchange(ask.method, url, headers, body, wait, most)

    def _log_in(self, headers: Headers, known: Mapping[str, str]) -> None:
        login = self._provider.login
        user, password = fill(login.user, known), fill(login.password, known)
        if login.kind == "basic":
            headers.setRawHeaders("Authorization", ["Basic " + b64encode(f"{user}:{password}".encode()).decode()])
        elif login.kind == "bearer":
            headers.setRawHeaders("Authorization", ["Bearer " + _one_line(password)])
        elif login.kind == "header":
            headers.setRawHeaders(login.name, [_one_line(password)])

    async def _exchange(
        self, method: str, url: str, headers: Headers, body: bytes, wait: float, most: int
    ) -> Answer:
        producer = FileBodyProducer(BytesIO(body)) if body else None
        try:
            asked: Deferred[Any] = self._agent.request(method.encode(), url.encode("ascii"), headers, producer)
            response = await asked.addTimeout(wait, self._clock)
        except _UNSENT as fault:
            raise NotAskedError(f"{urlsplit(url).hostname} cannot be reached: {_words(fault)}") from fault
        except (RequestTransmissionFailed, ResponseNeverReceived) as fault:
            if _never_trusted(fault):
                raise NotAskedError(f"The certificate of {urlsplit(url).hostname} is not to be trusted") from fault
            raise NoAnswerError("The connection broke off") from fault
        except (DeferredTimeout, error.ConnectionLost, error.ConnectionDone, SSL.Error) as fault:
            raise NoAnswerError(f"No answer came within {wait:g} seconds") from fault
        octets = await page_of(response, most).addTimeout(wait, self._clock, onTimeoutCancel=lambda *_: None)
        if octets is None:
            raise NoAnswerError("The answer broke off, or is larger than it may be")
        return Answer(response.code, octets, (response.headers.getRawHeaders("Location") or [""])[0])


def _body(ask: Ask, known: Mapping[str, str], document: bytes, kind: str) -> tuple[str, bytes]:
    """Its media type and octets."""
    media = "application/pdf" if kind == "pdf" else "image/tiff"
    if ask.form == "raw":
        return media, document
    if not ask.form:
        return "", b""
    if any(word == "{document}" for word in _leaves(ask.fields)):
        known = {**known, "document": b64encode(document).decode()}
    fields = filled(ask.fields, {"document": "", **known}) or {}
    if ask.form == "json":
        return "application/json", json.dumps(fields).encode()
    if ask.form == "form":
        return "application/x-www-form-urlencoded", urlencode({name: str(one) for name, one in fields.items()}).encode()
    # A file cannot hold its own digest, so the boundary is nowhere in it.
    boundary = f"mailshare-{hashlib.sha256(document).hexdigest()[:40]}"
    return f"multipart/form-data; boundary={boundary}", _multipart(boundary, fields, ask.file, document, media)


def _leaves(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else None
    return [value] if inner is None else [leaf for one in inner for leaf in _leaves(one)]


def _multipart(boundary: str, fields: Mapping[str, Any], file: str, document: bytes, media: str) -> bytes:
    """Source: RFC 7578."""
    out = bytearray()
    for field, value in fields.items():
        text = _one_line(str(value))
        out += f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{text}\r\n'.encode()
    if file:
        name = f"fax.{'pdf' if media == 'application/pdf' else 'tif'}"
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{file}"; filename="{name}"\r\n'
        out += f"{head}Content-Type: {media}\r\n\r\n".encode() + document + b"\r\n"
    return bytes(out + f"--{boundary}--\r\n".encode())


def _one_line(text: str) -> str:
    return "".join(char for char in text if char.isprintable())


def _never_trusted(fault: RequestTransmissionFailed | ResponseNeverReceived) -> bool:
    """Whether TLS ended before the request could be read by anybody."""
    return any(
        one.check(VerificationError) or (one.check(SSL.Error) and "certificate verify failed" in str(one.value))
        for one in fault.reasons
    )


def _words(fault: Exception) -> str:
    text = str(fault).strip(". ")
    return text or type(fault).__name__


def told(answer: Answer, path: str) -> str:
    """What an answer says for people, with its status where it says nothing."""
    return text_at(answer.value, path) or f"status {answer.code}"


