"""Which recipients are faxes, who may send them, and what rows of the queue they make.

Everything is decided by the envelope (RFC 3965 section 2.1.3), and before anything is converted or dialled.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from attrs import evolve, frozen
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.duplicates import identity
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import NoSuchUser, PeerFault, PolicyRefusal
from mailshare.core.fax_address import (
    FaxAddress,
    format_fax_address,
    number_in_domain,
    number_in_subject,
    parse_fax_address,
)
from mailshare.core.fax_costs import Forecast, forecast
from mailshare.core.fax_covers import NONE, STANDARD
from mailshare.core.fax_dialling import Number, refusal
from mailshare.core.fax_needs import FaxNeeds
from mailshare.core.fax_times import asked_in
from mailshare.core.headers import Headers
from mailshare.core.values import Account, Directory, Hop, User, UserKind
from mailshare.core.values.fax import FaxCause
from mailshare.fax.desk import FaxDesk
from mailshare.fax.numbers import Numbers
from mailshare.fax.pages import Pages
from mailshare.fax.rules import FaxContact, FaxRules
from mailshare.interfaces import IBody, IGateway

AGENT = "fax"
NUMBER = re.compile(r"\+[0-9][0-9 ().-]{3,40}\Z")
"""A fax number where mail addresses and names are written as well."""
_MOST_MEMBERS = 500
_TITLE = ("ATTN",)
_COMPANY = ("ORG", "OFNA", "OFNO", "CO", "STR", "ADDR", "ADDU", "ADDL", "POB", "ZIP")


@frozen
class Meant:
    """One fax that an address means.

    :ivar contact: who it is, for the cover page; ``None`` = nobody in particular.
    :ivar sheet: the cover sheet that the address asks for.
    """

    number: Number
    subaddress: str = ""
    contact: FaxContact | None = None
    sheet: str = ""


@implementer(IGateway)
class FaxGateway:
    """Takes ``FAX=+number@`` one of the fax domains, numbers and names of the address book there, numbers as domains.

    :param desk: takes what is ordered by mail; without one nobody does.
    :ivar rules: replaced when the configuration is read again.
    :ivar lacking: why no line of now can ever make such a call (:meth:`mailshare.fax.pool.LinePool.lacking`).
    """

    def __init__(self, rules: FaxRules, pages: Pages, desk: FaxDesk | None = None) -> None:
        self.follow(rules)
        self._pages = pages
        self._desk = desk
        self.lacking: Callable[[str, FaxNeeds], tuple[FaxCause, str] | None] | None = None

    def follow(self, rules: FaxRules) -> None:
        """Take over other rules."""
        self.rules = rules
        self.numbers = Numbers(rules.country, rules.dialling)
        self._domains = frozenset(one.casefold() for one in rules.domains)

    def claims(self, address: Address) -> bool:
        """Whatever is written to a fax domain, or to a number, is a fax, or wrong."""
        domain = address.key[1]
        return domain in self._domains or bool(domain and number_in_domain(domain, self._domains))

    def hops(self, recipient: Recipient, user: User | None, headers: Headers | None = None) -> Sequence[Hop]:
        """One row for each number and subaddress. An ADMIN may send whatever the list of senders says.

        :param headers: of the message, as soon as they are there: a number may stand in the subject.
        :raises PolicyRefusal: 5.7.1 the sender or the number is not allowed; 5.1.3 it is no number.
        """
        if self._desk is not None and self._desk.claims(recipient.address):
            return self._desk.hops(recipient, user)
        if user is None or not (user.kind is UserKind.ADMIN or self.rules.may_send(user.name)):
            raise PolicyRefusal("You may not send faxes from here")
        hops = [self._hop(each) for each in self._meant(recipient.address, headers)]
        if user.name.casefold() in self.rules.partners:
            hops = [evolve(hop, params={**hop.params, "partner": True}) for hop in hops]
        return hops

    def collected(self, headers: Headers, account: Account, directory: Directory) -> Sequence[Hop]:
        """Rows of a message from a provider's mailbox.

        Only what the provider wrote when it put the message there counts (RFC 3965 section 2.1.3, RFC 2532 section
        2.2.2): the field that the configuration names, above every ``Received``, since a sender can write the same
        field only below.
        """
        box = next((one for one in self.rules.mailboxes if one.account == str(account.address).casefold()), None)
        found = [] if box is None else [one for one in _written_down(headers, box.header) if self.claims(one)]
        if box is None or not found:
            return ()
        authors = headers.mailboxes("from")
        author = str(authors[0].address).casefold() if len(authors) == 1 else ""
        if not any(fnmatchcase(author, one) for one in box.senders):
            raise PolicyRefusal(f"{author or 'Nobody in particular'} may not send faxes through this mailbox")
        if self._desk is not None and any(self._desk.claims(one) for one in found):
            raise PolicyRefusal("Orders about faxes are taken from people of this office who log in")
        user = directory.user_by_name.get(box.user)
        more = {"report": "mdn", "reader": box.user, "once": hashlib.sha256(identity(headers)).hexdigest()}
        hops = [hop for address in found for hop in self.hops(Recipient(address), user)]
        return [evolve(hop, params={**hop.params, **more}) for hop in hops]

    def number(self, text: str) -> Number:
        """A number that may be called.

        :raises PolicyRefusal: it may not, or is none.
        """
        number = self.numbers.read(text)
        why = refusal(number.toll, self.rules.tolls)
        if why:
            raise PolicyRefusal(f"{why}: {number.text or text}")
        return number

    async def examine(self, envelope: Envelope, body: IBody, user: User | None = None) -> None:
        """Convert it once, so that what can be no fax is refused while its sender still listens (RFC 2532 5.2).

        :raises PolicyRefusal: 5.6.1 it cannot be turned into pages; 5.7.1 it is too dear, or what is ordered is not
            for this user.
        """
        ours = [one for one in envelope.recipients if self.claims(one.address)]
        desk = self._desk
        orders = [] if desk is None else [one for one in ours if desk.claims(one.address)]
        for recipient in orders:
            if desk is not None:
                await desk.examine(recipient, user, body)
        if len(orders) == len(ours):
            return
        headers = Headers.parse(await body.header())
        meant = [(one, each) for one in ours if one not in orders for each in self._meant(one.address, headers)]
        for recipient, each in meant:  # all of them are known to be allowed before anything is converted
            made = await self._pages.of_body(body, each.sheet or self._wished(recipient, headers))
            self._pages.affordable(await self._pages.sizes(made), each.number.text, each.number.toll)

    def _wished(self, recipient: Recipient, headers: Headers) -> str:
        """The cover sheet that was chosen for a fax, by a command or in the header of its mail.

        :raises PolicyRefusal: 5.6.1, there is no such sheet.
        """
        chosen = str(recipient.params.get("cover") or "")
        return chosen or self._sheet(asked_in(headers).get("cover", ""), (5, 6, 1))

    def _sheet(self, wanted: object, enhanced: tuple[int, int, int]) -> str:
        """A cover sheet by its name.

        :raises PolicyRefusal: there is none of that name.
        """
        word, known = str(wanted).casefold(), [STANDARD, NONE, *(one.name for one in self.rules.covers)]
        found = next((one for one in known if one.casefold() == word), None)
        if word and found is None:
            words = f"There is no cover sheet {word[:40]!r}; there are {', '.join(known)}"
            raise PolicyRefusal(words, code=550, enhanced=enhanced)
        return found or ""

    async def forecasts(self, envelope: Envelope, body: IBody) -> list[tuple[str, Forecast, float]]:
        """What each fax of a message would take and cost, and what one may cost (0 = no bound); nothing is queued.

        :raises NotConvertible: it cannot be turned into pages.
        """
        out = []
        for each in envelope.recipients:
            for one in self._meant(each.address):
                made = await self._pages.of_body(body, one.sheet or each.params.get("cover"))
                expected = forecast(await self._pages.sizes(made), one.number.toll, self.rules.prices)
                out.append((one.number.text, expected, self.rules.most_cost))
        return out

    def poll(self, address: Address, user: User, *, selector: str, password: str) -> Hop:
        """The row of a fax that is fetched from there: whoever may send a fax to a number may fetch from it.

        :param selector, password: of the box of the far machine (ITU-T T.30 SEP and PWD).
        :raises PolicyRefusal: he may not, the number may not be called, or no line here can.
        """
        if not (user.kind is UserKind.ADMIN or self.rules.may_send(user.name)):
            raise PolicyRefusal("You may not use the fax lines of this office")
        meant = self._meant(address)
        if len(meant) != 1:
            raise PolicyRefusal("Fetch from one number at a time", code=550, enhanced=(5, 1, 3))
        number = meant[0].number
        needs = FaxNeeds(subaddress=bool(selector), password=bool(password), polls=True)
        lacks = self.lacking(number.text, needs) if self.lacking else None
        if lacks is not None:
            raise PolicyRefusal(f"Nothing can be fetched there: {lacks[1]}", code=550, enhanced=(5, 1, 3))
        params: dict[str, object] = {"number": number.text, "dial": self.rules.dialling.dial(number)}
        params |= {"toll": number.toll.value, "notify": ["DELAY", "FAILURE"], "report": "plain"}
        params |= {"sub": selector} if selector else {}
        params |= {"password": password} if password else {}
        return Hop(AGENT, self.address(number.text), "fax-poll", params=params)

    def onward(self, address: Address) -> list[Hop]:
        """The rows of a fax that this office passes on by its own routes: nobody is asked for, but tolls hold.

        :raises PolicyRefusal: the number may not be called, or is none.
        """
        return [self._hop(each) for each in self._meant(address)]

    def onward_number(self, text: str) -> list[Hop]:
        """The row of a fax back to a caller; nobody hears what becomes of it.

        :raises PolicyRefusal: the number may not be called, or is none.
        """
        hop = self._hop(Meant(self.number(text)))
        return [evolve(hop, params={**hop.params, "notify": ["NEVER"]})]

    def _meant(self, address: Address, headers: Headers | None = None) -> list[Meant]:
        """Numbers, subaddresses and who they are in the book.

        :param headers: without them an address that leaves the number to the subject means nothing yet.
        """
        try:
            if self.rules.subject and address.local.casefold() == self.rules.subject:
                return [] if headers is None else [self._of_subject(headers)]
            alone = number_in_domain(address.domain, self._domains)
            if alone:
                return [Meant(self.number(alone), contact=FaxContact(_worded(address.local)))]
            found = parse_fax_address(address.local, bare=True)
        except ValueError as fault:
            raise PolicyRefusal(f"No fax can go there: {fault}", code=550, enhanced=(5, 1, 3)) from fault
        contact = self.rules.contact(address.local)
        if contact is not None and (found is None or not found.is_global):
            return [self._of_contact(one) for one in self._members(contact)]
        if found is None:
            raise NoSuchUser("Nobody in the fax address book has this name; write FAX=+15551234567")
        number, sheet = self.number(self._checked(found).number), self._sheet(found.sheet, (5, 1, 3))
        reader = _reader(found)
        return [Meant(number, each, reader, sheet) for each in found.subaddresses or ("",)]

    def _of_subject(self, headers: Headers) -> Meant:
        """The number that is all of a subject, as other fax servers have it; for those alone who may send."""
        number = number_in_subject(headers.text("subject"))
        if not number:
            raise PolicyRefusal("The subject has to be a fax number, and nothing else", enhanced=(5, 6, 1))
        return Meant(self.number(number))

    @staticmethod
    def _checked(found: FaxAddress) -> FaxAddress:
        """What no line here can do must not be passed over in silence (RFC 2846 section 1.2)."""
        if found.isdn or found.post_dial:
            raise PolicyRefusal("This gateway dials no ISDN subaddress and no tones", code=550, enhanced=(5, 1, 3))
        return found

    def _members(self, contact: FaxContact) -> list[FaxContact]:
        """Everybody in a group, each once; groups in groups are followed.

        :raises PolicyRefusal: nobody in it has a number, or it is larger than one mail is sent to: none is left out.
        """
        out: dict[str, FaxContact] = {}
        seen, waiting = set[str](), [contact]
        while waiting:
            one = waiting.pop(0)
            if one.name in seen:
                continue
            seen.add(one.name)
            if one.number:
                out[one.name] = one
            waiting += [found for name in one.members if (found := self.rules.contact(name)) is not None]
        if not out:
            raise PolicyRefusal("Nobody in this group has a fax number", code=550, enhanced=(5, 1, 3))
        if len(out) > _MOST_MEMBERS:
            raise PolicyRefusal(f"This group has more than {_MOST_MEMBERS} members; send it in parts")
        return list(out.values())

    def _of_contact(self, contact: FaxContact) -> Meant:
        return Meant(self.number(contact.number), contact.subaddress, contact)

    def _hop(self, meant: Meant) -> Hop:
        number, contact = meant.number, meant.contact
        lacks = self.lacking(number.text, FaxNeeds(subaddress=bool(meant.subaddress))) if self.lacking else None
        if lacks is not None:
            raise PolicyRefusal(f"No fax can go there: {lacks[1]}", code=550, enhanced=(5, 1, 3))
        params: dict[str, object] = {
            "number": number.text,
            "dial": self.rules.dialling.dial(number),
            "toll": number.toll.value,
        }
        if self.rules.always:
            params["notify"] = ["DELAY", "FAILURE", "SUCCESS"]  # unless the sender says something else
        if self.rules.report != "dsn":
            params["report"] = self.rules.report
        if meant.subaddress:
            params["sub"] = meant.subaddress
        if meant.sheet:
            params["cover"] = meant.sheet
        if contact is not None:
            params["title"] = contact.title or contact.name
            params["company"] = contact.company
        return Hop(AGENT, self.address(number.text, meant.subaddress), "fax", params=params)

    def address_of(self, text: str) -> Address:
        """The mail address of a number as people write it, with a plus."""
        return Address.parse(self.address("+" + "".join(char for char in text if char in "0123456789")))

    def address(self, number: str, subaddress: str = "") -> str:
        """The mail address of a number here."""
        return str(Address(format_fax_address(number, subaddress), self.rules.domains[0]))


def _written_down(headers: Headers, name: str) -> list[Address]:
    """The addresses in fields of that name above the first ``Received``, each once."""
    out: dict[tuple[str, str], Address] = {}
    for field in headers.fields:
        if field.name.lower() == "received":
            break
        if field.name.lower() == name.lower():
            for text in field.value.split(","):
                with contextlib.suppress(PeerFault):
                    address = Address.parse(text.strip().removeprefix("<").removesuffix(">"))
                    out[address.key] = address
    return list(out.values())


def _reader(found: FaxAddress) -> FaxContact | None:
    """Whom an address names for the cover page (RFC 2846 section 3)."""
    if not found.cover:
        return None
    title = " ".join(found.cover[one] for one in _TITLE if one in found.cover)
    return FaxContact(title, company=", ".join(found.cover[one] for one in _COMPANY if one in found.cover))


def _worded(local: str) -> str:
    """A name as it stands before the @, with dots and underscores for blanks."""
    return " ".join(local.replace("_", " ").replace(".", " ").split())
