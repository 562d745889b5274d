"""The manifest of a print job that travels by mail: what is printed, for whom, how, and which parts it comes in.

It repeats in every part, so a job starts with whichever part comes first. It is signed as the octets that travel, never
as a canonical form. docs/protocol/print-mail.md describes the format field by field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from attrs import field, frozen

from mailshare.core.address import Address
from mailshare.core.errors import PolicyRefusal
from mailshare.core.json_fields import (
    FieldWrong,
    JSONFields,
    address,
    count,
    flag,
    listed,
    matching,
    moment,
    moment_text,
    text,
)

VERSION = 1
MAX_PARTS = 999
MAX_NAME = 255  # octets of a job's name, IPP's bound (RFC 8011 section 5.1.3)
MAX_OCTETS = 256 * 1024  # of a manifest: 999 chunks take about 110 KiB
AHEAD = 15 * 60 * 1_000_000  # a clock at the far end may be wrong by this much, microseconds
LONGEST = 7 * 24 * 3600 * 1_000_000
NOTICES = frozenset({"done", "error", "trace", "pages"})
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")
TAG = 16  # octets that encryption adds to a chunk
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_FORMAT = re.compile(r"[a-z0-9][a-z0-9.+\-]{0,63}/[a-z0-9][a-z0-9.+\-]{0,99}\Z")
_OPTION = re.compile(r"[a-z][a-z0-9.\-]{0,63}\Z")
_MAX_OPTIONS = 100
_MAX_NAMES = 64
_LONGEST_OPTION = 1_023  # octets of text in IPP (RFC 8011 section 5.1.2)


class ManifestRefused(PolicyRefusal):
    """A manifest that nothing is printed from.

    :ivar reason: a word for machines: ``unsupported-version``, ``bad-manifest``, ``from-the-future``, ``expired``.
    """

    def __init__(self, reason: str, public: str) -> None:
        super().__init__(public)
        self.reason = reason


@frozen
class Chunk:
    """One part's share of the document.

    :ivar number: from 1.
    :ivar size: octets, before the mail's own encoding.
    :ivar sha256: of these octets, hexadecimal.
    """

    number: int
    size: int
    sha256: str


@frozen
class Encryption:
    """AES-256-GCM with a key of this job alone, derived from the shared secret ``kid`` and ``salt`` by HKDF-SHA256."""

    kid: str
    salt: bytes


@frozen
class PrintManifest:
    """Version 1.

    :ivar id: UUID; with the signing key the identity by which a job is printed once.
    :ivar created: microseconds UTC, as ``expires``.
    :ivar sender: the ``From`` of the mail must be this address.
    :ivar to: names or addresses of printers: a job cannot be played again to another one.
    :ivar reply: where status mails go; empty = to ``sender``.
    :ivar name: the job's description, at most 255 octets.
    :ivar format: media type as declared; the far end looks at the octets as well.
    :ivar encoding: ``"none"`` or ``"gzip"``, done to the whole document before it is cut.
    :ivar size: octets of the document before that, and ``sha256`` their digest.
    :ivar chunks: in order, numbers 1 to N.
    :ivar options: by IPP Job Template names (RFC 8011 section 5.2), plain JSON values.
    :ivar fidelity: rather not print than print otherwise (``ipp-attribute-fidelity``).
    :ivar notify: which status mails are wanted.
    :ivar pages: impressions as the sender counts them, ``None`` = unknown.
    :ivar via: how the job was captured, for the log.
    """

    id: str
    created: int
    expires: int
    sender: Address
    to: tuple[str, ...]
    name: str
    format: str
    size: int
    sha256: str
    chunks: tuple[Chunk, ...]
    reply: str = ""
    encoding: str = "none"
    options: Mapping[str, object] = field(factory=dict)
    fidelity: bool = False
    notify: frozenset[str] = frozenset()
    pages: int | None = None
    encryption: Encryption | None = None
    via: str = ""

    @property
    def transferred(self) -> int:
        """Octets of all chunks together."""
        return sum(chunk.size for chunk in self.chunks)

    def check_time(self, now: int) -> None:
        """It may be printed now.

        :param now: microseconds UTC.
        :raises ManifestRefused: made more than 15 minutes ahead of our clock, or past its time.
        """
        if self.created > now + AHEAD:
            made = moment_text(self.created)
            raise ManifestRefused("from-the-future", f"The job says it was made at {made}, which is yet to come")
        if self.expires <= now:
            raise ManifestRefused("expired", f"The job was to be printed before {moment_text(self.expires)}")


def manifest_octets(manifest: PrintManifest) -> bytes:
    """The manifest as it is signed and travels: JSON in UTF-8."""
    secret = manifest.encryption
    value = {
        "v": VERSION,
        "id": manifest.id,
        "created": moment_text(manifest.created),
        "expires": moment_text(manifest.expires),
        "from": str(manifest.sender),
        "to": list(manifest.to),
        "reply": manifest.reply or None,
        "name": manifest.name,
        "format": manifest.format,
        "encoding": manifest.encoding,
        "size": manifest.size,
        "sha256": manifest.sha256,
        "chunks": [{"n": chunk.number, "size": chunk.size, "sha256": chunk.sha256} for chunk in manifest.chunks],
        "options": dict(manifest.options),
        "fidelity": manifest.fidelity,
        "notify": sorted(manifest.notify),
        "pages": manifest.pages,
        "enc": None if secret is None else {"alg": "A256GCM", "kid": secret.kid, "salt": secret.salt.hex()},
        "via": manifest.via,
    }
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def read_manifest(octets: bytes) -> PrintManifest:
    """Read and check a manifest, all but its time.

    :raises ManifestRefused: ``unsupported-version`` or ``bad-manifest`` with the field that is wrong.
    """
    if len(octets) > MAX_OCTETS:
        raise _bad("it is too long")
    try:
        value = json.loads(octets)
    except (ValueError, RecursionError):
        raise _bad("it is not JSON") from None
    if not isinstance(value, dict):
        raise _bad("it is not a JSON object")
    if value.get("v") != VERSION:
        told = f"{value.get('v')!r:.20}"
        raise ManifestRefused("unsupported-version", f"Print jobs by mail of version {told} are not known here")
    if value.get("href"):
        raise _bad("its document lies elsewhere (href), and nothing is fetched from there")
    try:
        manifest = _read(JSONFields(value))
    except FieldWrong as wrong:
        raise _bad(str(wrong)) from None
    if not 0 < manifest.expires - manifest.created <= LONGEST:
        raise _bad("it expires before it is made, or more than seven days later")
    if manifest.encoding == "none" and manifest.encryption is None and manifest.transferred != manifest.size:
        raise _bad("its chunks together are not as long as the document")
    if manifest.encryption is not None and any(chunk.size <= TAG for chunk in manifest.chunks):
        raise _bad("a chunk is shorter than what encryption adds to it")
    return manifest


def _read(fields: JSONFields) -> PrintManifest:
    return PrintManifest(
        id=fields.get("id", matching(UUID)),
        created=fields.get("created", moment),
        expires=fields.get("expires", moment),
        sender=fields.get("from", address),
        to=fields.get("to", listed(text(320), 1, _MAX_NAMES)),
        name=fields.get("name", text(MAX_NAME)),
        format=fields.get("format", matching(_FORMAT)),
        size=fields.get("size", count()),
        sha256=fields.get("sha256", matching(_SHA256)),
        chunks=fields.get("chunks", _chunks),
        reply=fields.get("reply", _reply, ""),
        encoding=fields.get("encoding", _encoding, "none"),
        options=fields.get("options", _options, {}),
        fidelity=fields.get("fidelity", flag, False),
        notify=fields.get("notify", _notices, frozenset()),
        pages=fields.get("pages", count(1_000_000), None),
        encryption=fields.get("enc", _encryption, None),
        via=fields.get("via", text(MAX_NAME), ""),
    )


def _bad(what: str) -> ManifestRefused:
    return ManifestRefused("bad-manifest", f"The job's manifest cannot be used: {what}")


# ---------------------------------------------------------------------- fields: each reader raises ValueError


def _reply(value: object) -> str:
    return str(address(value)) if value != "" else ""


def _encoding(value: object) -> str:
    if value not in ("none", "gzip"):
        raise ValueError(value)
    return str(value)


def _notices(value: object) -> frozenset[str]:
    return frozenset(listed(text(100), 0, 50)(value)) & NOTICES  # a later version may know more


def _chunks(value: object) -> tuple[Chunk, ...]:
    chunks = listed(_chunk, 1, MAX_PARTS)(value)
    if [chunk.number for chunk in chunks] != list(range(1, len(chunks) + 1)):
        raise ValueError(value)
    return chunks


def _chunk(value: object) -> Chunk:
    if not isinstance(value, dict):
        raise ValueError(value)  # noqa: TRY004 - one kind of error for all readers
    return Chunk(count(MAX_PARTS)(value.get("n")), count()(value.get("size")), matching(_SHA256)(value.get("sha256")))


def _options(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict) or len(value) > _MAX_OPTIONS or not all(_OPTION.match(name) for name in value):
        raise ValueError(value)
    return {name: option for name, option in value.items() if _plain(option)}


def _plain(value: object, depth: int = 3) -> bool:
    """A value of IPP as JSON: text, number, flag, or lists and collections of those."""
    if isinstance(value, (bool, int)):
        return True
    if isinstance(value, str):
        return len(value) <= _LONGEST_OPTION
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list) or depth == 0 or len(value) > _MAX_OPTIONS:
        return False
    return all(_plain(each, depth - 1) for each in value)


def _encryption(value: object) -> Encryption:
    if not isinstance(value, dict) or value.get("alg") != "A256GCM":
        raise ValueError(value)
    salt = bytes.fromhex(text(128)(value.get("salt")))
    if not 16 <= len(salt) <= 64:
        raise ValueError(value)
    return Encryption(text(100)(value.get("kid")), salt)
