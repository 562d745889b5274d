"""The journal lines of the middle of the journey: what was routed where and why, and what became of queue rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice

from mailshare.core.derived import derived
from mailshare.core.devices import SENT
from mailshare.core.envelope import Envelope
from mailshare.core.forwarding import forwarders
from mailshare.core.report_parts import printable
from mailshare.core.values import Directory, Event, Origin, Outcome, QueueItem, QueueState, Routing, Step

PUBLIC = "public.sent"
_MOST = 200  # recipients or steps told in one line
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
    data: dict[str, object] = {
        "source": origin.source.value,
        "peer": printable(origin.peer, 100),
        "helo": printable(origin.helo, 100),
        "secure": origin.secure,
        **({"run": origin.run} if origin.run else {}),
        "uidl": printable(origin.ledger.uidl, 100) if origin.ledger is not None else "",
        "message_id": printable(message_id, 200),
        "sender": printable(str(envelope.sender or ""), 320),
        "recipients": [each.text for each in envelope.recipients[:_MOST]],
        "size": size,
        **_decided(directory)(routing),
    }
    if origin.steps:
        data["steps"] = _steps((*origin.steps, *routing.steps))
    return Event(at, "route", origin.trace, origin.account_id, origin.user_id, data=data)


@derived
def _decided(directory: Directory) -> Callable[[Routing], Mapping[str, list[list[object]]]]:
    """What a line tells of a routing of this directory; many messages have the same one."""
    users = directory.user_by_id

    def named(pairs: Iterable[tuple[int, str]]) -> list[list[object]]:
        return [[users[one].name if one in users else one, reason] for one, reason in islice(pairs, _MOST)]

    @derived
    def told(routing: Routing) -> Mapping[str, list[list[object]]]:
        found: dict[str, list[list[object]]] = {
            "steps": _steps(routing.steps),
            "targets": named((each.user_id, each.reason) for each in routing.targets),
            "hops": [[each.agent, printable(each.address, 320), each.reason] for each in routing.hops[:_MOST]],
        }
        kept = {each.user_id for each in routing.targets}
        if passing := named(pair for pair in forwarders(routing).items() if pair[0] not in kept):
            found["sent_on"] = passing
        return found

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
