"""What a mail brings: read once as it streams by, so that a mail of any size costs one piece of memory."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

from attrs import define, field, frozen

from mailshare.core.encoded_words import text_of
from mailshare.core.headers import Headers
from mailshare.core.media_type import MediaType, valued
from mailshare.core.print_formats import LOOKED_AT
from mailshare.core.print_manifest import MAX_OCTETS
from mailshare.interfaces import IBody
from mailshare.shell.body_pieces import pieces
from mailshare.wire.mime import EntityBegun, EntityData, EntityEnded, MIMEEvent, MIMEReader
from mailshare.wire.print_mail import MANIFEST_TYPE

_MANIFEST = MAX_OCTETS * 2  # octets of the signed part: base64url, and the signature
_WORDS = 64 * 1024  # octets of the text that options are looked for in
_MAX_LINES = 200
_SHOWN = re.compile(rb"cid:([^\s\"'<>)]{1,200})", re.IGNORECASE)
_MOST_SHOWN, _LONGEST_SHOWN = 500, 204


@frozen
class Leaf:
    """One part without parts of its own.

    :ivar offset: octets of the mail before its body, by which it is found again.
    :ivar length: octets, decoded; ``digest`` SHA-256 of these; ``head`` the first of them.
    :ivar attached: its disposition is ``attachment``; ``content_id`` by which a text shows it, or empty.
    :ivar messages: where the mails inside the mail stand that it lies in, the outermost first.
    :ivar whole: the mail goes on behind it.
    """

    media: MediaType
    name: str
    offset: int
    length: int
    digest: bytes
    head: bytes = field(repr=False)
    attached: bool = False
    content_id: str = ""
    messages: tuple[tuple[int, ...], ...] = ()
    whole: bool = True


@frozen
class MailContents:
    """All of it.

    :ivar manifest: octets of the first manifest part; ``None`` = there is none.
    :ivar leaves: all other parts, in order. :ivar chunk: the one behind the manifest.
    :ivar lines: the first lines of the text.
    :ivar shown: Content-IDs that its HTML refers to.
    """

    headers: Headers
    manifest: bytes | None
    leaves: tuple[Leaf, ...]
    chunk: Leaf | None
    lines: tuple[str, ...]
    shown: frozenset[str] = frozenset()


@define
class _Open:
    begun: EntityBegun
    digest: Any = field(factory=sha256)
    length: int = 0
    head: bytearray = field(factory=bytearray)
    tail: bytes = b""


@define
class _Gathering:
    """What has been seen of a mail."""

    open: dict[tuple[int, ...], _Open] = field(factory=dict)
    manifest: bytearray | None = None
    manifest_path: tuple[int, ...] | None = None
    leaves: list[Leaf] = field(factory=list)
    chunk: Leaf | None = None
    text: bytearray = field(factory=bytearray)
    text_path: tuple[int, ...] | None = None
    charset: str = "utf-8"
    inner: set[tuple[int, ...]] = field(factory=set)
    shown: set[str] = field(factory=set)

    def take(self, event: MIMEEvent) -> None:
        if isinstance(event, EntityBegun) and event.container:
            if event.path and event.media.major == "message":
                self.inner.add(event.path)
        elif isinstance(event, EntityBegun):
            self._begin(event)
        elif isinstance(event, EntityData):
            self._data(event)
        elif isinstance(event, EntityEnded):
            self._end(event)

    def _begin(self, event: EntityBegun) -> None:
        if event.media.name == MANIFEST_TYPE and self.manifest is None:
            self.manifest, self.manifest_path = bytearray(), event.path
            return
        self.open[event.path] = _Open(event)
        inside = any(event.path[: len(path)] == path for path in self.inner)
        if event.media.name == "text/plain" and self.text_path is None and not event.name and not inside:
            self.text_path, self.charset = event.path, event.media.parameters.get("charset", "utf-8")

    def _data(self, event: EntityData) -> None:
        if event.path == self.manifest_path and self.manifest is not None and len(self.manifest) <= _MANIFEST:
            self.manifest += event.data
        if event.path == self.text_path and len(self.text) < _WORDS:
            self.text += event.data[: _WORDS - len(self.text)]
        found = self.open.get(event.path)
        if found is not None:
            found.digest.update(event.data)
            found.length += len(event.data)
            if len(found.head) < LOOKED_AT:
                found.head += event.data[: LOOKED_AT - len(found.head)]
            if found.begun.media.name == "text/html" and len(self.shown) < _MOST_SHOWN:
                seen = found.tail + event.data
                self.shown.update(each[1].decode("ascii", "replace") for each in _SHOWN.finditer(seen))
                found.tail = seen[-_LONGEST_SHOWN:]

    def _end(self, event: EntityEnded) -> None:
        found = self.open.pop(event.path, None)
        if found is None:
            return
        begun = found.begun
        leaf = Leaf(
            begun.media,
            begun.name,
            begun.offset,
            found.length,
            found.digest.digest(),
            bytes(found.head),
            valued(begun.headers.first("content-disposition") or "")[0] == "attachment",
            (begun.headers.first("content-id") or "").strip().strip("<>"),
            tuple(sorted(path for path in self.inner if begun.path[: len(path)] == path)),
            event.whole or begun.path == (),
        )
        self.leaves.append(leaf)
        if self.manifest_path is not None and self.chunk is None:
            self.chunk = leaf


async def read_contents(body: IBody) -> MailContents:
    """Read a stored mail through.

    :raises Unavailable: the disk does not give it.
    """
    reader, gathering = MIMEReader(), _Gathering()
    async for piece in pieces(body):
        for event in reader.feed(piece):
            gathering.take(event)
    for event in reader.end():
        gathering.take(event)
    return MailContents(
        headers=Headers.parse(await body.header()),
        manifest=None if gathering.manifest is None else bytes(gathering.manifest),
        leaves=tuple(gathering.leaves),
        chunk=gathering.chunk,
        shown=frozenset(gathering.shown),
        lines=tuple(text_of(bytes(gathering.text), gathering.charset).splitlines()[:_MAX_LINES]),
    )


async def leaf_octets(body: IBody, offset: int) -> AsyncIterator[bytes]:
    """The decoded octets of the part whose body begins there.

    :raises Unavailable: the disk does not give it.
    """
    reader = MIMEReader()
    path: tuple[int, ...] | None = None
    async for piece in pieces(body):
        for event in reader.feed(piece):
            if isinstance(event, EntityBegun) and event.offset == offset and not event.container:
                path = event.path
            elif isinstance(event, EntityData) and event.path == path:
                yield event.data
            elif isinstance(event, EntityEnded) and event.path == path:
                return
    for event in reader.end():
        if isinstance(event, EntityData) and event.path == path:
            yield event.data
