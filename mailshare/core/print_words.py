"""How people ask for options of printing in an ordinary mail: by its address, its subject, lines of its text.

``office+duplex+x2@``, ``Subject: Agenda [x2 A4 pages=1-3]``, ``#copies 2``. What is said first in this order holds.
A word nobody knows changes nothing; the answer to the sender names it. Commands in replies to status mails are lines of
the text, too: ``#cancel``, ``#reprint``, ``#release 1234``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

from attrs import define, field, frozen

MAX_COPIES = 999
_MAX_WORDS = 50
_BRACKET = re.compile(r"\[([^\[\]]{0,300})\]")
_SPLIT = re.compile(r"[\s,;]+")
_HASH_LINE = re.compile(r"#[ \t]?([a-z][a-z\-]{0,30})(?:[ \t=:]+([^\s]{1,100}))?[ \t]*\Z", re.IGNORECASE)
_TIMES = re.compile(r"(?:x(\d{1,3})|(\d{1,3})x)\Z")
_RANGES = re.compile(r"\d{1,6}(?:-\d{0,6})?(?:,\d{1,6}(?:-\d{0,6})?){0,50}\Z")
_PIN = re.compile(r"[0-9A-Za-z]{4,16}\Z")
_ORDINARY_BRACKETS = re.compile(r"(?:print|ext|external|spam|extern|\d+/\d+|[^=]*:)\Z", re.IGNORECASE)
_LAST_PAGE = 2**31 - 1  # "to the end", as IPP's integers go

Options = Mapping[str, object]
_MEDIA = {
    **{f"a{n}": f"iso_a{n}_{size}mm" for n, size in ((3, "297x420"), (4, "210x297"), (5, "148x210"), (6, "105x148"))},
    "b5": "iso_b5_176x250mm",
    "letter": "na_letter_8.5x11in",
    "legal": "na_legal_8.5x14in",
    **dict.fromkeys(("ledger", "tabloid"), "na_ledger_11x17in"),
    "executive": "na_executive_7.25x10.5in",
    "4x6": "na_index-4x6_4x6in",
    "5x7": "na_5x7_5x7in",
}
_SPOKEN: Sequence[tuple[str, object, str]] = (
    ("sides", "two-sided-long-edge", "duplex two-sided long-edge recto-verso"),
    ("sides", "two-sided-short-edge", "tumble short-edge"),
    ("sides", "one-sided", "simplex one-sided"),
    ("print-color-mode", "monochrome", "mono monochrome bw grey gray"),
    ("print-color-mode", "color", "color colour"),
    ("print-quality", 3, "draft"),
    ("print-quality", 4, "normal"),
    ("print-quality", 5, "high best"),
    ("orientation-requested", 3, "portrait"),
    ("orientation-requested", 4, "landscape"),
    ("finishings", [4], "staple stapled"),
    ("finishings", [5], "punch punched"),
    ("number-up", 2, "2up 2-up"),
    ("number-up", 4, "4up 4-up"),
    *(("media", medium, word) for word, medium in _MEDIA.items()),
)
_PLAIN_WORDS: Mapping[str, Options] = {word: {name: value} for name, value, words in _SPOKEN for word in words.split()}


@frozen
class Wishes:
    """What a mail asks for besides printing.

    :ivar options: by IPP Job Template names.
    :ivar hold: wait to be released; ``pin`` is asked for then, when there is one.
    :ivar unknown: words that nobody knows, as they were written, in order.
    """

    options: Options = field(factory=dict)
    hold: bool = False
    pin: str = field(default="", repr=False)
    unknown: tuple[str, ...] = ()


@define
class _Gathering:
    options: dict[str, object] = field(factory=dict)
    hold: bool = False
    pin: str = ""
    unknown: list[str] = field(factory=list)

    def take(self, word: str, value: str = "") -> bool:
        """One word, or a name with its value; False when nobody knows it."""
        lowered = word.casefold()
        if value:
            return self._named(lowered, value)
        name, equals, rest = word.partition("=")
        if equals:
            return bool(rest) and self._named(name.casefold(), rest)
        if times := _TIMES.match(lowered):
            return self._named("copies", times[1] or times[2])
        if lowered == "hold":
            self.hold = True
            return True
        found = _PLAIN_WORDS.get(lowered)
        if found is not None:
            self._set(found)
        return found is not None

    def _named(self, name: str, value: str) -> bool:
        read = _NAMED.get(name)
        if name == "pin" and _PIN.match(value):
            self.pin, self.hold = self.pin or value, True
            return True
        options = read(value) if read is not None else None
        if options is not None:
            self._set(options)
        return options is not None

    def _set(self, options: Options) -> None:
        for name, value in options.items():
            self.options.setdefault(name, value)  # what was said first holds


def _copies(value: str) -> Options | None:
    return {"copies": int(value)} if value.isdecimal() and 0 < int(value) <= MAX_COPIES else None


def page_ranges(value: str) -> Options | None:
    """``1-3,7,9-``: ascending and apart, or ``None``; a single page is a range of one (RFC 8011 section 5.2.7)."""
    if not _RANGES.match(value):
        return None
    ranges = []
    for one in value.split(","):
        first, dash, last = one.partition("-")
        ranges.append([int(first), int(last) if last else _LAST_PAGE if dash else int(first)])
    within = all(low <= high for low, high in ranges)
    apart = all(one[1] < after[0] for one, after in pairwise(ranges))
    return {"page-ranges": ranges} if within and apart and ranges[0][0] > 0 else None


def _one_of(name: str, values: Mapping[str, object]) -> Callable[[str], Options | None]:
    return lambda value: {name: values[value.casefold()]} if value.casefold() in values else None


def _plain(value: str) -> Options | None:
    return _PLAIN_WORDS.get(value.casefold())


_NAMED: Mapping[str, Callable[[str], Options | None]] = {
    "copies": _copies,
    **dict.fromkeys(("pages", "page", "page-ranges"), page_ranges),
    **dict.fromkeys(("nup", "number-up"), _one_of("number-up", {str(n): n for n in (1, 2, 4, 6, 9, 16)})),
    **dict.fromkeys(("media", "paper", "sides", "color", "colour", "quality", "orientation"), _plain),
}


def spoken(name: str, value: str) -> Options | None:
    """What a value means under one of the names of a mail's lines (``pages``, ``media`` ...), or ``None``."""
    read = _NAMED.get(name)
    return read(value) if read is not None else None


