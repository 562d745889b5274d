"""What the parts of a configuration must mean together: ports, paths, addresses, names, references."""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import unicodedata
import zoneinfo
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from attrs import AttrsInstance, fields, has

from mailshare.config.endpoint_strings import check_certificates, check_endpoint, interface_of, port_of
from mailshare.config.problems import Findings, written
from mailshare.config.schema import (
    AccountTable,
    AppPasswordTable,
    FileTables,
    ListenTable,
    UserTable,
    written_key,
)
from mailshare.config.secret_checks import check_secrets
from mailshare.config.timetable import parse_clock, parse_days
from mailshare.core.address import Address, is_domain
from mailshare.core.errors import ConfigFault, PeerFault
from mailshare.core.provider_options import PROVIDER_OPTIONS, provider_faults
from mailshare.core.servers import parse_server

_RESERVED = re.compile(r"(?:admin|public)\d*\Z")
_LOGIN = re.compile(r"[^\s\x00-\x20\x7f@\"<>:;,()\[\]\\]{1,64}\Z")
# Names read by mailshare.core.sorting_options, with the words of those that are a choice.
_OPTIONS: Mapping[str, tuple[object, ...]] = {
    "box_names": (),
    "collapse_lists": (True, False),
    "dot_insensitive": (True, False),
    "envelope_headers": (),
    "ignore_names": (),
    "known_senders": (),
    "prefix_map": (),
    "public_from": ("anyone", "known", "local"),
    "public_rate": (),
    "public_to_admin": (True, False),
    "public_to_author": (True, False),
    "strangers": (),
    "tags_work": (True, False),
    "trusted_by": (),
    "unknown": ("reject", "upstream", "admin"),
}
_WORD_LISTS = ("envelope_headers", "ignore_names", "known_senders", "trusted_by")
_INSIDE_TLS = ("pop3s", "submissions", "ipps")
_STORES = ("sqlite:", "memory:")
_EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not listened on
_FOR_ACCOUNT = {"collect": "pop3s://login@host", "relay": "submissions://login@host"}
_Taken = dict[int, list[tuple[str, str]]]  # port to (interface, who has it)
Path = tuple[str | int, ...]


def check_tables(tables: FileTables, directory: str, findings: Findings) -> None:
    """Note every contradiction and everything that cannot be.

    :param directory: where the file stands; relative paths start there.
    """
    _ranges(tables, (), findings)
    _server(tables, findings)
    _listeners(tables, directory, findings)
    _networks(tables, findings)
    for index, account in enumerate(tables.account):
        _account(account, index, tables, findings)
    people = _people(tables)
    for index, user in enumerate(tables.user):
        _user(user, index, tables, people, findings)
    _doubles(((one.address.casefold(), ("account", i, "address")) for i, one in enumerate(tables.account)), findings)
    _same_mailbox(tables, findings)
    _devices(tables, findings)
    if tables.prints:
        from mailshare.config.print_checks import check_printing  # noqa: PLC0415 - the options of jobs are many
        from mailshare.config.printer_checks import check_printers  # noqa: PLC0415 - as above

        check_printing(tables, directory, findings)
        check_printers(tables, findings)
    if tables.faxes:
        from mailshare.config.fax_checks import check_fax  # noqa: PLC0415 - as above

        check_fax(tables, directory, findings)
    _doubles(((one.name.casefold(), ("user", i, "name")) for i, one in enumerate(tables.user)), findings)
    check_secrets(tables, directory, findings)


def _ranges(value: AttrsInstance, path: Path, findings: Findings) -> None:
    """Numbers against the ``least`` and ``most`` of their fields."""
    for one in fields(type(value)):
        here = (*path, written_key(one.name))
        inner = getattr(value, one.name)
        if isinstance(inner, tuple):
            for index, item in enumerate(inner):
                if has(type(item)):
                    _ranges(item, (*here, index), findings)
                elif "least" in one.metadata:
                    _range(item, one.metadata, (*here, index), findings)
            if not inner and "least" in one.metadata:
                findings.error(here, "is empty; write at least one number")
        elif has(type(inner)):
            _ranges(inner, here, findings)
        else:
            _range(inner, one.metadata, here, findings)


