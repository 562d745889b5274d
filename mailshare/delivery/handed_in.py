"""One message that local people and devices hand in over SMTP: its header made right, and its octets on their way.

The header block is held back until it is whole (at most 256 KiB), made right once, and written to the store with what
follows it; the body itself streams through and is never held in memory.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.autoreply import is_automatic
from mailshare.core.derived import changed, derived
from mailshare.core.envelope import Envelope
from mailshare.core.errors import MailshareError, MessageTooLarge, PolicyRefusal, Unavailable
from mailshare.core.headers import BYTE_ORDER_MARK, Field, Headers, begins_with_text, octets_of, split_block
from mailshare.core.identity import envelope_sender, sending_account, submission_header
from mailshare.core.recipients import Local, Outside, resolve_recipient
from mailshare.core.report_parts import date_text
from mailshare.core.returned_parts import is_report
from mailshare.core.values import Account, Directory, Origin, User, UserKind
from mailshare.delivery.intake import LONG_HEADER
from mailshare.delivery.moments import micros
from mailshare.delivery.outbound_size import refuse_too_large
from mailshare.interfaces import IBodySink, ISubmission

if TYPE_CHECKING:
    from mailshare.delivery.submission import Desk

PUBLIC = "Nobody may send as PUBLIC"
_HIDDEN = frozenset({"bcc", "resent-bcc"})
_SHORT_FROM = 160  # octets of a field that is remembered
_MOST_FROMS = 1_000  # for each directory
_HEADER_END = b"\r\n\r\n"
_LONG = "The header of this message is longer than this server takes"
_PROTOCOLS = frozenset(
    ["SMTP", "ESMTP", "ESMTPS", "ESMTPA", "ESMTPSA", "UTF8SMTP", "UTF8SMTPS", "UTF8SMTPA", "UTF8SMTPSA"]
)


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
        octets, start = data, 0  # most often the first ones have the whole header
        if held:
            start = max(0, len(held) - 3)
            held += data
            octets = bytes(held)
        end = 2 if octets[:2] == b"\r\n" else octets.find(_HEADER_END, start) + 4
        whole = end != 3
        if (end if whole else len(octets)) > self._desk.rules.max_header:
            return self._fail(MessageTooLarge(_LONG))
        if not whole:
            if not held:
                held += data
            return None
        self._header = None
        if end > LONG_HEADER:
            return Deferred.fromCoroutine(self._begin_aside(octets[:end], octets[end:]))
        try:
            return self._sink.write(self._made_right(octets[:end]) + octets[end:])
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
        """A message without an empty line is all header, unless it begins with text: then it has none."""
        if octets and not octets.endswith(b"\r\n"):
            octets += b"\r\n"
        self._header = None
        wait = self._pass_on(self._made_right(octets if begins_with_text(octets) else octets + b"\r\n"))
        if wait is not None:
            await wait

    def _made_right(self, block: bytes) -> bytes:
        """The header block as it is stored; sets the envelope's sender to the identity that mail leaves with.

        What is no header but the beginning of a text stands behind an empty line.
        It is read here once for all that follows: the door is given its fields.
        """
        if begins_with_text(block):
            return self._made_right(b"\r\n") + block
        block = block.removeprefix(BYTE_ORDER_MARK)  # in front of our own fields it is at home nowhere
        trace, host = self._origin.trace, self._directory.hostname
        date = date_text(micros(self._desk.clock))
        received = f"Received: by {host} with {self._protocol}\r\n\tid {trace}; {date}\r\n".encode()
        if self._user is None or self._from_partner(self._user):
            return self._completed(received + block, f"<{trace}@{host}>", date)
        headers = Headers.parse(block)
        self._not_in_a_circle(headers, 0)
        whole = split_block(block)[0] if headers.cut else headers.fields
        made = self._rewritten(self._user, headers, Headers(tuple(whole)) if headers.cut else headers, received, date)
        # A block that begins with a continuation line has another meaning below our Received.
        if not headers.cut and whole and whole[0].title:
            self._stored = made
        rest = block[sum(map(len, map(octets_of, whole))) :]
        return b"".join(map(octets_of, made.fields)) + rest

    def _not_in_a_circle(self, headers: Headers, ours: int) -> None:
        """Look how many servers it went through.

        :param ours: Received fields that were put there just now.
        """
        if len(headers.by_name.get("received", ())) > self._desk.rules.max_hops + ours:
            raise PolicyRefusal("This message goes in a circle", code=554, enhanced=(5, 4, 6))

    def _completed(self, block: bytes, message_id: str, date: str) -> bytes:
        """The block of a device that did not log in: nothing is changed but what must not go on or has to be there.

        :param block: with our Received on top.
        """
        headers = Headers.parse(block)
        self._not_in_a_circle(headers, 1)
        dated, named, cut = "date" in headers.by_name, headers.own_id, headers.cut
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
        self, user: User, headers: Headers, whole: Headers, received: bytes, date: str
    ) -> Headers:
        """The header as it is stored.

        :param whole: with what ``headers`` has cut.
        """
        trace, host = self._origin.trace, self._directory.hostname
        self._nobodyis_public(user, headers)
        self._account = account = sending_account(headers, user, self._directory, self._envelope.sender)
        if self._envelope.sender is not None or not (is_report(headers) or is_automatic(headers)):
            sender = envelope_sender(user, account)
            self._envelope = changed(self._envelope, sender=sender if sender.domain else Address(sender.local, host))
        made, steps = submission_header(
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
        if steps:
            self._origin = changed(self._origin, steps=(*self._origin.steps, *steps))
        return made

    def _from_partner(self, user: User) -> bool:
        """Whether a partner hands it in, and for a gateway here alone: then it stays somebody's elsewhere."""
        known = user.name.casefold() in self._desk.rules.partners
        return known and all(self._desk.gateway(one.address) is not None for one in self._envelope.recipients)

    def _nobodyis_public(self, user: User, headers: Headers) -> None:
        """PUBLIC is a place to write to and no sender, whatever the policy for From is."""
        directory, trusted = self._directory, self._origin.trusted
        known, found = _known_senders(directory), headers.by_name.get("from", ())
        usual = len(found) == 1 and len(found[0].raw) <= _SHORT_FROM and directory.user_by_id.get(user.id) is user
        key = user.id, trusted, found[0].raw if usual else b""
        if usual and key in known:
            return
        for box in headers.mailboxes("from"):
            where = resolve_recipient(box.address, sender_user=user, directory=directory, trusted=trusted)
            if is_public(where, directory):
                raise PolicyRefusal(PUBLIC)
        if usual and len(known) < _MOST_FROMS:
            known.add(key)


@derived
def _known_senders(directory: Directory) -> set[tuple[int, bool, bytes]]:
    """From fields that name no PUBLIC, by user, trust and octets: a program writes the same each time."""
    del directory
    return set()


def is_public(where: object, directory: Directory) -> bool:
    """The address means everybody."""
    users = directory.user_by_id
    return isinstance(where, Local) and any(users[one].kind is UserKind.PUBLIC for one in where.user_ids)


def _id_domain(account: Account | None, host: str) -> str:
    return account.address.domain if account is not None and account.address.domain else host


def protocol_word(word: str) -> str:
    """The ``with`` word (RFC 3848, RFC 6531); anything else is not echoed into a header."""
    return word if word in _PROTOCOLS else "ESMTP"
