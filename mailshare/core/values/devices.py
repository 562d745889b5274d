"""Printers as their drivers see them: what they can, how they stand, and what became of a document that they got.

States and reasons are those of IPP (RFC 8011 sections 5.3.7, 5.4.11 and 5.4.12), whatever the device speaks.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum

from attrs import field, frozen

from mailshare.core.values.printing import PrintState


class Certainty(Enum):
    """How sure it is that paper came out."""

    COMPLETED = "completed"
    ACCEPTED = "accepted"
    HANDED_OVER = "handed-over"
    UNKNOWN = "unknown"
    NONE = ""


class PrinterState(IntEnum):
    """``printer-state`` (RFC 8011 section 5.4.11)."""

    IDLE = 3
    PROCESSING = 4
    STOPPED = 5


@frozen
class Capabilities:
    """What a device says that it can do.

    :ivar formats: media types that it takes, the one it likes best first; none = it does not say.
    :ivar options: names of Job Template attributes that it knows; ``None`` = it does not say.
    :ivar media, sides: values of ``media`` and ``sides``; none = it does not say.
    :ivar color: ``None`` = it does not say.
    :ivar resolutions: dots per inch.
    :ivar raster_types: ``black_1``, ``sgray_8`` ...; none = it does not say; ``sheet_back`` how it wants the back of a
        sheet, as in :class:`~mailshare.core.values.Conversion`.
    :ivar model: make and model in words.
    """

    formats: tuple[str, ...] = ()
    options: frozenset[str] | None = None
    media: tuple[str, ...] = ()
    sides: tuple[str, ...] = ()
    color: bool | None = None
    resolutions: tuple[int, ...] = ()
    raster_types: tuple[str, ...] = ()
    sheet_back: str = "normal"
    model: str = ""


@frozen
class PrinterStatus:
    """How a device stands.

    :ivar state: ``None`` = it cannot be reached, or cannot tell.
    :ivar reasons: keywords of ``printer-state-reasons``; none = nothing is wrong.
    :ivar message: in words.
    :ivar accepting: it takes jobs.
    :ivar queued: jobs that wait in it; -1 = it does not say.
    """

    state: PrinterState | None = None
    reasons: tuple[str, ...] = ()
    message: str = ""
    accepting: bool = True
    queued: int = -1


@frozen
class PrinterTask:
    """What a device is to do with one document.

    :ivar uuid: under which the device knows it: another one for each document, printer and reprint, the same one each
        time that this is tried.
    :ivar name: of the job, for people.
    :ivar options: by the names of IPP's Job Template attributes, JSON values.
    :ivar fidelity: print exactly so or not at all.
    :ivar job, document: their numbers in this office, for people.
    """

    uuid: str
    name: str = ""
    user: str = ""
    options: Mapping[str, object] = field(factory=dict, hash=False)
    fidelity: bool = False
    language: str = "en"
    job: int = 0
    document: int = 1


@frozen
class DeviceRef:
    """What a device calls a document that it was given.

    :ivar text: for its driver alone, at most 1,000 characters; a new driver object must understand it.
    """

    text: str


@frozen
class DeviceJob:
    """What a device says of a document that it was given.

    :ivar whole: all of the document has reached it; False = it waits for the rest, or was cut off.
    :ivar certainty: how sure that is.
    :ivar impressions, sheets: completed so far; -1 = it does not say.
    """

    state: PrintState
    reasons: tuple[str, ...] = ()
    message: str = ""
    impressions: int = -1
    sheets: int = -1
    certainty: Certainty = Certainty.NONE
    whole: bool = True
