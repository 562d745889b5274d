"""Commands about files: the configuration, the export, copies of the store, and the demonstration."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from mailshare.cli.calling import Context, Refused, with_json

if TYPE_CHECKING:
    from mailshare.config import Problem

_Answer = tuple[Any, Iterable[str]]


@click.command()
@click.argument("file", required=False)
@click.option("--defaults", is_flag=True, help="Print every limit with its default and meaning instead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for editors and programs.")
@click.pass_obj
def check(context: Context, file: str | None, defaults: bool, as_json: bool) -> None:
    """Read the configuration FILE and name all its mistakes.

    Exit codes: 0 right, 1 right with warnings, 2 mistakes.
    """
    if defaults:
        _print_defaults(as_json)
        return
    from mailshare.config import BrokenConfig, load_config  # noqa: PLC0415 - keeps --help quick

    try:
        problems: tuple[Problem, ...] = load_config(file or context.path).warnings
    except BrokenConfig as fault:
        problems = fault.problems
    errors = sum(not problem.warning for problem in problems)
    if as_json:
        click.echo(json.dumps([problem.as_json() for problem in problems], ensure_ascii=False, indent=2))
    else:
        for problem in problems:
            click.echo(str(problem))
        told = ", ".join(_counted(problems, errors))
        click.echo(told or "The file is right.")
    sys.exit(2 if errors else 1 if problems else 0)


def _counted(problems: Sequence[Problem], errors: int) -> Iterable[str]:
    for count, word in ((errors, "mistake"), (len(problems) - errors, "warning")):
        if problems:
            yield f"{count} {word}" if count == 1 else f"{count} {word}s"


def _print_defaults(as_json: bool) -> None:
    from mailshare.config.limits import FIXED, Limits  # noqa: PLC0415 - keeps --help quick

    rows = Limits.table()
    if as_json:
        names = ("name", "default", "unit", "meaning")
        both = [dict(zip(names, row, strict=True)) | {"fixed": row in FIXED} for row in (*rows, *FIXED)]
        click.echo(json.dumps(both, indent=2))
        return
    click.echo("[limits]")
    width = max(len(row[0]) for row in rows)
    for name, default, unit, meaning in rows:
        click.echo(f"{name:<{width}} = {json.dumps(default):<10} # {unit}: {meaning}")
    click.echo("\n# These cannot be set there.")
    for name, value, unit, meaning in FIXED:
        click.echo(f"# {name}: {value} {unit}: {meaning}")


@click.command()
@click.option("--secrets", is_flag=True, help="Print passwords that stand as text in the file, in place of a mark.")
@click.pass_obj
@with_json
def export(context: Context, /, secrets: bool) -> _Answer:
    """Print users and accounts in the syntax of the configuration file; with --json as one text."""
    text = str(context.ask("export", secrets=secrets or None))
    return {"toml": text}, text.splitlines()


@click.command()
@click.argument("directory", type=click.Path())
@click.pass_obj
@with_json
def backup(context: Context, directory: str) -> _Answer:
    """Copy the store into the new DIRECTORY, consistently, while the server serves."""
    answer = context.ask("backup", directory=os.path.abspath(directory))
    return answer, [f"The store is copied to {answer['directory']}."]


@click.command()
@click.option("--deep", is_flag=True, help="Read every message too, and compare its octets with what was stored.")
@click.pass_obj
@with_json
def verify(context: Context, deep: bool) -> _Answer:
    """Look for damage in the store, also while the server serves; exit code 1 when some is found."""
    answer = context.ask("verify", deep=deep)
    if answer["problems"]:
        raise Refused("\n".join(answer["problems"]))
    return answer, ["The store is sound."]


@click.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False))
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
@with_json
def restore(context: Context, directory: str, yes: bool) -> _Answer:
    """Put the copy in DIRECTORY in the place of the store; the old one is kept beside it. The server must be down."""
    from mailshare.assembly.offline import restore_store  # noqa: PLC0415 - brings the store and Twisted
    from mailshare.core.errors import MailshareError  # noqa: PLC0415 - keeps --help quick

    if not yes:
        click.confirm(f"Replace the store under {context.config.data}?", abort=True)
    try:
        old = restore_store(context.config, os.path.abspath(directory))
    except MailshareError as error:
        raise Refused(error.public) from error
    answer = {"restored": directory, "old": old}
    return answer, ["The store is restored.", f"The old one lies in {old}." if old else "There was no old one."]


@click.command()
@click.argument("directory", type=click.Path(), default="mailshare-demo")
def demo(directory: str) -> None:
    """Start a demonstration office with a pretend provider, its files in DIRECTORY."""
    from mailshare.assembly.demonstration import OFFICE_TOML  # noqa: PLC0415

    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, "office.toml")
    if not os.path.exists(path):
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(OFFICE_TOML)
    twistd = shutil.which("twistd", path=os.path.dirname(sys.executable)) or shutil.which("twistd")
    if twistd is None:
        raise Refused("twistd is not installed beside this command")
    os.execv(twistd, [twistd, "--nodaemon", "--pidfile=", "mailshare", "-c", path])  # noqa: S606 - our own program
