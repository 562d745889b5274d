"""IPP messages to octets and back, octet for octet. Source: RFC 8010 sections 3.1 to 3.5.

:class:`MessageReader` takes a stream as it arrives: the attributes first, then the document, which it never holds.
Whatever arrives, it raises nothing but :class:`IPPFault`, and keeps no more than its limits allow.
"""

from __future__ import annotations

import struct

from attrs import frozen

from mailshare.core.errors import LocalFault, PeerFault
from mailshare.wire.ipp_codes import Status
from mailshare.wire.ipp_values import (
    FIRST_VALUE_TAG,
    STRING_TAGS,
    Attribute,
    Collection,
    Data,
    DateTime,
    Group,
    Message,
    Range,
    Resolution,
    Tag,
    Value,
    Worded,
)

_HEAD = struct.Struct(">BBHi")
_LENGTH = struct.Struct(">H")
_NUMBER = struct.Struct(">i")
_PAIR = struct.Struct(">ii")
_RESOLUTION = struct.Struct(">iib")
_DATE = struct.Struct(">HBBBBBBcBB")
_MOST_LENGTH = 32_767  # value-length is a signed short for many readers


class IPPFault(PeerFault):
    """Octets that are no IPP message, or more of them than is taken.

    :ivar ipp_status: what a server answers.
    """

    def __init__(self, public: str, ipp_status: Status = Status.BAD_REQUEST) -> None:
        super().__init__(public, code=500)
        self.ipp_status = ipp_status


@frozen
class ReaderLimits:
    """What one message may hold.

    :ivar octets: of all attributes together; ``values`` of all attributes; ``depth`` of collections in collections.
    """

    octets: int = 1 << 20
    values: int = 20_000
    depth: int = 8


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _with_language(raw: bytes) -> Worded:
    parts = []
    position = 0
    for _ in range(2):
        if position + 2 > len(raw):
            raise IPPFault("A value with language ends too early")
        (length,) = _LENGTH.unpack_from(raw, position)
        position += 2
        if position + length > len(raw):
            raise IPPFault("A value with language ends too early")
        parts.append(_text(raw[position : position + length]))
        position += length
    if position != len(raw):
        raise IPPFault("A value with language is longer than its parts")
    return Worded(*parts)


def decode_value(tag: int, raw: bytes) -> Data:
    """The value of that tag; collections are put together by the reader.

    :raises IPPFault: its length or form is not that of its tag.
    """
    if tag in STRING_TAGS:
        return _text(raw)
    try:
        match tag:
            case Tag.INTEGER | Tag.ENUM:
                return int(_NUMBER.unpack(raw)[0])
            case Tag.BOOLEAN:
                if raw not in (b"\0", b"\1"):
                    raise IPPFault("A boolean is neither true nor false")
                return raw == b"\1"
            case Tag.RANGE:
                return Range(*_PAIR.unpack(raw))
            case Tag.RESOLUTION:
                return Resolution(*_RESOLUTION.unpack(raw))
            case Tag.DATE_TIME:
                fields = list(_DATE.unpack(raw))
                if fields[7] not in (b"+", b"-"):
                    raise IPPFault("A dateTime has no direction from UTC")
                fields[7] = fields[7].decode("ascii")
                return DateTime(*fields)
            case Tag.TEXT_WITH_LANGUAGE | Tag.NAME_WITH_LANGUAGE:
                return _with_language(raw)
    except struct.error as error:
        raise IPPFault(f"A value of tag 0x{tag:02x} has {len(raw)} octets") from error
    return raw


def _encode_data(tag: int, data: Data) -> bytes:
    if isinstance(data, bytes):
        return data
    if isinstance(data, str):
        return _raw(data)
    if isinstance(data, bool):
        return b"\1" if data else b"\0"
    if isinstance(data, int):
        return _NUMBER.pack(data)
    if isinstance(data, Range):
        return _PAIR.pack(*data)
    if isinstance(data, Resolution):
        return _RESOLUTION.pack(*data)
    if isinstance(data, DateTime):
        return _DATE.pack(*data[:7], data.direction.encode("ascii"), *data[8:])
    if isinstance(data, Worded):
        language, text = _raw(data.language), _raw(data.text)
        return b"".join((_LENGTH.pack(len(language)), language, _LENGTH.pack(len(text)), text))
    raise LocalFault(f"no value of IPP: {type(data).__name__} with tag 0x{tag:02x}")


