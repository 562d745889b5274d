"""Job Template attributes: how each is written, what of it a printer takes, and its form as plain JSON.

Sources: RFC 8011 section 5.2, PWG 5100.3, 5100.6 (overrides), 5100.7 (media-col), 5100.11, 5100.13, 5100.14.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import frozen

from mailshare.core.print_abilities import Abilities
from mailshare.core.print_media import fits_custom, is_custom, name_of_size
from mailshare.wire.ipp_values import Attribute, Collection, Data, Range, Resolution, Tag, Value

Plain = object
_WORDS = (Tag.KEYWORD, Tag.NAME, Tag.NAME_WITH_LANGUAGE)
MOST_NAME = 255

HOLDS = ("no-hold", "indefinite")
SHEETS = ("none", "standard")
HANDLINGS = (
    "single-document",
    "separate-documents-uncollated-copies",
    "separate-documents-collated-copies",
    "single-document-new-sheet",
)
OPTIMIZE = ("auto", "graphic", "photo", "text", "text-and-graphic")
INTENTS = ("auto", "perceptual", "relative", "relative-bpc", "saturation", "absolute")
SCALINGS = ("auto", "auto-fit", "fill", "fit", "none")
ORIENTATIONS = (3, 4, 5, 6, 7)
MEDIA_MEMBERS = (
    "media-bottom-margin",
    "media-left-margin",
    "media-right-margin",
    "media-size",
    "media-size-name",
    "media-source",
    "media-top-margin",
    "media-type",
)
FINISHING_TEMPLATES = ("none",)
OVERRIDE_RANGES = ("pages", "document-numbers", "document-number", "document-copies")


@frozen
class Template:
    """One attribute.

    :ivar tags: value tags that it may have; the first is the one it is answered with.
    :ivar many: it is a set.
    :ivar fits: whether a plain value is one that this printer takes.
    """

    name: str
    tags: tuple[int, ...]
    fits: Callable[[Plain, Abilities], bool]
    many: bool = False


def plain(value: Value) -> Plain:
    """A value as JSON: numbers, words, truth; ranges and resolutions as lists, collections as objects."""
    data = value.data
    if isinstance(data, Collection):
        return {one.name: _plain_member(one) for one in data.members}
    if isinstance(data, (Range, Resolution)):
        return list(data)
    if isinstance(data, (bool, int)):
        return data
    return value.text


def _plain_member(member: Attribute) -> Plain:
    if member.name in OVERRIDE_RANGES:
        return [plain(one) for one in member.values]
    return plain_of(member)


def plain_of(attribute: Attribute) -> Plain:
    """An attribute as JSON; a list when it has several values or is known to be a set."""
    known = TEMPLATES.get(attribute.name)
    values = [plain(one) for one in attribute.values]
    return values if len(values) > 1 or (known is not None and known.many) else values[0]


def attribute_of(name: str, value: Plain) -> Attribute | None:
    """The attribute of a plain value; ``None`` when it is not one of ours or was written wrong by hand."""
    known = TEMPLATES.get(name)
    if known is None:
        return None
    items = value if known.many and isinstance(value, list) else [value]
    made = [_value_of(known.tags, one) for one in items]
    if not made or any(one is None for one in made):
        return None
    return Attribute(name, tuple(one for one in made if one is not None))


def _value_of(tags: Sequence[int], item: Plain) -> Value | None:
    for tag in tags:
        data = _data_of(tag, item)
        if data is not None:
            return Value(tag, data)
    return None


def _data_of(tag: int, item: Plain) -> Data | None:
    if tag == Tag.BOOLEAN:
        return item if isinstance(item, bool) else None
    if tag in (Tag.INTEGER, Tag.ENUM):
        return item if isinstance(item, int) and not isinstance(item, bool) and abs(item) < 1 << 31 else None
    if tag == Tag.RANGE:
        return Range(*item) if _numbers(item, 2) else None  # type: ignore[misc]
    if tag == Tag.RESOLUTION:
        return Resolution(*item) if _numbers(item, 3) else None  # type: ignore[misc]
    if tag == Tag.BEGIN_COLLECTION:
        return _collection_of(item)
    if tag == Tag.NAME_WITH_LANGUAGE:
        return None
    return item if isinstance(item, str) else None


def _numbers(item: Plain, count: int) -> bool:
    return isinstance(item, list) and len(item) == count and all(type(one) is int for one in item)


def _collection_of(item: Plain) -> Collection | None:
    if not isinstance(item, Mapping):
        return None
    members = [member_of(str(name), value) for name, value in item.items()]
    return Collection(tuple(one for one in members if one is not None))


def member_of(name: str, value: Plain) -> Attribute | None:
    """A member of a collection, by its name and its plain value."""
    if name in OVERRIDE_RANGES and isinstance(value, list):
        return Attribute(name, tuple(Value(Tag.RANGE, Range(*one)) for one in value if _numbers(one, 2)))
    if name == "media-size" or isinstance(value, Mapping):
        inner = _collection_of(value)
        return None if inner is None else Attribute(name, (Value(Tag.BEGIN_COLLECTION, inner),))
    known = attribute_of(name, value)
    if known is not None:
        return known
    if isinstance(value, bool):
        return Attribute(name, (Value(Tag.BOOLEAN, value),))
    if isinstance(value, int):
        return Attribute(name, (Value(Tag.INTEGER, value),))
    return Attribute(name, (Value(Tag.KEYWORD, value),)) if isinstance(value, str) else None


# --------------------------------------------------------------------------- what a printer takes


def _among(choice: Callable[[Abilities], Sequence[object]]) -> Callable[[Plain, Abilities], bool]:
    return lambda value, abilities: value in choice(abilities)


def _words(*words: object) -> Callable[[Plain, Abilities], bool]:
    return lambda value, _: value in words


def _bounded(least: int, most: Callable[[Abilities], int]) -> Callable[[Plain, Abilities], bool]:
    return lambda value, abilities: isinstance(value, int) and least <= value <= most(abilities)


def _media(value: Plain, abilities: Abilities) -> bool:
    return isinstance(value, str) and (value in abilities.media or is_custom(value))


def _resolution(value: Plain, abilities: Abilities) -> bool:
    return any(value == [one, one, 3] for one in abilities.resolutions)


def _page_range(value: Plain, _: Abilities) -> bool:
    return isinstance(value, list) and len(value) == 2 and 1 <= value[0] <= value[1]


def _media_col(value: Plain, abilities: Abilities) -> bool:
    if not isinstance(value, Mapping) or not set(value) <= set(MEDIA_MEMBERS):
        return False
    size = value.get("media-size")
    if size is not None and not _media_size(size, abilities):
        return False
    name = value.get("media-size-name")
    return (
        (name is None or _media(name, abilities))
        and value.get("media-source", "auto") in abilities.sources
        and value.get("media-type", "auto") in abilities.types
        and all(isinstance(value.get(one, 0), int) for one in MEDIA_MEMBERS if one.endswith("margin"))
    )


def _media_size(size: Plain, abilities: Abilities) -> bool:
    if not isinstance(size, Mapping):
        return False
    both = size.get("x-dimension"), size.get("y-dimension")
    if not all(isinstance(one, int) for one in both):
        return False
    wanted = (int(str(both[0])), int(str(both[1])))
    return bool(name_of_size(wanted, abilities.media)) or fits_custom(wanted)


def _override(value: Plain, abilities: Abilities) -> bool:
    if not isinstance(value, Mapping) or not {"pages", "document-numbers", "document-number"} & set(value):
        return False
    for name, inner in value.items():
        known = TEMPLATES.get(name)
        if name in OVERRIDE_RANGES:
            if not isinstance(inner, list) or not all(_page_range(one, abilities) for one in inner):
                return False
        elif known is None or name == "overrides" or not fits(known, inner, abilities):
            return False
    return True


def _finishing(value: Plain, _: Abilities) -> bool:
    return (
        isinstance(value, Mapping)
        and set(value) == {"finishing-template"}
        and (value["finishing-template"] in FINISHING_TEMPLATES)
    )


def _short(value: Plain, _: Abilities) -> bool:
    return isinstance(value, str) and len(value.encode("utf-8", "surrogateescape")) <= MOST_NAME


def fits(template: Template, value: Plain, abilities: Abilities) -> bool:
    """Whether every value of a plain attribute is one that the printer takes."""
    values = value if template.many and isinstance(value, list) else [value]
    return bool(values) and all(template.fits(one, abilities) for one in values)


TEMPLATES: Mapping[str, Template] = {
    one.name: one
    for one in (
        Template("copies", (Tag.INTEGER,), _bounded(1, lambda it: it.copies)),
        Template("finishings", (Tag.ENUM,), _among(lambda it: it.finishings), many=True),
        Template("finishings-col", (Tag.BEGIN_COLLECTION,), _finishing, many=True),
        Template("job-account-id", (Tag.NAME, Tag.NAME_WITH_LANGUAGE), _short),
        Template("job-accounting-user-id", (Tag.NAME, Tag.NAME_WITH_LANGUAGE), _short),
        Template("job-hold-until", _WORDS, _words(*HOLDS)),
        Template("job-priority", (Tag.INTEGER,), _bounded(1, lambda _: 100)),
        Template("job-sheets", _WORDS, _words(*SHEETS)),
        Template("media", _WORDS, _media),
        Template("media-col", (Tag.BEGIN_COLLECTION,), _media_col),
        Template("multiple-document-handling", (Tag.KEYWORD,), _words(*HANDLINGS)),
        Template("number-up", (Tag.INTEGER,), _among(lambda it: it.number_up)),
        Template("orientation-requested", (Tag.ENUM,), _words(*ORIENTATIONS)),
        Template("output-bin", _WORDS, _among(lambda it: it.output_bins)),
        Template("overrides", (Tag.BEGIN_COLLECTION,), _override, many=True),
        Template("page-ranges", (Tag.RANGE,), _page_range, many=True),
        Template("print-color-mode", (Tag.KEYWORD,), _among(lambda it: it.color_modes)),
        Template("print-content-optimize", (Tag.KEYWORD,), _words(*OPTIMIZE)),
        Template("print-quality", (Tag.ENUM,), _among(lambda it: it.qualities)),
        Template("print-rendering-intent", (Tag.KEYWORD,), _words(*INTENTS)),
        Template("print-scaling", (Tag.KEYWORD,), _words(*SCALINGS)),
        Template("printer-resolution", (Tag.RESOLUTION,), _resolution),
        Template("sides", (Tag.KEYWORD,), _among(lambda it: it.sides)),
    )
}
