"""What local people and devices hand in over SMTP: who may send as whom to where.

The message itself is :mod:`mailshare.delivery.handed_in`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import Factory, define, frozen
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.derived import changed
from mailshare.core.devices import Device, device_at
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import MailshareError, MessageTooLarge, NoSuchUser, PolicyRefusal, Unavailable
from mailshare.core.ladder import step
from mailshare.core.printer_places import Printed
from mailshare.core.recipients import Local, Named, Outside, Unknown, resolve_recipient
from mailshare.core.trace import trace_id
from mailshare.core.values import Directory, Origin, PrinterPlace, Source, Step, User
from mailshare.delivery.agreed import Agreed
from mailshare.delivery.handed_in import PUBLIC, LocalSubmission, is_public, protocol_word
from mailshare.delivery.moments import Aside, at_once, micros
from mailshare.delivery.outbound_size import Largest, any_size, refuse_too_large
from mailshare.delivery.quotas import Quotas
from mailshare.interfaces import (
    IAvatarAuthor,
    IGateway,
    IIntake,
    ISession,
    IStore,
    ISubmission,
    ISubmitter,
    IWholeEnvelopes,
)
from mailshare.shell.steps import first_step

_LOG_IN = "Log in first"
_TOO_MANY = "Too many recipients for one message; send the rest in another"


@frozen
class SubmissionRules:
    """What is taken.

    :ivar policy: what becomes of the From field: ``fix``, ``enforce`` or ``keep``.
    :ivar max_size: octets of a message.
    :ivar max_header: octets of its header block.
    :ivar max_hops: ``Received`` lines after which a message goes in a circle (RFC 5321 section 6.3).
    :ivar devices: machines that are known by their address; the journal names them.
    :ivar partners: login names of other gateways: what they hand in for a gateway here keeps its own sender.
    """

    policy: str = "fix"
    max_recipients: int = 200
    max_size: int = 50 * 1024 * 1024
    max_header: int = 256 * 1024
    max_hops: int = 30
    devices: tuple[Device, ...] = ()
    partners: frozenset[str] = frozenset()


@define
class Desk:
    """What every submitter works with.

    :ivar rules: may be replaced while the server runs; what is handed in from then on goes by the new ones.
    :ivar token: gives that many random octets.
    :ivar largest: what the ways out take, so that what is too large for all of them is refused here.
    """

    store: IStore
    intake: IIntake
    clock: IReactorTime
    token: Callable[[int], bytes]
    rules: SubmissionRules = SubmissionRules()
    aside: Aside = at_once
    quotas: Quotas | None = None
    largest: Largest = any_size
    gateways: Sequence[IGateway] = ()
    agreed: Agreed = Factory(Agreed)

    def gateway(self, address: Address) -> IGateway | None:
        """Who takes a recipient that is handed on otherwise than as mail."""
        for one in self.gateways:
            if one.claims(address):
                return one
        return None

    def submitter(self, user: User | None) -> LocalSubmitter:
        """The SMTP avatar of a user, or of nobody."""
        return LocalSubmitter(self, user)


@implementer(ISubmitter, IWholeEnvelopes, IAvatarAuthor)
class LocalSubmitter:
    """Somebody who hands in mail: a user who logged in, or nobody, who may write to local people only."""

    def __init__(self, desk: Desk, user: User | None) -> None:
        self.user_id: int | None = user.id if user is not None else None
        self.name = user.name if user is not None else ""
        self._desk = desk

    async def sender(self, envelope: Envelope, session: ISession) -> None:
        """Look at who it is, at the size and, under the policy ``enforce``, at the sender.

        :raises MessageTooLarge: 552 5.3.4. :raises PolicyRefusal: 550 5.7.1, the address is somebody else's;
            530 5.7.0, nobody from outside the trusted networks writes without a login.
        """
        if self._stranger(session) and not self._for_strangers():
            raise PolicyRefusal(_LOG_IN, code=530, enhanced=(5, 7, 0))
        if envelope.size > self._desk.rules.max_size:
            raise MessageTooLarge
        user, directory = self._user()
        if user is None or envelope.sender is None:
            return
        where = resolve_recipient(envelope.sender, sender_user=user, directory=directory, trusted=session.trusted)
        if is_public(where, directory):
            raise PolicyRefusal(PUBLIC)
        if self._desk.rules.policy != "enforce" or not session.protocol.endswith("A"):
            return
        if user.name.casefold() in self._desk.rules.partners:
            return
        own = (isinstance(where, Local) and user.id in where.user_ids) or (
            isinstance(where, Named) and where.account_id in user.accounts
        )
        if not own:
            raise PolicyRefusal("This sender address is not yours to use")

    async def recipient(self, envelope: Envelope, recipient: Recipient, session: ISession) -> None:
        """Say whether mail to this recipient is taken.

        :raises Unavailable: 452 4.5.3 beyond the limit of recipients.
        :raises NoSuchUser: 550 5.1.1. :raises PolicyRefusal: 550 5.7.1, the outside for somebody who may not.
        :raises MessageTooLarge: 552 5.3.4, no way out takes a message of that size.
        """
        if len(envelope.recipients) >= self._desk.rules.max_recipients:
            raise Unavailable(_TOO_MANY, code=452, enhanced=(4, 5, 3))
        user, directory = self._user()
        gateway = self._desk.gateway(recipient.address)
        if gateway is not None:
            gateway.hops(recipient, user)
            return
        where = resolve_recipient(recipient.address, sender_user=user, directory=directory, trusted=session.trusted)
        places = self._for_strangers() if self._stranger(session) else ()
        if places and not (isinstance(where, Printed) and where.place in places):
            raise PolicyRefusal(_LOG_IN, code=530, enhanced=(5, 7, 0))
        if isinstance(where, Local):
            quotas = self._desk.quotas
            if quotas is not None:
                for user_id in where.user_ids:
                    await quotas.room(directory.user_by_id[user_id], envelope.size)
        elif isinstance(where, Unknown):
            if where.reason in {"local-only", "no-account"}:
                raise PolicyRefusal(where.public)
            raise NoSuchUser(where.public)
        elif isinstance(where, Outside):
            if user is None:
                raise PolicyRefusal("Relaying denied: log in to send mail to the outside")
            refuse_too_large(self._desk.largest, user.accounts, recipient.address, envelope.size)

    def _stranger(self, session: ISession) -> bool:
        """Nobody who logged in, from nowhere that is trusted: may write to printers that take that, and no further."""
        return self.user_id is None and not session.trusted

    def _for_strangers(self) -> Sequence[PrinterPlace]:
        """Printers to which anybody may write."""
        return [place for place in self._desk.store.directory.current().printers if place.strangers]

    async def submit(self, envelope: Envelope, session: ISession) -> ISubmission:
        """A place for the message.

        :raises StorageFull: 452 4.3.1. :raises MessageTooLarge: 552 5.3.4.
        """
        user, directory = self._user()
        return self._place(envelope, self._origin(session), user, directory, session.protocol)

    def whole(self, envelope: Envelope, session: ISession) -> ISubmission | None:
        """Sender, recipients and a place for the message at once, for local people whose mailboxes have no bound."""
        desk, protocol = self._desk, session.protocol
        who = self.user_id, session.peer, session.helo, session.secure, session.trusted, protocol
        directory = desk.store.directory.current()
        try:
            known = desk.agreed.find(envelope, who, directory, desk.rules)
            if known is None:
                if not self._usual(envelope, session) or first_step(self.sender(envelope, session)) is not None:
                    return None
                known = self._origin(session), self._user()[0]
                desk.agreed.keep(envelope, who, directory, desk.rules, known)
            if desk.gateways and any(desk.gateway(one.address) for one in envelope.recipients):
                return None
            return self._place(envelope, known[0], known[1], directory, protocol)
        except MailshareError:
            return None

    def _usual(self, envelope: Envelope, session: ISession) -> bool:
        """Whether :meth:`recipient` takes each of them whenever it is asked."""
        if self._stranger(session) or len(envelope.recipients) > self._desk.rules.max_recipients:
            return False
        user, directory = self._user()
        for one in envelope.recipients:
            where = resolve_recipient(one.address, sender_user=user, directory=directory, trusted=session.trusted)
            if not isinstance(where, Local) or any(directory.user_by_id[each].quota for each in where.user_ids):
                return False
        return True

    def _place(
        self, envelope: Envelope, origin: Origin, user: User | None, directory: Directory, protocol: str
    ) -> LocalSubmission:
        """A place for the message, which gets its trace now.

        :param origin: but for that.
        """
        desk = self._desk
        if envelope.size > desk.rules.max_size:
            raise MessageTooLarge
        sink = desk.store.new_body(envelope.size)
        origin = changed(origin, trace=trace_id(micros(desk.clock), desk.token(3)))
        return LocalSubmission(desk, sink, envelope, origin, user, directory, protocol_word(protocol))

    def _origin(self, session: ISession) -> Origin:
        """Where its messages come from, without the trace of any."""
        return Origin(
            Source.SMTP,
            "",
            self.user_id,
            peer=session.peer,
            helo=session.helo,
            secure=session.secure,
            trusted=session.trusted,
            steps=self._machine(session),
        )

    def _machine(self, session: ISession) -> tuple[Step, ...]:
        """The machine that hands in without a login (``ESMTPA`` and the like have one, RFC 3848), for the journal."""
        devices = self._desk.rules.devices
        device = device_at(devices, session.peer) if devices and not session.protocol.endswith("A") else None
        return () if device is None else (step("device", device.name),)

    def _user(self) -> tuple[User | None, Directory]:
        """The user as the directory has him now.

        :raises PolicyRefusal: he was switched off or taken away since he logged in.
        """
        directory = self._desk.store.directory.current()
        if self.user_id is None:
            return None, directory
        user = directory.user_by_id.get(self.user_id)
        if user is None or not user.enabled:
            raise PolicyRefusal("This login may not send mail any more", enhanced=(5, 7, 1))
        return user, directory
