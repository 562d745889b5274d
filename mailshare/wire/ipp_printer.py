"""What a printer says of itself: the Printer object's attributes.

Sources: RFC 8011 section 5.4, PWG 5100.11, 5100.12 (versions 2.0 to 2.2), 5100.13, 5100.14 (IPP Everywhere), RFC 3995.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from attrs import frozen

from mailshare.core.print_abilities import MODEL, Abilities
from mailshare.core.print_media import CUSTOM_LEAST, CUSTOM_MOST, size_of
from mailshare.core.values import PrinterState
from mailshare.wire import ipp_template as template
from mailshare.wire.ipp_asked import CHARSETS, LANGUAGE
from mailshare.wire.ipp_codes import Operation
from mailshare.wire.ipp_values import (
    Attribute,
    DateTime,
    Tag,
    Value,
    boolean,
    collection,
    date_time,
    enum,
    integer,
    keyword,
    mime_type,
    name_of,
    octets,
    out_of_band,
    ranges,
    resolution,
    text,
    uri,
)

MARGIN = 423  # hundredths of a millimetre that most printers leave white
ONLY_ASKED = frozenset({"media-col-database"})
COMPRESSIONS = ("none", "gzip", "deflate")
EVENTS = (
    "none",
    "printer-state-changed",
    "printer-config-changed",
    "printer-queue-order-changed",
    "printer-restarted",
    "printer-stopped",
    "job-state-changed",
    "job-created",
    "job-completed",
    "job-stopped",
    "job-config-changed",
    "job-progress",
)
LEASE_MOST, LEASE_USUAL, EVENT_LIFE = 67_108_863, 86_400, 300  # seconds
JOB_SETTABLE = ("job-name", *sorted(template.TEMPLATES))
PRINTER_SETTABLE = (
    "printer-info",
    "printer-location",
    "printer-geo-location",
    "printer-message-from-operator",
    "printer-organization",
    "printer-organizational-unit",
)
DOCUMENT_SETTABLE = ("document-name", "document-natural-language")
WHICH_JOBS = (
    "completed",
    "not-completed",
    "aborted",
    "all",
    "canceled",
    "pending",
    "pending-held",
    "processing",
    "processing-stopped",
    "proof-print",
    "saved",
)
_CREATION = (
    "document-name",
    "ipp-attribute-fidelity",
    "job-mandatory-attributes",
    "job-name",
    *sorted(template.TEMPLATES),
)


@frozen
class Described:
    """What the attributes are made of.

    :ivar name: of the queue, ``info`` for people, ``model`` make and model.
    :ivar uris: ``(uri, security)`` for each way it is reached, the one that the client used first.
    :ivar web: ``http://host:port`` of its pages.
    :ivar defaults: Job Template values that hold when a job says nothing, as plain JSON.
    :ivar message: what its state means, in words; ``operator`` a note of whoever runs it.
    :ivar started, changed, configured: microseconds UTC; ``now`` too.
    :ivar queued: jobs that are not over.
    :ivar operations: what this server does.
    :ivar fetches: URI schemes that documents may be fetched from.
    :ivar most_octets: of one job.
    :ivar multiple_time_out: seconds that an open job may wait for its next document.
    :ivar authentication: a keyword of ``uri-authentication-supported``.
    """

    name: str
    uuid: str
    uris: tuple[tuple[str, str], ...]
    web: str
    abilities: Abilities
    defaults: Mapping[str, object]
    operations: tuple[int, ...]
    now: int
    started: int
    changed: int
    configured: int
    info: str = ""
    location: str = ""
    geo: str = ""
    organization: str = ""
    unit: str = ""
    operator: str = ""
    model: str = MODEL
    state: PrinterState = PrinterState.IDLE
    reasons: tuple[str, ...] = ("none",)
    message: str = ""
    accepting: bool = True
    queued: int = 0
    fetches: tuple[str, ...] = ()
    most_octets: int = 1 << 30
    multiple_time_out: int = 300
    authentication: str = "requesting-user-name"


def seconds(at: int) -> int:
    """A time as ``printer-up-time`` counts: seconds since 1970, so that it also tells of jobs before a restart."""
    return at // 1_000_000


def moment(at: int) -> DateTime:
    """Microseconds UTC as ``dateTime``."""
    it = datetime.fromtimestamp(at / 1_000_000, UTC)
    return DateTime(it.year, it.month, it.day, it.hour, it.minute, it.second, it.microsecond // 100_000, "+", 0, 0)


def printer_attributes(it: Described) -> list[Attribute]:
    """All of them, those that change first."""
    return [*_status(it), *_description(it), *_services(it), *_pages(it), *_media(it), *_quality(it), *_database(it)]


def _status(it: Described) -> list[Attribute]:
    kind = "error" if it.state is PrinterState.STOPPED else "report"
    alerts = [one for one in it.reasons if one != "none"] or ["none"]
    return [
        enum("printer-state", it.state),
        keyword("printer-state-reasons", *it.reasons),
        text("printer-state-message", it.message),
        date_time("printer-state-change-date-time", moment(it.changed)),
        integer("printer-state-change-time", seconds(it.changed)),
        octets("printer-alert", *(f"code={_alert(one)};severity={kind}".encode() for one in alerts)),
        text("printer-alert-description", *alerts),
        boolean("printer-is-accepting-jobs", it.accepting),
        integer("queued-job-count", it.queued),
        integer("printer-up-time", seconds(it.now)),
        date_time("printer-current-time", moment(it.now)),
    ]


def _alert(reason: str) -> str:
    """A reason as a word of the Printer MIB's alert codes (PWG 5100.9)."""
    words = {"none": "other", "paused": "powerDown", "connecting-to-device": "communicationStatus"}
    return words.get(reason, "other")