def _range(number: Any, metadata: Mapping[Any, Any], here: Path, findings: Findings) -> None:
    if "least" in metadata and number < metadata["least"]:
        findings.error(here, f"{number} is too small; the least is {metadata['least']}")
    elif "most" in metadata and number > metadata["most"]:
        findings.error(here, f"{number} is too large; the most is {metadata['most']}")


def _server(tables: FileTables, findings: Findings) -> None:
    if not is_domain(tables.server.hostname):
        findings.error(("server", "hostname"), f"{tables.server.hostname!r} is not a host name")
    _zone(tables.server.zone, ("server", "zone"), findings)
    url = tables.store.url
    if url.startswith(("postgresql:", "postgres:")):
        findings.error(("store", "url"), "this version has no PostgreSQL store; write sqlite:")
    elif url not in _STORES:
        findings.error(("store", "url"), f"{url!r} is not a store; write one of {', '.join(_STORES)}")


def _zone(name: str, path: Path, findings: Findings) -> None:
    if not name:
        return
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = difflib.get_close_matches(name, zoneinfo.available_timezones(), 1)
        findings.error(path, f"{name!r} is not a time zone", f"did you mean {near[0]!r}?" if near else "")


def _listeners(tables: FileTables, directory: str, findings: Findings) -> None:
    listen = tables.listen
    if listen.certificates:
        try:
            check_certificates(os.path.join(directory, listen.certificates))
        except ConfigFault as fault:
            findings.error(("listen", "certificates"), fault.public)
    authority = os.path.join(directory, listen.authority)
    if listen.authority and not os.path.isfile(authority):
        findings.error(("listen", "authority"), f"the file {authority} does not exist; it must hold a certificate")
    taken: _Taken = {}
    for service, text, path in tables.endpoints():
        try:
            check_endpoint(text, directory)
            port = port_of(text)
        except ConfigFault as fault:
            findings.error(path, fault.public)
            continue
        _listener_fits(service, text, path, listen, findings)
        if port:
            _port_free(taken, port, interface_of(text), path, findings)
    if tables.demonstration.isp:
        for key in ("pop3", "smtp"):
            if port := getattr(tables.demonstration, key):
                _port_free(taken, port, "127.0.0.1", ("demonstration", key), findings)


def _port_free(taken: _Taken, port: int, interface: str, path: Path, findings: Findings) -> None:
    """Two listeners share a port only when each has an address of its own; no address means all of them."""
    for other, owner in taken.setdefault(port, []):
        if other == interface or other in _EVERYWHERE or interface in _EVERYWHERE:
            findings.error(path, f"port {port} is already taken by {owner}")
            return
    taken[port].append((interface, written(path[:2])))


def _listener_fits(service: str, text: str, path: Path, listen: ListenTable, findings: Findings) -> None:
    secure = text.startswith(("tls:", "ssl:"))
    if service in _INSIDE_TLS and text.startswith(("tcp:", "tcp6:")):
        findings.error(path, f"{service} speaks TLS from the first octet; write tls:DIRECTORY:PORT")
    if service == "web":
        if not secure and not _on_this_machine(text):
            hint = "write tls:DIRECTORY:PORT, or listen on 127.0.0.1 and let a proxy do the TLS"
            findings.warn(path, "passwords and sessions of the manager go over the network without TLS", hint)
        return
    if service not in _INSIDE_TLS and secure:
        words = " or ".join(_INSIDE_TLS)
        findings.error(path, f"{service.partition(' ')[0]} starts in clear; for TLS from the first octet use {words}")
    if service == "submission" and not secure and not listen.certificates:
        findings.error(path, "submission needs STARTTLS; set listen.certificates to a directory of PEM files")


