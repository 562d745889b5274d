"""The one address book of an office: people and groups, with mail, fax and printer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import asdict, fields, frozen

MOST_ENTRIES = 5_000
MOST_KEYS = 40


@frozen
class BookEntry:
    """Somebody, or a group.

    :ivar name: as it is written in front of the @ and on the panel; unique in any case.
    :ivar title, company: who it is, for people and cover pages.
    :ivar number: of the fax, as it is dialled or with a plus; ``subaddress`` digits for the far machine.
    :ivar short: abbreviated number or one-touch key, digits; unique.
    :ivar printer: name of a place that prints there.
    :ivar members: names of the entries of a group.
    :ivar managed_by: ``"mailshare.toml:42"`` when it is declared in the configuration file, else empty.
    """

    name: str
    title: str = ""
    company: str = ""
    mail: str = ""
    number: str = ""
    subaddress: str = ""
    short: str = ""
    printer: str = ""
    members: tuple[str, ...] = ()
    managed_by: str = ""

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> BookEntry:
        """Read what :meth:`as_json` wrote; unknown keys of a newer version are passed over."""
        known = {one.name: value[one.name] for one in fields(cls) if one.name in value}
        return cls(**{**known, "members": tuple(known.get("members", ()))})

    def as_json(self) -> dict[str, object]:
        """JSON values."""
        return {**asdict(self), "members": list(self.members)}

    @property
    def key(self) -> str:
        """What two entries must not have in common."""
        return self.name.casefold()


def mistakes(entry: BookEntry, others: Sequence[BookEntry]) -> list[str]:
    """What is wrong with an entry beside those others, in sentences; what one entry alone must be is not looked at."""
    found = []
    names = {one.key for one in others}
    if entry.key in names:
        found.append(f"{entry.name} is in the book already")
    if entry.short and (taken := next((one for one in others if one.short == entry.short), None)):
        found.append(f"The key {entry.short} is that of {taken.name}")
    unknown = [one for one in entry.members if one.casefold() not in names]
    if unknown:
        found.append(f"{', '.join(unknown)} is not in the book, so it cannot be a member")
    if not entry.members and not (entry.number or entry.mail or entry.printer):
        found.append("Nothing leads there: give a fax number, a mail address, a printer or the members of a group")
    return found


def name_from(words: str, taken: Sequence[str]) -> str:
    """A name for an entry out of what somebody is called: ``Ms Ann Lee`` is ``ms.ann.lee``, or ``ms.ann.lee-2``."""
    plain = "".join(char if char.isascii() and char.isalnum() else " " for char in words.casefold())
    base = ".".join(plain.split())[:50] or "entry"
    known = {one.casefold() for one in taken}
    number, name = 1, base
    while name in known:
        number += 1
        name = f"{base}-{number}"
    return name