def _description(it: Described) -> list[Attribute]:
    device = f"MFG:mailshare;MDL:print by mail;CMD:{','.join(_languages(it.abilities))};CLS:PRINTER;"
    return [
        name_of("printer-name", it.name),
        text("printer-info", it.info or it.name),
        text("printer-location", it.location),
        uri("printer-geo-location", it.geo) if it.geo else out_of_band("printer-geo-location", Tag.UNKNOWN),
        text("printer-organization", it.organization),
        text("printer-organizational-unit", it.unit),
        text("printer-message-from-operator", it.operator),
        text("printer-make-and-model", it.model),
        text("printer-device-id", device),
        uri("printer-uuid", f"urn:uuid:{it.uuid}"),
        uri("printer-more-info", f"{it.web}/"),
        uri("printer-supply-info-uri", f"{it.web}/supplies"),
        uri("printer-icons", f"{it.web}/icon-128.png", f"{it.web}/icon-48.png", f"{it.web}/icon-512.png"),
        octets("printer-supply", b"type=paper;maxcapacity=-2;level=-3;class=supplyThatIsConsumed;unit=sheets;"),
        text("printer-supply-description", "Paper in the printer at the far end"),
        date_time("printer-config-change-date-time", moment(it.configured)),
        integer("printer-config-change-time", seconds(it.configured)),
        keyword("printer-kind", "document", "photo"),
        uri("printer-uri-supported", *(one for one, _ in it.uris)),
        keyword("uri-security-supported", *(security for _, security in it.uris)),
        keyword("uri-authentication-supported", *(it.authentication for _ in it.uris)),
        keyword("printer-get-attributes-supported", "document-format"),
        keyword("printer-settable-attributes-supported", *PRINTER_SETTABLE),
        keyword("xri-authentication-supported", *(it.authentication for _ in it.uris)),
        keyword("xri-security-supported", *(security for _, security in it.uris)),
        Attribute("xri-uri-scheme-supported", (Value(Tag.URI_SCHEME, "ipp"), Value(Tag.URI_SCHEME, "ipps"))),
    ]


def _languages(abilities: Abilities) -> list[str]:
    words = {"application/pdf": "PDF", "application/postscript": "PS", "image/pwg-raster": "PWGRaster"}
    words |= {"image/urf": "AppleRaster", "image/jpeg": "JPEG", "application/vnd.hp-pcl": "PCL"}
    return [words[one] for one in abilities.formats if one in words]


