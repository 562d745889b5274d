"""How the SMTP server judges a body while it streams in, by DATA and by BDAT.

A fault never ends the reading: the body is eaten to its true end, then there is one reply. What is judged: the running
size, bare CR and LF (RFC 5321 section 2.3.8: a sure way to smuggle a second message through the next server), NUL,
over-long lines, and the number of ``Received`` fields (RFC 5321 section 6.3).
"""

from __future__ import annotations

from mailshare.core.errors import MailshareError, MessageTooLarge, PeerFault
from mailshare.wire.dots import END, DotDecoder, Flaws, cut_at_dots, has_bare_line_ends, hold_end
from mailshare.wire.smtp_server_events import SMTPSettings

_RECEIVED = b"\r\nreceived:"


class HopCount:
    """Counts ``Received`` fields while the header goes by.

    :param most: octets after which the header is taken to be over.
    """

    __slots__ = ("_most", "_seen", "_tail", "count", "over")

    def __init__(self, most: int) -> None:
        self._most = most
        self._tail = b"\r\n"
        self._seen = 0
        self.count = 0
        self.over = False

    def look(self, data: bytes) -> None:
        """Take the next octets; after the header nothing is looked at."""
        if self.over:
            return
        text = self._tail + data
        end = text.find(b"\r\n\r\n")
        self._seen += len(data)
        if end >= 0:
            text = text[: end + 2]
        self.count += text.lower().count(_RECEIVED)
        self._tail = text[-len(_RECEIVED) + 1 :]
        self.over = end >= 0 or self._seen > self._most


class BodyJudge:
    """Follows one message and remembers the first thing that is wrong with it.

    :ivar fault: the refusal to send after the end; ``None`` while all is well.
    """

    __slots__ = ("_hops", "_settings", "_size", "fault")

    def __init__(self, settings: SMTPSettings) -> None:
        self._settings = settings
        self._hops = HopCount(settings.max_header)
        self._size = 0
        self.fault: MailshareError | None = None

    def look(self, data: bytes, flaws: Flaws) -> None:
        """Judge octets of the message, and what was noticed about them."""
        self._size += len(data)
        self._hops.look(data)
        if self.fault is not None:
            return
        if self._size > self._settings.max_size:
            self.fault = MessageTooLarge()
        elif flaws.bare:
            self.fault = PeerFault("A bare CR or LF is not a line end", code=550, enhanced=(5, 6, 11))
        elif flaws.nul:
            self.fault = PeerFault("A message may not hold NUL", code=550, enhanced=(5, 6, 0))
        elif flaws.overlong:
            self.fault = PeerFault("A line of the message is too long", code=554, enhanced=(5, 6, 0))
        elif self._hops.count > self._settings.max_hops:
            self.fault = PeerFault("This message went through too many servers", code=554, enhanced=(5, 4, 6))


def whole_message(data: bytes, settings: SMTPSettings) -> bytes | None:
    """What :class:`DataReader` would give for a message whose octets came in one piece with nothing behind them.

    :param data: all that came behind ``DATA``.
    :returns: ``None`` where it did not come so, or the judge would find anything: he says what it is.
    """
    if data[-5:] != END or data[:1] == b"." or len(data) > settings.max_body_line:
        return None
    message = data[:-3]
    if message.find(b"\0") >= 0 or has_bare_line_ends(message):
        return None
    stretches = cut_at_dots(message)
    if len(stretches) > 1:  # some line begins with one
        if hold_end(stretches):
            return None
        message = b"\r\n".join(stretches)
    end = message.find(b"\r\n\r\n")
    header = b"\r\n" + (message if end < 0 else message[:end])
    if len(message) > settings.max_size or header.lower().count(_RECEIVED) > settings.max_hops:
        return None
    return message


class DataReader:
    """The body behind ``DATA``."""

    __slots__ = ("_decoder", "judge")

    def __init__(self, settings: SMTPSettings) -> None:
        self._decoder = DotDecoder(settings.max_body_line)
        self.judge = BodyJudge(settings)

    @property
    def done(self) -> bool:
        """The final dot was met."""
        return self._decoder.done

    def read(self, data: bytes) -> tuple[bytes, bytes]:
        """Take octets; gives those of the message, and those behind its end."""
        message, rest = self._decoder.feed(data)
        self.judge.look(message, self._decoder.flaws)
        return message, rest


class ChunkReader:
    """The body in ``BDAT`` chunks (RFC 3030)."""

    __slots__ = ("_cr", "_ended", "_flaws", "judge", "last", "left")

    def __init__(self, settings: SMTPSettings) -> None:
        self._flaws = Flaws(settings.max_body_line)
        self._cr = False
        self._ended = True
        self.judge = BodyJudge(settings)
        self.left = 0
        self.last = False

    def begin(self, size: int, *, last: bool) -> None:
        """A chunk of so many octets follows."""
        self.left = size
        self.last = last

    def read(self, data: bytes) -> bytes:
        """Take octets of the chunk, no more than ``left``."""
        self.left -= len(data)
        raw = b"\r" + data if self._cr else data
        self._cr = raw.endswith(b"\r")
        self._flaws.look(raw[:-1] if self._cr else raw)
        self._ended = raw.endswith(b"\r\n")
        self.judge.look(data, self._flaws)
        return data

    def finish(self) -> bytes:
        """The last chunk is over: what is to be added so that the message ends in a line end."""
        if self._cr:
            self._flaws.bare = True
            self.judge.look(b"", self._flaws)
        return b"" if self._ended else b"\r\n"
