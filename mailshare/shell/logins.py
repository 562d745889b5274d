"""What a session hands to a :class:`twisted.cred.portal.Portal` when somebody logs in.

:class:`PasswordLogin` is an ordinary ``IUsernamePassword``, so stock checkers take it as they take their own; it also
says where the login came from and whether it was read inside TLS, for checkers that slow down guessing.
:class:`VerifiedLogin` is for names that a mechanism such as SCRAM has proven already: the server never had the
password, so the checker only looks whether the login may still be used.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import field, frozen
from twisted.cred.credentials import ICredentials, IUsernamePassword
from twisted.cred.portal import Portal
from zope.interface import Attribute, implementer

DEVICE = "DEVICE"
"""The ``mechanism`` of a login that a peer's address stands for: nothing was guessed, so nothing needs to be slow."""


class IVerifiedLogin(ICredentials):
    """Credentials of a name that has been proven; register a checker for this interface where SCRAM is offered."""

    username: bytes = Attribute("the login, UTF-8")
    peer: str = Attribute("address of the client")
    secure: bool = Attribute("inside TLS")
    mechanism: str = Attribute("what proved it, e.g. SCRAM-SHA-256")


def way_in(portal: Portal) -> Callable[..., Awaitable[Any]]:
    """How a session asks a portal: by ``admit``, which makes no Deferred, if its class has that itself.

    A class derived from it may decide more in its ``login``, so that is asked.
    """
    ask: Callable[..., Awaitable[Any]] = portal.admit if "admit" in type(portal).__dict__ else portal.login  # type: ignore[attr-defined]
    return ask


def _octets(value: bytes | str) -> bytes:
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value


@implementer(IUsernamePassword)
@frozen
class PasswordLogin:
    """A user name and a password, not checked yet.

    ``username`` and ``password`` are bytes, as twisted.cred's own checkers compare them; text is encoded as UTF-8.
    The password is left out of ``repr``.

    :ivar peer: address of the client, e.g. ``192.0.2.7``; empty when there is none.
    :ivar secure: the password travelled inside TLS.
    """

    username: bytes = field(converter=_octets)
    password: bytes = field(converter=_octets, repr=False)
    peer: str = ""
    secure: bool = False

    @property
    def name(self) -> str:
        """The login as text; octets that are not UTF-8 become U+FFFD, which no login holds."""
        return self.username.decode("utf-8", "replace")

    def checkPassword(self, password: bytes | str) -> bool:
        """Compare with the right password, in time that does not depend on where they differ."""
        return hmac.compare_digest(self.password, _octets(password))


@implementer(IVerifiedLogin)
@frozen
class VerifiedLogin:
    """A name that a mechanism has proven.

    :ivar peer: address of the client; empty when there is none.
    :ivar secure: inside TLS.
    :ivar mechanism: what proved it.
    :ivar verifier: the stored verifier that it was proven by, where a login has several; empty otherwise.
    """

    username: bytes = field(converter=_octets)
    peer: str = ""
    secure: bool = False
    mechanism: str = "SCRAM-SHA-256"
    verifier: str = field(default="", repr=False, eq=False)

    @property
    def name(self) -> str:
        """The login as text."""
        return self.username.decode("utf-8", "replace")
