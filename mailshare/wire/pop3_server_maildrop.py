"""The maildrop as one POP3 session sees it: numbers, sizes, unique-ids, and what it has marked as deleted.

Source: RFC 1939 sections 5 and 7.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, MutableMapping, Sequence

from mailshare.core.errors import PeerFault

_NUMBER = re.compile(rb"0*([1-9][0-9]{0,8})\Z")


class NotThere(PeerFault):
    """A message number that leads nowhere: well said, so it is no fault to be punished."""


def _nothing(_uid: int) -> None:
    """No message is at hand."""


class MaildropView:
    """Totals from the start, the listing from when it was first asked for.

    :ivar listed: the listing is here.
    :ivar deleted: indexes marked with ``DELE``.
    :ivar retrieved: indexes sent whole by ``RETR``.
    :ivar at_hand: for one of the maildrop's own numbers, the message as it goes on the wire, without its final dot, if
        it can be had without a wait.
    """

    def __init__(self, count: int, octets: int) -> None:
        self.count = count
        self._octets = octets
        self._deleted_octets = 0
        self._sizes: Sequence[int] | None = None
        self.listed = False
        self._uids: Sequence[int] = ()
        self._uidl: Callable[[int], str] = str
        self._shown: MutableMapping[str, bytes] = {}
        self.at_hand: Callable[[int], bytes | None] = _nothing
        self.deleted: set[int] = set()
        self.retrieved: set[int] = set()

    def take_listing(
        self,
        sizes: Sequence[int],
        uids: Sequence[int],
        uidl: Callable[[int], str],
        shown: MutableMapping[str, bytes] | None = None,
    ) -> None:
        """Take the listing.

        :param sizes: octets of each message, as ``RETR`` sends them.
        :param uids: the maildrop's own number of each.
        :param uidl: the unique-id of such a number, 1 to 70 characters 0x21-0x7e.
        :param shown: what ``LIST`` and ``UIDL`` show of this listing while nothing is deleted; looked up and added to.
        """
        self.listed = True
        self._sizes = sizes
        self._uids = uids
        self._uidl = uidl
        self._shown = {} if shown is None else shown
        self.count = len(sizes)
        self._octets = sum(sizes)

    def totals(self) -> tuple[int, int]:
        """Messages and octets that are not deleted."""
        return self.count - len(self.deleted), self._octets - self._deleted_octets

    def find(self, argument: bytes) -> int:
        """The index of the message with this number.

        :raises PeerFault: it is no number, with words for the client.
        :raises NotThere: it is one, but of no message.
        """
        match = _NUMBER.match(argument)
        if not match:
            raise PeerFault("A message number is 1 or more, in digits")
        index = int(match[1]) - 1
        if index >= self.count:
            raise NotThere(f"No such message, there are {self.count}")
        if index in self.deleted:
            raise NotThere("That message is deleted")
        return index

    def take(self, index: int, most: int) -> tuple[bytes, bytes, bytes] | None:
        """What to answer ``RETR`` with: one line, a message that is there, at hand and no larger than ``most``, and its
        end. It counts as retrieved. The listing must be here.
        """
        sizes = self._sizes
        assert sizes is not None
        if index >= self.count or sizes[index] > most or index in self.deleted:
            return None
        message = self.at_hand(self._uids[index])
        if message is None:
            return None
        self.retrieved.add(index)
        return b"+OK %d octets\r\n" % sizes[index], message, b".\r\n"

    def size(self, index: int) -> int:
        """Octets of a message; the listing must be here."""
        assert self._sizes is not None
        return self._sizes[index]

    def uid(self, index: int) -> str:
        """Unique-id of a message; the listing must be here."""
        return self._uidl(self._uids[index])

    def delete(self, index: int) -> bool:
        """Mark a message, if it is there and not marked yet."""
        if index >= self.count or index in self.deleted:
            return False
        self.deleted.add(index)
        self._deleted_octets += self.size(index)
        return True

    def reset(self) -> None:
        """Take all marks of deletion away."""
        self.deleted.clear()
        self._deleted_octets = 0

    def scan_lines(self) -> bytes:
        """What ``LIST`` shows, up to and with the final dot."""
        sizes = self._sizes
        assert sizes is not None
        return self._lines("LIST", lambda: map(str, sizes))

    def uid_lines(self) -> bytes:
        """What ``UIDL`` shows, up to and with the final dot."""
        return self._lines("UIDL", lambda: map(self._uidl, self._uids))

    def _lines(self, name: str, texts: Callable[[], Iterable[str]]) -> bytes:
        """A line for each message that is not deleted, made once for all sessions that delete nothing.

        :param texts: makes what stands behind the numbers.
        """
        gone = self.deleted
        if gone:
            rows = [f"{n} {text}\r\n" for n, text in enumerate(texts(), 1) if n - 1 not in gone]
        elif name in self._shown:
            return self._shown[name]
        else:
            rows = [f"{n} {text}\r\n" for n, text in enumerate(texts(), 1)]
        rows.append(".\r\n")
        lines = "".join(rows).encode("ascii")
        if not gone:
            self._shown[name] = lines
        return lines
