"""Tables of people, as spreadsheets save and paste them: read line by line, and written again.

A line is a login, a full name and a password, or what the headings of the first line say.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import frozen

from mailshare.core.errors import PeerFault

COLUMNS: Mapping[str, str] = {
    "login": "name",
    "user": "name",
    "username": "name",
    "name": "full_name",
    "full name": "full_name",
    "password": "password",
    "names": "names",
    "other names": "names",
    "accounts": "accounts",
    "copies": "cc",
    "cc": "cc",
    "enabled": "enabled",
    "quota": "quota",
    "messages": "quota_messages",
    "forward": "forward",
    "inside only": "local_only",
}
"""Heading to what it sets; ``full_name`` is the first of the names."""
WRITTEN = (
    "login", "name", "password", "names", "accounts", "copies", "enabled", "quota", "messages", "forward",
    "inside only",
)  # fmt: skip
_BARE = ("name", "full_name", "password")
_LISTS = ("names", "accounts", "cc", "forward")
_TRUTHS = ("enabled", "local_only")
_NUMBERS = ("quota", "quota_messages")
_YES = ("yes", "true", "on", "1", "x", "ja", "oui")
_NO = ("no", "false", "off", "0", "nein", "non")
_MOST_DIGITS = 15


@frozen
class PersonLine:
    """One person of a table.

    :ivar line: from 1 on.
    :ivar facts: what is said of him; ``name`` is the login.
    :ivar fault: why the line cannot be read; else empty.
    """

    line: int
    facts: Mapping[str, Any]
    fault: str = ""


def text_of(octets: bytes) -> str:
    """The text of a file as programs for tables write it: UTF-8 with or without its mark, else as Windows writes."""
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        return octets.decode("cp1252", "replace")


def read_people(text: str) -> list[PersonLine]:
    """The people of a table by tab, semicolon or comma; empty lines are left out."""
    text = text.removeprefix("\ufeff")
    kind = next((one for one in "\t;," if one in text), ",")
    reader = csv.reader(io.StringIO(text), delimiter=kind, skipinitialspace=True)
    rows, before = [], 0
    try:
        for cells in reader:
            rows.append((before + 1, [cell.strip() for cell in cells]))
            before = reader.line_num
    except csv.Error as fault:
        return [PersonLine(before + 1, {}, PeerFault(f"This is no line of a table: {fault}", code=400).public)]
    rows = [row for row in rows if any(row[1])]
    columns: Sequence[str] = _BARE
    if rows and (headings := _headings(rows[0][1])):
        columns, rows = headings, rows[1:]
    return [_person(line, cells, columns) for line, cells in rows]


def _headings(cells: Sequence[str]) -> list[str]:
    """What the columns mean when this is a line of headings; else nothing. A strange one sets what nobody knows."""
    folded = [cell.casefold() for cell in cells]
    if folded and folded[0] in ("name", "login", "user", "username") and "name" not in folded[1:]:
        return ["name", *(COLUMNS.get(one, one) for one in folded[1:])]
    return [COLUMNS.get(one, one) for one in folded] if "login" in folded else []


def _person(line: int, cells: Sequence[str], columns: Sequence[str]) -> PersonLine:
    facts: dict[str, Any] = {}
    try:
        for column, cell in zip(columns, cells, strict=False):
            if column in (*_LISTS, *_TRUTHS, *_NUMBERS) or cell or column not in _BARE:
                facts[column] = _value(column, cell)
        if any(cells[len(columns) :]):
            raise PeerFault(f"There are more than {len(columns)} columns in this line", code=400)
        if "name" not in facts:
            raise PeerFault("The login is missing", code=400)
    except PeerFault as fault:
        return PersonLine(line, facts, fault.public)
    return PersonLine(line, facts)


def _value(column: str, cell: str) -> object:
    """What a cell says.

    :raises PeerFault: 400, it does not fit its column, or there is no such column.
    """
    if column in _LISTS:
        return [one.strip() for one in cell.split(",") if one.strip()]
    if column in _TRUTHS:
        if cell.casefold() not in (*_YES, *_NO):
            raise PeerFault(f"{cell!r} is neither yes nor no", code=400)
        return cell.casefold() in _YES
    if column in _NUMBERS:
        if not (cell.isascii() and cell.isdigit() and len(cell) <= _MOST_DIGITS):
            raise PeerFault(f"{cell!r} is no number; 0 = no bound", code=400)
        return int(cell)
    if column not in _BARE:
        raise PeerFault(f"There is no column {column!r}; known are {', '.join(WRITTEN)}", code=400)
    return cell


def written_people(users: Iterable[Mapping[str, Any]]) -> str:
    """People as a table by comma that :func:`read_people` reads again; no password is in it.

    :param users: as the operation ``users`` tells them.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(WRITTEN)
    for one in users:
        names = list(one["names"])
        row = [one["name"], names[0] if names else "", "", ", ".join(names[1:])]
        row += [", ".join(one["accounts"]), ", ".join(one["cc"]), _word(one["enabled"])]
        row += [one["quota"], one["quota_messages"], ", ".join(one["forward"]), _word(one["local_only"])]
        writer.writerow(map(_harmless, row))
    return out.getvalue()


def _word(truth: object) -> str:
    return "yes" if truth else "no"


def _harmless(cell: object) -> str:
    """A program for tables must not take it for a formula."""
    text = str(cell)
    return f" {text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
