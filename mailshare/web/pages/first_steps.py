"""The steps of the first run, in their order; where somebody is, is kept, so that a restart loses nothing."""

from __future__ import annotations

from mailshare.web.visit import Visit

STEPS = ("code", "listen", "account", "probe", "users", "timer", "done")
OWNERS = "add_administrator"
"""The operation for whose sake the first run is an owner's: it begins with making the first administrator."""


def shown(visit: Visit, step: str, error: str = "", status: int = 200, **values: object) -> bytes:
    """The page of a step."""
    place = STEPS.index(step)
    return visit.page(
        f"setup_{step}.html",
        status=status,
        step=step,
        number=place + 1,
        stages=STEPS,
        former=STEPS[place - 1] if place > 1 else "",
        error=error,
        **values,
    )


async def on(visit: Visit, step: str, said: str = "") -> bytes:
    """Go on to what follows a step."""
    place = STEPS.index(step) if step in STEPS else 0
    following = STEPS[min(place + 1, len(STEPS) - 1)]
    if following == "probe" and not await visit.ask("accounts"):
        following = "users"
    await visit.rooms.first_run.reach(following)
    return visit.go(f"/setup/{following}", said)
