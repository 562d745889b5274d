"""Who may send faxes to this office: by the caller's number, the station's name and the password of its machine.

Source: RFC 4160 section 4.1, RFC 4161 section 3.1. A station's name is anybody's to choose, so it counts together with
a number; a password comes as the machine gives it (ITU-T T.30 PWD), or as tones where the line hears them.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence

from attrs import evolve

from mailshare.core.fax_routing import FaxRoute, route_fax
from mailshare.core.values.fax import CallFacts, Ringing
from mailshare.fax.rules import FaxRules

Reveal = Callable[[object], Awaitable[str]]


class Admission:
    """Judges callers.

    :param rules: gives the rules of now.
    :ivar reveal: reads passwords; set when the office opens.
    """

    def __init__(self, rules: Callable[[], FaxRules]) -> None:
        self._rules = rules
        self.reveal: Reveal | None = None

    def unwanted(self, call: Ringing) -> bool:
        """It is not answered, whoever its machine says it is."""
        patterns = [FaxRoute((), caller=one) for one in self._rules().refused]
        return bool(call.caller) and _fits(patterns, call)

    def unrouted(self, call: Ringing, *, heard: bool) -> bool:
        """No line of the table fits, and its sender is to know (RFC 4160 section 4.2.1).

        A route by a barcode may fit any call, since nobody has seen a page; before the machine has said who it is and
        what it asks for, so may those by station and subaddress.
        """
        rules = self._rules()
        if rules.unrouted != "refuse":
            return False
        open_ = [one if heard else evolve(one, station="", subaddress="") for one in rules.routes]
        known = {"called": call.called, "subaddress": call.subaddress, "station": call.station, "caller": call.caller}
        return route_fax([evolve(one, barcode="") for one in open_], **known, line=call.line) is None

    async def may_send(self, call: Ringing, *, heard: bool) -> bool:
        """Whether a caller may send.

        :param heard: the machine has said all that it will say; before, what it has not said counts for it.
        """
        rules = self._rules()
        callers = rules.callers
        if not callers:
            return await self._relay_opened(call, rules, heard=heard)
        for one in callers:
            route = FaxRoute((), caller=one.caller, station=one.station if heard else "")
            if _fits([route], call) and (not heard or await self._gives(call.password, one.code)):
                return await self._relay_opened(call, rules, heard=heard)
        return False

    async def _relay_opened(self, call: Ringing, rules: FaxRules, *, heard: bool) -> bool:
        """A relay box with a code lets nobody use this office's telephone who does not give it."""
        if not heard:
            return True
        route = route_fax(
            [one for one in rules.routes if not one.barcode],
            called=call.called,
            subaddress=call.subaddress,
            station=call.station,
            caller=call.caller,
            line=call.line,
        )
        boxes = [rules.box(name[4:]) for name in (route.to if route else ()) if name.startswith("box:")]
        codes = [box.code for box in boxes if box is not None and box.kind == "relay"]
        return all([await self._gives(call.password, code) for code in codes])

    async def _gives(self, password: str, code: Mapping[str, object]) -> bool:
        if not code:
            return True
        if self.reveal is None:
            return False
        return hmac.compare_digest(password.encode(), (await self.reveal(code)).encode())


def with_facts(call: Ringing, facts: CallFacts) -> Ringing:
    """The call with what its end has told of the machine."""
    return evolve(
        call,
        station=facts.station or call.station,
        subaddress=facts.subaddress or call.subaddress,
        password=facts.password or call.password,
    )


def _fits(patterns: Sequence[FaxRoute], call: Ringing) -> bool:
    found = route_fax(patterns, called="", subaddress="", station=call.station, caller=call.caller)
    return found is not None
