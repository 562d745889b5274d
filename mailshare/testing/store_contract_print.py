"""What every provider of IStore must do with print jobs.

As :mod:`mailshare.testing.store_contract`: inherit the class and give the fixture ``store_factory``.
"""

from __future__ import annotations

from hashlib import sha256

import pytest

from mailshare.core.errors import NoSuchJob, NotPossible, Unavailable
from mailshare.core.values import PrintChange, PrintDocument, PrintJob, PrintState, PrintTicket, QueueState
from mailshare.testing.store_office import DAY, NOW, SECOND, Office, StoreFactory, office, whole

_HEAD = b"Message-ID: <one@print>\r\nContent-Type: application/pdf\r\n\r\n"
_UUIDS = [f"01920000-0000-7000-8000-00000000000{digit}" for digit in range(10)]


def ticket(number: int = 0, *members: str) -> PrintTicket:
    """What somebody asks for."""
    return PrintTicket(
        _UUIDS[number],
        "office",
        "anna",
        "Report \N{LATIN SMALL LETTER O WITH DIAERESIS}",
        members=members or ("office",),
        options={"copies": 2, "page-ranges": [[1, 3]], "media-col": {"media-size": {"x-dimension": 21000}}},
        notify=("done",),
        peer="192.0.2.9",
    )


def document(content: bytes, **about: object) -> PrintDocument:
    """A document as its intake knows it."""
    return PrintDocument(1, "application/pdf", len(content), sha256(content).digest(), **about)  # type: ignore[arg-type]


