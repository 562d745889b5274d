"""The address book as its administrator sees it: people and groups, with mail, fax and printer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import evolve

from mailshare.assembly.book_keeping import both, declared_entries, keep_entries, stored_entries
from mailshare.assembly.changes import Changes, checked_table
from mailshare.config import Config
from mailshare.core.address_book import MOST_ENTRIES, BookEntry, mistakes
from mailshare.core.book_files import read_book, write_table, write_vcards
from mailshare.core.errors import ConfigFault, Declared, NoSuchUser, PeerFault, PolicyRefusal

if TYPE_CHECKING:
    from mailshare.assembly.fax_room import FaxRoom

_TEXTS = ("title", "company", "mail", "number", "subaddress", "short", "printer")
_MOST_TEXT = 500_000
_FORMS = ("csv", "vcard")


class BookActs(Changes):
    """Put together with a class that knows the configuration.

    :ivar fax: set by a running server; it hears of each change.
    """

    fax: FaxRoom | None
    _config: Callable[[], Config] | None

    # ------------------------------------------------------------------ looking

    async def book(self) -> Sequence[Mapping[str, object]]:
        """The whole book: first what the configuration file declares, then the others by name."""
        return [one.as_json() for one in await self._entries()]

    async def fax_book(self) -> Sequence[Mapping[str, object]]:
        """Whom faxes can be sent to by name or key."""
        return [
            {
                "name": one.name,
                "short": one.short,
                "number": one.number or ", ".join(one.members),
                "subaddress": one.subaddress,
                "who": ", ".join(each for each in (one.title, one.company) if each),
            }
            for one in await self._entries()
            if one.number or one.members
        ]

    async def book_entry(self, *, name: str) -> Mapping[str, object]:
        """One entry."""
        found = next((one for one in await self._entries() if one.key == name.casefold()), None)
        if found is None:
            raise NoSuchUser(f"There is no {name[:64]} in the address book")
        return found.as_json()

    async def check_number(self, *, number: str) -> Mapping[str, object]:
        """How a fax number is understood here.

        :returns: ``e164``, ``kind`` of number, ``good``, and ``words``.
        """
        if self.fax is None or self.fax.office is None:
            return {"e164": "", "kind": "", "good": True, "words": ""}
        gateway = self.fax.office.gateway
        try:
            found = gateway.number(number)
        except PolicyRefusal as refusal:
            return {"e164": "", "kind": "", "good": False, "words": refusal.public}
        kind = found.toll.value
        return {"e164": found.e164, "kind": kind, "good": True, "words": f"{found.e164 or found.text}, {kind}"}

    async def export_book(self, *, form: str = "csv") -> Mapping[str, object]:
        """The book as a file: ``csv`` or ``vcard``."""
        if form not in _FORMS:
            raise PeerFault(f"{form[:20]!r} is none of {', '.join(_FORMS)}", code=400)
        entries = await self._entries()
        if form == "csv":
            return {"text": write_table(entries), "media_type": "text/csv; charset=utf-8", "file_name": "book.csv"}
        return {"text": write_vcards(entries), "media_type": "text/vcard; charset=utf-8", "file_name": "book.vcf"}

    # ------------------------------------------------------------------ changing

    async def add_contact(self, *, name: str, **facts: Any) -> Mapping[str, object]:
        """Put somebody, or a group, into the book."""
        stored, version = await stored_entries(self._store.settings)
        made = self._read_entry(BookEntry(name.strip()), facts)
        self._fits(made, both(self._declared(), stored))
        await self._keep([*stored, made], version)
        return made.as_json()

    async def change_contact(self, *, name: str, **facts: Any) -> Mapping[str, object]:
        """Change what is given."""
        stored, version = await stored_entries(self._store.settings)
        old = self._changeable(name, stored)
        made = self._read_entry(old, facts)
        self._fits(made, [one for one in both(self._declared(), stored) if one.key != old.key])
        await self._keep([made if one.key == old.key else one for one in stored], version)
        return made.as_json()

    async def delete_contact(self, *, name: str) -> Mapping[str, object]:
        """Take somebody out of the book, and out of its groups."""
        stored, version = await stored_entries(self._store.settings)
        old = self._changeable(name, stored)
        bound = next(
            (one for one in self._declared() if old.key in {member.casefold() for member in one.members}), None
        )
        if bound is not None:
            raise Declared(f"{old.name} is a member of {bound.name}, which {bound.managed_by} declares")
        left = [
            evolve(one, members=tuple(member for member in one.members if member.casefold() != old.key))
            for one in stored
            if one.key != old.key
        ]
        await self._keep(left, version)
        return {"deleted": old.name}

    async def set_keys(self, *, keys: Mapping[str, Any]) -> Mapping[str, object]:
        """Lay out the one-touch keys anew.

        :param keys: abbreviated number to name of the book; whoever is not named has no key any more.
        """
        stored, version = await stored_entries(self._store.settings)
        declared = {one.short: one for one in self._declared() if one.short}
        wanted: dict[str, str] = {}
        for short, name in keys.items():
            if not str(name):
                continue
            if not short.isdecimal() or len(short) > 20:
                raise PeerFault(f"{short[:20]!r} is no key: digits only", code=400)
            owner = declared.get(short)
            if owner is not None:
                if owner.key != str(name).casefold():
                    raise Declared(f"The key {short} is that of {owner.name}, which {owner.managed_by} declares")
                continue
            self._changeable(str(name), stored)
            if str(name).casefold() in wanted:
                raise PeerFault(f"{str(name)[:64]} has two keys; give each entry one", code=400)
            wanted[str(name).casefold()] = short
        await self._keep([evolve(one, short=wanted.get(one.key, "")) for one in stored], version)
        return {"keys": len(wanted)}

    async def import_book(self, *, text: str) -> Mapping[str, object]:
        """Take over a vCard, LDIF or CSV file; what is in the book already stays as it is.

        :returns: ``added`` names, and ``left``: the others with the reason.
        """
        if len(text) > _MOST_TEXT:
            raise PeerFault("The file is too large for an address book", code=413)
        stored, version = await stored_entries(self._store.settings)
        book = both(self._declared(), stored)
        found = read_book(text, [one.name for one in book])
        if not found:
            words = "Nothing was found in it: it must be a vCard, LDIF or CSV file with fax numbers or mail addresses"
            raise PeerFault(words, code=400)
        added: list[BookEntry] = []
        left: list[Mapping[str, str]] = []
        # Groups after people, whom they may name.
        for one in sorted(found, key=lambda entry: bool(entry.members)):
            try:
                made = self._read_entry(BookEntry(one.name), one.as_json())
                self._fits(made, [*book, *added])
            except (ConfigFault, PolicyRefusal) as refusal:
                left.append({"name": one.title or one.name, "why": refusal.public})
            else:
                added.append(made)
        if added:
            await self._keep([*stored, *added], version)
        return {"added": [one.name for one in added], "left": left}

    # ------------------------------------------------------------------ inside

    def _declared(self) -> list[BookEntry]:
        return [] if self._config is None else declared_entries(self._config())

    async def _entries(self) -> list[BookEntry]:
        stored, _ = await stored_entries(self._store.settings)
        return both(self._declared(), stored)

    def _changeable(self, name: str, stored: Sequence[BookEntry]) -> BookEntry:
        """:raises Declared: it stands in the file. :raises NoSuchUser: it is not there."""
        key = name.casefold()
        if owner := next((one for one in self._declared() if one.key == key), None):
            raise Declared(f"{owner.name} is declared in {owner.managed_by}; change it there")
        found = next((one for one in stored if one.key == key), None)
        if found is None:
            raise NoSuchUser(f"There is no {name[:64]} in the address book")
        return found

    @staticmethod
    def _read_entry(old: BookEntry, facts: Mapping[str, Any]) -> BookEntry:
        """The entry with what is given, by the same rules as one of the file.

        :raises ConfigFault: with every mistake.
        """
        texts = {key: str(facts[key]).strip() for key in _TEXTS if key in facts}
        members = tuple(str(one).strip() for one in facts.get("members", old.members) if str(one).strip())
        made = evolve(old, **texts, members=members)
        table = {"name": made.name, **{key: getattr(made, key) for key in _TEXTS}}
        if members and not made.number and not made.mail:
            table["mail"] = "members@group.invalid"  # whom a group leads to is looked at beside the others
        if members and made.number:
            raise ConfigFault("somebody has a number, a group has members")
        checked_table("fax_contact", table)
        return made

    def _fits(self, entry: BookEntry, others: Sequence[BookEntry]) -> None:
        if len(others) >= MOST_ENTRIES:
            raise PolicyRefusal(f"The book holds {MOST_ENTRIES} entries already")
        if found := mistakes(entry, others):
            raise PolicyRefusal("; ".join(found))
        if entry.number and self.fax is not None and self.fax.office is not None:
            self.fax.office.gateway.numbers.read(entry.number)

    async def _keep(self, entries: Sequence[BookEntry], version: int) -> None:
        await keep_entries(self._store.settings, sorted(entries, key=lambda one: one.key), version)
        if self.fax is not None:
            self.fax.take_book(entries)
