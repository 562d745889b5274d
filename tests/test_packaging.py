"""The project installs in each usual way, and ``twistd`` finds the plugin in each."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.slow
NOT_SHARED = ("mailshare", "__editable__", "easy-install", "twisted-plugins")


def command(*argv: str | Path, cwd: Path) -> str:
    """Run a program with nothing of our own paths in its environment and give what it printed."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "MAKE", "VIRTUAL"))}
    result = subprocess.run(
        [str(part) for part in argv],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git tracks, so that building leaves nothing in the working tree."""
    target = tmp_path_factory.mktemp("checkout")
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=False, text=True)
    if listed.returncode:
        pytest.skip("needs a git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        source = ROOT / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(source.read_bytes())
    return target


@pytest.fixture(scope="module")
def dependencies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything installed beside us, by symbolic links, mailshare itself left out."""
    target = tmp_path_factory.mktemp("dependencies")
    for entry in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if not entry.name.startswith(NOT_SHARED) and entry.suffix != ".pth":
            (target / entry.name).symlink_to(entry)
    return target


@pytest.fixture
def fresh(tmp_path: Path, dependencies: Path) -> Path:
    """A new virtual environment with the dependencies in sight; its ``bin``."""
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    site = tmp_path / "env" / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    (site / "dependencies.pth").write_text(f"{dependencies}\n")
    return tmp_path / "env" / "bin"


def install(fresh: Path, *what: str | Path) -> None:
    """``pip install`` into the new environment, from what is at hand."""
    pip = (sys.executable, "-m", "pip", "--python", fresh / "python", "--disable-pip-version-check", "install")
    command(*pip, "--no-index", "--no-deps", "--no-build-isolation", *what, cwd=fresh)


def assert_works(fresh: Path, cwd: Path) -> None:
    """Both commands answer, run from a folder that has nothing of ours."""
    cwd.mkdir(exist_ok=True)
    # The console script of twistd lies with the shared dependencies and would start their Python, not this one.
    twistd = [fresh / "python", "-c", "from twisted.scripts.twistd import run; run()"]
    assert "Share one mailbox" in command(*twistd, "--help", cwd=cwd)
    assert "--config" in command(*twistd, "mailshare", "--help", cwd=cwd)
    assert "26." in command(fresh / "mailshare", "--version", cwd=cwd)
    listed = command(fresh / "mailshare", "--help", cwd=cwd)
    assert "sendreceive" in listed
    assert "mailboxes" in listed
    # The server's own modules and all that they import come with the installation.
    where = command(fresh / "python", "-c", "import mailshare.tap, mailshare.cli as cli; print(cli.__file__)", cwd=cwd)
    assert str(ROOT) not in where


def test_wheel(fresh: Path, checkout: Path, tmp_path: Path) -> None:
    """A wheel holds every package and the plugin, and works where it is installed."""
    command(
        *(sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-index", "--no-deps"),
        *("--no-build-isolation", "--wheel-dir", tmp_path / "dist", checkout),
        cwd=tmp_path,
    )
    (wheel,) = (tmp_path / "dist").glob("mailshare-*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        str(path.relative_to(checkout))
        for folder in ("mailshare", "twisted")
        for path in (checkout / folder).rglob("*")
        if path.is_file() and path.suffix in {".py", ".typed", ".mako", ".html", ".css", ".js", ".svg"}
    }
    assert wanted <= held, sorted(wanted - held)
    assert not [name for name in held if name.startswith(("tests/", "docs/", "examples/"))]
    assert "twisted/__init__.py" not in held
    install(fresh, wheel)
    assert_works(fresh, tmp_path / "elsewhere")


def test_plain_install(fresh: Path, checkout: Path, tmp_path: Path) -> None:
    """``pip install .`` works."""
    install(fresh, checkout)
    assert_works(fresh, tmp_path / "elsewhere")


def test_editable_install(fresh: Path, checkout: Path, tmp_path: Path) -> None:
    """``pip install -e .`` with no further options works: the rest of Twisted is not shadowed by our plugin folder."""
    install(fresh, "--editable", checkout)
    assert_works(fresh, tmp_path / "elsewhere")
    where = command(fresh / "python", "-c", "import mailshare; print(mailshare.__file__)", cwd=tmp_path)
    assert where.strip() == str(checkout / "mailshare" / "__init__.py")


def test_source_archive(checkout: Path, tmp_path: Path) -> None:
    """The source archive holds all that a clone holds, so that its tests can be run."""
    build = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"
    command(sys.executable, "-c", build, tmp_path, cwd=checkout)
    (archive,) = tmp_path.glob("mailshare-*.tar.gz")
    with tarfile.open(archive) as opened:
        held = {name.partition("/")[2] for name in opened.getnames()}
    needed = {"setup.cfg", "pyproject.toml", "Makefile", "README.md", "CHANGELOG.md", "LICENSE"}
    for folder in ("mailshare", "twisted", "tests", "docs", "examples"):
        paths = (checkout / folder).rglob("*")
        needed |= {str(p.relative_to(checkout)) for p in paths if p.is_file() and p.suffix not in {".pyc", ".cache"}}
    assert needed <= held, sorted(needed - held)
