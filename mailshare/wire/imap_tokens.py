"""The data of IMAP responses: atoms, quoted strings, literals and lists, read without trust and without recursion.

Source: RFC 3501 section 9, RFC 9051 section 9. What does not fit the grammar gives ``None``, never an error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, TypeAlias

from attrs import field, frozen

_TOKEN = re.compile(
    rb'[ \t]*(?:([()])'
    rb'|"([^"\\\r\n]*(?:\\.[^"\\\r\n]*)*)"'
    rb'|([^\x00-\x20()"\[\x7f]*(?:\[[^\]]*\][^\x00-\x20()"\[\x7f]*)?))'
)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_ANNOUNCED = re.compile(rb"~?\{[0-9]{1,20}\+?\}\Z")
_DEPTH = 16


@frozen(eq=False)
class Literal:
    """Octets that were announced by their count.

    :ivar data: ``None`` when they were given out in pieces as they came.
    """

    size: int
    data: bytes | None = field(default=None, repr=False)


@frozen(eq=False)
class Atom:
    """A word without quotes: a number, a flag, the name of a data item, NIL."""

    text: bytes

    @property
    def name(self) -> str:
        """Upper case, for comparison."""
        return self.text.decode("latin-1").upper()


Value: TypeAlias = "Atom | bytes | Literal | list[Value]"
"""Quoted strings and literals that were kept are ``bytes``."""
Parts: TypeAlias = "Sequence[bytes | Literal]"
"""A response as it came: text, literal, text ..., each text without what announces the literal behind it."""

OPEN: Final = Atom(b"(")
CLOSE: Final = Atom(b")")


def flat_tokens(parts: Parts) -> list[Value] | None:
    """All tokens in order; brackets are :data:`OPEN` and :data:`CLOSE`. ``None`` when something fits no rule."""
    tokens: list[Value] = []
    for part in parts:
        if isinstance(part, Literal):
            tokens.append(part if part.data is None else part.data)
            continue
        at, end = 0, len(part.rstrip(b" \t"))
        while at < end:
            found = _TOKEN.match(part, at)
            if found is None or found.end() == at:
                return None
            bracket, quoted, atom = found.groups()
            if bracket:
                tokens.append(OPEN if bracket == b"(" else CLOSE)
            elif quoted is not None:
                tokens.append(_ESCAPE.sub(rb"\1", quoted) if b"\\" in quoted else quoted)
            elif atom:
                tokens.append(Atom(atom))
            else:
                return None
            at = found.end()
    return tokens


def read_values(parts: Parts) -> list[Value] | None:
    """The values of a response, lists nested; ``None`` when the brackets do not fit or are nested too deep."""
    tokens = flat_tokens(parts)
    if tokens is None:
        return None
    levels: list[list[Value]] = [[]]
    for token in tokens:
        if token is OPEN:
            if len(levels) > _DEPTH:
                return None
            inner: list[Value] = []
            levels[-1].append(inner)
            levels.append(inner)
        elif token is CLOSE:
            if len(levels) == 1:
                return None
            levels.pop()
        else:
            levels[-1].append(token)
    return levels[0] if len(levels) == 1 else None


def without_announcement(line: bytes) -> bytes:
    """A line without the ``{n}`` at its end."""
    return _ANNOUNCED.sub(b"", line)


def number(value: Value | None, most: int) -> int | None:
    """A value as a number from 0 to ``most``; ``None`` when it is none."""
    if not isinstance(value, Atom) or not value.text.isdigit() or len(value.text) > 20:
        return None
    found = int(value.text)
    return found if found <= most else None


def text_of(value: Value | None) -> bytes | None:
    """The octets of a string or a word; ``None`` for NIL, lists and what was not kept."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, Atom):
        return None if value.name == "NIL" else value.text
    return None


def words(value: Value | None) -> tuple[str, ...]:
    """The words of a list, upper case, e.g. flags."""
    return tuple(one.name for one in value if isinstance(one, Atom)) if isinstance(value, list) else ()
