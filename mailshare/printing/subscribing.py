"""Operations on subscriptions, and the events that are fetched. Sources: RFC 3995 section 11, RFC 3996 section 5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mailshare.core.errors import MailshareError
from mailshare.core.values import PrintJob
from mailshare.printing.destinations import Destination
from mailshare.printing.exchange import Begin, Exchange, Work
from mailshare.printing.subscription import Happened, Subscription
from mailshare.printing.subscriptions import LONGEST_WAIT
from mailshare.wire.ipp_asked import Refused, chosen, printable, wanted
from mailshare.wire.ipp_codes import Operation, Status
from mailshare.wire.ipp_printer import EVENT_LIFE, EVENTS, LEASE_MOST, LEASE_USUAL, seconds
from mailshare.wire.ipp_values import (
    Attribute,
    Group,
    Message,
    Tag,
    Value,
    boolean,
    enum,
    integer,
    keyword,
    name_of,
    octets,
    text,
    uri,
)

_MOST_USER_DATA = 63
_AGAIN = 10  # seconds after which a client is asked to look again


def _events_of(group: Group) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The events that a subscription asks for: known ones, and others."""
    asked = group.get("notify-events")
    words = asked.texts() if asked is not None else ("job-completed",)
    return tuple(one for one in words if one in EVENTS), tuple(one for one in words if one not in EVENTS)


def _number(group: Group, name: str, default: int) -> int:
    found = group.get(name)
    return default if found is None or found.first.tag != Tag.INTEGER else max(0, found.first.number)


def _refusal(group: Group) -> tuple[Status, list[Attribute]] | None:
    """Why a subscription cannot be made, with what is not supported; ``None`` when it can."""
    recipient = group.get("notify-recipient-uri")
    if recipient is not None:
        # Events are fetched here, never sent to where a client says (RFC 3995 section 5.3.1).
        return Status.URI_SCHEME_NOT_SUPPORTED, [recipient]
    method = group.get("notify-pull-method")
    if method is None:
        return Status.BAD_REQUEST, []
    if method.texts() != ("ippget",):
        return Status.ATTRIBUTES_NOT_SUPPORTED, [method]
    data = group.get("notify-user-data")
    if data is not None and len(data.first.data if isinstance(data.first.data, bytes) else b"") > _MOST_USER_DATA:
        return Status.VALUE_TOO_LONG, [data]
    events, unknown = _events_of(group)
    if not events:
        return Status.ATTRIBUTES_NOT_SUPPORTED, [keyword("notify-events", *unknown)]
    return None


async def _add(exchange: Exchange, queue: Destination, group: Group, job: PrintJob | None) -> Subscription | None:
    subscriptions = exchange.service.subscriptions
    lease = 0 if job is not None else min(_number(group, "notify-lease-duration", LEASE_USUAL), LEASE_MOST)
    data = group.get("notify-user-data")
    language = group.get("notify-natural-language")
    return await subscriptions.add(
        lambda number: Subscription(
            number,
            queue.name,
            exchange.request.user,
            _events_of(group)[0],
            job_id=job.id if job is not None else 0,
            user_data=data.first.data if data is not None and isinstance(data.first.data, bytes) else b"",
            language=printable(language.first.text)[:63] if language is not None else "en",
            interval=_number(group, "notify-time-interval", 0),
        ),
        lease,
    )


async def _subscribe(exchange: Exchange, queue: Destination, job: PrintJob | None) -> list[Group]:
    """A group for each one that was asked for: its id, or why there is none."""
    out = []
    for group in exchange.request.message.groups:
        if group.tag != Tag.SUBSCRIPTION:
            continue
        refusal = _refusal(group)
        if refusal is not None:
            status, unsupported = refusal
            out.append(Group(Tag.SUBSCRIPTION, (*unsupported, enum("notify-status-code", status))))
            continue
        try:
            new = await _add(exchange, queue, group, job)
        except MailshareError:
            # What was asked besides, a job perhaps, is done; only this was not written down.
            out.append(Group(Tag.SUBSCRIPTION, (enum("notify-status-code", Status.TEMPORARY_ERROR),)))
            continue
        if new is None:
            out.append(Group(Tag.SUBSCRIPTION, (enum("notify-status-code", Status.TOO_MANY_SUBSCRIPTIONS),)))
            continue
        found = [integer("notify-subscription-id", new.id)]
        if not new.job_id:
            found.append(integer("notify-lease-duration", new.lease))
        unknown = _events_of(group)[1]
        if unknown:
            found.append(keyword("notify-events", *unknown))
            found.append(enum("notify-status-code", Status.OK_IGNORED_OR_SUBSTITUTED))
        out.append(Group(Tag.SUBSCRIPTION, tuple(found)))
    return out


async def subscribe_to_job(exchange: Exchange, queue: Destination, job: PrintJob) -> list[Group]:
    """The subscriptions that came with a new job."""
    return await _subscribe(exchange, queue, job)


