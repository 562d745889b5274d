"""Options of printing as people write them on a command line, made into those of IPP."""

from __future__ import annotations

import contextlib
import difflib
import json
import re
from collections.abc import Iterator, Mapping

from mailshare.core.errors import PeerFault
from mailshare.core.print_abilities import Abilities
from mailshare.core.print_media import size_of
from mailshare.core.print_words import spoken
from mailshare.wire.ipp_template import TEMPLATES, fits

_DOTS = re.compile(r"([0-9]{2,5})(?:dpi)?\Z", re.IGNORECASE)
_SPOKEN = {"sides": "sides", "media": "media", "print-color-mode": "color", "print-quality": "quality"}
_SPOKEN |= {"orientation-requested": "orientation", "page-ranges": "pages", "number-up": "nup"}


def read_options(given: Mapping[str, str], abilities: Abilities, where: str) -> dict[str, object]:
    """Options by their IPP names.

    :param given: name to what was written, e.g. ``{"sides": "duplex", "page-ranges": "1-3"}``.
    :param abilities: of the printer, ``where`` its name.
    :raises PeerFault: one is not known, or nothing that it can be there.
    """
    return {name: _read(name, text, abilities, where) for name, text in given.items()}


def _read(name: str, text: str, abilities: Abilities, where: str) -> object:
    template = TEMPLATES.get(name)
    if template is None:
        near = difflib.get_close_matches(name, tuple(TEMPLATES), 1)
        raise PeerFault(f"{name!r} is no option of printing{f'; did you mean {near[0]}?' if near else ''}", code=400)
    for value in _candidates(name, text):
        plain = value if not template.many or isinstance(value, list) else [value]
        try:
            if fits(template, plain, abilities):
                return plain
        except (TypeError, ValueError, IndexError):
            continue
    raise PeerFault(f"{text!r} is nothing that {name} can be on {where}", code=400)


def _candidates(name: str, text: str) -> Iterator[object]:
    """What a text may mean, the likeliest first."""
    words = spoken(_SPOKEN[name], text) if name in _SPOKEN else None
    if words is not None and name in words:
        yield words[name]
    if name == "media" and size_of(text) is not None:
        yield text
    if name == "printer-resolution" and (dots := _DOTS.match(text)):
        yield [int(dots[1]), int(dots[1]), 3]
    with contextlib.suppress(ValueError, RecursionError):
        yield json.loads(text)
    yield text
