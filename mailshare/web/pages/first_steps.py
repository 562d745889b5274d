"""The steps of the first run, in their order; where somebody is, is kept, so that a restart loses nothing."""

from __future__ import annotations

from mailshare.core.errors import NotAllowed
from mailshare.core.levels import Level
from mailshare.web.visit import Visit

STEPS = ("code", "listen", "account", "probe", "users", "timer", "done")


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


def owner(visit: Visit) -> None:
    """Ports, certificates and the store are a matter of owners.

    :raises NotAllowed: it is somebody else.
    """
    if visit.caller.accounts is not None or visit.caller.level < Level.ADMIN:
        raise NotAllowed
