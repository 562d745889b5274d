"""``mailshare fax``: what the panel of a fax machine does."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from email.message import EmailMessage
from email.policy import SMTP
from typing import TYPE_CHECKING

from mailshare.assembly.changes import Changes
from mailshare.assembly.shapes import moment, queue_json
from mailshare.config import Config
from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import NoSuchJob, NotPossible, PeerFault, Unavailable
from mailshare.core.trace import trace_id
from mailshare.core.values import Origin, QueueItem, QueueState, Source, User, UserKind
from mailshare.interfaces import IBody
from mailshare.shell.new_body import new_body

if TYPE_CHECKING:
    from mailshare.assembly.fax_room import FaxRoom

_LARGEST = 100 * 1024 * 1024
_PIECE = 262_144


class FaxActs(Changes):
    """Sends, lists, shows, cancels and sends again; put together with a class that knows the running server.

    :ivar fax: set by a running server.
    """

    fax: FaxRoom | None = None
    _config: Callable[[], Config] | None

    # ------------------------------------------------------------------ looking

    async def fax_queue(self, *, all: bool = False, limit: int = 200) -> Sequence[Mapping[str, object]]:  # noqa: A002
        """Faxes, newest first.

        :param all: also those that are over.
        """
        rows = await self._store.queue.items(agent="fax", open_only=not all, limit=min(max(limit, 1), 1000))
        return [self._fax_json(row) for row in rows]

    async def fax_show(self, *, id: int) -> Mapping[str, object]:  # noqa: A002
        """One fax with every call."""
        row = await self._fax_row(id)
        calls = [
            {"at": moment(int(str(one.get("at", 0)))), "reply": one.get("reply", ""), **_told(one.get("detail"))}
            for one in await self._store.queue.attempts(row.id)
        ]
        return {**self._fax_json(row), "calls": calls}

    async def fax_lines(self) -> Sequence[Mapping[str, object]]:
        """The lines and what was seen of them."""
        return self._fax_room().running().facts()

    async def fax_book(self) -> Sequence[Mapping[str, object]]:
        """The address book as the file declares it."""
        if self._config is None:
            raise Unavailable("Nothing is known of the address book here")
        return [
            {
                "name": one.name,
                "short": one.short,
                "number": one.number or ", ".join(one.members),
                "subaddress": one.subaddress,
                "who": ", ".join(each for each in (one.title, one.company) if each),
            }
            for one in self._config().tables.fax_contact
        ]

    # ------------------------------------------------------------------ acting

    async def fax_send(
        self, *, file: str, to: Sequence[str], user: str = "", subject: str = "", text: str = ""
    ) -> Mapping[str, object]:
        """Send a file of this machine.

        :param file: absolute path.
        :param to: numbers, names of the address book, or whole fax addresses.
        :param user: login of the sender, who gets the reports; empty = the first ADMIN.
        :param text: goes before the file, or onto the cover page.
        """
        office = self._fax_room().running()
        sender = self._sender(user)
        domain = office.rules.domains[0]
        recipients = [Recipient(_fax_recipient(one, domain)) for one in to]
        for one in recipients:
            office.gateway.hops(one, sender)
        body = await new_body(self._store, _letter(sender, self._directory().hostname, file, subject, text, recipients))
        envelope = self._envelope(sender, recipients, body)
        await office.gateway.examine(envelope, body)
        return await self._hand_in(envelope, body, sender)

    async def fax_cancel(self, *, id: int) -> Mapping[str, object]:  # noqa: A002
        """Give a fax up, also in the middle of a call."""
        row = await self._fax_row(id)
        if not await self._fax_room().cancel(row.id):
            raise NotPossible(f"Fax {id} is over already")
        return {"id": row.id}

    async def fax_resend(self, *, id: int) -> Mapping[str, object]:  # noqa: A002
        """Send a fax that is over once more, from its first page."""
        row = await self._fax_row(id)
        if row.state in (QueueState.QUEUED, QueueState.ACTIVE, QueueState.HELD):
            raise NotPossible(f"Fax {id} is not over yet; mailshare outbox retry {id} tries it now")
        sender = self._directory().user_by_id.get(row.submitter_id or 0)
        if sender is None:
            raise NotPossible(f"Whoever sent fax {id} is not here any more")
        body = await self._store.queue.body(row.message_id)
        envelope = self._envelope(sender, [Recipient(Address.parse(row.address))], body)
        copy = b"".join([piece async for piece in _pieces(body)])
        return await self._hand_in(envelope, await new_body(self._store, copy), sender)

    # ------------------------------------------------------------------ inside

    def _fax_room(self) -> FaxRoom:
        if self.fax is None:
            raise Unavailable("The server does not run; start it first")
        return self.fax

    async def _fax_row(self, number: int) -> QueueItem:
        row = await self._store.queue.item(number)
        if row is None or row.agent != "fax":
            raise NoSuchJob(f"There is no fax {number}")
        return row

    def _fax_json(self, row: QueueItem) -> dict[str, object]:
        out = queue_json(row, self._directory())
        attempt = None
        if self.fax is not None and self.fax.office is not None:
            attempt = self.fax.office.agent.attempts.get(row.id)
        if attempt is not None:
            out["state"] = attempt.state
        return {**out, "number": row.params.get("number", ""), "toll": row.params.get("toll", "")}

    def _sender(self, login: str) -> User:
        directory = self._directory()
        if login:
            return self._user(login)
        admin = next((one for one in directory.users if one.kind is UserKind.ADMIN), None)
        if admin is None:
            raise NotPossible("There is no account yet, so there is no ADMIN; say whose fax it is")
        return admin

    def _envelope(self, sender: User, recipients: Sequence[Recipient], body: IBody) -> Envelope:
        """With the sender's address: the null sender would get no report."""
        return Envelope(Address(sender.name, self._directory().hostname), tuple(recipients), size=body.size)

    async def _hand_in(self, envelope: Envelope, body: IBody, sender: User) -> Mapping[str, object]:
        trace = trace_id(self._clock(), os.urandom(3))
        origin = Origin(Source.WEB, trace, user_id=sender.id)
        receipt = await self._fax_room().door().accept(envelope, body, origin)
        rows = await self._store.queue.items(agent="fax", message_id=receipt.message_id, open_only=False)
        return {"trace": trace, "faxes": sorted(row.id for row in rows), "user": sender.name}


