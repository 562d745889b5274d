"""The part of the SMTP server engine that is the same for all commands: input, output, and the one open question."""

from __future__ import annotations

from enum import Enum

from mailshare.core.errors import Enhanced, MailshareError
from mailshare.wire.lines import LineBuffer
from mailshare.wire.replies import ANSWERED, Answered, reply
from mailshare.wire.smtp_server_events import SMTPSettings

GO_ON = "End the message with <CR><LF>.<CR><LF>"
"""What 354 says."""


class Ask(Enum):
    """Which question is open."""

    NOTHING = 0
    SENDER = 1
    RECIPIENT = 2
    BODY = 3
    MESSAGE = 4
    LOGIN = 5
    ENVELOPE = 6


class EngineCore:
    """Octets in, replies out, and at most one question that waits for its answer.

    :ivar waiting: the last event wants an answer.
    :ivar closing: close the connection once the output is sent.
    :ivar errors: faults of the peer.
    :ivar spent: all octets are read, so no event comes before more are fed.
    """

    # What all connections begin with stands in the class: it is not set for each.
    waiting = closing = spent = False
    errors = 0
    _greeted = False
    _ask = Ask.NOTHING

    def __init__(self, settings: SMTPSettings) -> None:
        self.settings = settings
        self._lines = LineBuffer(max(settings.max_line, settings.max_auth_line))
        self._out: list[bytes] = []

    def greet(self) -> None:
        """Queue the greeting; a client that talked before it is turned away."""
        self._greeted = True
        if len(self._lines):
            self._close(554, (5, 5, 0), "You talked before you were greeted")
        else:
            self._out.append(reply(220, None, f"{self.settings.hostname} ESMTP ready"))

    def turn_away(self, error: MailshareError) -> None:
        """Refuse the connection in place of the greeting (RFC 5321 section 3.1)."""
        self._greeted = True
        self._close(421 if error.temporary else 554, error.enhanced, error.public)

    def feed(self, data: bytes) -> None:
        """Take octets from the peer."""
        self.spent = False
        self._lines.feed(data)

    def take_output(self) -> bytes:
        """Everything that is to be sent now."""
        if not self._out:
            return b""
        out = b"".join(self._out)
        self._out.clear()
        return out

    def _say(self, code: int, enhanced: Enhanced | None, *lines: str) -> Answered:
        self._out.append(reply(code, enhanced, *lines))
        return ANSWERED

    def _fault(self, code: int, enhanced: Enhanced, text: str) -> Answered:
        self.errors += 1
        return self._say(code, enhanced, text)

    def _close(self, code: int, enhanced: Enhanced, text: str) -> Answered:
        self.closing = True
        self._lines.clear()
        return self._fault(code, enhanced, text)

    def _question(self, ask: Ask, event: object) -> object:
        self._ask = ask
        self.waiting = True
        return event

    def _answered(self) -> Ask:
        ask, self._ask = self._ask, Ask.NOTHING
        self.waiting = False
        return ask
