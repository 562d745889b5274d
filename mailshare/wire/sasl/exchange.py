"""The SASL part of the ``AUTH`` command as SMTP and POP3 share it: its argument, base64, cancelling.

Source: RFC 4954 section 4, RFC 5034 section 4.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable

from attrs import field, frozen

from mailshare.core.errors import PeerFault
from mailshare.wire.sasl.login import LoginServer
from mailshare.wire.sasl.mechanism import ServerMechanism
from mailshare.wire.sasl.plain import PlainServer
from mailshare.wire.sasl.scram import ScramServer

MAX_LINE = 12_288
"""Octets of an AUTH line or of an answer, with CRLF (RFC 4954 section 4)."""

_MECHANISM = re.compile(rb"[A-Za-z0-9_\-]{1,20}\Z")


class Cancelled(PeerFault):
    """The client sent ``*``."""

    default_code = 501
    default_enhanced = (5, 7, 0)
    default_public = "Authentication cancelled"


@frozen
class AuthRequest:
    """A parsed ``AUTH`` argument.

    :ivar mechanism: upper case.
    :ivar initial: decoded initial response; ``None`` when there was none, ``b""`` for ``=``.
    """

    mechanism: str
    initial: bytes | None = field(default=None, repr=False)


def _syntax(text: str) -> PeerFault:
    return PeerFault(text, code=501, enhanced=(5, 5, 2))


def parse_auth(argument: bytes) -> AuthRequest:
    """Read what follows ``AUTH`` and its blank.

    :raises PeerFault: 501 5.5.2, with words for the peer.
    """
    mechanism, blank, initial = argument.partition(b" ")
    if not _MECHANISM.match(mechanism):
        raise _syntax("AUTH needs the name of a mechanism")
    name = mechanism.decode().upper()
    if not blank:
        return AuthRequest(name)
    return AuthRequest(name, b"" if initial == b"=" else decode_response(initial, empty=False))


def decode_response(line: bytes, *, empty: bool = True) -> bytes:
    """Read one answer of the client: base64 in its one right way, no blanks, no line ends.

    :param empty: whether an empty line stands for an empty answer.
    :raises Cancelled: the line is ``*``.
    :raises PeerFault: 501 5.5.2, it is not base64.
    """
    if line == b"*":
        raise Cancelled
    if not line and not empty:
        raise _syntax("An initial response is missing; an empty one is written as =")
    try:
        octets = binascii.a2b_base64(line, strict_mode=True) if line else b""
    except binascii.Error:
        raise _syntax("That is not base64") from None
    if encode(octets) != line:
        raise _syntax("That is not base64 in its proper form")
    return octets


def encode(octets: bytes) -> bytes:
    """Base64 on one line, without CRLF; an empty text stays empty."""
    return binascii.b2a_base64(octets, newline=False)


def encode_initial(octets: bytes) -> bytes:
    """An initial response for the ``AUTH`` line, where ``=`` stands for an empty one."""
    return encode(octets) or b"="


def server_mechanism(name: str, nonce: Callable[[], str]) -> ServerMechanism | None:
    """Begin the server's half of a mechanism; ``None`` when there is none by that name.

    :param name: upper case, as in :attr:`AuthRequest.mechanism`.
    :param nonce: makes, for SCRAM, at least 18 random octets in base64, new for each exchange.
    """
    if name == PlainServer.name:
        return PlainServer()
    if name == LoginServer.name:
        return LoginServer()
    if name == ScramServer.name:
        return ScramServer(nonce())
    return None
