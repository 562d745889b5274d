"""The queues of a HylaFAX server as listings: the form that we ask for, and what the lines say.

Fields are parted by a control character, which no field can have: the server makes what came over a telephone line
printable before it lists it.

Source: faxstat(1) of HylaFAX 6.0 for the letters of the forms.
"""

from __future__ import annotations

import re
from typing import Final

from attrs import frozen

from mailshare.core.values.fax import FaxCause

JOB_FORM: Final = r"%j\037%a\037%p\037%y\037%d\037%J\037%s"
RECEIVED_FORM: Final = r"%f\037%z\037%p\037%n\037%a\037%b\037%h\037%s\037%j\037%i"
_MOST = 20_000  # lines of a listing
_NAME = re.compile(r"fax[A-Za-z0-9._-]{1,100}\Z")


@frozen
class QueuedJob:
    """A job of the send queue or of the done queue.

    :ivar state: a letter: ``T`` suspended, ``P`` waits for its time, ``S`` sleeps, ``B`` blocked, ``W`` waits for a
        modem, ``R`` runs, ``D`` done, ``F`` failed, ``?`` none of these.
    :ivar pages: that the far end has confirmed, of ``total``.
    :ivar tag: as the client gave it; ``status`` in the server's own words.
    """

    number: str
    state: str
    pages: int
    total: int
    dials: int
    tag: str
    status: str

    @property
    def over(self) -> bool:
        """Nothing more will happen to it."""
        return self.state in ("D", "F")


@frozen
class ReceivedFax:
    """A file of the receive queue.

    :ivar arriving: the call is not over yet.
    :ivar size: octets; ``seconds`` of the call; ``rate`` bits a second.
    :ivar station: how the sending machine calls itself; ``subaddress`` that it asked for.
    :ivar caller: the caller's number and ``display`` name, where the telephone network tells them.
    """

    name: str
    arriving: bool
    pages: int
    size: int
    subaddress: str
    rate: int
    seconds: int
    station: str
    caller: str
    display: str


def read_jobs(listing: bytes) -> list[QueuedJob]:
    """The jobs of a listing in :data:`JOB_FORM`; what is no such line is passed over."""
    jobs = []
    for row in _rows(listing, 7):
        number, state, pages, total, dials, tag, status = row
        if number.isdecimal() and len(state) == 1:
            jobs.append(QueuedJob(number, state, _number(pages), _number(total), _number(dials), tag, status.strip()))
    return jobs


def read_received(listing: bytes) -> list[ReceivedFax]:
    """The files of a listing in :data:`RECEIVED_FORM`, likewise."""
    found = []
    for name, arriving, pages, size, subaddress, rate, lasted, station, caller, display in _rows(listing, 10):
        if _NAME.match(name):
            seconds = 0
            for part in lasted.strip().split(":")[-3:]:
                seconds = seconds * 60 + _number(part)
            facts = (subaddress.strip(), _number(rate), seconds, station.strip(), caller.strip(), display.strip())
            found.append(ReceivedFax(name, "*" in arriving, _number(pages), _number(size), *facts))
    return found


def _rows(listing: bytes, fields: int) -> list[list[str]]:
    lines = listing.decode("utf-8", "replace").split("\n")[:_MOST]
    rows = [line.removesuffix("\r").split("\x1f", fields - 1) for line in lines]
    return [row for row in rows if len(row) == fields]


def _number(text: str) -> int:
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


_CAUSES: Final = (
    # The order counts: HylaFAX puts "too many attempts to dial" before the reason of the last one.
    ("aborted by request|killed|interrupted by user", FaxCause.NOT_ALLOWED),
    ("kill time expired|time window", FaxCause.TIMEOUT),
    ("busy signal", FaxCause.BUSY),
    ("no answer from remote|ringback detected, no answer|ring detected without", FaxCause.NO_ANSWER),
    ("no local dial ?tone|no loop current", FaxCause.NO_DIALTONE),
    ("glare", FaxCause.CONGESTION),
    ("blacklisted|rejected by the network", FaxCause.REJECTED),
    ("invalid dialing command|unable to convert dial string", FaxCause.BAD_NUMBER),
    ("data connection established", FaxCause.NOT_A_FAX),
    (r"no carrier|phase a|no receiver protocol|no answer \(t\.30", FaxCause.NO_CARRIER),
    (r"fail\w* to train|train remote|dcs (?:sent|not)|all possible signalling rates", FaxCause.CANNOT_TRAIN),
    ("unable to transmit page|rtn", FaxCause.PAGE_REFUSED),
    ("not supported by client|client does not support|no t.4 receiver|cannot receive", FaxCause.INCOMPATIBLE),
    (
        "conver|not valid tiff|no documents|no work found|document file|document directory|not in a group|page width",
        FaxCause.BAD_DOCUMENT,
    ),
    ("wedged|not registered|lock modem|setup modem|open modem|modem is configured|modem device", FaxCause.LINE_DOWN),
    (
        r"response|disconnect|t\.30|comrec|rsprec|protocol|v\.21|v\.34|phase|carrier|ecm|timeout|eop|mps|eom|pin",
        FaxCause.DROPPED,
    ),
)


def cause_of(status: str) -> FaxCause:
    """Why a job failed, by the server's own words: its code 333 hides every reason for which no call came about."""
    folded = status.casefold()
    return next((cause for words, cause in _CAUSES if re.search(words, folded)), FaxCause.INTERNAL)
