"""Pages from templates: everything that is put into one is escaped, whatever it says."""

from __future__ import annotations

import gettext
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mailshare.web.static_files import StaticFiles

_HERE = os.path.dirname(__file__)
_LOCALES = os.path.join(_HERE, "locale")
_NAMES = {"en": "English", "fr": "Français", "de": "Deutsch"}
LANGUAGES = {tag: name for tag, name in _NAMES.items() if tag == "en" or gettext.find("mailshare", _LOCALES, [tag])}
"""Those that there is a catalogue of; the pages themselves are written in English."""
_UNITS = ("B", "kB", "MB", "GB", "TB")


class Rendering:
    """The templates of the package, in each language.

    :param zone: of the times that people read.
    """

    def __init__(self, static: StaticFiles, zone: tzinfo, now: Callable[[], int]) -> None:
        self._static = static
        self._zone = zone
        self._now = now
        self._environments = {language: self._environment(language) for language in LANGUAGES}

    def _environment(self, language: str) -> Environment:
        made = Environment(
            loader=FileSystemLoader(os.path.join(_HERE, "templates")),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        words = gettext.translation("mailshare", _LOCALES, [language], fallback=True)
        extension: Any = made
        extension.install_gettext_translations(words, newstyle=True)
        made.filters.update(size=size, local=self.local, ago=self.ago)
        made.filters.update(pairs=lambda names: [(one, one) for one in names])
        made.globals.update(static=self._static.url, languages=LANGUAGES)
        return made

    def render(self, template: str, language: str, values: Mapping[str, object]) -> bytes:
        """A page."""
        environment = self._environments.get(language) or self._environments["en"]
        return environment.get_template(template).render(values).encode("utf-8", "replace")

    def local(self, moment: object) -> str:
        """``2026-11-21T11:53:06Z`` as ``2026-11-21 12:53:06`` in the server's zone; empty for never."""
        at = _read(moment)
        return at.astimezone(self._zone).strftime("%Y-%m-%d %H:%M:%S") if at else ""

    def ago(self, moment: object) -> str:
        """How long ago, or in how long, shortly: ``3 min``."""
        at = _read(moment)
        if at is None:
            return ""
        seconds = abs(self._now() / 1_000_000 - at.timestamp())
        for bound, unit, word in ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h")):
            if seconds < bound:
                return f"{int(seconds // unit)} {word}"
        return f"{int(seconds // 86_400)} d"


def _read(moment: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(moment)).astimezone(UTC) if moment else None
    except ValueError:
        return None


def size(octets: object) -> str:
    """Octets as people read them: ``3.4 MB``."""
    number = float(str(octets or 0))
    for unit in _UNITS:
        if number < 1000 or unit == _UNITS[-1]:
            break
        number /= 1000
    return f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"


def language_of(chosen: str, accepted: str) -> str:
    """The language to speak: as chosen, else the first of ``Accept-Language`` that there is."""
    if chosen in LANGUAGES:
        return chosen
    for part in accepted.split(",")[:20]:
        tag = part.partition(";")[0].strip().lower()[:2]
        if tag in LANGUAGES:
            return tag
    return "en"
