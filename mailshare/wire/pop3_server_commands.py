"""The commands of POP3: what each line of a client means in the state the session is in.

A line gives the octets of a reply, or an event that somebody else must answer first; a mistake of the client is a
:class:`~mailshare.core.errors.PeerFault` whose text becomes the ``-ERR`` reply.

Source: RFC 1939 sections 4 to 7, RFC 2449 (CAPA), RFC 2595 (STLS), RFC 6856 (UTF8).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mailshare.core.errors import PeerFault
from mailshare.wire.pop3_server_events import Event, ListingWanted, MessageWanted, QuitWanted
from mailshare.wire.pop3_server_login import Authorization
from mailshare.wire.pop3_server_maildrop import MaildropView
from mailshare.wire.replies import START_TLS

MAX_LINE = 255
"""Octets of a command line with its CRLF (RFC 2449 section 4)."""
TOO_LONG = "That line is too long"
_MOST = MAX_LINE - 2
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_LINES = re.compile(rb"[0-9]{1,20}\Z")
_FOREIGN = frozenset((b"GET", b"POST", b"HEAD", b"PUT", b"OPTIONS", b"CONNECT", b"PATCH", b"TRACE", b"DELETE"))
_SPACED = frozenset((b"USER", b"PASS", b"AUTH"))

CROWDED = 20_480
"""Octets of output that commands may make one after the other; the message behind them is asked for as an event."""
DELETED = b"+OK Deleted at QUIT\r\n"

Outcome = bytes | tuple[bytes, bytes, bytes] | Event
"""A reply; one with a message in its middle, which is not copied together; or what must be asked first."""


class Hopeless(PeerFault):
    """Whoever sends this does not speak POP3: one reply, then the connection is closed."""


class Goodbye(Exception):
    """``QUIT`` before login: nothing to settle, the session is over."""


class Commands:
    """The state of one session that commands work on.

    :ivar view: the maildrop; ``None`` before login.
    :ivar utf8: the client has asked for UTF-8.
    """

    def __init__(self, authorization: Authorization, *, starttls: bool) -> None:
        self.authorization = authorization
        self.view: MaildropView | None = None
        self.utf8 = False
        self._starttls = starttls
        self._deferred: tuple[Callable[[MaildropView, bytes], Outcome], bytes] | None = None

    def run(self, line: bytes) -> Outcome:
        """Do what a line says, without its CRLF.

        :raises PeerFault: the reply is ``-ERR`` with its public text.
        :raises Hopeless: the same, and the connection is closed.
        :raises Goodbye: the reply is ``+OK``, and the connection is closed.
        """
        view = self.view
        if view is None and self.authorization.exchanging:
            return self._line(self.authorization.response(line))
        verb, blank, argument = line.partition(b" ")
        verb = verb.upper()
        if len(line) > _MOST and verb != b"AUTH":
            raise PeerFault(TOO_LONG)
        if _CONTROL.search(line):
            raise PeerFault("Control characters, bare CR and bare LF have no place in a command")
        if verb not in _SPACED:
            argument = argument.rstrip(b" ")
        if view is not None:
            command = _AFTER.get(verb)
            if command is not None:
                return command(self, view, argument)
        else:
            early = _BEFORE.get(verb)
            if early is not None:
                return early(self, argument)
        raise self._unknown(verb, bool(blank))

    def resume(self) -> Outcome:
        """Do the command that waited for the listing, which is here now.

        :raises PeerFault: as :meth:`run`.
        """
        deferred, view = self._deferred, self.view
        assert deferred is not None
        assert view is not None
        self._deferred = None
        return deferred[0](view, deferred[1])

    def _unknown(self, verb: bytes, has_argument: bool) -> PeerFault:
        if verb in _FOREIGN and has_argument:
            return Hopeless("This is a POP3 server")
        if verb in _REFUSED:
            return PeerFault(_REFUSED[verb])
        if verb in _AFTER:
            return PeerFault("Log in first")
        if verb in _BEFORE:
            return PeerFault("That comes before the login only")
        return PeerFault("Unknown command")

    @staticmethod
    def _line(outcome: Outcome) -> Outcome:
        return outcome + b"\r\n" if isinstance(outcome, bytes) else outcome

    # ------------------------------------------------------------------ before login

    def user(self, argument: bytes) -> Outcome:
        """``USER name``."""
        return self._line(self.authorization.user(argument))

    def password(self, argument: bytes) -> Outcome:
        """``PASS password``."""
        return self.authorization.password(argument)

    def auth(self, argument: bytes) -> Outcome:
        """``AUTH mechanism [initial]``; alone it lists the mechanisms, as old clients expect."""
        if not argument:
            names = "".join(f"{name}\r\n" for name in self.authorization.mechanisms)
            return f"+OK Mechanisms\r\n{names}.\r\n".encode()
        return self._line(self.authorization.auth(argument))

    def stls(self, argument: bytes) -> Outcome:
        """``STLS``."""
        _no(argument)
        if self.authorization.secure:
            raise PeerFault("TLS is on already")
        if not self._starttls:
            raise PeerFault("STLS is not offered")
        return START_TLS

    def utf8_mode(self, argument: bytes) -> Outcome:
        """``UTF8``."""
        _no(argument)
        self.utf8 = True
        return b"+OK UTF-8 it is\r\n"

    def early_quit(self, argument: bytes) -> Outcome:
        """``QUIT`` before login."""
        _no(argument)
        raise Goodbye

    def early_capabilities(self, argument: bytes) -> Outcome:
        """``CAPA`` before login."""
        return self.capabilities(None, argument)

    # ------------------------------------------------------------------ at any time

    def capabilities(self, view: MaildropView | None, argument: bytes) -> Outcome:
        """``CAPA``: what is offered in this state. USER is left unsaid where STLS is the better way in."""
        _no(argument)
        offered = ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "UTF8 USER", "IMPLEMENTATION mailshare"]
        if view is None:
            login = self.authorization
            can_secure = self._starttls and not login.secure
            if can_secure:
                offered.append("STLS")
            if login.takes_passwords and not can_secure:
                offered.append("USER")
            if login.mechanisms:
                offered.append("SASL " + " ".join(login.mechanisms))
        return ("+OK What is offered\r\n" + "\r\n".join(offered) + "\r\n.\r\n").encode()

    # ------------------------------------------------------------------ after login

    def stat(self, view: MaildropView, argument: bytes) -> Outcome:
        """``STAT``, from the totals alone."""
        _no(argument)
        return b"+OK %d %d\r\n" % view.totals()

    def noop(self, _view: MaildropView, argument: bytes) -> Outcome:
        """``NOOP``."""
        _no(argument)
        return b"+OK\r\n"

    def rset(self, view: MaildropView, argument: bytes) -> Outcome:
        """``RSET``."""
        _no(argument)
        view.reset()
        return b"+OK %d messages (%d octets)\r\n" % view.totals()

    def quit(self, view: MaildropView, argument: bytes) -> Outcome:
        """``QUIT``: only now is anything deleted."""
        _no(argument)
        return QuitWanted(tuple(sorted(view.deleted)), tuple(sorted(view.retrieved)))

    def scan(self, view: MaildropView, argument: bytes) -> Outcome:
        """``LIST [n]``."""
        if not view.listed:
            return self._defer(self.scan, argument)
        if argument:
            index = view.find(argument)
            return b"+OK %d %d\r\n" % (index + 1, view.size(index))
        return b"+OK %d messages (%d octets)\r\n" % view.totals() + view.scan_lines()

    def uidl(self, view: MaildropView, argument: bytes) -> Outcome:
        """``UIDL [n]``."""
        if not view.listed:
            return self._defer(self.uidl, argument)
        if argument:
            index = view.find(argument)
            return f"+OK {index + 1} {view.uid(index)}\r\n".encode("ascii")
        return b"+OK\r\n" + view.uid_lines()

    def dele(self, view: MaildropView, argument: bytes) -> Outcome:
        """``DELE n``: a mark, nothing else."""
        if not view.listed:
            return self._defer(self.dele, argument)
        view.delete(view.find(argument))
        return DELETED

    def retr(self, view: MaildropView, argument: bytes) -> Outcome:
        """``RETR n``."""
        if not view.listed:
            return self._defer(self.retr, argument)
        index = view.find(argument)
        return view.take(index, CROWDED) or MessageWanted(index)

    def top(self, view: MaildropView, argument: bytes) -> Outcome:
        """``TOP n lines``."""
        if not view.listed:
            return self._defer(self.top, argument)
        number, _, lines = argument.partition(b" ")
        index = view.find(number)
        if not _LINES.match(lines):
            raise PeerFault("TOP needs a message number and a number of lines")
        return MessageWanted(index, int(lines))

    def _defer(self, command: Callable[[MaildropView, bytes], Outcome], argument: bytes) -> Outcome:
        self._deferred = command, argument
        return ListingWanted()


def _no(argument: bytes) -> None:
    if argument:
        raise PeerFault("This command has no argument")


_BEFORE: dict[bytes, Callable[[Commands, bytes], Outcome]] = {
    b"USER": Commands.user,
    b"PASS": Commands.password,
    b"AUTH": Commands.auth,
    b"STLS": Commands.stls,
    b"UTF8": Commands.utf8_mode,
    b"CAPA": Commands.early_capabilities,
    b"QUIT": Commands.early_quit,
}
_AFTER: dict[bytes, Callable[[Commands, MaildropView, bytes], Outcome]] = {
    b"STAT": Commands.stat,
    b"LIST": Commands.scan,
    b"RETR": Commands.retr,
    b"DELE": Commands.dele,
    b"NOOP": Commands.noop,
    b"RSET": Commands.rset,
    b"TOP": Commands.top,
    b"UIDL": Commands.uidl,
    b"CAPA": Commands.capabilities,
    b"QUIT": Commands.quit,
}
_REFUSED = {
    b"APOP": "APOP is not offered; use AUTH SCRAM-SHA-256, or a password inside TLS",
    b"LAST": "LAST is not offered; use UIDL",
    b"LANG": "LANG is not offered",
}
