"""Names in front of addresses: how they are compared, and whose they are.

Several people share one address; the name in front of it says who is meant. The comparison never guesses: no edit
distance, no parts of words. Four levels, the first with a hit decides; docs/reference/sorting.md has the table.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from attrs import field, frozen

from mailshare.core.values import Account, User, UserKind

_FOLD_TABLE = str.maketrans(
    {"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ħ": "h", "ŧ": "t"}
    | {"ı": "i"}  # noqa: RUF001 (the Turkish i without dot)
    | dict.fromkeys("‘’ʼ`´", "'")  # noqa: RUF001 (apostrophes as programs set them)
    | dict.fromkeys("‐‑‒–—", "-")  # noqa: RUF001
)
_OUTER = " \t\"'\\`´‘’‚“”„«»‹›"  # noqa: RUF001 (quotation marks of several languages)
_BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_VIA = re.compile(r"\s(?:via|über|par)\s.*\Z")
_SEPARATORS = re.compile(r"[\s._\-]+")
_BETWEEN_PEOPLE = re.compile(r"\s*;\s*|\s+(?:[&/+]|and|und|et|y|e|og|och|en)\s+")
_JOINERS = re.compile(r"\s*[&/,+]\s*")
_TITLES = """
    mr mrs ms miss mx sir madam dr prof professor doctor herr frau hr fr dipl ing mag mme mlle monsieur madame sr sra
    jr jun junior sen senior ii iii iv phd md mba dott sig signor signora
"""
_HONORIFICS = frozenset(_TITLES.split())
_MAX_PIECES = 64
_MOST_MET = 1_000  # names of at most 255 characters whose owners are remembered
_UNSEEN = frozenset({"Cc", "Cf"})


def normalise(text: str) -> str:
    """A name as it is compared: invisible characters and outer quotes off, NFKC, casefolded, blanks collapsed.

    Invisible are the classes Cc and Cf: bidirectional marks, zero-width spaces and joiners, soft hyphens.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.lower().strip(_OUTER).split())  # the same, for the usual case
    spaced = " ".join(text.split())
    visible = "".join(c for c in spaced if unicodedata.category(c) not in _UNSEEN)
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible).casefold())
    return " ".join(folded.strip(_OUTER).split())


def without_accents(text: str) -> str:
    """A normalised name with accents taken off and special letters spelled out (``ø`` to ``o``, ``ß`` to ``ss``)."""
    if text.isascii():
        return text
    bare = "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")
    return " ".join(bare.translate(_FOLD_TABLE).split())


def _turned(text: str) -> Iterator[str]:
    """Other orders of a name: ``last, first`` and ``last first`` as ``first last``, and dots as blanks."""
    last, comma, first = text.partition(",")
    if comma and "," not in first:
        yield " ".join(f"{first} {last}".split())
        return
    words = [word for word in _SEPARATORS.split(text) if word]
    if len(words) > 1:
        yield " ".join(words)
        yield " ".join(words[1:] + words[:1])
        if len(words) > 2:
            yield " ".join(words[-1:] + words[:-1])


def _cleaned(text: str) -> str:
    """A normalised name without ``(...)``, ``[...]``, ``via X`` and titles."""
    bare = _VIA.sub("", _BRACKETED.sub(" ", text))
    words = [word for word in bare.split() if word.strip(".,") not in _HONORIFICS]
    return " ".join(words).strip(" ,.")


