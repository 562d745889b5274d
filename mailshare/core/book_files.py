"""Address books of other programs: vCard (RFC 6350 and its forerunners), LDIF (RFC 2849), and tables by comma.

Only what an office's book holds is read: name, organisation, mail address, fax number. What cannot be read is left out.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import quopri
import re
from collections.abc import Iterator, Mapping, Sequence

from mailshare.core.address_book import MOST_ENTRIES, BookEntry, name_from

COLUMNS = ("name", "title", "company", "mail", "number", "subaddress", "short", "printer", "members")
_HEADINGS: Mapping[str, str] = {
    "name": "name", "login": "name", "alias": "name", "nickname": "name",
    "title": "title", "full name": "title", "display name": "title", "cn": "title", "displayname": "title",
    "company": "company", "organization": "company", "organisation": "company", "o": "company", "firma": "company",
    "mail": "mail", "e-mail": "mail", "email": "mail", "e-mail address": "mail", "primary email": "mail",
    "number": "number", "fax": "number", "fax number": "number", "business fax": "number", "telefax": "number",
    "facsimiletelephonenumber": "number",
    "home fax": "number", "other fax": "number", "work fax": "number", "fax geschäftlich": "number",
    "fax privat": "number",
    "télécopie (bureau)": "number", "organization name": "company", "organization 1 - name": "company",
    "société": "company", "e-mail 1 - value": "mail", "e-mail-adresse": "mail", "adresse de messagerie": "mail",
    "file as": "title", "anzeigename": "title", "first name": "first", "given name": "first", "givenname": "first",
    "vorname": "first", "prénom": "first", "middle name": "middle", "additional name": "middle", "last name": "last",
    "family name": "last", "sn": "last", "nachname": "last", "nom": "last", "mozillanickname": "name",
    "subaddress": "subaddress", "short": "short", "key": "short", "printer": "printer", "members": "members",
}  # fmt: skip
_PARTS = ("first", "middle", "last")
"""Of somebody's name, as other programs keep it."""
_PHONE = re.compile(r"phone \d+ - (label|type|value)\Z")
_FOLDED = re.compile(r"\r?\n[ \t]")
_LINE = re.compile(r"\r?\n")
_SOFT = re.compile(r"^[^:\r\n]*QUOTED-PRINTABLE[^:\r\n]*:(?:[^\r\n]*=\r?\n)+", re.IGNORECASE | re.MULTILINE)
"""A value of vCard 2.1 that goes on over soft line breaks; other values may end in an equals sign, as pictures do."""


