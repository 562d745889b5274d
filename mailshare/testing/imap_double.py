"""A pretended IMAP server: it keeps to the protocol until told in which way not to.

Its folders stay from session to session. Lies are those of :mod:`mailshare.testing.liars`, by command; in a reply
``<tag>`` stands for the command's tag, and these words name the kinds of FETCH: ``SIZES``, ``HEADER``, ``BODY``.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from attrs import define, field

from mailshare.testing.liars import CUT, PASSWORD, USER, Lie, Line, honest

_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"|([^ "]+)')
_LITERAL = re.compile(rb"\{([0-9]+)(\+?)\}\Z")
CAPABILITIES = ("IMAP4rev1", "STARTTLS", "AUTH=PLAIN", "SASL-IR", "LITERAL+", "ID", "UIDPLUS", "SPECIAL-USE", "IDLE")


@define
class Mailbox:
    """A folder.

    :ivar messages: unique-id to octets, ascending.
    :ivar deleted: unique-ids that somebody has marked.
    """

    messages: dict[int, bytes] = field(factory=dict)
    uidvalidity: int = 17
    flags: str = ""
    next_uid: int = 1
    deleted: set[int] = field(factory=set)
    seen: set[int] = field(factory=set)

    @classmethod
    def of(cls, messages: Iterable[bytes], **settings: object) -> Mailbox:
        """With these messages."""
        box = cls(**settings)  # type: ignore[arg-type]
        for octets in messages:
            box.put(octets)
        return box

    def put(self, octets: bytes) -> int:
        """A message comes."""
        uid, self.next_uid = self.next_uid, self.next_uid + 1
        self.messages[uid] = octets
        return uid


@define(eq=False)
class _Client:
    """Somebody who is connected.

    :ivar known: unique-ids of the open folder, as far as he was told of them.
    :ivar idle: the tag of the IDLE that is under way.
    """

    server: PretendIMAP
    line: Line | None = None
    buffer: bytes = b""
    folder: str = ""
    known: list[int] = field(factory=list)
    idle: bytes = b""
    tag: bytes = b"*"
    writable: bool = False
    asked: bool = False
    logging_in: bool = False

    def connected(self, line: Line) -> None:
        """He comes."""
        self.line = line
        self.server.greet(self)

    def received(self, data: bytes) -> None:
        """He sent octets."""
        self.buffer += data
        while self.line is not None and self.server.advance(self):
            pass


class PretendIMAP:
    """An IMAP server in memory, for several clients at once.

    :param folders: by name as on the wire; or the messages of the inbox.
    :ivar sessions: clients so far.
    :ivar clear_secrets: times that a login was tried outside TLS.
    :ivar fetched: ``(folder, unique-id)`` of messages asked for whole, in order, over all sessions.
    :ivar commands: all that were given, without their tags; of logins only the first word.
    """

    def __init__(
        self,
        folders: Mapping[str, Mailbox] | Sequence[bytes],
        lie: Lie = honest,
        capabilities: Sequence[str] = CAPABILITIES,
    ) -> None:
        self.lie = lie
        self.folders = dict(folders) if isinstance(folders, Mapping) else {"INBOX": Mailbox.of(folders)}
        self.capabilities = capabilities
        self.sessions = 0
        self.clear_secrets = 0
        self.fetched: list[tuple[str, int]] = []
        self.commands: list[str] = []
        self._clients: list[_Client] = []

    @property
    def inbox(self) -> Mailbox:
        """The folder that every server has."""
        return self.folders["INBOX"]

    # ------------------------------------------------------------------ the line

    def for_one_client(self) -> _Client:
        """What answers the next one."""
        return _Client(self)

    def greet(self, session: _Client) -> None:
        """A client came."""
        self.sessions += 1
        self._clients.append(session)
        self._tell(session, "greeting", b"* OK [CAPABILITY %b] ready\r\n" % " ".join(self.capabilities).encode())

    def arrive(self, octets: bytes, folder: str = "INBOX") -> int:
        """A message comes; whoever idles hears of it."""
        uid = self.folders[folder].put(octets)
        for session in list(self._clients):
            if session.idle and session.folder == folder:
                self._tell(session, "NEWS", self._news(session))
        return uid

    def _tell(self, session: _Client, verb: str, reply: bytes) -> None:
        line = session.line
        said, cut, _ = self.lie(verb, reply).replace(b"<tag>", session.tag).partition(CUT)
        if line is not None and said:
            line.say(said)
        if line is not None and cut:
            self._clients.remove(session)
            session.line = None
            line.cut()

    def advance(self, session: _Client) -> bool:
        """Take the next command, or a literal in it; whether there was one."""
        line, ended, rest = session.buffer.partition(b"\r\n")
        if not ended:
            return False
        literal = _LITERAL.search(line)
        if literal is None or session.idle:
            session.buffer = rest
            self._command(session, line)
            return True
        if not literal[2] and not session.asked:
            session.asked = True
            self._tell(session, "+", b"+ go on\r\n")
        if len(rest) < int(literal[1]):
            return False
        octets, rest = rest[: int(literal[1])], rest[int(literal[1]) :]
        escaped = octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
        session.buffer, session.asked = line[: literal.start()] + b'"' + escaped + b'"' + rest, False
        return True

    def _command(self, session: _Client, line: bytes) -> None:
        if session.idle:
            session.tag, session.idle = session.idle, b""
            self._tell(session, "DONE", self._news(session) + b"<tag> OK\r\n")
            return
        if session.logging_in:
            session.logging_in = False
            self._tell(session, "RESPONSE", self._do_authenticate(session, b"PLAIN " + line))
            return
        session.tag, _, text = line.partition(b" ")
        words = text.decode("utf-8", "replace").split(" ")
        verb = words[0].upper()
        self.commands.append(verb if verb in ("LOGIN", "AUTHENTICATE") else text.decode("utf-8", "replace"))
        if verb == "UID":
            verb, text = f"UID {words[1].upper()}", text.partition(b" ")[2]
        argument = text.partition(b" ")[2]
        method = getattr(self, f"_do_{verb.lower().replace(' ', '_')}", None)
        if method is None:
            self._tell(session, verb, b"<tag> BAD unknown\r\n")
            return
        kind, reply = verb, method(session, argument)
        if verb in ("FETCH", "UID FETCH"):
            kind = "SIZES" if b"RFC822.SIZE" in argument else "HEADER" if b"HEADER" in argument else "BODY"
        self._tell(session, kind.removeprefix("UID "), reply)

    # ------------------------------------------------------------------ commands

    def _do_capability(self, _session: _Client, _: bytes) -> bytes:
        return b"* CAPABILITY %b\r\n<tag> OK\r\n" % " ".join(self.capabilities).encode()

    def _do_starttls(self, _session: _Client, _: bytes) -> bytes:
        return b"<tag> OK begin\r\n"

    def _guard(self, session: _Client) -> None:
        if session.line is not None and not session.line.secure:
            self.clear_secrets += 1

    def _do_authenticate(self, session: _Client, argument: bytes) -> bytes:
        if argument == b"PLAIN":
            session.logging_in = True
            return b"+ \r\n"
        self._guard(session)
        wanted = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode())
        return b"<tag> OK in\r\n" if argument == b"PLAIN " + wanted else b"<tag> NO [AUTHENTICATIONFAILED] no\r\n"

    def _do_login(self, session: _Client, argument: bytes) -> bytes:
        self._guard(session)
        right = _words(argument) == [USER.encode(), PASSWORD.encode()]
        return b"<tag> OK in\r\n" if right else b"<tag> NO [AUTHENTICATIONFAILED] no\r\n"

    def _do_id(self, _session: _Client, _: bytes) -> bytes:
        return b"* ID NIL\r\n<tag> OK\r\n"

    def _do_list(self, _session: _Client, _: bytes) -> bytes:
        rows = (b'* LIST (%b) "/" "%b"\r\n' % (box.flags.encode(), name.encode()) for name, box in self.folders.items())
        return b"".join(rows) + b"<tag> OK\r\n"

    def _open(self, session: _Client, argument: bytes, *, writable: bool) -> bytes:
        name = _words(argument)[0].decode()
        box = self.folders.get(name)
        session.folder = name if box is not None else ""
        if box is None:
            return b"<tag> NO [NONEXISTENT] no such mailbox\r\n"
        session.known, session.writable = list(box.messages), writable
        access = b"READ-WRITE" if writable else b"READ-ONLY"
        return (
            b"* FLAGS (\\Seen \\Deleted)\r\n* %d EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY %d] fine\r\n"
            b"* OK [UIDNEXT %d] next\r\n<tag> OK [%b] open\r\n"
            % (len(box.messages), box.uidvalidity, box.next_uid, access)
        )  # fmt: skip

    def _do_select(self, session: _Client, argument: bytes) -> bytes:
        return self._open(session, argument, writable=True)

    def _do_examine(self, session: _Client, argument: bytes) -> bytes:
        return self._open(session, argument, writable=False)

    def _do_fetch(self, session: _Client, argument: bytes) -> bytes:
        which, _, items = argument.partition(b" ")
        places = set(_members(which, range(1, len(session.known) + 1)))
        uids = [b"%d" % uid for place, uid in enumerate(session.known, 1) if place in places]
        return self._do_uid_fetch(session, b",".join(uids) + b" " + items) if uids else b"<tag> BAD no such place\r\n"

    def _do_uid_fetch(self, session: _Client, argument: bytes) -> bytes:
        box = self.folders[session.folder]
        which, _, items = argument.partition(b" ")
        said = b""
        for uid in _members(which, box.messages):
            number, octets = session.known.index(uid) + 1 if uid in session.known else 0, box.messages[uid]
            if not number:
                continue
            if b"RFC822.SIZE" in items:
                said += b"* %d FETCH (UID %d RFC822.SIZE %d)\r\n" % (number, uid, len(octets))
            elif b"PEEK[HEADER]" in items:
                header = octets.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
                said += b"* %d FETCH (UID %d BODY[HEADER] {%d}\r\n%b)\r\n" % (number, uid, len(header), header)
            else:
                self.fetched.append((session.folder, uid))
                box.seen.update(() if b"PEEK" in items else (uid,))
                said += b"* %d FETCH (UID %d BODY[] {%d}\r\n%b)\r\n" % (number, uid, len(octets), octets)
        return said + b"<tag> OK\r\n"

    def _do_uid_store(self, session: _Client, argument: bytes) -> bytes:
        box = self.folders[session.folder]
        if not session.writable:
            return b"<tag> NO [READ-ONLY] no\r\n"
        if self.lie("STORE", b"<tag> OK").startswith(b"<tag> OK"):
            box.deleted.update(_members(argument.partition(b" ")[0], box.messages))
        return b"<tag> OK\r\n"

    def _do_uid_search(self, session: _Client, _: bytes) -> bytes:
        box = self.folders[session.folder]
        return b"* SEARCH %b\r\n<tag> OK\r\n" % b" ".join(b"%d" % uid for uid in sorted(box.deleted))

    def _take_away(self, session: _Client, uids: Iterable[int], verb: str) -> bytes:
        box = self.folders[session.folder]
        said = b""
        if session.writable and b"NO" not in self.lie(verb, b"<tag> OK"):
            for uid in sorted(box.deleted & set(uids)):
                box.messages.pop(uid, None)
                box.deleted.discard(uid)
                if uid in session.known:
                    said += b"* %d EXPUNGE\r\n" % (session.known.index(uid) + 1)
                    session.known.remove(uid)
        return said + b"<tag> OK\r\n"

    def _do_uid_expunge(self, session: _Client, argument: bytes) -> bytes:
        return self._take_away(session, _members(argument, self.folders[session.folder].messages), "EXPUNGE")

    def _do_expunge(self, session: _Client, _: bytes) -> bytes:
        return self._take_away(session, list(self.folders[session.folder].messages), "EXPUNGE")

    def _news(self, session: _Client) -> bytes:
        box = self.folders.get(session.folder)
        if box is None or list(box.messages) == session.known:
            return b""
        said = b""
        for uid in [one for one in session.known if one not in box.messages]:
            # Somebody else took it away: the count may only fall with this word (RFC 3501 section 7.4.1).
            said += b"* %d EXPUNGE\r\n" % (session.known.index(uid) + 1)
            session.known.remove(uid)
        if list(box.messages) == session.known:
            return said
        session.known = list(box.messages)
        return said + b"* %d EXISTS\r\n" % len(session.known)

    def _do_noop(self, session: _Client, _: bytes) -> bytes:
        return self._news(session) + b"<tag> OK\r\n"

    def _do_idle(self, session: _Client, _: bytes) -> bytes:
        if self.lie("IDLE", b"+").startswith(b"+"):
            session.idle = session.tag
        return b"+ idling\r\n" + self._news(session)

    def _do_logout(self, _session: _Client, _: bytes) -> bytes:
        return b"* BYE bye\r\n<tag> OK\r\n" + CUT


def _words(argument: bytes) -> list[bytes]:
    """Arguments without their quotes."""
    return [
        re.sub(rb"\\(.)", rb"\1", found[1]) if found[2] is None else found[2] for found in _QUOTED.finditer(argument)
    ]


def _members(which: bytes, messages: Iterable[int]) -> Iterator[int]:
    """Unique-ids of a set that are there."""
    there = list(messages)
    for piece in which.decode().split(","):
        first, _, last = piece.partition(":")
        low, high = int(first), max(there, default=0) if last == "*" else int(last or first)
        yield from (uid for uid in there if low <= uid <= high)
