"""Routing, the one door, and the agents that hand on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from zope.interface import Attribute, Interface

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.headers import Headers
from mailshare.core.report import Action, ReportDetails
from mailshare.core.values import Account, Directory, Hop, Origin, Outcome, QueueItem, Receipt, Routing, SentMark, User
from mailshare.interfaces.bodies import IBody


class IRouter(Interface):
    """Pure routing: no waiting, no state."""

    def route(
        envelope: Envelope,
        headers: Headers,
        origin: Origin,
        directory: Directory,
        known: Mapping[str, SentMark],
    ) -> Routing:
        """Who gets it and why. Never raises for what a message says.

        :param known: those Message-IDs of the message's References that are ours.
        """


class IGateway(Interface):
    """Recipients that are handed on otherwise than as mail, e.g. the number of a fax machine."""

    def claims(address: Address) -> bool:
        """Whether a recipient is one of these; asked before anything else is thought of it."""

    def hops(recipient: Recipient, user: User | None, headers: Headers | None = None) -> Sequence[Hop]:
        """The queue rows that it makes.

        :param user: who logged in; ``None`` for everybody else.
        :param headers: of the message, once it is there; before, rows that depend on them are left out.
        :raises PolicyRefusal: this sender may not write there, or there is no such recipient.
        """

    def collected(headers: Headers, account: Account, directory: Directory) -> Sequence[Hop]:
        """The queue rows of a message that was fetched from a provider, by what the provider wrote of its envelope.

        :returns: nothing when it is mail as any other.
        :raises PolicyRefusal: it is meant for this gateway, and its sender or recipient is not allowed.
        """

    def examine(envelope: Envelope, body: IBody, user: User | None = None) -> Awaitable[None]:
        """See before it is taken whether the message can be handed on; called when one of its recipients is claimed.

        :param user: who logged in.
        :raises PolicyRefusal: it never can.
        """


class IReportDetails(Interface):
    """What an agent adds to the reports about its rows."""

    def details(items: Sequence[QueueItem], action: Action, reader: User) -> Awaitable[ReportDetails]:
        """For one report to a local user; never fails for what the rows were about."""


class IIntake(Interface):
    """The one door."""

    def accept(
        envelope: Envelope, body: IBody, origin: Origin, headers: Headers | None = None
    ) -> Awaitable[Receipt]:
        """Route and store in one transaction; fires when durable.

        :param headers: the body's header block, by a source that has read it already.
        :raises PolicyRefusal: the router or a rule says no (SMTP: 550; a collector never gets this).
        :raises Unavailable: not now; nothing was stored.
        """


    def accept_together(
        messages: Sequence[tuple[Envelope, IBody, Origin, Headers | None]],
    ) -> Awaitable[Sequence[Receipt | None]]:
        """Route and store usual messages in one transaction; fires when durable.

        :param messages: in order, each with its header block, unless that is long.
        :returns: for each its receipt; ``None`` when it has to be handed in alone, by :meth:`accept`: it is none of the
            usual ones, or something went wrong. Nothing of it was stored then, unless its bookmark says so.
        """


class IForecast(Interface):
    """Says whom the door would give a message to, without taking it."""

    def who_gets(envelope: Envelope, header: bytes, origin: Origin) -> Awaitable[Sequence[int]]:
        """Ids of the users in whose mailboxes a collected message with this header block would be put.

        :raises MailshareError: it cannot be said.
        """


class IAgent(Interface):
    """Hands on one kind of delivery."""

    name: str = Attribute("'relay', 'fax', 'print' ...")

    def deliver(
        batch: Sequence[QueueItem], progress: Callable[[int, Mapping[str, object]], None]
    ) -> Awaitable[Sequence[Outcome]]:
        """Try rows of one submission and one route; one outcome for each, in any order.

        Never raises for what the peer does: that is an outcome. ``progress(item id, JSON)`` keeps what a resume needs.
        :cancel: stops as soon as the peer allows; rows without outcome go back to the queue.
        """


class ISettled(IAgent):
    """An agent that keeps notes of its own about rows until what became of them is written down."""

    def settled(rows: Sequence[int]) -> Awaitable[None]:
        """These rows, by number, are over, and that is durable: their notes may go.

        Not before: a stop of the server in between gives the rows to the agent once more.
        """


class ILaned(IAgent):
    """An agent with several ways out that must not wait for one another."""

    def lane(item: QueueItem) -> str:
        """The way out that a row would take now. Rows of one lane are tried a few at a time, lanes beside each other;
        a batch of :meth:`IAgent.deliver` never spans two."""

    def room(item: QueueItem) -> int:
        """How many batches of this row's lane are of use at the same time, at least 1."""