def create_subscriptions(exchange: Exchange) -> Work:
    """Create-Printer-Subscriptions and Create-Job-Subscriptions."""
    job: PrintJob | None = None
    if exchange.request.message.code == Operation.CREATE_JOB_SUBSCRIPTIONS:
        number = exchange.request.number("notify-job-id") or exchange.request.number("job-id")
        queue = exchange.queue()
        job = exchange.service.board.get(number or 0)
        if job is None or job.ticket.queue != queue.name:
            raise Refused(Status.NOT_FOUND, "There is no such job on this printer")
    else:
        queue = exchange.queue()
    asked = sum(group.tag == Tag.SUBSCRIPTION for group in exchange.request.message.groups)
    if not asked:
        raise Refused(Status.BAD_REQUEST, "The request has no group of subscription attributes")

    async def work() -> Message:
        groups = await _subscribe(exchange, queue, job)
        made = sum(group.get("notify-subscription-id") is not None for group in groups)
        status = Status.OK if made == asked else Status.OK_IGNORED_SUBSCRIPTIONS
        return exchange.done(groups, status if made else Status.IGNORED_ALL_SUBSCRIPTIONS)

    return work


def _described(exchange: Exchange, queue: Destination, one: Subscription) -> list[Attribute]:
    now = seconds(exchange.service.now())
    job = [integer("notify-job-id", one.job_id)] if one.job_id else []
    return [
        integer("notify-subscription-id", one.id),
        uri("notify-subscription-uuid", f"urn:uuid:00000000-0000-8000-8000-{one.id:012x}"),
        uri("notify-printer-uri", exchange.uri_of(queue)),
        *job,
        name_of("notify-subscriber-user-name", one.user),
        keyword("notify-events", *one.events),
        keyword("notify-pull-method", "ippget"),
        *([octets("notify-user-data", one.user_data)] if one.user_data else []),
        Attribute("notify-charset", (Value(Tag.CHARSET, one.charset),)),
        Attribute("notify-natural-language", (Value(Tag.LANGUAGE, one.language),)),
        integer("notify-sequence-number", one.sequence),
        *(
            []
            if one.job_id
            else [
                integer("notify-printer-up-time", now),
                integer("notify-lease-duration", one.lease),
                integer("notify-lease-expiration-time", seconds(one.ends) if one.ends else 0),
            ]
        ),
    ]


def _groups(attributes: Sequence[Attribute]) -> dict[str, frozenset[str]]:
    templates = {"notify-events", "notify-pull-method", "notify-user-data", "notify-charset", "notify-time-interval"}
    templates |= {"notify-natural-language", "notify-lease-duration"}
    names = frozenset(one.name for one in attributes)
    return {"subscription-template": names & templates, "subscription-description": names - templates}


def _one(exchange: Exchange) -> tuple[Destination, Subscription]:
    """The subscription that ``notify-subscription-id`` names.

    :raises Refused: there is none, or it is of another queue.
    """
    queue = exchange.queue()
    number = exchange.request.number("notify-subscription-id")
    if number is None:
        raise Refused(Status.BAD_REQUEST, "notify-subscription-id is missing")
    found = exchange.service.subscriptions.get(number)
    if found is None or found.queue != queue.name:
        raise Refused(Status.NOT_FOUND, f"There is no subscription {number} on this printer")
    return queue, found


def _group_of(exchange: Exchange, queue: Destination, one: Subscription, default: Sequence[str]) -> Group:
    attributes = _described(exchange, queue, one)
    names = wanted(exchange.request, _groups(attributes), default=default)
    return Group(Tag.SUBSCRIPTION, chosen(attributes, names))


def get_subscription_attributes(exchange: Exchange) -> Work:
    """Get-Subscription-Attributes."""
    queue, found = _one(exchange)

    async def work() -> Message:
        return exchange.done([_group_of(exchange, queue, found, ("all",))])

    return work


def get_subscriptions(exchange: Exchange) -> Work:
    """Get-Subscriptions."""
    queue, request = exchange.queue(), exchange.request
    job_id = request.number("notify-job-id") or 0
    if job_id and exchange.service.board.get(job_id) is None:
        raise Refused(Status.NOT_FOUND, f"There is no job {job_id} on this printer")
    limit = request.number("limit") or 10_000
    mine = request.truth("my-subscriptions") or False

    async def work() -> Message:
        found = exchange.service.subscriptions.of(queue.name, job_id=job_id)
        listed = [one for one in found if not mine or one.user == request.user][:limit]
        return exchange.done([_group_of(exchange, queue, one, ("notify-subscription-id",)) for one in listed])

    return work


def _may(exchange: Exchange, one: Subscription) -> None:
    if not exchange.caller.operator and one.user != exchange.request.user:
        raise Refused(Status.NOT_AUTHORIZED, "This subscription is somebody else's")


