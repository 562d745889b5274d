"""What an administrator does at the places that documents are printed at: give them some, look, test."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import BinaryIO, Protocol

from mailshare.assembly.print_acts import PrintActs
from mailshare.assembly.print_options import read_options
from mailshare.assembly.print_shapes import job_json, printer_words
from mailshare.config import Config
from mailshare.core.errors import NotPossible, PeerFault, Unavailable
from mailshare.core.print_faults import CONDITIONS, parted
from mailshare.core.print_test_page import test_page
from mailshare.core.values import Certainty
from mailshare.interfaces import IPrinterDriver
from mailshare.printing.destinations import Destination
from mailshare.printing.documents import Said
from mailshare.printing.service import PrintService

_PIECE = 256 * 1024
_MOST = 1000
_OF_ONE_JOB = frozenset({"page-ranges", "job-hold-until", "job-hold-until-time", "job-password"})
_NOTICES = ("done", "error", "trace", "pages")


class DeviceWays(Protocol):
    """Reaches devices."""

    def driver(self, member: str) -> IPrinterDriver | None:
        """The driver of a destination or printer, or ``None``."""


class LivePrinting(Protocol):
    """Printing of a running server."""

    @property
    def service(self) -> PrintService:
        """Queues and jobs."""

    @property
    def ways(self) -> DeviceWays:
        """To devices."""


class PlaceActs(PrintActs):
    """Put together with a class that has the store and the clock.

    :ivar printing: gives that of the running server; ``None`` = none runs.
    """

    _clock: Callable[[], int]
    _config: Callable[[], Config] | None
    printing: Callable[[], Awaitable[LivePrinting]] | None = None

    async def _print_room(self) -> LivePrinting:
        if self.printing is None:
            raise Unavailable("The server does not run; start it first")
        return await self.printing()

    @staticmethod
    def _place(service: PrintService, name: str) -> Destination:
        """A destination, group or printer, by its name in any case."""
        found = service.queue(name) if name else None
        if found is None:
            printers = {one.casefold(): one for one in service.printers}
            found = service.place(printers.get(name.casefold(), name))
        if found is None:
            known = ", ".join([*service.destinations, *service.printers]) or "none is declared"
            raise PeerFault(f"There is no printer {name} here; known: {known}", code=404)
        return found

    # ------------------------------------------------------------------ giving documents

    async def print_document(
        self,
        *,
        document: BinaryIO,
        to: str,
        name: str = "",
        user: str = "",
        declared: str = "",
        options: str = "",
        notify: Sequence[str] = (),
        hold: bool = False,
        pin: str = "",
        keep: bool = False,
    ) -> Mapping[str, object]:
        """Print a document.

        :param document: read to its end.
        :param options: JSON object: name of an option of IPP to what was written for it.
        :param pin: the printing server holds the job until somebody names this.
        :param keep: its options hold for later jobs there that do not ask for others; without any, what was kept goes.
        :raises PeerFault: an option is not known there, or the document none that is printed there.
        """
        service = (await self._print_room()).service
        place = self._place(service, to)
        unknown = sorted(set(notify) - set(_NOTICES))
        if unknown:
            raise PeerFault(f"{unknown[0]!r} is no news of a job: {', '.join(_NOTICES)}", code=400)
        if not service.states.get(place.name).accepting:
            raise NotPossible(f"{place.name} takes no jobs now")
        if service.full(place):
            raise NotPossible(f"As many jobs wait for {place.name} as may")
        asked = read_options(_object(options), place.abilities, place.name)
        if keep:
            kept = {option: value for option, value in asked.items() if option not in _OF_ONE_JOB}
            await service.set_queue(place, defaults=kept)
        if pin:
            asked |= self._locked(service, place, pin)
        ticket = service.ticket(
            place, user=user, name=name[:255], options=asked, notify=tuple(notify), via="command", peer=""
        )
        intake = service.intake(ticket, Said(declared=declared, name=name[:255]))
        try:
            while data := document.read(_PIECE):
                wait = intake.write(data)
                if wait is not None:
                    await wait
                if intake.fault is not None:
                    break
            found, body = await intake.finish()
            service.check_format(place, found)
        except BaseException:
            intake.abort()
            raise
        held = hold or service.states.get(place.name).holding
        job = await self._store.print_jobs.take(ticket, [(found, body)], service.now(), held=held)
        return job_json(job)

    @staticmethod
    def _locked(service: PrintService, place: Destination, pin: str) -> dict[str, object]:
        """Options that keep a job at the printing server until its PIN is named there."""
        here = [one for one in place.targets if (each := service.place(one)) is None or each.scheme != "mailto"]
        if here:
            raise PeerFault(f"{here[0]} is a device here, which asks for no PIN; use --hold", code=400)
        if not pin.isalnum() or not pin.isascii() or not 4 <= len(pin) <= 16:
            raise PeerFault("A PIN has 4 to 16 letters and digits", code=400)
        return {"job-hold-until": "indefinite", "job-password": hashlib.sha256(pin.encode()).hexdigest()}

    # ------------------------------------------------------------------ printers

    async def print_places(self) -> Sequence[Mapping[str, object]]:
        """Destinations, groups and printers, in the order of the configuration."""
        service = (await self._print_room()).service
        rows = [
            self._place_json(service, one, "group" if one.members else "destination")
            for one in service.destinations.values()
        ]
        rows += [self._place_json(service, one.device, "printer") for one in service.printers.values()]
        declared = self._declared_places()
        return [{**row, "managed_by": declared.get(str(row["name"]).casefold(), "")} for row in rows]

    def _declared_places(self) -> Mapping[str, str]:
        """Name to where it stands in the configuration file."""
        if self._config is None:
            return {}
        config = self._config()
        return {
            one.name.casefold(): place
            for kind in ("destination", "printer")
            for one, place in zip(getattr(config.tables, kind), config.managed.get(kind, ()), strict=False)
        }

    @staticmethod
    def _place_json(service: PrintService, place: Destination, kind: str) -> dict[str, object]:
        state, said, words = service.standing(place)
        seen = service.conditions.of(place.name)
        known = [one for one in said if one != "none"]
        reasons = list(dict.fromkeys((*known, *(seen.reasons if seen is not None else ()))))
        return {
            "name": place.name,
            "kind": kind,
            "address": ", ".join(place.members) or place.address,
            "state": state.name.lower(),
            "paused": service.states.get(place.name).paused,
            "reasons": reasons,
            "troubles": [_in_words(one) for one in reasons],
            "why": seen.message if seen is not None and seen.message else words,
            "jobs": service.board.count(place.name),
            "title": place.title,
            "location": place.location,
            "accepting": service.states.get(place.name).accepting,
        }

    async def test_printer(self, *, name: str, page: bool = False, by: str = "") -> Mapping[str, object]:
        """Ask a device how it stands and what it can do; with ``page`` print a page on it.

        :returns: ``words`` for a person, ``ready``, and ``job``: the number of the page's, or 0.
        """
        room = await self._print_room()
        place = self._place(room.service, name)
        if place.members:
            raise PeerFault(f"{place.name} is a group; test its members: {', '.join(place.members)}", code=400)
        driver = room.ways.driver(place.name)
        words, ready = [f"{place.name}: jobs go by mail to {place.address}; its own office knows how it stands."], True
        if driver is not None:
            words, ready = await self._asked(driver, place, room.service)
        job = await self._test_page(room.service, place, by) if page else None
        if job is not None:
            words.append(f"A page goes to it as job {job['id']}; see: mailshare job show {job['id']}")
        return {"words": words, "ready": ready, "job": job["id"] if job is not None else 0}

    async def _asked(
        self, driver: IPrinterDriver, place: Destination, service: PrintService
    ) -> tuple[list[str], bool]:
        status = await driver.status()
        service.conditions.saw(place.name, status)
        able = None
        if status.accepting or status.state is not None:
            try:
                able = await driver.capabilities()
            except Unavailable:
                able = None
        certainty = driver.certainty if isinstance(driver.certainty, Certainty) else Certainty.NONE
        words = printer_words(place.name, certainty, status, able, service.options(place))
        return [one for one in words if one], status.accepting

    async def _test_page(self, service: PrintService, place: Destination, by: str) -> Mapping[str, object]:
        lines = ("mailshare", f"Test page for {place.name}", service.hostname, place.address)
        return await self.print_document(
            document=io.BytesIO(test_page(lines)), to=place.name, name="Test page", user=by
        )


def _in_words(reason: str) -> Mapping[str, str]:
    """A reason for the state of a printer: what it is and what to do; a keyword that nobody knows stays as it is."""
    name, severity = parted(reason)
    known = CONDITIONS.get(name)
    if known is None:
        return {"what": reason, "to_do": "", "severity": severity.value}
    return {"what": known.what, "to_do": known.to_do, "severity": severity.value}


def _object(text: str) -> dict[str, str]:
    """A JSON object of texts."""
    try:
        value = json.loads(text) if text else {}
    except (ValueError, RecursionError) as error:
        raise PeerFault("options must be a JSON object", code=400) from error
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise PeerFault("options must be a JSON object of texts", code=400)
    return value
