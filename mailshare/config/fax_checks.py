"""What the tables about faxes must mean together: numbers, names, addresses, kinds of lines."""

from __future__ import annotations

import difflib
import ipaddress
import re

from mailshare.config.endpoint_strings import interface_of, port_of, split_endpoint
from mailshare.config.fax_providers import check_provider
from mailshare.config.fax_schema import FaxLineTable
from mailshare.config.problems import Findings
from mailshare.config.schema import FileTables
from mailshare.config.timetable import parse_hours
from mailshare.core.address import Address, is_domain
from mailshare.core.errors import ConfigFault, PeerFault
from mailshare.core.fax_causes import CAUSES
from mailshare.core.fax_covers import STANDARD
from mailshare.core.fax_dialling import Toll
from mailshare.core.fax_lines import KINDS, SECRETS, HttpOptions, LoopOptions, read_options
from mailshare.core.fax_routing import CALL_WORDS
from mailshare.core.fax_scripts import is_script

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")
_NUMBER = re.compile(r"[+0-9*?][0-9*?#A-D .-]*\Z")
_FIELD = re.compile(r"[A-Za-z0-9-]{1,60}\Z")
_OF_SENDERS = ("to", "cc", "bcc", "from", "sender", "reply-to", "subject", "resent-to", "resent-cc", "apparently-to")
_BRACES = re.compile(r"\{([^{}]*)\}")
_PLUS = re.compile(r"\+[0-9][0-9 ().-]{3,40}\Z")
_NEVER_POLLED = ("directory", "hylafax", "mail", "http")
_DIGITS = re.compile(r"[0-9]{0,20}\Z")
Path = tuple[str | int, ...]


def check_fax(tables: FileTables, directory: str, findings: Findings) -> None:
    """Note every contradiction and everything that cannot be.

    :param directory: from which paths count.
    """
    _general(tables, findings)
    names: set[str] = set()
    for index, line in enumerate(tables.fax_line):
        path: Path = ("fax_line", index)
        _named(line.name, names, path, findings)
        _numbers((*path, "numbers"), line.numbers, findings)
        for own in line.numbers:
            if own[:1] not in ("+", "*"):
                words = f"{own} has no plus, so the far end is told no number that it could call back"
                findings.warn((*path, "numbers"), words, "write +49305550100")
        _numbers((*path, "calls"), line.calls, findings)
        if line.kind:
            _kind(line, path, directory, findings)
    _book(tables, findings)
    boxes = {one.name.casefold() for one in tables.fax_box}
    _boxes(tables, boxes, findings)
    _covers(tables, findings)
    _mailboxes(tables, findings)
    for index, route in enumerate(tables.fax_route):
        for number, text in enumerate(route.to or ()):
            _whither(text, boxes, ("fax_route", index, "to", number), findings)
        if not tables.fax_caller and any("{subaddress}" in text for text in route.to or ()):
            words = "whoever calls chooses the number; fax.tolls alone bounds what that costs"
            findings.warn(("fax_route", index, "to"), words, "name the callers in [[fax_caller]]")
        for key in ("called", "subaddress", "caller"):
            _numbers(("fax_route", index, key), (getattr(route, key),), findings)


def _kind(line: FaxLineTable, path: Path, directory: str, findings: Findings) -> None:
    """Its kind, and what its kind asks for."""
    from mailshare.extend import check_extension, installed  # noqa: PLC0415 - only where faxes go out

    own = [entry.name for entry in installed("mailshare.fax_lines")]
    if line.kind not in KINDS and line.kind not in own:
        _word(line.kind, [*KINDS, *own], (*path, "kind"), findings)
        return
    try:
        if line.kind in KINDS:
            options = read_options(line.kind, line.options)
            if isinstance(options, HttpOptions):
                check_provider(options, directory, line.secrets)
            elif isinstance(options, LoopOptions):
                _check_loop(options)
        else:
            check_extension("fax_lines", line.kind, line.options, installed)
    except (ValueError, ConfigFault) as fault:
        findings.error((*path, "options" if line.options else "kind"), str(fault))
        return
    host = str(line.options.get("host", ""))
    if line.kind == "hylafax" and not _on_this_machine(host):
        words = f"passwords and faxes cross the network to {host} without TLS, which HylaFAX does not have"
        findings.warn((*path, "options"), words, "use a tunnel for whole machines, such as WireGuard")
    known = SECRETS.get(line.kind, frozenset(line.secrets))
    for name in line.secrets:
        if name not in known:
            words = f"known are {', '.join(sorted(known))}" if known else "it has none"
            findings.error((*path, "secrets", name), f"{name!r} is no secret of the kind {line.kind}; {words}")


