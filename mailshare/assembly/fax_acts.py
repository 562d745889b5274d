"""``mailshare fax`` and the manager's pages: what the panel of a fax machine does."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from typing import BinaryIO

from mailshare.assembly.fax_giving import FaxGivingActs
from mailshare.assembly.fax_looking import shown_picture, wide
from mailshare.assembly.fax_wishes import read_wishes
from mailshare.assembly.opening import zone_of
from mailshare.assembly.randomness import TOKENS
from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import NotPossible, PeerFault, Unavailable
from mailshare.core.fax_costs import Forecast
from mailshare.core.fax_covers import NONE, STANDARD, FaxCover
from mailshare.core.fax_report import RECEIPT
from mailshare.core.trace import TOKEN, trace_id
from mailshare.core.values import Origin, Source, User, UserKind
from mailshare.interfaces import IBody
from mailshare.shell.new_body import body_of_pieces
from mailshare.wire.print_mail import base64_lines

_LARGEST = 100 * 1024 * 1024
_PIECE = 262_144
_SELECTOR = 20  # digits of a SEP (ITU-T T.30)
_CODED = 57 * 4096  # octets that become whole lines of base64


class FaxActs(FaxGivingActs):
    """Sends, cancels and sends again; put together with a class that knows the running server."""

    async def fax_send(
        self,
        *,
        file: str,
        to: Sequence[str],
        user: str = "",
        subject: str = "",
        text: str = "",
        at: str = "",
        deadline: str = "",
        priority: str = "",
        cover: str = "",
        password: str = "",
        receipt: bool = False,
        forecast: bool = False,
    ) -> Mapping[str, object]:
        """Send a file of this machine.

        :param file: absolute path; the rest as :meth:`fax_document`.
        """
        with _opened(file) as stream:
            name = os.path.basename(file)
            facts = {"user": user, "subject": subject, "text": text, "at": at, "deadline": deadline, "cover": cover}
            facts["password"] = password
            return await self.fax_document(
                document=stream, to=to, name=name, priority=priority, receipt=receipt, forecast=forecast, **facts
            )

    async def fax_document(
        self,
        *,
        document: BinaryIO,
        to: Sequence[str],
        name: str = "",
        user: str = "",
        subject: str = "",
        text: str = "",
        at: str = "",
        deadline: str = "",
        priority: str = "",
        cover: str = "",
        password: str = "",
        receipt: bool = False,
        forecast: bool = False,
    ) -> Mapping[str, object]:
        """Send a document.

        :param document: read to its end.
        :param to: numbers, names of the address book, or whole fax addresses.
        :param name: of the document; its end tells what it is, where its octets do not.
        :param user: login of the sender, who gets the reports; empty = the first ADMIN.
        :param text: goes before the document, or onto the cover page.
        :param at: when it goes out, ``deadline`` when no call begins any more, ``priority`` its haste; see
            :func:`mailshare.assembly.fax_wishes.read_wishes`.
        :param cover: the cover sheet, ``none``, or empty for what holds for all.
        :param password: that the far machines ask for (ITU-T T.30 PWD), as that of a box there.
        :param receipt: the sender hears at once that it was taken.
        :param forecast: send nothing; say what each fax would take and cost.
        :raises PolicyRefusal: a number may not be called, or the document cannot be turned into pages.
        """
        zone = zone_of(self._config()) if self._config is not None else UTC
        wishes = read_wishes(zone, self._clock(), at=at, deadline=deadline, priority=priority)
        office = self._fax_room().running()
        if cover:
            wishes["cover"] = self._cover(cover)
        if password:
            wishes["password"] = _password(password)
        sender = self._sender(user)
        domain = office.rules.domains[0]
        recipients = [Recipient(_fax_recipient(one, domain), params=wishes) for one in to]
        for one in recipients:
            office.gateway.hops(one, sender)
        asks = (RECEIPT,) if receipt else ()
        frame = _frame(sender, self._directory().hostname, name[:200], subject, text, recipients, asks)
        body = await body_of_pieces(self._store, _letter(frame, document))
        envelope = self._envelope(sender, recipients, body)
        if forecast:
            return {"forecast": [_expected_json(*one) for one in await office.gateway.forecasts(envelope, body)]}
        await office.gateway.examine(envelope, body, sender)
        return await self._hand_in(envelope, body, sender)

    async def fax_poll(
        self,
        *,
        number: str,
        to: Sequence[str],
        sep: str = "",
        pwd: str = "",
        user: str = "",
        at: str = "",
        deadline: str = "",
        priority: str = "",
    ) -> Mapping[str, object]:
        """Fetch what a far fax machine offers (polling): its pages come as a fax that was received.

        :param number: of the machine, or its name in the address book.
        :param to: logins of those who get it, and ``box:NAME``.
        :param sep: which of its boxes is meant (ITU-T T.30 SEP), digits; ``pwd`` the password of that (PWD).
        :param user: login in whose name, who hears when it fails; empty = the first ADMIN.
        :param at, deadline, priority: as for a fax that is sent.
        :raises PolicyRefusal: the number may not be called, or no line of this office can poll.
        """
        zone = zone_of(self._config()) if self._config is not None else UTC
        wishes = read_wishes(zone, self._clock(), at=at, deadline=deadline, priority=priority)
        office = self._fax_room().running()
        if len(sep) > _SELECTOR or not ((sep.isdecimal() and sep.isascii()) or not sep):
            raise NotPossible("The number of a box of a fax machine (SEP) has at most 20 digits")
        sender = self._sender(user)
        where = _fax_recipient(number, office.rules.domains[0])
        trace, row = await office.polls.order(
            where, sender, to, selector=sep, password=_password(pwd), wishes=wishes
        )
        return {"trace": trace, "fax": row, "user": sender.name}

    async def fax_receive(self) -> Sequence[Mapping[str, object]]:
        """Fetch from the mailboxes whose mail may be faxes, now, and tell what came of it."""
        office = self._fax_room().running()
        if not office.rules.mailboxes:
            raise NotPossible("No mailbox is declared whose mail may be faxes; declare one with [[fax_mailbox]]")
        out: list[Mapping[str, object]] = []
        for box in office.rules.mailboxes:
            rows = await self._store.queue.items(agent="fax", open_only=False, limit=1)
            newest = rows[0].id if rows else 0
            ran = await self._fetch_from(box.account)
            later = await self._store.queue.items(agent="fax", open_only=False, limit=1000)
            faxes = sorted(row.id for row in later if row.id > newest and row.params.get("reader") == box.user)
            out.append({**ran, "account": box.account, "faxes": faxes})
        return out

    async def _fetch_from(self, account: str) -> Mapping[str, object]:
        """What a run came to; put together with a class that knows the running server."""
        raise Unavailable(f"The server that fetches from {account} does not run")

    async def fax_cancel(self, *, id: int) -> Mapping[str, object]:  # noqa: A002
        """Give a fax up, also in the middle of a call."""
        row = await self._fax_row(id)
        if not await self._fax_room().cancel(row.id):
            raise NotPossible(f"Fax {id} is over already")
        return {"id": row.id}

    async def fax_resend(self, *, id: int) -> Mapping[str, object]:  # noqa: A002
        """Send a fax that is over once more, from its first page."""
        row = await self._fax_row(id)
        from mailshare.fax.again import send_again  # noqa: PLC0415 - an office without fax needs none of it

        trace = trace_id(self._clock(), TOKENS(TOKEN))
        faxes = await send_again(self._store, self._fax_room().door(), row, trace)
        sender = self._directory().user_by_id[row.submitter_id or 0]
        return {"trace": trace, "faxes": faxes, "user": sender.name}

    async def forget_fax_number(self, *, number: str) -> Mapping[str, object]:
        """Forget what calls to a number have taught; the next one begins as the first did."""
        office = self._fax_room().running()
        read = office.gateway.numbers.read(number).text
        await office.learned.forget(read)
        return {"number": read}

    async def fax_covers(self) -> Sequence[Mapping[str, object]]:
        """The cover sheets that can be chosen, and which one a fax gets that chooses none."""
        rules = self._fax_room().running().rules
        usual = rules.sheet("")
        return [
            {"name": one.name, "title": one.title, "note": one.note, "text": one.text, "usual": one == usual}
            for one in (FaxCover(), *rules.covers)
        ]

    async def fax_cover(
        self, *, name: str, to: str = "", subject: str = "", text: str = "", user: str = "", width: int = 1000
    ) -> Mapping[str, object]:
        """A cover sheet as it would go out, as a small picture.

        :returns: as :meth:`fax_page`.
        """
        office = self._fax_room().running()
        sheet = office.rules.sheet(self._cover(name))
        if sheet is None:
            raise NotPossible("Without a cover sheet there is nothing to be seen")
        sender = self._sender(user)
        fields = {
            "To": to[:200],
            "From": office.rules.owner or sender.name,
            "Mail": f"{sender.name}@{self._directory().hostname}",
            "Date": datetime.fromtimestamp(self._clock() / 1_000_000, self._fax_zone()).strftime("%d %b %Y %H:%M %Z"),
            "Subject": subject[:200],
            "Answer to": office.rules.station,
        }
        picture = await office.pictures.cover(sheet, fields, text[:20_000] if sheet.text else "", wide(width))
        return shown_picture(picture, 1)

    # ------------------------------------------------------------------ inside

    def _cover(self, wanted: str) -> str:
        """:raises NotPossible: there is no such cover sheet."""
        known = [STANDARD, NONE, *(one.name for one in self._fax_room().running().rules.covers)]
        found = next((one for one in known if one.casefold() == wanted.casefold()), None)
        if found is None:
            raise NotPossible(f"There is no cover sheet {wanted[:64]}; there are {', '.join(known)}")
        return found

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
        trace = trace_id(self._clock(), TOKENS(TOKEN))
        origin = Origin(Source.WEB, trace, user_id=sender.id)
        receipt = await self._fax_room().door().accept(envelope, body, origin)
        rows = await self._store.queue.items(agent="fax", message_id=receipt.message_id, open_only=False)
        return {"trace": trace, "faxes": sorted(row.id for row in rows), "user": sender.name}


def _password(text: str) -> str:
    """:raises NotPossible: no machine could be given it."""
    if len(text) > 20 or not (text.isascii() and text.isprintable()):
        raise NotPossible("A password of a fax machine has at most 20 characters, none but those of ASCII")
    return text


def _expected_json(number: str, expected: Forecast, most: float) -> Mapping[str, object]:
    return {
        "number": number,
        "pages": expected.pages,
        "seconds": round(expected.seconds),
        "cost": expected.cost,
        "too_dear": bool(most and expected.cost > most),
    }


def _opened(file: str) -> BinaryIO:
    try:
        return open(file, "rb")
    except OSError as fault:
        raise PeerFault(f"{file} cannot be read: {fault.strerror}", code=400) from fault


def _fax_recipient(text: str, domain: str) -> Address:
    """A number, a name of the book, or an address."""
    if not text.strip():
        raise PeerFault("Whom is the fax for? Give a number, a name of the address book, or an address", code=400)
    if "@" in text:
        return Address.parse(text)
    compact = "".join(char for char in text if char not in " ()/-.")
    if not compact.removeprefix("+").isdecimal():
        return Address.parse(f"{text.strip()}@{domain}")
    return Address.parse(f"FAX={compact}@{domain}" if len(compact) > 4 else f"{compact}@{domain}")


def _frame(
    sender: User,
    host: str,
    name: str,
    subject: str,
    text: str,
    recipients: Sequence[Recipient],
    asks: Sequence[str],
) -> tuple[bytes, bytes]:
    """What stands before and behind the octets of the document in the mail that carries it.

    :param asks: names of fields that say yes.
    """
    message = EmailMessage()
    for field in asks:
        message[field] = "yes"
    message["From"] = f"{sender.name}@{host}"
    message["To"] = ", ".join(str(one.address) for one in recipients)
    message["Subject"] = " ".join((subject or name or "Fax").split())
    message.set_content(text)
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    major, _, minor = kind.partition("/")
    message.add_attachment(b"", maintype=major, subtype=minor, filename=name or "document")
    whole = message.as_bytes(policy=SMTP)
    end = f"\r\n--{message.get_boundary()}--".encode()
    before, _, after = whole.rpartition(end)
    return before, end + after


def _letter(frame: tuple[bytes, bytes], document: BinaryIO) -> Iterator[bytes]:
    """The mail, piece by piece.

    :raises PeerFault: 413, 400: the document is too large, or empty.
    """
    yield frame[0]
    taken = 0
    while data := document.read(_CODED):
        taken += len(data)
        if taken > _LARGEST:
            raise PeerFault(f"The document is larger than {_LARGEST} octets", code=413)
        yield base64_lines(data)
    if not taken:
        raise PeerFault("The document is empty", code=400)
    yield frame[1]


