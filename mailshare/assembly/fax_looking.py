"""What an administrator sees of faxes: what goes out, what came in, the lines, and their pages."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from mailshare.assembly.changes import Changes
from mailshare.assembly.shapes import moment, queue_json
from mailshare.config import Config
from mailshare.core.errors import NoSuchEntry, NoSuchJob, Unavailable
from mailshare.core.fax_causes import CAUSES
from mailshare.core.fax_ledger import PageLedger
from mailshare.core.fax_times import NORMAL, URGENT
from mailshare.core.values import SECOND, Event, QueueItem, QueueState
from mailshare.core.values.fax import FaxCause
from mailshare.interfaces import IBody

if TYPE_CHECKING:
    from mailshare.assembly.fax_room import FaxRoom

_DAY = 86_400 * SECOND
_DAYS = 400  # that are looked through for faxes that came in
_PAGE = 1000
_STUCK_AFTER = 2 * 3600 * SECOND  # no fax of 200 pages takes as long on a line
_MOST = 500
_OVER = (QueueState.DELIVERED, QueueState.FAILED, QueueState.EXPIRED, QueueState.CANCELLED)


class FaxLooking(Changes):
    """Looks without changing; put together with a class that knows the running server.

    :ivar fax: set by a running server.
    """

    fax: FaxRoom | None = None
    _config: Callable[[], Config] | None

    # ------------------------------------------------------------------ what goes out

    async def fax_queue(self, *, all: bool = False, limit: int = 200) -> Sequence[Mapping[str, object]]:  # noqa: A002
        """Faxes, newest first.

        :param all: also those that are over.
        """
        rows = await self._store.queue.items(agent="fax", open_only=not all, limit=min(max(limit, 1), 1000))
        return [self._fax_json(row) for row in rows]

    async def fax_show(self, *, id: int) -> Mapping[str, object]:  # noqa: A002
        """One fax with every call, and which of its pages have arrived."""
        row = await self._fax_row(id)
        calls = [
            {"at": moment(int(str(one.get("at", 0)))), "reply": one.get("reply", ""), **_told(one.get("detail"))}
            for one in await self._store.queue.attempts(row.id)
        ]
        pages: dict[str, object] = {"pages": 0, "confirmed": 0}
        if self.fax is not None and self.fax.office is not None:
            ledger = await self.fax.office.ledgers.read(row.id)
            pages = {"pages": ledger.total, "confirmed": ledger.confirmed}
        if not pages["pages"] and calls:  # it is over, and the ledger with it
            pages = _pages_of_last(calls[-1])
        told = await self._logged(row)
        lines = [_line_of_ledger(one) for one in told]
        return {**self._fax_json(row), **pages, "damaged_rows": mended_rows(told), "calls": calls, "ledger": lines}

    async def _logged(self, row: QueueItem) -> list[Mapping[str, object]]:
        """What the log says of each of its calls, also where several were one try."""
        found = await self._store.events.page(
            since=row.queued, until=self._clock() + SECOND, trace=row.trace, kinds=("fax.called",), limit=_PAGE
        )
        return [one.data for _, one in found if one.data.get("item") == row.id]

    async def fax_page(self, *, id: int, page: int = 1, width: int = 200, by: str = "") -> Mapping[str, object]:  # noqa: A002
        """A page of a fax that goes out, as a small picture.

        :returns: ``format``, ``total`` pages and ``data`` in base64.
        """
        row = await self._fax_row(id)
        office = self._fax_room().running()
        body = await self._store.queue.body(row.message_id)
        picture, total = await office.pictures.outgoing(body, page, wide(width), row.params.get("cover"))
        if page == 1:
            await self._looked(row.trace, by, {"fax": row.id})
        return shown_picture(picture, total)

    # ------------------------------------------------------------------ what came in

    async def fax_received(self, *, days: int = 30, limit: int = 200) -> Sequence[Mapping[str, object]]:
        """Calls that came in, newest first, as the journal tells of them.

        :param days: how far back is looked.
        """
        limit, now = min(max(limit, 1), _MOST), self._clock()
        found: list[Event] = []
        for back in range(min(max(days, 1), _DAYS)):
            until = (now // _DAY + 1 - back) * _DAY
            page = await self._store.events.page(
                since=until - _DAY, until=until, kinds=("fax.received", "fax.screened"), limit=_PAGE
            )
            found += [event for _, event in reversed(page)]
            if len(found) >= limit:
                break
        return [await self._received_json(event) for event in found[:limit]]

    async def _received_json(self, event: Event) -> Mapping[str, object]:
        told = event.data
        trace = str(told.get("trace") or event.trace)
        return {
            "at": moment(event.at),
            "caller": told.get("caller", ""),
            "station": str(told.get("station", "")).strip(),
            "called": told.get("called", ""),
            "line": told.get("line", ""),
            "pages": told.get("pages", 0),
            "seconds": told.get("seconds", 0),
            "damaged_rows": told.get("damaged_rows", 0),
            "subaddress": told.get("subaddress", ""),
            "cause": told.get("cause", ""),
            "words": _cause_words(str(told.get("cause", ""))) + _damage_words(told.get("damaged_rows")),
            "refused": event.kind == "fax.screened",
            "trace": trace,
            "kept": bool(trace) and bool(await self._messages_of(trace)),
        }

    async def fax_received_page(
        self, *, trace: str, page: int = 1, width: int = 200, by: str = ""
    ) -> Mapping[str, object]:
        """A page of a fax that came in, as long as a mailbox has its mail. As :meth:`fax_page`."""
        office = self._fax_room().running()
        _, body = await self._received_message(trace)
        picture, total = await office.pictures.incoming(body, page, wide(width))
        if page == 1:
            await self._looked(trace, by, {})
        return shown_picture(picture, total)

    async def fax_received_show(self, *, trace: str) -> Mapping[str, object]:
        """One fax that came in: as in the list, with ``holders``, whose mailboxes have it, and to whom it was given."""
        came = await self._store.events.page(since=0, until=self._clock() + SECOND, trace=trace, limit=_PAGE)
        event = next((one for _, one in came if one.kind in ("fax.received", "fax.screened")), None)
        if event is None:
            raise NoSuchEntry("The journal knows of no fax of this trace")
        people, holders = self._directory().user_by_id, dict[str, None]()
        for number in await self._messages_of(trace):
            for user_id, _ in await self._store.mailboxes.holders(number):
                holders[people[user_id].name if user_id in people else str(user_id)] = None
        given = [
            {
                "at": moment(one.at),
                "by": one.data.get("by", ""),
                "from": one.data.get("from", ""),
                "to": one.data.get("to", []),
            }
            for _, one in came
            if one.kind == "fax.given"
        ]
        return {**await self._received_json(event), "holders": list(holders), "given": given}

    async def _messages_of(self, trace: str) -> list[int]:
        """The stored messages with its pages: the one it became, and copies that were fetched or given."""
        traces = [trace]
        for _, event in await self._store.events.page(
            since=0, until=self._clock() + SECOND, trace=trace, kinds=("fax.fetched", "fax.given"), limit=_PAGE
        ):
            if copy := event.data.get("as"):
                traces.append(str(copy))
        return [number for one in traces for number, found, _ in await self._store.find(one) if found == one]

    async def _received_message(self, trace: str) -> tuple[int, IBody]:
        """A message with its pages; one that lies in a mailbox before others.

        :raises NoSuchEntry: nobody has it any more.
        """
        came = await self._store.events.page(
            since=0, until=self._clock() + SECOND, trace=trace, kinds=("fax.received",), limit=1
        )
        numbers = await self._messages_of(trace) if came else []
        held = [one for one in numbers if await self._store.mailboxes.holders(one)]
        for number in (*held, *numbers):
            if (found := await self._store.message(number)) is not None:
                return number, found[0]
        raise NoSuchEntry("No mailbox has this fax any more")

    async def _looked(self, trace: str, by: str, facts: Mapping[str, object]) -> None:
        """The pages are somebody's letter: who looks at them is written down."""
        data = {"by": by, "what": "pages of a fax", **facts}
        await self._store.events.append([Event(self._clock(), "admin.looked", trace, data=data)])

    async def fax_boxes(self) -> Sequence[Mapping[str, object]]:
        """The boxes, and how many faxes wait in each; nothing of what they are."""
        office = self._fax_room().running()
        rows, places = [], self._places("fax_box")
        for box in office.rules.boxes:
            kept = [] if box.kind == "relay" else await office.desk.kept(box)
            rows.append(
                {
                    "name": box.name,
                    "kind": box.kind,
                    "to": ", ".join(box.to),
                    "code": bool(box.code),
                    "poll": box.poll,
                    "waiting": len(kept),
                    "since": moment(kept[0].queued) if kept else "",
                    "managed_by": places.get(box.name, ""),
                }
            )
        return rows

    def _places(self, kind: Literal["fax_line", "fax_box"]) -> Mapping[str, str]:
        """Where the tables of a kind stand in the configuration file, by name."""
        if self._config is None:
            return {}
        config = self._config()
        return dict(zip([one.name for one in getattr(config.tables, kind)], config.managed.get(kind, ()), strict=False))

    # ------------------------------------------------------------------ lines

    async def fax_lines(self) -> Sequence[Mapping[str, object]]:
        """The lines and what was seen of them."""
        office = self._fax_room().running()
        places = self._places("fax_line")
        tables = {one.name: one for one in self._config().tables.fax_line} if self._config is not None else {}
        under_way = {
            attempt.line.line.name: attempt for attempt in office.agent.attempts.values() if attempt.line is not None
        }
        rows = []
        for fact in office.facts():
            name = str(fact["name"])
            table, attempt = tables.get(name), under_way.get(name)
            rows.append(
                {
                    **fact,
                    "kind": table.kind if table else "",
                    "channels": table.channels if table else 0,
                    "numbers": list(table.numbers) if table else [],
                    "managed_by": places.get(name, ""),
                    "fax": attempt.item.id if attempt else 0,
                    "doing": attempt.state if attempt else "",
                    "stuck": [
                        one.item.id
                        for one in office.agent.attempts.values()
                        if one.line is not None
                        and one.line.line.name == name
                        and self._clock() - one.since > _STUCK_AFTER
                    ],
                    "page": attempt.ledger.confirmed + 1 if attempt and attempt.state == "sending" else 0,
                }
            )
        return rows

    async def fax_number(self, *, number: str) -> Mapping[str, object]:
        """What calls to a number have taught: with what settings the next one begins, and when it is mostly busy."""
        office = self._fax_room().running()
        read = office.gateway.numbers.read(number).text
        known = await office.learned.read(read)
        max_rate, ecm = known.settings(PageLedger(), self._clock())
        return {
            "number": read,
            "max_rate": max_rate,
            "ecm": ecm,
            "remote": known.remote_id,
            "rate": known.rate,
            "line": known.line,
            "at": moment(known.at),
            "calls": sum(known.calls),
            "busy": sum(known.busy),
            "busy_hours": [hour for hour in range(24) if known.is_busy_at(hour)],
        }

    # ------------------------------------------------------------------ inside

    def _fax_room(self) -> FaxRoom:
        if self.fax is None:
            raise Unavailable("The server does not run; start it first")
        return self.fax

    async def _fax_row(self, number: int) -> QueueItem:
        row = await self._store.queue.item(number)
        if row is None or row.agent != "fax":
            raise NoSuchJob(f"There is no fax {number}")
        return row

    def _fax_json(self, row: QueueItem) -> dict[str, object]:
        out = queue_json(row, self._directory())
        attempt = None
        if self.fax is not None and self.fax.office is not None:
            attempt = self.fax.office.agent.attempts.get(row.id)
            out["expires"] = moment(self.fax.office.agent.deadline(row))  # long before that of the queue
        if attempt is not None:
            out["state"] = attempt.state
        elif row.state is QueueState.QUEUED and not row.attempts and row.next_at > self._clock():
            out["state"] = "scheduled"
        return {
            **out,
            "user": out["user"] or row.params.get("reader", ""),  # from a provider's mailbox it goes in somebody's name
            "number": row.params.get("number", ""),
            "toll": row.params.get("toll", ""),
            "priority": URGENT if row.params.get("urgent") else row.params.get("priority", NORMAL),
            "at": moment(int(str(row.params.get("not_before", 0)))),
            "deadline": moment(int(str(row.params.get("not_after", 0)))),
            "title": row.params.get("title", ""),
            "polls": bool(row.params.get("poll")),
            "cover": row.params.get("cover", ""),
            "over": row.state in _OVER,
        }


