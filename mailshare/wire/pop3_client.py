"""The POP3 client engine: commands in, octets out; octets in, replies out. No I/O, no clock.

RFC 1939 with CAPA and PIPELINING (2449), STLS (2595), AUTH (5034). Commands are queued in any number and sent one by
one, or ahead of their replies where the server's CAPA says PIPELINING, within a window of commands and octets.
No APOP: its digest is MD5 over the password, and a greeting is the bait that makes a client use it in clear.
"""

from __future__ import annotations

import binascii
from collections import deque

from mailshare.core.errors import LocalFault, PeerFault, Unavailable
from mailshare.wire.client_engine import Chunk, Command, LineBuffer, Overflow, Texts
from mailshare.wire.dots import DotDecoder, unstuffed
from mailshare.wire.pop3_client_replies import Listing, POP3Limits, POP3Reply, printable, read_stat, read_status
from mailshare.wire.sasl.exchange import encode, encode_initial
from mailshare.wire.sasl.mechanism import ClientMechanism

MAX_AUTH_LINE = 255
"""Octets of an AUTH command with its CRLF; a longer initial response waits for the ``+`` (RFC 5034 section 4)."""
_MAX_ROUNDS = 8
_SURPLUS = 512  # octets on the wire that a message may have over those listed, for dots and its end
_LEAST = 65_536  # that are looked at of a message whose size is not known
_LISTS = ("LIST", "UIDL", "CAPA")
_BODIES = ("RETR", "TOP")


