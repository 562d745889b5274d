"""Cutting a document for mail, and what happens while parts come in."""

from __future__ import annotations

import base64
import email.base64mime

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from mailshare.core.address import Address
from mailshare.core.print_manifest import Chunk, PrintManifest
from mailshare.core.print_parts import (
    GAP,
    LEAST_PART,
    USUAL_PART,
    AskAgain,
    Complete,
    GiveUp,
    TooManyPrintParts,
    Wait,
    cut,
    encoded,
    next_step,
    part_for_limit,
    smaller_part,
)

NOW = 1_795_000_000_000_000
HOUR = 3600 * 1_000_000
MANIFEST = PrintManifest(
    id="019a4f6e-7b00-7cc3-98c4-dc0c0c07398f",
    created=NOW,
    expires=NOW + 24 * HOUR,
    sender=Address("anna", "office.example"),
    to=("Office",),
    name="Two parts",
    format="application/pdf",
    size=30,
    sha256="0" * 64,
    chunks=(Chunk(1, 20, "1" * 64), Chunk(2, 10, "2" * 64)),
)


@given(st.binary(max_size=400))
def test_the_encoded_size_is_exact(data: bytes) -> None:
    """As the standard library writes it, with CRLF."""
    assert encoded(len(data)) == len(email.base64mime.body_encode(data, 76, "\r\n").encode())
    assert base64.b64decode(email.base64mime.body_encode(data)) == data


@given(st.integers(200_000, 200_000_000), st.integers(0, 60_000))
def test_a_part_fits_the_limit(limit: int, manifest: int) -> None:
    """Chunk, manifest and what is around them stay below what the server takes."""
    part = part_for_limit(limit, manifest)
    assert part == LEAST_PART or encoded(part) + encoded(manifest) + 16_384 <= limit


def test_usual_sizes() -> None:
    """Without a limit 7,000,000 octets; Postfix' own limit gives about as much; refused, the half is tried."""
    assert part_for_limit(0) == USUAL_PART
    assert 7_000_000 < part_for_limit(10_240_000) < 7_600_000
    assert smaller_part(USUAL_PART) == 3_499_971
    assert smaller_part(LEAST_PART) == LEAST_PART


@given(st.integers(0, 10**9), st.integers(1_100_000, 10**8))
def test_all_octets_are_in_the_chunks(size: int, part: int) -> None:
    """In sum the document; none larger than a part, none empty but of an empty document."""
    sizes = cut(size, part)
    assert sum(sizes) == size
    assert max(sizes) <= part
    assert min(sizes) > 0 or size == 0


def test_a_thousand_mails_are_refused() -> None:
    """999 are the most."""
    assert len(cut(999 * LEAST_PART, LEAST_PART)) == 999
    with pytest.raises(TooManyPrintParts, match="needs 1000 mails"):
        cut(999 * LEAST_PART + 1, LEAST_PART)


def test_parts_that_do_not_come_are_asked_for() -> None:
    """After a gap of 15 minutes, three times; then the job waits for its end and is given up with their numbers."""
    step = next_step(MANIFEST, {2}, now=NOW, last=NOW, requests=0)
    assert step == Wait(NOW + GAP)
    assert next_step(MANIFEST, {2}, now=NOW + GAP, last=NOW, requests=0) == AskAgain((1,))
    assert next_step(MANIFEST, {2}, now=NOW + GAP, last=NOW, requests=3) == Wait(MANIFEST.expires)
    assert next_step(MANIFEST, {2}, now=MANIFEST.expires, last=NOW, requests=3) == GiveUp((1,))
    assert next_step(MANIFEST, {1, 2}, now=MANIFEST.expires, last=NOW, requests=3) == Complete()


def test_a_wait_never_passes_the_end() -> None:
    """A job that expires before the gap is over is looked at when it expires."""
    short = evolve(MANIFEST, expires=NOW + HOUR // 6)
    assert next_step(short, (), now=NOW, last=NOW, requests=0) == Wait(short.expires)
