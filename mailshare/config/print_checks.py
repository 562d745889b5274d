"""What the destinations of print jobs must mean together: names, members, addresses, options."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Collection, Mapping

from mailshare.config.printer_checks import PUBLIC_KEY, public_key
from mailshare.config.printer_schema import PrinterTable
from mailshare.config.problems import Findings
from mailshare.config.schema import DestinationTable, FileTables
from mailshare.core.address import Address
from mailshare.core.device_uri import SCHEMES, check_device
from mailshare.core.errors import ConfigFault, PeerFault
from mailshare.core.print_abilities import FORMATS, Abilities
from mailshare.core.print_media import size_of
from mailshare.wire.ipp_template import TEMPLATES, fits
from mailshare.wire.jws import KEY_ID

_TOOLS = ("gs", "pdftops", "soffice", "jbgtopbm")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?\Z|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?\Z")
Path = tuple[str | int, ...]


def check_printing(tables: FileTables, directory: str, findings: Findings) -> None:
    """Note every contradiction and everything that cannot be."""
    del directory
    names: dict[str, int] = {}
    for index, one in enumerate(tables.destination):
        path: Path = ("destination", index)
        if one.name and not _NAME.match(one.name):
            findings.error(
                (*path, "name"), f"{one.name!r} is no name of a queue: letters, digits, dot, dash, underscore"
            )
        elif one.name.casefold() in names:
            findings.error((*path, "name"), f"{one.name} is there already")
        names[one.name.casefold()] = index
    for index, one in enumerate(tables.destination):
        _destination(one, ("destination", index), tables, findings)
    for index, printer in enumerate(tables.printer):
        check_abilities(printer, ("printer", index), findings)
        if printer.device:  # that it is missing was noted already
            check_address(printer.device, ("printer", index, "device"), further_schemes(tables), findings)
    for index, name in enumerate(tables.documents.tools):
        if name.rpartition("/")[2] not in _TOOLS or ("/" in name and not name.startswith("/")):
            _unknown(name, _TOOLS, ("documents", "tools", index), findings)
    _options(tables.print.defaults, Abilities(), ("print", "defaults"), findings)
    for key in ("networks", "operators"):
        for index, text in enumerate(getattr(tables.print, key)):
            _network(text, ("print", key, index), findings)
    for index, text in enumerate(tables.print.announce):
        if text != "all" and not _is_address(text):
            findings.error(("print", "announce", index), f"{text!r} is no address of a network interface; or write all")
    for index, text in enumerate(tables.print.fetch_from):
        if not _HOST.match(text):
            findings.error(
                ("print", "fetch_from", index), f"{text!r} is no host; write print.example or 192.0.2.1:8080"
            )
    listen = tables.listen
    if (listen.ipp or listen.ipps or listen.lpd) and not tables.destination:
        findings.warn(("listen",), "there is nothing to print to: no [[destination]] is declared")


def _destination(one: DestinationTable, path: Path, tables: FileTables, findings: Findings) -> None:
    if one.members:
        _members(one, path, tables, findings)
    else:
        check_address(one.address, (*path, "address"), further_schemes(tables), findings)
    _key_of(one, path, findings)
    check_abilities(one, path, findings)


def check_abilities(one: DestinationTable | PrinterTable, path: Path, findings: Findings) -> None:
    """What the device behind a destination or printer can do."""
    for index, kind in enumerate(one.formats):
        if kind not in FORMATS:
            _unknown(kind, FORMATS, (*path, "formats", index), findings)
    for index, name in enumerate(one.media):
        if size_of(name) is None:
            hint = "write a name such as iso_a4_210x297mm or na_letter_8.5x11in"
            findings.error((*path, "media", index), f"{name!r} is no name of a paper size", hint)
    for index, dots in enumerate(one.resolutions):
        if not 50 <= dots <= 9600:
            findings.error((*path, "resolutions", index), f"{dots} is no resolution in dots per inch")
    if not one.resolutions:
        findings.error((*path, "resolutions"), "needs at least one resolution")
    _options(one.defaults, abilities_of(one), (*path, "defaults"), findings)


def _members(one: DestinationTable, path: Path, tables: FileTables, findings: Findings) -> None:
    if one.address:
        findings.error((*path, "address"), "a group has members and no address")
    known = {each.name: each for each in tables.destination}
    for index, member in enumerate(one.members):
        where = (*path, "members", index)
        if member not in known:
            _unknown(member, tuple(known), where, findings)
        elif known[member].members:
            findings.error(where, f"{member} is a group itself")
        elif member in one.members[:index]:
            findings.error(where, f"{member} is a member already")


def check_address(address: str, path: Path, further: Collection[str], findings: Findings) -> None:
    """Where jobs go: a mail address, or a scheme that is known and what follows it.

    :param further: schemes that extensions bring.
    """
    scheme, colon, _ = address.partition(":")
    if not address:
        findings.error(path, "is missing; write a mail address, dir:FOLDER, or members for a group")
    elif "@" in address and (scheme == "mailto" or not colon):
        check_mail_address(address.removeprefix("mailto:"), path, findings)
    elif colon and scheme.lower() in SCHEMES:
        try:
            check_device(address)
        except ConfigFault as fault:
            findings.error(path, fault.public)
    elif not colon or scheme.lower() not in further:
        ways = ", ".join(["mail addresses", *(f"{one}:" for one in (*SCHEMES, *sorted(further)))])
        findings.error(path, f"jobs cannot be sent to {address!r} by this version; it knows {ways}")


def further_schemes(tables: FileTables) -> Collection[str]:
    """Schemes of devices that extensions bring; each is called as its kind is."""
    return {one.kind for one in tables.extension if one.group == "printers"}


def check_mail_address(text: str, path: Path, findings: Findings) -> None:
    """One mail address."""
    try:
        Address.parse(text)
    except PeerFault as fault:
        findings.error(path, f"{text!r} is no mail address: {fault.public}")


def _key_of(one: DestinationTable, path: Path, findings: Findings) -> None:
    """The key that signs jobs, and the account that they leave by: things of destinations with a mail address."""
    if bool(one.key) != bool(one.key_id):
        findings.error((*path, "key"), "a key needs the name that both sides have for it (key_id), and a name its key")
    elif one.key_id and not KEY_ID.match(one.key_id):
        findings.error((*path, "key_id"), f"{one.key_id!r} is no name of a key: letters, digits, and . _ @ + -")
    if one.key.kind in ("hash", "split", "left_out"):
        findings.error((*path, "key"), "is a text, {env=}, {file=}, {credential=} or {command=}")
    if one.account:
        check_mail_address(one.account, (*path, "account"), findings)
    if one.encrypt and (not one.key or one.signature != "HS256"):
        findings.error((*path, "encrypt"), "needs a shared secret, the same that the printing server has")
    if one.printer_key and one.signature == "HS256":
        findings.error((*path, "printer_key"), 'is of use with signature = "EdDSA"; a shared secret signs both ways')
    elif one.printer_key and public_key(one.printer_key) is None:
        findings.error((*path, "printer_key"), f"is no Ed25519 public key: {PUBLIC_KEY} octets in base64")
    for name in ("account", "key", "key_id", "printer_key", "part_size", "encrypt"):
        if getattr(one, name) and "@" not in one.address:
            findings.error((*path, name), "is of use only with a mail address")


def _options(options: Mapping[str, object], abilities: Abilities, path: Path, findings: Findings) -> None:
    for name, value in options.items():
        template = TEMPLATES.get(name)
        if template is None:
            _unknown(name, tuple(TEMPLATES), (*path, name), findings)
            continue
        try:
            right = fits(template, value, abilities)
        except (TypeError, ValueError, IndexError):
            right = False
        if not right:
            findings.error((*path, name), f"{value!r} is nothing that {name} can be there")


def _unknown(word: str, known: tuple[str, ...], path: Path, findings: Findings) -> None:
    near = difflib.get_close_matches(word, known, 1)
    findings.error(path, f"{word!r} is not known", f"did you mean {near[0]!r}?" if near else "")


def _is_address(text: str) -> bool:
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def _network(text: str, path: Path, findings: Findings) -> None:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        findings.error(path, f"{text!r} is not an address or network, e.g. 192.168.1.0/24")


def abilities_of(table: DestinationTable | PrinterTable) -> Abilities:
    """What jobs to a destination may ask for."""
    usual = Abilities()
    media = table.media or usual.media
    return Abilities(
        formats=table.formats or usual.formats,
        media=media,
        ready=media[:1] if table.media else usual.ready,
        sides=usual.sides if table.duplex else usual.sides[:1],
        color=table.color,
        resolutions=table.resolutions,
    )
