"""OAuth 2 towards the provider: OAUTHBEARER (RFC 7628) and XOAUTH2 (Google's and Microsoft's older form). Client only.

A refused token comes back as a challenge with a JSON reason; the client answers once so that the server may fail.
The reason is kept in ``reason`` for the log.
"""

from __future__ import annotations

import re

from mailshare.wire.sasl.mechanism import broken

_TOKEN = re.compile(r"[A-Za-z0-9._~+/\-]+=*\Z")


class _Bearer:
    name = ""

    def __init__(self, message: str, answer: bytes) -> None:
        self._message = message.encode()
        self._answer = answer
        self._sent = False
        self.reason = ""

    def initial(self) -> bytes | None:
        """The whole message."""
        self._sent = True
        return self._message

    def respond(self, challenge: bytes) -> bytes:
        """The message when it was asked for; else take note of the refusal and let the server finish."""
        if not self._sent and not challenge:
            return self.initial() or b""
        if self.reason or not self._sent:
            raise broken("The server asks more than a bearer token has")
        self.reason = challenge[:500].decode("utf-8", "replace") or "no reason given"
        return self._answer

    def succeeded(self) -> None:
        """A yes after a refusal, or before the token was sent, is not believed."""
        if self.reason or not self._sent:
            raise broken("The server says yes to a token that it did not take")


def _check(user: str, token: str) -> None:
    if not _TOKEN.match(token) or "\x01" in user:
        raise broken("The user name or the token holds characters that cannot be sent")


class OAuthBearerClient(_Bearer):
    """OAUTHBEARER. ``host`` and ``port`` are those of the server, as RFC 7628 section 3.1 recommends."""

    name = "OAUTHBEARER"

    def __init__(self, user: str, token: str, host: str = "", port: int = 0) -> None:
        _check(user, token)
        name = user.replace("=", "=3D").replace(",", "=2C")
        where = (f"host={host}\x01" if host else "") + (f"port={port}\x01" if port else "")
        super().__init__(f"n,a={name},\x01{where}auth=Bearer {token}\x01\x01", b"\x01")


class XOAuth2Client(_Bearer):
    """XOAUTH2, where OAUTHBEARER is not offered."""

    name = "XOAUTH2"

    def __init__(self, user: str, token: str) -> None:
        _check(user, token)
        super().__init__(f"user={user}\x01auth=Bearer {token}\x01\x01", b"")
