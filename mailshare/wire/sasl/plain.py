"""PLAIN: the name and the password in one message, so only inside TLS. Source: RFC 4616."""

from __future__ import annotations

from mailshare.wire.sasl.mechanism import MAX_NAME, Challenge, NeedPassword, Refused, Result, broken, same_identity


class PlainServer:
    """The server's half of PLAIN."""

    name = "PLAIN"

    def start(self, initial: bytes | None) -> Result:
        """Read ``[authzid] NUL authcid NUL password``, or ask for it with an empty challenge."""
        return Challenge(b"") if initial is None else self.step(initial)

    def step(self, response: bytes) -> Result:
        """Read the message."""
        parts = response.split(b"\0")
        if len(parts) != 3 or not parts[1] or not parts[2]:
            return Refused("not a PLAIN message", malformed=True)
        if max(map(len, parts)) > MAX_NAME:
            return Refused("a name or password too long to be one")
        try:
            authorization, name, password = parts[0].decode(), parts[1].decode(), parts[2].decode()
        except UnicodeDecodeError:
            return Refused("PLAIN message is not UTF-8", malformed=True)
        if not same_identity(authorization, name):
            return Refused("asks to act as somebody else")
        return NeedPassword(name, password)

    def verifier(self, text: str) -> Result:
        """PLAIN has no use for a verifier."""
        return Refused(f"a verifier of {len(text)} characters that was not asked for")


class PlainClient:
    """The client's half of PLAIN."""

    name = "PLAIN"

    def __init__(self, user: str, password: str) -> None:
        if "\0" in user or "\0" in password:
            raise broken("A name or password with a NUL cannot be sent")
        self._message = f"\0{user}\0{password}".encode()
        self._sent = False

    def initial(self) -> bytes | None:
        """The whole message."""
        self._sent = True
        return self._message

    def respond(self, challenge: bytes) -> bytes:
        """The message, once, when the server asked for it with an empty challenge."""
        if self._sent or challenge:
            raise broken("The server asks more than PLAIN has")
        self._sent = True
        return self._message

    def succeeded(self) -> None:
        """PLAIN proves nothing about the server; TLS has."""
        if not self._sent:
            raise broken("The server says yes to a login that was not sent")
