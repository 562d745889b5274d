"""Fields of a JSON object that a stranger wrote. Readers raise ``ValueError``; the field that is wrong is named."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from attrs import frozen

from mailshare.core.address import Address
from mailshare.core.errors import MailshareError

T = TypeVar("T")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)\Z")
MAX_COUNT = 1 << 40


class FieldWrong(ValueError):
    """A field is missing or is not what it should be; the text says which."""


@frozen
class JSONFields:
    """An object's fields."""

    value: Mapping[str, object]

    def get(self, name: str, read: Callable[[object], T], *absent: T) -> T:
        """The field as ``read`` reads it; ``absent`` when it is missing or null.

        :raises FieldWrong: it is missing and nothing was given for that, or ``read`` refused it.
        """
        found = self.value.get(name)
        if found is None:
            if absent:
                return absent[0]
            raise FieldWrong(f"the field {name} is missing")
        try:
            return read(found)
        except (ValueError, OverflowError, MailshareError):
            raise FieldWrong(f"the field {name} is wrong") from None


def moment_text(at: int) -> str:
    """Microseconds UTC as RFC 3339 writes them, whole seconds."""
    return datetime.fromtimestamp(at // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(value: object) -> int:
    """An RFC 3339 instant as microseconds UTC."""
    at = datetime.fromisoformat(matching(_MOMENT)(value))
    return int(at.replace(microsecond=0).timestamp()) * 1_000_000 + at.microsecond


def text(most: int) -> Callable[[object], str]:
    """One line of at most so many octets."""

    def read(value: object) -> str:
        if not isinstance(value, str) or len(value.encode("utf-8", "replace")) > most or not value.isprintable():
            raise ValueError(most)
        return value

    return read


def matching(pattern: re.Pattern[str]) -> Callable[[object], str]:
    """Text of that form."""

    def read(value: object) -> str:
        if not isinstance(value, str) or not pattern.match(value):
            raise ValueError(pattern.pattern)
        return value

    return read


def count(most: int = MAX_COUNT) -> Callable[[object], int]:
    """A whole number from 0 to ``most``."""

    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
            raise ValueError(most)
        return value

    return read


def flag(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError(value)  # noqa: TRY004 - one kind of error for all readers
    return value


def address(value: object) -> Address:
    """``local@domain``."""
    found = Address.parse(text(320)(value))
    if not found.domain:
        raise ValueError(value)
    return found


def listed(read: Callable[[object], T], least: int, most: int) -> Callable[[object], tuple[T, ...]]:
    """A list of so many values of one kind."""

    def read_all(value: object) -> tuple[T, ...]:
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise ValueError(most)
        return tuple(read(each) for each in value)

    return read_all
