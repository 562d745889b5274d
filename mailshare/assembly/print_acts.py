"""What an administrator does with print queues and jobs: for the commands, the API and the pages."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Protocol

from attrs import evolve

from mailshare.assembly.audit import named
from mailshare.assembly.changes import Changes
from mailshare.assembly.print_shapes import job_json, job_words
from mailshare.core.errors import NoSuchJob, NotPossible, PeerFault, Unavailable
from mailshare.core.values import Event, PrintChange, PrintJob, PrintState
from mailshare.printing.again import printed_again
from mailshare.printing.service import uuid7

_MOST = 500


class Queues(Protocol):
    """The print queues of a running server."""

    async def pause(self, name: str, *, paused: bool) -> None:
        """Hand nothing on, or go on.

        :raises NoSuchUser: there is no such queue.
        """


class PrintActs(Changes):
    """Printing as its operator sees it."""

    queues: Queues | None = None

    async def pause_queue(self, *, name: str, paused: bool) -> Mapping[str, object]:
        """Hand nothing of a queue on, or go on."""
        if self.queues is None:
            raise Unavailable("The server does not run; start it first")
        await self.queues.pause(name, paused=paused)
        return {"queue": name, "paused": paused}

    async def print_jobs(
        self, *, all: bool = False, queue: str = "", before: int | None = None, limit: int = 100  # noqa: A002
    ) -> Sequence[Mapping[str, object]]:
        """Jobs, newest first.

        :param all: also those that are over.
        :param queue: only of this destination, group or printer.
        """
        jobs = await self._store.print_jobs.jobs(
            open_only=not all, before_id=before, limit=min(max(limit, 1), _MOST)
        )
        wanted = queue.casefold()
        return [job_json(one) for one in jobs if not wanted or one.ticket.queue.casefold() == wanted]

    async def print_job(self, *, id: int) -> Mapping[str, object]:  # noqa: A002
        """One job, also in words."""
        job = await self._job(id)
        return {**job_json(job), "words": list(job_words(job))}

    async def _job(self, number: int) -> PrintJob:
        job = await self._store.print_jobs.job(number)
        if job is None:
            raise NoSuchJob(f"There is no print job {number}")
        return job

    async def steer_job(self, *, id: int, act: str, by: str = "") -> Mapping[str, object]:  # noqa: A002
        """``cancel``, ``hold``, ``release``, ``again`` (from the beginning) or ``reprint`` (as a new one) for one job.

        :returns: the job, or the new one, with ``words``: what came of it.
        :raises NoSuchJob: there is none. :raises NotPossible: its state does not allow it.
        """
        job = await self._job(id)
        told = {"job": job.id, "act": act, **named(by)}
        event = Event(self._clock(), "admin.print", user_id=job.ticket.user_id, data=told)
        if act == "reprint":
            return await self._reprint(job, event)
        if act == "release" and not job.held and job.state is PrintState.STOPPED:
            return await self._ask_again(job, event)
        change, refusal, words = _change(job, act)
        if refusal:
            raise NotPossible(f"Job {job.id} {refusal}")
        job = await self._store.print_jobs.change(job.id, change, self._clock(), [event])
        return {**job_json(job), "words": f"Job {job.id} {words}"}

    async def _reprint(self, job: PrintJob, event: Event) -> Mapping[str, object]:
        if not job.state.final and job.state is not PrintState.STOPPED:
            raise NotPossible(f"Job {job.id} is not over yet, so it is not printed again")
        at, mail = self._clock(), job.ticket.mail
        uuid = uuid7(at, os.urandom(10))
        if mail is not None:
            mail = evolve(mail, id=uuid, of=mail.id)
        new = await printed_again(self._store.print_jobs, job, uuid, at, mail=mail)
        await self._store.events.append([event])
        return {**job_json(new), "words": f"Job {job.id} is printed once more, as job {new.id}."}

    async def _ask_again(self, job: PrintJob, event: Event) -> Mapping[str, object]:
        """Nobody knows the end of it: its rows wait; perhaps the device can tell now."""
        rows = [row.id for row in await self._store.queue.items(agent="print") if row.params.get("job") == job.id]
        await self._store.queue.steer(rows, "release", self._clock())
        await self._store.events.append([event])
        self._store.notifier.wake("print")
        return {**job_json(job), "words": f"The printer is asked once more what it has of job {job.id}."}


def _change(job: PrintJob, act: str) -> tuple[PrintChange, str, str]:
    """What an act writes; why the job's state does not allow it, or nothing; what came of it, in words."""
    over = "is over already" if job.state.final else ""
    options = dict(job.ticket.options)
    if "job-password" not in options:  # else it is meant for the printing server, which waits for the PIN
        options.pop("job-hold-until", None)
    if act == "cancel":
        change = PrintChange(state=PrintState.CANCELED, reasons=("job-canceled-by-operator",))
        return change, over, "is cancelled."
    if act == "hold":
        gone = any(one.handed or one.part for one in job.members.values())
        leaving = "is on its way already; it can only be cancelled" if gone else ""
        held = {**options, "job-hold-until": "indefinite"}
        return PrintChange(held=True, options=held), over or leaving, "waits until it is released."
    if act == "release":
        free = "" if job.held else "does not wait to be released"
        return PrintChange(held=False, options=options), over or free, "goes on."
    if act == "again":
        empty = "" if job.documents else "has no document any more"
        undone = "" if job.state.final else "is not over yet, so it is not printed again"
        return PrintChange(again=True, held=False), undone or empty, "is printed again from its beginning."
    raise PeerFault(f"{act[:20]!r} is none of cancel, hold, release, again, reprint", code=400)