class PrintJobsContract:
    """Print jobs, their documents, and their rows of the queue."""

    async def _taken(self, place: Office, content: bytes = b"%PDF-1.7 x", **how: object) -> PrintJob:
        held = bool(how.get("held"))
        members = tuple(str(one) for one in how.get("members", ()))  # type: ignore[attr-defined]
        body = await place.body(_HEAD + content)
        job = ticket(int(str(how.get("number", 0))), *members)
        return await place.store.print_jobs.take(job, [(document(content, name="a.pdf"), body)], NOW, held=held)

    @pytest.mark.parametrize("size", [20, 200_000])
    async def test_a_job_comes_back_as_it_was_given(self, store_factory: StoreFactory, size: int) -> None:
        """Ticket, document and octets, small and large, read again from the store."""
        content = b"%PDF-1.7 " + b"x" * size
        async with office(store_factory) as place:
            jobs = place.store.print_jobs
            job = await self._taken(place, content)
            assert (job.id > 0, job.state, job.closed, job.reasons) == (True, PrintState.PENDING, True, ())
            assert job.ticket == ticket()
            assert await jobs.job(job.id) == await jobs.find(job.ticket.uuid) == job
            assert await jobs.job(job.id + 1) is None
            (kept,) = job.documents
            assert (kept.number, kept.name, kept.length, kept.offset) == (1, "a.pdf", len(content), len(_HEAD))
            body, offset = await jobs.document(job.id, 1)
            assert (await whole(body))[offset:] == content
            assert sha256(content).digest() == kept.digest
            assert await place.store.verify(deep=True) == []

    async def test_each_destination_has_its_row(self, store_factory: StoreFactory) -> None:
        """A group's job is one submission with a row for each member, which says what the agent must know."""
        async with office(store_factory) as place:
            job = await self._taken(place, members=("a", "b"))
            rows = await place.store.queue.claim("print", 10, NOW, SECOND)
            assert sorted(row.address for row in rows) == ["a", "b"]
            assert len({row.submission_id for row in rows}) == 1
            assert rows[0].params == {"job": job.id, "uuid": job.ticket.uuid, "member": rows[0].address}
            assert rows[0].message_id == job.documents[0].message_id
            assert rows[0].sender is None

    async def test_documents_are_added_until_the_last(self, store_factory: StoreFactory) -> None:
        """Create-Job, Send-Document twice: only the whole job goes into the queue, and nothing is added after that."""
        async with office(store_factory) as place:
            jobs = place.store.print_jobs
            job = await jobs.open(ticket(), NOW)
            assert (job.state, job.reasons, job.documents) == (PrintState.HELD, ("job-incoming",), ())
            for last in (False, True):
                assert await place.store.queue.items(agent="print") == []
                body = await place.body(_HEAD + b"%PDF- one")
                job = await jobs.add(job.id, document(b"%PDF- one"), body, NOW + 1, last=last)
            assert [one.number for one in job.documents] == [1, 2]
            assert (job.state, job.closed) == (PrintState.PENDING, True)
            assert len(await place.store.queue.items(agent="print")) == 1
            body = await place.body(_HEAD + b"%PDF- one")
            with pytest.raises(NotPossible):
                await jobs.add(job.id, document(b"%PDF- one"), body, NOW + 2, last=True)
            assert await jobs.close(job.id, NOW + 3) == job
            assert await jobs.job(job.id) == job

    async def test_a_job_without_documents_ends(self, store_factory: StoreFactory) -> None:
        """Closed without a document, it is aborted, and nothing waits in the queue."""
        async with office(store_factory) as place:
            jobs = place.store.print_jobs
            job = await jobs.close((await jobs.open(ticket(), NOW)).id, NOW + 1)
            assert (job.state, job.completed) == (PrintState.ABORTED, NOW + 1)
            assert await place.store.queue.items(agent="print") == []

    async def test_held_released_cancelled(self, store_factory: StoreFactory) -> None:
        """The rows of the queue follow the job."""
        async with office(store_factory) as place:
            jobs, queue = place.store.print_jobs, place.store.queue
            job = await self._taken(place, held=True)
            assert (job.state, job.reasons) == (PrintState.HELD, ("job-hold-until-specified",))
            assert await queue.claim("print", 10, NOW + 1, SECOND) == []
            job = await jobs.change(job.id, PrintChange(held=False), NOW + 2)
            assert job.state is PrintState.PENDING
            assert [row.state for row in await queue.items(agent="print")] == [QueueState.QUEUED]
            job = await jobs.change(job.id, PrintChange(held=True), NOW + 3)
            assert [row.state for row in await queue.items(agent="print")] == [QueueState.HELD]
            job = await jobs.change(job.id, PrintChange(state=PrintState.CANCELED), NOW + 4)
            assert (job.state, job.completed) == (PrintState.CANCELED, NOW + 4)
            assert [row.state for row in await queue.items(agent="print", open_only=False)] == [QueueState.CANCELLED]
            assert await jobs.change(job.id, PrintChange(state=PrintState.COMPLETED), NOW + 5) == job
            with pytest.raises(NoSuchJob):
                await jobs.change(job.id + 1, PrintChange(held=True), NOW)

    async def test_a_group_is_done_when_all_are(self, store_factory: StoreFactory) -> None:
        """The parent goes on until its last member has ended, and adds up their pages."""
        async with office(store_factory) as place:
            jobs = place.store.print_jobs
            job = await self._taken(place, members=("a", "b"))
            done = PrintChange("a", PrintState.COMPLETED, impressions=3, certainty="completed")
            job = await jobs.change(job.id, done, NOW + 1)
            assert (job.state, job.completed) == (PrintState.PROCESSING, 0)
            job = await jobs.change(job.id, PrintChange("b", PrintState.COMPLETED, impressions=4), NOW + 2)
            assert (job.state, job.impressions, job.completed) == (PrintState.COMPLETED, 7, NOW + 2)
            assert await jobs.job(job.id) == job

    async def test_a_job_begins_again(self, store_factory: StoreFactory) -> None:
        """Restarted, a finished job is queued anew, once."""
        async with office(store_factory) as place:
            jobs = place.store.print_jobs
            job = await self._taken(place)
            await jobs.change(job.id, PrintChange(state=PrintState.CANCELED), NOW + 1)
            job = await jobs.change(job.id, PrintChange(again=True), NOW + 2)
            assert (job.state, job.completed) == (PrintState.PENDING, 0)
            (row,) = await place.store.queue.items(agent="print")
            assert (row.state, row.queued) == (QueueState.QUEUED, NOW + 2)

    async def test_listed_and_let_go(self, store_factory: StoreFactory) -> None:
        """Open and finished ones, newest first; documents go first, then the jobs, then their messages."""
        async with office(store_factory) as place:
            jobs = place.store.print_jobs
            first = await self._taken(place)
            second = await self._taken(place, number=1)
            assert [job.id for job in await jobs.jobs()] == [second.id, first.id]
            assert [job.id for job in await jobs.jobs(limit=1)] == [second.id]
            assert [job.id for job in await jobs.jobs(before_id=second.id)] == [first.id]
            await jobs.change(first.id, PrintChange(state=PrintState.COMPLETED), NOW + 1)
            assert [job.id for job in await jobs.jobs(open_only=True)] == [second.id]
            assert await jobs.forget(documents_before=NOW + 2, jobs_before=NOW) == 1
            with pytest.raises(Unavailable):
                await jobs.document(first.id, 1)
            assert await jobs.forget(documents_before=NOW + 2, jobs_before=NOW + 2) == 1
            assert await jobs.job(first.id) is None
            assert await jobs.purge([second.id]) == 1
            assert await jobs.jobs() == []
            await place.store.collect_garbage(NOW + 30 * DAY)
            assert await place.store.find("<one@print>") == []

    async def test_who_watches_is_told(self, store_factory: StoreFactory) -> None:
        """Of each durable change, until he does not want to be."""
        async with office(store_factory) as place:
            seen: list[PrintState] = []
            stop = place.store.print_jobs.watch(lambda job: seen.append(job.state))
            job = await self._taken(place)
            await place.store.print_jobs.change(job.id, PrintChange(state=PrintState.PROCESSING), NOW + 1)
            stop()
            await place.store.print_jobs.change(job.id, PrintChange(state=PrintState.COMPLETED), NOW + 2)
            assert seen == [PrintState.PENDING, PrintState.PROCESSING]
