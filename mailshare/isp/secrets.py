"""Where passwords for the provider come from: references, read anew for each session.

A reference is a JSON object with one key. ``{"env": "NAME"}``; ``{"file": "path"}``, which nobody but its owner may
read; ``{"credential": "name"}``, handed over by systemd; ``{"command": ["argv", ...]}``, whose first line of output
counts; ``{"sealed": "..."}``, AES-256-GCM under this instance's key file; ``{"plain": "..."}``. An account may have one
for both directions, or ``{"collect": {...}, "relay": {...}}``.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.interfaces import IReactorProcess, IReactorTime
from twisted.internet.protocol import ProcessProtocol, connectionDone
from twisted.python.failure import Failure
from typing_extensions import override
from zope.interface import implementer

from mailshare.core.errors import ConfigFault
from mailshare.core.values import Account
from mailshare.interfaces import IDirectoryStore, ISecrets

KINDS = ("env", "file", "credential", "command", "sealed", "plain")
_MAX = 16_384
_COMMAND_SECONDS = 30.0
_KEY_OCTETS = 32
_NONCE_OCTETS = 12


class SealingKey:
    """The key of this instance, in a file that only we may read; made when it is absent.

    :param random: gives that many random octets, e.g. ``os.urandom``.
    """

    def __init__(self, path: str, random: Callable[[int], bytes]) -> None:
        self._path = Path(path)
        self._random = random

    def seal(self, text: str) -> str:
        """Encrypt, as text for ``{"sealed": ...}``."""
        nonce = self._random(_NONCE_OCTETS)
        return base64.b64encode(nonce + AESGCM(self._key()).encrypt(nonce, text.encode(), b"mailshare")).decode()

    def unseal(self, text: str) -> str:
        """Decrypt.

        :raises ConfigFault: it was sealed under another key, or damaged.
        """
        try:
            octets = base64.b64decode(text, validate=True)
            nonce, sealed = octets[:_NONCE_OCTETS], octets[_NONCE_OCTETS:]
            return AESGCM(self._key()).decrypt(nonce, sealed, b"mailshare").decode()
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise ConfigFault(f"A sealed password does not fit the key in {self._path}") from error

    def _key(self) -> bytes:
        if not self._path.exists():
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(self._random(_KEY_OCTETS))
                file.flush()
                os.fsync(file.fileno())
        key = read_private(self._path)
        if len(key) != _KEY_OCTETS:
            raise ConfigFault(f"The key file {self._path} does not hold {_KEY_OCTETS} octets")
        return key


def read_private(path: Path) -> bytes:
    """Read a file that holds a secret.

    :raises ConfigFault: it cannot be read, is no plain file, is too large, or others may read it.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ConfigFault(f"The secret {path} is not a plain file")
            if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise ConfigFault(f"Others may read the secret {path}; run: chmod 600 {path}")
            octets = file.read(_MAX + 1)
    except OSError as error:
        raise ConfigFault(f"The secret {path} cannot be read: {error.strerror}") from error
    if len(octets) > _MAX:
        raise ConfigFault(f"The secret {path} is larger than {_MAX} octets")
    return octets


@implementer(ISecrets)
class Secrets:
    """Resolves the references that the directory keeps.

    :param environment: e.g. ``os.environ``; ``CREDENTIALS_DIRECTORY`` in it leads to systemd's credentials.
    :param base: folder that relative file names start from.
    :param reactor: ``IReactorProcess`` and ``IReactorTime``, for commands.
    """

    def __init__(
        self, directory: IDirectoryStore, *, environment: Mapping[str, str], base: str, key: SealingKey, reactor: object
    ) -> None:
        self._directory = directory
        self._environment = environment
        self._base = Path(base)
        self._key = key
        self._reactor = reactor

    async def password(self, account: Account, purpose: str) -> str:
        """The password for ``"collect"`` or ``"relay"``."""
        stored = await self._directory.secret(account.id)
        if not stored:
            raise ConfigFault(f"The account {account.address} has no password")
        try:
            reference = json.loads(stored)
        except ValueError:
            raise ConfigFault(f"The secret reference of {account.address} cannot be read") from None
        if isinstance(reference, dict) and purpose in reference:
            reference = reference[purpose]
        return await self.resolve(reference)

    async def resolve(self, reference: object) -> str:
        """Follow one reference.

        :raises ConfigFault: it leads nowhere; the text holds no secret.
        """
        if not isinstance(reference, dict) or len(reference) != 1 or next(iter(reference)) not in KINDS:
            raise ConfigFault(f"A secret reference is one of {', '.join(KINDS)}")
        kind, value = next(iter(reference.items()))
        if kind == "command":
            return _first_line(await self._command(value))
        if not isinstance(value, str):
            raise ConfigFault(f"The secret reference {kind} needs a text")
        if kind == "env":
            if value not in self._environment:
                raise ConfigFault(f"The environment has no {value}")
            return self._environment[value]
        if kind == "file":
            return _first_line(read_private(self._base / value))
        if kind == "credential":
            folder = self._environment.get("CREDENTIALS_DIRECTORY")
            if not folder or "/" in value:
                raise ConfigFault(f"There is no credential {value}: systemd handed none over")
            return _first_line(_read_credential(Path(folder) / value))
        return self._key.unseal(value) if kind == "sealed" else value

    async def _command(self, argv: object) -> bytes:
        if not isinstance(argv, list) or not argv or not all(isinstance(word, str) for word in argv):
            raise ConfigFault("A secret command is a list of words")
        process = _Command(argv[0])
        spawning = IReactorProcess(self._reactor)
        spawning.spawnProcess(process, argv[0], argv, env=dict(self._environment), path=str(self._base))
        process.finished.addTimeout(_COMMAND_SECONDS, IReactorTime(self._reactor), process.overdue)
        return await process.finished


def _read_credential(path: Path) -> bytes:
    """Systemd guards the folder itself; the files' modes vary between its versions."""
    try:
        return path.read_bytes()[:_MAX]
    except OSError as error:
        raise ConfigFault(f"The credential {path.name} cannot be read: {error.strerror}") from error


def _first_line(octets: bytes) -> str:
    try:
        line = octets.split(b"\n", 1)[0].removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        raise ConfigFault("A secret is not UTF-8 text") from None
    if not line:
        raise ConfigFault("A secret is empty")
    return line


class _Command(ProcessProtocol):
    """Gathers what a secret command prints. What it says on standard error is not kept: it may hold the secret."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._output = bytearray()
        self.finished: Deferred[bytes] = Deferred(self._cancel)

    @override
    def outReceived(self, data: bytes) -> None:
        self._output += data[: _MAX - len(self._output)]

    @override
    def processEnded(self, reason: Failure = connectionDone) -> None:
        if self.finished.called:
            return
        if reason.check(ProcessDone):
            self.finished.callback(bytes(self._output))
        else:
            self.finished.errback(ConfigFault(f"The secret command {self._name} failed: {reason.getErrorMessage()}"))

    def overdue(self, _result: object, seconds: float) -> bytes:
        """Turn the time-out into an error with words."""
        raise ConfigFault(f"The secret command {self._name} took more than {seconds:.0f} s")

    def _cancel(self, _: Deferred[bytes]) -> None:
        if self.transport is not None:
            self.transport.signalProcess("KILL")
