"""Lets avatars of Twisted's own kind, ``IMessageDelivery`` and ``IMessageDeliveryFactory``, serve as ``ISubmitter``.

``twisted.mail`` is imported only when an avatar asks for it, which then has imported it anyway.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from attrs import frozen
from twisted.internet.defer import maybeDeferred
from zope.interface import Interface, implementer

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import LocalFault, MailshareError, NoSuchUser, PolicyRefusal, Unavailable
from mailshare.interfaces import ISession, ISubmission, ISubmitter


@lru_cache(maxsize=1)
def avatar_interfaces() -> tuple[type[Interface], ...]:
    """What a portal is asked for, the best first."""
    from twisted.mail.interfaces import IMessageDelivery, IMessageDeliveryFactory  # noqa: PLC0415 - see above

    return ISubmitter, IMessageDeliveryFactory, IMessageDelivery


def submitter_for(interface: object, avatar: Any) -> ISubmitter:
    """The avatar itself, or an adapter around it.

    :param interface: which of :func:`avatar_interfaces` the realm chose.
    """
    if interface is ISubmitter:
        submitter: ISubmitter = avatar
        return submitter
    ours, factory, delivery = avatar_interfaces()
    if interface is factory:
        return DeliverySubmitter(avatar.getMessageDelivery)
    if interface is delivery:
        return DeliverySubmitter(lambda: avatar)
    raise LocalFault(f"The realm gave an avatar of another kind than {ours.__name__}")


@frozen(eq=False)
class StockAddress:
    """An address in the shape that Twisted's realms know: octets."""

    local: bytes
    domain: bytes

    @classmethod
    def of(cls, address: Address | None) -> StockAddress:
        """Translate; the null sender has no parts."""
        if address is None:
            return cls(b"", b"")
        return cls(address.local.encode(), address.domain.encode())

    def __bytes__(self) -> bytes:
        return self.local + b"@" + self.domain if self.domain else self.local

    def __str__(self) -> str:
        return bytes(self).decode()


@frozen(eq=False)
class StockUser:
    """A recipient in the shape that ``validateTo`` knows."""

    dest: StockAddress
    helo: tuple[bytes, bytes]
    protocol: object
    orig: StockAddress

    def __str__(self) -> str:
        return str(self.dest)


def _translated(error: Exception, otherwise: MailshareError) -> MailshareError:
    """Our error for one of Twisted's, whose ``code`` and ``resp`` are what the peer is told."""
    code, text = getattr(error, "code", None), getattr(error, "resp", b"")
    if not isinstance(code, int) or not 400 <= code <= 599:
        return otherwise
    public = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    kind = Unavailable if code < 500 else PolicyRefusal
    return kind(public, code=code, enhanced=(code // 100, 0, 0))


async def _ask(otherwise: MailshareError, call: Callable[..., Any], *arguments: object) -> Any:
    """Call a realm's method, which may return a value or a Deferred; its refusals become ours."""
    from twisted.mail.smtp import SMTPServerError  # noqa: PLC0415 - see above

    try:
        return await maybeDeferred(call, *arguments)
    except SMTPServerError as error:
        raise _translated(error, otherwise) from error


@implementer(ISubmitter)
class DeliverySubmitter:
    """Asks an ``IMessageDelivery``, a new one for each message if the realm gives a factory of them."""

    def __init__(self, delivery: Callable[[], Any]) -> None:
        self._new_delivery = delivery
        self._delivery: Any = None
        self._origin: object = None
        self._messages: list[tuple[Address, Callable[[], Any]]] = []

    @staticmethod
    def _helo(session: ISession) -> tuple[bytes, bytes]:
        return session.helo.encode(), session.peer.encode()

    async def sender(self, envelope: Envelope, session: ISession) -> None:
        """Ask ``validateFrom``."""
        self._delivery = self._new_delivery()
        self._messages = []
        refusal = PolicyRefusal("This sender is not taken here")
        origin = StockAddress.of(envelope.sender)
        self._origin = await _ask(refusal, self._delivery.validateFrom, self._helo(session), origin)

    async def recipient(self, envelope: Envelope, recipient: Recipient, session: ISession) -> None:
        """Ask ``validateTo``, and keep the maker of messages that it gives."""
        origin = StockAddress.of(envelope.sender)
        user = StockUser(StockAddress.of(recipient.address), self._helo(session), None, origin)
        self._messages.append((recipient.address, await _ask(NoSuchUser(), self._delivery.validateTo, user)))

    async def submit(self, envelope: Envelope, session: ISession) -> ISubmission:
        """Make a message for each recipient, and begin it with the realm's ``Received`` line."""
        wanted = {recipient.address for recipient in envelope.recipients}
        made = [make() for address, make in self._messages if address in wanted]
        self._messages = []
        users = [
            StockUser(StockAddress.of(each.address), self._helo(session), None, StockAddress.of(envelope.sender))
            for each in envelope.recipients
        ]
        header = await maybeDeferred(self._delivery.receivedHeader, self._helo(session), self._origin, users)
        submission = MessagesSubmission(made)
        if header:
            text = header.encode() if isinstance(header, str) else header
            submission.write(b"\r\n".join(text.splitlines()) + b"\r\n")
        return submission


@implementer(ISubmission)
class MessagesSubmission:
    """Feeds one stream of octets to several ``IMessage``, line by line as they want it."""

    def __init__(self, messages: list[Any]) -> None:
        self._messages = messages
        self._rest = b""

    def write(self, data: bytes) -> None:
        """Cut into lines."""
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        for line in lines:
            for message in self._messages:
                message.lineReceived(line)

    async def finish(self) -> str:
        """End every message; the first failure is raised when all have answered."""
        if self._rest:
            self.write(b"\r\n")
        messages, self._messages = self._messages, []
        failure: MailshareError | None = None
        for message in messages:
            try:
                await _ask(Unavailable(), message.eomReceived)
            except MailshareError as error:
                failure = failure or error
        if failure is not None:
            raise failure
        return ""

    def abort(self) -> None:
        """Tell every message that its client left."""
        messages, self._messages = self._messages, []
        for message in messages:
            message.connectionLost()
