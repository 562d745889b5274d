"""The line printer daemon protocol, server's half without I/O. Source: RFC 1179.

What clients do beyond it is taken too: data files before their control file, several jobs on one connection, data files
of length 0, which go on until the client closes its side, and the enormous lengths that mean the same.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping

from attrs import field, frozen

ACCEPTED, REFUSED = b"\0", b"\1"
MOST_LINE = 1024
MOST_CONTROL = 64 * 1024
_ENDLESS = 1 << 40  # some clients announce more than anybody has when they do not know the length
_FILE = re.compile(rb"([0-9]{1,18}) +([\x21-\x7e\x80-\xff]{1,255})\Z")
_JOB_FILE = re.compile(r"([cd])f([A-Za-z])([0-9]{3,6})(.*)\Z", re.DOTALL)


@frozen
class JobOffered:
    """Command 02: a client has jobs for a queue. To be answered."""

    queue: str


@frozen
class FileOffered:
    """Subcommand 02 or 03. To be answered.

    :ivar control: it is a control file; these come whole, as :class:`ControlFile`.
    :ivar size: octets; ``None`` = until the client closes.
    """

    control: bool
    name: str
    size: int | None


@frozen
class FilePiece:
    """Octets of a data file."""

    data: bytes


@frozen
class FileWhole:
    """A data file has come. To be answered."""


@frozen
class ControlFile:
    """A control file has come. To be answered.

    :ivar lines: letter and operand of each line, as text.
    """

    name: str
    lines: tuple[tuple[str, str], ...]

    def first(self, letter: str) -> str:
        """The operand of the first line with that letter, or empty."""
        return next((operand for one, operand in self.lines if one == letter), "")

    def printed(self) -> Mapping[str, int]:
        """Data files that are to be printed, in order, with their numbers of copies (RFC 1179 section 7)."""
        counts: dict[str, int] = {}
        for letter, operand in self.lines:
            if letter.islower():
                counts[operand] = counts.get(operand, 0) + 1
        return counts


@frozen
class JobAborted:
    """Subcommand 01: the client wants nothing of what it has sent for this job."""


@frozen
class StateWanted:
    """Commands 03 and 04. To be answered with :meth:`LPDServer.tell`."""

    queue: str
    names: tuple[str, ...]
    long: bool


@frozen
class RemovalWanted:
    """Command 05. To be answered with :meth:`LPDServer.tell`."""

    queue: str
    agent: str
    names: tuple[str, ...]


Event = JobOffered | FileOffered | FilePiece | FileWhole | ControlFile | JobAborted | StateWanted | RemovalWanted


@frozen
class JobFile:
    """What the name of a file says (RFC 1179 section 6.1.2): ``cfA123host``."""

    control: bool
    number: str
    host: str = field(default="")

    @classmethod
    def parse(cls, name: str) -> JobFile | None:
        """What a name says, or ``None`` for one of another form."""
        match = _JOB_FILE.match(name)
        return None if match is None else cls(match[1] == "c", match[3], match[4])


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


class LPDServer:
    """One connection.

    :ivar waiting: the last event wants :meth:`accept`, :meth:`refuse` or :meth:`tell`.
    :ivar closing: close once the output is sent.
    :ivar wants_end: an empty :meth:`feed` tells that the client sends no more.
    """

    wants_end = True
    spent = False  # there may be an event without octets: the client's end

    def __init__(self) -> None:
        self.waiting = False
        self.closing = False
        self.errors = 0
        self._output = bytearray()
        self._buffer = bytearray()
        self._searched = 0
        self._events: deque[Event] = deque()
        self._queue = ""  # of command 02; then subcommands follow
        self._file: FileOffered | None = None
        self._left: int | None = 0
        self._in_file = False
        self._ended = False

    def greet(self) -> None:
        """The client speaks first."""

    def secured(self) -> None:
        """There is no TLS in this protocol."""

    def feed(self, data: bytes) -> None:
        """Take octets; none at all = the client has closed its side."""
        if not data:
            self._ended = True
        self._buffer += data

    def receive(self, data: bytes) -> Event | None:
        """Take octets and give the first event."""
        self.feed(data)
        return self.next_event()

    def take_output(self) -> bytes:
        """What is to be sent."""
        out = bytes(self._output)
        self._output.clear()
        return out

    @property
    def receiving(self) -> bool:
        """In the middle of a file."""
        return self._in_file

    def next_event(self) -> Event | None:
        """The next event, or ``None`` when more octets or an answer are needed."""
        if self.waiting or self.closing:
            return None
        event = self._in_the_file() if self._in_file else self._at_a_line()
        if event is None and self._ended and not self.closing and not self.waiting:
            self.closing = True
        if event is not None and not isinstance(event, (FilePiece, JobAborted)):
            self.waiting = True
        return event

    # ------------------------------------------------------------------ answers

    def accept(self) -> None:
        """Yes: the file may come, or what came is kept."""
        self._answered()
        self._output += ACCEPTED
        if self._file is not None and not self._in_file:
            self._in_file = True
            self._left = self._file.size

    def refuse(self) -> None:
        """No; what follows would be senseless, so the connection ends."""
        self._answered()
        self._output += REFUSED
        self.closing = True

    def tell(self, words: str) -> None:
        """The answer in words to a question; the connection ends with it."""
        self._answered()
        self._output += words.encode("utf-8", "replace")
        self.closing = True

    def _answered(self) -> None:
        self.waiting = False

    # ------------------------------------------------------------------ lines

    def _at_a_line(self) -> Event | None:
        end = self._buffer.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._buffer)
            return self._fault() if len(self._buffer) > MOST_LINE else None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        if not line or len(line) > MOST_LINE:
            return self._fault()
        code, operand = line[0], line[1:].rstrip(b"\r")
        return self._subcommand(code, operand) if self._queue else self._command(code, operand)

    def _fault(self) -> Event | None:
        """Not of this protocol: say no, and end it. There is never an event."""
        self.errors += 1
        self._output += REFUSED
        self.closing = True
        return None

    def _command(self, code: int, operand: bytes) -> Event | None:
        words = _text(operand).split()
        if code == 1 and words:
            self._output += ACCEPTED  # jobs print as soon as they are there, nobody needs to ask
            self.closing = True
            return None
        if code == 2 and len(words) == 1:
            return JobOffered(words[0])
        if code in (3, 4) and words:
            return StateWanted(words[0], tuple(words[1:]), code == 4)
        if code == 5 and len(words) >= 2:
            return RemovalWanted(words[0], words[1], tuple(words[2:]))
        return self._fault()

    def into(self, queue: str) -> None:
        """The queue that a :class:`JobOffered` named exists; :meth:`accept` after this."""
        self._queue = queue

    def _subcommand(self, code: int, operand: bytes) -> Event | None:
        if code == 1:
            self._output += ACCEPTED
            return JobAborted()
        match = _FILE.match(operand.strip(b" "))
        if code not in (2, 3) or match is None:
            return self._fault()
        size = int(match[1])
        control = code == 2
        if control and not 0 < size <= MOST_CONTROL:
            return self._fault()
        endless = not control and (size == 0 or size >= _ENDLESS)
        self._file = FileOffered(control, _text(match[2]), None if endless else size)
        return self._file

    # ------------------------------------------------------------------ files

    def _in_the_file(self) -> Event | None:
        file = self._file
        assert file is not None
        if file.control:
            return self._control(file)
        if self._left is None:
            if self._buffer:
                return self._piece(len(self._buffer))
            return self._whole(FileWhole()) if self._ended else None
        if self._left:
            return self._piece(min(self._left, len(self._buffer))) if self._buffer else None
        if self._buffer:
            # Every file ends with an octet of zero bits; anything else means that the length was wrong.
            if self._buffer[0]:
                return self._fault()
            del self._buffer[:1]
            return self._whole(FileWhole())
        # Some clients close instead of sending it; all octets that were announced are here.
        return self._whole(FileWhole()) if self._ended else None

    def _piece(self, length: int) -> FilePiece:
        data = bytes(self._buffer[:length])
        del self._buffer[:length]
        if self._left is not None:
            self._left -= length
        return FilePiece(data)

    def _whole(self, event: Event) -> Event:
        self._in_file = False
        self._file = None
        return event

    def _control(self, file: FileOffered) -> Event | None:
        size = file.size or 0
        if len(self._buffer) <= size:
            return None
        if self._buffer[size]:
            return self._fault()
        data = bytes(self._buffer[:size])
        del self._buffer[: size + 1]
        lines = tuple((_text(one[:1]), _text(one[1:].rstrip(b"\r")).strip()) for one in data.split(b"\n") if one)
        return self._whole(ControlFile(file.name, lines))