def _on_this_machine(text: str) -> bool:
    """Nobody else can reach it by the network."""
    if text.startswith(("unix:", "systemd:", "haproxy:")):
        return True
    try:
        return ipaddress.ip_address(interface_of(text).partition("%")[0]).is_loopback
    except (ConfigFault, ValueError):
        return False


def _networks(tables: FileTables, findings: Findings) -> None:
    for index, text in enumerate(tables.trusted.networks):
        _network(text, ("trusted", "networks", index), findings)
    for text, login in tables.trusted.devices.items():
        path = ("trusted", "devices", text)
        _network(text, path, findings)
        people = [one.name.casefold() for one in tables.user]
        if not isinstance(login, str) or not login:
            findings.error(path, "must name the login that this machine sends as")
        elif login.casefold() not in people:
            near = difflib.get_close_matches(login.casefold(), people, 1)
            hint = f"did you mean {near[0]!r}?" if near else ""
            findings.warn(path, f"no [[user]] here is called {login!r}; a command must have made that user", hint)


def _devices(tables: FileTables, findings: Findings) -> None:
    people = {one.name.casefold() for one in tables.user}
    taken: dict[str, str] = {}
    for index, device in enumerate(tables.device):
        path: Path = ("device", index)
        if not device.networks:
            findings.error((*path, "networks"), 'needs an address, e.g. networks = ["192.168.1.40"]')
        for number, text in enumerate(device.networks):
            _network(text, (*path, "networks", number), findings)
            if text in taken:
                findings.error((*path, "networks", number), f"{text} is the device {taken[text]} already")
            taken[text] = device.name
        if device.user and people and device.user.casefold() not in people and not _RESERVED.match(device.user.lower()):
            findings.warn((*path, "user"), f"{device.user} is not declared here; make that user, or nothing is taken")
        for number, text in enumerate(device.recipients):
            if text not in ("*", "local") and "@" not in text:
                hint = "local, an address, @domain or *"
                findings.error((*path, "recipients", number), f"{text!r} is no recipient", hint)
    _doubles(((one.name.casefold(), ("device", i, "name")) for i, one in enumerate(tables.device)), findings)


def _network(text: str, path: Path, findings: Findings) -> None:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        findings.error(path, f"{text!r} is not a network", "write e.g. 192.168.1.0/24")


def _account(account: AccountTable, index: int, tables: FileTables, findings: Findings) -> None:
    path: Path = ("account", index)
    if account.address:
        _address(account.address, (*path, "address"), findings)
    for number, alias in enumerate(account.aliases):
        _address(alias, (*path, "aliases", number), findings)
    for number, domain in enumerate(account.domains):
        if not is_domain(domain):
            findings.error((*path, "domains", number), f"{domain!r} is not a domain")
    if account.mode == "domain" and not account.domains:
        findings.error((*path, "mode"), 'a domain account needs domains = ["company.example"]')
    if account.mode == "regular" and account.domains:
        findings.error((*path, "domains"), 'domains belong to mode = "domain"', at_key=True)
    for key, protocols in (("collect", ("pop3", "imap")), ("relay", ("smtp",))):
        _provider(getattr(account, key), protocols, _FOR_ACCOUNT[key], (*path, key), findings)
    _zone(account.zone, (*path, "zone"), findings)
    _owned(account, path, tables, findings)
    _options(account, path, findings)
    for number, window in enumerate(account.timetable):
        for key, text, parse in (
            ("days", window.days, parse_days),
            ("from", window.from_, parse_clock),
            ("to", window.to, parse_clock),
        ):
            try:
                parse(text)
            except ValueError as error:
                findings.error((*path, "timetable", number, key), str(error))


