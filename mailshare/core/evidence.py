"""What the provider's servers wrote about the envelope, and how far down a header block they can be believed.

A message arrives with fields that the provider put on top and fields that its sender wrote below. Only the upper part,
the *trusted block*, is evidence. It ends with the last of the provider's own ``Received`` fields; a sender may well
write a ``Delivered-To`` of his own, but he writes it further down.

Source: RFC 5321 section 4.4 (trace fields, ``for`` with one address), RFC 9228 (Delivered-To).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from attrs import frozen

from mailshare.core.address import Address
from mailshare.core.derived import derived
from mailshare.core.headers import Field, Headers
from mailshare.core.mailboxes import read_mailboxes

ENVELOPE_FIELDS = (
    "x-original-to",
    "x-envelope-to",
    "envelope-to",
    "x-rcpt-to",
    "x-real-to",
    "x-delivered-to",
    "x-mdrcpt-to",
    "delivered-to",
    "x-apparently-to",
)
"""Fields that providers write the envelope recipient into, the most telling first (lower case)."""

_ON_TOP = frozenset({"return-path", *ENVELOPE_FIELDS})
_PAREN = re.compile(r"\\.|[()]", re.DOTALL)
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.\-]*[A-Za-z0-9_])?")
_CALLED = re.compile(r"(?<![^\s\[(])(?:helo|ehlo)[ =]([^\s@]+)(?!\S)", re.IGNORECASE)
_LOCAL = frozenset({"localhost", "localhost.localdomain"})
_IPV4 = re.compile(r"(?<![\w.-])(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?![\w.-])")
_IPV6 = re.compile(r"(?:IPv6:|\[)([0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{2,45})")
_REGISTRY = re.compile(r"[a-z]{2,3}\.[a-z]{2}\Z")  # co.uk, com.au: names are registered below, so no house of one owner
_KEYWORDS = frozenset({"from", "by", "via", "with", "id", "for"})


@frozen
class Received:
    """A ``Received`` field, as far as it is evidence.

    :ivar by: host that wrote it, casefolded; empty when it does not say.
    :ivar helo: what the client called itself, casefolded; empty without a ``from`` clause.
    :ivar seen: what the server itself saw of the client: the comments in the ``from`` clause, without ``HELO x`` or
        ``helo=x`` there; where these stand, the clause's first word too.
    :ivar recipients: addresses of the ``for`` clause; evidence only when it is exactly one.
    """

    by: str = ""
    helo: str = ""
    seen: str = ""
    recipients: tuple[Address, ...] = ()


def _parts(text: str) -> list[tuple[str, bool]]:
    """Words, and comments (True) as one part each, in order. An unclosed comment runs to the end."""
    out: list[tuple[str, bool]] = []
    depth = position = 0
    for found in _PAREN.finditer(text):
        if found[0] == "(":
            if not depth:
                out.extend((word, False) for word in text[position : found.start()].split())
                position = found.end()
            depth += 1
        elif found[0] == ")" and depth:
            depth -= 1
            if not depth:
                out.append((text[position : found.start()], True))
                position = found.end()
    if depth:
        out.append((text[position:], True))
    else:
        out.extend((word, False) for word in text[position:].split())
    return out


def read_received(value: str) -> Received:
    """Read an unfolded ``Received`` value; what it lacks stays empty.

    A ``for`` that stands twice, or inside a comment, is no evidence.
    """
    clauses: dict[str, list[str]] = {}
    comments: list[str] = []
    doubled = False
    current: str | None = None
    for word, is_comment in _parts(value):
        if is_comment:
            if current == "from":
                comments.append(word)
            continue
        key = word.lower()
        unsaid = current in {"from", "by"} and not clauses[current] and not (comments and current == "from")
        if key in _KEYWORDS and not unsaid:
            doubled = doubled or (key == "for" and key in clauses)
            current = key
            clauses.setdefault(key, [])
        elif current is not None:
            clauses[current].append(word.rstrip(";"))
            if word.endswith(";"):
                break  # only the date may follow (RFC 5321 section 4.4)
    written_for = clauses.get("for")
    recipients = read_mailboxes(" ".join(written_for), 3)[0] if written_for and not doubled else ()
    helo, seen = _host(clauses.get("from", [])), " ".join(comments)
    if not helo:
        seen = "".join(comments[-1:])  # whoever calls himself (x) gets a comment in front of what was seen
    elif called := _CALLED.search(seen):  # qmail and Exim: what was seen stands first
        helo, seen = _host([called[1]]), f"{_CALLED.sub(' ', seen)} {helo}"
    return Received(
        by=_host(clauses.get("by", [])),
        helo=helo,
        seen=seen,
        recipients=tuple(box.address for box in recipients),
    )


@derived
def hop_of(received: Field) -> Received:
    """What a ``Received`` field says; it stays with the field."""
    return read_received(received.value)


def _host(words: Sequence[str]) -> str:
    return words[0].strip("[]<>").rstrip(".").casefold() if words else ""


def _same_house(host: str, trusted_by: Collection[str]) -> bool:
    """The host is one of these, or lies beside one of them in its domain."""
    if host in trusted_by:
        return True
    parents = {trusted.partition(".")[2] for trusted in trusted_by}
    return any("." in parent and not _REGISTRY.match(parent) and host.endswith("." + parent) for parent in parents)


def _networks(text: str) -> list[bool]:
    """Of each IP address in it: is it one of a house or of the machine itself?"""
    found = []
    for each in _IPV4.finditer(text):
        a, b = int(each[1]), int(each[2])
        found.append(a in {10, 127} or (a, b) == (192, 168) or (a == 172 and 16 <= b <= 31))
    found6 = [each[1].lower() for each in _IPV6.finditer(text)]
    return found + [each == "::1" or each[:2] in {"fc", "fd", "fe"} for each in found6]


def came_from_outside(hop: Received, trusted_by: Collection[str]) -> bool:
    """The hop says that a strange host handed the message in, so whatever stands below was written by strangers.

    What the server saw counts; what the client called itself only where nothing was seen. A name that the server saw
    but holds to be forged says nothing, nor does one that a stranger may give to his own address
    (``localhost.evil.example``).
    """
    if hop.seen:
        networks = _networks(hop.seen)
        if networks and all(networks):
            return False
        text = hop.seen.casefold()
        names = set(_HOST.findall(text))
        hosts = {name for name in names - _LOCAL if "." in name and not _IPV4.fullmatch(name)}
        if "may be forged" not in text and any(_same_house(host, trusted_by) for host in hosts):
            return False
        if networks or hosts:
            return True
        if names & _LOCAL:
            return False
    if "." not in hop.helo or any(_networks(hop.helo)):
        return False
    return not _same_house(hop.helo, trusted_by)


@frozen
class TrustedBlock:
    """The upper part of a header block that the provider wrote.

    :ivar fields: from the top down to and including the provider's last ``Received``.
    :ivar hops: its ``Received`` fields, top down.
    """

    fields: tuple[Field, ...] = ()
    hops: tuple[Received, ...] = ()

    @classmethod
    def of(cls, headers: Headers, trusted_by: Collection[str] = ()) -> TrustedBlock:
        """Find where trust ends.

        :param trusted_by: the provider's hosts, casefolded. Consecutive ``Received`` fields written by them belong to
            the block, until one says that the message came from a strange host. Without any of them the first
            ``Received`` ends it; without a ``Received`` it is the run of envelope fields on top.
        """
        end, fields, names = 0, headers.fields, headers.names()
        hops: list[Received] = []
        for number, name in enumerate(names if "received" in headers.by_name else ()):
            if name != "received":
                continue
            hop = hop_of(fields[number])
            if hops and not written_by(hop, trusted_by):
                break
            hops.append(hop)
            end = number + 1
            if not written_by(hop, trusted_by) or came_from_outside(hop, trusted_by):
                break
        if not hops:
            while end < len(names) and names[end] in _ON_TOP:
                end += 1
        return cls(fields[:end], tuple(hops))

    def values(self, name: str) -> tuple[str, ...]:
        """Unfolded values of the fields of that lower-case name inside the block, top down."""
        return tuple(each.value for each in self.fields if each.key == name)


_SPAM_MARKS = {"x-spam-flag": "yes", "x-spam": "yes", "x-spam-status": "yes"}


def marked_as_spam(block: TrustedBlock) -> bool:
    """The provider itself says that this is spam, in one of the fields that the usual filters write.

    Below the block anybody could have written them; what stands there counts for nothing.
    """
    return any(
        each.value[: len(word)].casefold() == word
        for each in block.fields
        if (word := _SPAM_MARKS.get(each.key)) is not None
    )


def written_by(hop: Received, trusted_by: Collection[str]) -> bool:
    """One of these hosts wrote the line; ``.isp.example`` among them means every host below that domain."""
    if not hop.by:
        return False
    return hop.by in trusted_by or any(each.startswith(".") and hop.by.endswith(each) for each in trusted_by)


def envelope_candidates(block: TrustedBlock, order: Sequence[str]) -> list[tuple[str, tuple[Address, ...]]]:
    """Envelope recipients in a trusted block, best evidence first.

    :param order: lower-case field names, the most telling first.
    :returns: ``(field name, its addresses)``; of one name the lowest field, which is the outermost hop's, comes first.
    """
    out: list[tuple[str, tuple[Address, ...]]] = []
    there: dict[str, list[Field]] = {}
    for each in reversed(block.fields):
        there.setdefault(each.key, []).append(each)
    for name in order:
        for each in there.get(name, ()):
            boxes = each.address_list[0]
            if boxes:
                out.append((name, tuple(box.address for box in boxes)))
    return out
