"""The forgiving reader of header blocks.

Sorting stands on this, and what it reads was written by strangers: nothing here raises, every step takes time in
proportion to the input, and what passes the limits is cut and marked ``oversize``. A field keeps its octets as they
came, so that a block can be changed in one field and stay identical in all others.

Source: RFC 5322 section 2.2, 3.6 and 4; the limits are those of docs/reference/sorting.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache, partial
from operator import attrgetter, itemgetter
from typing import NamedTuple

from attrs import field, frozen

from mailshare.core.bounds import BOUNDS
from mailshare.core.derived import once
from mailshare.core.encoded_words import decode, without_controls
from mailshare.core.mailboxes import Mailbox, read_mailboxes, split_address

__all__ = ["Field", "Headers", "Mailbox", "forget_fields", "split_address"]

MAX_BLOCK = 256 * 1024
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")
_CR_LINE = re.compile(rb"[^\r]*\r|[^\r]+")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Some programs begin their message with it; what hands the message on then puts fields above it."""
_NAME = re.compile(rb"(?:\xef\xbb\xbf)?([!-9;-~]{1,200})[ \t]*:")
# A field with its continuation lines, and its name if it has one.
_FIELD = re.compile(
    rb"((?:(?:\xef\xbb\xbf)?([!-9;-~]{1,200})[ \t]*:[^\n]*|[^\n]+)(?:\n[ \t][^\n]*)*\n?)"
)
_SEPARATOR = re.compile(rb">*From ")  # as it stands between the messages of an mbox file, RFC 4155
_UNFOLD = re.compile(r"[\r\n\x00]+[ \t]?")
_ADDRESSED = ("to", "cc", "resent-to", "resent-cc", "apparently-to")
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,990}>")
# The first @ behind the first character parts it: were any of them allowed to, a thousand would be tried in turn.
_BARE_ID = re.compile(r"[^<>\s,;\"()][^<>\s,;\"()@]*@[^<>\s,;\"()]+")
MAX_IDS = 1_000
"""Message-IDs of a field that are looked at."""
# A Message-ID as programs write it: what the forgiving patterns above find in it too.
_USUAL_ID = re.compile(rb"[^:]*:[ \t]*(<[!-;=?-~]{1,990}>)[ \t]*\r?\n")
octets_of = attrgetter("raw")
"""Of a field."""
_title_of = itemgetter(1)
_READ = 8_192  # characters of a value in which encoded words are decoded
_SHORT = 200  # characters of an address list that is remembered


class _Found(NamedTuple):
    """What the pattern for a field finds."""

    raw: bytes
    title: bytes


class Field(_Found):
    """One field of a header block.

    A tuple, so that what the pattern found in a block becomes its fields without a step of ours for each.

    :ivar raw: all its octets: name, colon, value, line ends, continuation lines.
    :ivar title: the octets of its name.
    """

    # No __slots__: once() keeps its results in the object.

    def __new__(cls, name: str, raw: bytes) -> Field:
        """Make one whose name has ASCII characters only."""
        return tuple.__new__(cls, (raw, name.encode("ascii")))

    @once
    def name(self) -> str:
        """As written, without the colon; empty for a line that is no field (kept for its octets)."""
        return self.title.decode("ascii")

    @once
    def key(self) -> str:
        """The name for comparing: lower case."""
        return self.name.lower()

    @once
    def value(self) -> str:
        """The value unfolded: line ends and NUL gone, outer blanks off; raw octets read as UTF-8, else windows-1252."""
        octets = (self.raw.partition(b":")[2] if self.title else self.raw).strip(b" \t\r\n")
        try:
            text = octets.decode()
        except UnicodeDecodeError:
            text = octets.decode("cp1252", "replace")
        return (text if text.isprintable() else _UNFOLD.sub(" ", text)).strip()

    @once
    def text(self) -> str:
        """The value for people: encoded words decoded, no control characters.

        Of a longer one than anybody reads the rest stays as it is written: 60 KB of encoded words take 20 ms.
        """
        value = self.value
        return decode(value[:_READ]) + (without_controls(value[_READ:]) if len(value) > _READ else "")

    @once
    def address_list(self) -> tuple[tuple[Mailbox, ...], bool]:
        """The value as an address list, and whether it was cut."""
        value = self.value
        return _short_list(value) if len(value) <= _SHORT else read_mailboxes(value, BOUNDS.header_addresses)

    @once
    def ids(self) -> tuple[str, ...]:
        """The Message-IDs in the value, each as ``<id>``."""
        return tuple(read_message_ids(self.value))


_made = partial(tuple.__new__, Field)


@lru_cache(maxsize=512)
def _short_list(value: str) -> tuple[tuple[Mailbox, ...], bool]:
    """An address list that may come again: most senders write the same From and To into all their messages."""
    return read_mailboxes(value, BOUNDS.header_addresses)


def forget_fields() -> None:
    """Read all fields anew: a bound was changed."""
    _short_list.cache_clear()


