"""A job as its sender knows it: its parts while they come in, then what became of it, so that nothing prints twice."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from attrs import field, frozen

from mailshare.core.values.printing import PrintMail


class SetState(IntEnum):
    """How a set stands."""

    COLLECTING = 1
    TAKEN = 2  # a print job was made of it
    ENDED = 3  # refused, or never whole


@frozen
class SetPart:
    """One part that has come.

    :ivar message_id: of the stored mail that holds it; ``offset`` octets of that mail before the part's body.
    :ivar length: octets, decoded; ``digest`` SHA-256 of these.
    """

    message_id: int
    offset: int
    length: int
    digest: bytes


@frozen
class PrintSet:
    """One job for one printer.

    :ivar key: its identity for ever: who vouches for it, its own id, the printer.
    :ivar manifest: what was signed, while it is being collected; ``digest`` SHA-256 of it, for ever.
    :ivar octets: of all parts together, as announced.
    :ivar have: the parts that have come, by number; ``total`` of them.
    :ivar last: when the last part came or was asked for, microseconds UTC, as all times.
    :ivar requests: how often parts were asked for.
    :ivar job: uuid of the print job, or empty; ``ended`` when that, or the set, was over, 0 = not yet.
    :ivar words: how it ended.
    """

    key: str
    printer: str
    created: int
    expires: int
    total: int
    octets: int
    digest: str
    mail: PrintMail
    manifest: bytes = b""
    id: int = 0
    state: SetState = SetState.COLLECTING
    have: Mapping[int, SetPart] = field(factory=dict, hash=False)
    last: int = 0
    requests: int = 0
    job: str = ""
    ended: int = 0
    words: str = ""


@frozen
class SetBounds:
    """How much may be collected at the same time; 0 = no bound.

    :ivar open_jobs, octets: of one sender. :ivar printer_octets: of all senders of one printer.
    """

    open_jobs: int = 0
    octets: int = 0
    printer_octets: int = 0
