"""The documents in a mail: what parts it has, found while it streams by, and one of them taken out of it again.

Which of them are printed is decided by :mod:`mailshare.core.print_choice`, between the two.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from attrs import define, field, frozen

from mailshare.core.headers import Headers
from mailshare.core.media_type import MediaType, valued
from mailshare.core.print_formats import LOOKED_AT
from mailshare.wire.mime import EntityBegun, EntityData, EntityEnded, MIMEEvent, MIMEReader, TooManyParts

Path = tuple[int, ...]
_REFERENCE = re.compile(rb"cid:([^\s\"'<>)]{1,200})", re.IGNORECASE)
_MOST_REFERENCES = 500
_LONGEST_REFERENCE = 204


@frozen
class MailPart:
    """A part that has octets of its own.

    :ivar path: where it stands, as in :class:`~mailshare.wire.mime.EntityBegun`.
    :ivar headers: its own; of the message itself those of the message.
    :ivar media: as declared.
    :ivar name: of a file, or empty.
    :ivar attached: its disposition says ``attachment``.
    :ivar content_id: without angle brackets, or empty.
    :ivar size: decoded octets; ``head`` the first kilobyte of them.
    :ivar messages: paths of the messages that it lies in, the outermost first; ``()`` is the mail itself.
    :ivar choice: path of the ``multipart/alternative`` that it is one of, ``None`` = of none.
    :ivar whole: it does not end with the mail before its parent does.
    """

    path: Path
    headers: Headers
    media: MediaType
    name: str
    attached: bool
    content_id: str
    size: int
    head: bytes
    messages: tuple[Path, ...]
    choice: Path | None = None
    whole: bool = True


@frozen
class Surveyed:
    """What a mail consists of.

    :ivar headers: of the mail, and of those inside it, by path.
    :ivar parts: in their order.
    :ivar referred: Content-IDs that its HTML refers to.
    :ivar containers: types of what only holds others, by path.
    :ivar too_many: there were more parts than are looked at.
    """

    headers: dict[Path, Headers]
    parts: tuple[MailPart, ...]
    referred: frozenset[str]
    containers: dict[Path, str]
    too_many: bool = False


@define
class _Open:
    begun: EntityBegun
    size: int = 0
    head: bytes = b""
    tail: bytes = b""


class Survey:
    """The engine: feed it the octets of a mail, then ask."""

    def __init__(self, reader: MIMEReader | None = None) -> None:
        self._reader = reader or MIMEReader()
        self._open: dict[Path, _Open] = {}
        self._containers: dict[Path, str] = {}
        self._headers: dict[Path, Headers] = {}
        self._parts: list[MailPart] = []
        self._referred: set[str] = set()
        self._too_many = False

    def feed(self, data: bytes) -> None:
        """The next octets."""
        self._take(self._reader.feed(data))

    def end(self) -> Surveyed:
        """That was all."""
        self._take(self._reader.end())
        parts = sorted(self._parts, key=lambda one: one.path)
        return Surveyed(self._headers, tuple(parts), frozenset(self._referred), self._containers, self._too_many)

    def _take(self, events: Sequence[MIMEEvent]) -> None:
        for event in events:
            if isinstance(event, EntityBegun):
                self._begin(event)
            elif isinstance(event, EntityData):
                self._data(self._open[event.path], event.data)
            elif isinstance(event, EntityEnded):
                opened = self._open.pop(event.path, None)
                if opened is not None:
                    self._parts.append(self._part(opened, whole=event.whole))
            elif isinstance(event, TooManyParts):
                self._too_many = True

    def _begin(self, event: EntityBegun) -> None:
        parent = self._containers.get(event.path[:-1], "")
        if not event.path or parent.startswith("message/"):
            self._headers[event.path] = event.headers
        if event.container:
            self._containers[event.path] = event.media.name
        else:
            self._open[event.path] = _Open(event)

    def _data(self, opened: _Open, data: bytes) -> None:
        opened.size += len(data)
        if len(opened.head) < LOOKED_AT:
            opened.head += data[: LOOKED_AT - len(opened.head)]
        if opened.begun.media.name == "text/html" and len(self._referred) < _MOST_REFERENCES:
            seen = opened.tail + data
            self._referred.update(found[1].decode("ascii", "replace") for found in _REFERENCE.finditer(seen))
            opened.tail = seen[-_LONGEST_REFERENCE:]

    def _part(self, opened: _Open, *, whole: bool) -> MailPart:
        begun, headers = opened.begun, opened.begun.headers
        above = [begun.path[:count] for count in range(len(begun.path))]
        messages = [path for path in (*above, begun.path) if path in self._headers]
        inner = [path for path in above if len(path) >= len(messages[-1])] if messages else above
        choices = [path for path in inner if self._containers.get(path) == "multipart/alternative"]
        return MailPart(
            path=begun.path,
            headers=headers,
            media=begun.media,
            name=begun.name,
            attached=valued(headers.first("content-disposition") or "")[0] == "attachment",
            content_id=(headers.first("content-id") or "").strip().strip("<>"),
            size=opened.size,
            head=opened.head,
            messages=tuple(messages),
            choice=choices[-1] if choices else None,
            whole=whole or not begun.path,
        )


@define
class PartOctets:
    """The engine that takes one part out of a mail: feed it the same octets again.

    :ivar over: the part is complete; no more needs to be fed.
    """

    path: Path
    over: bool = False
    _reader: MIMEReader = field(factory=MIMEReader)

    def feed(self, data: bytes) -> bytes:
        """What these octets of the mail add to the decoded part."""
        return self._of(self._reader.feed(data))

    def end(self) -> bytes:
        """What was held back."""
        return self._of(self._reader.end())

    def _of(self, events: Sequence[MIMEEvent]) -> bytes:
        mine = [event for event in events if isinstance(event, EntityData | EntityEnded) and event.path == self.path]
        self.over = self.over or any(isinstance(event, EntityEnded) for event in mine)
        return b"".join(event.data for event in mine if isinstance(event, EntityData))
