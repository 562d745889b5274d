"""One connection that waits for mail at an IMAP server: by IDLE (RFC 2177), or by asking once a minute."""

from __future__ import annotations

from contextlib import suppress

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from mailshare.core.errors import MailshareError, Unavailable
from mailshare.core.folders import INBOX
from mailshare.core.provider_options import ProviderOptions
from mailshare.core.values import Account, Server
from mailshare.interfaces import IWatch
from mailshare.isp.sign_on import Doors
from mailshare.isp.sign_on_imap import IMAPConversation, ask_imap, open_imap, words_of
from mailshare.wire.imap_replies import IMAPLimits

LONGEST = 29 * 60.0
"""Seconds of one IDLE; servers hang up on who is silent for thirty minutes (RFC 2177 section 3)."""
_ASK_EVERY = 60.0
_FAREWELL = 5.0


async def open_watch(doors: Doors, account: Account, server: Server, limits: IMAPLimits | None = None) -> Watch:
    """Log in and open the first folder for reading only."""
    talk = await open_imap(doors, account, server, limits or IMAPLimits())
    try:
        name = next((one.name for one in ProviderOptions.of(account).folders if not one.junk), INBOX)
        reply = await ask_imap(talk, talk.engine.select(name, read_only=True))
        if not reply.ok:
            raise Unavailable(f"The folder {name} cannot be watched: {words_of(reply)}")
    except BaseException:
        # Whatever happened, also cancelling: a connection that nobody holds must not stay.
        talk.give_up(Unavailable("The watch could not begin"))
        raise
    keep_alive = getattr(talk.transport, "setTcpKeepAlive", None)
    if keep_alive is not None:
        keep_alive(True)
    return Watch(talk, doors.reactor)


@implementer(IWatch)
class Watch:
    """One connection that waits."""

    def __init__(self, talk: IMAPConversation, clock: IReactorTime) -> None:
        self.pushes = talk.engine.offers("IDLE")
        self._talk = talk
        self._clock = clock
        self._closed = False
        self._ending: Deferred[object] | None = None
        self._idles = False
        self._pause: Deferred[None] | None = None

    async def wait(self, seconds: float) -> bool:
        """Wait until mail has come."""
        seconds = min(seconds, LONGEST)
        if self._closed or self._talk.lost:
            raise Unavailable("The watch is over")
        came = self._talk.engine.mail_came()
        if not came and self.pushes:
            came = await self._idle(seconds)
        elif not came:
            came = await self._ask(seconds)
        if self._closed:
            raise Unavailable("The watch was ended here")
        return came

    async def _idle(self, seconds: float) -> bool:
        engine = self._talk.engine
        begun = await ask_imap(self._talk, engine.idle())
        if not begun.ok:
            # It offers what it does not do.
            self.pushes = False
            return await self._ask(seconds)
        self._idles, self._ending = True, None
        came = engine.mail_came()
        if not came and not self._closed:
            news = ask_imap(self._talk, engine.news())
            timer = self._clock.callLater(seconds, self._end_idle)
            try:
                came = (await news).news
            finally:
                if timer.active():
                    timer.cancel()
        self._end_idle()
        await self._idle_ended()
        return came or engine.mail_came()

    def _end_idle(self) -> None:
        if self._idles and not self._talk.lost:
            self._idles = False
            self._ending = self._talk.ask(self._talk.engine.done())
            self._ending.addErrback(lambda _: None)

    async def _idle_ended(self) -> None:
        if self._ending is not None:
            await self._ending

    async def _ask(self, seconds: float) -> bool:
        ends = self._clock.seconds() + seconds
        while True:
            self._pause = Deferred()
            left = ends - self._clock.seconds()
            timer = self._clock.callLater(max(min(left, _ASK_EVERY), 0.0), self._wake)
            try:
                await self._pause
            finally:
                if timer.active():
                    timer.cancel()
            if self._closed:
                return False
            reply = await ask_imap(self._talk, self._talk.engine.noop())
            if not reply.ok:
                raise Unavailable(f"The server does not say what is new: {words_of(reply)}")
            if self._talk.engine.mail_came():
                return True
            if self._clock.seconds() >= ends:
                return False

    async def close(self) -> None:
        """Say goodbye, in a few seconds at most."""
        if self._closed:
            return
        self._closed = True
        farewell = Deferred.fromCoroutine(self._leave())
        farewell.addTimeout(_FAREWELL, self._clock)
        farewell.addErrback(lambda _: None)  # whatever it said last, we are leaving
        await farewell
        await self._talk.close()

    def _wake(self) -> None:
        if self._pause is not None and not self._pause.called:
            self._pause.callback(None)

    async def _leave(self) -> None:
        self._wake()
        self._end_idle()
        with suppress(MailshareError):
            await ask_imap(self._talk, self._talk.engine.logout())
