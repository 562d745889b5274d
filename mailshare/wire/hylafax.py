"""The engine of the HylaFAX client-server protocol, client's side: commands in, octets out; octets in, replies out.

The protocol is FTP (RFC 959) with commands for jobs: the same replies, and files and listings on connections of their
own. Commands go out one at a time. Replies of class 1 come before the reply proper: warnings in front of the greeting,
and the word that a transfer begins.

Source: hfaxd(8) and faxstat(1) of HylaFAX 6.0; RFC 959 sections 4.2 and 5.4; RFC 2428 (EPSV, EPRT).
"""

from __future__ import annotations

import re
from collections import deque
from typing import Final

from attrs import frozen

from mailshare.core.errors import LocalFault, PeerFault, Unavailable
from mailshare.wire.client_engine import Command, LineBuffer, Overflow

PORT: Final = 4559
_MOST_LINE = 2_000  # octets of a line of a reply
_MOST_LINES = 400  # lines of one reply; the longest of a real server are lists of help
_MOST_COMMAND = 500  # octets: the server reads lines into a buffer of fixed size
_REPLY = re.compile(rb"([1-5][0-9][0-9])(?:([ -])(.*))?\Z", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PASSIVE = re.compile(r"(?:\d{1,3},){4}(\d{1,3}),(\d{1,3})(?!\d)")
_EXTENDED = re.compile(r"\(([!-~])\1\1(\d{1,5})\1\)")
_JOB = re.compile(r"jobid: ?(\d{1,9})\b")
_STORED = re.compile(r"FILE: ?(/?[A-Za-z0-9._/-]{1,200})(?![A-Za-z0-9._/-])")
_SERVICE_ENDS = 421  # may come at any time


@frozen(eq=False)
class HylaFAXReply:
    """What the server said to a command.

    :ivar code: of three digits; 4xx passes, 5xx does not.
    :ivar lines: its text, control characters made visible.
    :ivar before: lines of replies of class 1 that came first.
    """

    command: Command
    code: int
    lines: tuple[str, ...]
    before: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """It was done, or the server wants the next step."""
        return self.code < 400

    @property
    def text(self) -> str:
        """All of it in one line, for people."""
        return f"{self.code} {' '.join(' '.join(self.lines).split())}"[:300]


class HylaFAXClient:
    """One session.

    :ivar greeting: the command-like object that the greeting answers.
    """

    def __init__(self) -> None:
        self.closing = False
        self.greeting = Command("greeting", last=True)
        self._buffer = LineBuffer(_MOST_LINE)
        self._queue: deque[Command] = deque()
        self._waiting: Command | None = self.greeting
        self._before: list[str] = []
        self._open: tuple[int, list[str]] | None = None  # a reply of several lines that has not ended

    # ------------------------------------------------------------------ commands

    def user(self, name: str) -> Command:
        """Give the login name; 230 = logged in, 331 = a password is wanted."""
        return self._add("USER", _quoted(name))

    def password(self, password: str) -> Command:
        """Give the password. The server takes a dash in front as a wish for short replies, so one goes before it."""
        return self._add("PASS", _quoted(f"-{password}" if password.startswith("-") else password))

    def admin(self, password: str) -> Command:
        """Ask for administrative rights."""
        return self._add("ADMIN", _quoted(password))

    def ask(self, name: str, *words: str, size: int = 0) -> Command:
        """Any command whose arguments are plain words: ``TYPE I``, ``JNEW``, ``JOB 5``, ``EPSV``.

        :param size: octets of the file that moves because of it, for the deadline.
        """
        return self._add(name, " ".join(words), size)

    def set_format(self, name: str, form: str) -> Command:
        """How lines of listings look: ``JOBFMT`` or ``RCVFMT``. Octal escapes stay as they are."""
        return self._add(name, f'"{form}"')

    def job_parameter(self, key: str, value: str) -> Command:
        """Set a parameter of the current job, which is not submitted yet."""
        return self._add(f"JPARM {key}", _quoted(value))

    def quit(self) -> Command:
        """Say goodbye."""
        return self._add("QUIT", "")

    def _add(self, name: str, argument: str, size: int = 0) -> Command:
        text = f"{name} {argument}".rstrip(" ")
        line = text.encode() + b"\r\n"
        if _CONTROL.search(text):
            raise LocalFault("A command of HylaFAX cannot have control characters")
        if len(line) > _MOST_COMMAND:
            raise LocalFault(f"{name} of more than {_MOST_COMMAND} octets")
        command = Command(name, line, size)
        self._queue.append(command)
        return command

    # ------------------------------------------------------------------ the seam to the shell

    @property
    def head(self) -> Command | None:
        """The command whose reply comes next."""
        return self._waiting

    def feed(self, data: bytes) -> None:
        """Take octets from the server."""
        self._buffer.feed(data)

    def next_event(self) -> HylaFAXReply | None:
        """The next reply, or ``None`` until more octets come.

        :raises PeerFault: what came is no reply, or none was asked for.
        :raises Unavailable: the server ends the session by itself.
        """
        while (line := self._buffer.line()) is not None:
            reply = self._reply(line)
            if reply is None:
                continue
            code, lines = reply
            if code < 200:
                self._before += lines
                if len(self._before) > _MOST_LINES:
                    raise Overflow("The server sent more lines than a reply may have")
                continue
            command, self._waiting = self._waiting, None
            if command is None:
                self.closing = True
                if code == _SERVICE_ENDS:
                    raise Unavailable(f"The server ends the session: {_words(lines)}")
                raise PeerFault(f"The server answered what nobody asked: {code} {_words(lines)}")
            before, self._before = tuple(self._before), []
            self.closing = self.closing or code == _SERVICE_ENDS or command.name == "QUIT"
            return HylaFAXReply(command, code, tuple(lines), before)
        return None

    def take_output(self) -> bytes:
        """The next command, once the one before has its reply."""
        if self._waiting is not None or not self._queue:
            return b""
        self._waiting = self._queue.popleft()
        return self._waiting.line

    def secured(self) -> None:
        """The connection is inside TLS; that changes nothing here."""

    # ------------------------------------------------------------------ replies

    def _reply(self, line: bytes) -> tuple[int, list[str]] | None:
        """A whole reply, or ``None`` until its last line."""
        found = _REPLY.match(line)
        text = _CONTROL.sub("?", (found[3] or b"" if found else line).decode("utf-8", "replace"))
        if self._open is not None:
            code, lines = self._open
            lines.append(text)
            if len(lines) > _MOST_LINES:
                raise Overflow("The server sent more lines than a reply may have")
            if not found or int(found[1]) != code or found[2] == b"-":
                return None
            self._open = None
            return code, lines
        if not found:
            raise PeerFault(f"The server sent no reply but {text[:80]!r}")
        if found[2] == b"-":
            self._open = (int(found[1]), [text])
            return None
        return int(found[1]), [text]


def _words(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())[:200]


def _quoted(value: str) -> str:
    """A text as one argument, whatever is in it."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def passive_port(reply: HylaFAXReply) -> int:
    """The port that the server listens on for a transfer. The address beside it is not believed.

    :raises PeerFault: there is none.
    """
    text = " ".join(reply.lines)
    extended, plain = _EXTENDED.search(text), _PASSIVE.search(text)
    port = int(extended[2]) if extended else int(plain[1]) * 256 + int(plain[2]) if plain else 0
    if not 0 < port < 65_536:
        raise PeerFault(f"The server named no port for a transfer: {reply.text}")
    return port


def new_job(reply: HylaFAXReply) -> str:
    """The number of the job that ``JNEW`` has made.

    :raises PeerFault: there is none.
    """
    found = _JOB.search(" ".join(reply.lines))
    if found is None:
        raise PeerFault(f"The server named no job: {reply.text}")
    return found[1]


def stored_name(reply: HylaFAXReply) -> str:
    """The name under which ``STOT`` has stored a file.

    :raises PeerFault: there is none.
    """
    found = _STORED.search(" ".join((*reply.before, *reply.lines)))
    if found is None:
        raise PeerFault(f"The server named no file: {reply.text}")
    return found[1]