def wishes(tags: Sequence[str] = (), subject: str = "", lines: Iterable[str] = ()) -> tuple[Wishes, str]:
    """``(what is asked for, the job's name)``.

    :param tags: of the address, without the user's own part.
    :param subject: decoded; brackets that hold a word of ours are taken out of the name.
    :param lines: the first lines of the text.
    """
    told = _Gathering()
    for tag in tags[:_MAX_WORDS]:
        if not told.take(tag):
            told.unknown.append(tag)
    name = _from_subject(told, subject)
    for line in lines:
        found = _HASH_LINE.match(line.strip())
        if found is None or found[1].casefold() in COMMANDS:
            continue
        if not told.take(found[1], found[2] or ""):
            told.unknown.append(line.strip()[:100])
    return Wishes(told.options, told.hold, told.pin, tuple(told.unknown[:_MAX_WORDS])), name


def _from_subject(told: _Gathering, subject: str) -> str:
    """Take the words in brackets; returns the rest. Brackets of lists and gateways without a word of ours stay."""

    def inside(found: re.Match[str]) -> str:
        text = found[1].strip()
        words = [word for word in _words(text) if word][:_MAX_WORDS]
        if not words or _ORDINARY_BRACKETS.match(text):
            return found[0]
        known = [told.take(word) for word in words]
        if not any(known):
            return found[0]
        told.unknown += [word for word, right in zip(words, known, strict=True) if not right]
        return " "

    return " ".join(_BRACKET.sub(inside, subject[:1_000]).split())


def _words(text: str) -> list[str]:
    """Words apart by blanks, commas or semicolons; a comma inside ``pages=1-3,7`` parts nothing."""
    out: list[str] = []
    for word in _SPLIT.split(text):
        if out and word[:1].isdigit() and "=" in out[-1] and _RANGES.match(word):
            out[-1] += f",{word}"
        else:
            out.append(word)
    return out


# ---------------------------------------------------------------------- replies to status mails

COMMANDS = frozenset({"cancel", "reprint", "release"})


@frozen
class ReplyCommand:
    """What a reply asks for.

    :ivar word: ``cancel``, ``reprint`` or ``release``.
    :ivar value: the PIN of a release, or empty.
    """

    word: str
    value: str = field(default="", repr=False)


def reply_command(lines: Iterable[str]) -> ReplyCommand | None:
    """The first command in a reply; what is quoted (``>``) was written by somebody else and does not count."""
    for line in lines:
        found = _HASH_LINE.match(line.strip())
        if found is not None and found[1].casefold() in COMMANDS:
            return ReplyCommand(found[1].casefold(), found[2] or "")
    return None
