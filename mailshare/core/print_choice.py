"""What is printed of an ordinary mail: its attachments in their order, or its text when there are none.

Ornaments of the text, signatures and appointments are passed over in silence; what somebody surely meant to be printed
and is not, is told of.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from attrs import frozen

from mailshare.core import print_formats as kinds
from mailshare.core.media_type import MediaType

LOGO = 20_000
"""Octets below which a picture that the text shows is taken for an ornament."""
_SILENT = frozenset(
    {
        "application/pkcs7-signature",
        "application/x-pkcs7-signature",
        "application/pgp-signature",
        "application/pgp-keys",
        "text/calendar",
        "application/ics",
        "text/x-vcard",
        "text/vcard",
    }
)
_SEALED = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime", "application/pgp-encrypted"})
_TNEF = frozenset({kinds.TNEF, "application/vnd.ms-tnef"})
_HTML_ENDINGS = ("html", "htm")


class Part(Protocol):
    """What is known of a part of a mail without parts of its own."""

    @property
    def media(self) -> MediaType:
        """As declared."""

    @property
    def name(self) -> str:
        """Of a file, or empty."""

    @property
    def length(self) -> int:
        """Octets, decoded."""

    @property
    def head(self) -> bytes:
        """The first of them."""

    @property
    def attached(self) -> bool:
        """Its disposition is ``attachment``."""

    @property
    def content_id(self) -> str:
        """By which a text may show it; or empty."""

    @property
    def messages(self) -> tuple[tuple[int, ...], ...]:
        """Where the mails inside the mail stand that it lies in, the outermost first."""

    @property
    def whole(self) -> bool:
        """The mail does not end in it."""


@frozen
class Printed:
    """Parts that are printed: index among all parts, and what kind each is; ``left`` = words on what is not."""

    parts: tuple[tuple[int, str], ...]
    left: tuple[str, ...] = ()


def kind_of(part: Part) -> str:
    """The media type of a part by its octets; what they do not tell, its declared type or its name may say."""
    declared, ending = part.media.name, part.name.rpartition(".")[2].lower()
    found = kinds.sniffed(part.head)
    if found in (kinds.ZIP, kinds.OLE):
        by_name = next((kind for kind, known in kinds.OFFICE.items() if known == ending), found)
        return declared if declared in kinds.OFFICE else by_name
    if found == kinds.TEXT:
        return kinds.HTML if declared == kinds.HTML or ending in _HTML_ENDINGS else kinds.TEXT
    if found == kinds.OCTETS and part.media.major == "text":
        return kinds.HTML if declared == kinds.HTML else kinds.TEXT  # in a charset of its own
    return found


def choose(
    parts: Sequence[Part], refusal: Callable[[Part, str], str], *, most: int, shown: Collection[str] = ()
) -> Printed:
    """Which parts of a mail are printed.

    :param refusal: why a part of a kind is not printed, empty when it is; asked of those that are no ornaments.
    :param most: documents of one mail.
    :param shown: Content-IDs that its HTML refers to.
    """
    chosen: list[tuple[int, str]] = []
    left: list[str] = []
    scopes: dict[tuple[tuple[int, ...], ...], list[int]] = {(): []}  # what each mail inside has to say, by where it is
    for index, part in enumerate(parts):
        texts = scopes.setdefault(part.messages, [])
        if _is_body(part):
            texts.append(index)
            continue
        if part.media.name in _SILENT or _is_ornament(part, shown):
            continue
        kind = kind_of(part)
        why = _why_not(part, kind) or refusal(part, kind)
        if why:
            left.append(f"{part.name or part.media.name}: {why}")
        else:
            chosen.append((index, kind))
    with_documents = {parts[index].messages for index, _ in chosen}
    for scope, texts in scopes.items():
        inner = len(scope) == 1
        if scope in with_documents or len(scope) > 1 or (not inner and (chosen or left or len(scopes) > 1)):
            continue
        found = _body(parts, texts, refusal)
        if found is not None:
            chosen.append(found)
    chosen.sort()
    for index, _ in chosen[most:]:
        part = parts[index]
        left.append(f"{part.name or part.media.name}: only {most} attachments of a mail are printed")
    return Printed(tuple(chosen[:most]), tuple(left))


def _is_body(part: Part) -> bool:
    return part.media.name in (kinds.TEXT, kinds.HTML) and not part.name and not part.attached


def _is_ornament(part: Part, shown: Collection[str]) -> bool:
    inside = bool(part.content_id) and (part.content_id in shown or not part.attached)
    return not part.length or (inside and part.length < LOGO)


def _why_not(part: Part, kind: str) -> str:
    if len(part.messages) > 1:
        return "a mail inside a mail inside a mail is not opened"
    if part.media.name in _SEALED:
        return "it is encrypted for somebody, and cannot be read here"
    if part.media.name in _TNEF or kind == kinds.TNEF or part.name.casefold() == "winmail.dat":
        return "Outlook packed it so that only Outlook opens it; send the mail as text or HTML"
    return "" if part.whole else "the mail ends before it does"


def _body(
    parts: Sequence[Part], texts: Sequence[int], refusal: Callable[[Part, str], str]
) -> tuple[int, str] | None:
    """The first text with words in it; HTML only where there is no other."""
    for kind in (kinds.TEXT, kinds.HTML):
        for index in texts:
            part = parts[index]
            if part.media.name == kind and part.head.strip() and not refusal(part, kind):
                return index, kind
    return None
