"""What people may read in the manager: gathered from the templates and the code, for the catalogues.

``python -m tests.web.gathered_words`` adds what is new to ``mailshare/web/locale`` with an empty translation, and takes
away what nobody says any more; then the translations are filled in by hand.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path

from attrs import frozen
from jinja2 import Environment
from typing_extensions import override

import mailshare
from mailshare.core import errors
from mailshare.web.catalogues import LOCALES, Entry, read_entries
from mailshare.web.languages import LANGUAGES

ROOT = Path(mailshare.__file__).parent
TEMPLATES = ROOT / "web/templates"
_ERRORS = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
_RAISE = _ERRORS | {"_syntax"}
_SAID_BY_ROOMS = (
    "assembly", "core", "delivery/quotas", "delivery/outbound_size", "delivery/agents", "documents", "fax", "isp",
    "journal", "portal", "printing", "shell/client", "shell/certificates", "shell/own", "shell/private", "store/d",
    "store/former", "store/naming", "store/print", "store/settings", "web/handout",
)  # fmt: skip
"""Rooms whose refusals a page may show."""
_ALL_WORDS = (
    "web/pages/*.py", "web/routing.py", "web/visit.py", "web/live.py", "web/manual.py", "web/operation.py",
    "web/handout/page.py", "web/handout/slip_pdf.py", "web/handout/cautions.py",
    "isp/run_steps.py",
    "isp/login_test.py", "isp/finding.py", "core/known_providers.py", "journal/words.py", "journal/telling.py",
    "core/work_list.py", "portal/administrators.py", "assembly/print_shapes.py", "assembly/print_acts.py",
    "assembly/probing.py", "config/checks.py", "config/reading.py", "config/timetable.py", "config/rule_checks.py",
    "core/servers.py", "assembly/health.py", "core/print_faults.py",
)  # fmt: skip
"""Modules in which every string that reads like words is shown to people."""
STATES = (
    "queued", "active", "deferred", "held", "delivered", "failed", "cancelled", "completed", "canceled", "aborted",
    "processing", "pending", "stopped", "idle", "waiting", "viewer", "account admin", "owner", "read", "operate",
    "admin", "person", "public", "from", "list", "to", "name", "confidential", "bulletin", "relay",
    "destination", "group", "printer",
)  # fmt: skip
"""Single words that templates show as they come."""
HEADERS = {
    language: f'msgid ""\nmsgstr ""\n"Language: {language}\\n"\n"MIME-Version: 1.0\\n"\n'
    f'"Content-Type: text/plain; charset=UTF-8\\n"\n"Content-Transfer-Encoding: 8bit\\n"\n"Plural-Forms: {forms}\\n"\n'
    for language, forms in (("fr", "nplurals=2; plural=(n > 1);"), ("de", "nplurals=2; plural=(n != 1);"))
}
"""What other programs for such files want to know."""
_NEVER_SHOWN = (
    "assembly/extensions", "assembly/keys", "assembly/offline", "assembly/shown_certificates", "assembly/what_if",
    "core/device_uri", "core/uid_files", "core/print_status", "core/print_fault_words", "printing/announcing",
    "store/database", "store/deliver",
)  # fmt: skip
"""These speak to the command line and to the server's log alone."""
_NO_WORDS = re.compile(
    r"[\w/.+-]+; charset=\S+|[a-z]+(-[a-z]+)* [\w\s.-]*=.*|[\W\d]*|(\{\d\}\W*)+|.*<\w+.*|Location|Referer"
    r"|attachment; .*|[a-z]+ \{1\}"
)
_CODES = ("code", "kbd", "pre", "script", "style")
"""What stands in these is typed or read by programs."""
_NAMES = re.compile(r"\bmailshare\b|\bAPI\b|\bADMIN\b|[a-z]+3?s?://\S+")
_EXPRESSION = re.compile(r"{% trans.*?endtrans %}|\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_FACTS = re.compile(r"\{(\d+)\}")


@frozen
class Said:
    """One string.

    :ivar many: its plural, where it counts.
    """

    text: str
    many: str
    where: str


# --------------------------------------------------------------------------- templates


def environment() -> Environment:
    """Reads templates as the manager does."""
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.i18n"])


def of_templates() -> Iterator[Said]:
    """What stands in ``_(...)`` and ``ngettext(...)``."""
    reads = environment()
    for path in sorted(TEMPLATES.rglob("*.html")):
        for line, _, message in reads.extract_translations(path.read_text("utf-8")):  # type: ignore[attr-defined]
            forms = [one for one in (message if isinstance(message, tuple) else (message,)) if isinstance(one, str)]
            if forms:
                yield Said(forms[0], "".join(forms[1:2]), f"{path.relative_to(ROOT.parent)}:{line}")


class _Bare(HTMLParser):
    """Keeps what a reader or a screen reader would get from a template whose expressions were taken out."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, int]] = []
        self._codes = 0

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._codes += tag in _CODES
        for name, value in attrs:
            if name in ("title", "aria-label", "placeholder", "alt", "data-label"):
                self.handle_data(value or "")

    @override
    def handle_endtag(self, tag: str) -> None:
        self._codes -= tag in _CODES

    @override
    def handle_data(self, data: str) -> None:
        words = _NAMES.sub(" ", data)
        if not self._codes and re.search(r"[A-Za-zÀ-ÿ]{2}", words):
            self.found.append((" ".join(data.split()), self.getpos()[0]))


def bare_words() -> Iterator[Said]:
    """Words that stand in a template outside of ``_(...)``, as text or in an attribute that is read out."""
    for path in sorted(TEMPLATES.rglob("*.html")):
        reader = _Bare()
        reader.feed(_EXPRESSION.sub(lambda found: "\n" * found[0].count("\n"), path.read_text("utf-8")))
        for text, line in reader.found:
            yield Said(text, "", f"{path.relative_to(ROOT.parent)}:{line}")


# --------------------------------------------------------------------------- code


def of_code() -> Iterator[Said]:
    """Refusals of the rooms, and whatever reads like words in the modules that speak to people."""
    whole = {path for pattern in _ALL_WORDS for path in ROOT.glob(pattern)}
    assert all(list(ROOT.glob(pattern)) for pattern in _ALL_WORDS)
    for path in sorted(ROOT.rglob("*.py")):
        room = str(path.relative_to(ROOT))
        if path in whole:
            found = _words(ast.parse(path.read_text("utf-8")))
        elif room.startswith(_SAID_BY_ROOMS) and not room.startswith(_NEVER_SHOWN):
            found = _refusals(ast.parse(path.read_text("utf-8")))
        else:
            continue
        for text, many, line in found:
            yield Said(text, many, f"{path.relative_to(ROOT.parent)}:{line}")
    for text in STATES:
        yield Said(text, "", "tests/web/gathered_words.py: STATES")
    for name in sorted(_ERRORS):
        yield Said(getattr(errors, name).default_public, "", f"mailshare/core/errors.py: {name}")


def written(node: ast.expr) -> str:
    """A string as the catalogue has it: ``{1}``, ``{2}`` for what is put in; empty when it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return ""
    text, number = "", 0
    for part in node.values:
        if isinstance(part, ast.Constant):
            text += str(part.value)
        else:
            number += 1
            text += f"{{{number}}}"
    return text


def _fragment(text: str) -> bool:
    """Too little to be known again: a piece that other code puts together, or a command."""
    fixed = _FACTS.sub("", text)
    few = len(re.sub(r"[^A-Za-z]", "", fixed)) < 6
    return "{1}" in text and (few or text[:1] in ",;(" or text[:2] == " (" or " ID " in text)


def _worth(text: str) -> bool:
    return not _fragment(text) and not _NO_WORDS.fullmatch(text) and bool(re.search("[A-Za-z]{2}", text))


def _refusals(tree: ast.Module) -> Iterator[tuple[str, str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _RAISE and node.args:
            said = node.args[0]
            text = written(said.value if isinstance(said, ast.Subscript) else said)
            if " " in text and _worth(text):
                yield text, "", node.lineno


def _words(tree: ast.Module) -> Iterator[tuple[str, str, int]]:
    silent: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):  # docstrings and texts under a name
            silent.add(id(node.value))
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("failure", "info", "warn", "compile", "sub", "match", "replace", "strftime", "split"):
                silent.update(id(part) for part in ast.walk(node))
        forms = node.args[:2] if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.Tuple) else []
        if len(forms) == 2 and all("%(n)s" in written(form) for form in forms):  # singular and plural
            silent.update(map(id, forms))
            yield written(forms[0]), written(forms[1]), forms[0].lineno
        if isinstance(node, ast.JoinedStr):
            silent.update(id(value) for value in node.values if isinstance(value, ast.Constant))
    for node in ast.walk(tree):
        if id(node) in silent or not isinstance(node, ast.Constant | ast.JoinedStr):
            continue
        text = written(node)
        said = " " in text.strip() or (text[:1].isupper() and text.isalpha() and text.lower() != text != text.upper())
        if said and _worth(text):
            yield text, "", node.lineno


# --------------------------------------------------------------------------- catalogues


def gathered() -> dict[str, Mapping[str, Said]]:
    """Everything, by catalogue: ``pages`` for what the manager says itself, ``office`` for what it passes on."""
    found: dict[str, dict[str, Said]] = {"pages": {}, "office": {}}
    for one in (*of_templates(), *of_code()):
        name = "pages" if one.where.startswith("mailshare/web/") else "office"
        if one.text not in found["pages"] and one.text.strip():
            found[name].setdefault(one.text, one)
    return dict(found)


def update() -> int:
    """Write the catalogues anew.

    :returns: how many translations are missing.
    """
    missing = 0
    for name, said in gathered().items():
        for language in LANGUAGES:
            if language == "en":
                continue
            path = Path(LOCALES) / language / f"{name}.po"
            path.parent.mkdir(parents=True, exist_ok=True)
            known = {one.one: one for one in read_entries(path.read_text("utf-8"))} if path.exists() else {}
            rows = [
                known.get(one.text) or Entry(one.text, one.many, ("", "") if one.many else ("",))
                for one in sorted(said.values(), key=lambda one: (one.text.casefold(), one.text))
            ]
            missing += sum(not all(one.said) for one in rows)
            path.write_text("\n".join((HEADERS[language], *(one.written() for one in rows))), "utf-8")
    return missing


if __name__ == "__main__":
    sys.stdout.write(f"{update()} translations are missing\n")
