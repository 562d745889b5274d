"""Which recipients are faxes, who may send them, and what rows of the queue they make.

Everything is decided by the envelope (RFC 3965 section 2.1.3), and before anything is converted or dialled.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from fnmatch import fnmatchcase

from attrs import evolve
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.duplicates import identity
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import NoSuchUser, PeerFault, PolicyRefusal
from mailshare.core.fax_address import FaxAddress, format_fax_address, parse_fax_address
from mailshare.core.fax_costs import Forecast, forecast
from mailshare.core.fax_dialling import Number, refusal
from mailshare.core.headers import Headers
from mailshare.core.values import Account, Directory, Hop, User, UserKind
from mailshare.fax.desk import FaxDesk
from mailshare.fax.numbers import Numbers
from mailshare.fax.pages import Pages
from mailshare.fax.rules import FaxContact, FaxRules
from mailshare.interfaces import IBody, IGateway

AGENT = "fax"
_MOST_MEMBERS = 500


@implementer(IGateway)
class FaxGateway:
    """Takes ``FAX=+number@`` one of the fax domains, numbers and names of the address book there.

    :param desk: takes what is ordered by mail; without one nobody does.
    :ivar rules: replaced when the configuration is read again.
    """

    def __init__(self, rules: FaxRules, pages: Pages, desk: FaxDesk | None = None) -> None:
        self.follow(rules)
        self._pages = pages
        self._desk = desk

    def follow(self, rules: FaxRules) -> None:
        """Take over other rules."""
        self.rules = rules
        self.numbers = Numbers(rules.country, rules.dialling)
        self._domains = frozenset(one.casefold() for one in rules.domains)

    def claims(self, address: Address) -> bool:
        """Whatever is written to a fax domain is a fax, or wrong."""
        return address.key[1] in self._domains

    def hops(self, recipient: Recipient, user: User | None) -> Sequence[Hop]:
        """One row for each number and subaddress. An ADMIN may send whatever the list of senders says.

        :raises PolicyRefusal: 5.7.1 the sender or the number is not allowed; 5.1.3 it is no number.
        """
        if self._desk is not None and self._desk.claims(recipient.address):
            return self._desk.hops(recipient, user)
        if user is None or not (user.kind is UserKind.ADMIN or self.rules.may_send(user.name)):
            raise PolicyRefusal("You may not send faxes from here")
        return [self._hop(*each) for each in self._meant(recipient.address)]

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
        for recipient in ours:
            if recipient not in orders:
                made = await self._pages.of_body(body, recipient.params.get("cover"))
                sizes = await self._pages.sizes(made)
                for number, _, _ in self._meant(recipient.address):
                    self._pages.affordable(sizes, number.text, number.toll)

    async def forecasts(self, envelope: Envelope, body: IBody) -> list[tuple[str, Forecast, float]]:
        """What each fax of a message would take and cost, and what one may cost (0 = no bound); nothing is queued.

        :raises NotConvertible: it cannot be turned into pages.
        """
        out = []
        for each in envelope.recipients:
            sizes = await self._pages.sizes(await self._pages.of_body(body, each.params.get("cover")))
            for number, _, _ in self._meant(each.address):
                expected = forecast(sizes, number.toll, self.rules.prices)
                out.append((number.text, expected, self.rules.most_cost))
        return out

    def onward(self, address: Address) -> list[Hop]:
        """The rows of a fax that this office passes on by its own routes: nobody is asked for, but tolls hold.

        :raises PolicyRefusal: the number may not be called, or is none.
        """
        return [self._hop(*each) for each in self._meant(address)]

    def onward_number(self, text: str) -> list[Hop]:
        """The row of a fax back to a caller; nobody hears what becomes of it.

        :raises PolicyRefusal: the number may not be called, or is none.
        """
        hop = self._hop(self.number(text), "", None)
        return [evolve(hop, params={**hop.params, "notify": ["NEVER"]})]

    def _meant(self, address: Address) -> list[tuple[Number, str, FaxContact | None]]:
        """Numbers, subaddresses and who they are in the book."""
        try:
            found = parse_fax_address(address.local, bare=True)
        except ValueError as fault:
            raise PolicyRefusal(f"No fax can go there: {fault}", code=550, enhanced=(5, 1, 3)) from fault
        contact = self.rules.contact(address.local)
        if contact is not None and (found is None or not found.is_global):
            return [self._of_contact(one) for one in self._members(contact)]
        if found is None:
            raise NoSuchUser("Nobody in the fax address book has this name; write FAX=+15551234567")
        number = self.number(self._checked(found).number)
        return [(number, each, None) for each in found.subaddresses or ("",)]

    @staticmethod
    def _checked(found: FaxAddress) -> FaxAddress:
        """What no line here can do must not be passed over in silence (RFC 2846 section 1.2)."""
        if found.isdn or found.post_dial:
            raise PolicyRefusal("This gateway dials no ISDN subaddress and no tones", code=550, enhanced=(5, 1, 3))
        return found

    def _members(self, contact: FaxContact) -> list[FaxContact]:
        """Everybody in a group, each once; groups in groups are followed."""
        out: dict[str, FaxContact] = {}
        seen, waiting = set[str](), [contact]
        while waiting and len(out) < _MOST_MEMBERS:
            one = waiting.pop(0)
            if one.name in seen:
                continue
            seen.add(one.name)
            if one.number:
                out[one.name] = one
            waiting += [found for name in one.members if (found := self.rules.contact(name)) is not None]
        return list(out.values())

    def _of_contact(self, contact: FaxContact) -> tuple[Number, str, FaxContact | None]:
        return self.number(contact.number), contact.subaddress, contact

    def _hop(self, number: Number, subaddress: str, contact: FaxContact | None) -> Hop:
        params: dict[str, object] = {
            "number": number.text,
            "dial": self.rules.dialling.dial(number),
            "toll": number.toll.value,
        }
        if self.rules.always:
            params["notify"] = ["DELAY", "FAILURE", "SUCCESS"]  # unless the sender says something else
        if self.rules.report != "dsn":
            params["report"] = self.rules.report
        if subaddress:
            params["sub"] = subaddress
        if contact is not None:
            params["title"] = contact.title or contact.name
            params["company"] = contact.company
        return Hop(AGENT, self.address(number.text, subaddress), "fax", params=params)

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
