"""Print queues and their jobs."""

from __future__ import annotations

from mailshare.web.routing import Page
from mailshare.web.visit import Visit

_DONE = {"cancel": "was cancelled", "hold": "is held", "release": "goes on", "again": "is printed once more"}


async def printers(visit: Visit) -> bytes:
    """Both."""
    everything, wanted = visit.asked("all") == "true", visit.asked("q").casefold()
    jobs = await visit.ask("print_jobs", all=everything)
    shown = [job for job in jobs if wanted in f"{job['name']} {job['user']} {job['queue']}".casefold()]
    queues = await visit.ask("print_queues")
    return visit.page("printers.html", queues=queues, jobs=shown, everything=everything, q=visit.asked("q"))


async def steer(visit: Visit) -> bytes:
    """Do something with one job."""
    job = await visit.ask("steer_job", id=visit.path["job"], act=visit.text("act"))
    return visit.go(visit.back, f"Job {job['id']} {_DONE.get(visit.text('act'), 'was changed')}")


async def pause(visit: Visit) -> bytes:
    """Hand nothing of a queue on, or go on."""
    paused = visit.text("paused") == "true"
    await visit.ask("pause_queue", name=visit.path["name"], paused=paused)
    return visit.go(visit.back, f"{visit.path['name']} {'is paused; jobs wait' if paused else 'goes on'}")


PAGES = (
    Page("/printers", printers),
    Page("/printers/jobs/<job>", steer, "POST"),
    Page("/printers/<name>/pause", pause, "POST"),
)
