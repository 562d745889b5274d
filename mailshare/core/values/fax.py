"""Faxes: pages, calls, and what became of them.

Everything a line, the offramp and the onramp pass to one another is a value of this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from attrs import field, frozen


class Coding(Enum):
    """How the rows of a page are coded on the line (ITU-T T.4 and T.6)."""

    MH = "mh"  # T.4 one-dimensional
    MR = "mr"  # T.4 two-dimensional
    MMR = "mmr"  # T.6


class FaxCause(Enum):
    """Why a call ended as it did."""

    OK = "ok"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    NO_DIALTONE = "no-dialtone"
    NO_CARRIER = "no-carrier"
    CONGESTION = "congestion"
    REJECTED = "rejected"
    BAD_NUMBER = "bad-number"
    NOT_A_FAX = "not-a-fax"
    INCOMPATIBLE = "incompatible"
    CANNOT_TRAIN = "cannot-train"
    DROPPED = "dropped"
    PAGE_REFUSED = "page-refused"
    POLL_REFUSED = "poll-refused"
    NOT_ALLOWED = "not-allowed"
    BAD_DOCUMENT = "bad-document"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    LINE_DOWN = "line-down"
    INTERNAL = "internal"


@frozen
class FaxPage:
    """One page of black and white.

    :ivar width, rows: pixels.
    :ivar x_res, y_res: pixels an inch: 204 by 98, 196 or 391 on most machines.
    :ivar data: one strip in ``coding``, most significant bit first, white runs first; MMR ends with EOFB, MH and MR
        have no RTC.
    :ivar bad_rows: rows that came damaged and could not be mended.
    """

    width: int
    rows: int
    x_res: int
    y_res: int
    coding: Coding
    data: bytes = field(repr=False)
    bad_rows: int = 0


@frozen
class FaxCapabilities:
    """What a line can do.

    :ivar codings: in which pages may be handed to it; empty = it asks for a whole document and codes itself.
    :ivar widths: of pages, pixels; ``resolutions`` lines an inch.
    :ivar max_pages: of one call; ``max_octets`` of its document; 0 = no bound known.
    :ivar reports_pages: it tells page by page what the far end has confirmed; ``reports_cause`` why a call failed, and
        ``reports_cost`` what it cost.
    :ivar subaddress: it can give the far end a subaddress (ITU-T T.33), ``password`` a password (T.30 PWD).
    :ivar steered: it begins a call at the rate, and with or without error correction, as the job says.
    :ivar polls: it can fetch what another machine offers (T.30 DTC), and provides ``IPollingLine``; ``polled`` other
        machines can fetch from it, and it provides ``IPolledLine``.
    """

    send: bool = True
    receive: bool = False
    codings: tuple[Coding, ...] = (Coding.MMR, Coding.MR, Coding.MH)
    widths: tuple[int, ...] = (1728, 2048, 2432)
    resolutions: tuple[int, ...] = (98, 196, 391)
    max_pages: int = 0
    max_octets: int = 0
    reports_pages: bool = True
    reports_cause: bool = True
    reports_cost: bool = False
    subaddress: bool = True
    password: bool = False
    steered: bool = True
    polls: bool = False
    polled: bool = False


@frozen
class FaxJob:
    """What a line is asked to send, or to fetch; it never changes.

    :ivar id: of this try, unique in the office; fit for a file name.
    :ivar number: E.164 with its plus; empty for an extension that has none.
    :ivar dial: what is dialled, after the dial rules.
    :ivar subaddress: for the far end, digits; empty = none. ``password`` likewise (ITU-T T.30 PWD). Of a job that
        fetches: which box of the far end is meant (SEP).
    :ivar ident: our station identification (TSI; CIG of a job that fetches), at most 20 characters.
    :ivar first_page: from 0; what came before was confirmed in an earlier call.
    :ivar total: pages of the whole fax; 0 of a job that fetches, since nobody knows.
    :ivar deadline: microseconds UTC; no call begins after it.
    :ivar sender: mail address of whoever sends it, ``submitter`` the id of that user, ``subject`` of the mail; for
        lines that go by mail.
    """

    id: str
    number: str
    dial: str
    total: int
    first_page: int = 0
    subaddress: str = ""
    ident: str = ""
    ecm: bool = True
    max_rate: int = 14_400
    deadline: int = 0
    sender: str = ""
    submitter: int = 0
    subject: str = ""
    password: str = field(default="", repr=False)


@frozen
class FaxOutcome:
    """What a call came to.

    :ivar pages_confirmed: in this call, counted from the job's ``first_page``.
    :ivar handed_on: somebody else sees to it from here on, and only that one knows what becomes of it.
    :ivar end_sent: the last page was sent and its confirmation is not known: the far end may have all of it.
    :ivar remote_id: how the far end calls itself.
    :ivar rate: bits a second, 0 = unknown; ``seconds`` of the call.
    :ivar native: the driver's own code and words, for the log and the report.
    :ivar cost: in the currency of the office's prices, 0 = unknown.
    :ivar left: we only look away: the line's own machine goes on with the job, and ``find`` meets it again.
    """

    cause: FaxCause
    pages_confirmed: int = 0
    end_sent: bool = False
    remote_id: str = ""
    rate: int = 0
    ecm: bool = False
    seconds: float = 0.0
    native: str = ""
    cost: float = 0.0
    left: bool = False
    handed_on: bool = False


@frozen
class Ringing:
    """A call that comes in, as far as the line knows before it answers.

    :ivar id: of the call, unique for the line for ever; fit for a file name.
    :ivar caller: the caller's number, as the line gives it; ``called`` the number that was dialled.
    :ivar station, subaddress, password: what the sending machine says of itself and asks for (TSI, SUB, PWD), of a
        machine that polls CIG, SEP and PWD; empty until it has been heard.
    """

    id: str
    line: str
    caller: str = ""
    called: str = ""
    display: str = ""
    station: str = ""
    subaddress: str = ""
    password: str = field(default="", repr=False)


@frozen
class CallFacts:
    """What is known at the end of a call that came in.

    :ivar station: identification of the sending machine (TSI); ``subaddress`` that it asked for; ``password`` (PWD).
    """

    cause: FaxCause
    station: str = ""
    subaddress: str = ""
    rate: int = 0
    ecm: bool = False
    seconds: float = 0.0
    password: str = field(default="", repr=False)


@frozen
class CallEvent:
    """What happens in a call that goes out.

    :ivar kind: ``dialing``, ``ringing``, ``answered``, ``negotiated``, ``page`` or ``hangup``.
    :ivar page: of ``page``: from 0 in the whole fax, and confirmed by the far end.
    """

    kind: str
    page: int = -1
    facts: Mapping[str, object] = field(factory=dict, hash=False)