class POP3Client:
    """One session.

    :param secure: the connection is inside TLS already.
    :param allow_plain: the account is configured with ``tls=none``, so a password may go in clear.
    :ivar greeting: the command-like object that the greeting answers.
    :ivar capabilities: of the last CAPA, names in upper case.
    :ivar count: messages by STAT.
    """

    def __init__(self, *, secure: bool, allow_plain: bool = False, limits: POP3Limits | None = None) -> None:
        self.limits = limits or POP3Limits()
        self.secure = secure
        self.closing = False
        self.greeting = Command("greeting", last=True)
        self.capabilities: dict[str, tuple[str, ...]] = {}
        self.count = 0
        self._allow_plain = allow_plain
        self._buffer = LineBuffer(self.limits.status_line)
        self._queue: deque[Command] = deque()
        self._sent: deque[Command] = deque([self.greeting])
        self._octets_ahead = 0
        self._replies_ahead = 1
        self._output: list[bytes] = []
        self._mechanism: ClientMechanism | None = None
        self._held_initial: bytes | None = None
        self._rounds = 0
        self._auth_fault: PeerFault | None = None
        self._listing: Listing | None = None
        self._body: DotDecoder | None = None
        self._status: tuple[str, str] = ("", "")
        self._ended: POP3Reply | None = None  # comes behind the message that was given out last
        self._agreed: list[bool] = []  # to the commands of the first one sent, so far
        self._awaits_tls = False
        self._surplus = False  # octets that no command asked for lie behind the last reply

    # ------------------------------------------------------------------ commands

    def capa(self) -> Command:
        """Ask what the server can do (RFC 2449 section 5)."""
        return self._add("CAPA", b"CAPA")

    def stls(self) -> Command:
        """Ask for TLS; after its ``ok`` start TLS at once and call :meth:`secured` (RFC 2595 section 4)."""
        if self.secure:
            raise LocalFault("STLS inside TLS")
        return self._add("STLS", b"STLS", last=True)

    def user(self, name: str) -> Command:
        """Give the login name.

        :raises LocalFault: outside TLS, unless the account says ``tls=none``.
        """
        self._guard()
        return self._add("USER", b"USER " + self._argument(name), last=True)

    def password(self, password: str) -> Command:
        """Give the password; may hold blanks (RFC 1939 section 7)."""
        self._guard()
        return self._add("PASS", b"PASS " + self._argument(password), last=True)

    def auth(self, mechanism: ClientMechanism) -> Command:
        """Log in by SASL. The exchange runs inside the engine; its end is the reply.

        :raises LocalFault: outside TLS, unless the account says ``tls=none``.
        """
        self._guard()
        self._mechanism = mechanism
        self._rounds = 0
        self._auth_fault = None
        self._held_initial = None
        line = b"AUTH " + mechanism.name.encode()
        initial = mechanism.initial()
        if initial is not None:
            whole = line + b" " + encode_initial(initial)
            if len(whole) + 2 <= MAX_AUTH_LINE:
                line = whole
            else:
                self._held_initial = initial
        return self._add("AUTH", line, last=True)

    def stat(self) -> Command:
        """Ask how many messages there are."""
        return self._add("STAT", b"STAT")

    def list(self) -> Command:
        """Ask for all sizes."""
        return self._add("LIST", b"LIST")

    def uidl(self) -> Command:
        """Ask for all unique-ids."""
        return self._add("UIDL", b"UIDL")

    def retr(self, number: int, size: int = 0, *, whole: bool = False) -> Command:
        """Fetch a message; it comes in chunks.

        :param size: octets as listed, for window and deadline.
        :param whole: it may come in one piece, together with others, if it has that size and all of it is there.
        """
        return self._add("RETR", b"RETR %d" % number, size=size, whole=whole)

    def top(self, number: int, lines: int = 0) -> Command:
        """Fetch the header; it comes in chunks."""
        return self._add("TOP", b"TOP %d %d" % (number, lines), size=4096)

    def dele(self, *numbers: int) -> Command:
        """Mark messages for deletion; the reply says of each whether the server agrees.

        :raises LocalFault: several, and the server does not offer PIPELINING.
        """
        if len(numbers) > 1 and not self.pipelining:
            raise LocalFault("Several commands at once, and the server offers no PIPELINING")
        return self._add("DELE", b"\r\n".join([b"DELE %d" % number for number in numbers]), count=len(numbers))

    def noop(self) -> Command:
        """Ask for a status line, which shows that the reply before it has ended."""
        return self._add("NOOP", b"NOOP")

    def quit(self) -> Command:
        """Leave; what was marked is deleted now."""
        return self._add("QUIT", b"QUIT", last=True)

    # ------------------------------------------------------------------ the wire

    @property
    def head(self) -> Command | None:
        """The command whose reply comes next."""
        return self._sent[0] if self._sent else None

    @property
    def pipelining(self) -> bool:
        """Whether commands go out ahead of replies."""
        return "PIPELINING" in self.capabilities

    def take_output(self) -> bytes:
        """Everything that may be sent now."""
        while self._queue and not self.closing and self._may_send(self._queue[0]):
            command = self._queue.popleft()
            self._sent.append(command)
            self._octets_ahead += command.size
            self._replies_ahead += command.count
            self._output.append(command.line)
        output = b"".join(self._output)
        self._output.clear()
        return output

    def feed(self, data: bytes) -> None:
        """Take octets from the server.

        :raises PeerFault: they came between the ``+OK`` to STLS and the start of TLS.
        """
        if self._awaits_tls:
            raise self._broken("The server sent more behind its answer to STLS")
        self._buffer.feed(data)

    def secured(self) -> None:
        """TLS is on: whatever was learned before is forgotten (RFC 2595 section 4)."""
        self._awaits_tls = False
        self.secure = True
        self.capabilities = {}

    def next_event(self) -> Chunk | POP3Reply | Texts | None:
        """The next chunk or reply, or several messages, ``None`` until more octets come.

        :raises PeerFault: the server broke the protocol.
        """
        try:
            if self._ended is not None:
                reply, self._ended = self._ended, None
                return reply
            if self._surplus:
                raise self._unasked(self._buffer.rest())
            if self._body is not None:
                return self._read_body(self._body)
            if self._sent and self._sent[0].whole:
                return self._read_texts() or self._read_lines()
            return self._read_lines()
        except PeerFault:
            self.closing = True
            raise

    def _may_send(self, command: Command) -> bool:
        if self._awaits_tls or self._surplus:
            return False
        if not self._sent:
            return True
        if not self.pipelining or self._sent[-1].last or command.last:
            return False
        return self._replies_ahead < self.limits.window and self._octets_ahead < self.limits.window_octets

    def _read_lines(self) -> Chunk | POP3Reply | None:
        while True:
            if self._listing is not None:
                self._listing.rows(self._buffer.whole_lines())
            line = self._buffer.line()
            if line is None:
                return None
            if self._listing is not None:
                return self._listed(self._listing)  # no other line than the last, the dot, is left
            if not self._sent:
                raise self._unasked(line)
            command = self._sent[0]
            if command.name == "AUTH" and line[:1] == b"+" and line[:3].upper() != b"+OK":
                self._challenge(line[1:].strip())
                continue
            ok, code, text = read_status(line)
            if ok and command.name in _LISTS:
                self._status = (code, text)
                self._listing = Listing(command.name, self.count, self.limits)
                continue
            if ok and command.name in _BODIES:
                self._status = (code, text)
                return self._begin_body(command)
            if command.count > 1:
                self._agreed.append(ok)
                if ok:  # nearly always the others are too
                    self._agreed += [True] * self._buffer.agreed(command.count - len(self._agreed))
                if len(self._agreed) < command.count:
                    continue
                ok = all(self._agreed)
            return self._replied(command, ok, code, text)

    def _read_texts(self) -> Texts | None:
        """The messages that are there whole and as long as listed, as far as the first that is not."""
        buffer, sent, texts = self._buffer, self._sent, dict[Command, bytes]()
        start = octets = 0
        while sent and sent[0].whole:
            command = sent[0]
            place = buffer.answer(start, min(command.size + _SURPLUS, self.limits.message))
            if place is None:
                break
            text = buffer.piece(place[0], place[1])
            if place[2]:
                text = unstuffed(text)
            if len(text) != command.size:
                break
            texts[sent.popleft()] = text
            octets += command.size
            start = place[1] + 3
        if not texts:
            return None
        buffer.drop(start)
        self._octets_ahead -= octets
        self._replies_ahead -= len(texts)
        self._surplus = not sent and len(buffer) > 0
        return Texts(texts)

    def _begin_body(self, command: Command) -> Chunk | POP3Reply | None:
        """The message in one piece, when all of it is there already; else as much of it as has come."""
        most = command.size + _SURPLUS if command.size else _LEAST
        whole = self._buffer.whole_text(min(most, self.limits.message))
        if whole is None:
            self._body = DotDecoder(look=False)
            return self._read_body(self._body)
        raw, dotted = whole
        message = unstuffed(raw) if dotted else raw
        code, text = self._status
        reply = POP3Reply(command, True, text, code, octets=len(message))
        self._done(command)
        if not message:
            return reply
        self._ended = reply
        return Chunk(command, message)

    def _replied(self, command: Command, ok: bool, code: str, text: str) -> POP3Reply:
        stat = (0, 0)
        if command.name == "AUTH":
            self._auth_ends(ok)
        elif command.name == "STLS" and ok:
            if len(self._buffer):
                raise self._broken("The server sent more behind its answer to STLS")
            self._awaits_tls = True
        elif command.name == "STAT" and ok:
            stat = read_stat(text)
            self.count = stat[0]
        elif command.name == "QUIT":
            self.closing = True
        self._done(command)
        agreed, self._agreed = self._agreed, []
        return POP3Reply(command, ok, text, code, stat=stat, agreed=tuple(agreed) or (ok,))

    def _listed(self, listing: Listing) -> POP3Reply:
        command = self._sent[0]
        self._listing = None
        self._done(command)
        if command.name == "CAPA":
            self.capabilities = listing.capabilities
        code, text = self._status
        return POP3Reply(
            command, True, text, code, (0, 0), listing.sizes, listing.uids, listing.ignored,
            capabilities=listing.capabilities,
        )  # fmt: skip

    def _read_body(self, body: DotDecoder) -> Chunk | POP3Reply | None:
        command = self._sent[0]
        # About as much as belongs to this message: what the server sent behind it is not copied for each message anew.
        most = command.size + _SURPLUS if command.size else _LEAST
        while not body.done:
            if not len(self._buffer):
                return None
            octets = self._buffer.first(most)
            data, rest = body.feed(octets)
            self._buffer.drop(len(octets) - len(rest))
            if body.size > self.limits.message:
                raise Overflow(f"The server sent a message of more than {self.limits.message} octets")
            if data:
                return Chunk(command, data)
        self._body = None
        self._done(command)
        code, text = self._status
        return POP3Reply(command, True, text, code, octets=body.size)

    def _done(self, command: Command) -> None:
        self._sent.popleft()
        self._octets_ahead -= command.size
        self._replies_ahead -= command.count
        self._surplus = not self._sent and len(self._buffer) > 0

    # ------------------------------------------------------------------ logging in

    def _challenge(self, text: bytes) -> None:
        """Answer one challenge of the SASL exchange."""
        mechanism = self._mechanism
        self._rounds += 1
        if mechanism is None or self._auth_fault or self._rounds > _MAX_ROUNDS:
            raise self._broken("The server goes on asking in AUTH")
        response = b""
        try:
            challenge = binascii.a2b_base64(text, strict_mode=True) if text else b""
            if self._held_initial is not None and not challenge:
                response, self._held_initial = self._held_initial, None
            else:
                response = mechanism.respond(challenge)
        except binascii.Error:
            self._auth_fault = PeerFault("The server's challenge in AUTH is not base64")
        except PeerFault as fault:
            self._auth_fault = fault
        self._output.append(b"*\r\n" if self._auth_fault else encode(response) + b"\r\n")

    def _auth_ends(self, ok: bool) -> None:
        mechanism, self._mechanism = self._mechanism, None
        if ok and self._auth_fault is not None:
            raise self._auth_fault
        if ok and mechanism is not None:
            mechanism.succeeded()

    def _guard(self) -> None:
        if not (self.secure or self._allow_plain):
            raise LocalFault("A password must not go to a server outside TLS")

    # ------------------------------------------------------------------ faults

    def _unasked(self, line: bytes) -> Exception:
        self.closing = True
        if line[:4].upper() == b"-ERR":
            return Unavailable(f"The server ended the session: {printable(line[5:], 200)}")
        return PeerFault(f"The server spoke without being asked: {printable(line, 80)}")

    def _broken(self, text: str) -> PeerFault:
        self.closing = True
        return PeerFault(text)

    def _argument(self, text: str) -> bytes:
        """An argument that cannot end the line (RFC 1939 section 3; UTF-8 as RFC 6856 has it)."""
        if any(ord(char) < 32 or ord(char) == 127 for char in text):
            raise LocalFault("A name or password holds control characters")
        return text.encode()

    def _add(
        self, name: str, line: bytes, *, size: int = 0, last: bool = False, count: int = 1, whole: bool = False
    ) -> Command:
        if self.closing:
            raise Unavailable("The connection to the server is closed")
        command = Command(name, line + b"\r\n", size, last, count, whole)
        self._queue.append(command)
        return command