def _check_loop(options: LoopOptions) -> None:
    """Its words are known; calls between processes stay on this machine, since nobody is asked for a password.

    :raises ConfigFault: a word is none; an endpoint is none, or is elsewhere.
    """
    for number, words in options.numbers.items():
        if not isinstance(words, str) or not is_script(words):
            raise ConfigFault(f"numbers {number}: {words!r} is nothing that happens; write for example busy*2,answers")
    places = {"listen": options.listen, **{f"trunks {number}": one for number, one in options.trunks.items()}}
    for name, place in places.items():
        if not place and name == "listen":
            continue
        if not isinstance(place, str):
            raise ConfigFault(f"{name} has the wrong form: {place!r}")
        kind, *rest = split_endpoint(place)
        if kind == "unix" and rest and rest[0]:
            continue
        if kind != "tcp" or port_of(place if name == "listen" else f"tcp:{rest[-1] if rest else ''}") is None:
            raise ConfigFault(f"{name}: {place!r} is no endpoint of this machine; write unix:PATH, or tcp:")
        host = interface_of(place) if name == "listen" else rest[0]
        if not _on_this_machine(host):
            raise ConfigFault(f"{name}: {place!r} leaves this machine; a loop line asks nobody for a password")


def _on_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.casefold() == "localhost"


def _boxes(tables: FileTables, boxes: set[str], findings: Findings) -> None:
    names: set[str] = set()
    for index, box in enumerate(tables.fax_box):
        path: Path = ("fax_box", index)
        _named(box.name, names, path, findings)
        if box.kind == "relay" and not box.to:
            findings.error((*path, "to"), "a relay box passes on to somebody")
        if box.kind == "confidential" and not box.code and not box.to:
            findings.warn((*path, "code"), "whoever logs in may fetch from this box")
        for number, text in enumerate(box.to if box.kind == "relay" else ()):
            if text.startswith("box:"):
                findings.error((*path, "to", number), "a box passes on into no other box")
            else:
                _whither(text, boxes, (*path, "to", number), findings)
    _polled(tables, findings)
    for index, caller in enumerate(tables.fax_caller):
        _numbers(("fax_caller", index, "caller"), (caller.caller,), findings)


def _polled(tables: FileTables, findings: Findings) -> None:
    """What fax machines may fetch from boxes."""
    taken: set[str] = set()
    for index, box in enumerate(tables.fax_box):
        path: Path = ("fax_box", index, "poll")
        _numbers(("fax_box", index, "poll_from"), box.poll_from, findings)
        if not box.poll:
            continue
        if box.poll != "any" and not _DIGITS.match(box.poll):
            findings.error(path, f"{box.poll!r} is no selector: at most 20 digits, or any")
        if box.poll in taken:
            findings.error(path, f"another box is polled as {box.poll} already")
        taken.add(box.poll)
        if box.kind == "relay":
            findings.error(path, "a relay box keeps nothing that could be polled")
        elif box.kind == "confidential" and not box.code:
            findings.error((*path[:2], "code"), "whoever calls could poll a confidential box that has no code")
    if taken and not any(line.kind not in _NEVER_POLLED for line in tables.fax_line):
        first = next(index for index, box in enumerate(tables.fax_box) if box.poll)
        findings.warn(("fax_box", first, "poll"), "no line here can be polled by a fax machine")