def _services(it: Described) -> list[Attribute]:
    charsets = tuple(Value(Tag.CHARSET, one) for one in CHARSETS)
    features = ("document-object", "ipp-everywhere", "ipp-everywhere-server", "page-overrides")
    schemes = [Attribute("reference-uri-schemes-supported", tuple(Value(Tag.URI_SCHEME, one) for one in it.fetches))]
    k_octets = max(1, it.most_octets // 1024)
    return [
        Attribute("charset-configured", charsets[:1]),
        Attribute("charset-supported", charsets),
        Attribute("natural-language-configured", (Value(Tag.LANGUAGE, LANGUAGE),)),
        Attribute("generated-natural-language-supported", (Value(Tag.LANGUAGE, LANGUAGE),)),
        keyword("ipp-versions-supported", "1.0", "1.1", "2.0", "2.1", "2.2"),
        keyword("ipp-features-supported", *features),
        enum("operations-supported", *it.operations),
        *(schemes if it.fetches else []),
        keyword("compression-supported", *COMPRESSIONS),
        keyword("compression-default", "none"),
        mime_type("document-format-supported", *it.abilities.formats),
        mime_type("document-format-default", "application/octet-stream"),
        mime_type("document-format-preferred", it.abilities.formats[0]),
        keyword("document-creation-attributes-supported", *DOCUMENT_SETTABLE),
        integer("document-password-supported", 0),
        keyword("pdf-versions-supported", "iso-32000-1_2008", "adobe-1.7", "adobe-1.6", "adobe-1.5", "adobe-1.4"),
        keyword("pdl-override-supported", "attempted"),
        ranges("job-k-octets-supported", (0, k_octets)),
        ranges("pdf-k-octets-supported", (0, k_octets)),
        ranges("jpeg-k-octets-supported", (0, k_octets)),
        ranges("jpeg-x-dimension-supported", (0, 65_535)),
        ranges("jpeg-y-dimension-supported", (1, 65_535)),
        ranges("job-impressions-supported", (0, 1_000_000)),
        ranges("job-media-sheets-supported", (0, 1_000_000)),
        boolean("job-ids-supported", True),
        boolean("multiple-document-jobs-supported", True),
        integer("multiple-operation-time-out", it.multiple_time_out),
        keyword("multiple-operation-time-out-action", "abort-job"),
        boolean("preferred-attributes-supported", False),
        keyword("which-jobs-supported", *WHICH_JOBS),
        keyword("job-creation-attributes-supported", *_CREATION),
        keyword("job-settable-attributes-supported", *JOB_SETTABLE),
        keyword("document-settable-attributes-supported", *DOCUMENT_SETTABLE),
        boolean("job-account-id-supported", True),
        out_of_band("job-account-id-default", Tag.NO_VALUE),
        boolean("job-accounting-user-id-supported", True),
        out_of_band("job-accounting-user-id-default", Tag.NO_VALUE),
        keyword("identify-actions-default", "display"),
        keyword("identify-actions-supported", "display"),
        keyword("notify-events-default", "job-completed"),
        keyword("notify-events-supported", *EVENTS),
        integer("notify-max-events-supported", len(EVENTS)),
        integer("notify-lease-duration-default", LEASE_USUAL),
        ranges("notify-lease-duration-supported", (0, LEASE_MOST)),
        keyword("notify-pull-method-supported", "ippget"),
        integer("ippget-event-life", EVENT_LIFE),
    ]


def _default(it: Described, name: str, otherwise: object) -> Attribute:
    """``NAME-default`` of what holds when a job says nothing."""
    made = template.attribute_of(name, it.defaults.get(name, otherwise))
    if made is None:
        return out_of_band(f"{name}-default", Tag.NO_VALUE)
    return Attribute(f"{name}-default", made.values)


def _pages(it: Described) -> list[Attribute]:
    able = it.abilities
    return [
        _default(it, "copies", 1),
        ranges("copies-supported", (1, able.copies)),
        _default(it, "finishings", [able.finishings[0]]),
        enum("finishings-supported", *able.finishings),
        enum("finishings-ready", *able.finishings),
        *_finishing_templates(),
        _default(it, "job-hold-until", "no-hold"),
        keyword("job-hold-until-supported", *template.HOLDS),
        _default(it, "job-priority", 50),
        integer("job-priority-supported", 100),
        _default(it, "job-sheets", "none"),
        keyword("job-sheets-supported", *template.SHEETS),
        _default(it, "multiple-document-handling", "separate-documents-collated-copies"),
        keyword("multiple-document-handling-supported", *template.HANDLINGS),
        _default(it, "number-up", 1),
        integer("number-up-supported", *able.number_up),
        _default(it, "orientation-requested", 3),
        enum("orientation-requested-supported", *template.ORIENTATIONS),
        _default(it, "output-bin", able.output_bins[0]),
        keyword("output-bin-supported", *able.output_bins),
        keyword("overrides-supported", *template.OVERRIDE_RANGES, *_overridable()),
        boolean("page-ranges-supported", True),
        _default(it, "sides", able.sides[0]),
        keyword("sides-supported", *able.sides),
        integer("pages-per-minute", 20),
        *([integer("pages-per-minute-color", 20)] if able.color else []),
        boolean("color-supported", able.color),
    ]


def _finishing_templates() -> list[Attribute]:
    """What finishing is called by name (PWG 5100.1); what is to be done beyond none is told by number."""
    none = [keyword("finishing-template", *template.FINISHING_TEMPLATES)]
    return [
        keyword("finishing-template-supported", *template.FINISHING_TEMPLATES),
        keyword("finishings-col-supported", "finishing-template"),
        collection("finishings-col-default", none),
        collection("finishings-col-ready", none),
        collection("finishings-col-database", none),
    ]


def _overridable() -> list[str]:
    whole = {"overrides", "page-ranges", "copies", "multiple-document-handling"}
    return [name for name in sorted(template.TEMPLATES) if name not in whole and not name.startswith("job-")]


def _quality(it: Described) -> list[Attribute]:
    able = it.abilities
    dots = [(one, one) for one in able.resolutions]
    usual = 300 if 300 in able.resolutions else able.resolutions[0]
    return [
        _default(it, "print-color-mode", "auto"),
        keyword("print-color-mode-supported", *able.color_modes),
        _default(it, "print-content-optimize", "auto"),
        keyword("print-content-optimize-supported", *template.OPTIMIZE),
        _default(it, "print-quality", 4),
        enum("print-quality-supported", *able.qualities),
        _default(it, "print-rendering-intent", "auto"),
        keyword("print-rendering-intent-supported", *template.INTENTS),
        _default(it, "print-scaling", "auto"),
        keyword("print-scaling-supported", *template.SCALINGS),
        _default(it, "printer-resolution", [usual, usual, 3]),
        resolution("printer-resolution-supported", *dots),
        resolution("pwg-raster-document-resolution-supported", *dots),
        keyword("pwg-raster-document-sheet-back", "normal"),
        keyword("pwg-raster-document-type-supported", *able.raster_types),
        keyword("urf-supported", *able.urf),
    ]


def _size(name: str) -> Iterable[Attribute]:
    wide, long = size_of(name) or (0, 0)
    return integer("x-dimension", wide), integer("y-dimension", long)


def _media_col(name: str, source: str, kind: str) -> list[Attribute]:
    return [
        collection("media-size", _size(name)),
        keyword("media-size-name", name),
        *(integer(f"media-{edge}-margin", MARGIN) for edge in ("bottom", "left", "right", "top")),
        keyword("media-source", source),
        keyword("media-type", kind),
    ]


def _default_media_col(it: Described, usual: str) -> Attribute:
    set_by_hand = it.defaults.get("media-col")
    if set_by_hand is not None:
        return _default(it, "media-col", set_by_hand)
    return collection("media-col-default", _media_col(usual, it.abilities.sources[0], it.abilities.types[0]))


def _media(it: Described) -> list[Attribute]:
    able = it.abilities
    usual = str(it.defaults.get("media", able.ready[0] if able.ready else able.media[0]))
    bounds = tuple(
        f"custom_{word}_{wide / 100:g}x{long / 100:g}mm"
        for word, (wide, long) in (("min", CUSTOM_LEAST), ("max", CUSTOM_MOST))
    )
    custom = (
        ranges("x-dimension", (CUSTOM_LEAST[0], CUSTOM_MOST[0])),
        ranges("y-dimension", (CUSTOM_LEAST[1], CUSTOM_MOST[1])),
    )
    return [
        keyword("media-default", usual),
        keyword("media-supported", *able.media, *bounds),
        keyword("media-ready", *(able.ready or (usual,))),
        _default_media_col(it, usual),
        collection(
            "media-col-ready",
            *(_media_col(one, able.sources[-3 % len(able.sources)], "stationery") for one in (able.ready or (usual,))),
        ),
        keyword("media-col-supported", *template.MEDIA_MEMBERS),
        collection("media-size-supported", *(_size(one) for one in able.media), custom),
        keyword("media-source-supported", *able.sources),
        keyword("media-type-supported", *able.types),
        *(integer(f"media-{edge}-margin-supported", 0, MARGIN) for edge in ("bottom", "left", "right", "top")),
    ]


def _database(it: Described) -> list[Attribute]:
    able = it.abilities
    return [collection("media-col-database", *(_media_col(one, "auto", "auto") for one in able.media))]


TEMPLATE_NAMES: frozenset[str] = (
    frozenset({"finishing-template-supported"})
    | frozenset(
        f"{name}-{kind}" for name in template.TEMPLATES for kind in ("default", "supported", "ready", "database")
    )
    | frozenset(
        f"media-{name}-supported"
        for name in ("size", "source", "type", *(f"{edge}-margin" for edge in ("bottom", "left", "right", "top")))
    )
)


def groups_of(attributes: Sequence[Attribute]) -> dict[str, frozenset[str]]:
    """Names that stand for several attributes in ``requested-attributes``."""
    names = frozenset(one.name for one in attributes) - ONLY_ASKED
    notify = frozenset(one for one in names if one.startswith(("notify-", "ippget-")))
    return {
        "job-template": names & TEMPLATE_NAMES,
        "printer-description": names - TEMPLATE_NAMES - notify,
        "printer-defaults": frozenset(one for one in names if one.endswith("-default")),
        "subscription-template": notify,
        "printer-status": frozenset(one.name for one in attributes[:11]),
    }


def operation_numbers(*, fetching: bool) -> tuple[int, ...]:
    """All that this server does; operations on URIs only where it may fetch."""
    remote = {Operation.PRINT_URI, Operation.SEND_URI}
    return tuple(int(one) for one in Operation if fetching or one not in remote)
