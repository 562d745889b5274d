"""The forgiving reader of header blocks.

Sorting stands on this, and what it reads was written by strangers: nothing here raises, every step takes time in
proportion to the input, and what passes the limits is cut and marked ``oversize``. A field keeps its octets as they
came, so that a block can be changed in one field and stay identical in all others.

Source: RFC 5322 section 2.2, 3.6 and 4; the limits are those of docs/reference/sorting.md.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import starmap
from operator import attrgetter

from attrs import field, frozen

from mailshare.core.bounds import BOUNDS
from mailshare.core.derived import once
from mailshare.core.encoded_words import decode
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
_UNFOLD = re.compile(r"[\r\n\x00]+[ \t]?")
_ADDRESSED = ("to", "cc", "resent-to", "resent-cc", "apparently-to")
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,990}>")
# The first @ behind the first character parts it: were any of them allowed to, a thousand would be tried in turn.
_BARE_ID = re.compile(r"[^<>\s,;\"()][^<>\s,;\"()@]*@[^<>\s,;\"()]+")
_MAX_IDS = 1_000
# A Message-ID as programs write it: what the forgiving patterns above find in it too.
_USUAL_ID = re.compile(rb"[^:]*:[ \t]*(<[!-;=?-~]{1,990}>)[ \t]*\r?\n")
octets_of = attrgetter("raw")
"""Of a field."""
_name_of = attrgetter("name")
_SHORT = 160  # octets of a field that may be remembered


@frozen(slots=False)  # once() keeps its results in the object
class Field:
    """One field of a header block.

    :ivar name: as written, without the colon; empty for a line that is no field (kept for its octets).
    :ivar raw: all its octets: name, colon, value, line ends, continuation lines.
    """

    name: str
    raw: bytes

    @once
    def key(self) -> str:
        """The name for comparing: lower case."""
        return self.name.lower()

    @once
    def value(self) -> str:
        """The value unfolded: line ends and NUL gone, outer blanks off; raw octets read as UTF-8, else windows-1252."""
        octets = (self.raw.partition(b":")[2] if self.name else self.raw).strip(b" \t\r\n")
        try:
            text = octets.decode()
        except UnicodeDecodeError:
            text = octets.decode("cp1252", "replace")
        return (text if text.isprintable() else _UNFOLD.sub(" ", text)).strip()

    @once
    def listed(self) -> str:
        """The value for lists of messages: on one line, nothing decoded; what is not UTF-8 is replaced."""
        return b" ".join(self.raw.partition(b":")[2].split()).decode("utf-8", "replace")

    @once
    def text(self) -> str:
        """The value for people: encoded words decoded, no control characters."""
        return decode(self.value)

    @once
    def address_list(self) -> tuple[tuple[Mailbox, ...], bool]:
        """The value as an address list, and whether it was cut."""
        return read_mailboxes(self.value, BOUNDS.header_addresses)

    @once
    def ids(self) -> tuple[str, ...]:
        """The Message-IDs in the value, each as ``<id>``."""
        return tuple(read_message_ids(self.value))


@lru_cache(maxsize=512)
def _short_field(raw: bytes, name: bytes) -> Field:
    """A field that may come again: most senders write the same From, To and Content-Type into all their messages.

    What is worked out of it stays with it, so a field is short, and there are not many.
    """
    return Field(name.decode("ascii"), raw)


def forget_fields() -> None:
    """Read all fields anew: a bound was changed."""
    _short_field.cache_clear()


def split_lines(block: bytes) -> list[bytes]:
    """Lines with their ends. LF ends a line, with or without CR before; CR alone does so only in a block without LF."""
    return (_LINE if b"\n" in block else _CR_LINE).findall(block)


def _usual_fields(block: bytes) -> list[Field] | None:
    """What :func:`_split_fields` gives for the lines of a block that LF ends and no limit cuts; ``None`` for others."""
    lines = block.count(b"\n")
    end, bare = block.find(b"\n\r"), block.find(b"\n\n")
    if not 0 < lines < BOUNDS.header_lines or block[:1] in {b"\r", b"\n"} or end != block.find(b"\n\r\n"):
        return None
    if bare >= 0 and not 0 <= end < bare:
        end = bare
    found = _FIELD.findall(block[: end + 1] if end >= 0 else block)
    raws, _ = zip(*found, strict=True)
    if max(map(len, raws)) <= _SHORT:
        return list(starmap(_short_field, found))
    return [
        _short_field(raw, name) if len(raw) <= _SHORT else Field(name.decode("ascii"), raw) for raw, name in found
    ]


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


@frozen(slots=False)
class Headers:
    """A header block as fields in order, top down.

    :ivar fields: every field, also lines that are none (with an empty name).
    :ivar cut: the block, its number of lines or one field passed the limits; what passed is not here.
    """

    fields: tuple[Field, ...] = field(default=())
    cut: bool = False
    _by_name: dict[str, tuple[Field, ...]] = field(eq=False, repr=False, hash=False)

    @_by_name.default
    def _index(self) -> dict[str, tuple[Field, ...]]:
        # Nearly every block has each name once and nothing but fields: no step of ours for each of them then.
        names = "\n".join(map(_name_of, self.fields)).lower().split("\n") if self.fields else []
        single: dict[str, tuple[Field, ...]] = dict(zip(names, zip(self.fields), strict=True))
        if len(single) == len(self.fields) and "" not in single:
            return single
        index: dict[str, list[Field]] = {}
        for each in self.fields:
            if each.name:
                index.setdefault(each.name.lower(), []).append(each)
        return {name: tuple(found) for name, found in index.items()}

    @classmethod
    def parse(cls, block: bytes) -> Headers:
        """Read a header block; the empty line and what follows it do not matter.

        Never raises. More than 256 KiB, or more lines or octets of a field than
        :class:`~mailshare.core.bounds.Bounds` has, are cut off, and :attr:`oversize` says so.
        """
        cut = False
        if len(block) > MAX_BLOCK:
            head = block[:MAX_BLOCK]
            cut = header_end(head) == MAX_BLOCK
            block = head
        fields = _usual_fields(block)
        if fields is None:
            lines, most = split_lines(block), BOUNDS.header_lines
            fields = _split_fields(lines[:most])
            if len(lines) > most and all(line.rstrip(b"\r\n") for line in lines[:most]):
                cut = True
        largest = BOUNDS.header_field
        if len(block) > largest and any(len(each.raw) > largest for each in fields):
            cut = True
            fields = [Field(each.name, each.raw[:largest]) for each in fields]
        return cls(tuple(fields), cut)

    def below(self, one: Field) -> Headers:
        """The same with one field more on top."""
        key = one.name.lower()
        return Headers((one, *self.fields), self.cut, {**self._by_name, key: (one, *self._by_name.get(key, ()))})

    @once
    def oversize(self) -> bool:
        """The block passed a limit, or names more recipients than are looked at: nobody is guessed from it."""
        if self.cut:
            return True
        count = 0
        for name in _ADDRESSED:
            for each in self._by_name.get(name, ()):
                boxes, over = each.address_list
                count += len(boxes)
                if over or count > BOUNDS.header_addresses:
                    return True
        return False

    def named(self, name: str) -> tuple[Field, ...]:
        """The fields of that name, top down; the name in any case."""
        return self._by_name.get(name.lower(), ())

    def has(self, names: frozenset[str]) -> bool:
        """There is a field of one of these lower-case names."""
        return not names.isdisjoint(self._by_name)

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
        found = self._by_name.get("message-id")
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
        fields = self.named(name)
        if len(fields) == 1:
            return fields[0].ids[:_MAX_IDS]
        out: list[str] = []
        for each in fields:
            out.extend(each.ids)
            if len(out) >= _MAX_IDS:
                break
        return tuple(out[:_MAX_IDS])


def read_message_ids(value: str) -> list[str]:
    """The ids in one unfolded value, each as ``<id>``."""
    found = _MESSAGE_ID.findall(value)
    if not found and (bare := _BARE_ID.fullmatch(value.strip(" \t<>"))):
        found = [f"<{bare[0]}>"]
    return found
