"""What changes on a page while it is open: one stream of HTML parts, each for a place of the page.

The state of now comes first, so that a reader who was away misses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

from mailshare.core.errors import MailshareError
from mailshare.web.events import EventStream, html_lines, named_json, named_text
from mailshare.web.rooms import last_answer
from mailshare.web.visit import Visit, mark

_TAIL = 1.0  # seconds between two looks at the journal
_DAY = 5.0  # at the chart, the lines and the printers
_HEALTH = 300.0  # at the health of the office
_WORST = 5  # findings that are named beside their number
_LOOK = 2.0  # likewise at a list
_MOST_LINES = 100
_LINE = "line "  # before the number of the newest line that a reader has

LISTS: Mapping[str, tuple[str, ...]] = {
    "users": ("mailboxes", "former_users"),
    "work": ("mailboxes", "rules"),
    "book": ("book",),
    "mailboxes": ("mailboxes",),
    "settings": ("administrators", "tokens"),
}
"""What is looked at, besides the directory, to see that a list is another one by now."""

Fits = Callable[[Mapping[str, Any]], bool]
Facts = Callable[[], Coroutine[Any, Any, Mapping[str, object]]]
PARTS = "live/"
"""Templates of parts of a page; an event that holds such a part is of the kind of its template."""


def allowed(visit: Visit) -> bool:
    """Whether the session that opened a stream still stands."""
    me, session = visit.rooms.visitor(visit.request)
    return me is not None and session is not None and not session.locked and me == visit.me


def opened(visit: Visit, frame: Any) -> EventStream:
    """A stream for one page.

    :raises Unavailable: too many are open.
    """
    assert visit.me is not None
    visit.rooms.admit(visit.request, visit.me.name)
    browser = visit.session.id if visit.session is not None else ""
    stream = EventStream(
        visit.request,
        visit.rooms.reactor,
        frame,
        lambda: allowed(visit),
        greeting=named_text("version", visit.rooms.version),
        brief=visit.rooms.crowded(browser),
    )
    if stream.brief:
        last_answer(visit.request)
    visit.rooms.keep(stream, visit.request, visit.me.name, browser)
    return stream


def part(visit: Visit, template: str, **values: object) -> str:
    """A piece of a page, as an event."""
    html = visit.rooms.rendering.render(template, visit.language, {"visit": visit, "me": visit.me, **values})
    return html_lines(html.decode("utf-8"))


def own(visit: Visit, address: str) -> bool:
    """Whether an account is one that the reader may see."""
    accounts = visit.caller.accounts
    return accounts is None or address.casefold() in accounts


async def status_stream(visit: Visit, day: Facts) -> Deferred[None]:
    """``/live``: the indicators, how each account is, the run that was asked for, and new lines of the journal.

    The query's ``after`` asks for lines behind that one.

    :param day: gives what the chart, the lines and the printers are shown by.
    """
    asked = {one["account"]: one for one in await visit.ask("runs")}
    peers: Mapping[str, object] = {}

    def frame(kind: str, value: Mapping[str, Any]) -> str:
        """The pieces of the page that an event changes."""
        if kind == "indicators":
            return part(visit, "live/indicators.html", indicators=value, peers=peers)
        if kind == "login-test" and visit.me is not None and value["by"] == visit.me.name:
            return part(visit, "live/steps.html", steps=value["steps"])
        if kind == "status":
            rows = [one for one in value["accounts"] if own(visit, one["address"])]
            return part(visit, "live/status.html", status={**value, "accounts": rows})
        if kind == "runs":
            return part(visit, "live/asked.html", runs=value["runs"])
        if kind == "lines":
            return part(visit, "live/log.html", events=value["events"])
        return str(value["lines"]) if kind.startswith(PARTS) else ""

    def told(kind: str, value: Mapping[str, Any]) -> None:
        """Something is new; of runs all are sent, since only the newest event of a kind waits for a slow reader."""
        nonlocal peers
        if kind == "peers":  # comes before the indicators that it belongs to
            peers = value if visit.caller.accounts is None else {}
        elif kind != "run":
            stream.send(kind, value)
        elif own(visit, value["account"]):
            asked[value["account"]] = value
            stream.send("runs", {"runs": list(asked.values())})

    status = await visit.ask("status")
    peers = status.get("peers", {})
    stream = opened(visit, frame)
    stop = visit.rooms.office.watch(told)
    stream.done.addBoth(lambda _: stop())
    over = stream.start()
    stream.send("status", status)
    stream.send("indicators", status["indicators"])
    stream.send("runs", {"runs": list(asked.values())})
    if not stream.brief:
        _beat(visit, stream, _Look(visit, stream, f"{PARTS}health.html", lambda: _strip(visit)).look, _HEALTH)
        if visit.may("overview"):
            _beat(visit, stream, _Look(visit, stream, f"{PARTS}day.html", day).look, _DAY)
    if visit.asked("after"):
        _beat(visit, stream, _Tail.of(visit, stream).look, _TAIL)
    else:
        stream.caught_up()
    return over


@define
class _Look:
    """Looks at a part of a page again and again, and sends it when it is another."""

    visit: Visit
    stream: EventStream
    template: str
    facts: Facts
    sent: str = field(default="")
    busy: bool = field(default=False)

    async def look(self) -> None:
        if self.busy or self.stream.behind:
            return
        self.busy = True
        try:
            found = await self.facts()
        except MailshareError:
            return  # the store is busy or the office stops; the next look tells more
        finally:
            self.busy = False
        lines = part(self.visit, self.template, **found)
        if lines != self.sent:
            self.sent = lines
            self.stream.send(self.template, {"lines": lines})
        self.stream.caught_up()


async def watched(visit: Visit, template: str, facts: Facts) -> Deferred[None]:
    """A stream of one part of a page, sent anew whenever it would look otherwise.

    :param facts: gives what the template shows, as of now.
    """
    stream = opened(visit, lambda _, value: str(value["lines"]))
    look = _Look(visit, stream, template, facts)
    return _beating(visit, stream, look.look, _LOOK)


async def _strip(visit: Visit) -> Mapping[str, object]:
    """How many findings are well and how many are not, and what those are about."""
    findings = sorted(await visit.ask("health"), key=lambda one: one["level"])  # bad, good, warn
    counts = {level: sum(one["level"] == level for one in findings) for level in ("bad", "warn", "good")}
    return {"counts": counts, "worst": [one for one in findings if one["level"] != "good"][:_WORST]}


async def changes_stream(visit: Visit) -> Deferred[None]:
    """``/live/changes``: tells that the list named by the query's ``of`` is another one; the page fetches it anew.

    Whoever comes back after a break says what was seen last, and is told at once when it is another by now.
    """
    of = visit.asked("of")
    acts = [name for name in LISTS.get(of, ()) if visit.may(name)]
    stream = opened(visit, named_json)
    before = visit.request.getHeader("Last-Event-ID") or ""
    busy = False

    async def look() -> None:
        """Tell when it is another than at the last look."""
        nonlocal before, busy
        if busy or stream.behind:
            return
        busy = True
        try:
            found = [visit.rooms.office.version(), *[await visit.ask(name) for name in acts]]
            if of == "settings":
                found += [one.id for one in visit.rooms.sessions.of("" if acts else str(visit.me and visit.me.name))]
            now = mark(found)
        except MailshareError:
            return  # the store is busy or the office stops; the next look tells more
        finally:
            busy = False
        if before not in ("", now):
            stream.send("changed", {})
        before = now
        stream.caught_up(now)

    return _beating(visit, stream, look, _LOOK)


def _beating(
    visit: Visit, stream: EventStream, look: Callable[[], Coroutine[Any, Any, None]], seconds: float
) -> Deferred[None]:
    over = stream.start()
    _beat(visit, stream, look, seconds)
    return over


def _beat(visit: Visit, stream: EventStream, look: Callable[[], Coroutine[Any, Any, None]], seconds: float) -> None:
    beat = LoopingCall(lambda: Deferred.fromCoroutine(look()))
    beat.clock = visit.rooms.reactor
    stream.done.addBoth(lambda _: beat.stop() if beat.running else None)
    beat.start(seconds, now=True)


@define
class _Tail:
    """Looks for new lines of the journal and sends them."""

    visit: Visit
    stream: EventStream
    after: int
    wanted: Fits
    busy: bool = field(default=False)

    @classmethod
    def of(cls, visit: Visit, stream: EventStream, wanted: Fits = lambda _: True) -> _Tail:
        """As the query asks for it."""
        seen = visit.request.getHeader("Last-Event-ID") or ""
        after = seen.removeprefix(_LINE) if seen.startswith(_LINE) else visit.asked("after", "0")
        return cls(visit, stream, int(after) if after.isdigit() and len(after) < 16 else 0, wanted)

    async def look(self) -> None:
        if self.busy or self.stream.behind:
            return
        self.busy = True
        try:
            found = await self.visit.ask("log", after=self.after, limit=_MOST_LINES)
        except MailshareError:
            return  # the store is busy or the office stops; the next look tells more
        finally:
            self.busy = False
        if found["events"]:
            self.after = found["events"][-1]["id"]
            fitting = [one for one in found["events"] if self.wanted(one)]
            if fitting:
                self.stream.send("lines", {"events": fitting})
        self.stream.caught_up(f"{_LINE}{self.after}")


async def journal_stream(visit: Visit, wanted: Fits) -> Deferred[None]:
    """New lines of the journal that are wanted, the newest on top."""

    def frame(_: str, value: Mapping[str, object]) -> str:
        """New lines on top."""
        return part(visit, "live/log.html", events=value["events"])

    stream = opened(visit, frame)
    return _beating(visit, stream, _Tail.of(visit, stream, wanted).look, _TAIL)
