"""What the printers of an office must mean: names, addresses, keys, who may print."""

from __future__ import annotations

import base64
import binascii
import difflib
from collections.abc import Mapping

from mailshare.config.printer_schema import PrinterKeyTable, PrinterTable
from mailshare.config.problems import Findings
from mailshare.config.schema import FileTables, Secret
from mailshare.config.timetable import parse_window
from mailshare.core.address import Address, is_domain
from mailshare.core.errors import PeerFault
from mailshare.core.print_fault_words import FIELDS, fields_unknown
from mailshare.core.print_faults import CONDITIONS, Role, Severity, parted
from mailshare.wire.jws import KEY_ID

PUBLIC_KEY = 32  # octets of an Ed25519 public key
_PROVES = ("hash", "split", "left_out")
ROLES = tuple(role.value for role in Role)
Path = tuple[str | int, ...]


def check_printers(tables: FileTables, findings: Findings) -> None:
    """Note every contradiction and everything that cannot be; the device itself is looked at with destinations."""
    for number, text in enumerate(tables.demonstration.mailboxes):
        _mail_address(text, ("demonstration", "mailboxes", number), findings)
    names = {one.name.casefold() for one in tables.destination}
    places: dict[tuple[str, str], str] = {}
    for index, one in enumerate(tables.printer):
        path: Path = ("printer", index)
        if not one.name:
            continue
        if one.name.casefold() in names:
            findings.error((*path, "name"), f"{one.name} is there already, as a printer or destination")
        names.add(one.name.casefold())
        _addresses(one, path, tables, places, findings)
        _who(one, path, findings)
        for number, key in enumerate(one.keys):
            _key(key, (*path, "keys", number), findings)
        for number, window in enumerate(one.hours):
            try:
                parse_window(window)
            except ValueError as error:
                findings.error((*path, "hours", number), str(error))
        for role in ROLES:
            for number, text in enumerate(getattr(one.contacts, role)):
                _mail_address(text, (*path, "contacts", role, number), findings)
        if one.account:
            _mail_address(one.account, (*path, "account"), findings)
        for number, text in enumerate(one.usage):
            _mail_address(text, (*path, "usage", number), findings)
        _faults(one, path, findings)


def _faults(one: PrinterTable, path: Path, findings: Findings) -> None:
    known = {*CONDITIONS, *(each.value for each in Severity)}
    for condition, roles in one.faults.items():
        where = (*path, "faults", condition)
        if condition not in known and parted(condition)[0] not in known:
            near = difflib.get_close_matches(condition, known, 1)
            findings.error(where, f"{condition} is no condition", f"did you mean {near[0]}?" if near else "")
        if not isinstance(roles, (list, tuple)) or not all(role in ROLES for role in roles):
            findings.error(where, f"is a list of roles, which are {', '.join(ROLES)}")
    for role, words in one.wording.items():
        where = (*path, "wording", role)
        if role not in ROLES:
            findings.error(where, f"{role} is no role; there are {', '.join(ROLES)}")
        elif not isinstance(words, Mapping) or not set(words) <= {"subject", "text"}:
            findings.error(where, "is a table with subject and text")
        elif not all(isinstance(text, str) for text in words.values()):
            findings.error(where, "subject and text are texts")
        elif unknown := fields_unknown(*words.values()):
            findings.error(where, f"{{{unknown[0]}}} is not filled in; there are {', '.join(FIELDS)}")


def _addresses(
    one: PrinterTable, path: Path, tables: FileTables, places: dict[tuple[str, str], str], findings: Findings
) -> None:
    users = {user.name.casefold() for user in tables.user}
    for index, text in enumerate(one.addresses):
        where = (*path, "addresses", index)
        address = _mail_address(text, where, findings)
        if address is None:
            continue
        if address.key in places:
            findings.error(where, f"{text} is an address of {places[address.key]} already")
        elif not address.domain and address.key[0] in users:
            findings.error(where, f"{text} is a user; a printer needs a name of its own")
        places.setdefault(address.key, one.name)
    if not one.addresses:
        findings.warn((*path, "name"), f"nobody can print to {one.name}: it has no addresses")


def _who(one: PrinterTable, path: Path, findings: Findings) -> None:
    for name, patterns in (("allow", one.allow), ("senders", tuple(each.match for each in one.senders))):
        for index, text in enumerate(patterns):
            _pattern(text, (*path, name, index), findings)
    for index, secret in enumerate(one.tags):
        _secret(secret, (*path, "tags", index), findings)
    _secret(one.signing_key, (*path, "signing_key"), findings)
    _secret(one.pin, (*path, "pin"), findings)
    if one.level == 1 and not one.allow:
        findings.warn((*path, "allow"), f"only tags, PINs, logins and keys print on {one.name}: nobody is on its list")


def _pattern(text: str, path: Path, findings: Findings) -> None:
    if text == "*":
        return
    local, at, domain = text.rpartition("@")
    if at and local in ("", "*"):
        if not is_domain(domain):
            findings.error(path, f"{text!r} is no domain; write @company.example")
        return
    _mail_address(text, path, findings)


def _key(key: PrinterKeyTable, path: Path, findings: Findings) -> None:
    if not KEY_ID.match(key.id):
        findings.error((*path, "id"), f"{key.id!r} is no name of a key: letters, digits, and . _ @ + -")
    if bool(key.secret) == bool(key.public):
        findings.error(path, "a key is either a shared secret or a public key")
    _secret(key.secret, (*path, "secret"), findings)
    if key.public and public_key(key.public) is None:
        findings.error((*path, "public"), f"is no Ed25519 public key: {PUBLIC_KEY} octets in base64")
    for index, text in enumerate(key.senders):
        _pattern(text, (*path, "senders", index), findings)


def _secret(secret: Secret, path: Path, findings: Findings) -> None:
    if secret.kind in _PROVES:
        findings.error(path, "is a text, {env=}, {file=}, {credential=} or {command=}")


def public_key(text: str) -> bytes | None:
    """The octets of a public key; ``None`` when it is none."""
    try:
        octets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return octets if len(octets) == PUBLIC_KEY else None


def _mail_address(text: str, path: Path, findings: Findings) -> Address | None:
    try:
        return Address.parse(text)
    except PeerFault as fault:
        findings.error(path, f"{text!r} is no mail address: {fault.public}")
        return None
