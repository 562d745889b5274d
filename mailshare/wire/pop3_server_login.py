"""The AUTHORIZATION state of a POP3 session: USER and PASS, AUTH and its exchange, which of them are offered when.

Source: RFC 1939 section 4 and 7, RFC 5034 (AUTH), RFC 3206 (AUTH code).
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from mailshare.core.errors import PeerFault
from mailshare.wire.pop3_server_events import Event, NameProven, PasswordGiven, ProofRejected, VerifierWanted
from mailshare.wire.sasl.exchange import decode_response, encode, parse_auth, server_mechanism
from mailshare.wire.sasl.mechanism import Challenge, NeedPassword, NeedVerifier, Proven, Result, ServerMechanism

_NOT_IN_CLEAR = "[AUTH] Passwords are taken inside TLS only; use STLS or the TLS port"


@frozen
class LoginOffer:
    """Which ways to log in there are.

    :ivar clear_passwords: passwords are taken outside TLS too (the client's network is trusted).
    :ivar scram: verifiers can be looked up.
    :ivar nonce: gives 18 or more random octets in base64, new at each call.
    """

    nonce: Callable[[], str]
    clear_passwords: bool = False
    scram: bool = False

    def mechanisms(self, *, secure: bool) -> tuple[str, ...]:
        """SASL mechanisms offered now, the best first."""
        scram = ("SCRAM-SHA-256",) if self.scram else ()
        return scram + (("PLAIN", "LOGIN") if secure or self.clear_passwords else ())


class Authorization:
    """Takes the lines of somebody who logs in and says what comes of each: a reply, or an event.

    :ivar secure: inside TLS.
    """

    def __init__(self, offer: LoginOffer, *, secure: bool) -> None:
        self._offer = offer
        self._user: bytes | None = None
        self._mechanism: ServerMechanism | None = None
        self._name = ""
        self.secure = secure

    @property
    def exchanging(self) -> bool:
        """The next line belongs to a SASL exchange."""
        return self._mechanism is not None

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """SASL mechanisms offered now."""
        return self._offer.mechanisms(secure=self.secure)

    @property
    def takes_passwords(self) -> bool:
        """``USER`` works now."""
        return self.secure or self._offer.clear_passwords

    def forget(self) -> None:
        """Drop a name that was given and an exchange that has begun."""
        self._user = None
        self._mechanism = None
        self._name = ""

    def user(self, name: bytes) -> bytes:
        """``USER``: any name gets the same answer.

        :raises PeerFault: with words for the client.
        """
        self._user = None
        if not self.takes_passwords:
            raise PeerFault(_NOT_IN_CLEAR)
        if not name:
            raise PeerFault("USER needs a name")
        self._user = name
        return b"+OK Now the password"

    def password(self, password: bytes) -> PasswordGiven:
        """``PASS``: everything behind the one blank is the password, blanks too.

        :raises PeerFault: with words for the client.
        """
        name, self._user = self._user, None
        if name is None:
            raise PeerFault("USER comes first")
        if not password:
            raise PeerFault("PASS needs a password")
        return PasswordGiven(name, password)

    def auth(self, argument: bytes) -> bytes | Event:
        """``AUTH mechanism [initial response]``.

        :raises PeerFault: with words for the client.
        """
        self.forget()
        request = parse_auth(argument)
        if request.mechanism not in self.mechanisms:
            if request.mechanism in self._offer.mechanisms(secure=True):
                raise PeerFault(_NOT_IN_CLEAR)
            raise PeerFault("That mechanism is not offered")
        mechanism = server_mechanism(request.mechanism, self._offer.nonce)
        assert mechanism is not None
        self._mechanism = mechanism
        return self._outcome(mechanism, mechanism.start(request.initial))

    def response(self, line: bytes) -> bytes | Event:
        """The client's answer to a challenge.

        :raises PeerFault: cancelled, or not base64.
        """
        mechanism = self._mechanism
        assert mechanism is not None
        try:
            answer = decode_response(line)
        except PeerFault:
            self._mechanism = None
            raise
        return self._outcome(mechanism, mechanism.step(answer))

    def verifier(self, text: str) -> bytes | Event:
        """The verifier that was asked for.

        :raises PeerFault: the exchange is broken.
        """
        mechanism = self._mechanism
        assert mechanism is not None
        return self._outcome(mechanism, mechanism.verifier(text))

    def _outcome(self, mechanism: ServerMechanism, result: Result) -> bytes | Event:
        if isinstance(result, Challenge):
            return b"+ " + encode(result.data)
        if isinstance(result, NeedVerifier):
            self._name = result.name
            return VerifierWanted(result.name)
        self._mechanism = None
        if isinstance(result, NeedPassword):
            return PasswordGiven(result.name.encode(), result.password.encode(), mechanism.name)
        if isinstance(result, Proven):
            return NameProven(result.name, mechanism.name, result.verifier)
        if result.malformed:
            raise PeerFault("That is not a message of this mechanism")
        return ProofRejected(self._name, mechanism.name)

