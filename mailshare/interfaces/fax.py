"""Telephone lines for faxes, and who sends and receives over them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from zope.interface import Attribute, Interface

from mailshare.core.values.fax import (
    CallEvent,
    CallFacts,
    Coding,
    FaxCapabilities,
    FaxCause,
    FaxJob,
    FaxOutcome,
    FaxPage,
    Ringing,
)
from mailshare.interfaces.provider import ISurroundings


class IFaxPages(Interface):
    """The pages of one fax, coded when a line asks for them."""

    count: int = Attribute("pages of the whole fax")

    def encode(page: int, coding: Coding) -> Awaitable[FaxPage]:
        """One page, from 0, in that coding."""

    def document(first: int) -> Awaitable[bytes]:
        """The pages from ``first`` on as a TIFF file (RFC 3949), for lines that take documents."""


class IFaxCall(Interface):
    """A call that goes out."""

    id: str = Attribute("that of its job")

    def when_done() -> Awaitable[FaxOutcome]:
        """What it came to; never fails for what the line or the far end does. May be asked several times."""

    def settled() -> Awaitable[None]:
        """What it came to is on stable storage: a line that asks a machine of its own may let it forget the job.

        Until then the machine must be able to tell it once more, to a server that starts again.
        """

    def observe(call: Callable[[CallEvent], Awaitable[None] | None]) -> None:
        """Be told of what happens. The line waits for what is returned before it goes on.

        In ``facts``: of ``negotiated`` ``rate``, ``ecm``, ``remote_id``; of ``submitted``, by lines that hand a job to
        a machine of its own, ``native``: by that :meth:`IFaxLine.find` finds it again after a restart.
        ``begun`` is told before a page goes out, ``page`` when the far end has confirmed it.
        """


class IFaxReceiver(Interface):
    """Who takes faxes that come in."""

    def screen(call: Ringing) -> Awaitable[FaxCause]:
        """Asked before the call is answered, and again once the sending machine has said who it is: OK = take it.

        Anything else ends the call, for this cause.
        """

    def page_received(call: Ringing, number: int, page: FaxPage) -> Awaitable[None]:
        """A page has come, from 0. The line confirms it to the far end only after this has fired: it is durable.

        :raises MailshareError: it cannot be kept; the line must not confirm it.
        """

    def finished(call: Ringing, facts: CallFacts) -> Awaitable[None]:
        """The call is over."""

    def unreadable(call: Ringing, facts: CallFacts, document: bytes, why: str) -> Awaitable[None]:
        """A fax has come as a document that gives no pages; in place of :meth:`page_received` and :meth:`finished`.

        When this has fired, the document is kept as it came, and people hear of it: the line may let go of its own.

        :param document: its octets; empty = the line cannot get them.
        :param why: what is wrong, a sentence for people.
        :raises MailshareError: not now; the line keeps the document, and says so again later.
        """


class IFaxLine(Interface):
    """A trunk, a pool of modems, or the account at a provider.

    Retries are not its business: one job is one call.
    """

    name: str = Attribute("unique in the office")
    capabilities: FaxCapabilities = Attribute("what it can do")
    trouble: str = Attribute("why it is of no use now, for people; empty = it serves, as far as it knows")

    def start() -> None:
        """Begin to serve; the receiver is set already."""

    def stop() -> Awaitable[None]:
        """End calls as soon as the protocol allows; fires when none is left."""

    def set_receiver(receiver: IFaxReceiver) -> None:
        """Who is asked about calls that come in."""

    def free_channels() -> int:
        """How many calls it could begin now; 0 also while it is known to be down."""

    def send(job: FaxJob, pages: IFaxPages) -> IFaxCall:
        """Begin a call. Observers that are added in this turn of the reactor miss nothing."""

    def find(native: str, job: FaxJob) -> IFaxCall | None:
        """The call that a line's own machine may still be making, after a restart; ``None`` where there is none."""

    def cancel(call_id: str) -> Awaitable[bool]:
        """End a call; its outcome says CANCELLED, unless it was over. False when there is none."""


class IPollingLine(IFaxLine):
    """A line that can fetch what another machine offers (ITU-T T.30: DTC, with SEP and PWD).

    Its capabilities say ``polls``.
    """

    def poll(job: FaxJob, receiver: IFaxReceiver) -> IFaxCall:
        """Call, and fetch what that machine has for us.

        ``receiver`` is told as of a call that came in, whose ``id`` is the job's: ``screen`` once the far machine has
        agreed, with its number as ``caller``; each page before the line confirms it; ``finished`` before the outcome.
        Where it raises a :class:`~mailshare.core.errors.PolicyRefusal` the outcome is NOT_ALLOWED, else INTERNAL.
        Observers hear ``page`` when the receiver has it. POLL_REFUSED: the far machine has nothing for us.
        """

    def find_poll(native: str, job: FaxJob, receiver: IFaxReceiver) -> IFaxCall | None:
        """The call that a line's own machine may still be making, after a restart; ``None`` where there is none."""


class IFaxOffer(Interface):
    """What one machine that polls is given."""

    pages: IFaxPages = Attribute("in their order; at least one")

    def page_taken(number: int) -> Awaitable[None]:
        """The far machine has confirmed a page, from 0. What is not told so does not count as taken."""

    def finished(facts: CallFacts) -> Awaitable[None]:
        """The call is over, in whatever way."""


class IFaxOffers(Interface):
    """Who has pages for machines that poll."""

    def waiting(call: Ringing) -> Awaitable[bool]:
        """Whether somebody who calls may find something here: what a line says of itself when it answers (DIS)."""

    def offered(call: Ringing) -> Awaitable[IFaxOffer | None]:
        """What a machine gets that polls (DTC), has said who it is and asks for a box (CIG, SEP, PWD).

        From here on the receiver hears no more of this call. ``None``: nothing; the line ends the call, and does not
        say whether the box or the password was wrong.
        """


class IPolledLine(IFaxLine):
    """A line from which other machines can fetch. Its capabilities say ``polled``."""

    def set_offers(offers: IFaxOffers) -> None:
        """Who is asked when a machine that calls wants to poll; the receiver is asked to ``screen`` it before."""


class IFaxLineSurroundings(ISurroundings):
    """What a line of a kind of its own is built with: its ``[[fax_line]]``, and what the office lends it.

    The factory stands behind an entry point of the group ``mailshare.fax_lines``; it makes an :class:`IFaxLine`.
    """

    name: str = Attribute("of the line")
    numbers: tuple[str, ...] = Attribute("its own, with plus; * stands for any digits")
    channels: int = Attribute("calls at the same time")
    directory: str = Attribute("relative paths in options start here")

    def aside(act: Callable[[], object]) -> Awaitable[object]:
        """Run what waits for a disk, outside the reactor's thread."""

    def secret(name: str) -> Awaitable[str]:
        """A password or key of the table ``secrets``, asked for each time, so that a changed file is seen.

        :returns: empty when the table does not name it.
        :raises ConfigFault: it leads nowhere.
        """
