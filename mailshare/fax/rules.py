"""What the configuration says about faxes, as the fax room knows it."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from mailshare.core.fax_causes import OwnRetries
from mailshare.core.fax_covers import NONE, STANDARD, FaxCover, chosen_cover
from mailshare.core.fax_dialling import USUAL_TOLLS, DialRules, Toll
from mailshare.core.fax_routing import FaxRoute
from mailshare.core.fax_times import LATER
from mailshare.core.values import Window
from mailshare.core.values.fax import FaxCause

HOUR = 3_600_000_000
ANY = "any"
"""In place of a selector: what a machine gets that polls and names no box."""


@frozen
class FaxContact:
    """Somebody in the address book, or a group.

    :ivar name: as it is written in an address before the @, and to the commands.
    :ivar number: as it is dialled or with a plus; empty for a group.
    :ivar short: abbreviated number or one-touch key, digits.
    :ivar members: names of the contacts of a group.
    """

    name: str
    number: str = ""
    short: str = ""
    subaddress: str = ""
    title: str = ""
    company: str = ""
    members: tuple[str, ...] = ()


@frozen
class FaxBox:
    """A box that faxes are put into by a route.

    :ivar kind: ``confidential`` (handed out once), ``bulletin`` (as often as somebody asks; the newest takes the place
        of the one before) or ``relay`` (passed on at once to all of ``to``).
    :ivar to: login names that may fetch from it, everybody who logs in when there are none; of a relay box: to whom.
    :ivar code: reference to the secret that opens it; empty = none.
    :ivar report: login name that hears what became of what a relay box passed on; empty = nobody.
    :ivar poll: the selector (ITU-T T.30 SEP) by that fax machines fetch from it; :data:`ANY` = by none, empty = never.
    :ivar poll_from: patterns of the numbers from which they may; none = any.
    """

    name: str
    kind: str
    to: tuple[str, ...] = ()
    code: Mapping[str, object] = field(factory=dict, hash=False)
    report: str = ""
    poll: str = ""
    poll_from: tuple[str, ...] = ()

    def polled_as(self, selector: str) -> bool:
        """Whether a machine that polls and names this box (ITU-T T.30 SEP), or none, means it."""
        wanted = selector.strip()
        return self.poll == wanted if wanted else self.poll == ANY


@frozen
class FaxCaller:
    """Who may send faxes to this office, when not everybody may; what is empty fits everything.

    :ivar caller: pattern of numbers, ``station`` of identifications.
    :ivar code: reference to the password that the sending machine has to give (ITU-T T.30 PWD, or tones).
    """

    caller: str = ""
    station: str = ""
    code: Mapping[str, object] = field(factory=dict, hash=False)


@frozen
class FaxMailbox:
    """A provider's mailbox whose mail may be faxes.

    :ivar account: its address, casefolded.
    :ivar header: the field in which the provider writes the envelope's recipient.
    :ivar user: login in whose name they are sent, and who is told.
    :ivar senders: patterns of mail addresses, casefolded.
    """

    account: str
    header: str
    user: str
    senders: tuple[str, ...]


@frozen
class FaxRules:
    """How faxes go out and come in.

    :ivar domains: of fax addresses; the first one stands in the addresses of senders.
    :ivar senders: login names that may send, ``*`` for everybody who logs in; nobody when it is empty.
    :ivar tolls: kinds of numbers that may be called.
    :ivar prices: a minute, by the word of the toll class; ``most_cost`` of one fax, 0 = no bound.
    :ivar tries: calls for one fax where its cause has no figure of its own.
    :ivar retries: what the office says of single causes in place of what is usual.
    :ivar lifetime: microseconds after which no call begins any more.
    :ivar station: how we call ourselves to far machines, at most 20 characters; ``owner`` stands in the head line.
    :ivar report: ``dsn``, ``mdn``, ``both`` or ``plain``; ``always``: also about what arrived, unasked;
        ``report_pdf``: with the transmission report as a PDF.
    :ivar inbox: who gets a fax that no route fits: local names or mail addresses.
    :ivar formats: of pages in mails: ``tiff``, ``pdf``, ``profile-s``.
    :ivar subject: what stands before the @ of the address whose number is the subject; empty = there is none.
    :ivar partners: login names of other gateways: reports go to the sender of the envelope, also when he is elsewhere.
    :ivar receipts: who hears that a fax was taken: ``never``, ``asked`` or ``always``.
    :ivar tell_sent, tell_failed: login names who get a copy of each report of that kind.
    :ivar cheap: hours in which numbers of ``cheap_tolls``, and faxes that are in no haste, are called.
    :ivar cover: faxes that do not ask for another, or for none, get the cover sheet ``cover_sheet``.
    :ivar text: what stands in a mail beside its attachments is sent too.
    :ivar split: a page whose barcode has a route of its own begins another mail.
    :ivar unrouted: what becomes of a call that no route fits: ``inbox``, or ``refuse``.
    :ivar own: patterns of the numbers of this office's lines.
    :ivar passed_on: faxes of one caller that a route passes on to one number within an hour.
    :ivar returns: patterns of callers who get a fax back when theirs could not be delivered.
    """

    domains: tuple[str, ...] = ("fax.localhost",)
    country: str = ""
    dialling: DialRules = field(factory=DialRules)
    senders: frozenset[str] = frozenset()
    tolls: frozenset[Toll] = frozenset(USUAL_TOLLS)
    prices: Mapping[str, float] = field(factory=dict, hash=False)
    most_cost: float = 0.0
    most_pages: int = 200
    tries: int = 6
    retries: Mapping[FaxCause, OwnRetries] = field(factory=dict, hash=False)
    lifetime: int = 12 * HOUR
    station: str = ""
    owner: str = ""
    head: bool = True
    cover: bool = False
    cover_sheet: str = STANDARD
    covers: tuple[FaxCover, ...] = ()
    text: bool = True
    paper: str = "A4"
    resolution: str = "fine"
    photos: str = "auto"
    report: str = "dsn"
    report_pdf: bool = False
    always: bool = True
    inbox: tuple[str, ...] = ("admin1",)
    formats: tuple[str, ...] = ("pdf",)
    routes: tuple[FaxRoute, ...] = ()
    refused: tuple[str, ...] = ()
    contacts: tuple[FaxContact, ...] = ()
    boxes: tuple[FaxBox, ...] = ()
    callers: tuple[FaxCaller, ...] = ()
    split: bool = False
    returns: tuple[str, ...] = ()
    mailboxes: tuple[FaxMailbox, ...] = ()
    subject: str = ""
    partners: frozenset[str] = frozenset()
    receipts: str = "asked"
    tell_sent: tuple[str, ...] = ()
    tell_failed: tuple[str, ...] = ()
    cheap: tuple[Window, ...] = ()
    cheap_tolls: frozenset[Toll] = frozenset()
    own: tuple[str, ...] = ()
    unrouted: str = "inbox"
    passed_on: int = 20

    def may_send(self, name: str) -> bool:
        """Whether somebody who logged in under that name may send faxes."""
        return bool(name) and ("*" in self.senders or name in self.senders)

    def waits_for_cheap(self, params: Mapping[str, object]) -> bool:
        """Whether a fax with these parameters of its row goes in cheap hours only."""
        if params.get("urgent"):
            return False
        return params.get("priority") == LATER or params.get("toll") in {one.value for one in self.cheap_tolls}

    def sheet(self, wish: object) -> FaxCover | None:
        """The cover sheet of a fax with this parameter ``cover`` of its row; ``None`` = it has none."""
        return chosen_cover(wish, self.cover_sheet if self.cover else NONE, self.covers)

    def contact(self, word: str) -> FaxContact | None:
        """By name or abbreviated number."""
        wanted = word.casefold()
        return next((one for one in self.contacts if wanted in (one.name.casefold(), one.short or None)), None)

    def box(self, name: str) -> FaxBox | None:
        """By name."""
        return next((one for one in self.boxes if one.name.casefold() == name.casefold()), None)

    @property
    def layout(self) -> dict[str, object]:
        """What the making of pages is told."""
        return {
            "paper": self.paper,
            "resolution": self.resolution,
            "photos": self.photos,
            "most_pages": self.most_pages,
        }
