"""The forgiving reader of address lists: ``To``, ``Cc``, ``From`` and their kind.

One pass over the text, no recursion, no exception. What it promises to the sorting rules:

- an address inside a name, a quoted string, an encoded word or a comment is never read as an address;
- one pair of angle brackets is one mailbox, whatever stands around it;
- words without an address before a mailbox (``Andrew, Greg <mail@...>``) are kept as that mailbox's ``fragments``.

Source: RFC 5322 section 3.4 and 4.4, RFC 6854; what real senders write decides where they differ.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import NamedTuple

from attrs import define, field, frozen

from mailshare.core.address import Address
from mailshare.core.encoded_words import decode

MAX_NAME = 255
_MAX_ADDRESS = 1_000
_MAX_ROUTE = 100
_MAX_FRAGMENTS = 1_000
_MAX_TOKENS = 30_000  # two thousand full mailboxes have about twelve each
_BLANK = re.compile(r"[ \t\r\n\x00]+")
_ENCODED = re.compile(r"=\?[^?\s]{1,60}\?[QqBb]\?[^?]*\?=")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_LITERAL = re.compile(r"\[[^\[\]<>,;\s]{0,100}\]")
_ATOM = re.compile(r'[^ \t\r\n\x00"(),;:<>@=\[]+|.', re.DOTALL)
_WHOLE = {"=": _ENCODED, "[": _LITERAL}
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_WORD = r"[A-Za-z0-9!#$%&'*+/?^_`{|}~.-]+"
_USUAL = re.compile(  # an address alone, or one in brackets behind plain words or one quoted string
    rf'(?:(?P<words>{_WORD}(?: {_WORD})*) |"(?P<quoted>[ !#-<>-\[\]-~]*)" ?)?<({_WORD})@([A-Za-z0-9.-]+)>'
    rf"|({_WORD})@([A-Za-z0-9.-]+)"
)
_USUAL_LENGTH = 200
_PAREN = re.compile(r"\\.|[()]", re.DOTALL)


@frozen(slots=False)  # made for each message: without slots in two thirds of the time
class Mailbox:
    """One mailbox of an address list.

    :ivar name: display name, or the last comment behind the address; encoded words decoded, no controls, at most 255
        characters; empty when there is none.
    :ivar address: as written; nothing about it has been checked.
    :ivar fragments: words without address that stand directly before, separated by commas.
    :ivar group: name of the group it stands in, or empty.
    :ivar cut: the name was longer than 255 characters.
    """

    name: str
    address: Address
    fragments: tuple[str, ...] = ()
    group: str = ""
    cut: bool = False

    def __str__(self) -> str:
        return f'"{self.name}" <{self.address}>' if self.name else str(self.address)


class _Kind(Enum):
    WORD = auto()
    QUOTED = auto()
    COMMENT = auto()
    SPECIAL = auto()


class _Token(NamedTuple):
    kind: _Kind
    text: str
    spaced: bool  # white space or a comment stands before it


def _tokens(text: str) -> list[_Token]:
    """Cut into tokens. A quote or parenthesis that nothing closes is an ordinary character, and so are all after it."""
    out: list[_Token] = []
    position = 0
    spaced = False
    quotes = comments = True
    while position < len(text) and len(out) < _MAX_TOKENS:
        char = text[position]
        if found := _BLANK.match(text, position):
            spaced = True
            position = found.end()
            continue
        kind = _Kind.WORD
        if quotes and char == '"':
            if quoted := _QUOTED.match(text, position):
                out.append(_Token(_Kind.QUOTED, _ESCAPED.sub(r"\1", quoted[1]), spaced))
                position, spaced = quoted.end(), False
                continue
            quotes = False
        if comments and char == "(":
            end = _comment_end(text, position)
            if end:
                out.append(_Token(_Kind.COMMENT, _ESCAPED.sub(r"\1", text[position + 1 : end - 1]), spaced))
                position, spaced = end, True
                continue
            comments = False
        if char in ",;:<>@":
            kind, end = _Kind.SPECIAL, position + 1
        elif (whole := _WHOLE.get(char)) and (found := whole.match(text, position)):
            end = found.end()
        else:
            atom = _ATOM.match(text, position)
            end = atom.end() if atom else position + 1
        out.append(_Token(kind, text[position:end], spaced))
        position, spaced = end, False
    return out


def _comment_end(text: str, start: int) -> int:
    """Where the comment that opens at ``start`` ends, 0 when it never does."""
    depth = 0
    for found in _PAREN.finditer(text, start):
        if found[0] == "(":
            depth += 1
        elif found[0] == ")":
            depth -= 1
            if not depth:
                return found.end()
    return 0


def _phrase(tokens: list[_Token]) -> str:
    """Words as one text, blanks collapsed, encoded words decoded, comments left out."""
    parts: list[str] = []
    for token in tokens:
        if token.kind is not _Kind.COMMENT:
            parts.append((" " if token.spaced and parts else "") + token.text)
    return " ".join(decode("".join(parts)).split())


def split_address(text: str) -> Address | None:
    """Read an addr-spec as forgivingly as a header must be read: the last ``@`` parts it, quotes are taken off.

    ``None`` when there is no ``@`` with something on both sides.
    """
    local, at, domain = text.strip().rpartition("@")
    local, domain = local.strip(), domain.strip()
    if len(local) >= 2 and local[0] == local[-1] == '"':
        local = _ESCAPED.sub(r"\1", local[1:-1])
    if not at or not local or not domain or len(text) > _MAX_ADDRESS:
        return None
    return Address(local, domain)


@define
class _Reader:
    """Collects mailboxes; the words of the item being read stand in ``words``."""

    limit: int
    boxes: list[Mailbox] = field(factory=list)
    words: list[_Token] = field(factory=list)
    after: list[_Token] = field(factory=list)
    angle: list[_Token] | None = None
    fragments: list[str] = field(factory=list)
    group: str = ""
    over: bool = False

    def end_item(self) -> None:
        """A comma, a semicolon or the end: what was read is a mailbox, a fragment or nothing."""
        words, angle, after = self.words, self.angle, self.after
        self.words, self.angle, self.after = [], None, []
        if angle is None:
            self._plain(words)
            return
        address = split_address(_spec(angle))
        if address is None:
            bare = _spec(angle)
            address = Address(bare) if bare and len(bare) <= _MAX_ADDRESS and "@" not in bare else None
        if address is not None:
            self._add(_phrase(words) or _last_comment(after), address)

    def _plain(self, words: list[_Token]) -> None:
        """An item without angle brackets: ``mail@company.example (Andrew)``, or words only."""
        places = _addr_specs(words)
        if not places:
            text = _phrase(words)
            if text and len(self.fragments) < _MAX_FRAGMENTS:
                self.fragments.append(text[:MAX_NAME])
            return
        name = _phrase(words[: places[0][0]])
        ends = [first for first, _ in places[1:]] + [len(words)]
        for (first, last), end in zip(places, ends, strict=True):
            address = split_address(_spec(words[first:last]))
            if address is not None:
                self._add(name or _last_comment(words[last:end]), address)
            name = ""

    def _add(self, name: str, address: Address) -> None:
        if len(self.boxes) >= self.limit:
            self.over = True
            return
        fragments, self.fragments = tuple(self.fragments), []
        self.boxes.append(Mailbox(name[:MAX_NAME], address, fragments, self.group, len(name) > MAX_NAME))


def _addr_specs(words: list[_Token]) -> list[tuple[int, int]]:
    """Where the addresses of an item without angle brackets begin and end; blanks alone may part them.

    Blanks and comments may stand around the ``@`` (RFC 5322 section 3.4.1).
    """
    places: list[tuple[int, int]] = []
    end = 0
    for at, token in enumerate(words):
        if at < end or token.kind is not _Kind.SPECIAL or token.text != "@":
            continue
        first = at
        while first > end and words[first - 1].kind is _Kind.COMMENT:
            first -= 1
        first = max(first - 1, end)
        while first > end and not words[first].spaced and words[first - 1].kind is not _Kind.COMMENT:
            first -= 1
        last = at + 1
        while last < len(words) and words[last].kind is _Kind.COMMENT:
            last += 1
        last += 1
        while last < len(words) and not words[last].spaced and words[last].kind is not _Kind.COMMENT:
            last += 1
        end = min(last, len(words))
        places.append((first, end))
    return places


def _last_comment(tokens: list[_Token]) -> str:
    comments = [token.text for token in tokens if token.kind is _Kind.COMMENT]
    return " ".join(decode(comments[-1]).split()) if comments else ""


def _spec(tokens: list[_Token]) -> str:
    """Tokens of an addr-spec as text, comments and blanks dropped, an obsolete source route taken off."""
    parts = [
        '"' + token.text.replace("\\", "\\\\").replace('"', '\\"') + '"' if token.kind is _Kind.QUOTED else token.text
        for token in tokens
        if token.kind is not _Kind.COMMENT
    ]
    text = "".join(parts)
    if (text.startswith("@") or text[:7].casefold() == "mailto:") and ":" in text:
        text = text.rpartition(":")[2]
    return text


def read_mailboxes(text: str, limit: int = 1_000) -> tuple[tuple[Mailbox, ...], bool]:
    """Read an address list.

    :param text: an unfolded field value.
    :param limit: mailboxes to read at most.
    :returns: the mailboxes, and True when there were more.
    """
    if len(text) <= _USUAL_LENGTH and (usual := _USUAL.fullmatch(text)):
        words, quoted, local, domain, bare_local, bare_domain = usual.groups()
        name = " ".join((words or quoted or "").split())
        return (Mailbox(name, Address(local or bare_local, domain or bare_domain)),), False
    return _read_any(text, limit)


def _read_any(text: str, limit: int) -> tuple[tuple[Mailbox, ...], bool]:
    """The same for every text."""
    reader = _Reader(limit)
    inside = False
    tokens = _tokens(text)
    reader.over = len(tokens) >= _MAX_TOKENS
    for token in tokens:
        special = token.text if token.kind is _Kind.SPECIAL else ""
        if inside:
            assert reader.angle is not None
            if special == ">" or (special in {",", ";"} and not _is_route(reader.angle)):
                inside = False
                if special != ">":
                    reader.end_item()
            elif special != "<":
                reader.angle.append(token)
        elif special == "<":
            if reader.angle is not None:
                after = reader.after
                reader.end_item()
                reader.words = [word for word in after if word.kind is not _Kind.COMMENT]
            inside, reader.angle = True, []
        elif special in {",", ";"}:
            reader.end_item()
            if special == ";":
                reader.group = ""
                reader.fragments.clear()
        elif special == ":" and reader.angle is None:
            reader.group = _phrase(reader.words)[:MAX_NAME] or reader.group
            reader.words = []
            reader.fragments.clear()
        elif reader.angle is not None:
            reader.after.append(token)
        elif special != ">":
            reader.words.append(token)
    reader.end_item()
    return tuple(reader.boxes), reader.over


def _is_route(tokens: list[_Token]) -> bool:
    """Inside ``<@one,@two:user@host>``: the commas belong to the route (RFC 5322 section 4.4)."""
    return bool(tokens) and len(tokens) < _MAX_ROUTE and tokens[0].text == "@" and all(t.text != ":" for t in tokens)
