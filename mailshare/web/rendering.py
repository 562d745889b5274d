"""Pages from templates: everything that is put into one is escaped, whatever it says."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mailshare.web.languages import LANGUAGES, Language
from mailshare.web.static_files import StaticFiles

_TEMPLATES = os.path.join(os.path.dirname(__file__), "templates")


class Rendering:
    """The templates of the package, in each language; one is made ready when it is first spoken.

    :param zone: of the times that people read.
    """

    def __init__(self, static: StaticFiles, zone: tzinfo, now: Callable[[], int]) -> None:
        self._static = static
        self._zone = zone
        self._now = now
        self._languages: dict[str, Language] = {}
        self._environments: dict[str, Environment] = {}

    def language(self, tag: str) -> Language:
        """How a language is written; English for one that is not spoken here."""
        tag = tag if tag in LANGUAGES else "en"
        if tag not in self._languages:
            self._languages[tag] = Language(tag, self._zone, self._now)
        return self._languages[tag]

    def _environment(self, language: Language) -> Environment:
        made = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        extension: Any = made
        extension.install_gettext_translations(language.words, newstyle=True)
        made.filters.update(size=language.size, number=language.number, told=language.told)
        made.filters.update(local=language.local, ago=language.ago, day=language.day)
        made.filters.update(pairs=lambda names: [(one, one) for one in names])
        made.globals.update(static=self._static.url, languages=LANGUAGES)
        return made

    def render(self, template: str, language: str, values: Mapping[str, object]) -> bytes:
        """A page."""
        spoken = self.language(language)
        if spoken.tag not in self._environments:
            self._environments[spoken.tag] = self._environment(spoken)
        environment = self._environments[spoken.tag]
        return environment.get_template(template).render(values).encode("utf-8", "replace")
