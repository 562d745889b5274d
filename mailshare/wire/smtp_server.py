"""The SMTP server's half of the protocol, without I/O: octets in, events out, answers in, replies out.

Commands are read and ordered here; :mod:`mailshare.wire.smtp_server_core` keeps questions and replies,
:mod:`mailshare.wire.smtp_server_auth` has AUTH, :mod:`mailshare.wire.smtp_server_bodies` reads what DATA and BDAT
bring. One question is open at a time, so replies leave in the order of the commands however late an answer comes
(RFC 2920).

Source: RFC 5321, 1870, 2034, 2920, 3030, 3207, 3461, 4954, 6152, 6531, 9422.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, ClassVar

from mailshare.core.address import Address, is_domain
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import MailshareError, PeerFault
from mailshare.wire.lines import OVERLONG, LineBuffer
from mailshare.wire.replies import ANSWERED, START_TLS, printable, reply
from mailshare.wire.smtp_envelopes import DATA, LONGEST, read_envelope, yes_to_all
from mailshare.wire.smtp_params import read_mail, read_recipient
from mailshare.wire.smtp_server_auth import Logins, Step
from mailshare.wire.smtp_server_bodies import BodyEngine
from mailshare.wire.smtp_server_core import Ask
from mailshare.wire.smtp_server_events import (
    BodyBegun,
    EnvelopeOffered,
    MailOffered,
    RecipientOffered,
    SMTPSettings,
)

_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_HELO = re.compile(rb"[A-Za-z0-9._:\-\[\]]{1,255}\Z")
_BDAT = re.compile(rb"([0-9]{1,20})(?: +([Ll][Aa][Ss][Tt]))?\Z")
_FOREIGN = frozenset({b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"CONNECT", b"DELETE", b"TRACE", b"PATCH"})
_IDLE = frozenset({b"NOOP", b"RSET", b"VRFY", b"HELP", b"EHLO", b"HELO"})
_HELP = "EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP STARTTLS AUTH QUIT"


@lru_cache(maxsize=64)  # the same for all sessions of a listener, but for TLS
def _offer(hostname: str, size: int, recipients: int, starttls: bool, mechanisms: tuple[str, ...]) -> bytes:
    """The answer to EHLO."""
    lines = [hostname, "PIPELINING", f"SIZE {size}", "8BITMIME", "SMTPUTF8"]
    lines += ["ENHANCEDSTATUSCODES", "DSN", "CHUNKING", f"LIMITS RCPTMAX={recipients}"]
    if starttls:
        lines.append("STARTTLS")
    if mechanisms:
        lines.append("AUTH " + " ".join(mechanisms))
    return reply(250, None, *lines)


class SMTPServerEngine(BodyEngine):
    """One session.

    :param settings: how to behave.
    :param nonce: makes a fresh nonce for SCRAM: at least 18 random octets in base64.
    :param secure: inside TLS from the start.
    :ivar helo: what the client called itself; empty before it did.
    :ivar extended: it said EHLO.
    :ivar user: who is logged in; empty for nobody.
    """

    helo = ""
    extended = False
    _offered: Recipient | None = None
    _offered_whole = b""  # the octets of the envelope that is offered
    _named = _unknown = _idle = 0

    def __init__(self, settings: SMTPSettings, *, nonce: Callable[[], str], secure: bool = False) -> None:
        super().__init__(settings)
        self.secure = secure
        self._taken: set[Address] = set()
        self._logins = Logins(settings, nonce)
        self._offer_logins()

    # ------------------------------------------------------------------ what the shell calls

    @property
    def user(self) -> str:
        """Who is logged in; empty for nobody."""
        return self._logins.user

    @property
    def protocol(self) -> str:
        """How the message comes, for its ``Received`` field (RFC 3848, RFC 6531 section 4.3)."""
        if not self.extended:
            return "SMTP"
        envelope = self._envelope
        base = "UTF8SMTP" if envelope is not None and envelope.smtputf8 else "ESMTP"
        return base + ("S" if self.secure else "") + ("A" if self.user else "")

    def secured(self) -> None:
        """TLS stands: forget everything said before it (RFC 3207 section 4.2)."""
        self.secure = True
        self.helo = ""
        self.extended = False
        self._envelope = None
        self._lines.clear()
        self._logins.forget()
        self._offer_logins()

    def receive(self, data: bytes) -> object | None:
        """Take octets and give the first event, as :meth:`feed` and :meth:`next_event` would.

        What comes in one piece, as most envelopes and messages do, goes past the buffer.
        """
        event = None
        if (self._fresh or self._whole) and not len(self._lines):
            event = self._message_at_once(data) if self._fresh else self._envelope_at_once(data)
        if event is not None:
            return event
        line = self._lines.only_line(data) if self._between() else None
        if line is None:
            self.feed(data)
            return self.next_event()
        event = self._line(line)
        self.spent = self._then is None
        return event

    def _between(self) -> bool:
        """No message is begun, nothing is asked, and nothing but a line comes next."""
        busy = self._data or self._chunks or self._skip or self._then or self.waiting or self.closing
        return self._greeted and self._envelope is None and not busy

    def next_event(self) -> object | None:
        """The next event; ``None`` when more octets or an answer are needed."""
        while not (self.waiting or self.closing) and self._greeted:
            if self._then is not None:
                then, self._then = self._then, None
                event = then()
            elif self._skip is not None:
                event = self._skip_on(*self._skip)
            elif self._fresh or self._data is not None:
                event = self._read_data()
            elif self._chunks is not None and self._chunks.left:
                event = self._read_chunk(self._chunks)
            elif not self._whole or (event := self._all_of(self._lines)) is None:
                line = self._lines.next_line()
                if line is None:
                    return None
                event = self._overlong() if line is OVERLONG else self._line(line)
            if event is not None:
                return event
            if self._then is None and not len(self._lines):
                return None
        return None

    # ------------------------------------------------------------------ answers

    def accept(self, text: str = "") -> None:
        """Yes to the open question.

        :param text: what to say in place of the usual words.
        """
        ask, self._ask = self._ask, Ask.NOTHING
        self.waiting = False
        if ask is Ask.MESSAGE:
            self._idle = 0
            self._end_transaction()
            self._out.append(b"250 2.0.0 %s\r\n" % printable(text or "Message taken").encode())  # never said again
        elif ask is Ask.ENVELOPE and self._envelope is not None:
            self._offered_whole = b""
            self._out.append(self.agree(self._envelope))
        elif ask is Ask.SENDER:
            self._say(250, (2, 1, 0), text or "Sender OK")
        elif ask is Ask.RECIPIENT:
            self._accept_recipient(text)
        elif ask is Ask.BODY:
            self._begin_body()
        else:
            self._logins.accept()
            self._say(235, (2, 7, 0), text or "Logged in")

    def one_by_one(self) -> None:
        """Neither yes nor no to :class:`EnvelopeOffered`: its commands are read and offered one after the other."""
        self._answered()
        self._whole = self.spent = False
        if self._offered_whole:
            self.leave()
            self._lines.give_back(self._offered_whole)
            self._offered_whole = b""

    def refuse(self, error: MailshareError) -> None:
        """No to the open question; ``error`` gives code, enhanced code and words."""
        if self._ask is Ask.ENVELOPE:  # which of the commands it is that must not be, only each alone can tell
            self.one_by_one()
            return
        ask = self._answered()
        if ask is Ask.SENDER:
            self._envelope = None
        elif ask is Ask.RECIPIENT:
            self._offered = None
            self._unknown += not error.temporary
        elif ask is Ask.LOGIN:
            self._login_failed(error)
            return
        elif ask is Ask.BODY and self._begin_chunk:
            self._skip = (self._begin_chunk[0], reply(error.code, error.enhanced, error.public))
            self._end_transaction()
            if not self._skip[0]:
                self._skip_on(*self._skip)
            return
        elif ask is not Ask.NOTHING:
            self._end_transaction()
        self._say(error.code, error.enhanced, error.public)

    def verifier(self, text: str) -> None:
        """The answer to :class:`VerifierWanted`."""
        self._answered()
        self.spent = False
        self._then = lambda: self._login_step(lambda: self._logins.verifier(text))

    # ------------------------------------------------------------------ commands

    def _overlong(self) -> object:
        return self._close(500, (5, 5, 6) if self._logins.busy else (5, 5, 2), "Line too long")

    def _line(self, line: bytes) -> object:
        if self._logins.busy:
            if len(line) + 2 > self.settings.max_auth_line:
                return self._overlong()
            return self._login_step(lambda: self._logins.step(line))
        verb, _, argument = line.rstrip(b" ").partition(b" ")
        verb = verb.upper()
        if len(line) + 2 > (self.settings.max_auth_line if verb == b"AUTH" else self.settings.max_line):
            return self._overlong()
        if verb in _FOREIGN:
            return self._close(421, (4, 7, 0), "This is a mail server")
        if _CONTROL.search(line):
            return self._fault(500, (5, 5, 2), "Control characters in a command")
        command = self._COMMANDS.get(verb)
        if command is None:
            return self._fault(500, (5, 5, 1), "Command not known")
        if self._open and verb not in {b"BDAT", b"RSET", b"QUIT", b"NOOP", b"EHLO", b"HELO"}:
            return self._fault(503, (5, 5, 1), "A message is on its way in chunks")
        if verb in _IDLE:
            self._idle += 1
            self.errors += self._idle > self.settings.idle_commands
        try:
            return command(self, argument.lstrip(b" "))
        except MailshareError as error:
            return self._fault(error.code, error.enhanced, error.public)

    def _ehlo(self, argument: bytes) -> object:
        if len(self._lines):
            return self._close(554, (5, 5, 0), "Wait for the answer to EHLO")
        self._hello(argument)
        of = self.settings
        mechanisms = of.mechanisms if self._auth_offered else ()
        self.extended = True
        self._out.append(_offer(of.hostname, of.max_size, of.max_recipients, of.tls and not self.secure, mechanisms))
        return self._drop_body()

    def _helo(self, argument: bytes) -> object:
        if len(self._lines):
            return self._close(554, (5, 5, 0), "Wait for the answer to HELO")
        self._hello(argument)
        self.extended = False
        self._say(250, None, self.settings.hostname)
        return self._drop_body()

    def _hello(self, argument: bytes) -> None:
        """Take the client's name; one that is no name is refused, not repeated anywhere."""
        if not argument.isascii() or not (_HELO.match(argument) or is_domain(argument.decode())):
            raise PeerFault("Say your host's name, or its address in brackets", code=501, enhanced=(5, 5, 4))
        self.helo = argument.decode()

    def _mail(self, argument: bytes) -> object:
        if not self.helo:
            return self._fault(503, (5, 5, 1), "Say EHLO first")
        if self._envelope is not None:
            return self._fault(503, (5, 5, 1), "A message is begun already")
        envelope = read_mail(argument, self.extended, self.settings.max_size, self._auth_offered)
        self._envelope = envelope
        self._named = 0
        self._taken = set()
        return self._question(Ask.SENDER, MailOffered(envelope))

    def _rcpt(self, argument: bytes) -> object:
        envelope = self._envelope
        if envelope is None:
            return self._fault(503, (5, 5, 1), "Say MAIL FROM first")
        recipient = read_recipient(argument, self.extended, envelope.smtputf8, self.settings.old_form)
        if self._unknown >= self.settings.unknown_recipients:
            return self._fault(450, (4, 7, 1), "Too many wrong recipients")
        if self._named >= self.settings.max_recipients:
            return self._say(452, (4, 5, 3), "Too many recipients for one message")
        if recipient.address in self._taken:
            self._named += 1
            return self._say(250, (2, 1, 5), "Recipient OK")
        self._offered = recipient
        return self._question(Ask.RECIPIENT, RecipientOffered(envelope, recipient))

    def _all_of(self, lines: LineBuffer) -> object | None:
        """The envelope, if all that waits is the commands of one; they are taken out then."""
        octets = lines.all_ending(DATA, LONGEST)
        event = self._envelope_at_once(octets) if octets else None
        if event is not None:
            lines.clear()
        return event

    def _envelope_at_once(self, octets: bytes) -> object | None:
        envelope = self.envelope_of(octets)
        if envelope is None:
            return None
        self._offered_whole = octets
        return self._question(Ask.ENVELOPE, EnvelopeOffered(envelope))

    def envelope_of(self, octets: bytes) -> Envelope | None:
        """The envelope, if these octets are the commands of one, and its time has come; it is begun then.

        For who answers it without an event, by :meth:`agree` or :meth:`leave`, while all octets are read (``spent``).
        """
        if not octets.endswith(DATA) or len(octets) > LONGEST or self._envelope is not None or not self._whole:
            return None
        if not self.extended or self.waiting or self.closing or self._then or self._skip or self._logins.busy:
            return None
        settings, envelope = self.settings, read_envelope(octets, *self._reading)
        most = settings.max_recipients if self._unknown < settings.unknown_recipients else 0
        if envelope is None or len(envelope.recipients) > most:
            return None
        self._envelope = envelope
        self.spent = True
        return envelope

    def agree(self, envelope: Envelope) -> bytes:
        """Yes to an envelope that :meth:`envelope_of` gave: what is to be sent; its message comes next."""
        self._open = self._fresh = True
        return yes_to_all(len(envelope.recipients))

    def leave(self) -> None:
        """Neither yes nor no to it: fed once more, its commands are offered one after the other."""
        self._envelope = None
        self._whole = self.spent = False

    def _accept_recipient(self, text: str) -> None:
        self._named += 1
        if self._envelope is not None and self._offered is not None:
            self._envelope = self._envelope.also_to(self._offered)
            self._taken.add(self._offered.address)
        self._offered = None
        self._say(250, (2, 1, 5), text or "Recipient OK")

    def _rset(self, argument: bytes) -> object:
        if argument:
            return self._fault(501, (5, 5, 4), "RSET takes nothing")
        self._say(250, (2, 0, 0), "OK")
        return self._drop_body()

    def _vrfy(self, argument: bytes) -> object:
        if not argument:
            return self._fault(501, (5, 5, 4), "VRFY needs a name")
        return self._say(252, (2, 0, 0), "Send a message and see")

    def _quit(self, argument: bytes) -> object:
        if argument:
            return self._fault(501, (5, 5, 4), "QUIT takes nothing")
        self._say(221, (2, 0, 0), "Goodbye")
        self.closing = True
        self._lines.clear()
        return ANSWERED

    def _starttls(self, argument: bytes) -> object:
        if argument:
            return self._fault(501, (5, 5, 4), "STARTTLS takes nothing")
        if not self.settings.tls:
            return self._fault(502, (5, 5, 1), "TLS is not offered here")
        if self.secure:
            return self._fault(503, (5, 5, 1), "TLS stands already")
        if len(self._lines):
            return self._close(554, (5, 5, 0), "Wait for the answer to STARTTLS")
        self._say(220, (2, 0, 0), "Go ahead")
        return START_TLS

    # ------------------------------------------------------------------ commands with a body

    def _data_command(self, argument: bytes) -> object:
        if argument:
            return self._fault(501, (5, 5, 4), "DATA takes nothing")
        envelope = self._envelope
        if envelope is None:
            return self._fault(503, (5, 5, 1), "Say MAIL FROM first")
        if not envelope.recipients:
            return self._fault(554, (5, 5, 1), "No recipient was accepted")
        if len(self._lines):
            return self._close(554, (5, 5, 0), "Wait for the answer to DATA")
        self._begin_chunk = None
        return self._question(Ask.BODY, BodyBegun(envelope))

    def _bdat(self, argument: bytes) -> object:
        match = _BDAT.match(argument)
        if not match:
            if argument and argument[:1].isdigit():  # octets follow, nobody knows how many
                return self._close(501, (5, 5, 4), "BDAT needs a number of octets, and perhaps LAST")
            return self._fault(501, (5, 5, 4), "BDAT needs a number of octets, and perhaps LAST")
        size, last = int(match[1]), bool(match[2])
        envelope = self._envelope
        if size > 2 * self.settings.max_size:
            return self._close(552, (5, 3, 4), "The chunk is larger than any message taken here")
        if envelope is None or not envelope.recipients:
            self.errors += 1
            self._skip = (size, reply(503, (5, 5, 1), "Say MAIL FROM and RCPT TO first"))
            return None if size else self._skip_on(*self._skip)
        if self._chunks is None:
            self._begin_chunk = (size, last)
            return self._question(Ask.BODY, BodyBegun(envelope))
        self._chunks.begin(size, last=last)
        if not size:
            self._then = self._chunk_over
        return None

    # ------------------------------------------------------------------ AUTH

    def _offer_logins(self) -> None:
        """Note whether AUTH is offered, and with that how envelopes are read: both stay until TLS begins."""
        of = self.settings
        self._auth_offered = bool(of.mechanisms) and (self.secure or of.clear_auth)
        self._reading = of.max_size, self._auth_offered, of.old_form, of.max_line

    def _auth(self, argument: bytes) -> object:
        if not self.settings.mechanisms:
            return self._fault(502, (5, 5, 1), "AUTH is not offered here")
        if not self.extended:
            return self._fault(503, (5, 5, 1), "Say EHLO first")
        if self.user:
            return self._fault(503, (5, 5, 1), "Logged in already")
        if self._envelope is not None:
            return self._fault(503, (5, 5, 1), "Not inside a message")
        if not self._auth_offered:
            return self._fault(538, (5, 7, 11), "Start TLS first")
        return self._login_step(lambda: self._logins.begin(argument))

    def _login_step(self, step: Callable[[], Step]) -> object:
        try:
            event, replies = step()
        except MailshareError as error:
            self.errors += 1
            return self._login_failed(error)
        self._out.extend(replies)
        return ANSWERED if event is None else self._question(Ask.LOGIN, event)

    def _login_failed(self, error: MailshareError) -> object:
        if self._logins.refused():
            return self._close(421, (4, 7, 0), "Too many failed logins")
        return self._say(error.code, error.enhanced, error.public)

    _COMMANDS: ClassVar[dict[bytes, Callable[[Any, bytes], object]]] = {
        b"EHLO": _ehlo,
        b"HELO": _helo,
        b"MAIL": _mail,
        b"RCPT": _rcpt,
        b"DATA": _data_command,
        b"BDAT": _bdat,
        b"RSET": _rset,
        b"NOOP": lambda self, _: self._say(250, (2, 0, 0), "OK"),
        b"VRFY": _vrfy,
        b"EXPN": lambda self, _: self._fault(502, (5, 5, 1), "Lists are not told here"),
        b"HELP": lambda self, _: self._say(214, (2, 0, 0), "Commands:", _HELP),
        b"STARTTLS": _starttls,
        b"AUTH": _auth,
        b"QUIT": _quit,
    }
