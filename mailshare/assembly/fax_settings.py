"""From the tables of a configuration to the rules of the fax room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mailshare.assembly.book_keeping import both, declared_entries
from mailshare.config import Config
from mailshare.config.fax_schema import FaxTable
from mailshare.config.timetable import parse_hours
from mailshare.core.address_book import BookEntry
from mailshare.core.fax_causes import OwnRetries
from mailshare.core.fax_covers import FaxCover
from mailshare.core.fax_dialling import DialRules, Toll
from mailshare.core.fax_routing import FaxRoute
from mailshare.core.values.fax import FaxCause
from mailshare.fax.circles import numbers
from mailshare.fax.numbers import country_code_of
from mailshare.fax.rules import HOUR, FaxBox, FaxCaller, FaxContact, FaxMailbox, FaxRules

_MINUTE = 60_000_000  # microseconds


def fax_rules(config: Config, book: Sequence[BookEntry] = ()) -> FaxRules:
    """What a configuration says about faxes.

    :param book: entries of the address book that stand in the store.
    """
    table = config.tables.fax
    hostname = config.tables.server.hostname
    return FaxRules(
        domains=tuple(one.casefold() for one in table.domains) or (f"fax.{hostname}".casefold(),),
        country=table.country.upper(),
        dialling=_dialling(table),
        senders=frozenset(one.casefold() for one in table.senders),
        tolls=frozenset(Toll(one) for one in table.tolls),
        prices=dict(table.prices),
        most_cost=table.most_cost,
        most_pages=table.pages,
        tries=table.tries,
        retries=_retries(table),
        lifetime=table.lifetime * HOUR,
        station=table.station,
        owner=table.owner,
        head=table.head,
        cover=table.cover,
        cover_sheet=table.cover_sheet,
        covers=tuple(FaxCover(one.name, one.title, one.note, one.text) for one in config.tables.fax_cover),
        text=table.text,
        paper=table.paper,
        resolution=table.resolution,
        photos=table.photos,
        report=table.report,
        report_pdf=table.report_pdf,
        always=table.confirm,
        inbox=table.inbox or ("admin1",),
        formats=table.formats or ("pdf",),
        routes=_routes(config),
        refused=table.refuse,
        mailboxes=_mailboxes(config),
        partners=frozenset(one.casefold() for one in table.partners),
        receipts=table.receipts,
        tell_sent=table.tell_sent,
        tell_failed=table.tell_failed,
        subject=table.subject_address.casefold(),
        cheap=tuple(parse_hours(one) for one in table.cheap_hours),
        cheap_tolls=frozenset(Toll(one) for one in table.cheap_tolls),
        contacts=_contacts(both(declared_entries(config), book)),
        boxes=_boxes(config),
        callers=tuple(FaxCaller(one.caller, one.station, one.code.reference()) for one in config.tables.fax_caller),
        split=table.split,
        returns=table.returns,
        own=numbers([each for line in config.tables.fax_line for each in line.numbers]),
        passed_on=table.passed_on,
        unrouted=table.unrouted,
    )


def _routes(config: Config) -> tuple[FaxRoute, ...]:
    return tuple(
        FaxRoute(one.to, one.called, one.subaddress, one.station, one.caller, one.barcode, one.report, one.line)
        for one in config.tables.fax_route
    )


def _mailboxes(config: Config) -> tuple[FaxMailbox, ...]:
    return tuple(
        FaxMailbox(one.account.casefold(), one.header, one.user, tuple(each.casefold() for each in one.senders))
        for one in config.tables.fax_mailbox
    )


def _boxes(config: Config) -> tuple[FaxBox, ...]:
    return tuple(
        FaxBox(one.name, one.kind, one.to, one.code.reference(), one.report, one.poll, one.poll_from)
        for one in config.tables.fax_box
    )


def _dialling(table: FaxTable) -> DialRules:
    return DialRules(
        country_code=country_code_of(table.country) if table.country else "",
        area=table.area,
        exit_code=table.exit_code,
        trunk=table.trunk,
        outside=table.outside,
        extension=table.extension,
    )


def _retries(table: FaxTable) -> Mapping[FaxCause, OwnRetries]:
    out = {}
    for word in {*table.retry_minutes, *table.retry_calls}:
        minutes, calls = table.retry_minutes.get(word), table.retry_calls.get(word)
        waits = tuple(one * _MINUTE for one in minutes) if isinstance(minutes, list | tuple) else ()
        out[FaxCause(word)] = OwnRetries(waits, calls if isinstance(calls, int) else 0)
    return out


def _contacts(book: Sequence[BookEntry]) -> tuple[FaxContact, ...]:
    return tuple(
        FaxContact(one.name, one.number, one.short, one.subaddress, one.title, one.company, one.members)
        for one in book
        if one.number or one.members
    )