def listed_text(raw: bytes) -> str:
    """The value of a field for lists of messages: on one line, nothing decoded; what is not UTF-8 is replaced."""
    return b" ".join(raw.partition(b":")[2].split()).decode("utf-8", "replace")


def split_lines(block: bytes) -> list[bytes]:
    """Lines with their ends. LF ends a line, with or without CR before; CR alone does so only in a block without LF."""
    return (_LINE if b"\n" in block else _CR_LINE).findall(block)


def _usual_fields(block: bytes) -> list[Field] | None:
    """What :func:`_split_fields` gives for the lines of a block that LF ends and no limit cuts; ``None`` for others."""
    size = len(block)
    if size > BOUNDS.header_field or (size >= BOUNDS.header_lines and block.count(b"\n") >= BOUNDS.header_lines):
        return None
    return _fields_found(block)


def _fields_found(block: bytes) -> list[Field] | None:
    """The same, whatever its size; ``None`` where a CR is not one of a CRLF or no line has an end."""
    end, size = block.find(b"\n\r"), len(block)
    if end != block.find(b"\n\r\n") or block[:1] == b"\r" or block[:1] == b"\n":
        return None
    bare = block.find(b"\n\n", 0, end + 1) if end >= 0 else block.find(b"\n\n")
    if bare >= 0:
        end = bare
    if end < 0 and b"\n" not in block:
        return None
    return list(map(_made, _FIELD.findall(block, 0, end + 1 if end >= 0 else size)))


def _split_fields(lines: list[bytes]) -> list[Field]:
    """Fields up to the first empty line; continuation lines stay with their field."""
    fields: list[Field] = []
    name, parts = "", list[bytes]()
    for line in lines:
        if not line.rstrip(b"\r\n"):
            break
        if line[:1] in {b" ", b"\t"} and parts:
            parts.append(line)
            continue
        if parts:
            fields.append(Field(name, b"".join(parts)))
        found = _NAME.match(line)
        name = found[1].decode("ascii") if found else ""
        parts = [line]
    if parts:
        fields.append(Field(name, b"".join(parts)))
    return fields


def _first_lines(block: bytes) -> bytes:
    """As many lines as are read, without a step of ours for each: a header of a great many holds up everybody else."""
    most = BOUNDS.header_lines
    rest = block.split(b"\n", most)[most:]
    return block[: len(block) - len(rest[0])] if rest else block


def _fields_within(block: bytes) -> tuple[tuple[Field, ...], bool]:
    """The fields of any block up to the limits, and whether these cut something off."""
    cut = False
    if len(block) > MAX_BLOCK:
        head = block[:MAX_BLOCK]
        cut = header_end(head) == MAX_BLOCK
        block = head
    head = _first_lines(block)
    fields = _fields_found(head)
    if fields is None:
        lines, most = split_lines(block), BOUNDS.header_lines
        fields = _split_fields(lines[:most])
        if len(lines) > most and all(line.rstrip(b"\r\n") for line in lines[:most]):
            cut = True
    elif len(head) < len(block) and sum(map(len, map(octets_of, fields))) == len(head):
        cut = True
    largest = BOUNDS.header_field
    if len(block) > largest and any(len(each.raw) > largest for each in fields):
        cut = True
        fields = [Field(each.name, each.raw[:largest]) for each in fields]
    return tuple(fields), cut


def split_block(block: bytes) -> tuple[list[Field], bytes]:
    """All fields of a block, none cut, and the rest: the empty line and what follows. Together they are the block."""
    fields = _usual_fields(block)
    if fields is None:
        fields = _split_fields(split_lines(block))
    return fields, block[sum(len(each.raw) for each in fields) :]


def header_end(message: bytes) -> int:
    """Octets up to and including the first empty line; the length of all when there is none."""
    position = 0
    for line in split_lines(message):
        position += len(line)
        if not line.rstrip(b"\r\n"):
            break
    return position


def begins_with_text(block: bytes) -> bool:
    """Whether there is no header: see :attr:`Headers.begins_with_text`."""
    return not _NAME.match(block) and Headers.parse(block).begins_with_text


def line_above(beginning: bytes) -> bytes:
    """What comes between lines put on top and a message: an empty line if it begins with its text.

    :param beginning: of the message; 2,000 octets are enough.
    """
    return b"\r\n" if begins_with_text(beginning) else b""


