"""A fax that came in, given to somebody else by hand: out of a mailbox it did not belong in, or out of a box.

People of this office get it into their mailboxes with all that holds for their mail (copies, mail that they have sent
on); whoever is elsewhere gets it through the one door, and a fax machine by telephone, its pages alone. What is given
by hand arrives, also where it lay before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from email.message import EmailMessage
from email.policy import SMTP

from attrs import define, evolve, field
from twisted.internet.interfaces import IReactorTime

from mailshare.core.address import Address
from mailshare.core.documents import NotConvertible
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import NoSuchUser, NotPossible, PolicyRefusal, Unavailable
from mailshare.core.forwarding import Onward, forward
from mailshare.core.headers import Headers
from mailshare.core.people import people_of
from mailshare.core.report_parts import date_text
from mailshare.core.retry import STANDARD
from mailshare.core.sorting import delivered_to
from mailshare.core.trace import trace_id
from mailshare.core.values import Event, Hop, Origin, Source, Step, Target, User, UserKind
from mailshare.core.work_list import handed_on
from mailshare.fax.gateway import AGENT, NUMBER, FaxGateway
from mailshare.fax.pictures import Pictures
from mailshare.interfaces import IBody, IIntake, IStore
from mailshare.shell.new_body import copied, new_body

_ENDS = {"application/pdf": "pdf"}


@define
class Takers:
    """Whom a fax is given to.

    :ivar people: of this office; ``outside`` addresses elsewhere; ``faxes`` rows of the queue, for fax machines.
    """

    people: list[User] = field(factory=list)
    outside: list[Address] = field(factory=list)
    faxes: list[Hop] = field(factory=list)

    @property
    def names(self) -> list[str]:
        """For the journal and for people."""
        numbers = [str(one.params["number"]) for one in self.faxes]
        return [*(one.name for one in self.people), *map(str, self.outside), *numbers]


class Giving:
    """Gives faxes.

    :param token: that many random octets.
    :ivar door: set when the office opens.
    """

    def __init__(
        self, store: IStore, gateway: FaxGateway, clock: IReactorTime, token: Callable[[int], bytes]
    ) -> None:
        self._store = store
        self._gateway = gateway
        self._clock = clock
        self._token = token
        self.door: IIntake | None = None

    def takers(self, names: Sequence[str]) -> Takers:
        """Read names of people, mail addresses, fax numbers with plus, and names of the fax address book.

        :raises NoSuchUser: nobody is called so; :raises PolicyRefusal: it cannot be given there.
        """
        found, directory = Takers(), self._store.directory.current()
        for name in names:
            if NUMBER.match(name.strip()):
                found.faxes += self._gateway.onward(self._gateway.address_of(name))
                continue
            address = Address.parse(name)
            near = not address.domain or address.domain.casefold() == directory.hostname.casefold()
            user = directory.user_by_name.get(address.local.casefold()) if near else None
            if self._gateway.claims(address):
                found.faxes += self._gateway.onward(address)
                continue
            if user is not None and not user.enabled:
                raise PolicyRefusal(f"{user.name} is disabled")
            if user is not None:
                found.people.append(user)
            elif near and self._gateway.rules.contact(address.local) is not None:
                found.faxes += self._gateway.onward(Address(address.local, self._gateway.rules.domains[0]))
            elif near:
                raise NoSuchUser(f"There is nobody called {address.local} here; write a mail address for others")
            else:
                found.outside.append(address)
        if not found.names:
            raise NotPossible("Say whom the fax is given to")
        return found

    async def move(self, user_id: int, uid: int, prefix: bytes, body: IBody, to: Takers, event: Event) -> None:
        """Out of one mailbox into others; those who are elsewhere first, so that none is lost.

        :param event: ``fax.given``; its trace is that of the message.
        """
        await self._away(body, to, event)
        targets, onward = await self._targets(body, to, prefix, event)
        at = self._now()
        await self._store.mailboxes.give(
            user_id,
            uid,
            [one for one in targets if one.user_id not in onward.emptied],
            onward.hops,
            at=at,
            events=[event],
            expires=at + STANDARD.give_up_after,
        )

    async def copy(self, body: IBody, to: Takers, event: Event) -> str:
        """Give a copy, and leave what there is where it is; the trace of the copy in mailboxes here, or empty."""
        await self._away(body, to, event)
        if not to.people:
            await self._store.events.append([event])
            return ""
        at = self._now()
        trace = trace_id(at, self._token(3))
        targets, onward = await self._targets(body, to, b"", event)
        local = self._store.directory.current().hostname
        recipients = tuple(Recipient(Address(one.name, local)) for one in to.people)
        await self._store.delivery.deliver(
            Envelope(None, recipients, size=body.size),
            await copied(self._store, body),
            self._origin(trace, event),
            [one for one in targets if one.user_id not in onward.emptied],
            onward.hops,
            [Event(event.at, event.kind, event.trace, data={**event.data, "as": trace})],
            at=at,
            expires=at + STANDARD.give_up_after,
        )
        for agent in dict.fromkeys(hop.agent for hop in onward.hops):
            self._store.notifier.wake(agent)
        return trace

    # ------------------------------------------------------------------ inside

    async def _away(self, body: IBody, to: Takers, event: Event) -> None:
        """To those who have no mailbox here."""
        if to.faxes:
            await self._faxed(body, to.faxes, event)
        if to.outside:
            await self._mailed(body, to, event)

    async def _faxed(self, body: IBody, hops: Sequence[Hop], event: Event) -> None:
        """Its pages go to fax machines, in the name of the first ADMIN, who hears what becomes of them.

        :raises NotPossible: the mail holds no pages.
        """
        directory = self._store.directory.current()
        author = next((one for one in directory.users if one.kind is UserKind.ADMIN), None)
        if author is None:
            raise NotPossible("There is no account yet, so there is no ADMIN in whose name it could be faxed")
        try:
            data, kind = await Pictures.pages_of(body)
        except NotConvertible as fault:
            raise NotPossible(fault.public) from fault
        at = self._now()
        trace = trace_id(at, self._token(3))
        sender = Address(author.name, directory.hostname)
        message = EmailMessage()
        message["From"], message["To"] = str(sender), ", ".join(hop.address for hop in hops)
        message["Subject"] = Headers.parse(await body.header()).text("subject") or "Fax"
        message["Date"], message["Message-ID"] = date_text(at), f"<{trace}@{directory.hostname}>"
        major, _, minor = kind.partition("/")
        message.add_attachment(data, maintype=major, subtype=minor, filename=f"fax.{_ENDS.get(kind, 'tif')}")
        octets = message.as_bytes(policy=SMTP)
        await self._store.delivery.deliver(
            Envelope(sender, tuple(Recipient(Address.parse(hop.address)) for hop in hops), size=len(octets)),
            await new_body(self._store, octets),
            evolve(self._origin(trace, event), user_id=author.id),
            (),
            hops,
            [Event(at, event.kind, trace, data={**event.data, "from": event.trace})],
            at=at,
            expires=at + STANDARD.give_up_after,
        )
        self._store.notifier.wake(AGENT)

    async def _mailed(self, body: IBody, to: Takers, event: Event) -> None:
        if self.door is None:
            raise Unavailable("The server is starting or stopping")
        account = next(iter(self._store.directory.current().accounts), None)
        if account is None:
            raise NotPossible("There is no account yet, so nothing can be sent to others")
        recipients = tuple(Recipient(one) for one in to.outside)
        envelope = Envelope(account.address, recipients, size=body.size)
        origin = self._origin(trace_id(self._now(), self._token(3)), event)
        receipt = await self.door.accept(envelope, await copied(self._store, body), origin)
        if not receipt.routing.hops:
            raise NotPossible(f"Nothing can be sent to {', '.join(map(str, to.outside))} from here")

    async def _targets(
        self, body: IBody, to: Takers, prefix: bytes, event: Event
    ) -> tuple[list[Target], Onward]:
        """Mailboxes, and what their owners have sent on."""
        directory = self._store.directory.current()
        targets = list(self._each(to.people, prefix))
        headers = Headers.parse(await body.header())
        origin = self._origin(event.trace, event)
        onward = forward(targets, headers, Envelope(None, ()), origin, directory, came_back=False)
        return targets, onward

    def _each(self, people: Sequence[User], prefix: bytes) -> Iterator[Target]:
        """Everybody named, PUBLIC as its members, then those who read along: nobody twice."""
        directory = self._store.directory.current()
        owners: dict[int, User] = {}
        for user in people:
            for one in self._members(user):
                owners[one] = directory.user_by_id[one]
        for owner in owners.values():
            line = f"Delivered-To: {delivered_to(owner, directory)}\r\n".encode()
            yield Target(owner.id, "given", handed_on(prefix, line))
        copied_to: set[int] = set()
        for owner in people:
            for reader in (directory.user_by_id.get(one) for one in owner.cc):
                if reader is not None and reader.enabled and reader.id not in owners and reader.id not in copied_to:
                    copied_to.add(reader.id)
                    lines = f"Delivered-To: {delivered_to(reader, directory)}\r\nX-Mailshare-Copy-For: {owner.name}\r\n"
                    yield Target(reader.id, "cc", handed_on(prefix, lines.encode()))

    def _members(self, user: User) -> Sequence[int]:
        if user.kind is not UserKind.PUBLIC:
            return (user.id,)
        directory = self._store.directory.current()
        owner = next((one for one in directory.accounts if one.public == user.name), None)
        if owner is None:
            raise NotPossible(f"{user.name} belongs to no account")
        return people_of(directory).sharers[owner.id].public_members

    def _origin(self, trace: str, event: Event) -> Origin:
        why = f"given to {', '.join(map(str, _listed(event.data.get('to'))))} by {event.data.get('by') or 'somebody'}"
        return Origin(Source.FAX, trace, peer="manager", steps=(Step("given", why[:200]),))

    def _now(self) -> int:
        return int(self._clock.seconds() * 1_000_000)


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()
