"""What a number is, by the world's numbering plans.

The plans come from the package phonenumbers; nothing else knows of it.
"""

from __future__ import annotations

import re
from typing import Any

from mailshare.core.errors import ConfigFault, PolicyRefusal
from mailshare.core.fax_dialling import DialRules, Number, Toll

_TONES = re.compile(r"[#*A-Dpw]")
"""What RFC 2846 section 2.1 allows in a local number beside digits: keys of a telephone, pauses, waiting for a tone."""


def _plans() -> Any:
    try:
        import phonenumbers  # noqa: PLC0415 - an office without fax needs none of it
    except ImportError as fault:
        raise ConfigFault("Fax needs the package phonenumbers; install mailshare[fax]") from fault
    return phonenumbers


class Numbers:
    """Reads numbers as they are written here.

    :param country: two letters, whose plan a number without a plus is read by; empty = such numbers are refused.
    """

    def __init__(self, country: str, rules: DialRules) -> None:
        self._plans = _plans()
        self._country = country.upper()
        self.rules = rules

    def read(self, text: str) -> Number:
        """Understand a number.

        :param text: ``+`` and digits, or digits as they are dialled in the own country, or an extension. A number
            with ``*``, ``#``, letters or pauses is dialled as it is, where numbers of an unknown kind may be.
        :raises PolicyRefusal: 550 5.1.3, it cannot be a number.
        """
        if self.rules.is_extension(text):
            return Number("", "", text, Toll.INTERNAL, extension=text)
        if _TONES.search(text):
            # A plan knows digits alone; what is left of such a number might be another one.
            return Number("", "", text, Toll.UNKNOWN, extension=text)
        plans = self._plans
        international = text
        exit_code = self.rules.exit_code
        if not text.startswith("+") and len(exit_code) > 1 and text.startswith(exit_code):
            international = "+" + text[len(exit_code) :]
        try:
            number = plans.parse(international, self._country or None)
        except plans.NumberParseException as fault:
            if plans.is_emergency_number(text, self._country) if self._country else False:
                return Number("", "", text, Toll.SHORT, extension=text)
            raise _no_number(text) from fault
        if self._country and plans.is_possible_short_number_for_region(number, self._country) and "+" not in text:
            return Number("", "", text, Toll.SHORT, extension=text)
        if not plans.is_possible_number(number):
            raise _no_number(text)
        code = str(number.country_code)
        return Number(
            e164=plans.format_number(number, plans.PhoneNumberFormat.E164),
            country_code=code,
            national=plans.national_significant_number(number),
            toll=self._toll(number, code),
        )

    def _toll(self, number: Any, code: str) -> Toll:
        kinds = self._plans.PhoneNumberType
        kind = self._plans.number_type(number)
        fixed = {
            kinds.PREMIUM_RATE: Toll.PREMIUM,
            kinds.SHARED_COST: Toll.SHARED,
            kinds.UAN: Toll.SHARED,
            kinds.PERSONAL_NUMBER: Toll.SHARED,
            kinds.TOLL_FREE: Toll.FREE,
        }
        if kind in fixed:
            return fixed[kind]
        if self._plans.region_code_for_country_code(int(code)) == "001":
            return Toll.SATELLITE
        if code != self.rules.country_code:
            return Toll.INTERNATIONAL if kind != kinds.UNKNOWN else Toll.UNKNOWN
        if kind == kinds.UNKNOWN:
            return Toll.UNKNOWN
        if kind in (kinds.MOBILE, kinds.PAGER):
            return Toll.MOBILE
        national = self._plans.national_significant_number(number)
        return Toll.LOCAL if self.rules.area and national.startswith(self.rules.area) else Toll.NATIONAL


def _no_number(text: str) -> PolicyRefusal:
    return PolicyRefusal(f"{text[:40]!r} cannot be a number that is called", code=550, enhanced=(5, 1, 3))


def country_code_of(country: str) -> str:
    """The digits of a country, e.g. ``49`` for ``DE``; empty when there is no such country."""
    code = _plans().country_code_for_region(country.upper())
    return str(code) if code else ""
