"""SCRAM-SHA-256: the password never travels, and the server proves that it knows the user too.

No channel binding: ``SCRAM-SHA-256-PLUS`` is not offered (``docs/protocol/pop3.md`` says why), so a client that
asks for one is refused, and one that says "I could, but you do not offer it" is believed.

Source: RFC 5802 (the mechanism), RFC 7677 (with SHA-256).
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re

from attrs import field, frozen

from mailshare.wire.sasl.mechanism import (
    MAX_NAME,
    Challenge,
    NeedVerifier,
    Proven,
    Refused,
    Result,
    broken,
    same_identity,
    saslprep,
)

NAME = "SCRAM-SHA-256"
MIN_ITERATIONS = 4096
"""RFC 7677 section 4 asks for at least this many; a client here refuses fewer."""
MAX_ITERATIONS = 250_000
"""About 0.1 s of one core. A client refuses more, so that a server cannot keep it busy for minutes."""
_NONCE = re.compile(r"[!-+\--~]{8,256}\Z")
_GS2 = re.compile(r"(?P<flag>[ny]|p=[A-Za-z0-9.\-]+),(?:a=(?P<authzid>[^,]*))?,")
_FIRST = re.compile(r"n=(?P<name>[^,]+),r=(?P<nonce>[^,]+)(?:,[A-Za-z]=[^,]*)*\Z")
_FINAL = re.compile(
    r"(?P<bare>c=(?P<binding>[A-Za-z0-9+/=]+),r=(?P<nonce>[^,]+)(?:,[A-Za-z]=[^,]*)*),p=(?P<proof>[^,]+)\Z"
)
_SERVER_FIRST = re.compile(
    r"r=(?P<nonce>[^,]+),s=(?P<salt>[^,]+),i=(?P<iterations>[1-9][0-9]{0,9})(?:,[A-Za-z]=[^,]*)*\Z"
)
_VERIFIER = re.compile(
    r"SCRAM-SHA-256\$(?P<iterations>[1-9][0-9]{0,9}):(?P<salt>[^$:]+)\$(?P<stored>[^$:]+):(?P<server>[^$:]+)\Z"
)


def _mac(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _b64(octets: bytes) -> str:
    return binascii.b2a_base64(octets, newline=False).decode()


def _unb64(text: str) -> bytes:
    """Decode base64 that must be written in its one right way.

    :raises ValueError: it is not.
    """
    octets = binascii.a2b_base64(text.encode(), strict_mode=True)
    if _b64(octets) != text:
        raise ValueError("base64 with spare bits")
    return octets


def _escape(name: str) -> str:
    return name.replace("=", "=3D").replace(",", "=2C")


def _unescape(text: str) -> str:
    """Undo ``=2C`` and ``=3D``.

    :raises ValueError: another use of the equals sign.
    """
    if "=" in text.replace("=2C", "").replace("=3D", ""):
        raise ValueError("a bare equals sign in a name")
    return text.replace("=2C", ",").replace("=3D", "=")


def _keys(salted: bytes) -> tuple[bytes, bytes, bytes]:
    """Client key, stored key, server key (RFC 5802 section 3)."""
    client = _mac(salted, b"Client Key")
    return client, hashlib.sha256(client).digest(), _mac(salted, b"Server Key")


@frozen
class Verifier:
    """What the server keeps in place of a password. It lets nobody log in, but a guess can be tried on it."""

    iterations: int
    salt: bytes
    stored: bytes = field(repr=False)
    server: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Verifier:
        """Read the form that the store keeps.

        :raises ValueError: it is not ``SCRAM-SHA-256$iterations:salt$stored:server``.
        """
        match = _VERIFIER.match(text)
        if not match:
            raise ValueError("not a SCRAM-SHA-256 verifier")
        stored, server = _unb64(match["stored"]), _unb64(match["server"])
        if len(stored) != 32 or len(server) != 32:
            raise ValueError("keys of a SCRAM-SHA-256 verifier are 32 octets each")
        return cls(int(match["iterations"]), _unb64(match["salt"]), stored, server)

    def __str__(self) -> str:
        return f"{NAME}${self.iterations}:{_b64(self.salt)}${_b64(self.stored)}:{_b64(self.server)}"


def make_verifier(password: str, salt: bytes, iterations: int = 16_384) -> str:
    """Make what is stored for a login. Takes some milliseconds of a core.

    :param salt: at least 16 random octets, new for each password.
    :param iterations: at least 4,096.
    :returns: ``SCRAM-SHA-256$iterations:salt$stored:server``, base64 parts.
    :raises ValueError: the password holds characters that SASLprep forbids, or the figures are too small.
    """
    if iterations < MIN_ITERATIONS or len(salt) < 8:
        raise ValueError("too few iterations, or too short a salt")
    salted = hashlib.pbkdf2_hmac("sha256", saslprep(password, stored=True).encode(), salt, iterations)
    _, stored, server = _keys(salted)
    return str(Verifier(iterations, salt, stored, server))


def _fits(verifier: Verifier, proof: bytes, signed: bytes) -> bool:
    """The proof was made with the password of this verifier."""
    client_key = _xor(proof, _mac(verifier.stored, signed))
    return hmac.compare_digest(hashlib.sha256(client_key).digest(), verifier.stored)


class ScramServer:
    """The server's half.

    :param nonce: at least 18 random octets in base64, new for each exchange.
    """

    name = NAME

    def __init__(self, nonce: str) -> None:
        self._nonce = nonce
        self._header = ""
        self._client_first = ""
        self._server_first = ""
        self._user = ""
        self._verifiers: tuple[Verifier, ...] = ()
        self._matched: Verifier | None = None

    def start(self, initial: bytes | None) -> Result:
        """Read the client's first message, or ask for it."""
        return Challenge(b"") if initial is None else self.step(initial)

    def step(self, response: bytes) -> Result:
        """Take the client's first message, its final one, then its empty answer to our signature."""
        if self._matched is not None:
            if response:
                return Refused("data after the server's signature", malformed=True)
            return Proven(self._user, str(self._matched))
        if len(response) > 4 * MAX_NAME:
            return Refused("a SCRAM message too long to be one")
        try:
            text = response.decode()
            return self._final(text) if self._server_first else self._first(text)
        except ValueError:
            return Refused("not a SCRAM message", malformed=True)

    def _first(self, text: str) -> Result:
        header = _GS2.match(text)
        first = _FIRST.match(text, header.end()) if header else None
        if not header or not first or not _NONCE.match(first["nonce"]):
            return Refused("not a first SCRAM message", malformed=True)
        if header["flag"].startswith("p"):
            return Refused("asks for channel binding, which is not offered", malformed=True)
        self._user = saslprep(_unescape(first["name"]))
        if not self._user or not same_identity(_unescape(header["authzid"] or ""), self._user):
            return Refused("no name, or asks to act as somebody else")
        self._header = header[0]
        self._client_first = text[header.end() :]
        self._nonce = first["nonce"] + self._nonce
        return NeedVerifier(self._user)

    def verifier(self, text: str) -> Result:
        """Send salt and count. A verifier that cannot be read refuses, as if the password were wrong.

        :param text: one verifier, or several on lines of their own (a user's app passwords): the proof may fit any of
            them, but they must have salt and count in common, as one pair is sent before the proof is known.
        """
        if not self._client_first or self._server_first:
            return Refused("a verifier that was not asked for")
        try:
            verifiers = tuple(Verifier.parse(line) for line in text.split("\n"))
        except ValueError:
            return Refused("the stored verifier cannot be read")
        first = verifiers[0]
        if any((one.salt, one.iterations) != (first.salt, first.iterations) for one in verifiers):
            return Refused("the stored verifiers have not one salt in common")
        self._verifiers = verifiers
        self._server_first = f"r={self._nonce},s={_b64(first.salt)},i={first.iterations}"
        return Challenge(self._server_first.encode())

    def _final(self, text: str) -> Result:
        match = _FINAL.match(text)
        if not match or not self._verifiers:
            return Refused("not a final SCRAM message", malformed=True)
        if match["nonce"] != self._nonce or _unb64(match["binding"]) != self._header.encode():
            return Refused("nonce or channel binding differ from the first message")
        proof = _unb64(match["proof"])
        if len(proof) != 32:
            return Refused("not a final SCRAM message", malformed=True)
        signed = f"{self._client_first},{self._server_first},{match['bare']}".encode()
        fitting = [one for one in self._verifiers if _fits(one, proof, signed)]
        if not fitting:
            return Refused("wrong password")
        self._matched = fitting[0]
        return Challenge(f"v={_b64(_mac(self._matched.server, signed))}".encode())