@frozen
class NameMatch:
    """Whom a name means.

    :ivar user_ids: in the order of the name's parts; when ``ambiguous``, all who might be meant by a part.
    :ivar level: ``"L1"`` to ``"L4"``, the weakest level used; empty without a hit.
    :ivar contenders: who might be meant by parts that more than one user answers to.
    :ivar unknown: parts of the name that nobody answers to.
    """

    user_ids: tuple[int, ...] = ()
    level: str = ""
    contenders: tuple[int, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def ambiguous(self) -> bool:
        """A part of the name means more than one user."""
        return bool(self.contenders)


def _add(table: dict[str, set[int]], name: str, user_id: int) -> None:
    if name:
        table.setdefault(name, set()).add(user_id)


@frozen
class NameIndex:
    """The names of those who share one account. Each look-up costs the same however many they are."""

    ignored: frozenset[str] = frozenset()
    _exact: dict[str, set[int]] = field(factory=dict, repr=False)
    _folded: dict[str, set[int]] = field(factory=dict, repr=False)
    _turned: dict[str, set[int]] = field(factory=dict, repr=False)
    _single: dict[str, set[int]] = field(factory=dict, repr=False)
    _words: dict[str, set[int]] = field(factory=dict, repr=False)
    _met: dict[str, NameMatch] = field(factory=dict, repr=False, eq=False)
    _fixed: set[int] = field(factory=set, repr=False)  # ADMINn and PUBLICn: whole names only, as written

    @classmethod
    def build(cls, account: Account, users: Iterable[User], ignore: Iterable[str] = ()) -> NameIndex:
        """Index the names of the account's users: login, aliases, full names.

        ADMINn and PUBLICn answer to their name with and without the number, and only to the whole of it.

        :param users: everybody; those of other accounts are left out.
        :param ignore: names that mean nobody, such as the firm's.
        """
        own = [account.address, *account.aliases]
        texts = [*ignore, *(str(a) for a in own), *(a.local for a in own)]
        index = cls(frozenset(map(normalise, texts)))
        for user in users:
            if user.kind in {UserKind.ADMIN, UserKind.PUBLIC}:
                if user.name.casefold() in {account.admin, account.public}:
                    index._fixed.add(user.id)
                    for name in (user.name, user.kind.value, *user.names):
                        index._put_whole(normalise(name), user.id)
            elif account.id in user.accounts:
                for name in (user.name, *user.names):
                    index._put(normalise(name), user.id)
        return index

    def _put_whole(self, name: str, user_id: int) -> None:
        _add(self._exact, name, user_id)
        _add(self._folded, without_accents(name), user_id)

    def _put(self, name: str, user_id: int) -> None:
        self._put_whole(name, user_id)
        bare = without_accents(name)
        for turned in _turned(bare):
            _add(self._turned, turned, user_id)
        words = [word for word in _SEPARATORS.split(bare.replace(",", " ")) if word]
        if len(words) == 1:
            _add(self._single, words[0], user_id)
        for word in words:
            _add(self._words, word, user_id)

    def means_nobody(self, name: str) -> bool:
        """The name is empty, the address itself, or on the list of names to ignore, and no user has it."""
        text = normalise(name)
        return not text or (text in self.ignored and text not in self._exact)

    def _whole(self, name: str, *, turn: bool) -> tuple[set[int], str]:
        """L1, L2 and, when ``turn``, L3 of a normalised name."""
        if found := self._exact.get(name):
            return found, "L1"
        bare = without_accents(name)
        if found := self._folded.get(bare):
            return found, "L2"
        if turn:
            found = set[int]()
            for turned in _turned(bare):
                found |= self._folded.get(turned, set()) - self._fixed
                found |= self._turned.get(turned, set())
            found |= self._turned.get(bare, set())
            if found:
                return found, "L3"
        return set(), ""

    def _cleaned_whole(self, name: str) -> set[int]:
        """Whom the name means without titles, brackets and ``via X``.

        One word behind a title may be the surname of everybody who has it: ``Mr Martin`` is no more sure to be the
        login ``martin`` than Jean Martin.
        """
        cleaned = _cleaned(name)
        if not cleaned or cleaned == name:
            return set()
        found = self._whole(cleaned, turn=True)[0] - self._fixed
        if found and " " not in cleaned and any(word.strip(".,") in _HONORIFICS for word in name.split()):
            words = _SEPARATORS.split(without_accents(cleaned))
            found |= set[int].intersection(*(self._words.get(word, set()) for word in words))
        return found

    def _by_word(self, name: str) -> tuple[set[int], str]:
        """L4: the cleaned name as a whole, else one of its words that is somebody's one-word name."""
        if found := self._cleaned_whole(name):
            return found, "L4"
        bare = without_accents(_cleaned(name))
        plain = " ".join(word for word in bare.split() if "@" not in word)  # addresses are no names
        words = {word for word in _SEPARATORS.split(plain.replace(",", " ")) if word}
        found = set[int]()
        for word in words:
            if word in self._single or (len(words) == 1 and len(self._words.get(word, ())) > 1):
                # whoever has the word in a full name owns it too: two Andrews are two Andrews
                found |= self._words[word]
        return found, "L4" if found else ""

    def _several(self, text: str) -> list[tuple[str, set[int], str]]:
        """Several people in one name, each with whom it means; nothing when it is one.

        Where more than a comma parts them, a comma within one of them turns ``last, first``.
        """
        people = [each for each in _BETWEEN_PEOPLE.split(text, _MAX_PIECES) if each]
        out: list[tuple[str, set[int], str]] = []
        for person in people:
            found, level = self._whole(person, turn="," in person) if len(people) > 1 else (set[int](), "")
            pieces = [person] if found else [each for each in _JOINERS.split(person, _MAX_PIECES) if each]
            if len(pieces) > 1:
                out += [(each, *self._whole(each, turn=False)) for each in pieces]
            elif len(people) > 1:
                out.append((person, found, level))
        return out

    def match(self, name: str, fragments: Sequence[str] = ()) -> NameMatch:
        """Whom the name in front of an address means.

        :param name: as read from the mailbox.
        :param fragments: words before it that an unquoted comma parted (``Andrew, Greg <mail@...>``).
        """
        if fragments:
            return self._match(name, fragments)
        found = self._met.get(name)  # the same few write every day
        if found is None:
            if len(self._met) >= _MOST_MET:
                self._met.clear()
            found = self._met[name] = self._match(name, ())
        return found

    def _match(self, name: str, fragments: Iterable[str]) -> NameMatch:
        text = normalise(name)
        before = [normalise(each) for each in fragments][:_MAX_PIECES]
        if before:
            joined = ", ".join([*before, text])
            found, level = self._whole(joined, turn=True)
            if not found:  # Dr. Andrew Smith, PhD
                found, level = self._cleaned_whole(joined), "L4"
            if len(found) == 1:
                return NameMatch(tuple(found), level)
        results: list[tuple[str, set[int], str]] = [(each, *self._whole(each, turn=False)) for each in before if each]
        found, level = self._whole(text, turn=True)
        if not found:
            parts = self._several(text)
            if any(ids for _, ids, _ in parts):
                return _sum([*results, *parts])
        if not found:
            found, level = self._by_word(text)
        if text and not self.means_nobody(name):
            results.append((text, found, level))
        return _sum(results)


def _sum(results: list[tuple[str, set[int], str]]) -> NameMatch:
    """Put the parts of a name together; each user once."""
    hits: dict[int, None] = {}
    contenders: dict[int, None] = {}
    unknown: list[str] = []
    levels = [""]
    for text, found, level in results:
        if len(found) == 1:
            hits.update(dict.fromkeys(found))
            levels.append(level)
        elif found:
            contenders.update(dict.fromkeys(sorted(found)))
            levels.append(level)
        else:
            unknown.append(text)
    return NameMatch(tuple(hits), max(levels), tuple(contenders), tuple(unknown))
