"""The text of a short mail as lines: its first part of plain text, else of HTML without its marks."""

from __future__ import annotations

import html
import re

from attrs import define, field

from mailshare.core.encoded_words import text_of
from mailshare.wire.mime import EntityBegun, EntityData, MIMEEvent

MOST = 64 * 1024
_NAME = re.compile(r"/?[a-z0-9]{0,20}", re.IGNORECASE)
_BREAKS = frozenset({"br", "/p", "/div", "/tr", "/li", "p", "div"})
_HIDDEN = frozenset({"style", "script", "head", "blockquote"})


@define
class AnswerText:
    """Feed it the events of a MIME reader; at most :data:`MOST` octets of a text are kept."""

    _plain: tuple[int, ...] | None = None
    _html: tuple[int, ...] | None = None
    _charsets: dict[tuple[int, ...], str] = field(factory=dict)
    _octets: dict[tuple[int, ...], bytearray] = field(factory=dict)

    def take(self, event: MIMEEvent) -> None:
        """One event."""
        if isinstance(event, EntityBegun) and not event.container and event.media.major == "text":
            if event.media.name == "text/plain" and self._plain is None:
                self._plain = event.path
            elif event.media.name == "text/html" and self._html is None:
                self._html = event.path
            else:
                return
            self._charsets[event.path] = event.media.parameters.get("charset", "utf-8")
            self._octets[event.path] = bytearray()
        elif isinstance(event, EntityData) and event.path in self._octets:
            kept = self._octets[event.path]
            kept += event.data[: MOST - len(kept)]

    def lines(self) -> list[str]:
        """The lines; quoted ones stay quoted, what HTML quotes is left out."""
        plain = self._text(self._plain)
        if plain.strip() or self._html is None:
            return plain.splitlines()
        return html.unescape(_shown(self._text(self._html))).splitlines()

    def _text(self, path: tuple[int, ...] | None) -> str:
        return "" if path is None else text_of(bytes(self._octets[path]), self._charsets[path])


def _shown(marked: str) -> str:
    """What a page shows of its own, in one pass; an element that is not closed hides the rest."""
    first, *rest = marked.split("<")
    out, hidden = [first], ""
    for piece in rest:
        mark, closed, text = piece.partition(">")
        found = _NAME.match(mark)
        name = found[0].casefold() if found else ""
        if hidden:
            hidden = "" if name == f"/{hidden}" else hidden
        elif name in _HIDDEN:
            hidden = name
        if hidden or not closed:
            continue
        out += ["\n" if name in _BREAKS else "", text]
    return "".join(out)