def _covers(tables: FileTables, findings: Findings) -> None:
    names: set[str] = set()
    for index, sheet in enumerate(tables.fax_cover):
        path: Path = ("fax_cover", index)
        _named(sheet.name, names, path, findings)
        if sheet.name.casefold() in ("none", STANDARD):
            findings.error((*path, "name"), f"{sheet.name} is a word of its own: none, and {STANDARD} which is there")
    if tables.fax.cover_sheet.casefold() not in {STANDARD, *names}:
        findings.error(("fax", "cover_sheet"), f"there is no [[fax_cover]] {tables.fax.cover_sheet!r}")


def _whither(text: str, boxes: set[str], path: Path, findings: Findings) -> None:
    if not text.startswith("box:"):
        for word in _BRACES.findall(text):
            _word(word, list(CALL_WORDS), path, findings)
        if not _PLUS.match(text):
            _address(text, path, findings)
    elif text[4:].casefold() not in boxes:
        findings.error(path, f"there is no [[fax_box]] {text[4:]!r}")


def _mailboxes(tables: FileTables, findings: Findings) -> None:
    accounts = {one.address.casefold() for one in tables.account}
    for index, one in enumerate(tables.fax_mailbox):
        path: Path = ("fax_mailbox", index)
        if one.account and one.account.casefold() not in accounts:
            findings.warn((*path, "account"), f"{one.account} is no [[account]] of this file; nothing is taken from it")
        if one.header and not _FIELD.match(one.header):
            findings.error((*path, "header"), f"{one.header!r} is no name of a field; write for example X-Original-To")
        elif one.header.casefold() in _OF_SENDERS:
            findings.error((*path, "header"), f"{one.header} is written by the sender; it says nothing of the envelope")
        if one.user and "*" not in tables.fax.senders and one.user not in tables.fax.senders:
            findings.warn((*path, "user"), f"{one.user} stands not in fax.senders, so only an ADMIN could send them")
        if "*" in one.senders:
            findings.warn((*path, "senders"), "anybody in the world may have this office fax")


def _general(tables: FileTables, findings: Findings) -> None:
    fax = tables.fax
    tolls = [one.value for one in Toll]
    for index, domain in enumerate(fax.domains):
        if not is_domain(domain):
            findings.error(("fax", "domains", index), f"{domain!r} is not a domain")
        elif domain.casefold() == tables.server.hostname.casefold():
            findings.error(("fax", "domains", index), "is the name of this server, whose mail goes to its people")
    if fax.country and not re.match(r"[A-Za-z]{2}\Z", fax.country):
        findings.error(("fax", "country"), f"{fax.country!r} is not a country; write two letters, e.g. DE")
    if fax.exit_code != "+" and not _DIGITS.match(fax.exit_code):
        findings.error(("fax", "exit_code"), "has digits only, or is +")
    for key in ("area", "trunk", "outside"):
        if not _DIGITS.match(getattr(fax, key)):
            findings.error(("fax", key), "has digits only")
    for index, word in enumerate(fax.tolls):
        _word(word, tolls, ("fax", "tolls", index), findings)
    for index, word in enumerate(fax.cheap_tolls):
        _word(word, tolls, ("fax", "cheap_tolls", index), findings)
    for index, text in enumerate(fax.cheap_hours):
        try:
            parse_hours(text)
        except ValueError as fault:
            findings.error(("fax", "cheap_hours", index), str(fault))
    if fax.cheap_tolls and not fax.cheap_hours:
        findings.error(("fax", "cheap_tolls"), "there are no cheap_hours to wait for")
    _retries(tables, findings)
    for word, price in fax.prices.items():
        _word(word, tolls, ("fax", "prices", word), findings)
        if isinstance(price, bool) or not isinstance(price, (int, float)) or price < 0:
            findings.error(("fax", "prices", word), "a price is a number, 0 or more")
    for index, word in enumerate(fax.formats):
        _word(word, ["pdf", "tiff", "profile-s"], ("fax", "formats", index), findings)
    _numbers(("fax", "returns"), fax.returns, findings)
    for index, text in enumerate(fax.inbox):
        _address(text, ("fax", "inbox", index), findings)
    if len(fax.station) > 20 or not fax.station.isascii():
        findings.error(("fax", "station"), "has at most 20 characters, digits and blanks above all")
    if fax.subject_address and not _NAME.match(fax.subject_address):
        findings.error(("fax", "subject_address"), f"{fax.subject_address!r} cannot stand before an @")
    for name in fax.partners:
        if "*" not in fax.senders and name not in fax.senders:
            findings.warn(("fax", "partners"), f"{name} stands not in fax.senders, so it may send no faxes")
    known = [one.name for one in tables.user]
    for index, name in enumerate(fax.senders):
        near = difflib.get_close_matches(name, known, 1, 0.75) if name != "*" and name not in known else []
        if near:  # people of the store are not known here, so a name alone says nothing
            hint = f"did you mean {near[0]!r}?"
            findings.warn(("fax", "senders", index), f"{name} is no [[user]] of this file", hint)
    if tables.fax_line and not fax.senders:
        findings.warn(("fax",), "nobody but ADMIN may send faxes: senders is empty")
    if tables.fax_line and not fax.country:
        findings.warn(("fax",), "country is not set, so only numbers that begin with + are understood")


