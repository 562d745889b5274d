"""Operations that look: requested attributes, lists of jobs, subscriptions and their events."""

from __future__ import annotations

from counter import Counter, names, number, settled, value

from mailshare.core.values import PrintState
from mailshare.wire.ipp_codes import Operation, Status
from mailshare.wire.ipp_values import (
    Attribute,
    Group,
    Message,
    Tag,
    Value,
    boolean,
    integer,
    keyword,
    mime_type,
    octets,
    uri,
)

P = PrintState


def _asked(counter: Counter, *wanted: str, **how: str) -> list[str]:
    more = [keyword("requested-attributes", *wanted)] if wanted else []
    said = counter.ask(Operation.GET_PRINTER_ATTRIBUTES, *more, **how)
    assert said.code == Status.OK
    return names(said.group(Tag.PRINTER))


def test_requested_attributes(counter: Counter) -> None:
    """Single names, groups of them, all; what is long only when it is named."""
    every = _asked(counter)
    assert len(every) == len(set(every)) > 110
    assert "media-col-database" not in every
    assert set(_asked(counter, "all", "media-col-database")) == {*every, "media-col-database"}
    assert _asked(counter, "printer-name") == ["printer-name"]
    assert _asked(counter, "no-such-thing") == []
    template = _asked(counter, "job-template")
    assert {"copies-default", "sides-supported", "media-ready"} <= set(template)
    assert "printer-name" not in template
    description = _asked(counter, "printer-description")
    assert {"printer-name", "operations-supported"} <= set(description)
    assert not set(description) & set(template)
    assert {*template, *description, *_asked(counter, "subscription-template")} == set(every)


def test_what_a_client_sees_has_its_own_host(counter: Counter) -> None:
    """URIs are built from the request; the other way in stands beside it."""
    group = counter.ask(Operation.GET_PRINTER_ATTRIBUTES).group(Tag.PRINTER)
    found = group.get("printer-uri-supported")
    assert found == uri(
        "printer-uri-supported",
        "ipp://print.example:631/ipp/print/office",
        "ipps://print.example:632/ipp/print/office",
    )
    assert group.get("uri-security-supported") == keyword("uri-security-supported", "none", "tls")
    assert value(group, "printer-more-info") == "http://print.example:631/ipp/print/office/"


def test_a_printer_says_what_it_can(counter: Counter) -> None:
    """A black and white one has no colour anywhere; formats it does not know are refused."""
    group = counter.ask(Operation.GET_PRINTER_ATTRIBUTES, printer="ipp://h/ipp/print/mono").group(Tag.PRINTER)
    assert value(group, "color-supported") is False
    assert group.get("pages-per-minute-color") is None
    assert "color" not in (group.get("print-color-mode-supported") or keyword("x", "color")).texts()
    refused = counter.ask(Operation.GET_PRINTER_ATTRIBUTES, mime_type("document-format", "x/y"))
    assert refused.code == Status.FORMAT_NOT_SUPPORTED


def test_operations_that_are_listed_are_there(counter: Counter) -> None:
    """Each one listed answers something else than that it is not supported."""
    counter.follow(counter.service.destinations.values(), fetch_from=("192.0.2.1",))
    listed = counter.ask(Operation.GET_PRINTER_ATTRIBUTES).group(Tag.PRINTER).get("operations-supported")
    assert listed is not None
    assert len(listed.values) == len(Operation)
    for one in listed.values:
        assert counter.ask(one.number).code != Status.OPERATION_NOT_SUPPORTED, hex(one.number)


def _ids(said: Message) -> list[int]:
    return [value(group, "job-id") for group in said.groups if group.tag == Tag.JOB]


