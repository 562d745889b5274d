"""The command that looks whether all is well, with exit codes for programs that watch over many computers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from mailshare.cli import screens
from mailshare.cli.calling import Context

_CODES = {"good": 0, "warn": 1, "bad": 2}
_WORDS = {"good": "ok", "warn": "look", "bad": "TROUBLE"}


@click.command()
@click.option("--all", "everything", is_flag=True, help="Also what is well.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.pass_obj
def doctor(context: Context, /, everything: bool, as_json: bool) -> None:
    """Tell what needs a look: exit code 0 nothing, 1 something, 2 something is broken, 3 the server does not run."""
    findings = context.ask("health")
    if as_json:
        click.echo(json.dumps(findings, ensure_ascii=False, indent=2))
    else:
        for line in _lines(findings, everything):
            click.echo(line)
    sys.exit(max((_CODES[one["level"]] for one in findings), default=0))


def _lines(findings: Sequence[Mapping[str, Any]], everything: bool) -> Iterator[str]:
    shown = [one for one in findings if everything or one["level"] != "good"]
    for one in sorted(shown, key=lambda each: -_CODES[each["level"]]):
        at = f" {one['at']}" if one["at"] else ""
        yield f"{_WORDS[one['level']]:8}{screens.safe(one['what'])}: {screens.safe(one['seen'])}{at}"
    if not shown:
        yield f"All is well; {len(findings)} things were looked at."
