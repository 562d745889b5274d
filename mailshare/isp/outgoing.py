"""A stored message as it leaves: the same octets with the office's trace line on top.

The line is put on here, where mail leaves, and not where it comes in: so everything that goes out bears it, also what
is forwarded, while mail between colleagues does not.
"""

from __future__ import annotations

from attrs import frozen

from mailshare.core.autoreply import TRACE_FIELD
from mailshare.core.values import QueueItem
from mailshare.interfaces import IBody


def trace_line(instance: str, trace: str) -> bytes:
    """The header line by which a message is known again when it comes back; none without an id."""
    return f"{TRACE_FIELD}: {instance}; {trace}\r\n".encode() if instance else b""


def top_lines(instance: str, item: QueueItem) -> bytes:
    """What goes on top of a message: the trace, and the row's own lines (``Delivered-To`` of what is forwarded)."""
    return trace_line(instance, item.trace) + str(item.params.get("top", "")).encode()


@frozen(eq=False)
class Outgoing:
    """A body with lines on top.

    :ivar top: whole header lines, CRLF ended.
    """

    body: IBody
    top: bytes = b""

    @property
    def size(self) -> int:
        """Octets."""
        return len(self.top) + self.body.size

    async def read(self, start: int, length: int) -> bytes:
        """Octets from ``start``; fewer than ``length`` at the end and where the lines on top end.

        :raises Unavailable: when the store does not give them.
        """
        if start < len(self.top):
            return self.top[start : start + length]
        return await self.body.read(start - len(self.top), length)
