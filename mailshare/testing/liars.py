"""Servers that lie: a POP3 server and a smarthost that keep to the protocol until told in which way not to.

``PretendPOP3`` keeps its messages from session to session; ``PretendSMTP`` keeps what it accepted. The ways to
misbehave stand in :mod:`mailshare.testing.lies`. Use them with :class:`mailshare.testing.memory_wire.MemoryEndpoint`,
or from a socket by any protocol that has ``say`` and ``cut``. They are for testing clients, ours or other people's.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from attrs import define, field

USER = "mail"
PASSWORD = "correct horse"  # noqa: S105  the doubles' own
CUT = b"\0cut\0"
"""In a reply: the connection is cut here."""

Lie = Callable[[str, bytes], bytes]
"""``(verb, honest reply) -> reply``; the verb ``greeting`` stands for the greeting, ``dot`` for the end of DATA."""


class Line(Protocol):
    """What a double speaks through."""

    @property
    def secure(self) -> bool:
        """Inside TLS."""

    def say(self, data: bytes) -> None:
        """Send."""

    def cut(self) -> None:
        """Close without a word."""


def honest(_verb: str, reply: bytes) -> bytes:
    """No lie."""
    return reply


def instead(**replies: bytes) -> Lie:
    """Answer these verbs so, and the others honestly."""
    return replies.get


def behind(**extra: bytes) -> Lie:
    """Say something more behind the honest reply to these verbs."""
    return lambda verb, reply: reply + extra.get(verb, b"")


def changed(verb: str, change: Callable[[bytes], bytes]) -> Lie:
    """Make something of the honest reply to one verb."""
    return lambda spoken, reply: change(reply) if spoken == verb else reply


def everywhere(change: Callable[[bytes], bytes], *but: str) -> Lie:
    """Make something of every reply except those to these verbs."""
    return lambda spoken, reply: reply if spoken in but else change(reply)


class _Double:
    """Lines in, replies out, lies between."""

    def __init__(self, lie: Lie) -> None:
        self.lie = lie
        self.sessions = 0
        self.clear_secrets = 0
        self._buffer = b""
        self._left = False
        self._line: Line | None = None

    def connected(self, line: Line) -> None:
        """A client came."""
        self.sessions += 1
        self._line = line
        self._buffer = b""
        self._left = False
        self._begin()
        self._say("greeting", self._greeting())

    def received(self, data: bytes) -> None:
        """It sent octets."""
        self._buffer += data
        while not self._left and self._step():
            pass

    def _say(self, verb: str, reply: bytes) -> None:
        assert self._line is not None
        said, cut, _ = self.lie(verb, reply).partition(CUT)
        if said:
            self._line.say(said)
        if cut:
            self._left = True
            self._line.cut()

    def _take_line(self) -> bytes | None:
        line, ended, rest = self._buffer.partition(b"\r\n")
        if not ended:
            return None
        self._buffer = rest
        return line

    def _guard(self) -> None:
        assert self._line is not None
        if not self._line.secure:
            self.clear_secrets += 1

    def _begin(self) -> None:
        """A session begins."""

    def _greeting(self) -> bytes:
        return b""

    def _step(self) -> bool:
        return False


class PretendPOP3(_Double):
    """A POP3 server in memory.

    :ivar messages: unique-id to message, in order; changed at QUIT.
    :ivar retrieved: unique-ids by RETR, in order, over all sessions.
    """

    def __init__(
        self,
        messages: Mapping[str, bytes],
        lie: Lie = honest,
        capabilities: Sequence[str] = ("TOP", "UIDL", "USER", "PIPELINING", "STLS", "SASL PLAIN"),
    ) -> None:
        super().__init__(lie)
        self.messages = dict(messages)
        self.capabilities = capabilities
        self.retrieved: list[str] = []
        self._deleted: set[int] = set()
        self._listed: list[str] = []

    def _begin(self) -> None:
        self._deleted = set()
        self._listed = list(self.messages)

    def _greeting(self) -> bytes:
        return b"+OK ready <1896.697170952@isp.example>\r\n"

    def _step(self) -> bool:
        line = self._take_line()
        if line is None:
            return False
        verb, _, argument = line.decode("utf-8", "replace").partition(" ")
        verb = verb.upper()
        method = getattr(self, f"_do_{verb.lower()}", None)
        self._say(verb, b"-ERR unknown\r\n" if method is None else method(argument))
        return True

    def _do_capa(self, _: str) -> bytes:
        if not self.capabilities:
            return b"-ERR what?\r\n"
        return b"+OK\r\n" + "".join(f"{name}\r\n" for name in self.capabilities).encode() + b".\r\n"

    def _do_stls(self, _: str) -> bytes:
        return b"+OK begin\r\n"

    def _do_user(self, _: str) -> bytes:
        self._guard()
        return b"+OK\r\n"

    def _do_pass(self, argument: str) -> bytes:
        self._guard()
        return b"+OK in\r\n" if argument == PASSWORD else b"-ERR [AUTH] no\r\n"

    def _do_auth(self, argument: str) -> bytes:
        self._guard()
        wanted = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
        return b"+OK in\r\n" if argument == f"PLAIN {wanted}" else b"-ERR [AUTH] no\r\n"

    def _do_stat(self, _: str) -> bytes:
        return b"+OK %d %d\r\n" % (len(self._listed), sum(map(len, self.messages.values())))

    def _rows(self, write: Callable[[int, str], str]) -> bytes:
        rows = "".join(write(n, uid) for n, uid in enumerate(self._listed, 1) if n not in self._deleted)
        return b"+OK\r\n" + rows.encode() + b".\r\n"

    def _do_list(self, _: str) -> bytes:
        return self._rows(lambda number, uid: f"{number} {len(self.messages[uid])}\r\n")

    def _do_uidl(self, _: str) -> bytes:
        return self._rows(lambda number, uid: f"{number} {uid}\r\n")

    def _message(self, argument: str) -> bytes:
        return self.messages[self._listed[int(argument.split(maxsplit=1)[0]) - 1]]

    def _do_retr(self, argument: str) -> bytes:
        self.retrieved.append(self._listed[int(argument) - 1])
        return b"+OK\r\n" + _stuffed(self._message(argument)) + b".\r\n"

    def _do_top(self, argument: str) -> bytes:
        header, _, _ = self._message(argument).partition(b"\r\n\r\n")
        return b"+OK\r\n" + _stuffed(header + b"\r\n\r\n") + b".\r\n"

    def _do_dele(self, argument: str) -> bytes:
        self._deleted.add(int(argument))
        return b"+OK\r\n"

    def _do_quit(self, _: str) -> bytes:
        if self.lie("QUIT", b"+OK").startswith(b"+OK"):
            for number in self._deleted:
                self.messages.pop(self._listed[number - 1], None)
        return b"+OK bye\r\n" + CUT


def _stuffed(message: bytes) -> bytes:
    stuffed = message.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if stuffed.startswith(b".") else stuffed


@define
class Accepted:
    """A message that :class:`PretendSMTP` said yes to."""

    sender: str
    recipients: list[str]
    octets: bytes
    parameters: list[str] = field(factory=list)


class PretendSMTP(_Double):
    """A smarthost in memory.

    :ivar accepted: in order.
    :ivar refuse: recipient to the reply that it gets instead of 250.
    """

    def __init__(
        self,
        lie: Lie = honest,
        extensions: Sequence[str] = ("PIPELINING", "SIZE 1000000", "8BITMIME", "DSN", "STARTTLS", "AUTH PLAIN"),
        refuse: Mapping[str, bytes] | None = None,
    ) -> None:
        super().__init__(lie)
        self.extensions = extensions
        self.refuse = dict(refuse or {})
        self.accepted: list[Accepted] = []
        self.commands: list[str] = []
        self._open: Accepted | None = None
        self._receiving = False
        self._chunk = 0

    def _begin(self) -> None:
        self._open = None
        self._receiving = False

    def _greeting(self) -> bytes:
        return b"220 smart.isp.example ESMTP\r\n"

    def _step(self) -> bool:
        if self._chunk:
            return self._take_chunk()
        if self._receiving:
            return self._take_data()
        line = self._take_line()
        if line is None:
            return False
        text = line.decode("utf-8", "replace")
        self.commands.append(text)
        verb, _, argument = text.partition(" ")
        verb = verb.upper()
        method = getattr(self, f"_do_{verb.lower()}", None)
        reply = b"500 unknown\r\n" if method is None else method(argument)
        if reply:
            self._say(verb, reply)
        if verb == "DATA":
            self._receiving = self.lie("DATA", reply).startswith(b"354") and self._open is not None
        return True

    def _take_data(self) -> bool:
        # A dot that stands first ends an empty message.
        octets, ended, rest = (b"\r\n" + self._buffer).partition(b"\r\n.\r\n")
        if not ended:
            return False
        self._buffer = rest
        self._receiving = False
        self._whole(octets[2:].replace(b"\r\n.", b"\r\n").removeprefix(b".") + b"\r\n", "dot")
        return True

    def _take_chunk(self) -> bool:
        if len(self._buffer) < self._chunk:
            return False
        octets, self._buffer = self._buffer[: self._chunk], self._buffer[self._chunk :]
        self._chunk = 0
        self._whole(octets, "dot")
        return True

    def _whole(self, octets: bytes, verb: str) -> None:
        message, self._open = self._open, None
        if message is None or not message.recipients:
            self._say(verb, b"554 5.5.1 no valid recipients\r\n")
            return
        message.octets = octets
        if self.lie(verb, b"250").startswith(b"250"):
            self.accepted.append(message)
        self._say(verb, b"250 2.0.0 taken\r\n")

    def _do_ehlo(self, _: str) -> bytes:
        names = ["smart.isp.example", *self.extensions]
        return "".join(f"250{' ' if name is names[-1] else '-'}{name}\r\n" for name in names).encode()

    def _do_helo(self, _: str) -> bytes:
        return b"250 smart.isp.example\r\n"

    def _do_starttls(self, _: str) -> bytes:
        return b"220 begin\r\n"

    def _do_auth(self, argument: str) -> bytes:
        self._guard()
        wanted = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
        return b"235 2.7.0 in\r\n" if argument == f"PLAIN {wanted}" else b"535 5.7.8 no\r\n"

    def _do_mail(self, argument: str) -> bytes:
        path, *parameters = argument.split(" ")
        self._open = Accepted(path.partition(":")[2], [], b"", parameters)
        return b"250 2.1.0 ok\r\n"

    def _do_rcpt(self, argument: str) -> bytes:
        path, *parameters = argument.split(" ")
        address = path.partition(":")[2].strip("<>")
        if self._open is None:
            return b"503 5.5.1 MAIL first\r\n"
        if address in self.refuse:
            return self.refuse[address]
        self._open.recipients.append(address)
        self._open.parameters += parameters
        return b"250 2.1.5 ok\r\n"

    def _do_data(self, _: str) -> bytes:
        return b"354 go on\r\n" if self._open and self._open.recipients else b"554 5.5.1 no valid recipients\r\n"

    def _do_bdat(self, argument: str) -> bytes:
        self._chunk = int(argument.split(maxsplit=1)[0])
        return b""

    def _do_rset(self, _: str) -> bytes:
        self._open = None
        return b"250 ok\r\n"

    def _do_quit(self, _: str) -> bytes:
        return b"221 bye\r\n" + CUT
