"""One POP3 session: answers the engine's events by asking the portal and the maildrop."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, ClassVar, cast

from twisted.cred.credentials import ICredentials
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.mail.interfaces import IMailboxPOP3
from twisted.python.failure import Failure

from mailshare.core.errors import LoginRefused, MailboxInUse, MailshareError, TooManyTries
from mailshare.interfaces import IBody, IForesightedMaildrop, IMailboxOpener, IMaildrop, IReadyBody
from mailshare.pop3.adapters import StockMailboxOpener
from mailshare.pop3.observed import LoginRejected, SessionClosed, SessionOpened
from mailshare.shell.connection import Connection, ConnectionGone
from mailshare.shell.logins import PasswordLogin, VerifiedLogin, way_in
from mailshare.shell.steps import first_step
from mailshare.wire.pop3_server import MOST_AT_ONCE, POP3Server, ServerSettings
from mailshare.wire.pop3_server_commands import CROWDED
from mailshare.wire.pop3_server_events import (
    ListingWanted,
    MessageWanted,
    NameProven,
    PasswordGiven,
    PauseWanted,
    ProofRejected,
    QuitWanted,
    VerifierWanted,
)

if TYPE_CHECKING:
    from mailshare.pop3.factory import POP3Factory

CHUNK = 131_072
"""Octets of a message read at once."""
WHOLE = MOST_AT_ONCE
"""Octets of a message up to which it is sent in one write."""
FIRST = CROWDED
"""Octets of a larger one that are tried first."""
SLICE = 40_960
"""Octets of it that are handed to the socket at once. When it does not take them all, what was read beyond
them is dropped and read again later, so that a client that never reads costs one slice."""


class POP3Session:
    """One connection's session.

    :ivar engine: the protocol.
    :ivar user: who logged in, casefolded; empty before.
    """

    log = Logger()
    receiving = False

    def __init__(self, factory: POP3Factory, connection: Connection, settings: ServerSettings) -> None:
        self._factory = factory
        self._connection = connection
        self.engine = POP3Server(settings, secure=connection.secure)
        self.user = ""
        self._maildrop: IMaildrop | None = None
        self._uids: array[int] = array("q")
        self._logout: Callable[[], object] | None = None
        self._deleted = 0
        self._ended = False

    @property
    def patience(self) -> float:
        """Seconds for the next command."""
        limits = self._factory.pop3_limits
        return limits.idle if self._maildrop is not None else limits.login

    def begin(self) -> None:
        """Greet."""
        self.engine.greet()

    def handle(self, event: object) -> Coroutine[Any, Any, None] | None:
        """Answer one event of the engine."""
        step = self._STEPS.get(type(event))
        return None if step is None else step(self, event)

    def stalled(self) -> None:
        """The client does not read: give up what was read ahead for it."""
        maildrop: object = self._maildrop
        if IForesightedMaildrop.providedBy(maildrop):
            maildrop.forget_ahead()

    def lost(self) -> None:
        """The connection is gone: nothing is deleted; what was retrieved whole may be marked so."""
        view = self.engine.view
        if self._maildrop is not None and view is not None and view.retrieved:
            uids = [self._uids[index] for index in sorted(view.retrieved)]
            Deferred.fromCoroutine(self._mark(self._maildrop, uids)).addErrback(self._mark_failed)
        else:
            self._let_go()

    async def _pause(self, _: PauseWanted) -> None:
        await self._connection.drain()
        self.engine.resume()

    # ------------------------------------------------------------------ login

    def _password(self, event: PasswordGiven) -> Coroutine[Any, Any, None] | None:
        login = PasswordLogin(event.name, event.password, self._connection.peer, self.engine.secure)
        return first_step(self._log_in(login, login.name, event.mechanism))

    def _proven(self, event: NameProven) -> Coroutine[Any, Any, None]:
        connection = self._connection
        login = VerifiedLogin(event.name, connection.peer, self.engine.secure, event.mechanism, event.verifier)
        return self._log_in(login, event.name, event.mechanism)

    async def _verify(self, event: VerifierWanted) -> None:
        source = self._factory.verifier
        assert source is not None
        try:
            text = await source.verifier(event.name)
        except MailshareError as error:
            self._turn_away(error)
        except Exception:  # noqa: BLE001 - the source is a third party's; whatever it does is logged and answered
            self._broken()
        else:
            self.engine.give_verifier(text)

    async def _log_in(self, credentials: ICredentials, name: str, mechanism: str) -> None:
        """Ask the portal, then lock the maildrop; every wrong login gets one and the same answer."""
        try:
            await self._enter(credentials, name.casefold())
        except (UnauthorizedLogin, LoginRefused):
            self._observe_rejected(name, mechanism)
            self.engine.refuse_login()
        except MailshareError as error:
            if isinstance(error, TooManyTries):
                self._observe_rejected(name, mechanism)
            self._turn_away(error)
        except Exception:  # noqa: BLE001 - portal, realm and avatar are third parties'; logged and answered
            self._broken()
        else:
            assert self._maildrop is not None
            self.engine.admit(self._maildrop.count, self._maildrop.octets)
            self._factory.observe(SessionOpened(self.user, self._connection.peer, self.engine.secure))

    async def _reject(self, event: ProofRejected) -> None:
        """Have a wrong proof counted and delayed as a wrong password is: the portal is asked with a random one.

        Whatever the portal says to that, the login is refused.
        """
        guess = PasswordLogin(event.name, self._factory.log_id(), self._connection.peer, self.engine.secure)
        self._observe_rejected(event.name, event.mechanism)
        try:
            _, _, logout = await self._factory.portal.login(guess, None, IMailboxOpener, IMailboxPOP3)
        except (UnauthorizedLogin, LoginRefused):
            self.engine.refuse_login()
        except MailshareError as error:
            self._turn_away(error)
        except Exception:  # noqa: BLE001 - portal and realm are third parties'; logged and answered
            self._broken()
        else:
            logout()
            self.engine.refuse_login()

    async def _enter(self, credentials: ICredentials, user: str) -> None:
        ask = way_in(self._factory.portal)
        interface, avatar, logout = await ask(credentials, None, IMailboxOpener, IMailboxPOP3)
        try:
            if not self._factory.enter(user):
                raise MailboxInUse("Too many sessions of this user")
            try:
                self._maildrop = await self._opener(interface, avatar).open(self._connection.peer)
            except BaseException:
                self._factory.leave(user)
                raise
        except BaseException:
            logout()
            raise
        self.user, self._logout = user, logout

    def _opener(self, interface: object, avatar: object) -> IMailboxOpener:
        if interface is IMailboxPOP3:
            return StockMailboxOpener(cast("IMailboxPOP3", avatar), self._factory.reactor)
        return cast("IMailboxOpener", avatar)

    def _turn_away(self, error: MailshareError) -> None:
        code = "IN-USE" if isinstance(error, MailboxInUse) else "SYS/TEMP" if error.temporary else "SYS/PERM"
        self.engine.turn_away(code, error.public, counts=isinstance(error, TooManyTries))

    def _broken(self) -> None:
        self.engine.turn_away("SYS/TEMP", f"Something went wrong here (log id {self._log_failure()})")

    def _observe_rejected(self, name: str, mechanism: str) -> None:
        self._factory.observe(LoginRejected(name, self._connection.peer, mechanism))

    # ------------------------------------------------------------------ the maildrop

    async def _list(self, _: ListingWanted) -> None:
        maildrop = self._maildrop
        assert maildrop is not None
        try:
            uids, sizes = await maildrop.snapshot()
        except Exception as error:  # noqa: BLE001 - a third party's maildrop; logged and answered
            self._fail(error)
            return
        self._uids = uids
        if IForesightedMaildrop.providedBy(maildrop):
            self.engine.give_listing(sizes, uids, maildrop.uidl, maildrop.at_hand, maildrop.shown)
            self._connection.at_once = self.engine.at_once
        else:
            self.engine.give_listing(sizes, uids, maildrop.uidl)

    async def _send(self, event: MessageWanted) -> None:
        """Send a message: a small one as one piece, a large one as fast as it is read at the other end."""
        maildrop, engine = self._maildrop, self.engine
        assert maildrop is not None
        try:
            body = await maildrop.body(self._uids[event.index])
            size = body.size
            first = min(size, CHUNK)
            ready = body if event.lines is None and IReadyBody.providedBy(body) else None
            if ready is not None:
                first = min(first, ready.at_hand)
            elif event.lines == 0 and body.header_length:
                first = min(first, body.header_length)
            data = await body.read(0, first) if first else b""
        except Exception as error:  # noqa: BLE001 - a third party's maildrop; logged and answered
            self._fail(error)
            return
        if event.lines is None and len(data) == size <= WHOLE:
            if size > FIRST:
                await self._connection.drain()
            engine.give_message(data, ready=ready is not None)
            return
        engine.begin_message(size, body.header_length, ready=ready is not None)
        socket = self._connection.open_again() if ready is not None and ready.at_hand < size else None
        if ready is not None and socket is not None:
            engine.write_message(data)
            await self._send_file(ready, socket, len(data))
        else:
            await self._send_pieces(body, data)

    async def _send_pieces(self, body: IBody, data: bytes) -> None:
        """Send a message piece by piece.

        :param data: its beginning.
        """
        engine, size = self.engine, body.size
        position, wanted = self._hand_on(data)
        while wanted and position < size:
            await self._connection.drain()
            try:
                data = await body.read(position, min(CHUNK, size - position))
            except Exception as error:  # noqa: BLE001 - a third party's body
                self._break_off(error)
                return
            if not data:
                engine.abort_message()
                return
            taken, wanted = self._hand_on(data)
            position += taken
        engine.end_message()

    def _hand_on(self, data: bytes) -> tuple[int, bool]:
        """Send as much of a message as the client's socket takes now.

        :returns: how many of these octets are dealt with, and whether more are wanted.
        """
        taken, most, wanted = 0, FIRST, True
        while wanted and taken < len(data) and not self._connection.full:
            part = data[taken : taken + most]
            taken, most = taken + len(part), SLICE
            wanted = self.engine.write_message(part)
            self._connection.flush()
        return taken, wanted

    async def _send_file(self, body: IReadyBody, socket: int, position: int) -> None:
        """Have the system send the rest of a message from its file: no octet of it is read here.

        :param socket: the client's; closed here.
        """
        connection = self._connection
        try:
            while position < body.size:
                await connection.drain()
                sent = await body.send_to(socket, position)
                position += sent
                if not sent:
                    connection.await_room()
        except MailshareError as error:
            self._break_off(error)
        except OSError as fault:
            connection.abort()
            raise ConnectionGone from fault
        else:
            self.engine.end_message()
        finally:
            os.close(socket)

    def _quit(self, event: QuitWanted) -> Coroutine[Any, Any, None] | None:
        return first_step(self._finish(event))

    async def _finish(self, event: QuitWanted) -> None:
        """Delete all or nothing, give the lock back, then say so."""
        maildrop = self._maildrop
        assert maildrop is not None
        deleted = [self._uids[index] for index in event.deleted]
        retrieved = [self._uids[index] for index in event.retrieved]
        count = 0
        try:
            if deleted or retrieved:
                count = await maildrop.commit(deleted, retrieved)
        except Exception as error:  # noqa: BLE001 - as above
            # That mail was read could not be noted; whoever deleted nothing got all that he asked for.
            if deleted or not isinstance(error, MailshareError):
                self._let_go()
                self._fail(error, after="nothing was deleted")
                return
            self._not_marked(error)
        self._deleted, self._ended = count, True
        self._let_go()
        self.engine.finished(count)

    async def _mark(self, maildrop: IMaildrop, uids: list[int]) -> None:
        try:
            await maildrop.commit((), uids)
        finally:
            self._let_go()

    def _mark_failed(self, failure: Failure) -> None:
        if isinstance(failure.value, MailshareError):
            self._not_marked(failure.value)
        else:
            self.log.failure("Messages of {user} could not be marked as retrieved", failure, user=self.user)

    def _not_marked(self, why: MailshareError) -> None:
        self.log.info("What {user} read is not marked as read: {why}", user=self.user, why=why.public)

    def _let_go(self) -> None:
        """Give back the lock, the place among the user's sessions and the avatar."""
        maildrop, self._maildrop = self._maildrop, None
        if maildrop is None:
            return
        maildrop.release()
        self._factory.leave(self.user)
        logout, self._logout = self._logout, None
        if logout is not None:
            logout()
        view = self.engine.view
        retrieved = len(view.retrieved) if view is not None else 0
        self._factory.observe(SessionClosed(self.user, self._connection.peer, self._deleted, retrieved, self._ended))

    def _fail(self, error: Exception, *, after: str = "") -> None:
        """Answer what cannot be done now; a fault of the program goes to the log with its id."""
        if isinstance(error, MailshareError):
            text, code = error.public, "SYS/TEMP" if error.temporary else "SYS/PERM"
        else:
            text, code = f"Something went wrong here (log id {self._log_failure()})", "SYS/TEMP"
        self.engine.fail(f"{text}; {after}" if after else text, code=code)

    def _break_off(self, error: Exception) -> None:
        """A message cannot be read on, and +OK is out already: its end must be missing."""
        if isinstance(error, MailshareError):
            self.log.error("A message of {user} could not be read to its end: {why}", user=self.user, why=error.detail)
        else:
            self._log_failure()
        self.engine.abort_message()

    def _log_failure(self) -> str:
        name = self._factory.log_id()
        peer = self._connection.peer
        self.log.failure("POP3 session of {user} at {peer} failed, log id {id}", user=self.user, peer=peer, id=name)
        return name

    _STEPS: ClassVar[dict[type, Callable[[Any, Any], Coroutine[Any, Any, None] | None]]] = {
        MessageWanted: _send,
        ListingWanted: _list,
        PasswordGiven: _password,
        VerifierWanted: _verify,
        NameProven: _proven,
        ProofRejected: _reject,
        QuitWanted: _quit,
        PauseWanted: _pause,
    }
