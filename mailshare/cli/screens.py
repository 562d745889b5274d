"""Answers of the office as lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_LAMPS = (
    ("local_sending", "Local sending"),
    ("local_receiving", "Local receiving"),
    ("outgoing", "Outgoing"),
    ("incoming", "Incoming"),
    ("inbox", "Inbox"),
    ("outbox", "Outbox"),
)


def safe(text: object) -> str:
    """A text without control characters, which a peer might have sent to play with the terminal."""
    return "".join(char if char.isprintable() else "?" for char in str(text))


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], empty: str) -> Iterator[str]:
    """Rows under their headings, as wide as they need."""
    if not rows:
        yield empty
        return
    cells = [[safe(row.get(name, "")) for name in columns] for row in rows]
    widths = [max(len(name), *(len(row[place]) for row in cells)) for place, name in enumerate(columns)]
    yield "  ".join(name.upper().ljust(width) for name, width in zip(columns, widths, strict=True)).rstrip()
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def status(answer: Mapping[str, Any]) -> Iterator[str]:
    """The six indicators and each account."""
    if not answer.get("running"):
        yield "The server does not run; this is what the store says."
    elif answer.get("reload_error"):
        yield "The configuration file is broken; the server goes on with the old settings:"
        yield from (f"  {line}" for line in str(answer["reload_error"]).splitlines())
    trouble = str(answer.get("store_error") or "")
    if trouble.startswith("damaged"):
        yield f"The store is {safe(trouble)}; see: mailshare verify"
    elif trouble:
        yield f"The store cannot write, so no mail is taken: {safe(trouble)}"
    if answer.get("journal_error"):
        yield f"The journal's files cannot be written; mail flows on: {safe(answer['journal_error'])}"
    yield lamps(answer["indicators"])
    for account in answer["accounts"]:
        yield safe(account["address"])
        for name in ("collect", "relay"):
            yield f"  {name}: {_run(account[name])}"
        news = listening(account.get("news") or {})
        if news:
            yield f"  news: {news}"
        marking = account.get("marking") or {}
        if marking.get("alarm"):
            yield f"  sorting: {safe(marking['alarm'])}"


def lamps(values: Mapping[str, Any]) -> str:
    """The six indicators on one line."""
    return "  ".join(f"{words}: {values[name]}" for name, words in _LAMPS)


def _run(run: Mapping[str, Any]) -> str:
    parts = ["running now"] if run["running"] else []
    if run["paused"]:
        parts.append("paused")
    parts.append(f"last {run['last_ok']}, {run['messages']} messages" if run["last_ok"] else "not done yet")
    if run["next_try"]:
        parts.append(f"next {run['next_try']}")
    if run["error"]:
        parts.append(f"error: {safe(run['error'])}")
    if run["note"]:
        parts.append(f"note: {safe(run['note'])}")
    return "; ".join(parts)


def listening(news: Mapping[str, Any]) -> str:
    """How listening for new mail goes; empty where nobody listens or wants to."""
    if news.get("since"):
        return f"waiting for news since {news['since']}"
    again = f"; tried again {news['next_try']}" if news.get("next_try") else ""
    return f"not waiting for news: {safe(news['error'])}{again}" if news.get("error") else ""


def reasons(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The chain of a message; of several messages the list to choose from."""
    if len(found) > 1:
        yield "Several messages fit; ask again with the trace of one, its first word:"
        yield from (f"  {safe(message['title'])}" for message in found)
        return
    for message in found:
        yield from (safe(line) for line in message["words"])


def _facts(event: Mapping[str, Any]) -> str:
    facts = {"account": event["account"], "user": event["user"], **event["data"]}
    said = {name: value for name, value in facts.items() if value not in ("", None) and name != "steps"}
    return "".join(f"  {name}={safe(value)}" for name, value in said.items())


def journal(events: Sequence[Mapping[str, Any]], empty: str) -> Iterator[str]:
    """Lines of the journal."""
    if not events:
        yield empty
    for event in events:
        trace = f"  [{event['trace']}]" if event["trace"] else ""
        yield f"{event['at']}  {event['kind']}{trace}{_facts(event)}"
