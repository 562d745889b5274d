"""How large parts of print jobs may be, as refusals and bounces taught; remembered for each destination.

What was learned holds as long as the way there is the same: another address, account or ``part_size`` in the
configuration begins anew.
"""

from __future__ import annotations

from mailshare.interfaces import ISettings
from mailshare.printing.destinations import Destination

SCOPE = "print-part-size"


class PartSizes:
    """Over the settings of a store."""

    def __init__(self, settings: ISettings) -> None:
        self._settings = settings

    async def learned(self, destination: Destination) -> int:
        """Octets of a part; 0 = no mail to it was ever too large."""
        found = await self._settings.get(SCOPE, destination.name)
        value = None if found is None else found[0]
        if not isinstance(value, dict) or value.get("way") != _way(destination):
            return 0
        octets = value.get("octets")
        return octets if isinstance(octets, int) else 0

    async def learn(self, destination: Destination, octets: int) -> None:
        """Parts that are larger do not get there; what was learned before and is less stays."""
        known = await self.learned(destination)
        if not known or octets < known:
            await self._settings.put(SCOPE, destination.name, {"way": _way(destination), "octets": octets})


def _way(destination: Destination) -> list[object]:
    return [destination.address, destination.account, destination.part_size]
