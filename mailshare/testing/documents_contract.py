"""What everything that looks at documents and converts them must do.

Inherit :class:`DocumentsContract` in a test module and give the fixture ``documents``: an object that provides
:class:`~mailshare.interfaces.IDocuments` and takes PDF and PNG. Tests are coroutines; pytest-twisted runs them, or any
runner that awaits Deferreds.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import AsyncIterator
from hashlib import sha256

import pytest
from twisted.internet.defer import CancelledError, Deferred
from zope.interface.verify import verifyObject

from mailshare.core import print_formats as kinds
from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.errors import Unavailable
from mailshare.core.print_test_page import test_page
from mailshare.core.values import Conversion, DocumentFacts
from mailshare.interfaces import IDocuments, IMadeDocument

PAPER = test_page(["A page"])
MOST_READ = 256 * 1024


async def in_pieces(octets: bytes, length: int = 1000) -> AsyncIterator[bytes]:
    """A document as it is handed over."""
    for start in range(0, len(octets), length):
        yield octets[start : start + length]


def png(width: int, height: int) -> bytes:
    """A grey picture that does not compress, so that what is made of it is more than one read."""
    rows, number = bytearray(), 1
    for _ in range(height):
        rows.append(0)
        for _ in range(width):
            number = number * 1_103_515_245 + 12_345 & 0x7FFFFFFF
            rows.append(number >> 16 & 255)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    out = b"\x89PNG\r\n\x1a\n"
    for name, data in ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(rows), 1)), (b"IEND", b"")):
        out += struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return out


async def whole(made: IMadeDocument) -> bytes:
    """All octets of what was made."""
    out = b""
    while len(out) < made.size:
        piece = await made.read(len(out), 1 << 30)
        assert 0 < len(piece) <= MOST_READ, "fewer octets than asked for only at the end, and never more than 256 KiB"
        out += piece
    return out


class DocumentsContract:
    """The tests."""

    async def test_it_looks_at_documents(self, documents: IDocuments) -> None:
        """It has all that the interface asks for, and finds out what a document is by its octets, however cut."""
        assert verifyObject(IDocuments, documents)
        for length in (1, 1 << 20):
            found = await documents.facts(in_pieces(PAPER, length), "text/plain")
            assert isinstance(found, DocumentFacts)
            assert (found.format, found.octets, found.pages) == (kinds.PDF, len(PAPER), 1)
            assert (found.encrypted, tuple(found.active)) == (False, ())

    async def test_what_is_taken_already_comes_out_as_it_came(self, documents: IDocuments) -> None:
        """With its pages, its length and its digest."""
        made = await documents.convert(in_pieces(PAPER), Conversion((kinds.PWG, kinds.PDF)))
        assert verifyObject(IMadeDocument, made)
        assert (made.format, made.pages, await whole(made)) == (kinds.PDF, 1, PAPER)
        assert (made.size, made.digest) == (len(PAPER), sha256(PAPER).digest())
        made.release()

    async def test_what_is_made_is_what_it_said_it_would_be(self, documents: IDocuments) -> None:
        """``makes`` tells beforehand, and tells nothing of what will be refused."""
        picture, nothing = png(700, 700), "application/x-nothing"
        for wanted in (kinds.PDF, nothing):
            expected = documents.makes(kinds.PNG, [wanted])
            assert expected in ("", wanted)
            if expected:
                made = await documents.convert(in_pieces(picture), Conversion((wanted,)))
                assert (made.format, made.pages) == (wanted, 1)
                out = await whole(made)
                assert (len(out), sha256(out).digest()) == (made.size, made.digest)
                made.release()
            else:
                with pytest.raises(NotConvertible):
                    await documents.convert(in_pieces(picture), Conversion((wanted,)))
        assert documents.makes(kinds.PNG, [kinds.PDF]) == kinds.PDF
        assert documents.makes(kinds.PDF, [nothing]) == ""

    async def test_a_result_may_be_read_from_anywhere(self, documents: IDocuments) -> None:
        """Nothing behind its end; and as long as it is not released, whatever else is done meanwhile."""
        made = await documents.convert(in_pieces(PAPER), Conversion((kinds.PDF,)))
        other = await documents.convert(in_pieces(PAPER), Conversion((kinds.PDF,)))
        other.release()
        assert await made.read(10, 20) == PAPER[10:30]
        assert await made.read(made.size - 3, 20) == PAPER[-3:]
        assert await made.read(made.size, 20) == b""
        made.release()
        made.release()

    async def test_pages_are_chosen(self, documents: IDocuments) -> None:
        """Options of a job are heeded, and what the device does itself is left to it."""
        twice = await documents.convert(in_pieces(PAPER), Conversion((kinds.PDF,), {"copies": 2}))
        assert (twice.format, twice.pages) == (kinds.PDF, 2)
        twice.release()
        wanted = Conversion((kinds.PDF,), {"copies": 2}, done_there=frozenset({"copies"}))
        once = await documents.convert(in_pieces(PAPER), wanted)
        assert once.pages == 1
        once.release()
        with pytest.raises(NotConvertible) as refused:
            await documents.convert(in_pieces(PAPER), Conversion((kinds.PDF,), {"page-ranges": [[5, 6]]}))
        assert refused.value.cause is Hindrance.NO_SUCH_PAGES

    @pytest.mark.parametrize(
        ("octets", "declared"),
        [(b"", ""), (b"\x00\x01\x02" * 100, "application/x-nothing"), (PAPER[:200], ""), (png(9, 9)[:-30], "")],
        ids=["empty", "unknown", "half-a-paper", "half-a-picture"],
    )
    async def test_what_is_no_document_is_refused(self, documents: IDocuments, octets: bytes, declared: str) -> None:
        """By a cause and a sentence, at once and for ever; the next document is none the worse."""
        with pytest.raises(NotConvertible) as refused:
            await documents.convert(in_pieces(octets), Conversion((kinds.PWG,)), declared)
        assert isinstance(refused.value.cause, Hindrance)
        assert refused.value.public
        assert (await documents.facts(in_pieces(PAPER))).pages == 1

    async def test_a_preview_is_a_small_picture(self, documents: IDocuments) -> None:
        """JPEG, as wide as asked for."""
        found = await documents.preview(in_pieces(PAPER), width=200)
        assert found.startswith(b"\xff\xd8\xff")
        assert len(found) < 100_000
        frame = next(at for at in range(2, len(found)) if found[at] == 0xFF and found[at + 1] in (0xC0, 0xC2))
        assert struct.unpack_from(">H", found, frame + 7) == (200,)

    async def test_a_source_that_breaks_is_told_and_costs_nothing(self, documents: IDocuments) -> None:
        """What the reading of a document raises comes out as it is."""

        async def broken() -> AsyncIterator[bytes]:
            """A piece, and no more."""
            yield PAPER[:100]
            raise Unavailable("the disk is away")

        with pytest.raises(Unavailable, match="the disk is away"):
            await documents.facts(broken())
        assert (await documents.facts(in_pieces(PAPER))).pages == 1

    async def test_many_at_once_and_some_cancelled(self, documents: IDocuments) -> None:
        """Each gets its own answer; who goes away takes nothing from the others."""
        asked = [
            Deferred.fromCoroutine(_answer(documents, test_page([str(number)] * (number + 1)))) for number in range(4)
        ]
        asked[1].cancel()
        for number, one in enumerate(asked):
            if number == 1:
                with pytest.raises(CancelledError):
                    await one
            else:
                assert await one == len(test_page([str(number)] * (number + 1)))


async def _answer(documents: IDocuments, octets: bytes) -> int:
    return (await documents.facts(in_pieces(octets))).octets
