"""The manifest of a print job: what is written is read; what is wrong is refused with its field."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from mailshare.core.address import Address
from mailshare.core.print_manifest import (
    Chunk,
    Encryption,
    ManifestRefused,
    PrintManifest,
    manifest_octets,
    read_manifest,
)

NOW = 1_795_000_000_000_000
HOUR = 3600 * 1_000_000
MANIFEST = PrintManifest(
    id="019a4f6e-7b00-7cc3-98c4-dc0c0c07398f",
    created=NOW,
    expires=NOW + 24 * HOUR,
    sender=Address("anna", "office.example"),
    to=("Office", "office@far.example"),
    name="Année 2026",
    format="application/pdf",
    size=30,
    sha256="0" * 64,
    chunks=(Chunk(1, 20, "1" * 64), Chunk(2, 10, "2" * 64)),
    reply="anna@office.example",
    options={"copies": 2, "sides": "two-sided-long-edge", "media-col": {"media-size": {"x-dimension": 21000}}},
    notify=frozenset({"done", "error"}),
    pages=3,
    via="ipp anna",
)


def changed(**fields: object) -> bytes:
    """The manifest with fields put in place of its own; ``None`` as JSON's null."""
    return json.dumps({**json.loads(manifest_octets(MANIFEST)), **fields}).encode()


def test_what_is_written_is_read() -> None:
    """All fields, plain and encrypted."""
    assert read_manifest(manifest_octets(MANIFEST)) == MANIFEST
    sealed = (Chunk(1, 36, "1" * 64), Chunk(2, 26, "2" * 64))  # sixteen octets longer each
    secret = evolve(MANIFEST, encryption=Encryption("k", bytes(16)), chunks=sealed)
    assert read_manifest(manifest_octets(secret)) == secret


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"id": "1"}, "id"),
        ({"id": None}, "id is missing"),
        ({"created": "yesterday"}, "created"),
        ({"created": "9999-99-99T00:00:00Z"}, "created"),
        ({"from": "anna"}, "from"),
        ({"from": "a\r\nBcc: x@y.example"}, "from"),
        ({"to": []}, "to"),
        ({"to": ["x\ny"]}, "to"),
        ({"name": "x" * 256}, "name"),
        ({"name": "line\nbreak"}, "name"),
        ({"format": "PDF"}, "format"),
        ({"encoding": "zip"}, "encoding"),
        ({"size": -1}, "size"),
        ({"size": True}, "size"),
        ({"size": 10**400}, "size"),
        ({"sha256": "A" * 64}, "sha256"),
        ({"chunks": []}, "chunks"),
        ({"chunks": [{"n": 2, "size": 30, "sha256": "0" * 64}]}, "chunks"),
        ({"chunks": [{"n": 1, "size": 30, "sha256": "0" * 64}] * 1000}, "chunks"),
        ({"chunks": [{"n": 1, "size": 29, "sha256": "0" * 64}]}, "not as long"),
        ({"options": {"Copies": 1}}, "options"),
        ({"fidelity": 1}, "fidelity"),
        ({"notify": "done"}, "notify"),
        ({"pages": -2}, "pages"),
        ({"enc": {"alg": "rot13"}}, "enc"),
        ({"enc": {"alg": "A256GCM", "kid": "k", "salt": "00"}}, "enc"),
        (
            {
                "enc": {"alg": "A256GCM", "kid": "k", "salt": "00" * 16},
                "chunks": [{"n": 1, "size": 16, "sha256": "0" * 64}],
            },
            "shorter",
        ),
        ({"href": ["https://elsewhere.example/"]}, "href"),
        ({"expires": "2026-01-01T00:00:00Z"}, "expires before"),
        ({"expires": "2036-01-01T00:00:00Z"}, "seven days"),
    ],
)
def test_a_wrong_field_is_named(fields: Mapping[str, object], word: str) -> None:
    """The sender reads in the refusal which field is wrong."""
    with pytest.raises(ManifestRefused, match=word) as refused:
        read_manifest(changed(**fields))
    assert refused.value.reason == "bad-manifest"


def test_another_version_is_not_guessed_at() -> None:
    """What a later version means is not known; nothing is printed."""
    with pytest.raises(ManifestRefused) as refused:
        read_manifest(changed(v=2))
    assert refused.value.reason == "unsupported-version"


def test_fields_of_a_later_sender_are_passed_over() -> None:
    """Unknown fields and notices do no harm; an option that is no IPP value is left out."""
    options = {"copies": 2, "odd": 1.5, "deep": [[[[1]]]]}
    read = read_manifest(changed(colour="x", notify=["done", "smoke"], options=options))
    assert read.notify == {"done"}
    assert read.options == {"copies": 2}


def test_time() -> None:
    """Fifteen minutes ahead are forgiven (clocks differ), a minute more is not; past its time it is over."""
    MANIFEST.check_time(NOW - 15 * 60 * 1_000_000)
    MANIFEST.check_time(NOW + 24 * HOUR - 1)
    for moment, reason in ((NOW - 16 * 60 * 1_000_000, "from-the-future"), (NOW + 24 * HOUR, "expired")):
        with pytest.raises(ManifestRefused) as refused:
            MANIFEST.check_time(moment)
        assert refused.value.reason == reason


JSON_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=8,
)


@given(st.sampled_from(sorted(json.loads(manifest_octets(MANIFEST)))), JSON_VALUE)
def test_any_value_is_read_or_refused(name: str, value: object) -> None:
    """Whatever stands in a field, there is a manifest or a refusal."""
    try:
        again = read_manifest(changed(**{name: value}))
    except ManifestRefused:
        return
    assert read_manifest(manifest_octets(again)) == again


@given(st.binary(max_size=60))
def test_any_octets_are_refused(octets: bytes) -> None:
    """No JSON, or JSON of something else."""
    with pytest.raises(ManifestRefused):
        read_manifest(octets)
    with pytest.raises(ManifestRefused):
        read_manifest(b"[" * 100_000)
