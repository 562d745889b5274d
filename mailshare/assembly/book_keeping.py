"""The address book: what the configuration file declares of it, and what stands in the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mailshare.config import Config
from mailshare.core.address_book import BookEntry
from mailshare.interfaces import ISettings

_SCOPE, _NAME = "book", "entries"


def declared_entries(config: Config) -> list[BookEntry]:
    """Those of the file, in its order."""
    places = config.managed.get("fax_contact", ())
    return [
        BookEntry(
            one.name, one.title, one.company, one.mail, one.number, one.subaddress, one.short, one.printer, one.members,
            managed_by=places[index] if index < len(places) else config.path,
        )
        for index, one in enumerate(config.tables.fax_contact)
    ]  # fmt: skip


async def stored_entries(settings: ISettings) -> tuple[list[BookEntry], int]:
    """Those of the store, by name, and their version."""
    found = await settings.get(_SCOPE, _NAME)
    if found is None or not isinstance(found[0], list):
        return [], 0 if found is None else found[1]
    entries = [BookEntry.from_json(one) for one in found[0] if isinstance(one, Mapping)]
    return sorted(entries, key=lambda one: one.key), found[1]


async def keep_entries(settings: ISettings, entries: Sequence[BookEntry], version: int) -> None:
    """Put these in place of those of that version.

    :raises PolicyRefusal: somebody else changed the book meanwhile.
    """
    await settings.put(_SCOPE, _NAME, [one.as_json() for one in entries], version)


def both(declared: Sequence[BookEntry], stored: Sequence[BookEntry]) -> list[BookEntry]:
    """The whole book: what the file declares goes before what the store has of the same name."""
    names = {one.key for one in declared}
    return [*declared, *(one for one in stored if one.key not in names)]
