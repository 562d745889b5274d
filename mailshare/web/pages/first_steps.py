"""The steps of the first run, in their order; where somebody is, is kept, so that a restart loses nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from mailshare.core.errors import PolicyRefusal
from mailshare.web.visit import Visit

STEPS = ("code", "listen", "account", "probe", "users", "timer", "done")
OWNERS = "add_administrator"
"""The operation for whose sake the first run is an owner's: it begins with making the first administrator."""


LATER = {"listen": "/setup/listen", "account": "/accounts/new", "users": "/users/new", "timer": "/accounts"}
"""Where what a step asks can be said later."""


def stages(visit: Visit) -> Sequence[str]:
    """The steps of this office, in their order: without those that its configuration file has settled."""
    decided = visit.rooms.first_run.decided()
    return [one for one in STEPS if one not in decided]


def asked(visit: Visit, step: str) -> None:
    """See to it that a step is asked at all.

    :raises PolicyRefusal: the configuration file has settled it.
    """
    if step in visit.rooms.first_run.decided():
        raise PolicyRefusal(f"The configuration file has settled this step (decided under [web] names {step})")


def shown(visit: Visit, step: str, error: str = "", status: int = 200, **values: object) -> bytes:
    """The page of a step.

    :raises PolicyRefusal: as :func:`asked`.
    """
    asked(visit, step)
    steps = stages(visit)
    place = steps.index(step)
    later = LATER.get(step, "")
    accounts: Any = values.get("accounts") or ()
    if step in ("probe", "timer") and accounts:
        later = f"/accounts/{quote(accounts[0]['address'], safe='@')}" + ("/timer" if step == "timer" else "")
    return visit.page(
        f"setup_{step}.html",
        status=status,
        step=step,
        number=place + 1,
        stages=steps,
        former=steps[place - 1] if place > 1 else "",
        later=later,
        error=error,
        **values,
    )


async def on(visit: Visit, step: str, said: str = "") -> bytes:
    """Go on to what follows a step."""
    place = STEPS.index(step) if step in STEPS else 0
    without = {*visit.rooms.first_run.decided(), *(() if await visit.ask("accounts") else ("probe",))}
    following = next((one for one in STEPS[place + 1 :] if one not in without), STEPS[-1])
    await visit.rooms.first_run.reach(following)
    return visit.go(f"/setup/{following}", said)
