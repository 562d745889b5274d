"""A print job: what somebody asked for, its documents, and what is known of it.

States and their reasons are those of IPP from end to end (RFC 8011 sections 5.3.7 and 5.3.8).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum

from attrs import field, frozen


class PrintState(IntEnum):
    """``job-state``."""

    PENDING = 3
    HELD = 4
    PROCESSING = 5
    STOPPED = 6
    CANCELED = 7
    ABORTED = 8
    COMPLETED = 9

    @property
    def final(self) -> bool:
        """It never changes again."""
        return self >= PrintState.CANCELED


@frozen
class PrintMail:
    """What is known of the mail that brought a job, for a job that a printing server took from one.

    :ivar id: of the job as its sender knows it: the manifest's, or the job's own uuid for an ordinary mail.
    :ivar sender: address in ``From``, as it came; ``reply`` where news of the job go, empty = nobody is told.
    :ivar message_id: of the mail, with angle brackets, or empty; ``trace`` what ``mailshare why`` is asked for.
    :ivar level: how well the sender proved who he is, 0 to 3; ``proof`` the same in words.
    :ivar kid: the key that signed the job, or empty.
    :ivar guest: nothing was proved; what holds for guests holds.
    :ivar pin: a release must name it (SHA-256, hexadecimal), or empty.
    :ivar pages: counted before printing, all copies together; -1 = they could not be counted.
    :ivar ignored: what was asked for and nobody here knows or can do.
    :ivar of: id of the job that this one prints again, or empty.
    """

    id: str
    sender: str = ""
    reply: str = ""
    message_id: str = ""
    trace: str = ""
    level: int = 0
    proof: str = ""
    kid: str = ""
    guest: bool = False
    pin: str = field(default="", repr=False)
    pages: int = -1
    ignored: tuple[str, ...] = ()
    of: str = ""


@frozen
class PrintTicket:
    """What the sender asked for.

    :ivar uuid: of the job, for ever and everywhere; 36 characters.
    :ivar queue: name of the destination or group that it was sent to.
    :ivar user: who sent it, as he called himself; ``user_id`` when that is a login of this office.
    :ivar name: of the job, at most 255 octets.
    :ivar members: names of the destinations it goes to; the queue itself, or the members of a group.
    :ivar options: by the names of IPP's Job Template attributes, JSON values; only those that were asked for.
    :ivar notify: when the sender wants mail: ``done``, ``error``, ``trace``, ``pages``.
    :ivar fidelity: print exactly so or not at all.
    :ivar via: how it came: ``ipp``, ``ipps``, ``lpd``, ``socket``, ``command``, ``mail``; ``peer`` from which address.
    :ivar language: of its texts.
    :ivar expires: when nobody tries any more, microseconds UTC; 0 = the office's rule.
    :ivar mail: of a job for a printer of this office that came by mail.
    """

    uuid: str
    queue: str
    user: str = ""
    name: str = ""
    members: tuple[str, ...] = ()
    options: Mapping[str, object] = field(factory=dict, hash=False)
    notify: tuple[str, ...] = ()
    fidelity: bool = False
    via: str = "ipp"
    peer: str = ""
    language: str = "en"
    user_id: int | None = None
    expires: int = 0
    mail: PrintMail | None = None


@frozen
class PrintDocument:
    """One document of a job.

    :ivar number: from 1.
    :ivar message_id: the stored message that holds it; 0 before it is stored.
    :ivar offset: octets of the header lines in front of it there; ``length`` its own; ``digest`` SHA-256 of these.
    :ivar format: media type as it was found out; ``declared`` as the sender says.
    :ivar canceled: it is not to be printed.
    :ivar pages: as they were counted here; 0 = they cannot be counted, -1 = nobody tried.
    :ivar options: as of the ticket, for this document alone.
    """

    number: int
    format: str
    length: int
    digest: bytes
    offset: int = 0
    message_id: int = 0
    name: str = ""
    declared: str = ""
    language: str = ""
    canceled: bool = False
    pages: int = -1
    options: Mapping[str, object] = field(factory=dict, hash=False)


@frozen
class Handed:
    """How far a document of a job has come on its way into a device; durable before the next step.

    :ivar document: its number in the job.
    :ivar ref: text of its :class:`~mailshare.core.values.DeviceRef`; empty = it was about to be sent.
    :ivar whole: the device has all of it.
    """

    document: int
    ref: str = ""
    whole: bool = False


@frozen
class PrintMember:
    """How a job stands at one of its destinations.

    :ivar reasons: keywords of ``job-state-reasons``.
    :ivar message: in words, for the sender.
    :ivar impressions, sheets: completed so far, as the printer says; -1 = it does not.
    :ivar certainty: ``handed-over``, ``accepted``, ``completed``, ``unknown``, or empty before anything is known.
    :ivar part: octets of each part, when it travels by mail and was cut; 0 before.
    :ivar serial: how often it was cut or begun anew; each time it travels under another name.
    :ivar printed: numbers of its documents that the far end has reported as printed.
    :ivar handed: how far its documents have come on their way into a device here.
    """

    state: PrintState = PrintState.PENDING
    reasons: tuple[str, ...] = ()
    message: str = ""
    impressions: int = -1
    sheets: int = -1
    certainty: str = ""
    part: int = 0
    serial: int = 0
    printed: tuple[int, ...] = ()
    handed: tuple[Handed, ...] = ()


@frozen
class PrintJob:
    """A job as it stands.

    :ivar id: ``job-id``, greater than 0.
    :ivar closed: all documents are there.
    :ivar state, reasons, message: of the whole job, combined from its members.
    :ivar held: it waits to be released, whoever holds it.
    :ivar created, processing, completed: microseconds UTC; 0 = not yet.
    :ivar order: jobs of a queue go by this, smaller first.
    :ivar told: marks of what its sender was told by mail.
    """

    id: int
    ticket: PrintTicket
    state: PrintState
    created: int
    reasons: tuple[str, ...] = ()
    message: str = ""
    documents: tuple[PrintDocument, ...] = ()
    members: Mapping[str, PrintMember] = field(factory=dict, hash=False)
    closed: bool = False
    held: bool = False
    processing: int = 0
    completed: int = 0
    order: int = 0
    told: tuple[str, ...] = ()

    @property
    def octets(self) -> int:
        """Of all documents."""
        return sum(one.length for one in self.documents)

    @property
    def pages(self) -> int:
        """Of all documents that are to be printed, once; 0 = nobody knows."""
        counted = [one.pages for one in self.documents if not one.canceled]
        return sum(counted) if all(pages > 0 for pages in counted) else 0

    @property
    def impressions(self) -> int:
        """Completed at all destinations together; -1 = nobody knows."""
        return _known_sum(one.impressions for one in self.members.values())

    @property
    def sheets(self) -> int:
        """As :attr:`impressions`."""
        return _known_sum(one.sheets for one in self.members.values())


@frozen
class PrintNews:
    """Something that the printing server has to say about one job to whoever sent it.

    :ivar happening: a word of :class:`mailshare.core.print_status.Happening`: ``received``, ``refused``, ``resend``.
    :ivar printer: its name; ``id`` of the job as its sender knows it; ``name`` of the job.
    :ivar to: address that is told; never empty.
    :ivar message_id: of the mail that it is about, with angle brackets, or empty; ``trace`` of that mail.
    :ivar kid: key that the answer is signed with, or empty.
    :ivar error: keyword, ``words`` the same for people.
    :ivar missing: parts that have not come.
    """

    happening: str
    printer: str
    id: str
    at: int
    to: str
    name: str = ""
    message_id: str = ""
    trace: str = ""
    kid: str = ""
    level: int = 0
    error: str = ""
    words: str = ""
    missing: tuple[int, ...] = ()
    ignored: tuple[str, ...] = ()


def _known_sum(numbers: Iterable[int]) -> int:
    known = [one for one in numbers if one >= 0]
    return sum(known) if known else -1


@frozen
class PrintChange:
    """What somebody has learned of a job, or wants of it; ``None`` leaves a thing as it is.

    :ivar member: of one destination alone; empty = of all of them.
    :ivar held: hold or release.
    :ivar options, name, notify: new ones in place of the ticket's (Set-Job-Attributes).
    :ivar documents: new ones in place of all.
    :ivar told: marks of what its sender was told by mail, besides those that are there; also of a job that is over.
    :ivar again: start anew from the beginning, also out of a final state (Restart-Job).
    """

    member: str = ""
    state: PrintState | None = None
    reasons: tuple[str, ...] | None = None
    message: str | None = None
    impressions: int | None = None
    sheets: int | None = None
    certainty: str | None = None
    part: int | None = None
    serial: int | None = None
    printed: tuple[int, ...] | None = None
    handed: tuple[Handed, ...] | None = None
    held: bool | None = None
    options: Mapping[str, object] | None = field(default=None, hash=False)
    name: str | None = None
    notify: tuple[str, ...] | None = None
    documents: tuple[PrintDocument, ...] | None = None
    order: int | None = None
    told: tuple[str, ...] = ()
    again: bool = False
