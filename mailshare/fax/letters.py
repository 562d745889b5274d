"""What of a message is to be faxed: its parts, in their order, and the words for a cover page.

Source: RFC 3965 section 2.2.4 (several TIFF files in one message; one part that fails makes the whole fail), RFC 2046
section 5.1.4 (of alternatives the last that can be shown).
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define, field, frozen

from mailshare.core.errors import MessageTooLarge
from mailshare.core.headers import Headers
from mailshare.interfaces import IBody
from mailshare.wire.mime import EntityBegun, EntityData, EntityEnded, MIMEEvent, MIMEReader

_PIECE = 262_144
_MOST = 100 * 1024 * 1024  # octets of the documents of a message
_SHOWN = ("application/pdf", "image/tiff", "text/plain", "text/html")
_PASSED_OVER = frozenset(
    {
        "application/pgp-signature",
        "application/pkcs7-signature",
        "application/x-pkcs7-signature",
        "text/calendar",
        "text/vcard",
        "text/x-vcard",
    }
)  # signs of who wrote it, and cards: nothing that a sender means to be a page


@frozen
class Part:
    """One document.

    :ivar kind: media type as declared; ``charset`` of a text.
    :ivar attached: it stands beside the message's own text.
    """

    kind: str
    data: bytes = field(repr=False)
    name: str = ""
    charset: str = "utf-8"
    attached: bool = True


@frozen
class Letter:
    """A message as a sender of faxes sees it.

    :ivar text: its own words.
    """

    headers: Headers
    parts: tuple[Part, ...]
    text: str = ""


@define
class _Gathering:
    """Takes the parts as they stream by."""

    headers: Headers = field(factory=Headers)
    begun: dict[tuple[int, ...], EntityBegun] = field(factory=dict)
    data: dict[tuple[int, ...], bytearray] = field(factory=dict)
    order: list[tuple[int, ...]] = field(factory=list)
    size: int = 0

    def take(self, events: Iterable[MIMEEvent]) -> None:
        for event in events:
            if isinstance(event, EntityBegun):
                self.begun[event.path] = event
                if event.path == ():
                    self.headers = event.headers
                if not event.container:
                    self.order.append(event.path)
                    self.data[event.path] = bytearray()
            elif isinstance(event, EntityData):
                self.size += len(event.data)
                if self.size > _MOST:
                    raise MessageTooLarge("The documents of this message are larger than are faxed here")
                self.data[event.path] += event.data
            elif not isinstance(event, EntityEnded):
                raise MessageTooLarge("This message has more parts than are faxed here", enhanced=(5, 6, 1))

    def letter(self) -> Letter:
        chosen = [path for path in self.order if self._wanted(path)]
        parts, text = [], ""
        for path in chosen:
            part = self._part(path)
            if part.kind.startswith("text/") and not part.attached and not text:
                text = part.data.decode(part.charset, "replace") if part.kind == "text/plain" else ""
            parts.append(part)
        return Letter(self.headers, tuple(parts), text)

    def _part(self, path: tuple[int, ...]) -> Part:
        begun = self.begun[path]
        charset = _known(begun.media.parameters.get("charset", "utf-8"))
        return Part(begun.media.name, bytes(self.data[path]), begun.name, charset, bool(begun.name))

    def _wanted(self, path: tuple[int, ...]) -> bool:
        begun = self.begun[path]
        if begun.media.name in _PASSED_OVER or not self._chosen_alternative(path):
            return False
        return bool(self.data[path].strip()) or bool(begun.name)

    def _chosen_alternative(self, path: tuple[int, ...]) -> bool:
        """Whether a part, and what it stands in, is what counts wherever there is a choice."""
        for depth in range(len(path)):
            parent = self.begun.get(path[:depth])
            if parent is None or parent.media.name != "multipart/alternative":
                continue
            choices = [one for one in self.begun if len(one) == depth + 1 and one[:depth] == path[:depth]]
            if path[: depth + 1] != self._best(choices):
                return False
        return True

    def _best(self, choices: list[tuple[int, ...]]) -> tuple[int, ...]:
        """Plain text, since it loses nothing here; else the last that can be shown."""
        plain = [one for one in choices if self.begun[one].media.name == "text/plain" and self.data[one].strip()]
        shown = [one for one in choices if self.begun[one].media.name in _SHOWN or self.begun[one].container]
        return plain[-1] if plain else shown[-1] if shown else choices[-1]


async def read_letter(body: IBody) -> Letter:
    """Take a message apart.

    :raises MessageTooLarge: it holds more than is faxed.
    """
    reader, gathering, position = MIMEReader(), _Gathering(), 0
    while position < body.size:
        piece = await body.read(position, _PIECE)
        if not piece:
            break
        position += len(piece)
        gathering.take(reader.feed(piece))
    gathering.take(reader.end())
    return gathering.letter()


def _known(charset: str) -> str:
    try:
        "".encode(charset)
    except (LookupError, ValueError):
        return "utf-8"
    return charset
