"""ADMIN's mail as work: why a message lies there, what can be taught from it, and how a copy is handed on. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from mailshare.core.errors import PolicyRefusal
from mailshare.core.headers import Headers
from mailshare.core.ladder import Decision, addressed, list_marks
from mailshare.core.names import normalise
from mailshare.core.people import people_of
from mailshare.core.sorting import sort_collected
from mailshare.core.values import Account, Directory, SentMark

_REASON = b"x-mailshare-reason:"
_REPLACED = (_REASON, b"delivered-to:", b"x-mailshare-copy-for:")
RULE_KINDS = ("list", "from", "to")


def reason_of(prefix: bytes) -> str:
    """The reason in the prefix of ADMIN's copy; empty for mail that was meant for ADMIN."""
    for line in prefix.split(b"\r\n"):
        if line.lower().startswith(_REASON):
            return line[len(_REASON) :].strip().decode("ascii", "replace")
    return ""


def handed_on(prefix: bytes, lines: bytes) -> bytes:
    """The prefix of a copy that ADMIN gives away: ``lines``, and what is true of any copy of the message."""
    kept = [line for line in prefix.split(b"\r\n") if line and not line.lower().startswith(_REPLACED)]
    return lines + b"".join(line + b"\r\n" for line in kept if line.split(b":")[0].lower() not in _names(lines))


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
