"""The shape of the project: small files, short functions, telling names, floors kept, nothing of a workplace inside."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
import warnings
from functools import cache
from pathlib import Path

import pytest
from attrs import frozen

from tests.conftest import LONGEST

ROOT = Path(__file__).resolve().parent.parent
FILE_LIMIT = 700
FILE_WISH = 500
FUNCTION_LIMIT = 60
BANNED = {"util", "utils", "common", "helper", "helpers", "misc", "manager", "handler", "processor", "data"}
# Written in pieces, so that this file does not hold what it looks for.
WORKPLACE = [
    re.compile(pattern)
    for pattern in (
        r"(?<![\w.])/" + r"work/(main|shared|\.)",
        r"\.\./" + r"shared\b",
        r"\." + r"library/",
        r"pypi" + r"\.org",
        r"pythonhosted" + r"\.org",
        r"deb\.debian" + r"\.org",
        r"npmjs" + r"\.org",
        r"proxy\.golang" + r"\.org",
        r"(index-url|extra-index)\s*=",
    )
]


def tracked() -> list[Path]:
    """Every file of the project, as git knows it, else as it lies there (a source archive has no git)."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=False, text=True
    )
    if listed.returncode == 0 and listed.stdout:
        names = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        folders = ("mailshare", "tests", "docs", "examples", "twisted", ".ci")
        names = [path for folder in folders for path in (ROOT / folder).rglob("*")]
        names += list(ROOT.glob("*"))
    return [path for path in names if path.is_file() and "__pycache__" not in path.parts]


def sources() -> list[Path]:
    """The Python files."""
    return [path for path in tracked() if path.suffix in {".py", ".tac"}]


@frozen
class Read:
    """What is looked at of a file, which is read once for all tests.

    :ivar functions: name, line and length of each, its docstring and decorators not counted.
    :ivar imports: every ``from`` line; ``first`` those that run when the module is loaded.
    """

    functions: list[tuple[str, int, int]]
    imports: list[ast.ImportFrom]
    first: list[ast.ImportFrom]


@cache
def read(path: Path) -> Read:
    """A source file."""
    tree = ast.parse(path.read_text())
    nodes = list(ast.walk(tree))
    return Read(
        [length_of(node) for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)],
        [node for node in nodes if isinstance(node, ast.ImportFrom)],
        [node for node in tree.body if isinstance(node, ast.ImportFrom)],
    )


def length_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> tuple[str, int, int]:
    """One of :attr:`Read.functions`."""
    body = node.body
    documented = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    docstring = (body[0].end_lineno or 0) - body[0].lineno + 1 if documented else 0
    return node.name, node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1 - docstring


def test_files_are_small() -> None:
    """No file is over 700 lines; those over 500 are named as a warning."""
    sizes = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in sources()}
    assert sizes
    for path, size in sizes.items():
        if size > FILE_WISH:
            warnings.warn(f"{path} has {size} lines", stacklevel=1)
    assert not {path: size for path, size in sizes.items() if size > FILE_LIMIT}


def test_functions_are_short() -> None:
    """No function is over 60 lines."""
    long = [
        f"{path.relative_to(ROOT)}:{line} {name} has {length} lines"
        for path in sources()
        for name, line, length in read(path).functions
        if length > FUNCTION_LIMIT
    ]
    assert not long


def test_names_tell() -> None:
    """No file or folder of the program has a name that would fit anything."""
    assert not [p for p in sources() if {part.removesuffix(".py") for part in p.relative_to(ROOT).parts} & BANNED]


def test_imports_are_absolute() -> None:
    """Who reads an import line knows the room that it leads to. Tests may name the conftest.py beside them."""
    relative = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources()
        for node in read(path).imports
        if node.level and node.module != "conftest"
    ]
    assert not relative


def test_reactor_is_handed_in() -> None:
    """No module of the program imports the reactor when it is loaded: that would install one for everybody."""
    offenders = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources()
        if path.is_relative_to(ROOT / "mailshare")
        for node in read(path).first
        if node.module == "twisted.internet"
        and any(alias.name == "reactor" for alias in node.names)
    ]
    assert not offenders


def test_stock_mail_protocols_are_not_used() -> None:
    """Twisted's mail interfaces are met in adapters; its protocol classes are used nowhere, see docs/why/design.md."""
    protocols = {"SMTP", "ESMTP", "SMTPClient", "ESMTPClient", "SMTPFactory", "SMTPSender", "ESMTPSender", "sendmail"}
    protocols |= {"POP3", "POP3Client", "AdvancedPOP3Client"}
    lower = {"core", "wire", "shell", "store", "delivery", "isp"}
    offenders = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources()
        if path.is_relative_to(ROOT / "mailshare")
        for node in read(path).imports
        if (node.module or "").startswith("twisted.mail")
        and (lower & set(path.relative_to(ROOT).parts) or protocols & {alias.name for alias in node.names})
    ]
    assert not offenders


def test_no_bare_promises() -> None:
    """Nothing is left for later in the text of the program."""
    marks = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b|NotImplemented" + "Error")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sources()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if marks.search(line)
    ]
    assert not found


def test_no_test_package_files() -> None:
    """Tests are found by path, so a folder of tests has no __init__.py and each test file a name of its own."""
    names = [path.name for path in sources() if path.is_relative_to(ROOT / "tests") and path.name != "conftest.py"]
    assert "__init__.py" not in names
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)


def test_workplace_is_not_named() -> None:
    """Nothing tells where or with what tools the project was written, nor does it lead to a package registry."""
    found = []
    for path in tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {m[0]}" for pattern in WORKPLACE for m in pattern.finditer(text)]
    assert not found


def test_floors_are_kept() -> None:
    """Arrows between the rooms point downward only (import-linter, from pyproject.toml)."""
    pytest.importorskip("importlinter", reason="import-linter is not installed: pip install mailshare[lint]")
    result = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_package_is_installed() -> None:
    """What setup.cfg lists is every package there is: a forgotten one would only be missed by who installs a wheel."""
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    listed = set(settings["options"]["packages"].split())
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "mailshare").rglob("__init__.py")
        if "migrations" not in path.parts
    }
    assert listed == found | {"twisted.plugins"}


def test_what_is_run_first_is_there() -> None:
    """A module that was renamed or divided would be begun late again."""
    assert not [name for name in LONGEST if not (ROOT / name).is_file()]
    assert len(set(LONGEST)) == len(LONGEST)