class ScramClient:
    """The client's half. ``respond`` to the salt costs up to 0.1 s of a core: see :data:`MAX_ITERATIONS`.

    :param nonce: at least 18 random octets in base64, new for each exchange.
    """

    name = NAME

    def __init__(self, user: str, password: str, nonce: str, max_iterations: int = MAX_ITERATIONS) -> None:
        try:
            self._user, self._password = saslprep(user), saslprep(password)
        except ValueError as error:
            raise broken("The name or password holds characters that SCRAM cannot carry") from error
        self._nonce = nonce
        self._max_iterations = max_iterations
        self._client_first = f"n={_escape(self._user)},r={nonce}"
        self._sent = 0
        self._signature = b""
        self._trusted = False

    def initial(self) -> bytes | None:
        """The client's first message."""
        self._sent = 1
        return f"n,,{self._client_first}".encode()

    def respond(self, challenge: bytes) -> bytes:
        """Answer the salt with the proof, then check the server's signature."""
        if not self._sent:
            if challenge:
                raise broken("The server speaks first in SCRAM")
            return self.initial() or b""
        self._sent += 1
        try:
            text = challenge.decode()
            if self._sent == 2:
                return self._prove(text)
            if self._sent == 3:
                return self._check(text)
        except ValueError as error:
            raise broken("The server's SCRAM message cannot be read") from error
        raise broken("The server asks more than SCRAM has")

    def _prove(self, text: str) -> bytes:
        match = _SERVER_FIRST.match(text)
        if not match:
            raise broken("The server's first SCRAM message cannot be read")
        if not match["nonce"].startswith(self._nonce) or len(match["nonce"]) == len(self._nonce):
            raise broken("The server did not add to the nonce")
        iterations = int(match["iterations"])
        if not MIN_ITERATIONS <= iterations <= self._max_iterations:
            raise broken(f"The server asks for {iterations} rounds, not {MIN_ITERATIONS} to {self._max_iterations}")
        salted = hashlib.pbkdf2_hmac("sha256", self._password.encode(), _unb64(match["salt"]), iterations)
        client, stored, server = _keys(salted)
        bare = f"c={_b64(b'n,,')},r={match['nonce']}"
        signed = f"{self._client_first},{text},{bare}".encode()
        self._signature = _mac(server, signed)
        return f"{bare},p={_b64(_xor(client, _mac(stored, signed)))}".encode()

    def _check(self, text: str) -> bytes:
        if not text.startswith("v=") or not hmac.compare_digest(_unb64(text[2:].partition(",")[0]), self._signature):
            raise broken("The server could not prove that it knows the password")
        self._trusted = True
        return b""

    def succeeded(self) -> None:
        """Refuse a yes that came without the server's signature."""
        if not self._trusted:
            raise broken("The server says yes without proving that it knows the password")
