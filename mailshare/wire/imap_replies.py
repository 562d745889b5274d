"""Replies of an IMAP server, read without trust: status lines with their codes, mailboxes, rows of messages.

Source: RFC 3501 and RFC 9051 section 7, RFC 5530 (response codes), RFC 6154 (special uses).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import Factory, define, field, frozen

from mailshare.core.errors import PeerFault
from mailshare.wire.client_engine import Command
from mailshare.wire.imap_names import decode_name
from mailshare.wire.imap_tokens import Atom, Literal, Value, number, text_of, words
from mailshare.wire.pop3_client_replies import printable

_STATUS = re.compile(rb"(OK|NO|BAD|BYE|PREAUTH)(?: +(.*))?\Z", re.IGNORECASE | re.DOTALL)
_CODE = re.compile(r"\[([A-Za-z0-9/_\-]{1,64})(?: ([^\]]*))?\]\s*")
MAX_UID = 2**32 - 1
_MAX_SIZE = 10**18


@frozen
class IMAPLimits:
    """Caps on what a server may send.

    :ivar response: octets of one response, literals included, the octets of a message left out.
    :ivar rows: messages of one mailbox that are listed.
    :ivar message: octets of a message.
    :ivar names: capabilities, and mailboxes of LIST, that are kept.
    :ivar unasked: responses between two replies that no command asked for; two more for each message there is.
    :ivar window: commands sent ahead of their replies.
    :ivar window_octets: octets of replies asked for ahead.
    """

    response: int = 1_048_576
    rows: int = 100_000
    message: int = 100 * 1024 * 1024
    names: int = 1000
    unasked: int = 10_000
    window: int = 64
    window_octets: int = 2 * 1024 * 1024


@define(eq=False)
class IMAPCommand(Command):
    """A command and what has come for it so far.

    :ivar more: what is sent piece by piece, each when the server says ``+``.
    :ivar uid: the message that a FETCH of octets is about.
    :ivar item: the data item that brings them, e.g. ``BODY[]``.
    :ivar octets: of the message so far; ``came``: how many times it began.
    :ivar rows: uid to octets, of a listing.
    :ivar expected: rows that the mailbox should have.
    """

    tag: bytes = b""
    more: list[bytes] = field(factory=list, repr=False)
    uid: int = 0
    item: str = ""
    octets: int = 0
    came: int = 0
    fault: str = ""
    rows: dict[int, int] = field(factory=dict, repr=False)
    ignored: int = 0
    expected: int = 0
    found: list[int] = field(factory=list, repr=False)
    mailboxes: list[ListedMailbox] = field(factory=list, repr=False)
    selected: Selected | None = None


@define
class Selected:
    """The mailbox that is open.

    :ivar exists: messages in it, as the server last said.
    :ivar uidvalidity: 0 when it gave none.
    :ivar lasting: its unique-ids last from session to session (no ``UIDNOTSTICKY``).
    """

    exists: int = 0
    uidvalidity: int = 0
    uidnext: int = 0
    read_only: bool = False
    lasting: bool = True


@frozen
class ListedMailbox:
    r"""One mailbox of LIST.

    :ivar wire: its name as the server writes it.
    :ivar flags: upper case, e.g. ``\JUNK``, ``\NOSELECT``.
    :ivar delimiter: between the levels of names; empty when there are none.
    """

    wire: bytes
    flags: frozenset[str] = frozenset()
    delimiter: str = ""

    @property
    def name(self) -> str:
        """For people."""
        return decode_name(self.wire)


@frozen(eq=False)
class IMAPReply:
    """The end of a command.

    :ivar status: ``OK``, ``NO`` or ``BAD``; also ``BYE`` and ``PREAUTH`` of a greeting.
    :ivar code: response code in brackets, upper case, e.g. ``AUTHENTICATIONFAILED``; ``argument`` is what follows it.
    :ivar text: the server's words, made printable.
    :ivar octets: of the message given out in chunks.
    :ivar fault: why the message is not taken although octets came.
    :ivar news: mail has come, of the wait for news.
    """

    command: Command
    status: str
    text: str = ""
    code: str = ""
    argument: str = ""
    octets: int = 0
    fault: str = ""
    rows: Mapping[int, int] = Factory(dict)
    ignored: int = 0
    found: tuple[int, ...] = ()
    mailboxes: tuple[ListedMailbox, ...] = ()
    news: bool = False

    @property
    def ok(self) -> bool:
        """It was done."""
        return self.status == "OK"


@frozen
class Status:
    """A status response without its tag."""

    status: str
    code: str
    argument: str
    text: str


def read_status(line: bytes) -> Status:
    """Read ``OK [CODE argument] text``.

    :raises PeerFault: it is none of OK, NO, BAD, BYE, PREAUTH.
    """
    match = _STATUS.match(line)
    if not match:
        raise PeerFault(f"The server answered neither OK nor NO nor BAD: {printable(line, 80)}")
    # A list of capabilities may be long; everything else is for people.
    text = printable(match[2] or b"", 8192)
    code = _CODE.match(text)
    if code:
        return Status(match[1].decode().upper(), code[1].upper(), code[2] or "", text[code.end() :][:500])
    return Status(match[1].decode().upper(), "", "", text[:500])


def read_items(value: Value) -> dict[str, Value] | None:
    """The data items of a FETCH response: name to value, the first of each name; ``None`` when it is no such list."""
    if not isinstance(value, list) or len(value) % 2:
        return None
    items: dict[str, Value] = {}
    for name, what in zip(value[::2], value[1::2], strict=True):
        if not isinstance(name, Atom):
            return None
        items.setdefault(name.name.partition("<")[0], what)
    return items


def uid_of(items: Mapping[str, Value]) -> int:
    """The unique-id of a FETCH response, 0 when it has none."""
    return number(items.get("UID"), MAX_UID) or 0


def size_of(items: Mapping[str, Value]) -> int | None:
    """``RFC822.SIZE``; ``None`` when it is absent or nonsense."""
    return number(items.get("RFC822.SIZE"), _MAX_SIZE)


def read_mailbox(values: list[Value]) -> ListedMailbox | None:
    """What follows ``LIST``; ``None`` when it makes no sense."""
    if len(values) < 3:
        return None
    wire = text_of(values[2])
    if not wire or len(wire) > 1000 or isinstance(values[2], Literal):
        return None
    return ListedMailbox(wire, frozenset(words(values[0])), printable(text_of(values[1]) or b"", 4))


def read_found(values: list[Value], limit: int) -> list[int]:
    """Unique-ids of a SEARCH or ESEARCH response, sets counted out, so many at most.

    ESEARCH names them behind ``ALL`` (RFC 4731 section 3.1); in SEARCH there is nothing else.
    """
    names = [one.name if isinstance(one, Atom) else "" for one in values]
    if "ALL" in names:
        names = names[names.index("ALL") + 1 :][:1]
    found: list[int] = []
    for piece in ",".join(names).split(","):
        first, _, last = piece.partition(":")
        last = last or first
        if first.isdecimal() and last.isdecimal() and len(first) < 11 and len(last) < 11:
            low, high = sorted((int(first), int(last)))
            found.extend(range(low, min(high + 1, low + limit - len(found))))
    return found


def uid_sets(uids: list[int], most: int = 4000) -> list[bytes]:
    """Unique-ids as sequence sets, each of so many octets at most: ``1:5,7``. No other id lies inside."""
    pieces: list[str] = []
    run: list[int] = []
    for uid in [*sorted(set(uids)), 0]:
        if run and uid != run[-1] + 1:
            pieces.append(str(run[0]) if len(run) == 1 else f"{run[0]}:{run[-1]}")
            run = []
        run.append(uid)
    sets: list[str] = []
    for piece in pieces:
        if sets and len(sets[-1]) + len(piece) < most:
            sets[-1] += f",{piece}"
        else:
            sets.append(piece)
    return [one.encode() for one in sets]