def _options(account: AccountTable, path: Path, findings: Findings) -> None:
    """The rarer settings: known names, and words of those that are a choice."""
    known = sorted((*_OPTIONS, *PROVIDER_OPTIONS))
    for name, value in account.options.items():
        here = (*path, "options", name)
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
            findings.error(here, "unknown option", hint, at_key=True)
        elif _OPTIONS.get(name) and value not in _OPTIONS[name]:
            findings.error(here, f"{value!r} is none of {', '.join(map(str, _OPTIONS[name]))}")
        elif name == "public_rate" and (type(value) is not int or value < 0):
            findings.error(here, "is a whole number, 0 or more")
        elif name == "strangers" and not isinstance(value, str):
            findings.error(here, 'is "admin", "drop-spam" or a login, e.g. "carolyn"')
        elif name in _WORD_LISTS and not _are_words(value):
            findings.error(here, 'is a list of texts in quotes, e.g. ["one", "two"]')
    if "folders" in account.options and account.collect.startswith("pop3"):
        findings.warn((*path, "options", "folders"), "POP3 has one folder; folders are for imaps:// and imap://")
    for name, wrong in provider_faults(account.options):
        findings.error((*path, "options", name), wrong)
    prefixes = account.options.get("prefix_map", ())
    for pattern in prefixes if isinstance(prefixes, Mapping) else ():
        try:
            re.compile(str(pattern))
        except re.error as error:
            findings.error((*path, "options", "prefix_map", pattern), f"is not a pattern: {error}")


def _owned(account: AccountTable, path: Path, tables: FileTables, findings: Findings) -> None:
    """What export writes of ADMINn."""
    admin = account.admin
    _readers(admin.cc, (*path, "admin", "cc"), _people(tables), findings)
    _forward(admin.forward, (*path, "admin", "forward"), tables, findings)
    _app_passwords(admin.app_passwords, (*path, "admin", "app_passwords"), findings)
    if admin.password and (admin.password.kind != "hash" or not admin.password.value.startswith("$argon2")):
        hint = "leave it out, and run mailshare admin reset"
        findings.error((*path, "admin", "password"), "must be an argon2 hash, as mailshare export writes it", hint)


def _are_words(value: object) -> bool:
    """A text, or a list of texts."""
    return isinstance(value, str) or (isinstance(value, list | tuple) and all(isinstance(one, str) for one in value))


def _provider(url: str, protocols: Sequence[str], example: str, path: Path, findings: Findings) -> None:
    if not url:
        return
    if "://" not in url:
        findings.error(path, f"{url!r} does not say how to speak with the server", f"write {example}")
        return
    try:
        server = parse_server(url)
    except ConfigFault as fault:
        findings.error(path, fault.public)
        return
    if server.protocol not in protocols:
        findings.error(path, f"{server.protocol} is not for this", f"write {example}")
    if server.tls == "none" and server.host not in ("127.0.0.1", "localhost", "::1"):
        findings.warn(path, "the password crosses the network without TLS")


def _address(text: str, path: Path, findings: Findings) -> None:
    try:
        if not Address.parse(text).domain:
            findings.error(path, f"{text!r} has no domain; write mail@company.example")
    except PeerFault as fault:
        findings.error(path, f"{text!r} is not an address: {fault.public}")


def _user(
    user: UserTable, index: int, tables: FileTables, people: Mapping[str, str], findings: Findings
) -> None:
    path: Path = ("user", index)
    name = user.name.casefold()
    if _RESERVED.match(name):
        findings.error((*path, "name"), f"{user.name!r} is reserved: ADMINn and PUBLICn come with each account")
    elif name and not _LOGIN.match(name):
        findings.error((*path, "name"), f"{user.name!r} cannot be a login; no blanks, @, quotes, brackets, commas")
    for number, text in enumerate(user.names):
        if not text.strip():
            findings.error((*path, "names", number), "is empty")
        elif _RESERVED.match(unicodedata.normalize("NFKC", text).strip().casefold()):
            findings.error((*path, "names", number), f"{text!r} is reserved: it means an account's own ADMIN or PUBLIC")
    addresses = {one.address.casefold(): one.address for one in tables.account}
    for number, text in enumerate(user.accounts):
        _known(text, addresses, "account", (*path, "accounts", number), findings)
    _readers(user.cc, (*path, "cc"), people, findings, own=name)
    _forward(user.forward, (*path, "forward"), tables, findings)
    if user.forward and user.local_only:
        findings.error((*path, "forward"), "a user without outside mail cannot forward to the outside", at_key=True)
    _vacation(user, path, findings)
    _app_passwords(user.app_passwords, (*path, "app_passwords"), findings)
    if name and not user.password and user.enabled:
        noted = any(found.path[:3] == (*path, "password") for found in findings.found)
        if not noted:
            findings.warn((*path, "name"), f"{user.name} has no password, so nobody can log in")


