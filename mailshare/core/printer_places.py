"""Addresses of printers: whether an address is one, and what stands behind its name as tags.

``office+duplex+x2@print.example`` is the printer at ``office@print.example`` with two tags; at a printer that is
itself a tag of a shared address, ``mail+office@company.example``, further ones may follow.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from mailshare.core.address import Address
from mailshare.core.derived import derived
from mailshare.core.values import Directory, PrinterPlace

_MOST_TAGS = 20


@frozen
class Printed:
    """The address of a printer.

    :ivar tags: what follows its own name, in order, as written.
    """

    place: PrinterPlace
    tags: tuple[str, ...] = ()


def printer_at(address: Address, directory: Directory) -> Printed | None:
    """The printer that an address means; the longest name that is one counts."""
    known = _known(directory)
    if not known:
        return None
    domain = address.key[1]
    words = address.local.split("+")
    for count in range(len(words), 0, -1):
        place = known.get(("+".join(words[:count]).casefold(), domain))
        if place is not None:
            return Printed(place, tuple(word for word in words[count:] if word)[:_MOST_TAGS])
    return None


@derived
def _known(directory: Directory) -> Mapping[tuple[str, str], PrinterPlace]:
    """Places by the keys of their addresses; a bare name is meant at this server, too."""
    known: dict[tuple[str, str], PrinterPlace] = {}
    host = directory.hostname.casefold().rstrip(".")
    for place in directory.printers:
        for address in place.addresses:
            local, domain = address.key
            known.setdefault((local, domain), place)
            if not domain:
                known.setdefault((local, host), place)
    return known
