"""A POP3 server without I/O: octets in, events out, answers back, octets out.

Feed it what the client sends, ask :meth:`POP3Server.next_event` until it gives ``None``, answer each event by the call
that the event names, and send what :meth:`POP3Server.take_output` gives. Answers keep the order of the commands
however late they come: while :attr:`POP3Server.waiting` is true nothing further is read.

What the session must decide (a login, the listing, a message, the deletion) comes as events; all else, marks of
deletion included, is settled in here. Nothing is deleted but by ``QUIT``.

Source: RFC 1939 (POP3), RFC 2449 (CAPA, response codes, pipelining), RFC 2595 (STLS), RFC 3206 (AUTH and SYS codes),
RFC 5034 (SASL), RFC 6856 (UTF8). ``docs/protocol/pop3.md`` goes through them requirement by requirement.
"""

from __future__ import annotations

import re
from collections.abc import Callable, MutableMapping, Sequence

from attrs import frozen

from mailshare.core.errors import LocalFault, PeerFault
from mailshare.wire.dots import stuffed
from mailshare.wire.lines import LineBuffer, Overlong
from mailshare.wire.pop3_server_commands import (
    CROWDED,
    DELETED,
    MAX_LINE,
    TOO_LONG,
    Commands,
    Goodbye,
    Hopeless,
    Outcome,
)
from mailshare.wire.pop3_server_events import (
    Event,
    ListingWanted,
    MessageWanted,
    NameProven,
    PasswordGiven,
    PauseWanted,
    ProofRejected,
    QuitWanted,
    VerifierWanted,
)
from mailshare.wire.pop3_server_login import Authorization, LoginOffer
from mailshare.wire.pop3_server_maildrop import MaildropView, NotThere
from mailshare.wire.pop3_server_message import MessageReply
from mailshare.wire.replies import ANSWERED, START_TLS, StartTLS, printable
from mailshare.wire.sasl.exchange import MAX_LINE as MAX_AUTH_LINE

MOST_AT_ONCE = 51_700
"""Octets of messages that are answered at once. Where the client reads none of them they wait in the server; with the
commands that wait beside them they stay below 60 kB."""
_USUAL = re.compile(rb"(RETR|DELE) ([1-9][0-9]{0,8})\r\n").match
_WRONG = "Wrong user name or password"
_LOGIN = (PasswordGiven, VerifierWanted, NameProven, ProofRejected)


@frozen
class ServerSettings:
    """How a POP3 server shows itself and what it bears.

    :ivar hostname: in the greeting.
    :ivar login: ways to log in.
    :ivar starttls: ``STLS`` can be done.
    :ivar max_logins: failed logins of one connection; the last one closes it.
    :ivar max_auth_line: octets of AUTH and of the answers to its challenges.
    """

    hostname: str
    login: LoginOffer
    starttls: bool = False
    max_logins: int = 5
    max_auth_line: int = MAX_AUTH_LINE


