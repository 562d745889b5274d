"""What an administrator does with print queues and jobs: for the commands, the API and the pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from mailshare.assembly import shapes
from mailshare.assembly.changes import Changes
from mailshare.core.errors import NoSuchJob, NotPossible, PeerFault, Unavailable
from mailshare.core.values import Event, PrintChange, PrintJob, PrintState

_MOST = 500


class Queues(Protocol):
    """The print queues of a running server."""

    def described(self) -> Sequence[Mapping[str, object]]:
        """Each queue with its state in words, as JSON values."""

    async def pause(self, name: str, *, paused: bool) -> None:
        """Hand nothing on, or go on.

        :raises NoSuchUser: there is no such queue.
        """


class PrintActs(Changes):
    """Printing as its operator sees it."""

    queues: Queues | None = None

    async def print_queues(self) -> Sequence[Mapping[str, object]]:
        """The destinations that programs print to."""
        return list(self.queues.described()) if self.queues is not None else []

    async def pause_queue(self, *, name: str, paused: bool) -> Mapping[str, object]:
        """Hand nothing of a queue on, or go on."""
        if self.queues is None:
            raise Unavailable("The server does not run; start it first")
        await self.queues.pause(name, paused=paused)
        return {"queue": name, "paused": paused}

    async def print_jobs(
        self, *, all: bool = False, before: int | None = None, limit: int = 100  # noqa: A002
    ) -> Sequence[Mapping[str, object]]:
        """Jobs, newest first.

        :param all: also those that are over.
        """
        jobs = await self._store.print_jobs.jobs(
            open_only=not all, before_id=before, limit=min(max(limit, 1), _MOST)
        )
        return [_job(one) for one in jobs]

    async def steer_job(self, *, id: int, act: str) -> Mapping[str, object]:  # noqa: A002
        """``cancel``, ``hold``, ``release`` or ``again`` for one job.

        :raises NoSuchJob: there is none. :raises NotPossible: its state does not allow it.
        """
        job = await self._store.print_jobs.job(id)
        if job is None:
            raise NoSuchJob
        change, possible = _change(job, act)
        if not possible:
            raise NotPossible(f"That is not possible while the job is {job.state.name.lower()}")
        event = Event(self._clock(), "admin.print", user_id=job.ticket.user_id, data={"job": job.id, "act": act})
        return _job(await self._store.print_jobs.change(job.id, change, self._clock(), [event]))


def _change(job: PrintJob, act: str) -> tuple[PrintChange, bool]:
    """What an act writes, and whether the job's state allows it."""
    waiting = job.state in (PrintState.PENDING, PrintState.HELD)
    options = {name: value for name, value in job.ticket.options.items() if name != "job-hold-until"}
    if act == "cancel":
        change = PrintChange(state=PrintState.CANCELED, reasons=("job-canceled-by-operator",))
        return change, not job.state.final
    if act == "hold":
        return PrintChange(held=True, options={**options, "job-hold-until": "indefinite"}), waiting
    if act == "release":
        return PrintChange(held=False, options=options), job.held and not job.state.final
    if act == "again":
        return PrintChange(again=True, held=False), job.state.final and bool(job.documents)
    raise PeerFault(f"{act[:20]!r} is none of cancel, hold, release, again", code=400)


def _job(job: PrintJob) -> dict[str, object]:
    return {
        "id": job.id,
        "queue": job.ticket.queue,
        "name": job.ticket.name,
        "user": job.ticket.user,
        "via": job.ticket.via,
        "peer": job.ticket.peer,
        "state": job.state.name.lower(),
        "reasons": list(job.reasons),
        "message": job.message,
        "held": job.held,
        "over": job.state.final,
        "octets": job.octets,
        "documents": len(job.documents),
        "impressions": job.impressions,
        "created": shapes.moment(job.created),
        "completed": shapes.moment(job.completed),
        "members": [
            {"name": name, "state": one.state.name.lower(), "message": one.message, "certainty": one.certainty}
            for name, one in job.members.items()
        ],
    }
