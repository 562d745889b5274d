"""Who gets a fax that came in: by the number that was called, the subaddress, the station and the caller.

Source: RFC 4160 section 4.2 (mapping tables), RFC 4161 section 3.1 (wildcards).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from attrs import frozen

CALL_WORDS = ("called", "subaddress", "caller")
"""What may stand in braces in a name of ``to``, for the digits of the call."""
_DIALLED = re.compile(r"\+?[0-9][0-9 .-]{2,40}")
_IN_NUMBERS = re.compile(r"[^0-9+*?#A-Da-d]+")


@frozen
class FaxRoute:
    """One line of the table; an empty field fits everything.

    :ivar called, caller: numbers, ``*`` for any digits and ``?`` for one.
    :ivar subaddress: digits, likewise.
    :ivar station: identification of the sending machine, in any case, blanks aside, likewise.
    :ivar line: name of the line that it came over, likewise, in any case.
    :ivar barcode: of a page, likewise, as it is written.
    :ivar to: mail and fax addresses, names of local users and printers, ``box:NAME``.
    :ivar report: login name that hears what became of what is passed on as a fax.
    """

    to: tuple[str, ...]
    called: str = ""
    subaddress: str = ""
    station: str = ""
    caller: str = ""
    barcode: str = ""
    report: str = ""
    line: str = ""

    def fits(
        self, called: str, subaddress: str, station: str, caller: str, barcodes: Sequence[str] = (), line: str = ""
    ) -> bool:
        """Whether a call is one of these."""
        if self.line and not fnmatchcase(line.casefold(), self.line.casefold()):
            return False
        if self.barcode and not any(fnmatchcase(one, self.barcode) for one in barcodes):
            return False
        return (
            _number_fits(self.called, called)
            and _number_fits(self.subaddress, subaddress)
            and _number_fits(self.caller, caller)
            and (not self.station or fnmatchcase(_word(station), _word(self.station)))
        )


def route_fax(
    routes: Sequence[FaxRoute],
    *,
    called: str,
    subaddress: str,
    station: str,
    caller: str,
    barcodes: Sequence[str] = (),
    line: str = "",
) -> FaxRoute | None:
    """The first line of the table that fits, or ``None``.

    :param barcodes: texts of those on the pages.
    :param line: name of the line that it came over.
    """
    return next((one for one in routes if one.fits(called, subaddress, station, caller, barcodes, line)), None)


def reply_number(routes: Sequence[FaxRoute], name: str) -> tuple[str, str] | None:
    """The number and subaddress at which faxes reach one user, by the first line of the table that says so exactly.

    :param name: login name.
    """
    for route in routes:
        plain = not (route.station or route.caller or route.barcode or route.line)
        exact = _DIALLED.fullmatch(route.called) and (not route.subaddress or route.subaddress.isdecimal())
        if plain and exact and name.casefold() in (one.casefold() for one in route.to):
            return route.called, route.subaddress
    return None


def _number_fits(pattern: str, number: str) -> bool:
    if not pattern:
        return True
    return fnmatchcase(_IN_NUMBERS.sub("", number).upper(), _IN_NUMBERS.sub("", pattern).upper())


def _word(text: str) -> str:
    return "".join(text.split()).casefold()
