"""One connection to a smarthost, used for one message after another.

The next message's MAIL goes out right behind the dot of the one before, while its reply is still awaited
(RFC 2920 section 3.1), so that a message costs little more than one round trip. A server with CHUNKING gets several
whole messages ahead of its replies (RFC 3030 section 2): as many as :attr:`RelaySession.room` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import cast

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, DeferredLock

from mailshare.core.derived import changed
from mailshare.core.envelope import Envelope
from mailshare.core.errors import Damaged, MailshareError, Unavailable
from mailshare.isp.flight import Flight, all_of
from mailshare.isp.outgoing import Outgoing
from mailshare.isp.sign_on import SMTPConversation, ask_smtp
from mailshare.wire.client_engine import Command, Reply
from mailshare.wire.smtp_client_body import BodyScan
from mailshare.wire.smtp_client_lines import SMTPReply, needs_utf8

PIECE = 65_536
_MAX_BDAT = 262_144
_WINDOW_OCTETS = 2 << 20
_BEHIND_THE_DOT = 2
_CLOSING = 421


@frozen(eq=False)
class Parcel:
    """A message to be sent.

    :ivar scan: what its octets are like.
    :ivar utf8_header: the header holds octets that are not ASCII.
    """

    envelope: Envelope
    body: Outgoing
    scan: BodyScan
    utf8_header: bool = True

    @property
    def needs_utf8(self) -> bool:
        """Only a server with SMTPUTF8 can take it. A client saying so does not make it true (RFC 6531 section 3.4)."""
        addresses = changed(self.envelope, smtputf8=False)
        return needs_utf8(addresses) or (self.envelope.smtputf8 and self.utf8_header)


@define
class Answers:
    """What the server said of one parcel; ``None`` where it was not asked.

    :ivar recipients: in the order of the envelope's.
    :ivar barred: ``(code, status, text)`` of our own refusal to send it there at all.
    :ivar fault: what cut the conversation short.
    :ivar whole: the message was handed over to its last octet, so that the server may have taken it although it did
        not say so.
    :ivar host: the server.
    """

    mail: SMTPReply | None = None
    recipients: list[SMTPReply] = field(factory=list)
    data: SMTPReply | None = None
    message: SMTPReply | None = None
    barred: tuple[int, str, str] | None = None
    fault: MailshareError | None = None
    dsn: bool = False
    whole: bool = False
    host: str = ""


async def scan(body: Outgoing) -> BodyScan:
    """Look at all octets of a message.

    :raises Unavailable: the store does not give them.
    :raises Damaged: they are others than were stored.
    """
    found, digest = BodyScan(), sha256()
    while found.size < body.size:
        data = await body.read(found.size, PIECE)
        if not data:
            raise Unavailable("A stored message is shorter than it should be")
        if found.size >= len(body.top):
            digest.update(data)
        found.feed(data)
    if digest.digest() != body.body.digest:
        raise Damaged
    return found


class RelaySession:
    """Sends parcels over one conversation.

    :param host: its server, for what is told.
    :param window: messages sent ahead of their replies where the server offers CHUNKING; 0 = it is not used.
    :ivar load: parcels that were handed in and are not answered yet.
    :ivar answered: parcels on which the server had its last word.
    :ivar taken: parcels that were handed in since the connection was made.
    """

    def __init__(self, conversation: SMTPConversation, host: str = "", window: int = 1) -> None:
        self._talk = conversation
        self._writing = DeferredLock()
        self._window = window
        self._flight = Flight(max(window, 1), _WINDOW_OCTETS)
        self._unclear = False  # the server may still hold something of a message that failed
        self._dismissed = False  # it said 421: whatever went out behind that was not looked at
        self.host = host
        self.load = 0
        self.answered = 0
        self.taken = 0

    @property
    def room(self) -> int:
        """Parcels of which it has use at the same time."""
        return max(self._window, _BEHIND_THE_DOT) if self._chunks else _BEHIND_THE_DOT

    @property
    def _chunks(self) -> bool:
        engine = self._talk.engine
        return self._window > 0 and engine.pipelining and "CHUNKING" in engine.extensions

    @property
    def size_limit(self) -> int:
        """Octets of the largest message by the server's own word; 0 = it says nothing."""
        return self._talk.engine.size_limit

    @property
    def usable(self) -> bool:
        """More can be sent on it."""
        return not self._talk.lost and not self._talk.engine.closing

    async def send(self, parcel: Parcel) -> Answers:
        """Send a parcel. Never raises for what the server does: see :attr:`Answers.fault`.

        :cancel: cuts the connection.
        """
        answers = Answers(dsn="DSN" in self._talk.engine.extensions, host=self.host)
        answers.barred = self._barred(parcel)
        if answers.barred:
            return answers
        self.load += 1
        self.taken += 1
        try:
            if self._fits_a_chunk(parcel):
                await self._flight.enter(parcel.scan.size)
                try:
                    await self._exchange(parcel, answers)
                finally:
                    self._flight.leave(parcel.scan.size)
            else:
                await self._exchange(parcel, answers)
            self.answered += not _says_closing(answers)
        except MailshareError as fault:
            answers.fault = fault
        finally:
            self.load -= 1
            self._dismissed = self._dismissed or _says_closing(answers)
            answers.whole = answers.whole and not self._dismissed
        return answers

    async def _exchange(self, parcel: Parcel, answers: Answers) -> None:
        """Hand a parcel over and wait for the last word on it."""
        turn = self._writing.acquire()
        if not turn.called:
            await turn
        try:
            awaited = await self._write(parcel, answers)
        finally:
            self._writing.release()
        if awaited is not None:
            answers.message = cast("SMTPReply", await awaited)

    async def quit(self) -> None:
        """Take leave, and close whatever comes of it."""
        try:
            if self.usable:
                await ask_smtp(self._talk, self._talk.engine.quit())
        except MailshareError:
            # The server left first; that is what was wanted.
            return
        finally:
            self.close()

    def close(self) -> None:
        """Cut the connection."""
        self._talk.give_up(Unavailable("The connection was closed here"))

    def _barred(self, parcel: Parcel) -> tuple[int, str, str] | None:
        """What this server must not be sent, known before anything is said."""
        engine = self._talk.engine
        if engine.size_limit and parcel.scan.size > engine.size_limit:
            return 552, "5.3.4", f"The provider takes {engine.size_limit} octets; the message has {parcel.scan.size}"
        if parcel.scan.eight_bit and "8BITMIME" not in engine.extensions:
            return 554, "5.6.3", "The message is 8-bit and the provider takes 7-bit only"
        if parcel.needs_utf8 and "SMTPUTF8" not in engine.extensions:
            return 550, "5.6.7", "The provider does not take addresses that are not ASCII"
        return None

    async def _write(self, parcel: Parcel, answers: Answers) -> Deferred[object] | None:
        """Everything up to the dot; gives the wait for the server's last word, if it shall say one."""
        engine = self._talk.engine
        if not engine.pipelining:
            return await self._step_by_step(parcel, answers)
        if self._fits_a_chunk(parcel):
            return await self._in_one_flight(parcel, answers)
        commands = [*self._envelope(parcel), engine.data()]
        replies = await self._ask_all(commands)
        answers.mail, answers.recipients, answers.data = replies[0], replies[1:-1], replies[-1]
        if answers.data.code != 354:
            await self._forget(answers)
            return None
        return await self._upload(parcel, answers)

    def _fits_a_chunk(self, parcel: Parcel) -> bool:
        return self._chunks and parcel.scan.clean and parcel.scan.size <= _MAX_BDAT

    def _envelope(self, parcel: Parcel) -> list[Command]:
        engine = self._talk.engine
        mail = engine.mail(parcel.envelope, parcel.scan.size, eight_bit=parcel.scan.eight_bit)
        return [mail, *(engine.rcpt(recipient) for recipient in parcel.envelope.recipients)]

    async def _ask_all(self, commands: Sequence[Command]) -> list[SMTPReply]:
        return [cast("SMTPReply", reply) for reply in await all_of([self._talk.ask(command) for command in commands])]

    async def _step_by_step(self, parcel: Parcel, answers: Answers) -> Deferred[object] | None:
        engine, talk = self._talk.engine, self._talk
        answers.mail = await ask_smtp(
            talk, engine.mail(parcel.envelope, parcel.scan.size, eight_bit=parcel.scan.eight_bit)
        )
        if not answers.mail.ok:
            await self._forget(answers)
            return None
        for recipient in parcel.envelope.recipients:
            answers.recipients.append(await ask_smtp(talk, engine.rcpt(recipient)))
        if not any(reply.ok for reply in answers.recipients):
            await self._forget(answers)
            return None
        answers.data = await ask_smtp(talk, engine.data())
        if answers.data.code != 354:
            await self._forget(answers)
            return None
        return await self._upload(parcel, answers)

    async def _in_one_flight(self, parcel: Parcel, answers: Answers) -> Deferred[object]:
        """Envelope and message at once: BDAT needs no 354 (RFC 3030 section 2)."""
        engine = self._talk.engine
        octets = b""
        while len(octets) < parcel.scan.size:
            octets += await parcel.body.read(len(octets), PIECE)
        # A BDAT that fails leaves the server in a state that only RSET ends (RFC 3030 section 2), and whether one of
        # those under way does is not known yet.
        cleared = [engine.rset()] if self.load > 1 or self._unclear else []
        self._unclear = False
        commands = [*cleared, *self._envelope(parcel), message := engine.bdat(octets)]
        replies: list[Reply] = []
        asked = self._talk.ask_together(commands, replies)
        self._talk.push()
        return asked.addBoth(self._read_flight, replies, len(cleared), message, answers)

    def _read_flight(
        self, last: object, replies: Sequence[Reply], skipped: int, message: Command, answers: Answers
    ) -> object:
        """The replies to one flight, as far as they came; gives the last of them, the word on the message.

        :param last: it, or what went wrong first.
        :param skipped: replies in front that are to no command of this message.
        """
        found = cast("Sequence[SMTPReply]", replies[skipped:])
        answers.whole = self._talk.engine.handed_over(message)
        if found:
            answers.mail = found[0]
            answers.recipients = [reply for reply in found[1:] if reply.command is not message]
        self._unclear = self._unclear or (isinstance(last, SMTPReply) and not last.ok)
        return last

    async def _upload(self, parcel: Parcel, answers: Answers) -> Deferred[object]:
        """The message behind the 354. With no recipient left, or behind a refused sender, it is an empty one, for the
        dot has to come anyway (RFC 2920 section 3.1)."""
        engine = self._talk.engine
        accepted = answers.mail is not None and answers.mail.ok and any(reply.ok for reply in answers.recipients)
        message = self._talk.ask(engine.begin_body(parcel.scan.size))
        position = 0
        try:
            while accepted and position < parcel.scan.size and not message.called:
                data = await parcel.body.read(position, PIECE)
                if not data:
                    raise Unavailable("A stored message is shorter than it should be")
                position += len(data)
                engine.body(data)
                self._talk.flush()
                await self._talk.drained()
        except MailshareError:
            # No dot may follow: it would make a torn message a whole one.
            message.addErrback(lambda _: None)
            self.close()
            raise
        if not message.called:
            engine.end_body()
            answers.whole = accepted
            self._talk.flush()
            self._talk.push()  # other connections may have answers to be dealt with before this turn ends
        return message

    async def _forget(self, answers: Answers) -> None:
        """Clear what the server may hold of a message that does not come, for the next one."""
        if answers.mail is not None and answers.mail.ok and self.usable:
            await ask_smtp(self._talk, self._talk.engine.rset())


def _says_closing(answers: Answers) -> bool:
    """Whether the server said that it closes the connection."""
    replies = (answers.mail, *answers.recipients, answers.data, answers.message)
    return any(reply is not None and reply.code == _CLOSING for reply in replies)