@frozen(slots=False)
class Headers:
    """A header block as fields in order, top down.

    :ivar fields: every field, also lines that are none (with an empty name).
    :ivar cut: the block, its number of lines or one field passed the limits; what passed is not here.
    :ivar by_name: the fields of each lower-case name, top down.
    """

    fields: tuple[Field, ...] = field(default=())
    cut: bool = False
    by_name: dict[str, tuple[Field, ...]] = field(eq=False, repr=False, hash=False)

    @by_name.default
    def _index(self) -> dict[str, tuple[Field, ...]]:
        # Nearly every block has each name once and nothing but fields: no step of ours for each of them then.
        fields = self.fields
        names = self.names()
        single: dict[str, tuple[Field, ...]] = dict(zip(names, zip(fields)))  # noqa: B905 - as many
        if len(single) == len(fields) and "" not in single:
            return single
        index: dict[str, list[Field]] = {}
        for name, each in zip(names, fields, strict=True):
            if name:
                index.setdefault(name, []).append(each)
        return {name: tuple(found) for name, found in index.items()}

    @classmethod
    def parse(cls, block: bytes) -> Headers:
        """Read a header block; the empty line and what follows it do not matter.

        Never raises. More than 256 KiB, or more lines or octets of a field than
        :class:`~mailshare.core.bounds.Bounds` has, are cut off, and :attr:`oversize` says so.
        """
        fields = _usual_fields(block) if len(block) <= MAX_BLOCK else None
        return cls(tuple(fields)) if fields is not None else cls(*_fields_within(block))

    def names(self) -> list[str]:
        """The lower-case name of each field, top down; empty for a line that is none."""
        fields = self.fields
        return b"\n".join(map(_title_of, fields)).decode("ascii").lower().split("\n") if fields else []

    @once
    def begins_with_text(self) -> bool:
        """The first line is no field: then there is no header (RFC 5322 section 2.1), and fields below it are text.

        Lines put on top need an empty line behind them, or programs refuse the message (fetchmail) or take its first
        lines for more of ours. Sorting looks at the fields all the same. A line that separates the messages of an
        mbox file does not count.
        """
        fields = self.fields
        if not fields or fields[0].title:
            return False
        first = next((each for each in fields if not _SEPARATOR.match(each.raw)), fields[0])
        return not first.title

    @once
    def oversize(self) -> bool:
        """The block passed a limit, or names more recipients than are looked at: nobody is guessed from it."""
        if self.cut:
            return True
        by_name, most = self.by_name, BOUNDS.header_addresses
        octets = count = 0
        for name in _ADDRESSED:
            if name in by_name:
                octets += sum(map(len, map(octets_of, by_name[name])))
        if octets <= most:  # so few have no room for more
            return False
        for name in _ADDRESSED:
            for each in by_name.get(name, ()):
                boxes, over = each.address_list
                count += len(boxes)
                if over or count > most:
                    return True
        return False

    def named(self, name: str) -> tuple[Field, ...]:
        """The fields of that name, top down; the name in any case."""
        return self.by_name.get(name.lower(), ())

    def has(self, names: frozenset[str]) -> bool:
        """There is a field of one of these lower-case names."""
        return not names.isdisjoint(self.by_name)

    def first(self, name: str) -> str | None:
        """The topmost field's unfolded value, ``None`` when the block has none."""
        found = self.named(name)
        return found[0].value if found else None

    def all(self, name: str) -> tuple[str, ...]:
        """Unfolded values of all fields of that name, top down."""
        return tuple(each.value for each in self.named(name))

    def text(self, name: str) -> str:
        """The topmost field's value for people, encoded words decoded; empty when there is none."""
        found = self.named(name)
        return found[0].text if found else ""

    def mailboxes(self, name: str) -> tuple[Mailbox, ...]:
        """The mailboxes of all fields of that name, top down, at most as many as are looked at."""
        fields = self.named(name)
        if len(fields) == 1:
            return fields[0].address_list[0]
        out: list[Mailbox] = []
        for each in fields:
            out.extend(each.address_list[0])
            if len(out) >= BOUNDS.header_addresses:
                break
        return tuple(out[: BOUNDS.header_addresses])

    @once
    def own_id(self) -> str:
        """The message's own id with its angle brackets; empty when it has none."""
        found = self.by_name.get("message-id")
        if not found:
            return ""
        usual = _USUAL_ID.fullmatch(found[0].raw)
        if usual:
            return usual[1].decode("ascii")
        ids = self.message_ids("message-id")
        return ids[0] if ids else ""

    def message_ids(self, name: str) -> tuple[str, ...]:
        """Message-IDs in fields of that name, in order, with their angle brackets; at most 1,000.

        An id without brackets is taken when the whole value is one.
        """
        return self.ids_of(self.named(name))

    @staticmethod
    def ids_of(fields: Sequence[Field]) -> tuple[str, ...]:
        """Message-IDs in these fields, as :meth:`message_ids` gives them."""
        if len(fields) == 1:
            return fields[0].ids[:MAX_IDS]
        out: list[str] = []
        for each in fields:
            out.extend(each.ids)
            if len(out) >= MAX_IDS:
                break
        return tuple(out[:MAX_IDS])


def read_message_ids(value: str) -> list[str]:
    """The ids in one unfolded value, each as ``<id>``."""
    found = _MESSAGE_ID.findall(value)
    if not found and (bare := _BARE_ID.fullmatch(value.strip(" \t<>"))):
        found = [f"<{bare[0]}>"]
    return found