def shown_picture(data: bytes, total: int) -> Mapping[str, object]:
    """A page as an answer."""
    return {"format": "image/png", "total": total, "data": b64encode(data).decode("ascii")}


def wide(width: int) -> int:
    """Of the two widths that are kept: to look through, and to read."""
    return 200 if width <= 200 else 1000


def mended_rows(told: Sequence[Mapping[str, object]]) -> int:
    """Rows of a document that had to be mended, as the log of its calls has it."""
    return max((int(str(one.get("damaged_rows", 0))) for one in told), default=0)


def _line_of_ledger(told: Mapping[str, object]) -> dict[str, object]:
    """What one call has carried, also where it was one of several in a try: which pages, over which line, and how."""
    pages = int(str(told.get("pages", 0)))
    first = int(str(told.get("first", 0)))
    known = ("line", "cause", "rate", "ecm", "remote", "seconds", "cost")
    return {
        "at": moment(int(str(told.get("began", 0)))),
        "pages": f"{first}-{first + pages - 1}" if pages > 1 and first else str(first or pages) if pages else "",
        **{name: told.get(name, "") for name in known},
    }


def _cause_words(cause: str) -> str:
    try:
        return CAUSES[FaxCause(cause)].words
    except (ValueError, KeyError):
        return cause


def _told(detail: object) -> dict[str, Any]:
    if not isinstance(detail, Mapping):
        return {}
    fields = detail.get("fields")
    return {
        "cause": detail.get("cause", ""),
        "line": detail.get("line", ""),
        **({str(name): text for name, text in fields.items()} if isinstance(fields, Mapping) else {}),
    }


def _pages_of_last(call: Mapping[str, object]) -> dict[str, object]:
    """How many pages a fax had and how many arrived, by what its last call was told as."""
    confirmed, _, total = str(call.get("X-Fax-Pages", "")).partition("/")
    known = confirmed.isdecimal() and total.isdecimal()
    return {"pages": int(total) if known else 0, "confirmed": int(confirmed) if known else 0}


def _damage_words(rows: object) -> str:
    """What is added for a fax that came damaged."""
    return f"; {rows} {'row is' if rows == 1 else 'rows are'} damaged" if rows else ""
