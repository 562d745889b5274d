"""What every SASL mechanism looks like from outside, on both sides, and the preparation of names and passwords.

A mechanism sees decoded octets only; base64 and the ``AUTH`` line are in :mod:`mailshare.wire.sasl.exchange`.
It does no I/O, takes no time of its own accord, and keeps no secret longer than it must.

Server side: ``start(initial)``, then ``step(response)``, each gives one of

- :class:`Challenge`: send it, and bring the client's answer to ``step``;
- :class:`NeedPassword`: have the pair checked; the mechanism is finished;
- :class:`NeedVerifier`: look the name up, bring the verifier to ``verifier()``, which gives the next of these;
- :class:`Proven`: the client is who it says; the mechanism is finished;
- :class:`Refused`: say no (every refusal in the same words); the mechanism is finished.

Client side: ``initial()`` for the first response, ``respond(challenge)`` for the others, ``succeeded()`` when the
server says yes.

Source: RFC 4422 (SASL), RFC 4013 (SASLprep).
"""

from __future__ import annotations

import stringprep
import unicodedata
from typing import Protocol

from attrs import field, frozen

from mailshare.core.errors import PeerFault

MAX_NAME = 1024
"""Octets of a login or password that is looked at; longer ones are refused unseen."""


@frozen
class Challenge:
    """Octets for the client, before base64. They hold no secret."""

    data: bytes


@frozen
class NeedPassword:
    """The client gave a name and a password for the caller to check.

    An authorization identity other than the name itself has been refused already.
    """

    name: str
    password: str = field(repr=False)


@frozen
class NeedVerifier:
    """Look up this login's SCRAM verifier and call ``verifier(text)`` of the mechanism with it."""

    name: str


@frozen
class Proven:
    """The client proved to be this login.

    :ivar verifier: the one of several stored verifiers that it was proven by; empty where there is none.
    """

    name: str
    verifier: str = field(default="", repr=False, eq=False)


@frozen
class Refused:
    """No. ``reason`` is for the log; the client is told the same whatever it is, unless ``malformed``.

    :ivar malformed: what came is not a message of this mechanism, so saying so tells nothing about any login.
    """

    reason: str
    malformed: bool = False


Result = Challenge | NeedPassword | NeedVerifier | Proven | Refused


class ServerMechanism(Protocol):
    """The server's half of one exchange."""

    @property
    def name(self) -> str:
        """As in ``AUTH name``, upper case."""

    def start(self, initial: bytes | None) -> Result:
        """Begin; ``None`` when the client sent no initial response, ``b""`` when it sent an empty one."""

    def step(self, response: bytes) -> Result:
        """The client answered the last challenge."""

    def verifier(self, text: str) -> Result:
        """The answer to :class:`NeedVerifier`; mechanisms that never ask refuse."""


class ClientMechanism(Protocol):
    """The client's half of one exchange.

    When the protocol at hand has no initial response, or ``initial()`` is ``None``, wait for the server's first
    challenge and call ``respond``: an empty first challenge is answered with the initial response.
    """

    @property
    def name(self) -> str:
        """As in ``AUTH name``, upper case."""

    def initial(self) -> bytes | None:
        """The initial response, or ``None`` when the server speaks first."""

    def respond(self, challenge: bytes) -> bytes:
        """The answer to a challenge, both decoded.

        :raises PeerFault: the server does not keep to the mechanism, or did not prove itself: send ``*``, then leave.
        """

    def succeeded(self) -> None:
        """The server said yes.

        :raises PeerFault: it said so before it proved that it knows the password; do not go on with it.
        """


_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(text: str, *, stored: bool = False) -> str:
    """Bring a name or a password into the form that is compared.

    :param stored: for strings that are kept, not asked with: code points that Unicode 3.2 does not know are refused.
    :raises ValueError: it holds characters that no name or password may have; the text does not repeat them.

    Source: RFC 4013 section 2, RFC 3454 section 6 for text from right to left.
    """
    if text.isascii() and text.isprintable():
        return text
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char for char in text if not stringprep.in_table_b1(char)
    )
    normal = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    for char in normal:
        if any(table(char) for table in _PROHIBITED) or (stored and stringprep.in_table_a1(char)):
            raise ValueError("a character that is not allowed in a name or a password")
    if any(map(stringprep.in_table_d1, normal)):
        if any(map(stringprep.in_table_d2, normal)):
            raise ValueError("text in both directions in one name or password")
        if not (stringprep.in_table_d1(normal[0]) and stringprep.in_table_d1(normal[-1])):
            raise ValueError("text from right to left must begin and end so")
    return normal


def same_identity(authorization: str, name: str) -> bool:
    """Tell whether an authorization identity asks for nothing but the login itself (empty, or equal without case)."""
    return not authorization or authorization.casefold() == name.casefold()


def broken(text: str) -> PeerFault:
    """The error of a client mechanism whose server does not keep to the rules."""
    return PeerFault(text, code=535, enhanced=(5, 7, 8))