class POP3Server:
    """One connection.

    :ivar waiting: an event is out that must be answered first.
    :ivar spent: no event comes before octets are fed or the last event is answered.
    :ivar closing: close the transport once the output is sent.
    :ivar errors: commands that made no sense, so far; for the shell to slow down and to end.
    """

    def __init__(self, settings: ServerSettings, *, secure: bool = False) -> None:
        self._settings = settings
        self._lines = LineBuffer(max(MAX_LINE, settings.max_auth_line))
        self._authorization = Authorization(settings.login, secure=secure)
        self._commands = Commands(self._authorization, starttls=settings.starttls)
        self._output: list[bytes] = []
        self._crowd = 0
        self.errors = 0
        self._failures = 0
        self._first = True
        self._unseen = False
        self._idle = False  # nothing is buffered, and no event will come of itself
        self._event: Event | None = None
        self._next: Event | None = None
        self._reply: MessageReply | None = None
        self.waiting = False
        self.spent = False
        self.closing = False

    @property
    def secure(self) -> bool:
        """Inside TLS."""
        return self._authorization.secure

    @property
    def view(self) -> MaildropView | None:
        """The maildrop's state; ``None`` before login."""
        return self._commands.view

    @property
    def utf8(self) -> bool:
        """The client has asked for UTF-8 (RFC 6856)."""
        return self._commands.utf8

    @property
    def buffered(self) -> int:
        """Octets fed and not read yet."""
        return len(self._lines)

    def greet(self) -> None:
        """Queue the greeting. It holds no timestamp, because APOP is not offered."""
        self._say(f"+OK {self._settings.hostname} POP3 server ready")

    def at_once(self, data: bytes) -> tuple[bytes, bytes]:
        """Answer the ``RETR`` and ``DELE`` at the start of these octets without being fed, as long as they are written
        as nearly all programs write them and each message is at hand.

        A program that fetches its mail says hardly anything else: a ``RETR`` takes a third of the steps that
        :meth:`next_event` and what stands around it need.

        :returns: replies to be sent now, and the octets that are left to be fed.
        """
        view = self._commands.view
        if not self._idle or self.waiting or view is None or not view.listed or self._output or self.closing:
            return b"", data
        replies: list[bytes] = []
        start, room = 0, MOST_AT_ONCE
        while usual := _USUAL(data, start):
            verb, number = usual.groups()
            if verb == b"RETR":
                reply = view.take(int(number) - 1, room)
                if reply is None:
                    break
                room -= len(reply[1])
                replies += reply
            elif view.delete(int(number) - 1):
                replies.append(DELETED)
            else:
                break
            start = usual.end()
        return b"".join(replies), data[start:]

    def feed(self, data: bytes) -> None:
        """Take octets from the client."""
        self.spent = self._idle = False
        if self._first:
            self._first = False
            if data.startswith(b"\x16\x03"):  # a TLS handshake on a plain port: nothing can be said to it
                self.closing = True
        if not self.closing:
            self._lines.feed(data)

    def take_output(self) -> bytes:
        """Everything to be sent now."""
        output = self._output
        if not output:
            return b""
        self._output = []
        self._crowd = 0
        return output[0] if len(output) == 1 else b"".join(output)

    def receive(self, data: bytes) -> Event | None:
        """Take octets and give the first event: a line that comes alone, as most do, goes past the buffer."""
        line = None if self._first or self.waiting or self._next else self._lines.only_line(data)
        if line is None or self.closing or self._crowd > CROWDED:
            self.feed(data)
            return self.next_event()
        self.spent = self._idle = True
        event = self._read(line)
        if event is None or event is ANSWERED:
            return ANSWERED
        self._event = event
        self.waiting = True
        return event

    def next_event(self) -> Event | None:
        """Read on until something must be asked. Several commands that the engine answers alone are one event.

        :returns: ``None`` when more input is needed, an answer is outstanding, or the connection is to be closed.
        """
        event: Event | None
        while not (self.waiting or self.closing):
            if self._next is not None:
                event, self._next = self._next, None
            elif self._crowd > CROWDED:
                event = PauseWanted()
            else:
                line = self._lines.next_line()
                if line is None:
                    self.spent = True
                    self._idle = not len(self._lines)
                    break
                self._unseen = True
                event = self._read(line)
                if event is None:
                    continue
            self._unseen = False
            if event is not ANSWERED:
                self._event = event
                self.waiting = True
            return event
        if self._unseen and not self.waiting:
            self._unseen = False
            return ANSWERED
        return None

    # ------------------------------------------------------------------ answers

    def resume(self) -> None:
        """The client has read the output."""
        self._answered(PauseWanted)
        self._crowd = 0

    def secured(self) -> None:
        """TLS has begun: what was said in clear is forgotten (RFC 2595 section 4).

        Octets that came in clear meanwhile end the session.
        """
        self._answered(StartTLS)
        if len(self._lines):
            self.closing = True
        self._lines.clear()
        self._authorization.forget()
        self._authorization.secure = True
        self._commands.utf8 = False

    def admit(self, count: int, octets: int) -> None:
        """The login is right and the maildrop is locked."""
        self._answered(*_LOGIN)
        self._commands.view = MaildropView(count, octets)
        self._lines.max_line = MAX_LINE
        self._send(b"+OK %d messages (%d octets)\r\n" % (count, octets))

    def refuse_login(self) -> None:
        """Wrong name or password; the words are always the same."""
        self._answered(*_LOGIN)
        self._login_failed()

    def turn_away(self, code: str, text: str, *, counts: bool = False) -> None:
        """The login cannot be settled, or the maildrop not be locked.

        :param code: ``IN-USE``, ``SYS/TEMP``, ``SYS/PERM``, ``AUTH`` (RFC 2449 section 8, RFC 3206).
        :param counts: it uses up one of the connection's tries, as a wrong password does.
        """
        self._answered(*_LOGIN)
        self._login_failed(code, text, counts=counts)

    def give_verifier(self, text: str) -> None:
        """The verifier of a login."""
        self._answered(VerifierWanted)
        self._unseen, self.spent = True, False
        self._next = self._settle(self._authorization.verifier, text, line=True)

    def give_listing(
        self,
        sizes: Sequence[int],
        uids: Sequence[int],
        uidl: Callable[[int], str],
        at_hand: Callable[[int], bytes | None] | None = None,
        shown: MutableMapping[str, bytes] | None = None,
    ) -> None:
        """The listing, in the order of numbers; ``uidl`` makes the unique-id of one of ``uids``.

        :param at_hand: for one of ``uids``, the octets of a message with dots stuffed and its last line ended, if they
            can be had without a wait: ``RETR`` is answered with them at once, without any event.
        :param shown: what the engine made of the same listing for another session; it adds what it makes for this one.
        """
        self._answered(ListingWanted)
        assert self.view is not None
        self.view.take_listing(sizes, uids, uidl, shown)
        if at_hand is not None:
            self.view.at_hand = at_hand
        self._unseen, self.spent = True, False
        self._next = self._settle(self._commands.resume)

    def fail(self, text: str, *, code: str = "SYS/TEMP") -> None:
        """What was asked for cannot be had now. After ``QUIT`` nothing was deleted, and the session ends."""
        event = self._answered(ListingWanted, MessageWanted, QuitWanted)
        self._say(f"-ERR [{code}] {text}")
        self.closing = isinstance(event, QuitWanted)

    def begin_message(self, size: int, header_length: int, *, ready: bool = False) -> None:
        """The message is there; its octets follow.

        :param size: octets of the whole message.
        :param header_length: octets of its header with the empty line.
        :param ready: no line of it begins with a dot and the last one is ended.
        """
        event = self._event
        if not isinstance(event, MessageWanted):
            raise LocalFault("a message that was not asked for")
        self._reply = MessageReply(header_length, event.lines, ready=ready)
        self._send(b"+OK %d octets\r\n" % size if event.lines is None else b"+OK\r\n")

    def give_message(self, data: bytes, *, ready: bool = False) -> None:
        """The message is there whole, for ``RETR``; in place of :meth:`begin_message` and what follows it.

        :param ready: as there.
        """
        event = self._answered(MessageWanted)
        if not isinstance(event, MessageWanted) or event.lines is not None:
            raise LocalFault("a whole message where some lines were asked for")
        message, end = (data, b".\r\n") if ready else stuffed(data)
        self._output += (b"+OK %d octets\r\n" % len(data), message, end)
        self._crowd += len(message)
        if self.view is not None:
            self.view.retrieved.add(event.index)

    def write_message(self, data: bytes) -> bool:
        """Octets of the message.

        :returns: whether more are wanted; ``False`` when ``TOP`` has its lines.
        """
        reply = self._reply
        assert reply is not None
        self._send(reply.encode(data))
        return not reply.complete

    def end_message(self) -> None:
        """That was all of it."""
        event, reply = self._answered(MessageWanted), self._reply
        assert isinstance(event, MessageWanted)
        assert reply is not None
        self._send(reply.finish())
        self._reply = None
        if event.lines is None and self.view is not None:
            self.view.retrieved.add(event.index)

    def abort_message(self) -> None:
        """The rest of a message cannot be had. It must not look whole, so the connection ends without its dot."""
        self._answered(MessageWanted)
        self._reply = None
        self.closing = True

    def finished(self, deleted: int) -> None:
        """Deleted, marked and let go; the session is over."""
        self._answered(QuitWanted)
        self._send(b"+OK %d messages deleted\r\n" % deleted if deleted else b"+OK Bye\r\n")
        self.closing = True

    def shut(self, code: str, text: str) -> None:
        """End the session from this side: too many connections, too slow, going down.

        An event that is out is dropped; a message that is half sent stays without its end.
        """
        if self._reply is None and not self.closing:
            self._say(f"-ERR [{code}] {text}")
        self._event = self._next = self._reply = None
        self.waiting = False
        self.closing = True

    # ------------------------------------------------------------------ inside

    def _answered(self, *kinds: type) -> Event:
        event = self._event
        if event is None or not isinstance(event, kinds):
            raise LocalFault("an answer to something that was not asked")
        self._event = None
        self.waiting = False
        return event

    def _read(self, line: bytes | Overlong) -> Event | None:
        if isinstance(line, Overlong):
            self._error(TOO_LONG, close=self.view is None)
            return ANSWERED
        try:
            outcome = self._commands.run(line)
        except (PeerFault, Goodbye) as fault:
            return self._declined(fault)
        event = self._told(outcome)
        return self._begin_tls() if event is START_TLS else event

    def _begin_tls(self) -> Event:
        """Queue STLS's reply, unless clear octets follow it: those would be taken for the client's inside TLS."""
        if len(self._lines):
            self._error("Nothing may follow STLS before TLS has begun", close=True)
            return ANSWERED
        self._say("+OK Begin TLS now")
        return START_TLS

    def _settle(self, act: Callable[..., Outcome], *given: object, line: bool = False) -> Event | None:
        """Do something that comes to a reply, an event, or a mistake of the client."""
        try:
            outcome = act(*given)
        except (PeerFault, Goodbye) as fault:
            return self._declined(fault)
        return self._told(outcome + b"\r\n" if line and isinstance(outcome, bytes) else outcome)

    def _told(self, outcome: Outcome) -> Event | None:
        """Send what is a reply; give back what must be asked."""
        if isinstance(outcome, bytes):
            self._output.append(outcome)
            self._crowd += len(outcome)
        elif isinstance(outcome, tuple):
            self._output += outcome
            self._crowd += len(outcome[1])
        else:
            return outcome
        return None

    def _declined(self, fault: PeerFault | Goodbye) -> Event | None:
        """A mistake, a number that leads nowhere, or ``QUIT`` before login."""
        if isinstance(fault, Goodbye):
            self._say("+OK Bye")
            self.closing = True
        elif isinstance(fault, NotThere):
            self._say(f"-ERR {fault.public}")
        else:
            self._error(fault.public, close=isinstance(fault, Hopeless))
            return ANSWERED
        return None

    def _login_failed(self, code: str = "AUTH", text: str = _WRONG, *, counts: bool = True) -> None:
        self._authorization.forget()
        self._failures += counts
        self._say(f"-ERR [{code}] {text}")
        self.closing = self._failures >= self._settings.max_logins

    def _error(self, text: str, *, close: bool = False) -> None:
        self.errors += 1
        self._say(f"-ERR {text}")
        self.closing = close

    def _say(self, text: str) -> None:
        self._send(printable(text).encode("ascii") + b"\r\n")

    def _send(self, data: bytes) -> None:
        self._output.append(data)
        self._crowd += len(data)