def test_lists_of_jobs(counter: Counter) -> None:
    """By state, owner, number and count; only job-id and job-uri unless more is asked for."""
    one, two, three = counter.printed(), counter.printed(user="bert"), counter.printed()
    counter.change(one, P.COMPLETED)
    counter.change(three, P.CANCELED)
    ask = counter.ask
    said = ask(Operation.GET_JOBS)
    assert [names(group) for group in said.groups[1:]] == [["job-id", "job-uri"]]
    assert _ids(said) == [two]
    assert _ids(ask(Operation.GET_JOBS, keyword("which-jobs", "completed"))) == [three, one]
    assert _ids(ask(Operation.GET_JOBS, keyword("which-jobs", "canceled"))) == [three]
    assert _ids(ask(Operation.GET_JOBS, keyword("which-jobs", "all"))) == [two, three, one]
    assert _ids(ask(Operation.GET_JOBS, keyword("which-jobs", "all"), boolean("my-jobs", True))) == [three, one]
    assert _ids(ask(Operation.GET_JOBS, keyword("which-jobs", "all"), integer("limit", 2))) == [two, three]
    assert _ids(ask(Operation.GET_JOBS, keyword("which-jobs", "all"), integer("first-index", 3))) == [one]
    assert _ids(ask(Operation.GET_JOBS, Attribute("job-ids", (Value(Tag.INTEGER, one), Value(Tag.INTEGER, 77))))) == [
        one
    ]
    assert ask(Operation.GET_JOBS, keyword("which-jobs", "fetchable")).code == Status.ATTRIBUTES_NOT_SUPPORTED
    assert ask(Operation.GET_JOBS, integer("limit", 0)).code == Status.ATTRIBUTES_NOT_SUPPORTED
    full = ask(Operation.GET_JOBS, keyword("requested-attributes", "all"))
    assert {"job-name", "job-state", "time-at-creation"} <= set(names(full.groups[1]))
    assert _ids(ask(Operation.GET_JOBS, printer="ipp://h/ipp/print/mono")) == []


def test_a_finished_job_tells_how_sure_that_is(counter: Counter) -> None:
    """Pages, sheets and certainty as the agent learned them."""
    job_id = counter.printed()
    counter.change(job_id, P.COMPLETED, impressions=4, sheets=2, certainty="completed")
    job = counter.ask(Operation.GET_JOB_ATTRIBUTES, integer("job-id", job_id)).group(Tag.JOB)
    assert [value(job, f"job-{one}-completed") for one in ("impressions", "media-sheets")] == [4, 2]
    assert value(job, "job-state-message") == "the printer reported that paper is out"
    unsure = counter.printed()
    counter.change(unsure, P.COMPLETED, certainty="unknown")
    job = counter.ask(Operation.GET_JOB_ATTRIBUTES, integer("job-id", unsure)).group(Tag.JOB)
    assert value(job, "job-state-message") == "whether paper came out is not known"


def test_cups_asks_for_all_printers(counter: Counter) -> None:
    """A group for each queue; the default is the first."""
    said = counter.ask(Operation.CUPS_GET_PRINTERS, printer="")
    assert [value(group, "printer-name") for group in said.groups[1:]] == ["office", "mono"]
    assert value(counter.ask(Operation.CUPS_GET_DEFAULT, printer="").group(Tag.PRINTER), "printer-name") == "office"


# --------------------------------------------------------------------------- subscriptions

_PULL = keyword("notify-pull-method", "ippget")


def _subscribed(counter: Counter, *attributes: Attribute, code: int = Operation.CREATE_PRINTER_SUBSCRIPTIONS) -> int:
    group = Group(Tag.SUBSCRIPTION, (_PULL, *attributes))
    said = counter.ask(code, groups=[group])
    assert said.code == Status.OK, said
    return int(value(said.group(Tag.SUBSCRIPTION), "notify-subscription-id"))


def _events(counter: Counter, subscription: int, since: int = 1) -> list[tuple[int, str]]:
    asked = (integer("notify-subscription-ids", subscription), integer("notify-sequence-numbers", since))
    said = counter.ask(Operation.GET_NOTIFICATIONS, *asked)
    assert value(said.groups[0], "notify-get-interval") > 0
    return [
        (value(group, "notify-sequence-number"), value(group, "notify-subscribed-event"))
        for group in said.groups
        if group.tag == Tag.EVENT
    ]


def test_events_of_a_queue(counter: Counter) -> None:
    """What was subscribed to, in order, each once; a part of an event counts as the event."""
    wanted = keyword("notify-events", "printer-state-changed", "job-state-changed", "job-progress")
    subscription = _subscribed(counter, wanted, octets("notify-user-data", b"me"))
    job_id = counter.printed()
    counter.change(job_id, P.PROCESSING, impressions=1)
    counter.change(job_id, P.PROCESSING, impressions=2)
    counter.change(job_id, P.COMPLETED)
    found = _events(counter, subscription)
    assert [event for _, event in found] == [
        "job-created",
        "job-state-changed",
        "job-progress",
        "printer-state-changed",
        "job-progress",
        "job-completed",
        "printer-state-changed",
    ]
    assert [sequence for sequence, _ in found] == list(range(1, len(found) + 1))
    assert _events(counter, subscription, since=6) == found[5:]
    counter.clock.advance(301)
    assert _events(counter, subscription) == []


