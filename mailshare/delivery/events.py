"""The journal lines of the middle of the journey: what was routed where and why, and what became of queue rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import islice

from mailshare.core.derived import derived, derived_of
from mailshare.core.devices import SENT
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.forwarding import forwarders
from mailshare.core.json_text import JSONObject, as_json
from mailshare.core.report_parts import printable
from mailshare.core.values import Directory, Event, Origin, Outcome, QueueItem, QueueState, Routing, Step

PUBLIC = "public.sent"
_MOST = 200  # recipients or steps told in one line
_PLAIN_ID = re.compile(r"[!#-\[\]-~]{0,200}")  # printable as it is, and in JSON too
_WORDS = {
    QueueState.DELIVERED: "delivered",
    QueueState.FAILED: "failed",
    QueueState.EXPIRED: "expired",
    QueueState.HELD: "held",
    QueueState.QUEUED: "deferred",
}


def route_event(
    at: int,
    envelope: Envelope,
    origin: Origin,
    routing: Routing,
    size: int,
    directory: Directory,
    message_id: str = "",
) -> Event:
    """What ``mailshare why`` prints first: how a message came and every decision about it.

    Mailboxes are told by login name, so that the line can still be read when the user is gone; the Message-ID stands
    in it, so that the line can still be found when the message is gone.
    """
    came = _came(origin.source._value_, origin.peer, origin.helo, origin.secure, origin.run)
    uidl = '""' if origin.ledger is None else as_json(printable(origin.ledger.uidl, 100))
    told = f'"{message_id}"' if _PLAIN_ID.fullmatch(message_id) else as_json(printable(message_id, 200))
    sender = '""' if envelope.sender is None else _sender(str(envelope.sender))
    steps, rest = _decided(directory)(routing)
    if origin.steps:
        steps = as_json(_steps((*origin.steps, *routing.steps)))
    text = (
        f'{came}, "uidl": {uidl}, "message_id": {told}, "sender": {sender}, '
        f'"recipients": {_addressees(envelope.recipients)}, "size": {size}, "steps": {steps}, {rest}'
    )
    return Event(at, "route", origin.trace, origin.account_id, origin.user_id, None, JSONObject(text))


# What follows is the same for many messages: its JSON is made once.


@lru_cache(maxsize=256)
def _came(source: str, peer: str, helo: str, secure: bool, run: str) -> str:
    """How the line begins that tells of a message from there; all of a session have it."""
    told = {"source": source, "peer": printable(peer, 100), "helo": printable(helo, 100), "secure": secure}
    return as_json({**told, "run": run} if run else told)[:-1]


@lru_cache(maxsize=256)
def _sender(text: str) -> str:
    return as_json(printable(text, 320))


@derived_of
def _addressees(recipients: tuple[Recipient, ...]) -> str:
    return as_json([each.text for each in recipients[:_MOST]])


@derived
def _decided(directory: Directory) -> Callable[[Routing], tuple[str, str]]:
    """What a line tells of a routing of this directory: its steps, and the end of the line."""
    users = directory.user_by_id

    def named(pairs: Iterable[tuple[int, str]]) -> list[list[object]]:
        return [[users[one].name if one in users else one, reason] for one, reason in islice(pairs, _MOST)]

    @derived
    def told(routing: Routing) -> tuple[str, str]:
        found: dict[str, list[list[object]]] = {
            "targets": named((each.user_id, each.reason) for each in routing.targets),
            "hops": [[each.agent, printable(each.address, 320), each.reason] for each in routing.hops[:_MOST]],
        }
        kept = {each.user_id for each in routing.targets}
        if passing := named(pair for pair in forwarders(routing).items() if pair[0] not in kept):
            found["sent_on"] = passing
        return as_json(_steps(routing.steps)), as_json(found)[1:]

    return told


def _steps(steps: Sequence[Step]) -> list[list[object]]:
    return [[each.code, printable(each.detail, 200)] for each in steps[:_MOST]]


def route_events(
    at: int,
    envelope: Envelope,
    origin: Origin,
    routing: Routing,
    size: int,
    directory: Directory,
    message_id: str = "",
) -> list[Event]:
    """:func:`route_event`, and lines by which a restart knows what mail to everybody and of machines counted."""
    first = route_event(at, envelope, origin, routing, size, directory, message_id)
    if not routing.public and not origin.steps:
        return [first]
    public = [
        Event(at, PUBLIC, origin.trace, account_id, data={"sender": sender, "key": origin.key.hex()})
        for account_id, sender in routing.public
    ]
    machines = [
        Event(at, SENT, origin.trace, user_id=origin.user_id, data={"device": each.detail})
        for each in origin.steps
        if each.code == "device"
    ]
    return [first, *public, *machines]


def outcome_event(item: QueueItem, outcome: Outcome) -> Event:
    """What one try of one row came to."""
    data = {
        "item": item.id,
        "address": printable(item.address, 320),
        "code": outcome.code,
        "status": outcome.status,
        "reply": printable(outcome.reply, 200),
        "host": printable(str(outcome.detail.get("host", "")), 255),
        "next_at": outcome.next_at if outcome.state is QueueState.QUEUED else 0,
    }
    kind = f"{item.agent}.{_WORDS.get(outcome.state, outcome.state.name.lower())}"
    return Event(outcome.at, kind, item.trace, item.account_id, item.submitter_id, item.message_id, data)


def report_due(action: str, items: Sequence[QueueItem], at: int) -> Event:
    """Written with the outcomes that call for a report; :func:`report_sent` is written with the report itself."""
    first = items[0]
    data = {"action": action, "items": sorted(item.id for item in items), "at": at}
    return Event(at, "report.due", first.trace, first.account_id, first.submitter_id, first.message_id, data)


def report_sent(due: Event, at: int, report_trace: str) -> Event:
    """Written in the transaction that puts the report into a mailbox (or decides that nobody gets one)."""
    data = {**due.data, "report": report_trace}
    return Event(at, "report.sent", due.trace, due.account_id, due.user_id, due.message_id, data)
