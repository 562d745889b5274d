"""Why a message is where it is: its whole chain of decisions, for people and for programs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo

from attrs import frozen

from mailshare.core.report_parts import printable
from mailshare.core.values import SECOND, Directory, Event
from mailshare.interfaces import IStore

_TRACE = re.compile(r"[0-9a-f]{16}\Z")
_PAGE = 1000


@frozen
class Chain:
    """What is known of one message.

    :ivar message_id: its Message-ID field, empty when the message is gone and only its journal is left.
    :ivar events: with their ids, oldest first.
    """

    trace: str
    message_id: str
    events: tuple[tuple[int, Event], ...]

    def in_words(self, directory: Directory, zone: tzinfo) -> list[str]:
        """Lines for a person."""
        title = f"message {self.trace}" + (f" {printable(self.message_id, 200)}" if self.message_id else " (gone)")
        return [title, *(text for _, event in self.events for text in event_words(event, directory, zone))]


async def why(store: IStore, wanted: str) -> list[Chain]:
    """The chains of the messages with this trace or Message-ID (with or without angle brackets); empty: unknown."""
    text = wanted.strip()
    found = list(await store.find(text))
    if not found and "@" in text and not text.startswith("<"):
        found = list(await store.find(f"<{text}>"))
    traces = {trace: message_id for _, trace, message_id in found}
    if not traces and _TRACE.match(text):
        traces[text] = ""
    chains = [Chain(trace, message_id, await _events(store, trace)) for trace, message_id in traces.items()]
    return [chain for chain in chains if chain.events or chain.message_id]


async def _events(store: IStore, trace: str) -> tuple[tuple[int, Event], ...]:
    out: list[tuple[int, Event]] = []
    after = 0
    while page := await store.events.page(since=0, until=1 << 62, trace=trace, after_id=after, limit=_PAGE):
        out.extend(page)
        after = page[-1][0]
    return tuple(out)


def event_words(event: Event, directory: Directory, zone: tzinfo) -> list[str]:
    """One event as one or more lines; those after the first are indented."""
    moment = datetime.fromtimestamp(event.at // SECOND, zone).strftime("%Y-%m-%d %H:%M:%S")
    data = event.data
    if event.kind == "route":
        return [f"{moment} {_arrival(event, directory)}", *_decisions(data, directory)]
    agent, _, word = event.kind.partition(".")
    if "address" in data:
        reply = printable(" ".join(str(data.get(key) or "") for key in ("code", "reply")).strip())
        host = f" by {data['host']}" if data.get("host") else ""
        return [f"{moment} {agent}: {printable(str(data['address']))} {word}{host}: {reply or 'no answer'}"]
    if event.kind in {"report.due", "report.sent"}:
        return [f"{moment} report ({data.get('action', '')}) {'is due' if word == 'due' else 'was stored'}"]
    steps = _steps(data)
    if steps:
        return [f"{moment} {event.kind}", *steps]
    facts = ", ".join(f"{key} {printable(str(value), 100)}" for key, value in data.items())
    return [f"{moment} {event.kind}" + (f": {facts}" if facts else "")]


def _arrival(event: Event, directory: Directory) -> str:
    user = directory.user_by_id.get(event.user_id or 0)
    account = directory.account_by_id.get(event.account_id or 0)
    whence = f"from {user.name}" if user else f"for {account.address}" if account else "from nobody who logged in"
    return f"came by {event.data.get('source', '')} {whence}, {event.data.get('size', 0)} octets"


def _decisions(data: Mapping[str, object], directory: Directory) -> list[str]:
    out = _steps(data)
    for target, reason in _pairs(data.get("targets")):
        user = directory.user_by_id.get(target) if isinstance(target, int) else None
        name = user.name if user else printable(target, 100) if isinstance(target, str) else f"of former user {target}"
        out.append(f"    -> mailbox {name} ({reason})")
    for hop in _rows(data.get("hops")):
        if len(hop) >= 3:
            out.append(f"    -> {hop[0]} {printable(str(hop[1]))} ({hop[2]})")
    return out


def _steps(data: Mapping[str, object]) -> list[str]:
    return [f"    {code}: {printable(str(detail))}" for code, detail in _pairs(data.get("steps"))]


def _rows(value: object) -> list[Sequence[object]]:
    rows = value if isinstance(value, (list, tuple)) else ()
    return [row for row in rows if isinstance(row, (list, tuple))]


def _pairs(value: object) -> list[tuple[object, object]]:
    return [(row[0], row[1]) for row in _rows(value) if len(row) >= 2]
