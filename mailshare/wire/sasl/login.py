"""LOGIN: what old mail programs speak; never a standard, everywhere in use, only inside TLS.

The server asks twice, the client answers with the name, then the password. Some programs put the name into the
initial response. Source: draft-murchison-sasl-login-00.
"""

from __future__ import annotations

from mailshare.wire.sasl.mechanism import MAX_NAME, Challenge, NeedPassword, Refused, Result, broken


class LoginServer:
    """The server's half of LOGIN."""

    name = "LOGIN"

    def __init__(self) -> None:
        self._user: str | None = None

    def start(self, initial: bytes | None) -> Result:
        """Ask for the name, unless it came along."""
        return Challenge(b"Username:") if initial is None else self.step(initial)

    def step(self, response: bytes) -> Result:
        """Take the name, then the password."""
        if not response or b"\0" in response:
            return Refused("an empty name or password, or one with a NUL", malformed=True)
        if len(response) > MAX_NAME:
            return Refused("a name or password too long to be one")
        try:
            text = response.decode()
        except UnicodeDecodeError:
            return Refused("LOGIN answer is not UTF-8", malformed=True)
        if self._user is None:
            self._user = text
            return Challenge(b"Password:")
        return NeedPassword(self._user, text)

    def verifier(self, text: str) -> Result:
        """LOGIN has no use for a verifier."""
        return Refused(f"a verifier of {len(text)} characters that was not asked for")


class LoginClient:
    """The client's half of LOGIN. The prompts are not read: servers word them in many ways."""

    name = "LOGIN"

    def __init__(self, user: str, password: str) -> None:
        self._answers = [password.encode(), user.encode()]

    def initial(self) -> bytes | None:
        """Nothing: the server speaks first."""
        return None

    def respond(self, challenge: bytes) -> bytes:
        """The name, then the password."""
        if not self._answers:
            raise broken(f"The server asks a third time in LOGIN ({len(challenge)} octets)")
        return self._answers.pop()

    def succeeded(self) -> None:
        """LOGIN proves nothing about the server; TLS has."""
        if self._answers:
            raise broken("The server says yes before it has the password")
