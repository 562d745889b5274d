"""AUTH of the SMTP server: one exchange at a time, the count of failures, who is logged in.

Source: RFC 4954. The mechanisms stand in :mod:`mailshare.wire.sasl`.
"""

from __future__ import annotations

from collections.abc import Callable

from mailshare.core.errors import PeerFault
from mailshare.wire.sasl.exchange import decode_response, encode, parse_auth, server_mechanism
from mailshare.wire.sasl.mechanism import (
    Challenge,
    NeedPassword,
    NeedVerifier,
    Proven,
    Refused,
    Result,
    ServerMechanism,
)
from mailshare.wire.smtp_server_events import (
    LoginProven,
    PasswordOffered,
    ProofRejected,
    SMTPSettings,
    VerifierWanted,
)

Step = tuple[object | None, list[bytes]]


class Logins:
    """The logins of one connection.

    :param nonce: makes a fresh nonce for SCRAM.
    :ivar user: who is logged in; empty for nobody.
    """

    _mechanism: ServerMechanism | None = None
    _asked = user = ""
    _failures = 0

    def __init__(self, settings: SMTPSettings, nonce: Callable[[], str]) -> None:
        self._settings = settings
        self._nonce = nonce

    @property
    def busy(self) -> bool:
        """An exchange is under way: the next line is an answer to a challenge, not a command."""
        return self._mechanism is not None

    def forget(self) -> None:
        """Nobody is logged in any more. Failures stay counted."""
        self.user = ""
        self._mechanism = None

    def begin(self, argument: bytes) -> Step:
        """Read what follows AUTH.

        :returns: an event that wants an answer, or ``None``; and replies to send.
        :raises PeerFault: the exchange is over.
        """
        request = parse_auth(argument)
        mechanism = None
        if request.mechanism in self._settings.mechanisms:
            mechanism = server_mechanism(request.mechanism, self._nonce)
        if mechanism is None:
            raise PeerFault("This mechanism is not offered", code=504, enhanced=(5, 5, 4))
        self._mechanism, self._asked = mechanism, ""
        return self._result(mechanism.start(request.initial))

    def step(self, line: bytes) -> Step:
        """Read an answer to a challenge; as :meth:`begin`."""
        mechanism = self._mechanism
        assert mechanism is not None
        try:
            octets = decode_response(line)
        except PeerFault:
            self._mechanism = None
            raise
        return self._result(mechanism.step(octets))

    def verifier(self, text: str) -> Step:
        """Go on with what is stored for a login; as :meth:`begin`."""
        mechanism = self._mechanism
        assert mechanism is not None
        return self._result(mechanism.verifier(text))

    def accept(self) -> None:
        """The login that was asked about is good."""
        self.user = self._asked
        self._mechanism = None

    def refused(self) -> bool:
        """The login failed. Tells whether that was once too often."""
        self._mechanism = None
        self._failures += 1
        return self._failures >= self._settings.login_failures

    def _result(self, result: Result) -> Step:
        if isinstance(result, Challenge):
            text = encode(result.data)
            return None, [b"334 " + text + b"\r\n"]
        if isinstance(result, Refused):
            self._mechanism = None
            if result.malformed:
                raise PeerFault("That does not belong to this mechanism", code=501, enhanced=(5, 5, 2))
            return ProofRejected(self._asked), []
        self._asked = result.name
        if isinstance(result, NeedPassword):
            return PasswordOffered(result.name, result.password), []
        if isinstance(result, NeedVerifier):
            return VerifierWanted(result.name), []
        assert isinstance(result, Proven)
        return LoginProven(result.name, result.verifier), []
