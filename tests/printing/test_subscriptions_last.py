"""Subscriptions to print events outlive the server: stopped, killed, down for long (RFC 3995, RFC 3996)."""

from __future__ import annotations

from typing import Any

import pytest
from counter import NOW, Counter, number, settled, value

from mailshare.core.errors import StorageFull
from mailshare.core.values import PrintState
from mailshare.printing.kept_subscriptions import GAP, SCOPE
from mailshare.wire.ipp_codes import Operation, Status
from mailshare.wire.ipp_values import Attribute, Group, Message, Tag, integer, keyword, octets

P = PrintState
PULL = keyword("notify-pull-method", "ippget")


def subscribed(counter: Counter, *attributes: Attribute, events: tuple[str, ...] = ("job-completed",)) -> int:
    """A subscription to the queue."""
    group = Group(Tag.SUBSCRIPTION, (PULL, keyword("notify-events", *events), *attributes))
    said = counter.ask(Operation.CREATE_PRINTER_SUBSCRIPTIONS, groups=[group])
    return int(value(said.group(Tag.SUBSCRIPTION), "notify-subscription-id"))


def asked(counter: Counter, subscription: int, since: int = 1) -> Message:
    """Get-Notifications."""
    about = (integer("notify-subscription-ids", subscription), integer("notify-sequence-numbers", since))
    return counter.ask(Operation.GET_NOTIFICATIONS, *about)


def events(counter: Counter, subscription: int, since: int = 1) -> list[tuple[int, str, int]]:
    """Number, event and job of what waits."""
    return [
        (
            value(group, "notify-sequence-number"),
            value(group, "notify-subscribed-event"),
            value(group, "notify-job-id") if group.get("notify-job-id") is not None else 0,
        )
        for group in asked(counter, subscription, since).groups
        if group.tag == Tag.EVENT
    ]


def about(counter: Counter, subscription: int) -> Group:
    """Get-Subscription-Attributes."""
    said = counter.ask(Operation.GET_SUBSCRIPTION_ATTRIBUTES, integer("notify-subscription-id", subscription))
    assert said.code == Status.OK, said
    return said.group(Tag.SUBSCRIPTION)


def test_what_a_client_made_is_there_after_a_restart(counter: Counter) -> None:
    """A subscription to the queue as it was made, with its events; the next ones go on from there."""
    one = subscribed(counter, octets("notify-user-data", b"\x00me"), events=("job-completed", "printer-state-changed"))
    before = about(counter, one)
    first = counter.printed()
    counter.change(first, P.COMPLETED)
    found = events(counter, one)
    assert [event for _, event, _ in found] == ["job-completed"]
    counter.restart()
    for name in ("notify-user-data", "notify-subscription-uuid", "notify-subscriber-user-name", "notify-events"):
        assert about(counter, one).get(name) == before.get(name)
    second = counter.printed()
    counter.change(second, P.ABORTED)
    after = events(counter, one)
    assert after[: len(found)] == found
    news = [(event, job) for _, event, job in after[len(found) :]]
    assert news == [("printer-restarted", 0), ("job-completed", second)]
    assert [sequence for sequence, _, _ in after] == list(range(1, len(after) + 1))
    assert events(counter, one, since=after[-1][0]) == after[-1:]


def test_a_job_subscription_goes_on_and_ends_with_its_job(counter: Counter) -> None:
    """Over a restart it waits for the end of the job, tells it, says that nothing more comes, and is gone then."""
    group = Group(Tag.SUBSCRIPTION, (PULL,))
    said = counter.ask(Operation.CREATE_JOB, groups=[group])
    one, job_id = int(value(said.group(Tag.SUBSCRIPTION), "notify-subscription-id")), number(said)
    counter.restart()
    assert value(about(counter, one), "notify-job-id") == job_id
    counter.change(job_id, P.CANCELED)
    counter.restart(down=100_000)
    told = asked(counter, one)
    assert told.code == Status.OK_EVENTS_COMPLETE
    assert value(told.group(Tag.EVENT), "job-state") == P.CANCELED
    counter.clock.advance(301)
    assert asked(counter, one).code == Status.NOT_FOUND
    counter.clock.advance(2)
    counter.restart()
    assert asked(counter, one).code == Status.NOT_FOUND


