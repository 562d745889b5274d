"""The documents say what is so: settings load, commands exist, examples run, links lead somewhere, pages build."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import trustme

from mailshare.cli import main
from mailshare.config import parse_config

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SUBCOMMAND = re.compile(r"(?:^|\s|`)(?<!-u )mailshare((?: -c \S+)?(?: [a-z][\w-]*)+)")


def pages() -> list[Path]:
    """The README and every page."""
    built = DOCS / "_build"
    return [ROOT / "README.md", *(path for path in sorted(DOCS.rglob("*.md")) if not path.is_relative_to(built))]


def blocks(*languages: str) -> Iterator[tuple[str, str]]:
    """``(where, text)`` of each fenced block in one of these languages."""
    for page in pages():
        for match in FENCE.finditer(page.read_text()):
            if match[1] in languages:
                line = page.read_text()[: match.start()].count("\n") + 2
                yield f"{page.relative_to(ROOT)}:{line}", match[2]


def given(found: Iterator[tuple[str, str]]) -> list[object]:
    """Blocks as parameters with telling ids."""
    return [pytest.param(text, id=where) for where, text in found]


@pytest.fixture(scope="module")
def certificate() -> trustme.LeafCert:
    return trustme.CA().issue_cert("mail.office.example")


@pytest.mark.parametrize("text", given(blocks("toml")))
def test_settings_load(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificate: trustme.LeafCert
) -> None:
    """Every block of settings is one that the server takes, once the files that it names exist."""
    (tmp_path / "certs").mkdir()
    certificate.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "certs" / "office.pem"))
    for name in re.findall(r'file = "([^"/]+/[^"]+)"', text):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("secret\n")
        (tmp_path / name).chmod(0o600)
    for name in re.findall(r'env = "(\w+)"', text):
        monkeypatch.setenv(name, "secret")
    config = parse_config(text, str(tmp_path / "mailshare.toml"))
    assert config.data


def words_of(text: str) -> Iterator[list[str]]:
    """The words behind ``mailshare`` in each command line of a text, options of the group left out."""
    for match in SUBCOMMAND.finditer(text):
        words = match[1].split()
        yield words[2:] if words[:1] == ["-c"] else words


def named_commands() -> list[object]:
    """Each command that a page names, in a shell block or between backquotes, with the page."""
    seen: dict[str, str] = {}
    for page in pages():
        text = page.read_text()
        shells = "\n".join(match[2] for match in FENCE.finditer(text) if match[1] in {"sh", "text"})
        plain = "\n".join(line for line in text.splitlines() if line.startswith("    mailshare"))
        spans = "\n".join(span for span in re.findall(r"`([^`\n]+)`", text) if span.startswith("mailshare "))
        for part in (shells, plain, spans):
            for words in words_of(part):
                seen.setdefault(" ".join(words), str(page.relative_to(ROOT)))
    return [pytest.param(words, id=f"{page}:{words}") for words, page in seen.items()]


@pytest.mark.parametrize("words", named_commands())
def test_commands_exist(words: str) -> None:
    """Every command that a page names is there, down to its subcommand."""
    command: click.Command = main
    for word in shlex.split(words):
        if not isinstance(command, click.Group):
            break  # what follows is an argument
        found = command.get_command(click.Context(command), word)
        assert found is not None, f"there is no command {word!r} in {command.name}"
        command = found


@pytest.mark.parametrize("text", given(found for found in blocks("python") if not found[0].startswith("README")))
def test_examples_run(text: str) -> None:
    """Every Python block of the pages runs as it stands; of one that waits for a reactor, the imports do."""
    waiting = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    tree = compile(text, "<documents>", "exec", ast.PyCF_ONLY_AST | waiting)
    if any(isinstance(node, ast.Await) for statement in tree.body for node in _outside_functions(statement)):
        tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        assert tree.body, "a block that waits must at least say what it imports"
    exec(compile(tree, "<documents>", "exec"), {"__name__": "__example__"})


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    """A statement and what is below it, functions left out."""
    yield node
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        for child in ast.iter_child_nodes(node):
            yield from _outside_functions(child)


def test_readme_shows_a_whole_example() -> None:
    """The program in the README is the one in examples/, which has a test of its own."""
    (text,) = [text for where, text in blocks("python") if where.startswith("README")]
    assert text == (ROOT / "examples" / "share_in_30_lines.py").read_text()


@pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in pages()])
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page leads to a file that is there."""
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", FENCE.sub("", page.read_text()))
    assert not [link for link in links if not (page.parent / link).exists()]


def test_make_targets_exist() -> None:
    """Every ``make`` target that a page names is in the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        name for page in pages() for name in re.findall(r"(?:^|`)\s*make ([a-z]+)", page.read_text(), re.MULTILINE)
    }
    assert {"run", "test"} <= named <= targets


@pytest.mark.slow
def test_pages_build(tmp_path: Path) -> None:
    """Sphinx builds the pages with every warning an error and without any network."""
    pytest.importorskip("sphinx", reason="Sphinx is not installed: pip install mailshare[docs]")
    argv = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-n",
        "-T",
        "-W",
        "--keep-going",
        "-b",
        "html",
        str(DOCS),
        str(tmp_path),
    ]
    environment = {**os.environ, "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    result = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
