"""The SMTP client engine: commands in, octets out; octets in, replies out. No I/O, no clock.

RFC 5321 with PIPELINING (2920), SIZE (1870), 8BITMIME (6152), SMTPUTF8 (6531), DSN (3461), CHUNKING (3030),
STARTTLS (3207), AUTH (4954), ENHANCEDSTATUSCODES (2034). The commands of the next message may be queued while the reply
to the last dot is still out: they go behind the dot where the server pipelines.

A message counts as taken only when a 2yz reply came after its last octet had gone out; every other order of events is
a fault of the server, never a success.
"""

from __future__ import annotations

import binascii
import re
from collections import deque

from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import LocalFault, PeerFault, Unavailable
from mailshare.wire.client_engine import Command, LineBuffer, Overflow
from mailshare.wire.sasl.exchange import encode, encode_initial
from mailshare.wire.sasl.mechanism import ClientMechanism
from mailshare.wire.smtp_client_body import BodyWriter
from mailshare.wire.smtp_client_lines import (
    SMTPLimits,
    SMTPReply,
    mail_line,
    printable,
    rcpt_line,
    read_extensions,
    read_line,
    read_reply,
    size_limit,
)

_MAX_ROUNDS = 8
_UNKNOWN = (500, 502)
_ELSEWHERE = frozenset({211, 214, 220, 221, 235})  # each answers one command: elsewhere replies are out of step
_PLAIN = frozenset({"MAIL", "RCPT", "RSET", "BDAT"})  # whose 2yz means what it says
_MAX_AUTH_LINE = 12_288
_HOST = re.compile(r"[A-Za-z0-9._\-:\[\]]{1,255}\Z")


