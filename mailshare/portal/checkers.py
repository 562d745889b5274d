"""Checks who logs in: against the directory, against secrets declared in the configuration, or by several checkers.

Every failure is the same :class:`~mailshare.core.errors.LoginRefused` after the same work: one argon2 computation,
whether the name exists or not. The avatar id is the login name of the directory in UTF-8.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import Interface, implementer

from mailshare.core.errors import LoginRefused, MailshareError
from mailshare.core.values import SECOND, User
from mailshare.interfaces import IDirectoryStore
from mailshare.portal.app_passwords import AppPassword, AppPasswords, mark_of, verifiers
from mailshare.portal.guesses import MAX_PASSWORD, Guesses
from mailshare.portal.passwords import Passwords
from mailshare.portal.throttle import Throttle
from mailshare.portal.verified import VerifiedCache
from mailshare.shell.logins import DEVICE, IVerifiedLogin, PasswordLogin, VerifiedLogin
from mailshare.shell.steps import begun

Declared = Callable[[str], str | None]


def nothing_declared(_name: str) -> None:
    """The ``declared`` of a server whose users all live in the store."""


def way_to_ask(checker: Any) -> Callable[[object], Any]:
    """How to ask a checker for an avatar's id: by ``avatar_id``, which makes no Deferred, if its class has that itself.

    A class derived from it may decide more in its ``requestAvatarId``, so that is asked.
    """
    ask: Callable[[object], Any] = (
        checker.avatar_id if "avatar_id" in type(checker).__dict__ else checker.requestAvatarId
    )
    return ask


@implementer(ICredentialsChecker)
class DirectoryChecker:
    """Checks passwords of the directory's users, and names that SCRAM has proven.

    :param declared: the plain secret of a user of the configuration file, or ``None``.
    :param clock: for the throttle and the cache.
    :param app_passwords: further passwords of users; without it each has one.
    """

    credentialInterfaces: Sequence[type[Interface]] = (IUsernamePassword, IVerifiedLogin)
    _log = Logger()

    def __init__(
        self,
        directory: IDirectoryStore,
        passwords: Passwords,
        throttle: Throttle,
        cache: VerifiedCache,
        clock: IReactorTime,
        declared: Declared = nothing_declared,
        app_passwords: AppPasswords | None = None,
    ) -> None:
        self._apps = app_passwords
        self._directory = directory
        self._passwords = passwords
        self._guesses = Guesses(throttle, clock)
        self._cache = cache
        self._clock = clock
        self._declared = declared

    def requestAvatarId(self, credentials: object) -> Deferred[bytes | tuple[()]]:
        """The login name, UTF-8.

        :raises LoginRefused: wrong name or password, or a user who is switched off.
        :raises TooManyTries: this peer failed so often that its tries are not looked at for now.
        """
        return begun(self.avatar_id(credentials))

    def avatar_id(self, credentials: object) -> Coroutine[Any, Any, bytes | tuple[()]]:
        """What :meth:`requestAvatarId` gives, for whoever awaits it: mostly nothing is waited for."""
        return self._proven(credentials) if IVerifiedLogin.providedBy(credentials) else self._checked(credentials)

    async def _proven(self, credentials: object) -> bytes | tuple[()]:
        name = _name_of(credentials)
        if getattr(credentials, "mechanism", "") != DEVICE:
            # A guesser must not learn from a quick yes that the slow answers are all no.
            await self._in_line(str(getattr(credentials, "peer", "")), name)
        found = await self._directory.credentials(name)
        if found is None:
            raise LoginRefused
        user, _, scram = found
        verifier = str(getattr(credentials, "verifier", ""))
        if verifier and verifier != scram and self._apps is not None:
            # Taken back between our asking and the proof: then it proves nothing any more.
            fitting = [app for app in await self._apps.of(user.id) if app.scram == verifier]
            if fitting:
                await self._note_use(user, fitting[0])
            elif self._declared(user.name) is None:
                raise LoginRefused
        return user.name.encode()

    async def _checked(self, credentials: object) -> bytes | tuple[()]:
        name = _name_of(credentials)
        password = _octets(getattr(credentials, "password", b""))
        peer = str(getattr(credentials, "peer", ""))
        found = await self._directory.credentials(name)
        user, stored, scram = found or (None, "", "")
        secret = None if user is None else self._declared(user.name)
        known = stored if secret is None else f"declared:{secret}"
        if user is not None and known and self._cache.holds(user.name, known, password, self._clock.seconds()):
            return user.name.encode()
        app = None if user is None else await self._app(user, password)
        if user is not None and app is not None and await self._by_app(user, app, password, peer):
            return user.name.encode()
        await self._in_line(peer, name)
        if len(password) > MAX_PASSWORD or not await self._right(secret, stored, password):
            await self._guesses.failed(peer, name, password)
            self._log.info("login refused from {peer}", peer=peer)
            raise LoginRefused
        assert user is not None
        if secret is None:
            known = await self._renewed(user, stored, scram, password)
        self._cache.keep(user.name, known, password, self._clock.seconds())
        return user.name.encode()

    async def _app(self, user: User, password: bytes) -> AppPassword | None:
        """The app password whose mark this one begins with."""
        if self._apps is None:
            return None
        mark = mark_of(password.decode("utf-8", "replace"))
        return next((app for app in await self._apps.of(user.id) if app.mark == mark), None)

    async def _by_app(self, user: User, app: AppPassword, password: bytes, peer: str) -> bool:
        """Whether it is this app password. The cache's key holds the hash, so a revoked one is out at once."""
        name, now = f"{user.name}\n{app.mark}", self._clock.seconds()
        if self._cache.holds(name, app.hash, password, now):
            return True
        await self._in_line(peer, user.name)
        if len(password) > MAX_PASSWORD or not await self._passwords.verify(app.hash, password):
            return False
        self._cache.keep(name, app.hash, password, self._clock.seconds())
        await self._note_use(user, app)
        return True

    async def _note_use(self, user: User, app: AppPassword) -> None:
        """When it was used last is worth less than the login: trouble with writing it is only logged."""
        if self._apps is not None:
            try:
                await self._apps.note_use(user.id, app, int(self._clock.seconds() * SECOND))
            except MailshareError as fault:
                self._log.info("the use of an app password was not noted: {fault}", fault=fault.public)

    async def _in_line(self, peer: str, name: str) -> None:
        """Wait as long as the throttle says."""
        await self._guesses.in_line(peer, name)

    async def _right(self, secret: str | None, stored: str, password: bytes) -> bool:
        """One argon2 computation in every case."""
        if secret is not None:
            await self._passwords.waste(password)
            return hmac.compare_digest(secret.encode(), password)
        if not stored:
            await self._passwords.waste(password)
            return False
        return await self._passwords.verify(stored, password)

    async def _renewed(self, user: User, stored: str, scram: str, password: bytes) -> str:
        """Bring an old hash up to date and make a missing SCRAM verifier, while the password is at hand."""
        fresh = await self._passwords.hash(password) if self._passwords.outdated(stored) else None
        verifier = ""
        if not scram:
            apps = await self._apps.of(user.id) if self._apps is not None else ()
            verifier = await self._passwords.verifier(password, next(iter(verifiers("", apps)), ""))
        if fresh is not None or verifier:
            current = self._directory.current().user_by_id.get(user.id, user)
            await self._directory.change_user(
                current, password_hash=fresh, scram=verifier or None, declared=bool(user.managed_by)
            )
        return fresh or stored


