"""May a message be answered by a machine? The rules of RFC 3834, so that no answer answers an answer."""

from __future__ import annotations

from mailshare.core.address import Address
from mailshare.core.headers import Headers
from mailshare.core.ladder import addressed
from mailshare.core.values import SECOND, User, UserKind

PAUSE = 7 * 86_400 * SECOND
"""Microseconds before the same sender gets an automatic answer of the same user again."""

_LIST_FIELDS = ("list-id", "list-post", "list-unsubscribe", "mailing-list", "x-mailing-list", "x-beenthere")
_BULK = frozenset({"bulk", "list", "junk"})
_ROBOTS = frozenset({"mailer-daemon", "postmaster", "root", "daemon", "no-reply", "noreply", "do-not-reply"})
TRACE_FIELD = "X-Mailshare-Trace"
"""On everything that leaves here by itself or is forwarded: ``instance id; trace``."""
_TRACE_KEY = TRACE_FIELD.lower()


def why_no_answer(
    headers: Headers,
    *,
    sender: Address | None,
    user: User,
    own: frozenset[tuple[str, str]],
    instance: str,
    last_answer: int | None,
    now: int,
) -> str:
    """Why this message gets no automatic answer; empty when it may get one.

    :param sender: the return path, ``None`` for the null sender; an answer goes there and nowhere else.
    :param user: whose answer it would be.
    :param own: :attr:`mailshare.core.address.Address.key` of every address of this user.
    :param instance: this server's id in :data:`TRACE_FIELD`.
    :param last_answer: when this sender last got one of this user's, microseconds UTC, or ``None``.
    :returns: ``robot-user``, ``null-sender``, ``robot``, ``automatic``, ``list``, ``bulk``, ``loop``, ``own``,
        ``not-addressed``, ``again`` or empty.
    Source: RFC 3834 section 2.
    """
    if user.kind is not UserKind.PERSON:
        return "robot-user"
    if sender is None:
        return "null-sender"
    local = sender.key[0]
    if local in _ROBOTS or local.startswith("owner-") or local.endswith(("-request", "-bounces", "-owner")):
        return "robot"
    if is_automatic(headers):
        return "automatic"
    if any(headers.named(name) for name in _LIST_FIELDS):
        return "list"
    if (headers.first("precedence") or "").strip().casefold() in _BULK or headers.named("x-auto-response-suppress"):
        return "bulk"
    if went_through(headers, instance):
        return "loop"
    if sender.key in own:
        return "own"
    if not any(box.address.key in own for _, box in addressed(headers)) and not _by_login(headers, own):
        return "not-addressed"
    return "again" if last_answer is not None and now - last_answer < PAUSE else ""


def is_automatic(headers: Headers) -> bool:
    """A machine says that it wrote this (RFC 3834 section 5)."""
    return (headers.first("auto-submitted") or "no").split(";")[0].strip().casefold() != "no"


def _by_login(headers: Headers, own: frozenset[tuple[str, str]]) -> bool:
    """It is written to a bare login, as colleagues may: a word without a domain, which is no address elsewhere."""
    texts = [text for name in ("to", "cc") for text in headers.all(name)]
    return any((part.strip(" <>").casefold(), "") in own for text in texts for part in text.split(","))


def went_through(headers: Headers, instance: str) -> bool:
    """The message left this server before: deliver it, but answer, forward and copy nothing outside.

    :param instance: :attr:`mailshare.core.values.Directory.instance`; with an empty one nothing is known.
    """
    marks = headers.by_name.get(_TRACE_KEY)
    return bool(marks and instance) and any(each.value.partition(";")[0].strip() == instance for each in marks or ())
