"""A document as it travels by mail: packed where that gains something, cut in parts, each encrypted if that is wanted.

Everything can be made again from the stored document, octet for octet, so nothing of it is kept: a part that is asked
for is made anew. A packed document is a row of gzip members (RFC 1952 section 2.2), one for each mebibyte, so that a
part from its middle needs no more than its own share to be packed again.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable, Sequence

from attrs import frozen

from mailshare.core import print_formats as kinds
from mailshare.core.print_manifest import TAG, Encryption
from mailshare.core.print_parts import cut
from mailshare.core.values import PrintDocument
from mailshare.wire.print_secrecy import Sealing

MEMBER = 1 << 20  # octets of the document in each member
_SHRINKING = frozenset({kinds.POSTSCRIPT, kinds.PWG, kinds.URF, kinds.PCL, kinds.PCLXL, kinds.TEXT, kinds.HTML})

Read = Callable[[int, int], AsyncIterator[bytes]]
"""Some octets of the document: from where, and how many."""


def shrinks(document: PrintDocument) -> bool:
    """It is of a kind that is worth packing; PDF and pictures are packed already."""
    return document.format in _SHRINKING


def packed(data: bytes) -> bytes:
    """One gzip member; the same octets give the same member."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


@frozen
class Seal:
    """What parts are encrypted with.

    :ivar key: of the job. :ivar told: what the manifest says of it.
    """

    key: bytes
    told: Encryption


@frozen
class Plan:
    """How a document is cut.

    :ivar sizes: octets of each part before it is encrypted.
    :ivar members: octets of each gzip member; empty = it is not packed.
    """

    sizes: tuple[int, ...]
    members: tuple[int, ...] = ()

    @property
    def encoding(self) -> str:
        """As the manifest calls it."""
        return "gzip" if self.members else "none"


async def planned(read: Read, length: int, part: int, *, pack: bool, seal: bool) -> Plan:
    """Find out where to cut.

    :param part: octets of a part in its mail, at most.
    :raises TooManyPrintParts: see there.
    """
    room = part - TAG if seal else part
    if not pack:
        return Plan(cut(length, room))
    members = [len(packed(await _whole(read, at, length))) for at in range(0, length, MEMBER)]
    return Plan(cut(sum(members), room), tuple(members))


async def travelling(
    read: Read, length: int, plan: Plan, number: int, *, job: str, seal: Seal | None
) -> AsyncIterator[bytes]:
    """The octets of one part as they stand in its mail, before base64.

    :param job: the manifest's id.
    """
    start, size = sum(plan.sizes[: number - 1]), plan.sizes[number - 1]
    clear = _packed_octets(read, length, plan.members, start, size) if plan.members else read(start, size)
    sealing = None if seal is None else Sealing(seal.key, job, number)
    async for piece in clear:
        yield piece if sealing is None else sealing.feed(piece)
    if sealing is not None:
        yield sealing.end()


async def _packed_octets(
    read: Read, length: int, members: Sequence[int], start: int, size: int
) -> AsyncIterator[bytes]:
    at, end = 0, start + size
    for index, octets in enumerate(members):
        if at < end and at + octets > start:
            member = packed(await _whole(read, index * MEMBER, length))
            yield member[max(0, start - at) : end - at]
        at += octets


async def _whole(read: Read, at: int, length: int) -> bytes:
    pieces = [piece async for piece in read(at, min(MEMBER, length - at))]
    return b"".join(pieces)