@implementer(ICredentialsChecker)
class CheckerStack:
    """Asks several checkers in turn; the first that knows the login decides.

    :param checkers: each is asked only for the credentials that it takes.
    """

    def __init__(self, checkers: Sequence[ICredentialsChecker]) -> None:
        self._checkers = tuple(checkers)
        interfaces: dict[type[Interface], None] = {}
        for checker in self._checkers:
            interfaces.update(dict.fromkeys(checker.credentialInterfaces))
        self.credentialInterfaces: Sequence[type[Interface]] = tuple(interfaces)
        # Of our own logins it is known who takes them: nothing can be declared of one alone, they have slots.
        self._usual = {
            PasswordLogin: self._taking(lambda one: one.implementedBy(PasswordLogin)),
            VerifiedLogin: self._taking(lambda one: one.implementedBy(VerifiedLogin)),
        }

    def requestAvatarId(self, credentials: object) -> Deferred[bytes | tuple[()]]:
        """The first answer that is not a refusal; the last refusal when there is none."""
        asked = self._asked(credentials)
        if len(asked) == 1:  # nearly always
            return asked[0].requestAvatarId(credentials)
        return begun(_first_answer(asked, credentials))

    def avatar_id(self, credentials: object) -> Any:
        """What :meth:`requestAvatarId` gives, for whoever awaits it, or perhaps at once."""
        asked = self._asked(credentials)
        if len(asked) == 1:
            return way_to_ask(asked[0])(credentials)
        return _first_answer(asked, credentials)

    def _asked(self, credentials: object) -> Sequence[ICredentialsChecker]:
        known = self._usual.get(type(credentials))
        return self._taking(lambda one: one.providedBy(credentials)) if known is None else known

    def _taking(self, fits: Callable[[Any], bool]) -> Sequence[ICredentialsChecker]:
        """The checkers that take one of the interfaces that fit."""
        return [one for one in self._checkers if any(map(fits, one.credentialInterfaces))]


async def _first_answer(checkers: Sequence[ICredentialsChecker], credentials: object) -> bytes | tuple[()]:
    refusal: Exception = LoginRefused()
    for checker in checkers:
        try:
            answer: bytes | tuple[()] = await maybeDeferred(checker.requestAvatarId, credentials)
        except (LoginRefused, UnauthorizedLogin) as no:
            refusal = no
        else:
            return answer
    raise refusal


def _octets(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")


def _name_of(credentials: object) -> str:
    return _octets(getattr(credentials, "username", b"")).decode("utf-8", "replace").casefold()[:320]
