"""What an IMAP server says, sorted to the commands it belongs to: the receiving half of the client engine.

A server may say anything at any time (RFC 3501 section 7). What belongs to no command is dropped, except the state of
the open mailbox, capabilities and alerts; what contradicts itself is a fault of one message, or of the server.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from itertools import islice, pairwise

from mailshare.core.errors import LocalFault, PeerFault, Unavailable
from mailshare.wire.client_engine import Chunk, Command, Overflow
from mailshare.wire.imap_client_login import Login
from mailshare.wire.imap_replies import (
    MAX_UID,
    IMAPCommand,
    IMAPLimits,
    IMAPReply,
    Selected,
    Status,
    read_found,
    read_items,
    read_mailbox,
    read_status,
    size_of,
    uid_of,
)
from mailshare.wire.imap_responses import Begun, Piece, ResponseReader
from mailshare.wire.imap_tokens import Atom, Parts, Value, flat_tokens, number, read_values
from mailshare.wire.pop3_client_replies import printable

_ALERTS = 5
_BODIES = ("BODY[]", "BODY[HEADER]")
_ENTERED = ("SELECT", "EXAMINE")
_LOGINS = ("LOGIN", "AUTHENTICATE")
_STATUSES = ("OK", "NO", "BAD", "BYE", "PREAUTH")


class Answers:
    """The state of one session, as far as it follows from what the server says.

    :ivar sent: commands without reply, by tag, in the order of sending.
    :ivar login: the exchange of the AUTHENTICATE that is under way or comes next.
    :ivar holds_back: nothing may be sent: TLS is about to start, or the server idles.
    """

    def __init__(self, limits: IMAPLimits, greeting: IMAPCommand) -> None:
        self.closing = False
        self.capabilities: frozenset[str] = frozenset()
        self.selected: Selected | None = None
        self.alerts: list[str] = []
        self.sent: OrderedDict[bytes, IMAPCommand] = OrderedDict({b"": greeting})
        self.login: Login | None = None
        self._limits = limits
        self._reader = ResponseReader(limits.response)
        self._ready: deque[Chunk | IMAPReply] = deque()
        self._output: list[bytes] = []
        self._body: IMAPCommand | None = None
        self._unproven = False  # the message under way was not named before its octets began
        self._unasked = 0
        self._awaits_tls = False
        self._idle_tag = b""
        self._fresh = False  # capabilities were told since the login was sent
        self._waiting: IMAPCommand | None = None  # for news
        self._noticed = 0  # messages that the last news was about

    # ------------------------------------------------------------------ the seam to the commands

    @property
    def head(self) -> Command | None:
        """The command whose reply comes next."""
        return next(iter(self.sent.values()), None)

    @property
    def holds_back(self) -> bool:
        """Whether no command may be sent now."""
        return self._awaits_tls or bool(self._idle_tag)

    def expect(self, command: IMAPCommand) -> None:
        """A command goes out."""
        if command.name in _ENTERED:
            self.selected = None
        if command.name in _LOGINS:
            self._fresh = False
        self.sent[command.tag] = command

    def take_output(self) -> list[bytes]:
        """What goes out in answer to the server."""
        output, self._output = self._output, []
        return output

    def mail_came(self) -> bool:
        """Whether mail has come since the mailbox was opened, or since this was true last."""
        came = self.selected is not None and self.selected.exists > self._noticed
        if self.selected is not None:
            self._noticed = self.selected.exists
        return came

    def await_news(self, command: IMAPCommand) -> None:
        """Somebody waits for mail."""
        if self._waiting is not None:
            raise LocalFault("News are waited for already")
        self._waiting = command

    def end_idle(self) -> IMAPCommand:
        """Say DONE; whoever waits for news is answered."""
        if not self._idle_tag:
            raise LocalFault("There is no IDLE to end")
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._ready.append(IMAPReply(waiting, "OK", news=self.mail_came()))
        command = IMAPCommand("DONE", tag=self._idle_tag, last=True)
        self.sent[command.tag] = command
        self._idle_tag = b""
        self._output.append(b"DONE\r\n")
        return command

    def secured(self) -> None:
        """Forget what came before TLS."""
        self._awaits_tls = False
        self.capabilities = frozenset()
        self.alerts.clear()

    def feed(self, data: bytes) -> None:
        """Take octets."""
        if self._awaits_tls:
            raise self._broken("The server sent more behind its answer to STARTTLS")
        self._reader.feed(data)

    def next_event(self) -> Chunk | IMAPReply | None:
        """The next chunk or reply."""
        try:
            while not self._ready:
                if self.closing:
                    return None
                event = self._reader.next()
                if event is None:
                    return None
                if isinstance(event, Begun):
                    self._begun(event)
                elif isinstance(event, Piece):
                    self._piece(event.data)
                else:
                    self._response(event.parts)
            return self._ready.popleft()
        except (PeerFault, Unavailable):
            self.closing = True
            raise

    # ------------------------------------------------------------------ the octets of a message

    def _begun(self, event: Begun) -> None:
        if event.size > self._limits.message:
            raise Overflow(f"The server sent a message of more than {self._limits.message} octets")
        tokens = flat_tokens(event.parts) or []
        item = tokens[-1].name.partition("<")[0] if tokens and isinstance(tokens[-1], Atom) else ""
        uid = 0
        for name, value in pairwise(tokens):
            if isinstance(name, Atom) and name.name == "UID":
                uid = number(value, MAX_UID) or 0
        self._unproven = not uid
        self._body = self._fetching(uid, item)

    def _fetching(self, uid: int, item: str) -> IMAPCommand | None:
        """The command whose message begins now.

        :param uid: 0 = not said yet: then it is the oldest one, which the end of the response must confirm.
        """
        for command in self.sent.values():
            if command.item == item and item and uid in (0, command.uid):
                command.came += 1
                if command.came > 1:
                    command.fault = "The server sent it twice"
                    return None
                return command
        self._count_unasked()
        return None

    def _piece(self, data: bytes) -> None:
        command = self._body
        if command is not None and data:
            command.octets += len(data)
            self._ready.append(Chunk(command, data))

    # ------------------------------------------------------------------ whole responses

    def _response(self, parts: Parts) -> None:
        body, self._body = self._body, None
        first = parts[0]
        assert isinstance(first, bytes)
        if first[:1] == b"+":
            self._continue(first[1:].strip())
        elif first[:2] == b"* ":
            self._untagged(parts, first[2:], body)
        elif first.strip():
            tag, _, rest = first.partition(b" ")
            self._tagged(tag, rest)
        else:
            self._count_unasked()

    def _continue(self, text: bytes) -> None:
        """The server says ``+``: it waits for a piece, an answer, or begins to idle."""
        command = next(reversed(self.sent.values()), None)
        if command is not None and command.name == "AUTHENTICATE" and self.login is not None:
            self._output.append(self.login.respond(text))
        elif command is not None and command.name == "IDLE":
            del self.sent[command.tag]
            self._idle_tag = command.tag
            self._ready.append(IMAPReply(command, "OK"))
        elif command is not None and command.more:
            self._output.append(command.more.pop(0))
        else:
            raise PeerFault("The server asks to go on, and there is nothing to go on with")

    def _untagged(self, parts: Parts, first: bytes, body: IMAPCommand | None) -> None:
        word = first.partition(b" ")[0].upper()
        if word.decode("latin-1") in _STATUSES:
            self._told(read_status(first))
            return
        if b"" in self.sent:
            raise PeerFault(f"The server does not greet: {printable(first, 80)}")
        values = read_values([first, *parts[1:]])
        if values is None:
            self._makes_no_sense(body)
            return
        name = values[0].name if values and isinstance(values[0], Atom) else ""
        if name == "CAPABILITY":
            self._offered(one.name for one in values[1:] if isinstance(one, Atom))
        elif name.isdecimal() and len(name) < 11:
            self._numbered(int(name), values[1:], body)
        else:
            self._listed(name, values[1:])

    def _told(self, status: Status) -> None:
        """An untagged OK, NO, BAD, BYE or PREAUTH; the first of all is the greeting."""
        greeting = self.sent.pop(b"", None)
        self._code(status)
        if greeting is not None:
            self._ready.append(IMAPReply(greeting, status.status, status.text, status.code, status.argument))
        elif status.status == "BYE":
            if not any(one.name == "LOGOUT" for one in self.sent.values()):
                raise Unavailable(f"The server ended the session: {status.code} {status.text}"[:300])
        else:
            self._count_unasked()

    def _numbered(self, count: int, values: list[Value], body: IMAPCommand | None) -> None:
        """``EXISTS``, ``EXPUNGE`` and ``FETCH``."""
        name = values[0].name if values and isinstance(values[0], Atom) else ""
        state = self._opening()
        if name == "FETCH":
            self._fetched(values[1] if len(values) == 2 else b"", body)
            return
        if state is not None and name == "EXPUNGE" and 0 < count <= state.exists:
            # Not counted: there cannot be more of them than messages.
            state.exists -= 1
            self._noticed -= count <= self._noticed
            return
        self._count_unasked()
        if state is not None and name == "EXISTS":
            state.exists = count
            self._noticed = min(self._noticed, count)
            self._tell_news()

    def _fetched(self, value: Value, body: IMAPCommand | None) -> None:
        items = read_items(value)
        if items is None:
            self._makes_no_sense(body)
            return
        uid = uid_of(items)
        if body is not None and uid != body.uid:
            raise PeerFault("The server sent another message than the one asked for")
        for item in _BODIES:
            octets = items.get(item)
            if isinstance(octets, bytes):
                self._body = self._fetching(uid, item) if uid else None
                self._piece(octets)
                self._body = None
        self._row(uid, size_of(items), sized="RFC822.SIZE" in items)

    def _row(self, uid: int, size: int | None, *, sized: bool) -> None:
        listing = next((one for one in self.sent.values() if one.name == "FETCH" and not one.item), None)
        if listing is None or not sized:
            self._count_unasked()
            return
        if uid and size is not None and listing.rows.get(uid, size) == size:
            listing.rows[uid] = size
        else:
            listing.ignored += 1
        if len(listing.rows) + listing.ignored > listing.expected + 1000:
            raise Overflow("The server lists more messages than there are")

    def _listed(self, name: str, values: list[Value]) -> None:
        """``LIST``, ``SEARCH`` and whatever else there is."""
        wanted = "SEARCH" if name == "ESEARCH" else name
        command = next((one for one in self.sent.values() if one.name == wanted), None)
        if command is not None and wanted == "SEARCH":
            command.found += read_found(values, self._limits.rows - len(command.found))
        elif command is not None and wanted == "LIST":
            mailbox = read_mailbox(values)
            if mailbox is not None and len(command.mailboxes) < self._limits.names:
                command.mailboxes.append(mailbox)
                return
        self._count_unasked()

    # ------------------------------------------------------------------ replies

    def _tagged(self, tag: bytes, rest: bytes) -> None:
        command = self.sent.pop(tag, None) if tag else None
        if command is None:
            if tag and tag == self._idle_tag:
                raise Unavailable("The server ended the wait for mail by itself")
            raise PeerFault(f"The server spoke without being asked: {printable(tag + b' ' + rest, 80)}")
        status = read_status(rest)
        if status.status in ("BYE", "PREAUTH"):
            raise PeerFault(f"The server answered {status.status} to {command.name}")
        self._unasked = 0
        self._code(status, command)
        self._done(command, ok=status.status == "OK")
        self._ready.append(
            IMAPReply(
                command,
                status.status,
                status.text,
                status.code,
                status.argument,
                octets=command.octets,
                fault=_fault(command),
                rows=command.rows,
                ignored=command.ignored,
                found=tuple(command.found),
                mailboxes=tuple(command.mailboxes),
            )
        )

    def _done(self, command: IMAPCommand, *, ok: bool) -> None:
        """What a command's end changes."""
        if command.name == "STARTTLS" and ok:
            if len(self._reader):
                raise self._broken("The server sent more behind its answer to STARTTLS")
            self._awaits_tls = True
        elif command.name in _LOGINS:
            login, self.login = self.login, None
            if ok and login is not None:
                login.succeeded()
            if ok and not self._fresh:
                self.capabilities = frozenset()
        elif command.name in _ENTERED and ok:
            self.selected = command.selected
            self._noticed = self.selected.exists if self.selected is not None else 0
        elif command.name == "IDLE" and ok:
            raise PeerFault("The server says that it has idled, and did not begin")
        elif command.name == "LOGOUT":
            self.closing = True

    def _code(self, status: Status, command: IMAPCommand | None = None) -> None:
        """What a response code says besides."""
        state = command.selected if command is not None and command.selected is not None else self._opening()
        if status.code == "CAPABILITY":
            self._offered(status.argument.upper().split())
        elif status.code == "ALERT" and status.text not in self.alerts and len(self.alerts) < _ALERTS:
            self.alerts.append(status.text[:200])
        elif state is None:
            return
        elif status.code == "READ-ONLY":
            state.read_only = True
        elif status.code == "UIDNOTSTICKY":
            state.lasting = False
        elif status.code in ("UIDVALIDITY", "UIDNEXT"):
            argument = status.argument
            value = int(argument) if argument.isascii() and argument.isdigit() and len(argument) < 11 else 0
            if status.code == "UIDNEXT":
                state.uidnext = value
            elif state is not self.selected:
                state.uidvalidity = value

    def _offered(self, names: Iterable[str]) -> None:
        self._fresh = True
        self.capabilities = frozenset(islice(names, self._limits.names))

    # ------------------------------------------------------------------ small things

    def _opening(self) -> Selected | None:
        """The mailbox that is being opened, else the one that is open."""
        opening = next((one.selected for one in self.sent.values() if one.name in _ENTERED), None)
        return opening or self.selected

    def _tell_news(self) -> None:
        if self._waiting is not None and self.mail_came():
            command, self._waiting = self._waiting, None
            self._ready.append(IMAPReply(command, "OK", news=True))

    def _makes_no_sense(self, body: IMAPCommand | None) -> None:
        """A response that fits no rule costs the message that it is about, and no other."""
        self._count_unasked()
        if body is not None:
            body.fault = "What the server said of it makes no sense"
        for command in self.sent.values():
            command.ignored += 1

    def _count_unasked(self) -> None:
        self._unasked += 1
        # A server may tell the flags of each message, although it was asked not to.
        messages = self.selected.exists if self.selected is not None else 0
        if self._unasked > self._limits.unasked + 2 * min(messages, self._limits.rows):
            raise Overflow("The server does not stop saying what nobody asked for")

    def _broken(self, text: str) -> PeerFault:
        self.closing = True
        return PeerFault(text)


def _fault(command: IMAPCommand) -> str:
    """Why the octets that came for a command are no message."""
    if command.item and not command.came:
        return "The server did not send it"
    return command.fault