def test_events_of_one_job(counter: Counter) -> None:
    """Subscribed with the job; complete when it is over; another job is not told."""
    group = Group(Tag.SUBSCRIPTION, (_PULL, keyword("notify-events", "job-completed")))
    said = counter.ask(Operation.CREATE_JOB, groups=[group])
    subscription = value(said.group(Tag.SUBSCRIPTION), "notify-subscription-id")
    counter.change(counter.printed(), P.COMPLETED)
    assert _events(counter, subscription) == []
    counter.change(number(said), P.CANCELED)
    asked = integer("notify-subscription-ids", subscription)
    found = counter.ask(Operation.GET_NOTIFICATIONS, asked)
    assert found.code == Status.OK_EVENTS_COMPLETE
    assert value(found.group(Tag.EVENT), "notify-job-id") == number(said)


def test_subscriptions_live_and_end(counter: Counter) -> None:
    """Looked at, renewed, cancelled, run out."""
    one = _subscribed(counter, integer("notify-lease-duration", 60))
    two = _subscribed(counter, integer("notify-lease-duration", 0))
    listed = counter.ask(Operation.GET_SUBSCRIPTIONS)
    assert [value(group, "notify-subscription-id") for group in listed.groups[1:]] == [one, two]
    asked = integer("notify-subscription-id", one)
    about = counter.ask(Operation.GET_SUBSCRIPTION_ATTRIBUTES, asked).group(Tag.SUBSCRIPTION)
    assert value(about, "notify-lease-duration") == 60
    renewed = counter.ask(
        Operation.RENEW_SUBSCRIPTION, asked, groups=[Group(Tag.SUBSCRIPTION, (integer("notify-lease-duration", 120),))]
    )
    assert value(renewed.group(Tag.SUBSCRIPTION), "notify-lease-duration") == 120
    counter.clock.advance(121)
    assert counter.ask(Operation.GET_SUBSCRIPTION_ATTRIBUTES, asked).code == Status.NOT_FOUND
    other = integer("notify-subscription-id", two)
    counter.operator = False
    assert counter.ask(Operation.CANCEL_SUBSCRIPTION, other, user="bert").code == Status.NOT_AUTHORIZED
    assert counter.ask(Operation.CANCEL_SUBSCRIPTION, other).code == Status.OK
    assert counter.ask(Operation.CANCEL_SUBSCRIPTION, other).code == Status.NOT_FOUND


def test_nothing_is_sent_to_where_a_client_says(counter: Counter) -> None:
    """Push subscriptions are refused, with what was offered; the others of the request are made."""
    push = Group(Tag.SUBSCRIPTION, (uri("notify-recipient-uri", "mailto:x@y"),))
    pull = Group(Tag.SUBSCRIPTION, (_PULL,))
    said = counter.ask(Operation.CREATE_PRINTER_SUBSCRIPTIONS, groups=[push, pull])
    assert said.code == Status.OK_IGNORED_SUBSCRIPTIONS
    first, second = (group for group in said.groups if group.tag == Tag.SUBSCRIPTION)
    assert value(first, "notify-status-code") == Status.URI_SCHEME_NOT_SUPPORTED
    assert value(second, "notify-subscription-id") > 0
    alone = counter.ask(Operation.CREATE_PRINTER_SUBSCRIPTIONS, groups=[push])
    assert alone.code == Status.IGNORED_ALL_SUBSCRIPTIONS
    assert counter.ask(Operation.CREATE_PRINTER_SUBSCRIPTIONS).code == Status.BAD_REQUEST


def test_there_are_not_more_subscriptions_than_there_may_be(counter: Counter) -> None:
    """The rest is told that there are too many; those that run out make room."""
    for _ in range(1000):
        _subscribed(counter, integer("notify-lease-duration", 60))
    said = counter.ask(Operation.CREATE_PRINTER_SUBSCRIPTIONS, groups=[Group(Tag.SUBSCRIPTION, (_PULL,))])
    assert value(said.group(Tag.SUBSCRIPTION), "notify-status-code") == Status.TOO_MANY_SUBSCRIPTIONS
    counter.clock.advance(61)
    _subscribed(counter)
    assert settled(counter.service.store.print_jobs.jobs()) == []