def _put(out: bytearray, tag: int, name: bytes, raw: bytes) -> None:
    if len(name) > _MOST_LENGTH or len(raw) > _MOST_LENGTH:
        raise LocalFault(f"{name[:40]!r}: {len(raw)} octets are too long for an attribute")
    out.append(tag)
    out += _LENGTH.pack(len(name))
    out += name
    out += _LENGTH.pack(len(raw))
    out += raw


def _put_attribute(out: bytearray, attribute: Attribute, *, member: bool) -> None:
    name = _raw(attribute.name)
    if member:
        _put(out, Tag.MEMBER_NAME, b"", name)
        name = b""
    for value in attribute.values:
        if isinstance(value.data, Collection):
            _put(out, Tag.BEGIN_COLLECTION, name, b"")
            for one in value.data.members:
                _put_attribute(out, one, member=True)
            _put(out, Tag.END_COLLECTION, b"", b"")
        else:
            _put(out, value.tag, name, _encode_data(value.tag, value.data))
        name = b""


def encode_attribute(attribute: Attribute) -> bytes:
    """One attribute as it stands in a message; what is asked for often can be kept in this form."""
    out = bytearray()
    _put_attribute(out, attribute, member=False)
    return bytes(out)


def encode(message: Message) -> bytes:
    """The octets of a message, up to and with the end-of-attributes tag.

    :raises LocalFault: a name or value is longer than a message can hold, or of the wrong kind.
    """
    out = bytearray()
    try:
        out += _HEAD.pack(*message.version, message.code, message.request_id)
        for group in message.groups:
            out.append(group.tag)
            for attribute in group.attributes:
                _put_attribute(out, attribute, member=False)
    except (struct.error, UnicodeEncodeError) as error:
        raise LocalFault(f"a value that IPP cannot hold: {error}") from error
    out.append(Tag.END)
    return bytes(out)


class _OpenCollection:
    """A collection of which the end has not come yet."""

    __slots__ = ("members",)

    def __init__(self) -> None:
        self.members: list[tuple[str, list[Value]]] = []


