"""Printers, queues and their jobs."""

from __future__ import annotations

from mailshare.web.routing import Page
from mailshare.web.visit import Visit


async def printers(visit: Visit) -> bytes:
    """All of them, and the jobs."""
    everything, wanted = visit.asked("all") == "true", visit.asked("q").casefold()
    jobs = await visit.ask("print_jobs", all=everything)
    shown = [job for job in jobs if wanted in f"{job['name']} {job['user']} {job['queue']}".casefold()]
    places = await visit.ask("print_places")
    return visit.page("printers.html", places=places, jobs=shown, everything=everything, q=visit.asked("q"))


async def job(visit: Visit) -> bytes:
    """One job in words."""
    return visit.page("print_job.html", job=await visit.ask("print_job", id=visit.path["job"]))


async def steer(visit: Visit) -> bytes:
    """Do something with one job."""
    done = await visit.ask("steer_job", id=visit.path["job"], act=visit.text("act"))
    return visit.go(visit.back, str(done["words"]))


async def pause(visit: Visit) -> bytes:
    """Hand nothing of a queue on, or go on."""
    paused = visit.text("paused") == "true"
    await visit.ask("pause_queue", name=visit.path["name"], paused=paused)
    name = visit.path["name"]
    return visit.go(visit.back, f"{name} is paused, and its jobs wait" if paused else f"{name} goes on")


async def test(visit: Visit) -> bytes:
    """Ask a printer how it stands; with a page that is printed, where that is wanted."""
    answer = await visit.ask("test_printer", name=visit.path["name"], page=visit.flag("page"))
    return visit.go(visit.back, " ".join(map(str, answer["words"])), bad=not answer["ready"])


PAGES = (
    Page("/printers", printers),
    Page("/printers/jobs/<job>", job),
    Page("/printers/jobs/<job>", steer, "POST"),
    Page("/printers/<name>/pause", pause, "POST"),
    Page("/printers/<name>/test", test, "POST"),
)
