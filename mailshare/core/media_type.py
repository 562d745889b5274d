"""``Content-Type`` and ``Content-Disposition``, read forgivingly (RFC 2045 section 5.1, RFC 2183, RFC 2231)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from attrs import field, frozen

from mailshare.core.bounds import BOUNDS
from mailshare.core.encoded_words import decode, text_of, without_controls

_PARAMETER = re.compile(r';\s*([^\s=;"]{1,100})\s*=\s*("(?:[^"\\]|\\.)*"?|[^;]*)', re.DOTALL)
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`{|}~0-9A-Za-z]+")
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_SECTION = re.compile(r"([^*]+)\*(?:(\d{1,3})(\*)?)?\Z")
_MAX_VALUE = 8_192
_MAX_FILE_NAME = 200
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,8}\Z")


@frozen
class MediaType:
    """A media type.

    :ivar name: ``type/subtype`` in lower case, ``text/plain`` when there is none (RFC 2045 section 5.2).
    :ivar parameters: values by lower-case name, decoded.
    """

    name: str = "text/plain"
    parameters: Mapping[str, str] = field(factory=dict)

    @property
    def major(self) -> str:
        """The part before the slash."""
        return self.name.partition("/")[0]

    @classmethod
    def parse(cls, value: str | None, default: str = "text/plain") -> MediaType:
        """Read a ``Content-Type`` value; never raises. What cannot be read is ``default``."""
        if value is None:
            return cls(default)
        word, parameters = valued(value)
        major, slash, minor = word.partition("/")
        major, minor = major.strip(), minor.strip()
        if not slash or not _TOKEN.fullmatch(major) or not _TOKEN.fullmatch(minor):
            return cls(default, parameters)
        return cls(f"{major}/{minor}", parameters)


def valued(value: str) -> tuple[str, Mapping[str, str]]:
    """``(word, parameters)`` of ``word; a=b; c="d"``, word and names in lower case.

    Continuations are joined and RFC 2231 is undone. At most 8,192 characters and ``BOUNDS.mime_parameters`` are
    looked at; the first of two parameters with one name counts.
    """
    value = value[:_MAX_VALUE]
    word, _, rest = value.partition(";")
    plain: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[str, bool]]] = {}
    for number, found in enumerate(_PARAMETER.finditer(";" + rest)):
        if number == BOUNDS.mime_parameters:
            break
        name, text = found[1].lower(), found[2].strip()
        if text.startswith('"'):
            text = _QUOTED_PAIR.sub(r"\1", text[1:-1] if text.endswith('"') and len(text) > 1 else text[1:])
        section = _SECTION.match(name)
        if section is None:
            plain.setdefault(name, text)
        else:
            whole = section[2] is None
            sections.setdefault(section[1], {}).setdefault(int(section[2] or 0), (text, whole or bool(section[3])))
    extended = {name: _joined(parts) for name, parts in sections.items()}
    return word.strip().lower(), {**{name: decode(text) for name, text in plain.items()}, **extended}


def _joined(parts: Mapping[int, tuple[str, bool]]) -> str:
    """The sections of one parameter in their order, percent signs undone in those that say so (RFC 2231)."""
    charset, octets = "utf-8", b""
    for number in sorted(parts):
        text, extended = parts[number]
        if number == 0 and extended and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        octets += unquote_to_bytes(text) if extended else text.encode("utf-8", "surrogateescape")
    return without_controls(text_of(octets, charset))


def file_name(disposition: str | None, media: MediaType) -> str:
    """The name of the file that a part carries, safe to show and to use: no folder, no control, at most 200 characters.

    Empty when the part has none. The ending is kept when a name is cut. Source: RFC 2183 section 2.3.
    """
    told = valued(disposition)[1].get("filename", "") if disposition else ""
    name = (told or media.parameters.get("name", "")).replace("\\", "/").rpartition("/")[2]
    name = " ".join("".join(char for char in name if char.isprintable()).split()).lstrip(".")
    if len(name) > _MAX_FILE_NAME:
        ending = found[0] if (found := _ENDING.search(name)) else ""
        name = name[: _MAX_FILE_NAME - len(ending)] + ending
    return name
