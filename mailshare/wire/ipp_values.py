"""The values of the Internet Printing Protocol as Python values: attributes, groups and whole messages.

Strings are ``str``; octets that are no UTF-8 are kept as lone surrogates, so that what was read is written again octet
for octet. Everything here is frozen. Source: RFC 8010 section 3.5, RFC 8011 section 5.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

from attrs import frozen


class Tag(IntEnum):
    """Delimiter and value tags (RFC 8010 sections 3.5.1 and 3.5.2)."""

    OPERATION = 0x01
    JOB = 0x02
    END = 0x03
    PRINTER = 0x04
    UNSUPPORTED_GROUP = 0x05
    SUBSCRIPTION = 0x06
    EVENT = 0x07
    RESOURCE = 0x08
    DOCUMENT = 0x09
    SYSTEM = 0x0A

    UNSUPPORTED = 0x10
    DEFAULT = 0x11
    UNKNOWN = 0x12
    NO_VALUE = 0x13
    NOT_SETTABLE = 0x15
    DELETE_ATTRIBUTE = 0x16
    ADMIN_DEFINE = 0x17
    INTEGER = 0x21
    BOOLEAN = 0x22
    ENUM = 0x23
    OCTETS = 0x30
    DATE_TIME = 0x31
    RESOLUTION = 0x32
    RANGE = 0x33
    BEGIN_COLLECTION = 0x34
    TEXT_WITH_LANGUAGE = 0x35
    NAME_WITH_LANGUAGE = 0x36
    END_COLLECTION = 0x37
    TEXT = 0x41
    NAME = 0x42
    KEYWORD = 0x44
    URI = 0x45
    URI_SCHEME = 0x46
    CHARSET = 0x47
    LANGUAGE = 0x48
    MIME_TYPE = 0x49
    MEMBER_NAME = 0x4A
    EXTENSION = 0x7F


FIRST_VALUE_TAG = 0x10
OUT_OF_BAND = range(0x10, 0x20)
STRING_TAGS = frozenset(
    {Tag.TEXT, Tag.NAME, Tag.KEYWORD, Tag.URI, Tag.URI_SCHEME, Tag.CHARSET, Tag.LANGUAGE, Tag.MIME_TYPE}
)
TEXT_TAGS = frozenset({Tag.TEXT, Tag.TEXT_WITH_LANGUAGE})
NAME_TAGS = frozenset({Tag.NAME, Tag.NAME_WITH_LANGUAGE})


class Range(NamedTuple):
    """``rangeOfInteger``: both ends belong to it."""

    low: int
    high: int


class Resolution(NamedTuple):
    """``resolution``; ``units`` 3 = dots per inch, 4 = dots per centimetre."""

    across: int
    feed: int
    units: int = 3


class Worded(NamedTuple):
    """``textWithLanguage`` and ``nameWithLanguage``."""

    language: str
    text: str


class DateTime(NamedTuple):
    """``dateTime`` as it stands on the wire (RFC 2579 DateAndTime): ``direction`` is ``+`` or ``-``."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    deciseconds: int
    direction: str
    utc_hours: int
    utc_minutes: int


@frozen
class Collection:
    """A collection value: its member attributes in order (RFC 8010 section 3.1.6)."""

    members: tuple[Attribute, ...] = ()

    def get(self, name: str) -> Attribute | None:
        """The first member of that name."""
        return next((one for one in self.members if one.name == name), None)


Data = int | bool | str | bytes | Range | Resolution | Worded | DateTime | Collection


@frozen
class Value:
    """One value with its tag; out-of-band values and unknown tags hold octets."""

    tag: int
    data: Data = b""

    @property
    def text(self) -> str:
        """The words of a string of any kind; empty for anything else."""
        if isinstance(self.data, Worded):
            return self.data.text
        return self.data if isinstance(self.data, str) else ""

    @property
    def number(self) -> int:
        """The number of an integer or enum; 0 for anything else."""
        return self.data if isinstance(self.data, int) and not isinstance(self.data, bool) else 0


