"""SCRAM verifiers of local users, and made-up ones for names that do not exist.

A made-up verifier is derived from a secret of this installation and the name, so that it is the same at every try and
nobody can tell an unknown name from a known one (RFC 5802 section 9).
"""

from __future__ import annotations

import hmac
from base64 import b64encode

from zope.interface import implementer

from mailshare.interfaces import IDirectoryStore, IVerifierSource
from mailshare.portal.app_passwords import AppPasswords, salted_as, verifiers
from mailshare.portal.checkers import Declared, nothing_declared
from mailshare.portal.passwords import ITERATIONS, Passwords


@implementer(IVerifierSource)
class DirectoryVerifiers:
    """Verifiers from the directory; of declared users they are made from the secret once and kept while it is the same.

    :param secret: at least 32 octets that stay the same for the life of the installation.
    """

    def __init__(
        self,
        directory: IDirectoryStore,
        passwords: Passwords,
        secret: bytes,
        declared: Declared = nothing_declared,
        app_passwords: AppPasswords | None = None,
    ) -> None:
        self._apps = app_passwords
        self._directory = directory
        self._passwords = passwords
        self._secret = secret
        self._declared = declared
        self._made: dict[str, tuple[str, str]] = {}

    async def verifier(self, name: str) -> str:
        """The verifier of that login, or a made-up one."""
        login = name.casefold()[:320]
        found = await self._directory.credentials(login)
        if found is None:
            return self._made_up(login)
        user, _stored, scram = found
        apps = await self._apps.of(user.id) if self._apps is not None else ()
        plain = self._declared(user.name)
        if plain is not None:
            scram = await self._of_declared(user.name, plain, next(iter(verifiers("", apps)), ""))
        return "\n".join(verifiers(scram, apps)) or self._made_up(login)

    async def _of_declared(self, name: str, plain: str, like: str) -> str:
        """Made from the secret, with the salt of the user's app passwords if there are some."""
        kept = self._made.get(name)
        fits = kept is not None and (not like or salted_as(kept[1]) == salted_as(like))
        if kept is not None and fits and hmac.compare_digest(kept[0].encode(), plain.encode()):
            return kept[1]
        made = await self._passwords.verifier(plain.encode(), like)
        self._made[name] = plain, made
        return made

    def _made_up(self, name: str) -> str:
        salt, stored, server = (self._derive(label, name) for label in (b"salt", b"stored", b"server"))
        parts = [b64encode(each).decode("ascii") for each in (salt[:16], stored, server)]
        return f"SCRAM-SHA-256${ITERATIONS}:{parts[0]}${parts[1]}:{parts[2]}"

    def _derive(self, label: bytes, name: str) -> bytes:
        return hmac.digest(self._secret, label + b"\0" + name.encode("utf-8", "replace"), "sha256")