def _retries(tables: FileTables, findings: Findings) -> None:
    """Causes that are worth another call, with minutes and calls that can be."""
    known = [cause.value for cause, rule in CAUSES.items() if rule.retry]
    for word, minutes in tables.fax.retry_minutes.items():
        path: Path = ("fax", "retry_minutes", word)
        _word(word, known, path, findings)
        if not isinstance(minutes, list | tuple) or not minutes or not all(_whole(one, 1440) for one in minutes):
            findings.error(path, "is a list of minutes, 1 to 1440 each, e.g. [2, 5, 10]")
    for word, calls in tables.fax.retry_calls.items():
        path = ("fax", "retry_calls", word)
        _word(word, known, path, findings)
        if not _whole(calls, 50):
            findings.error(path, "is a number of calls, 1 to 50")


def _whole(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


def _book(tables: FileTables, findings: Findings) -> None:
    names: set[str] = set()
    shorts: set[str] = set()
    for index, one in enumerate(tables.fax_contact):
        path: Path = ("fax_contact", index)
        _named(one.name, names, path, findings)
        if one.number and one.members:
            findings.error((*path, "number"), "somebody has a number, a group has members")
        elif not (one.number or one.members or one.mail or one.printer):
            findings.error((*path, "number"), "nothing leads there: a number, members, a mail address or a printer")
        if one.mail and "@" not in one.mail:
            findings.error((*path, "mail"), f"{one.mail!r} is no mail address")
        elif one.mail:
            _address(one.mail, (*path, "mail"), findings)
        if one.number:
            _numbers((*path, "number"), (one.number,), findings)
        if one.short:
            if not one.short.isdecimal() or one.short in shorts:
                findings.error((*path, "short"), f"{one.short!r} is taken, or has other characters than digits")
            shorts.add(one.short)
        if not _DIGITS.match(one.subaddress):
            findings.error((*path, "subaddress"), "has at most 20 digits")
    for index, one in enumerate(tables.fax_contact):
        for number, member in enumerate(one.members):
            if member.casefold() not in names:
                _word(member, sorted(names), ("fax_contact", index, "members", number), findings)


def _named(name: str, taken: set[str], path: Path, findings: Findings) -> None:
    if name and not _NAME.match(name):
        findings.error((*path, "name"), f"{name!r} is no name: letters, digits, dot, dash, underscore")
    elif name.casefold() in taken:
        findings.error((*path, "name"), f"{name} is there already")
    taken.add(name.casefold())


def _numbers(path: Path, texts: tuple[str, ...], findings: Findings) -> None:
    for text in texts:
        if text and not _NUMBER.match(text):
            findings.error(path, f"{text!r} is no number")


def _address(text: str, path: Path, findings: Findings) -> None:
    try:
        Address.parse(text)
    except PeerFault as fault:
        findings.error(path, f"{text!r} is neither a login name nor a mail address: {fault.public}")


def _word(word: str, known: list[str], path: Path, findings: Findings) -> None:
    if word not in known:
        near = difflib.get_close_matches(word, known, 1)
        findings.error(path, f"{word!r} is none of {', '.join(known)}", f"did you mean {near[0]!r}?" if near else "")