class SMTPClient:
    """One connection.

    :param secure: the connection is inside TLS already.
    :param allow_plain: the account is configured with ``tls=none``, so a password may go in clear.
    :ivar greeting: the command-like object that the greeting answers.
    :ivar extensions: of the last EHLO, keyword to parameters.
    """

    def __init__(self, *, secure: bool, allow_plain: bool = False, limits: SMTPLimits | None = None) -> None:
        self.limits = limits or SMTPLimits()
        self.secure = secure
        self.closing = False
        self.greeting = Command("greeting", last=True)
        self.extensions: dict[str, str] = {}
        self._allow_plain = allow_plain
        self._buffer = LineBuffer(self.limits.line)
        self._queue: deque[Command] = deque()
        self._sent: deque[Command] = deque([self.greeting])
        self._output: list[bytes] = []
        self._code = 0
        self._texts: list[bytes] = []
        self._mechanism: ClientMechanism | None = None
        self._rounds = 0
        self._auth_fault: PeerFault | None = None
        self._body: BodyWriter | None = None
        self._open: Command | None = None  # a message of which octets are still to come
        self._awaits_tls = False
        self._surplus = False  # octets that no command asked for lie behind the last reply

    # ------------------------------------------------------------------ commands

    def ehlo(self, name: str) -> Command:
        """Introduce ourselves and learn the extensions."""
        return self._add("EHLO", b"EHLO " + self._host(name), last=True)

    def helo(self, name: str) -> Command:
        """Introduce ourselves to a server that does not know EHLO."""
        return self._add("HELO", b"HELO " + self._host(name), last=True)

    def starttls(self) -> Command:
        """Ask for TLS; after its 220 start TLS at once, call :meth:`secured`, and say EHLO again."""
        if self.secure:
            raise LocalFault("STARTTLS inside TLS")
        return self._add("STARTTLS", b"STARTTLS", last=True)

    def auth(self, mechanism: ClientMechanism) -> Command:
        """Log in. The exchange runs inside the engine; its end is the reply.

        :raises LocalFault: outside TLS, unless the account says ``tls=none``.
        """
        if not (self.secure or self._allow_plain):
            raise LocalFault("A password must not go to a server outside TLS")
        self._mechanism = mechanism
        self._rounds = 0
        self._auth_fault = None
        initial = mechanism.initial()
        words = b"AUTH " + mechanism.name.encode()
        line = words if initial is None else words + b" " + encode_initial(initial)
        if len(line) + 2 > _MAX_AUTH_LINE:
            raise LocalFault("The login does not fit into an AUTH line")
        return self._add("AUTH", line, last=True)

    def mail(self, envelope: Envelope, size: int, *, eight_bit: bool) -> Command:
        """Begin a message, with the parameters that the server offers."""
        return self._add("MAIL", mail_line(envelope, self.extensions, size, eight_bit=eight_bit)[:-2])

    def rcpt(self, recipient: Recipient) -> Command:
        """Name a recipient."""
        return self._add("RCPT", rcpt_line(recipient, self.extensions)[:-2])

    def data(self) -> Command:
        """Ask to send the message; after its 354 call :meth:`begin_body`."""
        return self._add("DATA", b"DATA", last=True)

    def bdat(self, octets: bytes) -> Command:
        """Send the message as one last chunk: its octets go out with the command (RFC 3030 section 2)."""
        command = self._add("BDAT", b"BDAT %d LAST" % len(octets), size=len(octets))
        command.line += octets
        return command

    def handed_over(self, command: Command) -> bool:
        """Whether it went out, with all that belongs to it."""
        return command not in self._queue

    def rset(self) -> Command:
        """Forget the message begun."""
        return self._add("RSET", b"RSET")

    def quit(self) -> Command:
        """Leave."""
        return self._add("QUIT", b"QUIT", last=True)

    # ------------------------------------------------------------------ the message

    def begin_body(self, size: int) -> Command:
        """After 354: the upload, whose reply is the server's word on the message.

        :param size: octets, for the deadline.
        """
        if self._body is None or self._open is not None:
            raise LocalFault("The server has not asked for a message")
        if self._surplus:
            raise self._broken("The server answered again before the message was sent")
        self._open = Command("message", size=size)
        self._sent.append(self._open)
        return self._open

    def body(self, data: bytes) -> None:
        """Octets of the message after 354."""
        if self._body is None or self._open is None:
            raise LocalFault("No message is open")
        self._output.append(self._body.write(data))

    def end_body(self) -> None:
        """No more comes: the dot. Commands of the next message may follow at once."""
        if self._body is None or self._open is None:
            raise LocalFault("No message is open")
        self._output.append(self._body.finish())
        self._body = None
        self._open = None

    def cancel_body(self) -> None:
        """The message cannot be sent to its end: the connection must be cut, for any dot would send it torn."""
        self.closing = True

    # ------------------------------------------------------------------ the wire

    @property
    def head(self) -> Command | None:
        """The command whose reply comes next."""
        return self._sent[0] if self._sent else None

    @property
    def pipelining(self) -> bool:
        """Whether commands go out ahead of replies."""
        return "PIPELINING" in self.extensions

    @property
    def size_limit(self) -> int:
        """The largest message the server takes, 0 when it does not say."""
        return size_limit(self.extensions)

    def take_output(self) -> bytes:
        """Everything that may be sent now."""
        while self._queue and not self.closing and self._may_send(self._queue[0]):
            command = self._queue.popleft()
            self._sent.append(command)
            self._output.append(command.line)
        output = b"".join(self._output)
        self._output.clear()
        return output

    def feed(self, data: bytes) -> None:
        """Take octets from the server.

        :raises PeerFault: they came between the 220 to STARTTLS and the start of TLS.
        """
        if self._awaits_tls:
            raise self._broken("The server sent more behind its answer to STARTTLS")
        self._buffer.feed(data)

    def secured(self) -> None:
        """TLS is on: whatever was learned before is forgotten (RFC 3207 section 4.2)."""
        self._awaits_tls = False
        self.secure = True
        self.extensions = {}

    def next_event(self) -> SMTPReply | None:
        """The next reply, ``None`` until more octets come.

        :raises PeerFault: the server broke the protocol.
        """
        try:
            if self._surplus:
                raise PeerFault("The server spoke without being asked")
            while (line := self._buffer.line()) is not None:
                code, more, text = read_line(line)
                if self._texts and code != self._code:
                    raise PeerFault("The lines of a reply have different codes")
                self._code = code
                self._texts.append(text)
                if len(self._texts) > self.limits.lines:
                    raise Overflow(f"The server sent a reply of more than {self.limits.lines} lines")
                if more:
                    continue
                texts, self._texts = self._texts, []
                reply = self._reply(code, texts)
                if reply is not None:
                    return reply
        except PeerFault:
            self.closing = True
            raise
        return None

    def _may_send(self, command: Command) -> bool:
        # A body that is due or under way comes before every command.
        if self._awaits_tls or self._surplus or self._body is not None or self._open is not None:
            return False
        if not self._sent:
            return True
        if not self.pipelining or self._sent[-1].last or len(self._sent) >= self.limits.window:
            return False
        # These change what the session is; they could end a group (RFC 2920 section 3.1), but gain nothing by it.
        return command.name not in ("EHLO", "HELO", "STARTTLS", "AUTH")

    def _reply(self, code: int, texts: list[bytes]) -> SMTPReply | None:
        if not self._sent:
            self.closing = True
            words = printable(b" ".join(texts), 200)
            if code == 421:
                raise Unavailable(f"The server ended the session: {code} {words}")
            raise PeerFault(f"The server spoke without being asked: {code} {words}")
        command = self._sent[0]
        if command.name == "AUTH" and code == 334:
            self._challenge(texts[0].strip())
            return None
        reply = read_reply(command, code, texts)
        self._check(reply)
        self._sent.popleft()
        self._surplus = not self._sent and len(self._buffer) > 0
        return reply

    def _check(self, reply: SMTPReply) -> None:
        """Hold each reply against what its command may be answered with."""
        command, code = reply.command, reply.code
        if code == 250 and command.name in _PLAIN and command is not self._open:
            self._check_behind(command)
            return
        if code == 421 or command.name == "QUIT":
            self.closing = True
        if code // 100 == 3 and not (command.name == "DATA" and code == 354):
            raise PeerFault(f"The server answered {code} to {command.name}")
        if command is self._open:
            # A refusal before the message is whole: the rest of it would be read as commands.
            self.closing = True
            if reply.ok:
                raise PeerFault(f"The server answered {code} before the message was sent")
        if code in _ELSEWHERE and (command.name in _PLAIN or command.name == "message"):
            raise PeerFault(f"The server answered {code} to {command.name}")
        if command.name == "BDAT" and code in _UNKNOWN:
            # What it took the octets for is anybody's guess, and so are all replies from here on.
            raise PeerFault(f"The server offers CHUNKING and answers {code} to BDAT")
        if command.name == "DATA":
            if code == 354:
                self._body = BodyWriter()
            elif reply.ok:
                raise PeerFault(f"The server answered {code} to DATA without having read a message")
        elif command.name == "greeting" and reply.ok and code != 220:
            raise PeerFault(f"The server greets with {code}")
        elif command.name == "EHLO" and reply.ok:
            self.extensions = read_extensions(reply)
        elif command.name == "HELO" and reply.ok:
            self.extensions = {}
        elif command.name == "AUTH":
            self._auth_ends(reply)
        elif command.name == "STARTTLS" and reply.ok:
            if code != 220 or len(self._buffer):
                raise PeerFault("The server sent more behind its answer to STARTTLS")
            self._awaits_tls = True

    def _check_behind(self, command: Command) -> None:
        """A chunk goes out with its envelope, so one reply too many before it would stand for the word on the message.

        That word is then what lies behind, where it came together with the others.
        """
        if command.name == "BDAT" and len(self._sent) == 1 and self._buffer.first(1) in (b"4", b"5"):
            raise PeerFault("The server refuses something that it was not asked, behind its answer to BDAT")

    # ------------------------------------------------------------------ logging in

    def _challenge(self, text: bytes) -> None:
        mechanism = self._mechanism
        self._rounds += 1
        if mechanism is None or self._auth_fault or self._rounds > _MAX_ROUNDS:
            raise PeerFault("The server goes on asking in AUTH")
        response = b""
        try:
            response = mechanism.respond(binascii.a2b_base64(text, strict_mode=True) if text else b"")
        except binascii.Error:
            self._auth_fault = PeerFault("The server's challenge in AUTH is not base64")
        except PeerFault as fault:
            self._auth_fault = fault
        self._output.append(b"*\r\n" if self._auth_fault else encode(response) + b"\r\n")

    def _auth_ends(self, reply: SMTPReply) -> None:
        mechanism, self._mechanism = self._mechanism, None
        if reply.ok and reply.code != 235:
            raise PeerFault(f"The server answered {reply.code} to AUTH")
        if reply.ok and self._auth_fault is not None:
            raise self._auth_fault
        if reply.ok and mechanism is not None:
            mechanism.succeeded()

    # ------------------------------------------------------------------ small things

    def _broken(self, text: str) -> PeerFault:
        self.closing = True
        return PeerFault(text)

    def _host(self, name: str) -> bytes:
        return (name if _HOST.match(name) else "localhost").encode()

    def _add(self, name: str, line: bytes, *, size: int = 0, last: bool = False) -> Command:
        if self.closing:
            raise Unavailable("The connection to the server is closed")
        command = Command(name, line + b"\r\n", size, last)
        self._queue.append(command)
        return command
