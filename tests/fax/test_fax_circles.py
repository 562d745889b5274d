"""Faxes that a route passes on do not go round: not through the office itself, not between two, not through many."""

from __future__ import annotations

import pytest

from mailshare.core.values.fax import CallFacts, FaxCause, Ringing
from tests.fax.test_fax_boxes import TIFF, faxes_of, page, pages_in, rings
from tests.fax.test_fax_office import line_of, settled
from tests.house import House

ROUTE = '\n[[fax_route]]\nto = ["{to}"]\n'


def words_of(mail: object) -> str:
    return " ".join(mail.get_payload(0).get_payload().split())  # type: ignore[attr-defined]


@pytest.mark.parametrize("to", ["+49305550100", "FAX=+49305550100@fax.mail.office.example"])
async def test_a_route_to_the_office_itself_goes_round_once(house: House, to: str) -> None:
    """Passed on by a call to its own number, then it lies in the inbox and says why; its pages are the same."""
    office = await house.start((TIFF + ROUTE.format(to=to)).replace("[fax]", "[fax]\nhead = false"))
    await rings(house, [page(1)])
    [came] = await faxes_of(house, "ben")
    await settled(house)
    assert pages_in(came) == [page(1)]
    assert "it would go round" in words_of(came)
    rows = await office.store.queue.items(agent="fax", open_only=False)
    assert [row.params["number"] for row in rows] == ["+49305550100"]
    assert len(await faxes_of(house, "ben")) == 1


async def test_nothing_goes_back_to_where_it_came_from(house: House) -> None:
    """Two offices that pass their faxes on to each other end it at the first."""
    office = await house.start(TIFF + ROUTE.format(to="+4989123456"))
    await rings(house, [page(1)])
    [came] = await faxes_of(house, "ben")
    assert "It was not passed on to +4989123456: it came from +4989123456." in words_of(came)
    assert not await office.store.queue.items(agent="fax", open_only=False)


async def test_a_circle_through_others_ends_within_the_hour(house: House) -> None:
    """So many of one caller go on, the next ones stay here, also after a start; another caller's go on."""
    config = (TIFF + ROUTE.format(to="+49305550200")).replace("[fax]", "[fax]\npassed_on = 2")
    await house.start(config)
    for number in range(2):
        await rings(house, [page(number)], number)
    await settled(house)
    assert house.office is not None
    await house.office.stopService()
    await house.start()
    await rings(house, [page(3)], 3)
    [came] = await faxes_of(house, "ben")
    assert "2 faxes of this caller were passed on to +49305550200 within the hour" in words_of(came)
    receiver = line_of(house).receiver
    assert receiver is not None
    other = Ringing("call-4", "pretend", "+4989777", "+49305550100")
    await receiver.screen(other)
    await receiver.page_received(other, 0, page(4))
    await receiver.finished(other, CallFacts(FaxCause.OK, "else"))
    await settled(house)
    assert len(await house.office.store.queue.items(agent="fax", open_only=False)) == 3
