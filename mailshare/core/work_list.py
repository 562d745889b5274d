"""ADMIN's mail as work: why a message lies there, what can be taught from it, and how a copy is handed on. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from attrs import frozen

from mailshare.core.errors import PolicyRefusal
from mailshare.core.headers import Headers
from mailshare.core.ladder import Decision, addressed, list_marks
from mailshare.core.names import normalise
from mailshare.core.people import people_of
from mailshare.core.sorting import ladder_for, sort_collected
from mailshare.core.values import Account, Directory, Entry, SentMark, Source

_REASON = b"x-mailshare-reason:"
_EMPTY = b"\r\n"
_REPLACED = (_REASON, b"delivered-to:", b"x-mailshare-copy-for:")
RULE_KINDS = ("list", "from", "to")
REASONS = {
    "no-name": "It is written to the shared address, and no name stands with it",
    "unknown-name": "Nobody has the name it is written to",
    "ambiguous": "Several people have the name it is written to",
    "not-addressed": "The account's address stands nowhere in it: a blind copy, or the mail of a list",
    "unknown-user": "Nobody has the address it is written to",
    "former-user": "The mailbox it is written to is closed",
    "local-only": "Whom it is written to gets no mail from outside",
    "oversize": "Its header passes the limits, so nobody is guessed from it",
    "loop": "It was here before: it goes in circles",
    "public-refused": "Its sender may not write to everybody",
    "public-capped": "Its sender wrote to everybody too often in that hour",
    "outside": "A device without login wrote to the outside",
    "nobody": "No mailbox was left to give it to",
    "": "It is written to ADMIN",
}
"""Why a message lies with ADMIN, in words."""
_LIKE = 0.78
_MOST_LIKE = 5


@frozen
class Candidate:
    """Who a message might be for. Nothing is delivered by this: it is shown to ADMIN, who decides.

    :ivar why: in words.
    :ivar name: the unknown name that would be taught; empty when there is none.
    """

    user: str
    why: str
    name: str = ""


def reason_of(prefix: bytes) -> str:
    """The reason in the prefix of ADMIN's copy; empty for mail that was meant for ADMIN."""
    for line in prefix.split(b"\r\n"):
        if line.lower().startswith(_REASON):
            return line[len(_REASON) :].strip().decode("ascii", "replace")
    return ""


def held_because(entry: Entry) -> str:
    """The reason for which ADMIN has a message, as what is sent on by itself is barred by it: ``report`` for what this
    server wrote, ``trouble`` for what could not be sorted."""
    if entry.message.source is Source.REPORT:
        return "report"
    reason = reason_of(entry.prefix)
    return reason if reason in REASONS else "trouble"


def handed_on(prefix: bytes, lines: bytes) -> bytes:
    """The prefix of a copy that ADMIN gives away: ``lines``, and what is true of any copy of the message.

    That is so of an empty line too, which stands above a message that begins with its text.
    """
    kept = [line for line in prefix.split(b"\r\n") if line and not line.lower().startswith(_REPLACED)]
    own = lines[: -len(_EMPTY)] if lines.endswith(b"\r\n" + _EMPTY) else lines
    own += b"".join(line + b"\r\n" for line in kept if line.split(b":")[0].lower() not in _names(lines))
    return own + _EMPTY if prefix.endswith(b"\r\n" + _EMPTY) else own


def _names(lines: bytes) -> set[bytes]:
    return {line.split(b":")[0].lower() for line in lines.split(b"\r\n") if line}


def unknown_names(
    headers: Headers, account: Account, directory: Directory, known: Mapping[str, SentMark]
) -> tuple[tuple[str, str], ...]:
    """What the message was written to and nobody bears: ``(name, as written)``, each once, in order."""
    decision: Decision = sort_collected(headers, account, directory, known)
    return tuple(dict.fromkeys(decision.unknown))


def rule_from(
    headers: Headers, account: Account, directory: Directory, kind: str, unknown: tuple[tuple[str, str], ...] = ()
) -> tuple[str, str]:
    """The rule that ADMIN teaches with one message.

    :param kind: ``list``, ``from``, ``to``; empty: by list for the mail of a list, else by sender.
    :param unknown: of :func:`unknown_names`; a rule by what was written to takes the first.
    :returns: kind and the text to match.
    :raises PolicyRefusal: the message holds nothing of that kind, or a rule from it would catch everything.
    """
    marks = list_marks(headers)
    kind = kind or ("list" if marks else "from")
    own = people_of(directory).sharers[account.id]
    if kind == "list":
        if not marks:
            raise PolicyRefusal("This message is not of a mailing list; teach by from or to")
        return kind, marks[0]
    if kind == "from":
        senders = [box.address for box in headers.mailboxes("from")]
        if not senders:
            raise PolicyRefusal("This message has no sender's address; teach by list or to")
        if own.own_address(senders[0])[0] or own.in_own_domain(senders[0]):
            raise PolicyRefusal(f"{senders[0]} is an address of this office; a rule by it would catch too much")
        return kind, str(senders[0]).casefold()
    if kind != "to":
        raise PolicyRefusal(f"{kind!r} is none of {', '.join(RULE_KINDS)}")
    texts = [written for _, written in unknown]
    texts += [str(box.address) for _, box in addressed(headers) if not own.own_address(box.address)[0]]
    matches = [normalise(text) for text in texts if normalise(text)]
    if not matches:
        raise PolicyRefusal("This message is written to nobody but the shared address; teach by list or from")
    return kind, matches[0]


def candidates(
    headers: Headers,
    account: Account,
    directory: Directory,
    known: Mapping[str, SentMark],
    unknown: tuple[tuple[str, str], ...],
) -> tuple[Candidate, ...]:
    """Who a message might be for, likeliest first: those who share an ambiguous name, then those whose name is like it.

    :param unknown: of :func:`unknown_names`.
    """
    found: dict[str, Candidate] = {}
    ladder = ladder_for(headers, account, directory, known)
    for _, box in ladder.candidates():
        for user_id in ladder.sharers.names.match(box.name, box.fragments).contenders:
            user = directory.user_by_id[user_id]
            found.setdefault(user.name, Candidate(user.name, f"has the name {box.name} too"))
    bears = {normalise(name): user.name for user in directory.members(account.id) for name in (*user.names, user.name)}
    for name, _ in unknown[:10]:
        for like in difflib.get_close_matches(normalise(name)[:100], bears, _MOST_LIKE, _LIKE):
            found.setdefault(bears[like], Candidate(bears[like], f"{like} is spelled like {name}", name))
    return tuple(found.values())[:_MOST_LIKE]


def suggestion(
    reason: str, headers: Headers, unknown: tuple[tuple[str, str], ...], likely: tuple[Candidate, ...]
) -> str:
    """What ADMIN may do with a message, as the words behind ``mailshare admin``; ``USER`` where only ADMIN can tell."""
    user = likely[0].user if len(likely) == 1 else "USER"
    if reason in ("unknown-name", "unknown-user") and len(unknown) == 1:
        return f"teach ID {user}"
    if reason in ("no-name", "not-addressed", "unknown-name", "unknown-user", "former-user"):
        return f"always-give ID {user} --by {'list' if list_marks(headers) else 'from'}"
    return f"give ID {user}" if reason else ""
