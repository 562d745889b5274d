"""Printers, queues and their jobs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mailshare.core.errors import MailshareError, PeerFault
from mailshare.web.control import http_status
from mailshare.web.live import watched
from mailshare.web.routing import Page
from mailshare.web.uploads import LARGEST
from mailshare.web.visit import Visit


async def printers(visit: Visit) -> bytes:
    """All of them, and the jobs."""
    return visit.page("printers.html", **await _now(visit))


async def _now(visit: Visit) -> Mapping[str, Any]:
    """What changes while the page is open."""
    everything, wanted = visit.asked("all") == "true", visit.asked("q").casefold()
    jobs = await visit.ask("print_jobs", all=everything)
    shown = [job for job in jobs if wanted in f"{job['id']} {job['name']} {job['user']} {job['queue']}".casefold()]
    places = await visit.ask("print_places")
    return {"places": places, "jobs": shown, "everything": everything, "q": visit.asked("q")}


async def live(visit: Visit) -> Any:
    """Printers and jobs, again whenever they change."""
    return await watched(visit, "live/printers.html", lambda: _now(visit))


async def place(visit: Visit) -> bytes:
    """One printer: who may print there, how much and when, what is on its way, what it tells."""
    name = visit.path["name"]
    jobs = await visit.ask("print_jobs", all=True, queue=name, limit=50)
    return visit.page("printer.html", one=await visit.ask("print_place", name=name), jobs=jobs)


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


async def print_form(visit: Visit) -> bytes:
    """Print a document."""
    return await _form(visit, to=visit.asked("to"))


async def _form(visit: Visit, error: str = "", status: int = 200, **given: str) -> bytes:
    return visit.page(
        "print_send.html",
        status=status,
        error=error,
        given={"to": "", "user": "", "copies": "1", "sides": "", "color": "", "pages": "", **given},
        places=await visit.ask("print_places"),
        people=[one["name"] for one in await visit.ask("users") if one["enabled"] and one["kind"] != "public"],
        largest=LARGEST,
    )


_OPTIONS = {"copies": "copies", "sides": "sides", "color": "print-color-mode", "pages": "page-ranges"}


async def print_it(visit: Visit) -> bytes:
    """Print what was chosen; a mistake is told beside what was filled in."""
    upload = visit.upload()
    given = {name: visit.text(name) for name in ("to", "user", *_OPTIONS)}
    options = {option: given[name] for name, option in _OPTIONS.items() if given[name]}
    if options.get("copies") == "1":
        del options["copies"]
    try:
        if not upload.name:
            raise PeerFault("Choose a document", code=400)
        facts = {"to": given["to"], "user": given["user"], "name": upload.name, "options": json.dumps(options)}
        held = {"hold": visit.flag("hold"), "pin": visit.text("pin"), "keep": visit.flag("keep")}
        job = await visit.ask_with("print_document", upload.file, **facts, **held)
    except MailshareError as error:
        return await _form(visit, error.public, max(http_status(error), 400), **given)
    return visit.go(f"/printers/jobs/{job['id']}", f"Job {job['id']} goes to {job['queue']}")


PAGES = (
    Page("/print", print_form, needs="print_document"),
    Page("/print", print_it, "POST", takes=LARGEST, needs="print_document"),
    Page("/printers", printers),
    Page("/live/printers", live),
    Page("/printers/jobs/<job>", job),
    Page("/printers/jobs/<job>", steer, "POST"),
    Page("/printers/<name>", place),
    Page("/printers/<name>/pause", pause, "POST"),
    Page("/printers/<name>/test", test, "POST"),
)
