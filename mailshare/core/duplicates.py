"""When two copies are one message: the key that each mailbox takes once."""

from __future__ import annotations

from hashlib import sha256

from mailshare.core.headers import Headers

_TELLING = frozenset({"from", "date", "subject"})


def identity(headers: Headers) -> bytes:
    """The normalised Message-ID; without one, what else tells two messages apart."""
    own = headers.own_id
    if own:
        return b"id\x00" + own.casefold().encode("utf-8", "replace")
    parts = (" ".join((headers.first(name) or "").split()) for name in ("from", "date", "subject"))
    return b"no-id\x00" + b"\x00".join(part.encode("utf-8", "replace") for part in parts)


def duplicate_key(
    headers: Headers, content_digest: bytes, digest: bytes, *, collapse_lists: bool = False
) -> bytes:
    """The key of a message: 32 octets, equal for copies of one message.

    Made of the Message-ID (or From, Date and Subject where there is none) and of the text. A copy through a mailing
    list has other text, so it counts as another message. Of a message that has none of these fields, or no header at
    all, nothing is left out: what came before its first empty line may be all its text.

    :param content_digest: :attr:`mailshare.interfaces.IBody.content_digest`.
    :param digest: :attr:`mailshare.interfaces.IBody.digest`.
    :param collapse_lists: take Date in place of the text, so that a list's copy with its footer equals the direct one,
        whichever comes first. It is asked of every message, for the direct copy does not say that a list has it too.
        Lists keep Message-ID and Date; Date parts messages of programs that use one Message-ID twice.
    """
    if not headers.own_id and (headers.begins_with_text or not headers.has(_TELLING)):
        content_digest = digest
    date = " ".join((headers.first("date") or "").split()) if collapse_lists and headers.own_id else ""
    second = b"date\x00" + date.encode("utf-8", "replace") if date else content_digest
    return sha256(sha256(identity(headers)).digest() + second).digest()