def _fax_recipient(text: str, domain: str) -> Address:
    """A number, a name of the book, or an address."""
    if "@" in text:
        return Address.parse(text)
    compact = "".join(char for char in text if char not in " ()/-.")
    number = compact.removeprefix("+").isdecimal()
    return Address.parse(f"FAX={compact}@{domain}" if number and len(compact) > 4 else f"{compact}@{domain}")


def _letter(
    sender: User, host: str, file: str, subject: str, text: str, recipients: Sequence[Recipient]
) -> bytes:
    """The mail that carries the file."""
    try:
        with open(file, "rb") as stream:
            data = stream.read(_LARGEST + 1)
    except OSError as fault:
        raise PeerFault(f"{file} cannot be read: {fault.strerror}", code=400) from fault
    if len(data) > _LARGEST:
        raise PeerFault(f"{file} is larger than {_LARGEST} octets", code=413)
    message = EmailMessage()
    message["From"] = f"{sender.name}@{host}"
    message["To"] = ", ".join(str(one.address) for one in recipients)
    message["Subject"] = subject or os.path.basename(file)
    message.set_content(text)
    kind = mimetypes.guess_type(file)[0] or "application/octet-stream"
    major, _, minor = kind.partition("/")
    message.add_attachment(data, maintype=major, subtype=minor, filename=os.path.basename(file))
    return message.as_bytes(policy=SMTP)


async def _pieces(body: IBody) -> AsyncIterator[bytes]:
    position = 0
    while position < body.size:
        piece = await body.read(position, _PIECE)
        position += len(piece)
        yield piece


def _told(detail: object) -> dict[str, object]:
    if not isinstance(detail, Mapping):
        return {}
    fields = detail.get("fields")
    return {
        "cause": detail.get("cause", ""),
        "line": detail.get("line", ""),
        **({str(name): text for name, text in fields.items()} if isinstance(fields, Mapping) else {}),
    }
