"""Where a message is and why: everything that is known of it, found by what a person has in hand."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from attrs import frozen

from mailshare.core.errors import PeerFault
from mailshare.core.report_parts import printable
from mailshare.core.trace import made_at
from mailshare.core.values import SECOND, Event, QueueItem
from mailshare.interfaces import IStore

_TRACE = re.compile(r"[0-9a-f]{16}\Z", re.IGNORECASE)
_NUMBER = re.compile(r"#?([0-9]{1,15})\Z")
_PAGE = 1000
_RUN = 2 * 3600 * SECOND  # a session with the provider notes its end this much later at the latest
_LONGEST = 24 * 3600 * SECOND  # a run is looked for so long after its beginning
_SESSIONS = ("collect.run", "collect.failed")


@frozen
class Chain:
    """What is known of one message.

    :ivar message_id: without angle brackets; empty when it had none.
    :ivar stored: some mailbox or the outbox still has it.
    :ivar events: with their ids, oldest first.
    :ivar rows: of the outbox, oldest first; those that are done stay for some days.
    :ivar session: the line of the collection session that brought it, or ``None``.
    """

    trace: str
    message_id: str
    stored: bool
    events: tuple[tuple[int, Event], ...]
    rows: tuple[QueueItem, ...] = ()
    session: Event | None = None

    @property
    def route(self) -> Event | None:
        """The line of its coming in."""
        return next((event for _, event in self.events if event.kind == "route"), None)


async def why(store: IStore, wanted: str) -> list[Chain]:
    """The chains of all messages that fit, newest first; empty: unknown.

    :param wanted: a trace, a Message-ID with or without angle brackets, or the number of a row of the outbox.
    """
    text = wanted.strip()
    traces = await _traces(store, text)
    if not traces and _TRACE.match(text):
        traces = {text.lower(): (0, "")}
    chains = [await _chain(store, trace, *found) for trace, found in traces.items()]
    return [chain for chain in chains if chain.events or chain.stored]


async def _traces(store: IStore, text: str) -> dict[str, tuple[int, str]]:
    """Trace to (message id, Message-ID) of what fits."""
    found = {trace: (number, field) for number, trace, field in await store.find(text)}
    number = _NUMBER.match(text)
    if not found and number is not None:
        item = await store.queue.item(int(number[1]))
        if item is not None:
            return {item.trace: next(((n, field) for n, _, field in await store.find(item.trace)), (0, ""))}
    if not found and "@" in text:
        found = dict.fromkeys(await store.events.traces(text), (0, ""))
    return found


async def _chain(store: IStore, trace: str, number: int, message_id: str) -> Chain:
    events = tuple([each async for each in _all_events(store, trace)])
    rows = tuple(reversed(await store.queue.items(message_id=number, open_only=False))) if number else ()
    route = next((event for _, event in events if event.kind == "route"), None)
    if not message_id and route is not None:
        message_id = str(route.data.get("message_id", "")).strip("<>")
    return Chain(trace, message_id, bool(number), events, rows, await _session(store, route))


async def _session(store: IStore, route: Event | None) -> Event | None:
    """The end of the collection run that a message came in.

    A line that does not name its run is of an older version: there it is the first of its account that ended after it.
    """
    if route is None or route.data.get("source") != "collect":
        return None
    if run := route.data.get("run"):
        found = await store.events.page(since=0, until=1 << 62, trace=str(run), kinds=_SESSIONS)
        return next((event for _, event in found), None)
    page = await store.events.page(since=route.at, until=route.at + _RUN, kinds=_SESSIONS, limit=_PAGE)
    ended = [event for _, event in page if event.account_id == route.account_id]
    return min(ended, key=lambda event: event.at, default=None)


async def lines_of_run(store: IStore, run: str, now: int) -> list[tuple[int, Event]]:
    """Every line of one collection run, as they were written: its messages, what it met, and its end.

    :param run: its trace, which tells when it began, so that only the lines from there to its end are read.
    :param now: microseconds UTC.
    :raises PeerFault: it is no trace.
    """
    run = run.strip().lower()
    if not _TRACE.match(run):
        raise PeerFault(f"{printable(run, 100)!r} is no run; mailshare why names the run of a message", code=400)
    since = made_at(run, now) - SECOND
    found: list[tuple[int, Event]] = []
    after = 0
    while page := await store.events.page(since=since, until=since + _LONGEST, after_id=after, limit=_PAGE):
        after = page[-1][0]
        found += [(number, event) for number, event in page if run in (event.trace, event.data.get("run"))]
        if any(event.kind in _SESSIONS and event.trace == run for _, event in page):
            break
    return found


async def _all_events(store: IStore, trace: str) -> AsyncIterator[tuple[int, Event]]:
    """All events of a message, as they were written, a page at a time."""
    after = 0
    while page := await store.events.page(since=0, until=1 << 62, trace=trace, after_id=after, limit=_PAGE):
        for each in page:
            yield each
        after = page[-1][0]