def _known(text: str, known: Mapping[str, str], what: str, path: Path, findings: Findings) -> bool:
    if text.casefold() in known:
        return True
    near = difflib.get_close_matches(text.casefold(), known, 1)
    hint = f"did you mean {known[near[0]]!r}?" if near else ""
    findings.error(path, f"no [[{what}]] here is called {text!r}", hint)
    return False


def _people(tables: FileTables) -> Mapping[str, str]:
    """Whom a list of copies may name: users of the file, and the ADMIN of its accounts."""
    people = {one.name.casefold(): one.name for one in tables.user}
    people.update({f"admin{number}": f"admin{number}" for number, _ in enumerate(tables.account, 1)})
    return people


def _readers(cc: Sequence[str], path: Path, people: Mapping[str, str], findings: Findings, own: str = "") -> None:
    for number, text in enumerate(cc):
        if _known(text, people, "user", (*path, number), findings) and text.casefold() == own:
            findings.error((*path, number), "a user cannot be on the own cc list")


def _vacation(user: UserTable, path: Path, findings: Findings) -> None:
    for key, text in (("start", user.vacation.start), ("end", user.vacation.end)):
        try:
            fine = not text or date.fromisoformat(text).isoformat() == text
        except ValueError:
            fine = False
        if not fine:
            findings.error((*path, "vacation", key), f"{text!r} is not a day", "write YYYY-MM-DD")


def _app_passwords(apps: Sequence[AppPasswordTable], path: Path, findings: Findings) -> None:
    for number, one in enumerate(apps):
        if not one.label or not one.mark or not one.hash.startswith("$argon2"):
            wanted = "needs label, mark and an argon2 hash, as mailshare export writes them"
            findings.error((*path, number), wanted, "make one with mailshare user app-password add")


def _forward(forward: Sequence[str], path: Path, tables: FileTables, findings: Findings) -> None:
    own = {text.casefold() for one in tables.account for text in (one.address, *one.aliases)}
    domains = {domain.casefold() for one in tables.account for domain in one.domains}
    for number, text in enumerate(forward):
        here = (*path, number)
        _address(text, here, findings)
        if text.casefold() in own or text.casefold().rpartition("@")[2] in domains:
            findings.error(here, f"{text} is an address of this office", "for a copy to somebody here use cc")


def _same_mailbox(tables: FileTables, findings: Findings) -> None:
    """Two accounts that fetch one mailbox take each other's mail: each message reaches only one of them."""
    seen: dict[tuple[str, str], str] = {}
    for index, one in enumerate(tables.account):
        try:
            server = parse_server(one.collect) if one.collect and one.enabled else None
        except ConfigFault:
            continue
        if server is None:
            continue
        key = (f"{server.host}:{server.port}".casefold(), server.login or one.address)
        if key in seen:
            hint = "write all addresses of a mailbox into one account, as aliases"
            findings.warn(("account", index, "collect"), f"{seen[key]} collects this mailbox already", hint)
        seen.setdefault(key, one.address)


def _doubles(names: Iterable[tuple[str, Path]], findings: Findings) -> None:
    seen: set[str] = set()
    for name, path in names:
        if name and name in seen:
            findings.error(path, f"{name!r} is declared twice")
        seen.add(name)
