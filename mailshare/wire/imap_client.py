"""The IMAP client engine: commands in, octets out; octets in, replies out. No I/O, no clock.

IMAP4rev1 (RFC 3501) and IMAP4rev2 (RFC 9051), as far as a collector needs it, with SASL-IR (4959), LITERAL+ (7888),
ID (2971), UIDPLUS (4315), SPECIAL-USE (6154), IDLE (2177), ESEARCH (4731). Messages are named by their unique-ids
alone, so nothing that other sessions expunge can shift a number under a command that is under way. Commands go out
ahead of their replies (RFC 3501 section 5.5) within a window, except those that change the state of the session.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from mailshare.core.errors import LocalFault, Unavailable
from mailshare.wire.client_engine import Chunk, Command
from mailshare.wire.imap_client_answers import Answers
from mailshare.wire.imap_client_login import Login
from mailshare.wire.imap_names import checked, encode_name, quoted
from mailshare.wire.imap_replies import IMAPCommand, IMAPLimits, IMAPReply, Selected
from mailshare.wire.sasl.mechanism import ClientMechanism

_LITERAL_MINUS = 4096
"""Octets that LITERAL- lets go without asking (RFC 7888 section 5)."""
_SLOW = 1_000_000
"""Counted for a command that changes many messages, so that a slow server has some minutes for it."""
WHOLE = "BODY[]"
HEADER = "BODY[HEADER]"


class IMAPClient:
    """One session.

    :param secure: the connection is inside TLS already.
    :param allow_plain: the account is configured with ``tls=none``, so a password may go in clear.
    :ivar greeting: the command-like object that the greeting answers.
    :ivar selected: the mailbox that is open, ``None`` when there is none.
    """

    def __init__(self, *, secure: bool, allow_plain: bool = False, limits: IMAPLimits | None = None) -> None:
        self.limits = limits or IMAPLimits()
        self.secure = secure
        self.greeting = IMAPCommand("greeting", last=True)
        self._allow_plain = allow_plain
        self._queue: deque[IMAPCommand] = deque()
        self._answers = Answers(self.limits, self.greeting)
        self._output: list[bytes] = []
        self._tags = 0

    @property
    def closing(self) -> bool:
        """Nothing more will come of this connection."""
        return self._answers.closing

    @property
    def capabilities(self) -> frozenset[str]:
        """What the server offers, upper case, as it last said."""
        return self._answers.capabilities

    @property
    def selected(self) -> Selected | None:
        """The mailbox that is open."""
        return self._answers.selected

    @property
    def alerts(self) -> Sequence[str]:
        """What the server wants a person to read (``[ALERT]``), a few at most."""
        return self._answers.alerts

    def offers(self, *names: str) -> bool:
        """Whether the server has one of these capabilities."""
        return any(name in self.capabilities for name in names)

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """SASL mechanisms that it offers."""
        return tuple(sorted(name[5:] for name in self.capabilities if name.startswith("AUTH=")))

    # ------------------------------------------------------------------ before and at login

    def capability(self) -> Command:
        """Ask what the server can do."""
        return self._add("CAPABILITY", b"CAPABILITY")

    def starttls(self) -> Command:
        """Ask for TLS; after its ``ok`` start TLS at once and call :meth:`secured` (RFC 3501 section 6.2.1)."""
        if self.secure:
            raise LocalFault("STARTTLS inside TLS")
        return self._add("STARTTLS", b"STARTTLS", last=True)

    def authenticate(self, mechanism: ClientMechanism) -> Command:
        """Log in by SASL. The exchange runs inside the engine; its end is the reply.

        :raises LocalFault: outside TLS, unless the account says ``tls=none``.
        """
        self._guard()
        login = Login(mechanism, initial_allowed=self.offers("SASL-IR", "IMAP4REV2"))
        command = self._add("AUTHENTICATE", b"AUTHENTICATE " + login.first, last=True)
        self._answers.login = login
        return command

    def login(self, name: str, password: str) -> Command:
        """Log in with the LOGIN command.

        :raises LocalFault: outside TLS, unless the account says ``tls=none``; or where the server says LOGINDISABLED,
            which asks that no password be sent (RFC 3501 section 6.2.3).
        """
        self._guard()
        if self.offers("LOGINDISABLED"):
            raise LocalFault("The server takes no LOGIN")
        return self._add("LOGIN", b"LOGIN", checked(name), checked(password), last=True)

    def identify(self, fields: Mapping[str, str]) -> Command:
        """Say what program this is; some servers let nobody else in (RFC 2971)."""
        pairs = (quoted(text.encode()) or b'""' for pair in fields.items() for text in pair)
        return self._add("ID", b"ID (" + b" ".join(pairs) + b")")

    # ------------------------------------------------------------------ mailboxes

    def list(self) -> Command:
        """Ask for all mailboxes, with what they are for where the server can say it."""
        uses = self.offers("SPECIAL-USE") and self.offers("LIST-EXTENDED", "IMAP4REV2")
        return self._add("LIST", b'LIST "" "*"' + (b" RETURN (SPECIAL-USE)" if uses else b""), size=65_536)

    def select(self, name: str | bytes, *, read_only: bool = False) -> Command:
        """Open a mailbox; whatever was open before is closed, nothing is expunged by it.

        :param name: as people write it, or as LIST gave it.
        """
        verb = "EXAMINE" if read_only else "SELECT"
        utf8 = self.offers("IMAP4REV2") and not self.offers("IMAP4REV1")
        wire = name if isinstance(name, bytes) else name.encode() if utf8 else encode_name(name)
        command = self._add(verb, verb.encode(), wire, last=True)
        command.selected = Selected(read_only=read_only)
        return command

    # ------------------------------------------------------------------ messages

    def sizes(self, first: int = 1, last: int = 0) -> Command:
        """Ask for unique-id and size of messages.

        :param last: 0 = all, by unique-id from ``first``; else by their places, ``first`` to ``last``.
        """
        expected = self.selected.exists if self.selected is not None else 0
        expected = min(expected, last - first + 1) if last else expected
        which = b"FETCH %d:%d" % (first, last) if last else b"UID FETCH %d:*" % first
        command = self._add("FETCH", which + b" (UID RFC822.SIZE)", size=64 * expected, last=True)
        command.expected = expected
        return command

    def fetch(self, uid: int, size: int = 0) -> Command:
        """Fetch a message without marking it as seen; it comes in chunks.

        :param size: octets as listed, for window and deadline.
        """
        return self._octets_of(uid, WHOLE, size)

    def header(self, uid: int) -> Command:
        """Fetch a header without marking the message as seen; it comes in chunks."""
        return self._octets_of(uid, HEADER, 4096)

    def search_deleted(self) -> Command:
        """Ask which messages are marked for deletion, by whomever."""
        return self._add("SEARCH", b"UID SEARCH DELETED", last=True)

    def mark_deleted(self, uids: bytes) -> Command:
        """Mark messages for deletion.

        :param uids: a set, as :func:`~mailshare.wire.imap_replies.uid_sets` makes them.
        """
        return self._add("STORE", b"UID STORE " + uids + rb" +FLAGS.SILENT (\Deleted)", size=_SLOW)

    def expunge(self, uids: bytes = b"") -> Command:
        """Take messages away for good: these, of those marked (UIDPLUS); or all that are marked, by whomever."""
        return self._add("EXPUNGE", b"UID EXPUNGE " + uids if uids else b"EXPUNGE", size=_SLOW, last=True)

    # ------------------------------------------------------------------ waiting

    def noop(self) -> Command:
        """Give the server the occasion to say what is new."""
        return self._add("NOOP", b"NOOP")

    def idle(self) -> Command:
        """Have the server speak up by itself (RFC 2177). The reply comes when it begins, or refuses.

        After an ``ok`` only :meth:`news` and :meth:`done` may follow.
        """
        return self._add("IDLE", b"IDLE", last=True)

    def news(self) -> Command:
        """Wait for mail that comes from now on. Nothing is sent; ask :meth:`mail_came` before."""
        command = IMAPCommand("news")
        self._answers.await_news(command)
        return command

    def done(self) -> Command:
        """End IDLE. Who waits for news gets a reply, and this command the reply to the IDLE."""
        return self._answers.end_idle()

    def mail_came(self) -> bool:
        """Whether mail has come since the mailbox was opened, or since this or :meth:`news` said so last."""
        return self._answers.mail_came()

    def logout(self) -> Command:
        """Leave."""
        return self._add("LOGOUT", b"LOGOUT", last=True)

    # ------------------------------------------------------------------ the wire

    @property
    def head(self) -> Command | None:
        """The command whose reply comes next; ``None`` also while nothing but news is waited for."""
        return self._answers.head

    def take_output(self) -> bytes:
        """Everything that may be sent now."""
        self._output += self._answers.take_output()
        while self._queue and not self.closing and self._may_send(self._queue[0]):
            command = self._queue.popleft()
            self._answers.expect(command)
            self._output.append(command.line)
        output = b"".join(self._output)
        self._output.clear()
        return output

    def feed(self, data: bytes) -> None:
        """Take octets from the server.

        :raises PeerFault: they came between the ``OK`` to STARTTLS and the start of TLS.
        """
        self._answers.feed(data)

    def secured(self) -> None:
        """TLS is on: whatever was learned before is forgotten (RFC 3501 section 6.2.1)."""
        self.secure = True
        self._answers.secured()

    def next_event(self) -> Chunk | IMAPReply | None:
        """The next chunk or reply, ``None`` until more octets come.

        :raises PeerFault: the server broke the protocol.
        :raises Unavailable: it said goodbye.
        """
        return self._answers.next_event()

    def _may_send(self, command: IMAPCommand) -> bool:
        under_way = self._answers.sent
        if self._answers.holds_back:
            return False
        if not under_way:
            return True
        if command.last or next(reversed(under_way.values())).last:
            return False
        octets = sum(one.size for one in under_way.values())
        return len(under_way) < self.limits.window and octets < self.limits.window_octets

    # ------------------------------------------------------------------ making commands

    def _octets_of(self, uid: int, item: str, size: int) -> Command:
        peek = item.replace("BODY[", "BODY.PEEK[").encode()
        command = self._add("FETCH", b"UID FETCH %d (UID %b)" % (uid, peek), size=size)
        command.uid, command.item = uid, item
        return command

    def _guard(self) -> None:
        if not (self.secure or self._allow_plain):
            raise LocalFault("A password must not go to a server outside TLS")

    def _add(self, name: str, line: bytes, *arguments: bytes, size: int = 0, last: bool = False) -> IMAPCommand:
        """Queue a command.

        :param arguments: follow the line, in quotes where that is possible.
        """
        if self.closing:
            raise Unavailable("The connection to the server is closed")
        self._tags += 1
        tag = b"m%d" % self._tags
        pieces = [tag + b" " + line]
        for argument in arguments:
            text = quoted(argument)
            if text is not None:
                pieces[-1] += b" " + text
            elif self.offers("LITERAL+") or (
                self.offers("LITERAL-", "IMAP4REV2") and len(argument) <= _LITERAL_MINUS
            ):
                pieces[-1] += b" {%d+}\r\n%b" % (len(argument), argument)
            else:
                pieces[-1] += b" {%d}" % len(argument)
                pieces.append(argument)
        first, *more = [piece + b"\r\n" for piece in pieces]
        command = IMAPCommand(name, first, size, last or bool(more), tag=tag, more=more)
        self._queue.append(command)
        return command
