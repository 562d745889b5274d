"""Documents as they travel: packed, cut, encrypted, and the same again at the far end."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import AsyncIterator

import pytest
from attrs import evolve
from counter import settled
from printing_server import KEY, UUID, Job, PrintingServer

from mailshare.core.print_manifest import Chunk, Encryption
from mailshare.core.values import SetState
from mailshare.printing.travelling import MEMBER, Plan, Seal, planned, travelling
from mailshare.wire.print_secrecy import job_key

TEXT = b"".join(b"%d lines of a long text\n" % n for n in range(130_000))
SALT = bytes(16)


def reader(data: bytes):
    async def read(start: int, size: int) -> AsyncIterator[bytes]:
        for at in range(start, start + size, 70_000):
            yield data[at : min(at + 70_000, start + size)]

    return read


def parts(data: bytes, plan: Plan, job: str, seal: Seal | None) -> list[bytes]:
    async def part(number: int) -> bytes:
        pieces = [piece async for piece in travelling(reader(data), len(data), plan, number, job=job, seal=seal)]
        return b"".join(pieces)

    return [settled(part(number)) for number in range(1, len(plan.sizes) + 1)]


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize("sealed", [False, True])
def test_parts_are_the_document_again(*, pack: bool, sealed: bool) -> None:
    """Every part by itself, none larger than asked for; made twice it is the same."""
    seal = Seal(job_key(KEY.secret, SALT, UUID), Encryption("branch", SALT)) if sealed else None
    plan = settled(planned(reader(TEXT), len(TEXT), 100_000, pack=pack, seal=sealed))
    made = parts(TEXT, plan, UUID, seal)
    assert made == parts(TEXT, plan, UUID, seal)
    assert max(map(len, made)) == 100_000
    if not sealed:
        joined = b"".join(made)
        assert (gzip.decompress(joined) if pack else joined) == TEXT
        assert len(plan.members) == (-(-len(TEXT) // MEMBER) if pack else 0)


def job(server: PrintingServer, data: bytes, *, pack: bool, secret: bytes, kid: str = "branch") -> Job:
    """A job whose parts are encrypted with that secret."""
    made = server.job(data)
    name = made.manifest.id
    seal = Seal(job_key(secret, SALT, name), Encryption(kid, SALT))
    plan = settled(planned(reader(data), len(data), 200_000, pack=pack, seal=True))
    sent = parts(data, plan, name, seal)
    chunks = tuple(Chunk(n, len(one), hashlib.sha256(one).hexdigest()) for n, one in enumerate(sent, 1))
    manifest = evolve(made.manifest, chunks=chunks, encoding=plan.encoding, encryption=seal.told)
    return Job(manifest, b"".join(sent))


@pytest.mark.parametrize("pack", [False, True])
def test_a_printing_server_opens_what_was_packed_and_encrypted(*, pack: bool) -> None:
    """Whatever the order of its parts."""
    server = PrintingServer()
    document = b"%PDF-1.4\n" + TEXT
    for mail in reversed(job(server, document, pack=pack, secret=KEY.secret).mails()):
        server.mail(mail)
    assert server.documents() == [document]


@pytest.mark.parametrize(
    ("secret", "kid", "words"),
    [
        (b"another secret of thirty-two octets", "branch", "cannot be decrypted"),
        (KEY.secret, "nobody", "no key of this"),
    ],
)
def test_what_cannot_be_opened_is_refused(secret: bytes, kid: str, words: str) -> None:
    """A key that is not the printer's, or not the one that was used: nothing is printed, and the sender is told."""
    server = PrintingServer()
    said = [server.mail(mail) for mail in job(server, b"%PDF-1.4\n" + TEXT, pack=True, secret=secret, kid=kid).mails()]
    assert words in said[-1]
    assert server.documents() == []
    assert server.sets(SetState.COLLECTING) == 0


def test_a_packed_bomb_ends_at_the_bound() -> None:
    """Zeros that grow a thousandfold are refused while they grow."""
    server = PrintingServer()
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    made = server.job(b"x" * 1000, sent=bomb, encoding="gzip")
    assert "measure" in server.mail(made.mail())
    assert server.documents() == []
