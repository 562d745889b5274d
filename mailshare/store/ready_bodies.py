"""Stored messages that go on a POP3 wire as they are: nothing is looked for in them, and a file is not even read.

Whether a message is one of them was found out while it came in, and is a flag of its entries.
"""

from __future__ import annotations

import os

from attrs import field, frozen
from zope.interface import implementer

from mailshare.core.errors import LocalFault, Unavailable
from mailshare.interfaces import IReadyBody
from mailshare.store.bodies import FileBody, MemoryBody, PrefixedBody

MOST_SENT = 1 << 20
"""Octets that one trip to a thread sends at most, so that a quick client leaves the threads to others as well."""


@implementer(IReadyBody)
@frozen
class ReadyMemoryBody(MemoryBody):
    """One that is held whole."""

    @property
    def at_hand(self) -> int:
        """All of it."""
        return self.size

    async def send_to(self, descriptor: int, start: int) -> int:
        """There is no file.

        :raises LocalFault: always.
        """
        raise LocalFault("A body in memory has no file to be sent from", detail={"to": descriptor, "start": start})


@implementer(IReadyBody)
@frozen
class ReadyFileBody(FileBody):
    """One in a content file."""

    at_hand: int = 0

    async def send_to(self, descriptor: int, start: int) -> int:
        """Some of the file, by sendfile(2), in a thread."""
        path, end = self.path, self.size
        return await self.in_thread(lambda: send_file(path, descriptor, start, end))


@implementer(IReadyBody)
@frozen
class ReadyPrefixedBody(PrefixedBody):
    """One in a content file, with the header lines of one mailbox entry in front."""

    body: ReadyFileBody = field()

    @property
    def at_hand(self) -> int:
        """The lines in front."""
        return len(self.prefix)

    async def send_to(self, descriptor: int, start: int) -> int:
        """Some of the file."""
        return await self.body.send_to(descriptor, start - len(self.prefix))


def send_file(path: str, descriptor: int, start: int, end: int) -> int:
    """Send octets of a file from ``start``, until ``end`` or the socket takes no more for now.

    :raises Unavailable: the file is missing, shorter than its row says, or the disk fails.
    :raises OSError: the connection is broken.
    """
    end = min(end, start + MOST_SENT)
    position = start
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as fault:
        raise Unavailable(detail={"file": path, "why": str(fault)}) from fault
    try:
        while position < end:
            sent = os.sendfile(descriptor, file, position, end - position)
            if not sent:
                raise Unavailable(detail={"file": path, "why": "the content file is shorter than its row says"})
            position += sent
    except BlockingIOError:
        pass  # what the socket took is counted, and the rest comes when it takes more
    finally:
        os.close(file)
    return position - start
