"""What a configuration says of printers that print what is mailed to them, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo

from mailshare.assembly.opening import zone_of
from mailshare.config import Config
from mailshare.config.print_checks import abilities_of
from mailshare.config.printer_checks import ROLES, public_key
from mailshare.config.printer_schema import PrinterSenderTable, PrinterTable
from mailshare.config.timetable import parse_window
from mailshare.core.address import Address
from mailshare.core.print_fault_words import Wording
from mailshare.core.print_policy import GuestPolicy, PrintPolicy, SenderPolicy
from mailshare.core.values import PrinterPlace
from mailshare.printing.destinations import Destination
from mailshare.printing.local_printer import MINUTE, LocalPrinter, MailLimits, PrinterKey


def places_of(config: Config) -> Sequence[PrinterPlace]:
    """By which addresses they are known."""
    return [
        PrinterPlace(one.name, tuple(Address.parse(text) for text in one.addresses), one.strangers)
        for one in config.tables.printer
    ]


def printers_of(config: Config) -> Sequence[LocalPrinter]:
    """The printers that a configuration declares."""
    zone = zone_of(config)
    return [_printer(one, zone) for one in config.tables.printer]


def _printer(one: PrinterTable, zone: tzinfo) -> LocalPrinter:
    return LocalPrinter(
        name=one.name,
        device=Destination(
            name=one.name,
            address=one.device,
            title=one.title or one.name,
            location=one.location,
            defaults=dict(one.defaults),
            abilities=abilities_of(one),
            account=one.account,
        ),
        policy=_policy(one),
        keys={
            key.id: PrinterKey(key.id, key.secret.reference(), public_key(key.public) or b"", key.senders)
            for key in one.keys
        },
        signing_key=one.signing_key.reference(),
        tags=tuple(secret.reference() for secret in one.tags),
        pin=one.pin.reference(),
        account=one.account,
        contacts={role: getattr(one.contacts, role) for role in ROLES},
        faults={name: tuple(roles) for name, roles in one.faults.items() if isinstance(roles, (list, tuple))},
        wording={role: Wording(**words) for role, words in one.wording.items() if isinstance(words, Mapping)},
        usage=one.usage,
        limits=MailLimits(octets=one.size, pages=one.pages, pixels=one.pixels, attachments=one.attachments),
        plain=one.plain,
        postscript=one.postscript,
        gap=one.gap * MINUTE,
        zone=zone,
    )


def _policy(one: PrinterTable) -> PrintPolicy:
    guests = one.guests
    return PrintPolicy(
        level=one.level,
        allow=one.allow,
        senders=tuple(_sender(each) for each in one.senders),
        guests=GuestPolicy(guests.hold, guests.pages_day, guests.mono),
        hold=one.hold,
        pages_day=one.pages_day,
        pages_month=one.pages_month,
        hours=tuple(parse_window(window) for window in one.hours),
        authserv=one.authserv,
    )


def _sender(one: PrinterSenderTable) -> SenderPolicy:
    return SenderPolicy(
        one.match,
        level=None if one.level < 0 else one.level,
        hold=None if not one.hold else one.hold == "yes",
        pages_day=None if one.pages_day < 0 else one.pages_day,
        pages_month=None if one.pages_month < 0 else one.pages_month,
    )
