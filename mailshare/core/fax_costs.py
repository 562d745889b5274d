"""How long a fax will take on the line and what it will cost, before anything is dialled.

The sizes are those of the coded pages, so that a page of photographs counts for what it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from mailshare.core.fax_dialling import Toll

_SETTING_UP = 16.0  # seconds of a call before the first page: ringing not counted, training included
_AFTER_PAGE = 4.0  # seconds between two pages, and at the end


@frozen
class Forecast:
    """What sending once will take.

    :ivar seconds: on the line; ``cost`` in the currency of the prices, 0.0 where no price is known.
    """

    pages: int
    seconds: float
    cost: float


def forecast(octets: Sequence[int], toll: Toll, prices: Mapping[str, float], rate: int = 9_600) -> Forecast:
    """For pages of these sizes.

    :param octets: of each page as it is coded on the line.
    :param prices: a minute, by the word of the toll class; a begun minute counts as a whole one.
    :param rate: bits a second; a careful figure is better than a hopeful one.
    """
    seconds = _SETTING_UP + sum(size * 8 / rate + _AFTER_PAGE for size in octets)
    minutes = -(-int(seconds) // 60) or 1
    return Forecast(len(octets), seconds, round(minutes * prices.get(toll.value, 0.0), 4))