class MessageReader:
    """Reads one message from a stream of octets.

    :ivar message: the message once its attributes are there, else ``None``.
    """

    def __init__(self, limits: ReaderLimits | None = None) -> None:
        self._limits = limits or ReaderLimits()
        self._buffer = bytearray()
        self._position = 0
        self._taken = 0
        self._values = 0
        self._head: tuple[int, int, int, int] | None = None
        self._groups: list[tuple[int, list[tuple[str, list[Value]]]]] = []
        self._open: list[_OpenCollection] = []
        self.message: Message | None = None

    def feed(self, data: bytes) -> bytes:
        """Take the next octets.

        :returns: those of them that belong to the document; empty while attributes are read.
        :raises IPPFault: this is no message; the reader is of no more use.
        """
        if self.message is not None:
            return data
        self._taken += len(data)
        self._buffer += data
        if not self._read():
            if self._taken > self._limits.octets:
                raise IPPFault("The attributes are larger than this server takes", Status.TOO_LARGE)
            if self._position > 65_536:
                del self._buffer[: self._position]
                self._position = 0
            return b""
        rest = bytes(self._buffer[self._position :])
        self._buffer.clear()
        return rest

    @property
    def begun(self) -> bool:
        """Version, code and request-id are there."""
        return self._head is not None

    @property
    def head(self) -> Message:
        """What is known of a message that could not be read to its end."""
        major, minor, code, request_id = self._head or (1, 1, 0, 0)
        return Message((major, minor), code, request_id)

    def _read(self) -> bool:
        """Take what is there; True when the message is whole."""
        buffer = self._buffer
        if self._head is None:
            if len(buffer) < _HEAD.size:
                return False
            self._head = _HEAD.unpack_from(buffer)
            self._position = _HEAD.size
        while self._position < len(buffer):
            tag = buffer[self._position]
            if tag == Tag.END:
                self._position += 1
                self._finish()
                return True
            if tag < FIRST_VALUE_TAG:
                self._begin_group(tag)
            elif not self._element(tag):
                return False
        return False

    def _begin_group(self, tag: int) -> None:
        if self._open:
            raise IPPFault("A group begins within a collection")
        if tag == 0:
            raise IPPFault("A group has the reserved tag 0")
        self._values += 1
        self._check()
        self._groups.append((tag, []))
        self._position += 1

    def _element(self, tag: int) -> bool:
        """Take one value; False when not all of it is there yet."""
        buffer, at = self._buffer, self._position
        if at + 3 > len(buffer):
            return False
        (name_length,) = _LENGTH.unpack_from(buffer, at + 1)
        value_at = at + 3 + name_length
        if value_at + 2 > len(buffer):
            return False
        (value_length,) = _LENGTH.unpack_from(buffer, value_at)
        end = value_at + 2 + value_length
        if end > len(buffer):
            return False
        name = bytes(buffer[at + 3 : value_at])
        raw = bytes(buffer[value_at + 2 : end])
        self._position = end
        self._values += 1
        self._check()
        self._take(tag, name, raw)
        return True

    def _check(self) -> None:
        if self._values > self._limits.values:
            raise IPPFault("There are more values than this server takes", Status.TOO_LARGE)

    def _take(self, tag: int, name: bytes, raw: bytes) -> None:
        if not self._groups:
            raise IPPFault("An attribute stands before the first group")
        if name and self._open:
            raise IPPFault("An attribute with a name stands within a collection")
        if tag == Tag.BEGIN_COLLECTION:
            self._begin_collection(name, raw)
        elif tag == Tag.END_COLLECTION:
            self._end_collection(raw)
        elif tag == Tag.MEMBER_NAME:
            if not self._open or name or not raw:
                raise IPPFault("The name of a member stands outside a collection")
            self._members_have_values()
            self._open[-1].members.append((_text(raw), []))
        else:
            self._values_of(name).append(Value(tag, decode_value(tag, raw)))

    def _values_of(self, name: bytes) -> list[Value]:
        """Where the next value belongs; without a name it is one more of the attribute before."""
        if self._open:
            members = self._open[-1].members
            if not members:
                raise IPPFault("A value in a collection has no name")
            return members[-1][1]
        attributes = self._groups[-1][1]
        if name:
            attributes.append((_text(name), []))
        elif not attributes:
            raise IPPFault("The first attribute of a group has no name")
        return attributes[-1][1]

    def _begin_collection(self, name: bytes, raw: bytes) -> None:
        if raw:
            raise IPPFault("A collection begins with a value")
        if len(self._open) >= self._limits.depth:
            raise IPPFault("Collections stand in one another too deep")
        self._values_of(name)  # makes the attribute, and refuses what has no name
        self._open.append(_OpenCollection())

    def _end_collection(self, raw: bytes) -> None:
        if not self._open or raw:
            raise IPPFault("A collection ends that did not begin")
        self._members_have_values()
        closed = self._open.pop()
        members = tuple(Attribute(name, tuple(values)) for name, values in closed.members)
        self._values_of(b"").append(Value(Tag.BEGIN_COLLECTION, Collection(members)))

    def _members_have_values(self) -> None:
        members = self._open[-1].members
        if members and not members[-1][1]:
            raise IPPFault("A member of a collection has no value")

    def _finish(self) -> None:
        if self._open:
            raise IPPFault("A collection has no end")
        assert self._head is not None
        major, minor, code, request_id = self._head
        groups = tuple(
            Group(tag, tuple(Attribute(name, tuple(values)) for name, values in attributes))
            for tag, attributes in self._groups
        )
        self.message = Message((major, minor), code, request_id, groups)


def decode(data: bytes, limits: ReaderLimits | None = None) -> tuple[Message, bytes]:
    """A whole message and the document data behind it.

    :raises IPPFault: it is none, or not whole.
    """
    reader = MessageReader(limits)
    rest = reader.feed(data)
    if reader.message is None:
        raise IPPFault("The message ends before its attributes do")
    return reader.message, rest