def renew_subscription(exchange: Exchange) -> Work:
    """Renew-Subscription."""
    _, found = _one(exchange)
    _may(exchange, found)
    if found.job_id:
        raise Refused(Status.NOT_POSSIBLE, "A subscription to a job lives as long as the job")
    group = exchange.request.message.group(Tag.SUBSCRIPTION)
    asked = exchange.request.number("notify-lease-duration")
    lease = _number(group, "notify-lease-duration", LEASE_USUAL) if asked is None else max(0, asked)

    async def work() -> Message:
        await exchange.service.subscriptions.renew(found, min(lease, LEASE_MOST))
        group = Group(Tag.SUBSCRIPTION, (integer("notify-lease-duration", found.lease),))
        return exchange.done([group])

    return work


def cancel_subscription(exchange: Exchange) -> Work:
    """Cancel-Subscription."""
    _, found = _one(exchange)
    _may(exchange, found)

    async def work() -> Message:
        await exchange.service.subscriptions.cancel(found.id)
        return exchange.done()

    return work


def get_notifications(exchange: Exchange) -> Work:
    """Get-Notifications: what waits, at once; a client that waits gets its answer when there is something.

    Source: RFC 3996 section 5; a client looks again after ``notify-get-interval``.
    """
    queue, request = exchange.queue(), exchange.request
    ids = request.operation.get("notify-subscription-ids")
    if ids is None:
        raise Refused(Status.BAD_REQUEST, "notify-subscription-ids is missing")
    since = request.operation.get("notify-sequence-numbers")
    numbers = [value.number for value in since.values] if since is not None else []
    found = []
    for index, value in enumerate(ids.values):
        one = exchange.service.subscriptions.get(value.number)
        if one is None or one.queue != queue.name:
            raise Refused(Status.NOT_FOUND, f"There is no subscription {value.number} on this printer", [ids])
        _may(exchange, one)
        found.append((one, numbers[index] if index < len(numbers) else 1))

    subscriptions = exchange.service.subscriptions

    def groups() -> list[Group]:
        return [
            _event_group(exchange, queue, one, happened)
            for one, first in found
            for happened in subscriptions.events(one, first)
        ]

    async def work() -> Message:
        ended = all(_ended(exchange, one) for one, _ in found)
        if request.truth("notify-wait") and not ended and not groups():
            await subscriptions.told([one.id for one, _ in found], exchange.service.reactor, LONGEST_WAIT)
        return _with_interval(exchange, groups(), complete=all(_ended(exchange, one) for one, _ in found))

    return work


def _ended(exchange: Exchange, one: Subscription) -> bool:
    job = exchange.service.board.get(one.job_id) if one.job_id else None
    return job is not None and job.state.final


def _with_interval(exchange: Exchange, groups: Sequence[Group], *, complete: bool) -> Message:
    status = Status.OK_EVENTS_COMPLETE if complete else Status.OK
    message = exchange.done(groups, status)
    operation = message.groups[0]
    more = (
        integer("notify-get-interval", min(_AGAIN, EVENT_LIFE)),
        integer("printer-up-time", seconds(exchange.service.now())),
    )
    first = Group(Tag.OPERATION, (*operation.attributes, *more))
    return Message(message.version, message.code, message.request_id, (first, *message.groups[1:]))


def _event_group(exchange: Exchange, queue: Destination, one: Subscription, happened: Happened) -> Group:
    """An event with what RFC 3995 section 8.1 wants of it."""
    out = [
        integer("notify-subscription-id", one.id),
        uri("notify-printer-uri", exchange.uri_of(queue)),
        keyword("notify-subscribed-event", happened.event),
        integer("printer-up-time", seconds(happened.at)),
        integer("notify-sequence-number", happened.number),
        Attribute("notify-charset", (Value(Tag.CHARSET, one.charset),)),
        Attribute("notify-natural-language", (Value(Tag.LANGUAGE, one.language),)),
        octets("notify-user-data", one.user_data),
        text("notify-text", happened.text),
    ]
    if happened.job is not None:
        job = happened.job
        out += [
            integer("notify-job-id", job.id),
            integer("job-id", job.id),
            uri("job-uuid", f"urn:uuid:{job.uuid}"),
            name_of("job-name", job.name or "Untitled"),
            enum("job-state", job.state),
            keyword("job-state-reasons", *(job.reasons or ("none",))),
            integer("job-impressions-completed", job.impressions),
        ]
    if happened.queue is not None:
        state, reasons, accepting = happened.queue
        out += [
            enum("printer-state", state),
            keyword("printer-state-reasons", *reasons),
            boolean("printer-is-accepting-jobs", accepting),
        ]
    return Group(Tag.EVENT, tuple(out))


SUBSCRIBING: Mapping[int, Begin] = {
    Operation.CREATE_PRINTER_SUBSCRIPTIONS: create_subscriptions,
    Operation.CREATE_JOB_SUBSCRIPTIONS: create_subscriptions,
    Operation.GET_SUBSCRIPTION_ATTRIBUTES: get_subscription_attributes,
    Operation.GET_SUBSCRIPTIONS: get_subscriptions,
    Operation.RENEW_SUBSCRIPTION: renew_subscription,
    Operation.CANCEL_SUBSCRIPTION: cancel_subscription,
    Operation.GET_NOTIFICATIONS: get_notifications,
}
