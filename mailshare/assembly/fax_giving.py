"""A fax that came in goes to somebody else; and the boxes, with what an administrator does with what lies there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO

from mailshare.assembly.fax_reporting import FaxReporting
from mailshare.assembly.print_places import PlaceActs
from mailshare.assembly.shapes import moment
from mailshare.core.errors import NoSuchEntry, NoSuchJob, NoSuchUser, NotPossible, PeerFault
from mailshare.core.headers import Headers
from mailshare.core.values import SECOND, Event, QueueItem
from mailshare.interfaces import IBody

_DAY = 86_400 * SECOND
_BACK = 30  # days of a box's past that are told
_MOST = 100
_PAST = ("fax.fetched", "fax.given", "fax.dropped")
_BOX_ACTS = ("release", "print", "delete")


class FaxGivingActs(FaxReporting, PlaceActs):
    """Gives faxes and looks after boxes; put together with a class that knows the running server."""

    # ------------------------------------------------------------------ what lies in mailboxes

    async def fax_give(
        self, *, trace: str, to: Sequence[str], mailbox: str = "", keep: bool = False, by: str = ""
    ) -> Mapping[str, object]:
        """Give a fax that came in, and lies in a mailbox, to somebody else.

        :param to: names of people and mail addresses.
        :param mailbox: whose it is taken from; may be left out where one has it, and where it is kept.
        :param keep: it stays there too.
        """
        office = self._fax_room().running()
        takers = office.giving.takers(to)
        number, body = await self._received_message(trace)
        holders = await self._store.mailboxes.holders(number)
        names = self._names_of(holders)
        if keep:
            event = self._given(trace, by, to=takers.names, source=", ".join(names))
            await office.giving.copy(body, takers, event)
            return {"trace": trace, "from": "", "to": takers.names}
        if not holders:
            raise NoSuchEntry("No mailbox has this fax any more; what lies in a box is given out there")
        user_id, uid = self._taken_from(holders, names, mailbox)
        source = self._directory().user_by_id[user_id]
        entries = await self._store.mailboxes.entries(user_id, before_uid=uid + 1, limit=1)
        prefix = next((one.prefix for one in entries if one.uid == uid), b"")
        event = self._given(trace, by, to=takers.names, source=source.name)
        await office.giving.move(user_id, uid, prefix, body, takers, event)
        return {"trace": trace, "from": source.name, "to": takers.names}

    def _names_of(self, holders: Sequence[tuple[int, int]]) -> list[str]:
        people = self._directory().user_by_id
        return [people[one].name for one, _ in holders if one in people]

    @staticmethod
    def _taken_from(holders: Sequence[tuple[int, int]], names: Sequence[str], wanted: str) -> tuple[int, int]:
        if not wanted and len(holders) == 1:
            return holders[0]
        for holder, name in zip(holders, names, strict=False):
            if name.casefold() == wanted.casefold():
                return holder
        listed = ", ".join(names)
        if wanted:
            raise NoSuchUser(f"{wanted[:64]} does not have this fax; it lies with {listed}")
        raise NotPossible(f"Several have this fax: {listed}; say whose mailbox it is taken from")

    def _given(self, trace: str, by: str, *, to: Sequence[str], source: str) -> Event:
        return Event(self._clock(), "fax.given", trace, data={"by": by, "from": source, "to": list(to)})

    # ------------------------------------------------------------------ boxes

    async def fax_box(self, *, name: str) -> Mapping[str, object]:
        """One box: what lies in it and since when, who fetched from it lately, and wrong codes of this hour."""
        office = self._fax_room().running()
        head = next((one for one in await self.fax_boxes() if str(one["name"]).casefold() == name.casefold()), None)
        box = office.rules.box(name)
        if head is None or box is None:
            raise NoSuchUser(f"There is no box {name[:64]}")
        rows = [] if box.kind == "relay" else await office.desk.kept(box)
        past = await self._past_of(box.name)
        counted = self._directory().users if box.code and box.kind != "relay" else ()
        wrong = [(user.name, len(await office.desk.wrong.of_user(box.name, user.id))) for user in counted]
        faxes = [await self._kept_json(row) for row in rows]
        told = [{"user": user, "count": count} for user, count in wrong if count]
        return {**head, "faxes": faxes, "past": past, "wrong_codes": told}

    async def _past_of(self, box: str) -> list[Mapping[str, object]]:
        """What became of what lay in it, newest first."""
        people, now = self._directory().user_by_id, self._clock()
        found = await self._store.events.page(since=now - _BACK * _DAY, until=now + SECOND, kinds=_PAST)
        return [
            _happened(event, people[event.user_id].name if event.user_id and event.user_id in people else "")
            for _, event in reversed(found)
            if event.data.get("box") == box
        ][:_MOST]

    async def _kept_json(self, row: QueueItem) -> Mapping[str, object]:
        came = await self._store.events.page(
            since=0, until=self._clock() + SECOND, trace=row.trace, kinds=("fax.received",), limit=1
        )
        told: Mapping[str, object] = came[0][1].data if came else {}
        headers = Headers.parse(await (await self._store.queue.body(row.message_id)).header())
        author = next(iter(headers.mailboxes("from")), None)
        return {
            "id": row.id,
            "trace": row.trace,
            "since": moment(row.queued),
            "caller": str(told.get("caller") or (author.address.local if author is not None else "")),
            "station": str(told.get("station", "")).strip(),
            "pages": told.get("pages", 0),
            "octets": row.size,
            "received": bool(came),
        }

    async def steer_fax_box(
        self, *, name: str, id: int, act: str, to: Sequence[str] = (), by: str = ""  # noqa: A002
    ) -> Mapping[str, object]:
        """Do something with one fax in a box.

        :param act: ``release`` (into mailboxes, out of the box unless it is a bulletin), ``print`` (at the printer that
            ``to`` names; it stays) or ``delete``.
        :param to: people and mail addresses; none = whose box it is.
        """
        office = self._fax_room().running()
        box = office.rules.box(name)
        rows = [] if box is None else await office.desk.kept(box)
        row = next((one for one in rows if one.id == id), None)
        if box is None or row is None:
            raise NoSuchJob(f"There is no fax {id} in a box {name[:64]}")
        if row.id in office.desk.out and act != "print":
            raise NotPossible(f"A machine is fetching fax {row.id} just now")
        body = await self._store.queue.body(row.message_id)
        if act == "release":
            takers = office.giving.takers(to or box.to)
            event = self._given(row.trace, by, to=takers.names, source=f"box:{box.name}")
            data = {**event.data, "box": box.name, "fax": row.id}
            await office.giving.copy(body, takers, Event(event.at, event.kind, event.trace, data=data))
            if box.kind == "confidential":
                await self._store.queue.steer([row.id], "cancel", self._clock())
            return {"id": row.id, "to": takers.names, "words": f"Fax {row.id} was given to {', '.join(takers.names)}"}
        if act == "print":
            return await self._print_kept(row, body, list(to))
        if act != "delete":
            raise PeerFault(f"{act[:20]!r} is none of {', '.join(_BOX_ACTS)}", code=400)
        data = {"by": by, "box": box.name, "fax": row.id}
        await self._store.events.append([Event(self._clock(), "fax.dropped", row.trace, data=data)])
        await self._store.queue.steer([row.id], "cancel", self._clock())
        return {"id": row.id, "to": [], "words": f"Fax {row.id} is out of the box {box.name}"}

    async def _print_kept(self, row: QueueItem, body: IBody, to: Sequence[str]) -> Mapping[str, object]:
        if len(to) != 1:
            raise NotPossible("Name one printer that prints it")
        data, kind = await self._fax_room().running().pictures.pages_of(body)
        name = f"fax-{row.id}.{'pdf' if kind == 'application/pdf' else 'tif'}"
        job = await self.print_document(document=BytesIO(data), to=to[0], name=name)
        return {"id": row.id, "to": [to[0]], "words": f"Fax {row.id} is printed as job {job['id']}"}


def _happened(event: Event, user: str) -> Mapping[str, object]:
    """One line of a box's past."""
    told = event.data
    to = told.get("to")
    return {
        "at": moment(event.at),
        "what": {"fax.fetched": "fetched", "fax.given": "given", "fax.dropped": "deleted"}[event.kind],
        "who": user or str(told.get("by", "")),
        "to": [str(one) for one in to] if isinstance(to, list | tuple) else [],
        "trace": event.trace,
    }