def decoded(octets: bytes) -> str:
    """The text of such a file: UTF-16 by its mark, UTF-8 where it is that, else what programs of Windows write."""
    if octets[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return octets.decode("utf-16", "replace")
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        return octets.decode("cp1252", "replace")


def read_book(text: str, taken: Sequence[str] = ()) -> list[BookEntry]:
    """Entries of a file of any of these kinds; each gets a name of its own where the file gives none.

    :param taken: names that are not to be used again.
    """
    start = text.lstrip("\ufeff \r\n\t")
    if start[:11].upper() == "BEGIN:VCARD":
        found = _vcards(start)
    elif re.match(r"(version:|dn::?)", start, re.IGNORECASE):
        found = _ldif(start)
    else:
        found = _table(start)
    entries: list[BookEntry] = []
    names = list(taken)
    for facts in found:
        if len(entries) >= MOST_ENTRIES:
            break
        if not any(facts.get(key) for key in ("mail", "number", "printer", "members")):
            continue
        called = facts.get("name") or facts.get("title") or facts.get("company") or facts.get("mail", "")
        name = facts.get("name") or name_from(called, names)
        members = tuple(one.strip() for one in facts.get("members", "").split(",") if one.strip())
        kept = {key: _short(facts.get(key, "")) for key in COLUMNS if key not in ("name", "members")}
        entries.append(BookEntry(_short(name), **kept, members=members))
        names.append(name)
    return entries


def write_table(entries: Sequence[BookEntry]) -> str:
    """Entries as a table by comma with headings, which :func:`read_book` reads again."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for one in entries:
        facts = one.as_json()
        writer.writerow([_harmless(", ".join(one.members) if key == "members" else str(facts[key])) for key in COLUMNS])
    return out.getvalue()


def write_vcards(entries: Sequence[BookEntry]) -> str:
    """People as vCards of version 3.0; groups are left out."""
    out = []
    for one in entries:
        if one.members:
            continue
        called = _escaped(one.title or one.name)
        lines = ["BEGIN:VCARD", "VERSION:3.0", f"FN:{called}", f"N:{called};;;;", f"NICKNAME:{_escaped(one.name)}"]
        lines += [f"ORG:{_escaped(one.company)}"] if one.company else []
        lines += [f"EMAIL;TYPE=INTERNET:{_escaped(one.mail)}"] if one.mail else []
        lines += [f"TEL;TYPE=FAX:{_escaped(one.number)}"] if one.number else []
        out += [*lines, "END:VCARD"]
    return "".join(f"{line}\r\n" for line in out)


def _short(text: str) -> str:
    return " ".join(text.split())[:200]


def _harmless(text: str) -> str:
    """A spreadsheet must not take it for a formula: a sign in front of digits stays, anything else gets a blank."""
    signed = text[:1] in ("+", "-") and not text[1:].replace(" ", "").isdigit()
    return f" {text}" if signed or text[:1] in ("=", "@", "\t", "\r") else text


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", " ")


# ---------------------------------------------------------------------- reading


def _vcards(text: str) -> Iterator[dict[str, str]]:
    facts: dict[str, str] = {}
    for line in _LINE.split(_FOLDED.sub("", _SOFT.sub(lambda found: re.sub(r"=\r?\n", "", found[0]), text))):
        head, colon, value = line.partition(":")
        if not colon:
            continue
        name, *parameters = head.split(";")
        name = name.rpartition(".")[2].upper()
        told = ",".join(parameters).upper()
        if "QUOTED-PRINTABLE" in told:
            value = quopri.decodestring(value.encode("utf-8")).decode("utf-8", "replace")
        if name == "BEGIN":
            facts = {}
        elif name == "END":
            yield facts
            facts = {}
        elif name == "FN":
            facts.setdefault("title", _plain(value))
        elif name == "NICKNAME":
            facts.setdefault("name", _as_name(_plain(value)))
        elif name == "ORG":
            facts.setdefault("company", _plain(value.replace(";", " ")))
        elif name == "EMAIL":
            facts.setdefault("mail", _plain(value))
        elif name == "TEL" and "FAX" in told:
            facts.setdefault("number", _plain(value).removeprefix("tel:"))


def _plain(value: str) -> str:
    return re.sub(r"\\([\\;,nN])", lambda found: " " if found[1] in "nN" else found[1], value).strip()


def _as_name(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", text) else ""


def _ldif(text: str) -> Iterator[dict[str, str]]:
    facts: dict[str, str] = {}
    for line in [*_LINE.split(_FOLDED.sub("", text)), ""]:
        if not line:
            if facts:
                yield _called(facts)
            facts = {}
            continue
        name, _, value = line.partition(":")
        if value.startswith(":"):
            try:
                value = base64.b64decode(value[1:].strip(), validate=True).decode("utf-8", "replace")
            except (binascii.Error, ValueError):
                continue
        key = _HEADINGS.get(name.partition(";")[0].strip().casefold())
        if key == "name":
            value = _as_name(value.strip())
        if value and key in ("title", "company", "mail", "number", "name", *_PARTS):
            facts.setdefault(key, value.strip())


def _table(text: str) -> Iterator[dict[str, str]]:
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    rows = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    try:
        heads = [cell.strip().casefold() for cell in next(rows, [])]
        keys = [_HEADINGS.get(cell, "") for cell in heads]
        if "first" in keys and "last" in keys:  # then Title is Mr or Ms, and a column Name would be made of them
            keys = ["" if cell in ("title", "name", "anrede") else key for cell, key in zip(heads, keys, strict=True)]
        labels = [bool(_PHONE.match(cell)) for cell in heads]
        if not any(labels) and "number" not in keys and "mail" not in keys:
            return
        for row in rows:
            facts: dict[str, str] = {}
            for key, cell in zip(keys, row, strict=False):
                if key and cell.strip():
                    facts.setdefault(key, cell.strip())
            if number := _labelled_fax(heads, row):
                facts.setdefault("number", number)
            if "name" in facts and not _as_name(facts["name"]):
                facts.setdefault("title", facts.pop("name"))
            if facts:
                yield _called(facts)
    except csv.Error:
        return


def _called(facts: dict[str, str]) -> dict[str, str]:
    """With what somebody is called put together where it comes in parts, and the first of several values."""
    whole = " ".join(facts.pop(part) for part in _PARTS if part in facts)
    if whole:
        facts.setdefault("title", whole)
    return {key: value.split(" ::: ")[0] for key, value in facts.items()}


def _labelled_fax(heads: Sequence[str], row: Sequence[str]) -> str:
    """The number of Google's pairs of columns whose label says that it is a fax."""
    cells = dict(zip(heads, row, strict=False))
    for head, label in cells.items():
        found = _PHONE.match(head)
        if found and found[1] != "value" and "fax" in label.casefold():
            return cells.get(f"{head.rpartition(' - ')[0]} - value", "").strip()
    return ""
