"""The line printer daemon protocol, client's half: what is said, and what the answers mean. Source: RFC 1179."""

from __future__ import annotations

from attrs import frozen

from mailshare.wire.lpd import ACCEPTED

END_OF_FILE = b"\0"
_MOST_TEXT = 131  # octets of an operand (RFC 1179 section 7.2 and following)


def receive_job(queue: str) -> bytes:
    """Command 02: a job comes for that queue."""
    return b"\x02%s\n" % _word(queue)


def short_state(queue: str) -> bytes:
    """Command 03: how the queue stands, in a few words."""
    return b"\x03%s\n" % _word(queue)


def long_state(queue: str) -> bytes:
    """Command 04: the same with more words."""
    return b"\x04%s\n" % _word(queue)


def remove(queue: str, agent: str, number: int) -> bytes:
    """Command 05: take that job of that agent away."""
    return b"\x05%s %s %d\n" % (_word(queue), _word(agent), number)


@frozen
class LPDJob:
    """One document as a job.

    :ivar host: of this computer; ``number`` 0 to 999; ``user`` and ``name`` as people read them.
    """

    host: str
    number: int
    user: str
    name: str
    copies: int = 1

    @property
    def file(self) -> bytes:
        """The end of the names of both files: ``fA123host``."""
        return b"fA%03d%s" % (self.number, _word(self.host)[:64])

    def control_file(self) -> bytes:
        """Its control file (RFC 1179 section 7): one line for each copy of the document."""
        data = b"d" + self.file
        lines = [
            b"H" + _word(self.host)[:31],
            b"P" + _word(self.user)[:31],
            b"J" + _text(self.name)[:99],
            *[b"l" + data] * self.copies,
            b"U" + data,
            b"N" + _text(self.name),
        ]
        return b"".join(line + b"\n" for line in lines)

    def control_offered(self) -> bytes:
        """Subcommand 02."""
        return b"\x02%d c%s\n" % (len(self.control_file()), self.file)

    def data_offered(self, length: int) -> bytes:
        """Subcommand 03 for a document of so many octets, at least one."""
        return b"\x03%d d%s\n" % (length, self.file)


def accepted(answer: bytes) -> bool:
    """The octet that answers means yes."""
    return answer[:1] == ACCEPTED


def _word(text: str) -> bytes:
    """One word without anything that would end it."""
    return "".join(one if "!" <= one <= "~" else "_" for one in text).encode("ascii") or b"mailshare"


def _text(text: str) -> bytes:
    """A line: old daemons know no more than ASCII."""
    return "".join(one if " " <= one <= "~" else "_" for one in text).encode("ascii")[:_MOST_TEXT]
