"""Catalogues of translations: ``.po`` files, read as they are when a language is first spoken.

A page asks for its own sentences by ``gettext``. What other rooms say - refusals, states, steps - reaches a page with
its facts already in it; :meth:`Catalogue.sentence` finds such a text again by its fixed parts; in the catalogue ``{1}``
and ``{2}`` stand for the facts. Source: GNU gettext manual, section "PO Files".
"""

from __future__ import annotations

import gettext
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from attrs import frozen

LOCALES = os.path.join(os.path.dirname(__file__), "locale")
_PLACE = re.compile(r"\{\d\}")
_LONGEST = 2000  # characters of a text that is looked for by its parts
_MOST_PARTS = 6  # of a text that is looked for part by part
_MOST_KEPT = 2000  # texts whose translation is remembered


@frozen
class Entry:
    """One string of a catalogue.

    :ivar many: the plural, for what counts something; else empty.
    :ivar said: the translation; two when there is a plural.
    """

    one: str
    many: str
    said: tuple[str, ...]

    def written(self) -> str:
        """The entry as it stands in a file."""
        lines = [f"msgid {_quoted(self.one)}"]
        if self.many:
            lines.append(f"msgid_plural {_quoted(self.many)}")
            lines += [f"msgstr[{number}] {_quoted(text)}" for number, text in enumerate(self.said)]
        else:
            lines.append(f"msgstr {_quoted(self.said[0])}")
        return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def unless_one(number: int) -> int:
    """Which form a number takes in English and German."""
    return number != 1


def read_entries(text: str) -> Iterator[Entry]:
    """The entries of a ``.po`` file; comments and its header are left out.

    :raises ValueError: it is none.
    """
    for block in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        name = ""
        for line in block.splitlines():
            if line.startswith("#") or not line.strip():
                continue
            word, _, rest = line.partition(" ")
            name = name if line.startswith('"') else word
            fields[name] = fields.get(name, "") + json.loads(line if line.startswith('"') else rest)
        if fields.get("msgid"):
            said = tuple(fields[key] for key in sorted(fields) if key.startswith("msgstr"))
            yield Entry(fields["msgid"], fields.get("msgid_plural", ""), said)


@frozen
class _Shape:
    """A sentence with places for facts: what stands before, between and behind them."""

    parts: tuple[str, ...]
    places: tuple[str, ...]
    said: str

    @property
    def weight(self) -> int:
        """How much of it is fixed."""
        return sum(map(len, self.parts))

    def facts(self, text: str) -> Mapping[str, str] | None:
        """What stands in the places; ``None`` when it is another sentence. Looks once over the text, never back."""
        first, *between, last = self.parts
        if len(text) < self.weight or not text.startswith(first) or not text.endswith(last):
            return None
        found, at, end = [], len(first), len(text) - len(last)
        for part in between:
            place = text.find(part, at, end)
            if place < 0:
                return None
            found.append(text[at:place])
            at = place + len(part)
        found.append(text[at:end])
        return dict(zip(self.places, found, strict=True))


class Catalogue(gettext.NullTranslations):
    """What is said in one language.

    :param plural: which of the two forms a number takes.
    :param fields: what the rules call a setting, to the words that stand beside its field on a page.
    """

    def __init__(
        self,
        entries: Sequence[Entry] = (),
        plural: Callable[[int], int] = unless_one,
        fields: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self._fields = fields or {}
        self._field = re.compile(rf"(?:^|; )({'|'.join(self._fields)})[\w.\[\]]*: ")
        self._said = {one.one: one.said for one in entries if all(one.said)}
        self._plural_form = plural
        shapes = (
            _Shape(tuple(_PLACE.split(one.one)), tuple(_PLACE.findall(one.one)), one.said[0])
            for one in entries
            if one.said[0] and "{1}" in one.one
        )
        self._shapes = sorted(shapes, key=lambda one: -one.weight)
        self._kept: dict[str, str] = {}

    def gettext(self, message: str) -> str:
        """The translation; the English text when there is none."""
        return self._said.get(message, (message,))[0]

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """The translation for a number."""
        form = int(self._plural_form(n))
        said = self._said.get(msgid1, (msgid1, msgid2))
        return said[min(form, len(said) - 1)]

    def sentence(self, text: str) -> str:
        """A text of another room, whatever facts are in it; one that is not known stays as it is."""
        kept = self._kept.get(text)
        if kept is None:
            kept = self._found(text)
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[text] = kept
        return kept

    def _found(self, text: str) -> str:
        """The sentence; else its parts, each where it is known: ``greg@isp.example: collected nothing; no TLS``."""
        before, *mistakes = self._field.split(text) if self._fields else (text,)
        if mistakes and not before:  # a field and what is wrong with it, in turns
            told = zip(mistakes[::2], mistakes[1::2], strict=True)
            return "; ".join(f"{self.gettext(self._fields[name])}: {self._found(words)}" for name, words in told)
        known = self._whole(text)
        if known is not None or len(text) > _LONGEST:
            return text if known is None else known
        parts = text.split("; ")
        if 1 < len(parts) <= _MOST_PARTS:
            return "; ".join(self._found(part) for part in parts)
        head, colon, tail = text.partition(": ")
        if colon and head.count(":") < 1 and tail.count(": ") <= _MOST_PARTS:
            return f"{self._whole(head) or head}: {self._found(tail)}"
        return text

    def _whole(self, text: str) -> str | None:
        if text in self._said:
            return self._said[text][0]
        for shape in self._shapes:
            facts = shape.facts(text)
            if facts is not None:
                said = {place: self._fact(fact) for place, fact in facts.items()}
                return _PLACE.sub(lambda place: said[place[0]], shape.said)  # noqa: B023 - called at once
        return None

    def _fact(self, text: str) -> str:
        """A fact that is a known phrase is said in the language too; single words may be names, and stay."""
        return self._said.get(text, (text,))[0] if " " in text else text


def catalogue(language: str, plural: Callable[[int], int], fields: Mapping[str, str]) -> Catalogue:
    """The catalogue of a language; empty for English, in which everything is written."""
    folder = os.path.join(LOCALES, language)
    entries: list[Entry] = []
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        if name.endswith(".po"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                entries += read_entries(file.read())
    return Catalogue(entries, plural, fields)
