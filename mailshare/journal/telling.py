"""The chain of a message as sentences for a person, in the order in which things happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo

from attrs import frozen

from mailshare.core.report_parts import printable
from mailshare.core.values import SECOND, Directory, Event, QueueItem, QueueState
from mailshare.journal.why import Chain
from mailshare.journal.words import kind_words, reason_words

_OPEN = frozenset({QueueState.QUEUED, QueueState.ACTIVE, QueueState.HELD})
_ACTIONS = {"failed": "that it failed", "delayed": "that it is late", "relayed": "that it was sent"}


@frozen
class Telling:
    """Tells chains.

    :param zone: of the times.
    """

    directory: Directory
    zone: tzinfo

    def moment(self, at: int) -> str:
        """``2026-11-21 12:53:06``, local."""
        return datetime.fromtimestamp(at // SECOND, self.zone).strftime("%Y-%m-%d %H:%M:%S")

    def title(self, chain: Chain) -> str:
        """One line that names a message: for the choice among several."""
        name = f" <{printable(chain.message_id, 200)}>" if chain.message_id else ""
        came = ""
        route = chain.route
        if route is not None:
            came = f", {self.moment(route.at)}, {self._whence(route)}, {route.data.get('size', 0)} octets"
        return f"{chain.trace}{name}{came}{'' if chain.stored else ' (no longer stored)'}"

    def lines(self, chain: Chain) -> list[str]:
        """The whole chain."""
        out = [f"message {self.title(chain)}"]
        for _, event in chain.events:
            out += self.event(event)
            if event.kind == "route":
                out += self._run(event, chain.session)
        if not chain.events:
            out.append("    the journal holds no line of it: a report of this server, or its days are over")
        for row in chain.rows:
            if row.state in _OPEN:
                out.append(self._waits(row))
        return out

    def _run(self, route: Event, end: Event | None) -> list[str]:
        """The collection run that a message came in; ``mailshare log --run`` follows it."""
        run = str(route.data.get("run", ""))
        name = f"the run {run}" if run else "the session"
        if end is not None:
            return [f"    in {name} that ended {self.moment(end.at)}{_session(end)}"]
        return [f"    in {name}, which has not noted its end"] if run else []

    def event(self, event: Event) -> list[str]:
        """One event as one or more lines; those after the first are indented."""
        first, *rest = self._sentences(event)
        return [f"{self.moment(event.at)} {first}", *(f"    {each}" for each in rest)]

    # ------------------------------------------------------------------ kinds of events

    def _sentences(self, event: Event) -> list[str]:
        data, who = event.data, self._user(event.user_id)
        if event.kind == "route":
            return [self._arrival(event), *_steps(data), *self._decisions(data)]
        if event.kind == "deliver.duplicate":
            return [f"{who} has it already: duplicate of {data.get('of', '')}"]
        if event.kind == "pop3.read":
            return [f"{who} fetched it over POP3 from {data.get('peer', '')}"]
        if event.kind == "pop3.deleted":
            unread = "" if data.get("read") else " without having fetched it"
            return [f"{who} deleted it over POP3 from {data.get('peer', '')}{unread}"]
        if event.kind in {"report.due", "report.sent"}:
            return [self._report(event)]
        if event.kind == "admin.gave":
            to = ", ".join(str(each) for each in _items(data.get("to")))
            return [f"ADMIN gave it to {printable(to)} ({reason_words(str(data.get('why', '')))})", *_steps(data)]
        if "address" in data:
            return [_outcome(event)]
        facts = ", ".join(f"{key} {printable(str(value), 200)}" for key, value in data.items() if key != "steps")
        return [kind_words(event.kind) + (f": {facts}" if facts else ""), *_steps(data)]

    def _user(self, user_id: int | None) -> str:
        user = self.directory.user_by_id.get(user_id or 0)
        return user.name if user else f"former user {user_id}" if user_id else "nobody"

    def _whence(self, event: Event) -> str:
        data = event.data
        account = self.directory.account_by_id.get(event.account_id or 0)
        peer = f" at {data['peer']}" if data.get("peer") else ""
        if data.get("source") == "collect":
            return f"collected from {account.address if account else 'a former account'}{peer}"
        if data.get("source") == "report":
            return "written by this server"
        who = f"by {self._user(event.user_id)}" if event.user_id else "by somebody who did not log in"
        return f"handed in {who}{peer}"

    def _arrival(self, event: Event) -> str:
        data = event.data
        more = [f"{data.get('size', 0)} octets"]
        if data.get("secure"):
            more.append("by TLS")
        if data.get("uidl"):
            more.append(f"id there {printable(str(data['uidl']), 100)}")
        sender = printable(str(data.get("sender") or ""), 320)
        more.append(f"sender <{sender}>")
        recipients = [str(each) for each in _items(data.get("recipients"))]
        if recipients:
            more.append(f"to {printable(', '.join(recipients), 500)}")
        return f"{self._whence(event)}: {', '.join(more)}"

    def _decisions(self, data: Mapping[str, object]) -> list[str]:
        out = []
        for target, reason in _pairs(data.get("targets")):
            name = self._user(target) if isinstance(target, int) else printable(str(target), 100)
            out.append(f"-> mailbox of {name}: {reason_words(str(reason))} [{reason}]")
        hops = [hop for hop in _rows(data.get("hops")) if len(hop) >= 3]
        return out + [f"-> outbox ({a}) for {printable(str(b))}: {reason_words(str(c))} [{c}]" for a, b, c, *_ in hops]

    def _report(self, event: Event) -> str:
        action = str(event.data.get("action", ""))
        what = f"a report {_ACTIONS.get(action, f'({printable(action, 20)})')}"
        if event.kind == "report.due":
            return f"{what} became due"
        trace = event.data.get("report")
        reader = self._user(event.user_id) if event.user_id else "ADMIN"
        return f"{what} was stored for {reader}: message {trace}" if trace else f"{what}: nobody is to have it"

    def _waits(self, row: QueueItem) -> str:
        said = _answer(row.code, row.reply)
        last = f"; the last answer: {said}" if said else ""
        if row.state is QueueState.HELD:
            return f"now: {printable(row.address)} is kept back (row {row.id}){last}"
        if row.state is QueueState.ACTIVE:
            return f"now: {printable(row.address)} is being sent (row {row.id})"
        when = self.moment(row.next_at)
        return f"now: {printable(row.address)} waits in the outbox (row {row.id}), not before {when}{last}"


def _outcome(event: Event) -> str:
    """One try of one recipient, with the words of the other server in quotes."""
    data = event.data
    answer = _answer(data.get("code"), str(data.get("reply") or ""))
    said = f"; {data.get('host') or 'the answer'}: {answer}" if answer else ""
    row = f" (row {data['item']})" if data.get("item") else ""
    return f"{printable(str(data['address']))}{row}: {kind_words(event.kind)}{said}"


def _answer(code: object, reply: str) -> str:
    text = printable(f"{code or ''} {reply}".strip())
    return f'"{text}"' if text else ""


def _session(event: Event) -> str:
    messages = event.data.get("messages", 0)
    error, cause = event.data.get("error"), event.data.get("cause")
    why = f", made because {printable(str(cause))}," if cause else ""
    return f"{why} with {messages} messages" + (f": {printable(str(error))}" if error else "")


def _steps(data: Mapping[str, object]) -> list[str]:
    out = []
    for code, detail in _pairs(data.get("steps")):
        words = reason_words(str(code))
        told = f": {printable(str(detail))}" if detail else ""
        out.append(f"{words}{told} [{code}]")
    return out


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, (list, tuple)) else ()


def _rows(value: object) -> list[Sequence[object]]:
    return [row for row in _items(value) if isinstance(row, (list, tuple))]


def _pairs(value: object) -> list[tuple[object, object]]:
    return [(row[0], row[1]) for row in _rows(value) if len(row) >= 2]
