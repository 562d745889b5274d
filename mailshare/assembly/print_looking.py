"""What an administrator sees of one printer: who may use it, how much and when, what is on its way, what it tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mailshare.assembly.print_places import PlaceActs
from mailshare.assembly.shapes import account_json, moment
from mailshare.config.printer_schema import PrinterTable
from mailshare.core.errors import PeerFault
from mailshare.core.print_fault_words import FaultAt, Wording, fault_mail
from mailshare.core.print_faults import FaultNews, Role

_EXAMPLE = "media-empty"


class PrintLooking(PlaceActs):
    """Put together with a class that has the store and the configuration."""

    async def print_place(self, *, name: str) -> Mapping[str, object]:
        """One destination, group or printer: as in the list, and what is declared of it.

        :returns: also ``senders`` (who may print, and what holds for them), ``pages_day`` and ``pages_month``, ``poll``
            (when mail for it is fetched), ``parts`` (jobs of which parts have come) and ``mails`` (what it tells).
        """
        rows = await self.print_places()
        found = next((one for one in rows if str(one["name"]).casefold() == name.casefold()), None)
        if found is None:
            self._place((await self._print_room()).service, name)
            raise PeerFault(f"There is no printer {name[:64]} here", code=404)
        table = self._table(str(found["name"])) if found["kind"] == "printer" else None
        shown = {**found, "declared": {}, "senders": [], "poll": [], "parts": [], "mails": []}
        if table is None:
            return shown
        return {
            **shown,
            "declared": _declared(table),
            "senders": _senders(table),
            "poll": self._poll(table),
            "parts": await self._parts(table.name),
            "mails": _mails(table),
        }

    def _table(self, name: str) -> PrinterTable | None:
        tables = () if self._config is None else self._config().tables.printer
        return next((one for one in tables if one.name.casefold() == name.casefold()), None)

    def _poll(self, table: PrinterTable) -> list[Mapping[str, object]]:
        """The accounts whose mail brings jobs, with their timetables; what comes over SMTP is printed at once."""
        domains = {text.rpartition("@")[2].casefold() for text in table.addresses if "@" in text}
        accounts = [account_json(one) for one in self._directory().accounts if one.collect is not None]
        return [
            {key: one[key] for key in ("number", "address", "timetable")}
            for one in accounts
            if domains & {str(one["address"]).rpartition("@")[2].casefold(), *map(str, _listed(one["domains"]))}
        ]

    async def _parts(self, name: str) -> list[Mapping[str, object]]:
        """Jobs that came in parts, of which some are missing."""
        return [
            {
                "from": one.mail.sender,
                "have": len(one.have),
                "total": one.total,
                "octets": one.octets,
                "since": moment(one.created),
                "last": moment(one.last),
                "asked": one.requests,
                "expires": moment(one.expires),
            }
            for one in await self._store.print_sets.collecting()
            if one.printer.casefold() == name.casefold()
        ]


def _declared(table: PrinterTable) -> Mapping[str, object]:
    return {
        "addresses": list(table.addresses),
        "level": table.level,
        "pages_day": table.pages_day,
        "pages_month": table.pages_month,
        "pages": table.pages,
        "size": table.size,
        "hold": table.hold,
        "plain": table.plain,
        "hours": [f"{one.days} {one.from_}-{one.to}".strip() for one in table.hours],
        "keys": [one.id for one in table.keys],
    }


def _senders(table: PrinterTable) -> Sequence[Mapping[str, object]]:
    """Who may print: the list of the printer, what holds for some, and guests."""
    out: list[Mapping[str, object]] = [
        {"match": one.match, "level": one.level, "hold": one.hold, "day": one.pages_day, "month": one.pages_month}
        for one in table.senders
    ]
    out += [{"match": one, "level": 1, "hold": "", "day": -1, "month": -1} for one in table.allow]
    if table.level == 0:
        guests = table.guests
        hold = "yes" if guests.hold else "no"
        out.append({"match": "*", "level": 0, "hold": hold, "day": guests.pages_day, "month": -1})
    return out


def _mails(table: PrinterTable) -> Sequence[Mapping[str, object]]:
    """The mails about troubles, by the example of one that is out of paper: who hears, and in which words."""
    out = []
    for role in Role:
        given = table.wording.get(role.value)
        own = given if isinstance(given, Mapping) else {}
        wording = Wording(str(own.get("subject", "")), str(own.get("text", "")))
        subject, texts = fault_mail(role, FaultNews(_EXAMPLE, 0), FaultAt(table.name, table.location), wording)
        to = getattr(table.contacts, role.value)
        out.append({"role": role.value, "to": list(to), "subject": subject, "text": list(texts), "own": bool(own)})
    return out


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()
