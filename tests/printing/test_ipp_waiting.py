"""Get-Notifications with ``notify-wait``: the answer comes when there is something, or after a while (RFC 3996)."""

from __future__ import annotations

from typing import Any

from counter import Counter, common, value
from twisted.internet.defer import Deferred

from mailshare.core.values import PrintState
from mailshare.printing.exchange import Caller, Exchange
from mailshare.printing.http import OPERATIONS
from mailshare.wire.ipp_codes import Operation, Status
from mailshare.wire.ipp_values import Attribute, Group, Message, Tag, Value, boolean, integer, keyword, text


def subscribed(counter: Counter, job_id: int) -> int:
    """A subscription to the end of a job."""
    asked = (keyword("notify-pull-method", "ippget"), keyword("notify-events", "job-completed"))
    group = Group(Tag.SUBSCRIPTION, asked)
    said = counter.ask(Operation.CREATE_JOB_SUBSCRIPTIONS, integer("notify-job-id", job_id), groups=[group])
    assert said.code == Status.OK, said
    return int(value(said.group(Tag.SUBSCRIPTION), "notify-subscription-id"))


def waiting(counter: Counter, subscription: int) -> list[Any]:
    """Where the answer of a client that waits comes."""
    asked = (integer("notify-subscription-ids", subscription), boolean("notify-wait", True))
    message = Message((2, 0), Operation.GET_NOTIFICATIONS, 1, (Group(Tag.OPERATION, (*common(), *asked)),))
    caller = Caller("127.0.0.1", "print.example:631", operator=False, ports={"ipp": 631})
    out: list[Any] = []
    Deferred.fromCoroutine(Exchange(counter.service, OPERATIONS, message, caller).finish()).addCallback(out.append)
    return out


def test_a_client_that_waits_hears_of_the_end_at_once(counter: Counter) -> None:
    """No look after look while a job is printed."""
    job_id = counter.printed()
    out = waiting(counter, subscribed(counter, job_id))
    assert out == []
    counter.change(job_id, PrintState.COMPLETED)
    (said,) = out
    assert value(said.group(Tag.EVENT), "notify-subscribed-event") == "job-completed"
    assert said.code == Status.OK_EVENTS_COMPLETE


def test_nobody_is_held_for_ever(counter: Counter) -> None:
    """After half a minute without news the answer is that there are none."""
    out = waiting(counter, subscribed(counter, counter.printed()))
    counter.clock.advance(31)
    (said,) = out
    assert not [group for group in said.groups if group.tag == Tag.EVENT]
    assert said.code == Status.OK


def test_an_operator_says_why(counter: Counter) -> None:
    """``printer-message-from-operator`` with the operation that pauses, and another with the one that resumes."""
    for code, words in ((Operation.PAUSE_PRINTER, "Out of toner"), (Operation.RESUME_PRINTER, "It works again")):
        assert counter.ask(code, text("printer-message-from-operator", words)).code == Status.OK
        asked = Attribute("requested-attributes", (Value(Tag.KEYWORD, "printer-message-from-operator"),))
        said = counter.ask(Operation.GET_PRINTER_ATTRIBUTES, asked)
        assert value(said.group(Tag.PRINTER), "printer-message-from-operator") == words
