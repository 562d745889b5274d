"""From a number for the whole world to the digits that are dialled here, and what kinds of numbers may be called.

RFC 4160 section 3.2.1 shows what a gateway must know: the exit code for calls abroad, the trunk prefix inside the
country, and its own area, in which neither is dialled. What a number is (its country, its kind) is found out by
whoever knows the world's numbering plans; here are only the rules.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum

from attrs import frozen


class Toll(Enum):
    """Kinds of numbers, by what a call costs and who is reached."""

    INTERNAL = "internal"  # an extension of the own exchange
    LOCAL = "local"  # the own area
    NATIONAL = "national"
    MOBILE = "mobile"
    FREE = "free"
    SHARED = "shared"  # shared cost, universal access and personal numbers
    INTERNATIONAL = "international"
    PREMIUM = "premium"
    SATELLITE = "satellite"  # and other networks without a country
    SHORT = "short"  # emergency and service numbers
    UNKNOWN = "unknown"


USUAL_TOLLS = (Toll.INTERNAL, Toll.LOCAL, Toll.NATIONAL, Toll.MOBILE, Toll.FREE, Toll.INTERNATIONAL)
"""Allowed unless the configuration says otherwise: nothing that earns somebody money for being called."""


@frozen
class Number:
    """A number that was understood.

    :ivar e164: plus, country code and national number; empty for an extension.
    :ivar country_code: digits; ``national`` the rest, without any prefix.
    :ivar trunk: the prefix with which the country itself dials it from another area (``0``, ``06`` in Hungary), or
        empty where there is none.
    """

    e164: str
    country_code: str
    national: str
    toll: Toll
    trunk: str = ""
    extension: str = ""

    @property
    def text(self) -> str:
        """For people, logs and as the key of everything that is kept by number."""
        return self.e164 or self.extension


@frozen
class DialRules:
    """How this place dials.

    :ivar country_code: own country, digits; empty = every number is dialled as one abroad.
    :ivar area: own area code, without trunk prefix; empty = there is none, or it is always dialled.
    :ivar exit_code: for calls abroad: ``00``, ``011``; ``+`` where the line takes numbers as they are (E.164).
    :ivar trunk: for calls to another area of the own country.
    :ivar outside: dialled before everything that leaves the own exchange, e.g. ``0`` or ``9``.
    :ivar extension: numbers of at most that many digits are extensions of the own exchange; 0 = there are none.
    """

    country_code: str = ""
    area: str = ""
    exit_code: str = "00"
    trunk: str = "0"
    outside: str = ""
    extension: int = 0

    def dial(self, number: Number) -> str:
        """The digits to dial.

        Source: RFC 4160 section 3.2.1.
        """
        if number.extension:
            return number.extension
        if self.exit_code == "+":
            return self.outside + number.e164
        if number.country_code != self.country_code:
            return self.outside + self.exit_code + number.country_code + number.national
        if self.area and number.national.startswith(self.area):
            return self.outside + number.national[len(self.area) :]
        return self.outside + self.trunk + number.national

    def is_extension(self, digits: str) -> bool:
        """Whether these digits, written without a plus, are one of the own exchange."""
        return digits.isdecimal() and 0 < len(digits) <= self.extension


def refusal(toll: Toll, allowed: Collection[Toll]) -> str:
    """Why a number of this kind is not called, as a sentence; empty when it is."""
    if toll in allowed:
        return ""
    what = {
        Toll.PREMIUM: "This is a premium number",
        Toll.SHORT: "This is an emergency or service number",
        Toll.UNKNOWN: "It is not known what this number costs",
    }.get(toll, f"This is a number of the kind {toll.value}")
    return f"{what}, and this gateway sends no faxes there"
