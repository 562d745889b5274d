"""Servers that lie: a POP3 server and a smarthost that keep to the protocol until told in which way not to.

``PretendPOP3`` keeps its messages from session to session; ``PretendSMTP`` keeps what it accepted. ``POP3_LIES`` and
``SMTP_LIES`` name the ways to misbehave. Use them with :class:`mailshare.testing.memory_wire.MemoryEndpoint`, or from
a socket by any protocol that has ``say`` and ``cut``. They are for testing clients, ours or other people's.
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


def _first_half(verb: str) -> Lie:
    return lambda spoken, reply: reply[: len(reply) // 2] + CUT if spoken == verb else reply


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


_ENDLESS = b"".join(b"%d 10\r\n" % number for number in range(1, 20_000))

POP3_LIES: dict[str, Lie] = {
    "greeting_refuses": instead(greeting=b"-ERR [SYS/TEMP] busy\r\n"),
    "greeting_garbage": instead(greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "greeting_silent": instead(greeting=b""),
    "greeting_long": instead(greeting=b"+OK " + b"x" * 20_000),
    "greeting_bare_lf": instead(greeting=b"+OK\n"),
    "greeting_twice": behind(greeting=b"+OK again\r\n"),
    "capa_endless": instead(CAPA=b"+OK\r\n" + b"X-A\r\n" * 5000),
    "capa_expire_0": instead(CAPA=b"+OK\r\nUIDL\r\nTOP\r\nEXPIRE 0\r\n.\r\n"),
    "capa_expire_nonsense": instead(CAPA=b"+OK\r\nUIDL\r\nTOP\r\nEXPIRE -1 \xff\r\nEXPIRE\r\n.\r\n"),
    "capa_delay_nonsense": instead(CAPA=b"+OK\r\nUIDL\r\nLOGIN-DELAY 99999999999999999999\r\n.\r\n"),
    "capa_delay_negative": instead(CAPA=b"+OK\r\nUIDL\r\nTOP\r\nLOGIN-DELAY -900\r\n.\r\n"),
    "capa_promises_everything": instead(CAPA=b"+OK\r\nUIDL\r\nTOP\r\nPIPELINING\r\nUTF8\r\nIMPLEMENTATION\r\n.\r\n"),
    "login_refused": instead(AUTH=b"-ERR [AUTH] no\r\n", PASS=b"-ERR no\r\n"),
    "login_asks_for_ever": instead(AUTH=b"+ \r\n" * 50),
    "stat_words": instead(STAT=b"+OK plenty\r\n"),
    "stat_negative": instead(STAT=b"+OK -5 -1\r\n"),
    "stat_huge": instead(STAT=b"+OK 4294967295 1\r\n"),
    "stat_more": instead(STAT=b"+OK 7 1\r\n"),
    "list_endless": instead(LIST=b"+OK\r\n" + _ENDLESS),
    "list_negative": instead(LIST=b"+OK\r\n-1 5\r\n1 -5\r\n.\r\n"),
    "list_garbage": instead(LIST=b"+OK\r\n\0\xff\r\n1\r\nx y\r\n99999999999999999999 1\r\n.\r\n"),
    "list_huge_sizes": instead(LIST=b"+OK\r\n1 999999999999999999\r\n2 1\r\n.\r\n"),
    "uidl_endless": instead(UIDL=b"+OK\r\n" + _ENDLESS),
    "uidl_above_count": instead(UIDL=b"+OK\r\n7 a\r\n999999 b\r\n.\r\n"),
    "uidl_long": instead(UIDL=b"+OK\r\n1 " + b"u" * 6000 + b"\r\n.\r\n"),
    "uidl_same": instead(UIDL=b"+OK\r\n1 same\r\n2 same\r\n3 same\r\n.\r\n"),
    "uidl_swapped": instead(UIDL=b"+OK\r\n3 a\r\n2 c\r\n1 b\r\n.\r\n"),
    "uidl_paths": instead(UIDL=b"+OK\r\n1 ../../etc/passwd\r\n2 /dev/null\r\n3 ;reboot\r\n.\r\n"),
    "uidl_refused": instead(UIDL=b"-ERR no\r\n"),
    "uidl_and_top_refused": instead(UIDL=b"-ERR no\r\n", TOP=b"-ERR no\r\n"),
    "list_cut": _first_half("LIST"),
    "uidl_cut": _first_half("UIDL"),
    "uidl_empty_ids": instead(UIDL=b"+OK\r\n1 \r\n2\r\n3 c\r\n.\r\n"),
    "uidl_ids_of_300": instead(UIDL=b"+OK\r\n1 %b\r\n2 %b\r\n.\r\n" % (b"x" * 300, b"y" * 300)),
    "top_refused": instead(TOP=b"-ERR no\r\n"),
    "top_empty": instead(TOP=b"+OK\r\n.\r\n"),
    "top_half": _first_half("TOP"),
    "top_endless_header": instead(TOP=b"+OK\r\n" + b"X-A: 1\r\n" * 60_000 + b".\r\n"),
    "top_wrong": instead(TOP=b"+OK\r\nSubject: another\r\n\r\n.\r\n"),
    "retr_refused": instead(RETR=b"-ERR [SYS/PERM] no\r\n"),
    "retr_empty": instead(RETR=b"+OK\r\n.\r\n"),
    "retr_silent": instead(RETR=b""),
    "retr_half": _first_half("RETR"),
    "retr_no_dot": lambda verb, reply: reply[:-3] if verb == "RETR" else reply,
    "retr_twice": behind(RETR=b"+OK and more\r\n"),
    "retr_cut": instead(RETR=CUT),
    "dele_refused": instead(DELE=b"-ERR no\r\n"),
    "dele_cut": instead(DELE=CUT),
    "quit_refused": instead(QUIT=b"-ERR not all deleted\r\n"),
    "quit_silent": instead(QUIT=b""),
    "quit_cut": instead(QUIT=CUT),
    "stls_injection": behind(STLS=b"+OK\r\n+OK 0 0\r\n"),
    "neither_yes_nor_no": instead(STAT=b"*OK 3 3\r\n"),
}


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
        if self.lie(verb, b"250").startswith(b"2"):
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


SMTP_LIES: dict[str, Lie] = {
    "greeting_refuses": instead(greeting=b"554 no\r\n"),
    "greeting_busy": instead(greeting=b"421 later\r\n"),
    "greeting_garbage": instead(greeting=b"SSH-2.0-OpenSSH\r\n"),
    "greeting_silent": instead(greeting=b""),
    "greeting_endless": instead(greeting=b"220-more\r\n" * 500),
    "greeting_long": instead(greeting=b"220 " + b"x" * 20_000),
    "greeting_250": instead(greeting=b"250 hello\r\n"),
    "ehlo_endless": instead(EHLO=b"250-X\r\n" * 500),
    "ehlo_mixed_codes": instead(EHLO=b"250-one\r\n550 two\r\n"),
    "ehlo_code_99": instead(EHLO=b"99 what\r\n"),
    "ehlo_code_25": instead(EHLO=b"25\r\n"),
    "ehlo_twice": behind(EHLO=b"250 again\r\n"),
    "starttls_injection": behind(STARTTLS=b"250-isp\r\n250 AUTH PLAIN\r\n"),
    "no_starttls": instead(EHLO=b"250-isp\r\n250 AUTH PLAIN\r\n"),
    "auth_refused": instead(AUTH=b"535 5.7.8 no\r\n"),
    "auth_basic_gone": instead(MAIL=b"550 5.7.30 Basic authentication is not supported\r\n"),
    "auth_needed": instead(MAIL=b"530 5.7.0 log in\r\n"),
    "auth_asks_for_ever": instead(AUTH=b"334 \r\n" * 50),
    "auth_250": instead(AUTH=b"250 ok\r\n"),
    "mail_354": instead(MAIL=b"354 go on\r\n"),
    "data_250": instead(DATA=b"250 taken already\r\n"),
    "data_silent": instead(DATA=b""),
    "data_cut": instead(DATA=CUT),
    "data_354_and_250": instead(DATA=b"354 go on\r\n250 taken\r\n"),
    "dot_silent": instead(dot=b""),
    "dot_cut": instead(dot=CUT),
    "dot_354": instead(dot=b"354 more\r\n"),
    "dot_later": instead(dot=b"451 4.3.0 later\r\n"),
    "dot_421": instead(dot=b"421 4.3.2 going down\r\n" + CUT),
    "dot_garbage": instead(dot=b"OK\r\n"),
    "dot_code_600": instead(dot=b"600 ok\r\n"),
    "dot_continued_for_ever": instead(dot=b"250-ok\r\n" * 500),
}
