"""One SMTP session: the engine's questions are put to the gates and to the avatar, their answers go back."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, ClassVar

from twisted.cred.credentials import Anonymous, ICredentials
from twisted.cred.error import LoginFailed
from twisted.logger import Logger
from zope.interface import implementer

from mailshare.core.envelope import Envelope
from mailshare.core.errors import LoginRefused, MailshareError, PolicyRefusal, Unavailable
from mailshare.interfaces import ISession, ISubmission, ISubmitter, IWholeEnvelopes
from mailshare.shell.connection import Connection, ConnectionGone
from mailshare.shell.logins import DEVICE, PasswordLogin, VerifiedLogin, way_in
from mailshare.shell.steps import first_step
from mailshare.smtp.adapters import avatar_interfaces, submitter_for
from mailshare.wire.smtp_server import SMTPServerEngine
from mailshare.wire.smtp_server_events import (
    BodyBegun,
    BodyDropped,
    BodyEnded,
    BodyRead,
    EnvelopeOffered,
    LoginProven,
    MailOffered,
    MessageRead,
    PasswordOffered,
    ProofRejected,
    RecipientOffered,
    VerifierWanted,
)

if TYPE_CHECKING:
    from mailshare.smtp.factory import SMTPFactory


class AuthenticationRequired(PolicyRefusal):
    """Nobody may send here without logging in (RFC 4954 section 6)."""

    default_code = 530
    default_enhanced = (5, 7, 0)
    default_public = "Log in first"


@implementer(ISession)
class SMTPSession:
    """What :class:`mailshare.shell.connection.Connection` runs for SMTP; also the ``ISession`` that avatars see."""

    log = Logger()

    _avatar: ISubmitter | None = None
    _avatar_login = ""
    _takes_whole = False
    _logout: Callable[[], object] | None = None
    _submission: ISubmission | None = None

    def __init__(
        self, factory: SMTPFactory, connection: Connection, engine: SMTPServerEngine, *, trusted: bool
    ) -> None:
        self.engine = engine
        self.peer = connection.peer
        self.trusted = trusted
        self._factory = factory
        self._connection = connection

    # ------------------------------------------------------------------ ISession

    @property
    def helo(self) -> str:
        """What the client called itself."""
        return self.engine.helo

    @property
    def secure(self) -> bool:
        """Inside TLS."""
        return self.engine.secure

    @property
    def protocol(self) -> str:
        """For the ``Received`` field."""
        return self.engine.protocol

    # ------------------------------------------------------------------ called by the connection

    @property
    def patience(self) -> float:
        """Seconds for the next command."""
        limits = self._factory.smtp_limits
        return limits.command if self.engine.helo else limits.first_command

    @property
    def receiving(self) -> bool:
        """In a body."""
        return self.engine.receiving

    def begin(self) -> Coroutine[Any, Any, None] | None:
        """Ask the gates, then greet; a client that talked meanwhile is turned away (RFC 5321 section 4.3.1)."""
        if self._factory.gates or self._connection.unread:
            return first_step(self._greet())
        self.engine.greet()
        return None

    async def _greet(self) -> None:
        try:
            for gate in self._factory.gates:
                await gate.connect(self)
            if self._connection.unread:
                raise PolicyRefusal("You talked before you were greeted", code=554, enhanced=(5, 5, 0))
        except MailshareError as error:
            self.engine.turn_away(error)
        else:
            self.engine.greet()

    def handle(self, event: object) -> Coroutine[Any, Any, None] | None:
        """Answer one event."""
        if type(event) is MessageRead:  # nearly all that must be waited for
            return self._take_message(event.data)
        step = self._STEPS.get(type(event))
        if step is None:
            return None
        try:
            rest = step(self, event)
        except Exception as error:  # noqa: BLE001 - realms are foreign code; whatever they raise needs a reply
            self.engine.refuse(self._explain(error))
            return None
        return None if rest is None else self._answer(rest)

    async def _answer(self, rest: Awaitable[None]) -> None:
        try:
            await rest
        except Exception as error:  # noqa: BLE001 - as above
            self.engine.refuse(self._explain(error))

    def stalled(self) -> None:
        """Nothing is held that could be had again."""

    def lost(self) -> None:
        """The connection is gone."""
        self._drop()
        self._leave()

    # ------------------------------------------------------------------ steps

    def _envelope(self, event: EnvelopeOffered) -> Awaitable[None] | None:
        avatar = self._in_force()
        if avatar is None:
            return self._envelope_of_whom(event.envelope)
        self._take_envelope(event.envelope, avatar)
        return None

    async def _envelope_of_whom(self, envelope: Envelope) -> None:
        self._take_envelope(envelope, await self._who())

    def _take_envelope(self, envelope: Envelope, avatar: Any) -> None:
        submission = avatar.whole(envelope, self) if self._takes_whole else None
        if submission is None:
            self.engine.one_by_one()
            return
        self._submission = submission
        self._factory.observe(1, self.peer)
        self.engine.accept()
        self._connection.at_once = self._next_envelope

    def _next_envelope(self, octets: bytes) -> tuple[bytes, bytes]:
        """What to send and what to feed, where an envelope may come: a whole one is answered without an event.

        So are those behind the first one of a connection, which the connection's ``at_once`` shows here.
        """
        engine = self.engine
        envelope = engine.envelope_of(octets) if engine.spent else None
        if envelope is None:
            return b"", octets
        avatar: Any = self._in_force()
        try:
            submission = avatar.whole(envelope, self) if avatar is not None and self._takes_whole else None
        except Exception:  # noqa: BLE001 - asked for one command after the other, it shows what it has
            submission = None
        if submission is None:
            engine.leave()
            return b"", octets
        self._submission = submission
        self._factory.observe(1, self.peer)
        return engine.agree(envelope), b""

    async def _sender(self, event: MailOffered) -> None:
        avatar = self._in_force() or await self._who()
        for gate in self._factory.gates:
            await gate.sender(event.envelope, self, self._avatar_login)
        await avatar.sender(event.envelope, self)
        self.engine.accept()

    async def _recipient(self, event: RecipientOffered) -> None:
        avatar = self._in_force() or await self._who()
        for gate in self._factory.gates:
            await gate.recipient(event.envelope, event.recipient, self, self._avatar_login)
        await avatar.recipient(event.envelope, event.recipient, self)
        self.engine.accept()

    async def _begin_body(self, event: BodyBegun) -> None:
        avatar = self._in_force() or await self._who()
        for gate in self._factory.gates:
            await gate.data(event.envelope, self, self._avatar_login)
        self._submission = await avatar.submit(event.envelope, self)
        self._factory.observe(1, self.peer)
        self.engine.accept()

    def _write(self, event: BodyRead) -> Awaitable[None] | None:
        if self._submission is None:
            return None
        try:
            behind = self._submission.write(event.data)
        except Exception as error:  # noqa: BLE001 - as above; the body is eaten, then answered
            self._cannot_write(error)
            return None
        return None if behind is None else self._written(behind)

    async def _written(self, behind: Awaitable[None]) -> None:
        try:
            await behind
        except Exception as error:  # noqa: BLE001 - as above
            self._cannot_write(error)

    def _cannot_write(self, error: Exception) -> None:
        self.engine.fail_body(self._explain(error))
        self._drop()

    def _forget(self, _: BodyDropped) -> None:
        self._drop()

    async def _take_message(self, data: bytes) -> None:
        """Hand in a message that came in one piece."""
        submission, self._submission = self._submission, None
        try:
            if submission is None:
                raise Unavailable
            try:
                behind = submission.write(data)
                if behind is not None:
                    await behind
            except BaseException:
                submission.abort()
                raise
            trace = await submission.finish()
        except Exception as error:  # noqa: BLE001 - as above
            self.engine.refuse(self._explain(error))
        else:
            self.engine.accept(f"Message taken as {trace}" if trace else "")
        finally:
            if submission is not None:
                self._factory.observe(-1, self.peer)

    async def _finish_body(self, _: BodyEnded) -> None:
        """Hand in what has come."""
        submission, self._submission = self._submission, None
        if submission is None:
            raise Unavailable
        try:
            trace = await submission.finish()
        finally:
            self._factory.observe(-1, self.peer)
        self.engine.accept(f"Message taken as {trace}" if trace else "")

    def _password(self, event: PasswordOffered) -> Awaitable[None] | None:
        login = PasswordLogin(event.name, event.password, self.peer, self.secure)
        return first_step(self._log_in(login, event.name))

    async def _log_in(self, login: ICredentials, name: str) -> None:
        await self._enter(login, name)
        self.engine.accept()

    async def _verifier(self, event: VerifierWanted) -> None:
        source = self._factory.verifier
        if source is None:
            raise LoginRefused
        self.engine.verifier(await source.verifier(event.name))

    async def _proven(self, event: LoginProven) -> None:
        proven = VerifiedLogin(event.name, self.peer, self.secure, verifier=event.verifier)
        await self._log_in(proven, event.name)

    async def _reject(self, event: ProofRejected) -> None:
        """Have a wrong proof counted and delayed as a wrong password is: the portal is asked with a random one.

        Whatever the portal says to that, the login is refused.
        """
        guess = PasswordLogin(event.name, secrets.token_hex(16), self.peer, self.secure)
        _, _, logout = await self._factory.portal.login(guess, None, *avatar_interfaces())
        logout()
        raise LoginRefused

    # ------------------------------------------------------------------ inside

    def _in_force(self) -> ISubmitter | None:
        """The avatar that is here. After STARTTLS the engine knows nobody, so whoever logged in before is let go."""
        user = self.engine.user
        return self._avatar if user == self._avatar_login or (not user and self._device()) else None

    async def _who(self) -> ISubmitter:
        """The avatar of somebody who did not log in."""
        name = self._device()
        if name:
            return await self._enter(VerifiedLogin(name, self.peer, self.secure, DEVICE), name)
        if not self._factory.anonymous:
            self._leave()
            raise AuthenticationRequired
        try:
            return await self._enter(Anonymous(), "")
        except LoginFailed:
            raise AuthenticationRequired from None

    def _device(self) -> str:
        return self._factory.device(self.peer)

    async def _enter(self, login: ICredentials, name: str) -> ISubmitter:
        """Log in, and let the last avatar go."""
        interface, avatar, logout = await way_in(self._factory.portal)(login, None, *avatar_interfaces())
        self._leave()
        self._avatar = submitter_for(interface, avatar)
        self._takes_whole = IWholeEnvelopes.providedBy(self._avatar)
        self._avatar_login = name
        self._logout = logout
        if name:
            self._factory.entered(name, self.peer)
        return self._avatar

    def _leave(self) -> None:
        logout, self._logout = self._logout, None
        self._avatar = None
        self._avatar_login = ""
        if logout is not None:
            logout()

    def _drop(self) -> None:
        submission, self._submission = self._submission, None
        if submission is not None:
            self._factory.observe(-1, self.peer)
            submission.abort()

    def _explain(self, error: Exception) -> MailshareError:
        """What the peer hears of it; what nobody foresaw is logged once, under an id that the reply names."""
        if isinstance(error, MailshareError):
            return error
        if isinstance(error, LoginFailed):
            return LoginRefused()
        if isinstance(error, ConnectionGone):
            return Unavailable()
        number = secrets.token_hex(4)
        self.log.failure("SMTP session with {peer} failed, {number}", peer=self.peer, number=number)
        return Unavailable(f"Something went wrong here; please try again later (log {number})")

    _STEPS: ClassVar[dict[type, Callable[[Any, Any], Awaitable[None] | None]]] = {
        EnvelopeOffered: _envelope,
        BodyRead: _write,
        BodyDropped: _forget,
        MailOffered: _sender,
        RecipientOffered: _recipient,
        BodyBegun: _begin_body,
        BodyEnded: _finish_body,
        PasswordOffered: _password,
        VerifierWanted: _verifier,
        LoginProven: _proven,
        ProofRejected: _reject,
    }