@frozen
class Attribute:
    """A name with one or more values."""

    name: str
    values: tuple[Value, ...]

    @property
    def first(self) -> Value:
        """The first value; there always is one."""
        return self.values[0]

    @property
    def out_of_band(self) -> bool:
        """Its (first) value says that there is none."""
        return self.first.tag in OUT_OF_BAND

    def texts(self) -> tuple[str, ...]:
        """The words of all values."""
        return tuple(value.text for value in self.values)


@frozen
class Group:
    """A group of attributes; names may repeat between groups, not within one (RFC 8010 section 3.1.2)."""

    tag: int
    attributes: tuple[Attribute, ...] = ()

    def get(self, name: str) -> Attribute | None:
        """The first attribute of that name."""
        return next((one for one in self.attributes if one.name == name), None)


@frozen
class Message:
    """A request or response up to its document data.

    :ivar version: ``(major, minor)``.
    :ivar code: operation-id of a request, status-code of a response.
    """

    version: tuple[int, int]
    code: int
    request_id: int
    groups: tuple[Group, ...] = ()

    def group(self, tag: int) -> Group:
        """The first group with that tag; an empty one when there is none."""
        return next((one for one in self.groups if one.tag == tag), Group(tag))


# --------------------------------------------------------------------------- short forms for those who write attributes


def _many(name: str, tag: int, data: Iterable[Data]) -> Attribute:
    return Attribute(name, tuple(Value(tag, one) for one in data))


def integer(name: str, *numbers: int) -> Attribute:
    """``integer``, one or more."""
    return _many(name, Tag.INTEGER, numbers)


def enum(name: str, *numbers: int) -> Attribute:
    """``type2 enum`` and its like."""
    return _many(name, Tag.ENUM, (int(one) for one in numbers))


def boolean(name: str, value: bool) -> Attribute:
    """``boolean``."""
    return Attribute(name, (Value(Tag.BOOLEAN, value),))


def keyword(name: str, *words: str) -> Attribute:
    """``keyword``, one or more."""
    return _many(name, Tag.KEYWORD, words)


def name_of(name: str, *words: str) -> Attribute:
    """``nameWithoutLanguage``."""
    return _many(name, Tag.NAME, words)


def text(name: str, *words: str) -> Attribute:
    """``textWithoutLanguage``."""
    return _many(name, Tag.TEXT, words)


def uri(name: str, *uris: str) -> Attribute:
    """``uri``."""
    return _many(name, Tag.URI, uris)


def octets(name: str, *data: bytes) -> Attribute:
    """``octetString``."""
    return _many(name, Tag.OCTETS, data)


def ranges(name: str, *pairs: tuple[int, int]) -> Attribute:
    """``rangeOfInteger``."""
    return _many(name, Tag.RANGE, (Range(*pair) for pair in pairs))


def resolution(name: str, *resolutions: tuple[int, int]) -> Attribute:
    """``resolution`` in dots per inch."""
    return _many(name, Tag.RESOLUTION, (Resolution(*one) for one in resolutions))


def date_time(name: str, *moments: DateTime) -> Attribute:
    """``dateTime``."""
    return _many(name, Tag.DATE_TIME, moments)


def mime_type(name: str, *kinds: str) -> Attribute:
    """``mimeMediaType``."""
    return _many(name, Tag.MIME_TYPE, kinds)


def collection(name: str, *members: Iterable[Attribute]) -> Attribute:
    """``collection``: each argument gives the members of one value."""
    return _many(name, Tag.BEGIN_COLLECTION, (Collection(tuple(one)) for one in members))


def out_of_band(name: str, tag: int) -> Attribute:
    """``no-value``, ``unknown``, ``unsupported`` and their like."""
    return Attribute(name, (Value(tag),))
