"""Reads a configuration file whole: all its mistakes at once, or a :class:`Config`."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import tomllib
from collections.abc import Mapping, Sequence

from attrs import asdict, evolve, field, frozen

from mailshare.config.checks import check_tables
from mailshare.config.chosen import FILE, Chosen, chosen_of, endpoint_of
from mailshare.config.endpoint_strings import check_endpoint, port_of
from mailshare.config.places import Places
from mailshare.config.problems import BrokenConfig, Findings, Problem, written
from mailshare.config.reading import read_tables
from mailshare.config.rule_checks import check_rules
from mailshare.config.schema import (
    LOOPBACK_LISTENERS,
    AccountTable,
    AdminTable,
    AppPasswordTable,
    DeviceTable,
    FileTables,
    PublicTable,
    RuleTable,
    Secret,
)
from mailshare.config.secret_checks import sealed_elsewhere
from mailshare.config.timetable import parse_window
from mailshare.core.address import Address
from mailshare.core.devices import Device
from mailshare.core.personal import Quota, Vacation
from mailshare.core.servers import parse_server
from mailshare.core.values import Account, AccountMode

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
SEALING_KEY = "sealing.key"
"""The file, in the data directory, of the key that sealed passwords are opened with."""
_SHOWN_LOCKED = ("destination", "printer", "fax_line", "fax_box", "fax_contact", "fax_route")
_SYNTAX = re.compile(r"\(at line (\d+), column (\d+)\)")


@frozen
class DeclaredAccount:
    """An ``[[account]]``: ``id`` and ``number`` are 0 until the store gives them.

    :ivar secret: reference as JSON, relative paths made absolute.
    :ivar found: what was learned about the provider elsewhere; for an account that is new to the store.
    :ivar admin, public: what was set of its ADMINn and PUBLICn elsewhere; likewise.
    """

    account: Account
    secret: str
    found: Mapping[str, object] = field(factory=dict)
    admin: AdminTable = field(factory=AdminTable)
    public: PublicTable = field(factory=PublicTable)


@frozen
class DeclaredUser:
    """A ``[[user]]``; accounts by address and cc by login name, all casefolded.

    :ivar vacation, app_passwords: for a user who is new to the store; later they are a matter of commands.
    """

    name: str
    names: tuple[str, ...]
    password: Secret
    accounts: tuple[str, ...]
    cc: tuple[str, ...]
    enabled: bool
    local_only: bool
    managed_by: str
    quota: Quota = field(factory=Quota)
    forward: tuple[Address, ...] = ()
    forward_keep: bool = True
    vacation: Vacation | None = None
    app_passwords: tuple[AppPasswordTable, ...] = ()


@frozen
class Listener:
    """One place where clients connect.

    :ivar service: ``pop3``, ``pop3s``, ``smtp``, ``submission``, ``submissions``, ``device``, ``ipp``, ``ipps``,
        ``lpd``, or ``socket`` and the name of a destination.
    :ivar endpoint: Twisted endpoint string with absolute paths.
    """

    service: str
    endpoint: str


@frozen
class Config:
    """A configuration file that may be started.

    :ivar path: the file; ``directory`` where it stands, ``data`` the absolute data directory.
    :ivar certificates: absolute directory of PEM files for STLS and STARTTLS, or empty.
    :ivar managed: kind of table to where each of its tables stands, ``"mailshare.toml:42"``, in their order.
    :ivar chosen: what the first run added to the file, contained in the other fields already.
    """

    path: str
    directory: str
    data: str
    tables: FileTables
    listeners: tuple[Listener, ...]
    certificates: str
    trusted: tuple[Network, ...]
    devices: tuple[tuple[Network, str], ...]
    accounts: tuple[DeclaredAccount, ...]
    users: tuple[DeclaredUser, ...]
    rules: tuple[RuleTable, ...] = ()
    warnings: tuple[Problem, ...] = ()
    device_rules: tuple[Device, ...] = ()
    managed: Mapping[str, tuple[str, ...]] = field(factory=dict)
    chosen: Chosen = field(factory=Chosen)

    @property
    def control_socket(self) -> str:
        """Where the commands find the running server."""
        return os.path.join(self.data, "control")


def load_config(path: str, *, data: str | None = None) -> Config:
    """Read, check and resolve a file.

    :param data: a data directory in place of the file's own.
    :raises BrokenConfig: with every mistake and warning found.
    """
    try:
        with open(path, "rb") as stream:
            text = stream.read().decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise BrokenConfig([Problem(path, 0, "", f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise BrokenConfig([Problem(path, 0, "", f"is not UTF-8 text (octet {error.start})")]) from error
    return parse_config(text, path, data=data)


def parse_config(text: str, path: str, *, data: str | None = None) -> Config:
    """As :func:`load_config`, for a text that is already there; ``path`` tells its directory and is shown."""
    directory = os.path.dirname(os.path.abspath(path))
    places = Places(text)
    shown = os.path.basename(path)
    if deep := _DEEP_KEY.search(text):
        line = text.count("\n", 0, deep.start()) + 1
        told = f"is a key of more than {_DEEPEST} names"
        raise BrokenConfig([Problem(shown, line, "", told, source=_source(places, line))])
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BrokenConfig([_syntax(shown, places, error)]) from error
    except RecursionError as error:
        raise BrokenConfig([Problem(shown, 0, "", "holds lists or tables inside each other without end")]) from error
    except ValueError as error:
        raise BrokenConfig([Problem(shown, 0, "", "holds a number of thousands of digits")]) from error
    findings = Findings()
    tables = read_tables(tree, findings)
    check_tables(tables, directory, findings)
    check_rules(tables, findings)
    place = os.path.abspath(data) if data else os.path.join(directory, tables.server.data)
    sealed_elsewhere(tables, os.path.join(place, SEALING_KEY), findings)
    problems = _placed(findings, places, shown)
    if any(not problem.warning for problem in problems):
        raise BrokenConfig(problems)
    config = _resolved(tables, places, path, directory, place=place, warnings=problems)
    try:
        return with_chosen(config, chosen_of(place), named="hostname" in tree.get("server", {}))
    except ValueError as error:
        words = f"is left out, for it is damaged: {error}; choose names, ports and certificates again in the manager"
        return evolve(config, warnings=(*config.warnings, Problem(FILE, 0, "", words, warning=True)))


# The standard reader takes time in the square of a key's depth; no key here has more than three names.
_DEEPEST = 20
_DEEP_KEY = re.compile(rf"^[ \t\[]*(?:[A-Za-z0-9_-]+[ \t]*\.[ \t]*){{{_DEEPEST}}}", re.MULTILINE)
_CREDENTIAL = re.compile(r"""(?i)(\b(?:pass|secret|pwd)\w*["']?\s*(?:=|(?=["'])))(?!\s*\{)\s*\S.*""")


_TOML_HINTS = {
    "Invalid value": 'texts stand in quotes ("mail"), truth is written true or false, numbers bear no unit',
    "Cannot declare": "tables of a kind that may stand several times have two brackets, all others stand once",
    "Cannot overwrite": "a key stands only once in a table",
    "Unescaped": "write two backslashes for one, or put the text in single quotes",
}


def _source(places: Places, line: int) -> str:
    """A line of the file as it may be shown: what stands in place of a password, or might be one, is left out."""
    if not 0 < line <= len(places.lines):
        return ""
    return _CREDENTIAL.sub(r"\1 ...", places.lines[line - 1])


def _syntax(shown: str, places: Places, error: tomllib.TOMLDecodeError) -> Problem:
    text = str(error)
    match = _SYNTAX.search(text)
    line, column = (int(match[1]), int(match[2])) if match else (len(places.lines), 0)
    source = _source(places, line)
    words = _SYNTAX.sub("", text).strip()
    hint = next((told for start, told in _TOML_HINTS.items() if words.startswith(start)), "")
    return Problem(shown, line, "", f"is not TOML: {words}", column, source, hint)


def _placed(findings: Findings, places: Places, shown: str) -> list[Problem]:
    """Findings with their lines, in the order of the file."""
    problems = []
    for found in findings.found:
        line, column = places.locate(found.path, at_key=found.at_key)
        source = _source(places, line)
        name = written(found.path)
        problems.append(Problem(shown, line, name, found.text, column, source, found.hint, found.warning))
    return sorted(problems, key=lambda problem: (problem.line, problem.column))


def _resolved(
    tables: FileTables, places: Places, path: str, directory: str, *, place: str, warnings: Sequence[Problem]
) -> Config:
    shown = os.path.basename(path)
    listen = tables.listen
    given = tuple((service, text) for service, text, _ in tables.endpoints()) or LOOPBACK_LISTENERS
    return Config(
        path=os.path.abspath(path),
        directory=directory,
        data=place,
        tables=tables,
        listeners=tuple(Listener(service, check_endpoint(text, directory)) for service, text in given),
        certificates=os.path.join(directory, listen.certificates) if listen.certificates else "",
        trusted=tuple(ipaddress.ip_network(one) for one in tables.trusted.networks),
        devices=tuple(
            (ipaddress.ip_network(network), login.casefold()) for network, login in tables.trusted.devices.items()
        ),
        accounts=tuple(
            DeclaredAccount(
                resolve_account(one, f"{shown}:{places.table('account', index)}", tables.server.zone),
                _absolute(one.password, directory).as_reference(),
                dict(one.found),
                one.admin,
                one.public,
            )
            for index, one in enumerate(tables.account)
        ),
        users=tuple(
            DeclaredUser(
                one.name.casefold(),
                one.names,
                _absolute(one.password, directory),
                tuple(address.casefold() for address in one.accounts),
                tuple(name.casefold() for name in one.cc),
                one.enabled,
                one.local_only,
                f"{shown}:{places.table('user', index)}",
                Quota(one.quota, one.quota_messages),
                tuple(Address.parse(text) for text in one.forward),
                one.forward_keep,
                Vacation(**asdict(one.vacation)) if one.vacation.text else None,
                one.app_passwords,
            )
            for index, one in enumerate(tables.user)
        ),
        rules=tables.rule,
        warnings=tuple(warnings),
        device_rules=tuple(_device(one) for one in tables.device),
        managed={
            kind: tuple(f"{shown}:{places.table(kind, index)}" for index in range(len(getattr(tables, kind))))
            for kind in _SHOWN_LOCKED
        },
    )


def with_chosen(config: Config, chosen: Chosen, *, named: bool) -> Config:
    """A configuration with what the first run chose; what the file says stays as it is.

    :param named: the file says what the server is called.
    """
    taken = {port_of(one.endpoint) for one in config.listeners} - {0}
    doors = (one for one in chosen.doors if one.port not in taken)
    more = (Listener(one.service, endpoint_of(one, chosen.certificates)) for one in doors)
    tables = config.tables
    if chosen.hostname and not named:
        tables = evolve(tables, server=evolve(tables.server, hostname=chosen.hostname))
    return evolve(
        config,
        tables=tables,
        listeners=(*config.listeners, *more),
        certificates=config.certificates or chosen.certificates,
        trusted=(*config.trusted, *(ipaddress.ip_network(one) for one in chosen.trusted)),
        chosen=chosen,
    )


def _device(table: DeviceTable) -> Device:
    return Device(
        table.name,
        tuple(ipaddress.ip_network(text) for text in table.networks),
        table.user.casefold(),
        tuple(text.casefold() for text in table.recipients),
        table.per_hour,
    )


def _absolute(secret: Secret, directory: str) -> Secret:
    """The secret with absolute file names."""
    if secret.kind == "file":
        return evolve(secret, value=os.path.join(directory, secret.value))
    if secret.kind == "split":
        both = json.loads(secret.value)
        for one in both.values():
            if "file" in one:
                one["file"] = os.path.join(directory, one["file"])
        return evolve(secret, value=json.dumps(both))
    return secret


def resolve_account(table: AccountTable, managed_by: str, zone: str = "") -> Account:
    """A checked ``[[account]]`` as the value that the rest of the server knows; ``id`` and ``number`` are 0."""
    return Account(
        id=0,
        number=0,
        address=Address.parse(table.address),
        mode=AccountMode(table.mode),
        enabled=table.enabled,
        domains=tuple(domain.casefold() for domain in table.domains),
        aliases=tuple(Address.parse(alias) for alias in table.aliases),
        tag_delimiter=table.tag_delimiter,
        collect=parse_server(table.collect) if table.collect else None,
        relay=parse_server(table.relay) if table.relay else None,
        timetable=tuple(parse_window(window) for window in table.timetable),
        zone=table.zone or zone,
        threshold=table.threshold,
        hold_outside=table.hold_outside,
        leave_days=table.leave_on_server_days,
        ambiguous=table.ambiguous,
        options=dict(table.options),
        managed_by=managed_by,
    )
