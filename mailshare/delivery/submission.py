"""What local people and devices hand in over SMTP: who may send as whom to where, and the message on its way in.

The header block is held back until it is whole (at most 256 KiB), made right once, and written to the store with what
follows it; the body itself streams through and is never held in memory.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from attrs import Factory, define, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.autoreply import is_automatic
from mailshare.core.derived import changed
from mailshare.core.devices import Device, device_at
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import MailshareError, MessageTooLarge, NoSuchUser, PolicyRefusal, Unavailable
from mailshare.core.headers import BYTE_ORDER_MARK, Field, Headers, octets_of, split_block
from mailshare.core.identity import envelope_sender, sending_account, submission_header
from mailshare.core.ladder import step
from mailshare.core.printer_places import Printed
from mailshare.core.recipients import Local, Named, Outside, Unknown, resolve_recipient
from mailshare.core.report_parts import date_text
from mailshare.core.returned_parts import is_report
from mailshare.core.trace import trace_id
from mailshare.core.values import Account, Directory, Origin, PrinterPlace, Source, Step, User, UserKind
from mailshare.delivery.agreed import Agreed
from mailshare.delivery.intake import LONG_HEADER
from mailshare.delivery.moments import Aside, at_once, micros
from mailshare.delivery.outbound_size import Largest, any_size, refuse_too_large
from mailshare.delivery.quotas import Quotas
from mailshare.interfaces import (
    IAvatarAuthor,
    IBodySink,
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
_PUBLIC = "Nobody may send as PUBLIC"
_HIDDEN = frozenset({"bcc", "resent-bcc"})
_HEADER_END = b"\r\n\r\n"
_LONG = "The header of this message is longer than this server takes"
_PROTOCOLS = frozenset(
    ["SMTP", "ESMTP", "ESMTPS", "ESMTPA", "ESMTPSA", "UTF8SMTP", "UTF8SMTPS", "UTF8SMTPA", "UTF8SMTPSA"]
)


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
        if _is_public(where, directory):
            raise PolicyRefusal(_PUBLIC)
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
        return LocalSubmission(desk, sink, envelope, origin, user, directory, _protocol(protocol))

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


@implementer(ISubmission)
class LocalSubmission:
    """One message on its way in. A fault while it arrives is kept until the end, then said once."""

    _stored: Headers | None = None
    _fault: MailshareError | None = None
    _account: Account | None = None
    _size = 0

    def __init__(
        self,
        desk: Desk,
        sink: IBodySink,
        envelope: Envelope,
        origin: Origin,
        user: User | None,
        directory: Directory,
        protocol: str,
    ) -> None:
        self._desk = desk
        self._sink = sink
        self._envelope = envelope
        self._origin = origin
        self._user = user
        self._directory = directory
        self._protocol = protocol
        self._header: bytearray | None = bytearray()

    def write(self, data: bytes) -> Awaitable[None] | None:
        """Take octets; :meth:`finish` says what was wrong with them."""
        if self._fault is not None:
            return None
        self._size += len(data)
        if self._size > self._desk.rules.max_size:
            return self._fail(MessageTooLarge())
        held = self._header
        if held is None:
            return self._pass_on(data)
        # Most often the first octets have the whole header, and are looked at where they are.
        start = max(0, len(held) - 3)
        if held:
            held += data
        octets = held or data
        end = 2 if octets.startswith(b"\r\n") else octets.find(_HEADER_END, start) + len(_HEADER_END)
        whole = end == 2 or end >= len(_HEADER_END)
        if (end if whole else len(octets)) > self._desk.rules.max_header:
            return self._fail(MessageTooLarge(_LONG))
        if not whole:
            if not held:
                held += data
            return None
        self._header = None
        block, rest = bytes(octets[:end]), octets[end:]
        if end > LONG_HEADER:
            return Deferred.fromCoroutine(self._begin_aside(block, bytes(rest)))
        try:
            return self._sink.write(self._made_right(block) + rest)
        except MailshareError as fault:
            return self._fail(fault)

    async def finish(self) -> str:
        """Store it; the trace when it is durable.

        :raises PolicyRefusal, Unavailable: why not.
        """
        try:
            if self._header is not None and self._fault is None:
                await self._header_only(bytes(self._header))
            if self._fault is not None:
                raise self._fault
            self._fits_outside()
            body = await self._sink.finish()
            for gateway in self._desk.gateways:
                if any(gateway.claims(one.address) for one in self._envelope.recipients):
                    await gateway.examine(self._envelope, body, self._user)
        except BaseException:
            self._sink.abort()
            raise
        receipt = await self._desk.intake.accept(self._envelope, body, self._origin, self._stored)
        return receipt.trace

    def abort(self) -> None:
        """Forget it."""
        self._fault = self._fault or Unavailable()
        self._sink.abort()

    # ------------------------------------------------------------------ inside

    def _fits_outside(self) -> None:
        """Look at the size once more: the client need not have said it, and only now the account is known."""
        if self._account is None or self._user is None:
            return
        for recipient in self._envelope.recipients:
            if self._desk.gateway(recipient.address) is not None:
                continue
            where = resolve_recipient(
                recipient.address, sender_user=self._user, directory=self._directory, trusted=self._origin.trusted
            )
            if isinstance(where, Outside):
                refuse_too_large(self._desk.largest, (self._account.id,), recipient.address, self._size)

    def _fail(self, fault: MailshareError) -> Awaitable[None] | None:
        """Keep the fault for the end; ``None``, so that the octets that follow are taken and dropped."""
        self._fault = fault
        self._header = None
        self._sink.abort()
        return None

    def _pass_on(self, data: bytes) -> Awaitable[None] | None:
        try:
            return self._sink.write(data)
        except MailshareError as fault:
            return self._fail(fault)

    async def _begin_aside(self, block: bytes, rest: bytes) -> None:
        try:
            made = await self._desk.aside(lambda: self._made_right(block))
        except MailshareError as fault:
            self._fail(fault)
            return
        wait = self._pass_on(made + rest) if self._fault is None else None
        if wait is not None:
            await wait

    async def _header_only(self, octets: bytes) -> None:
        """A message without an empty line is all header."""
        if octets and not octets.endswith(b"\r\n"):
            octets += b"\r\n"
        self._header = None
        wait = self._pass_on(self._made_right(octets + b"\r\n"))
        if wait is not None:
            await wait

    def _made_right(self, block: bytes) -> bytes:
        """The header block as it is stored; sets the envelope's sender to the identity that mail leaves with.

        It is read here once for all that follows: the door is given its fields.
        """
        block = block.removeprefix(BYTE_ORDER_MARK)  # in front of our own fields it is at home nowhere
        trace, host = self._origin.trace, self._directory.hostname
        date = date_text(micros(self._desk.clock))
        received = f"Received: by {host} with {self._protocol}\r\n\tid {trace}; {date}\r\n".encode()
        if self._user is None or self._from_partner(self._user):
            return self._completed(received + block, f"<{trace}@{host}>", date)
        headers = Headers.parse(block)
        self._not_in_a_circle(headers, 0)
        whole = split_block(block)[0] if headers.cut else headers.fields
        fields = self._rewritten(self._user, headers, whole, received, date)
        # A block that begins with a continuation line has another meaning below our Received.
        if not headers.cut and whole and whole[0].name:
            self._stored = headers.below(fields[0]) if fields[1:] == headers.fields else Headers(fields)
        rest = block[sum(map(len, map(octets_of, whole))) :]
        return b"".join(map(octets_of, fields)) + rest

    def _not_in_a_circle(self, headers: Headers, ours: int) -> None:
        """Look how many servers it went through.

        :param ours: Received fields that were put there just now.
        """
        if len(headers.named("received")) > self._desk.rules.max_hops + ours:
            raise PolicyRefusal("This message goes in a circle", code=554, enhanced=(5, 4, 6))

    def _completed(self, block: bytes, message_id: str, date: str) -> bytes:
        """The block of a device that did not log in: nothing is changed but what must not go on or has to be there.

        :param block: with our Received on top.
        """
        headers = Headers.parse(block)
        self._not_in_a_circle(headers, 1)
        dated, named, cut = headers.named("date"), headers.own_id, headers.cut
        if dated and named and not cut and not headers.has(_HIDDEN):
            self._stored = headers
            return block
        whole = split_block(block)[0] if cut else headers.fields
        fields = [each for each in whole if each.key not in _HIDDEN]
        if not dated:
            fields.append(Field("Date", f"Date: {date}\r\n".encode()))
        if not named:
            fields.append(Field("Message-ID", f"Message-ID: {message_id}\r\n".encode()))
        if not cut:
            self._stored = Headers(tuple(fields))
        return b"".join(map(octets_of, fields)) + block[sum(map(len, map(octets_of, whole))) :]

    def _rewritten(
        self, user: User, headers: Headers, whole: Sequence[Field], received: bytes, date: str
    ) -> tuple[Field, ...]:
        """The fields of the block as they are stored.

        :param whole: all fields, those too that ``headers`` has cut.
        """
        trace, host = self._origin.trace, self._directory.hostname
        self._nobody_is_public(headers)
        self._account = account = sending_account(headers, user, self._directory, self._envelope.sender)
        if self._envelope.sender is not None or not (is_report(headers) or is_automatic(headers)):
            sender = envelope_sender(user, account)
            self._envelope = changed(self._envelope, sender=sender if sender.domain else Address(sender.local, host))
        fields, steps = submission_header(
            whole,
            user=user,
            account=account,
            directory=self._directory,
            # A machine is known by its address alone, so what it claims to be counts for nothing.
            policy=self._desk.rules.policy if self._protocol.endswith("A") else "fix",
            received=received,
            message_id=f"<{trace}@{_id_domain(account, host)}>",
            date=date,
        )
        self._origin = changed(self._origin, steps=(*self._origin.steps, *steps))
        return fields

    def _from_partner(self, user: User) -> bool:
        """Whether a partner hands it in, and for a gateway here alone: then it stays somebody's elsewhere."""
        known = user.name.casefold() in self._desk.rules.partners
        return known and all(self._desk.gateway(one.address) is not None for one in self._envelope.recipients)

    def _nobody_is_public(self, headers: Headers) -> None:
        """PUBLIC is a place to write to and no sender, whatever the policy for From is."""
        for box in headers.mailboxes("from"):
            where = resolve_recipient(
                box.address, sender_user=self._user, directory=self._directory, trusted=self._origin.trusted
            )
            if _is_public(where, self._directory):
                raise PolicyRefusal(_PUBLIC)


def _is_public(where: object, directory: Directory) -> bool:
    """The address means everybody."""
    users = directory.user_by_id
    return isinstance(where, Local) and any(users[one].kind is UserKind.PUBLIC for one in where.user_ids)


def _id_domain(account: Account | None, host: str) -> str:
    return account.address.domain if account is not None and account.address.domain else host


def _protocol(word: str) -> str:
    """The ``with`` word (RFC 3848, RFC 6531); anything else is not echoed into a header."""
    return word if word in _PROTOCOLS else "ESMTP"
