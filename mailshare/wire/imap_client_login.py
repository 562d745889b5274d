"""The SASL exchange of AUTHENTICATE (RFC 3501 section 6.2.2, SASL-IR RFC 4959)."""

from __future__ import annotations

import binascii

from mailshare.core.errors import PeerFault
from mailshare.wire.sasl.exchange import encode, encode_initial
from mailshare.wire.sasl.mechanism import ClientMechanism

_MAX_ROUNDS = 8
MAX_INITIAL = 2000
"""Octets of an initial response that goes with the command; servers take command lines of some thousand octets."""


class Login:
    """One exchange.

    :param initial_allowed: the server takes the first response with the command.
    :ivar first: the command's arguments.
    """

    def __init__(self, mechanism: ClientMechanism, *, initial_allowed: bool) -> None:
        self._mechanism = mechanism
        self._rounds = 0
        self._fault: PeerFault | None = None
        self._held: bytes | None = mechanism.initial()
        self.first = mechanism.name.encode()
        if self._held is not None and initial_allowed and len(self._held) < MAX_INITIAL:
            self.first += b" " + encode_initial(self._held)
            self._held = None

    def respond(self, challenge: bytes) -> bytes:
        """The line that answers one challenge.

        :raises PeerFault: the server goes on and on.
        """
        self._rounds += 1
        if self._fault is not None or self._rounds > _MAX_ROUNDS:
            raise PeerFault("The server goes on asking in AUTHENTICATE")
        response = b""
        try:
            octets = binascii.a2b_base64(challenge, strict_mode=True) if challenge else b""
            if self._held is not None and not octets:
                response, self._held = self._held, None
            else:
                response = self._mechanism.respond(octets)
        except binascii.Error:
            self._fault = PeerFault("The server's challenge in AUTHENTICATE is not base64")
        except PeerFault as fault:
            self._fault = fault
        return b"*\r\n" if self._fault else encode(response) + b"\r\n"

    def succeeded(self) -> None:
        """The server says that we are in.

        :raises PeerFault: it had not proved itself, or accepts what we had broken off.
        """
        if self._fault is not None:
            raise self._fault
        if self._held is not None:
            raise PeerFault("The server says yes to a login that was not sent")
        self._mechanism.succeeded()
