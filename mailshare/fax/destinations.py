"""Where a fax that came in goes: to mailboxes, into boxes, to printers of this office, on to other fax machines.

Names are those of ``to`` in ``[[fax_route]]``; in them stand, for ``{called}``, ``{subaddress}`` and ``{caller}``, the
digits of the call (RFC 4160 section 4.2.2: direct mapping). What no name leads to goes to the inbox of faxes, so that
none is lost.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from attrs import define, field

from mailshare.core.address import Address
from mailshare.core.errors import MailshareError, PeerFault
from mailshare.core.fax_routing import CALL_WORDS, FaxRoute
from mailshare.core.printer_places import printer_at
from mailshare.core.values import Directory, Hop, PrinterPlace
from mailshare.fax.desk import DESK
from mailshare.fax.gateway import NUMBER, FaxGateway
from mailshare.fax.rules import FaxRules

PRINTER = "printer"
_NEVER = {"notify": ["NEVER"]}
_WORDS = re.compile(r"\{(" + "|".join(CALL_WORDS) + r")\}")


@define
class Destinations:
    """Who gets one fax.

    :ivar mail: addresses of mailboxes here and elsewhere.
    :ivar boxes, printers, onward: rows of the queue, by what they need of the message.
    :ivar report: login name that hears what became of ``onward``.
    :ivar why: for the journal.
    """

    mail: list[Address] = field(factory=list)
    boxes: list[Hop] = field(factory=list)
    printers: list[Hop] = field(factory=list)
    onward: list[Hop] = field(factory=list)
    report: str = ""
    why: list[str] = field(factory=list)

    @property
    def nowhere(self) -> bool:
        """Nobody gets it."""
        return not (self.mail or self.boxes or self.printers or self.onward)


def destinations(
    route: FaxRoute | None,
    rules: FaxRules,
    gateway: FaxGateway,
    directory: Directory,
    digits: Mapping[str, str] | None = None,
) -> Destinations:
    """Sort out the names of a route; without one, of the inbox.

    :param directory: of now.
    :param digits: of the call, by the words that names may hold; one that holds a word without digits leads nowhere.
    """
    found = Destinations(report="" if route is None else route.report)
    found.why.append("by no route: the inbox of faxes" if route is None else f"by a route to {', '.join(route.to)}")
    for written in rules.inbox if route is None else route.to:
        name = filled(written, digits or {})
        if not name:
            found.why.append(f"not to {written}: the call has no such digits")
            continue
        box = rules.box(name[4:]) if name.startswith("box:") else None
        if box is None:
            _add(found, name, gateway, directory)
        elif box.kind == "relay":
            found.report = box.report or found.report
            for each in box.to:
                _add(found, each, gateway, directory)
        else:
            params = {**_NEVER, "box": box.name, "kept": True}
            found.boxes.append(Hop(DESK, f"box-{box.name}@{rules.domains[0]}", "fax-box", params=params))
    if found.nowhere:
        for name in rules.inbox:
            _add(found, name, gateway, directory)
    return found


def filled(name: str, digits: Mapping[str, str]) -> str:
    """A name with the digits of a call in it; empty when they are not there.

    Digits alone take part: whoever calls says what stands in them.
    """
    out = name
    for word in _WORDS.findall(name):
        value = "".join(char for char in digits.get(word, "") if char in "0123456789")
        if not value:
            return ""
        out = out.replace("{" + word + "}", value)
    return out


def _add(found: Destinations, name: str, gateway: FaxGateway, directory: Directory) -> None:
    address = gateway.address_of(name) if NUMBER.match(name.strip()) else _address(name, directory)
    if address is None:
        return
    if gateway.claims(address):
        try:
            found.onward += gateway.onward(address)
        except MailshareError as fault:
            found.why.append(f"not to {name}: {fault.public}")
        return
    printed = printer_at(address, directory)
    if printed is not None:
        found.printers.append(_printed(printed.place, printed.tags, address))
    else:
        found.mail.append(address)


def _printed(place: PrinterPlace, tags: Sequence[str], address: Address) -> Hop:
    params = {**_NEVER, "tags": list(tags)}
    return Hop(PRINTER, str(address), "fax-onward", device=place.name, params=params)


def _address(name: str, directory: Directory) -> Address | None:
    try:
        address = Address.parse(name)
    except PeerFault:
        return None
    return address if address.domain else Address(address.local, directory.hostname)
