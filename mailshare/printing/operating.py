"""Operations on a queue itself. Sources: RFC 8011 sections 4.2.7 and 4.2.8, RFC 3380, RFC 3998, PWG 5100.13."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailshare.core.values import PrintChange, PrintState
from mailshare.printing.exchange import Begin, Exchange, Work
from mailshare.wire.ipp_asked import Refused, printable
from mailshare.wire.ipp_codes import Operation, Status
from mailshare.wire.ipp_printer import PRINTER_SETTABLE
from mailshare.wire.ipp_values import Attribute, Message, Tag, Value

_IDENTIFY = ("display",)


def _setting(**what: Any) -> Begin:
    """An operator's operation that sets how a queue stands."""

    def begin(exchange: Exchange) -> Work:
        exchange.operate()
        queue = exchange.queue()

        said = exchange.request.text("printer-message-from-operator", Tag.TEXT, Tag.TEXT_WITH_LANGUAGE)
        known = exchange.service.states.get(queue.name).texts
        texts = {**known, "printer-message-from-operator": printable(said)[:127]}

        async def work() -> Message:
            await exchange.service.set_queue(queue, **what, **({"texts": texts} if said else {}))
            return exchange.done()

        return work

    return begin


def pause_after_current_job(exchange: Exchange) -> Work:
    """Pause-Printer-After-Current-Job: at once when no job is under way."""
    exchange.operate()
    queue = exchange.queue()
    busy = any(job.state is PrintState.PROCESSING for job in exchange.service.board.waiting(queue.name))
    return _setting(paused=not busy, pausing=busy, why="paused")(exchange)


def release_held_new_jobs(exchange: Exchange) -> Work:
    """Release-Held-New-Jobs: those that were held only because new jobs were (RFC 3998 section 3.3.2)."""
    exchange.operate()
    queue = exchange.queue()

    async def work() -> Message:
        await exchange.service.set_queue(queue, holding=False)
        for job in exchange.service.board.waiting(queue.name):
            if job.held and job.ticket.options.get("job-hold-until", "no-hold") == "no-hold":
                await exchange.service.change(job, PrintChange(held=False))
        return exchange.done()

    return work


def set_printer_attributes(exchange: Exchange) -> Work:
    """Set-Printer-Attributes (RFC 3380 section 4.1): all of them or none."""
    exchange.operate()
    queue = exchange.queue()
    group = exchange.request.message.group(Tag.PRINTER)
    fixed = [
        Attribute(one.name, (Value(Tag.NOT_SETTABLE),)) for one in group.attributes if one.name not in PRINTER_SETTABLE
    ]
    if fixed:
        raise Refused(Status.ATTRIBUTES_NOT_SETTABLE, "Not all of these attributes can be set", fixed)
    wrong = [one for one in group.attributes if len(one.values) > 1 or not _fits(one)]
    if wrong:
        raise Refused(Status.ATTRIBUTES_NOT_SUPPORTED, "Not all of these values can be set", wrong)
    texts = dict(exchange.service.states.get(queue.name).texts)
    for one in group.attributes:
        if one.first.tag == Tag.DELETE_ATTRIBUTE:
            texts.pop(one.name, None)
        else:
            texts[one.name] = printable(one.first.text)

    async def work() -> Message:
        await exchange.service.set_queue(queue, texts=texts)
        return exchange.done()

    return work


def _fits(attribute: Attribute) -> bool:
    value = attribute.first
    if value.tag == Tag.DELETE_ATTRIBUTE:
        return True
    if attribute.name == "printer-geo-location":
        return value.tag == Tag.URI and value.text.startswith("geo:")
    most = 127 if attribute.name in ("printer-info", "printer-location", "printer-message-from-operator") else 1023
    return value.tag in (Tag.TEXT, Tag.TEXT_WITH_LANGUAGE) and len(value.text.encode("utf-8", "replace")) <= most


def identify_printer(exchange: Exchange) -> Work:
    """Identify-Printer: the printer is elsewhere, so all that can be done is to show the message here."""
    queue, request = exchange.queue(), exchange.request
    asked = request.words("identify-actions")
    wrong = [one for one in asked or () if one not in _IDENTIFY]
    if asked is not None and len(wrong) == len(asked):
        attribute = request.operation.get("identify-actions")
        raise Refused(
            Status.ATTRIBUTES_NOT_SUPPORTED,
            "The printer cannot be made known that way",
            [attribute] if attribute else [],
        )
    if wrong:
        request.ignored.append(Attribute("identify-actions", tuple(Value(Tag.KEYWORD, one) for one in wrong)))
    words = printable(request.text("message", Tag.TEXT, Tag.TEXT_WITH_LANGUAGE))[:127]

    async def work() -> Message:
        data = {"queue": queue.name, "peer": exchange.caller.peer, "message": words}
        exchange.service.note("print.identify", request.user, data)
        return exchange.done()

    return work


_RUNNING = {"paused": False, "pausing": False}
OPERATING: Mapping[int, Begin] = {
    Operation.PAUSE_PRINTER: _setting(paused=True, pausing=False, why="paused"),
    Operation.RESUME_PRINTER: _setting(**_RUNNING),
    Operation.ENABLE_PRINTER: _setting(accepting=True),
    Operation.DISABLE_PRINTER: _setting(accepting=False),
    Operation.PAUSE_PRINTER_AFTER_CURRENT_JOB: pause_after_current_job,
    Operation.HOLD_NEW_JOBS: _setting(holding=True),
    Operation.RELEASE_HELD_NEW_JOBS: release_held_new_jobs,
    Operation.RESTART_PRINTER: _setting(**_RUNNING, accepting=True),
    Operation.SHUTDOWN_PRINTER: _setting(paused=True, pausing=False, accepting=False, why="shutdown"),
    Operation.STARTUP_PRINTER: _setting(**_RUNNING, accepting=True),
    Operation.SET_PRINTER_ATTRIBUTES: set_printer_attributes,
    Operation.IDENTIFY_PRINTER: identify_printer,
}