@pytest.mark.parametrize(("down", "there"), [(10, True), (90, False)], ids=["in-time", "too-late"])
def test_a_lease_runs_while_the_server_is_down(counter: Counter, down: int, *, there: bool) -> None:
    """It was promised by the clock, and a renewed one is kept, too."""
    one = subscribed(counter, integer("notify-lease-duration", 20))
    lease = Group(Tag.SUBSCRIPTION, (integer("notify-lease-duration", 60),))
    counter.ask(Operation.RENEW_SUBSCRIPTION, integer("notify-subscription-id", one), groups=[lease])
    forever = subscribed(counter, integer("notify-lease-duration", 0))
    counter.clock.advance(30)
    counter.restart(down=down)
    assert (asked(counter, one).code == Status.OK) is there
    if there:
        assert value(about(counter, one), "notify-lease-expiration-time") == NOW + 60
    assert asked(counter, forever).code == Status.OK


def test_what_was_cancelled_does_not_come_back(counter: Counter) -> None:
    """Nor does its number, for a client might take the new one for it."""
    one, two = subscribed(counter), subscribed(counter)
    job_id = counter.printed()
    counter.change(job_id, P.COMPLETED)
    assert counter.ask(Operation.CANCEL_SUBSCRIPTION, integer("notify-subscription-id", two)).code == Status.OK
    counter.restart()
    assert asked(counter, two).code == Status.NOT_FOUND
    assert subscribed(counter) > two
    assert [job for _, _, job in events(counter, one)] == [job_id]


def test_a_kill_loses_no_end_of_a_job_and_uses_no_number_twice(counter: Counter) -> None:
    """What was not written yet is told from the jobs; a gap in the numbers says that something may be missing."""
    one = subscribed(counter, events=("job-created", "job-completed"))
    counter.clock.advance(60)
    job_id = counter.printed()
    fetched = events(counter, one)
    counter.change(job_id, P.COMPLETED)
    assert [event for _, event, _ in events(counter, one)] == ["job-created", "job-completed"]
    counter.restart(killed=True)
    found = events(counter, one, since=fetched[-1][0] + 1)
    assert [(event, job) for _, event, job in found] == [("job-created", job_id), ("job-completed", job_id)]
    assert all(sequence > GAP for sequence, _, _ in found)
    counter.clock.advance(2)
    counter.restart(killed=True)
    again = [job for _, event, job in events(counter, one) if event == "job-completed"]
    assert again == [job_id]


def test_events_are_written_together(counter: Counter) -> None:
    """A second after the first of them, not one by one: a printer that counts pages would fill the disk's log."""
    subscribed(counter, events=("job-progress", "job-created"))
    job_id = counter.printed()
    _, version = settled(counter.service.store.settings.get(SCOPE, "0"))
    for page in range(1, 50):
        counter.change(job_id, P.PROCESSING, impressions=page)
    counter.clock.advance(1)
    assert settled(counter.service.store.settings.get(SCOPE, "0"))[1] == version + 1


def test_places_are_used_again(counter: Counter) -> None:
    """Who subscribes for a minute, again and again, does not fill the store."""
    for _ in range(20):
        subscribed(counter, integer("notify-lease-duration", 60))
        counter.clock.advance(61)
    subscribed(counter)
    assert len(settled(counter.service.store.settings.all(SCOPE))) <= 2


def test_a_disk_that_is_full_costs_the_subscription_and_not_the_job(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that heard of an error would print the job again."""

    async def full(*_: Any, **__: Any) -> int:
        raise StorageFull

    monkeypatch.setattr(counter.service.store.settings, "put", full)
    group = Group(Tag.SUBSCRIPTION, (PULL,))
    said = counter.ask(Operation.CREATE_JOB, groups=[group])
    assert said.code == Status.OK
    assert value(said.group(Tag.SUBSCRIPTION), "notify-status-code") == Status.TEMPORARY_ERROR
    assert counter.job(number(said)).state is P.HELD
    assert counter.ask(Operation.GET_SUBSCRIPTIONS).groups[1:] == ()
