"""Commands for print jobs: give a document, look at jobs, steer them."""

from __future__ import annotations

import json
import mimetypes
import os
from collections.abc import Iterable
from typing import Any

import click

from mailshare.cli import screens
from mailshare.cli.admin import who
from mailshare.cli.calling import Context, fail, with_json

_Answer = tuple[Any, Iterable[str]]
_COLUMNS = ("id", "state", "queue", "name", "user", "pages", "created", "why")
_SHORT = {"one": "simplex", "two": "duplex", "short": "tumble"}


@click.command("print")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--to", required=True, help="The destination, group or printer.")
@click.option("--copies", help="How many.")
@click.option("--sides", help="one, two (turned over the long edge) or short (over the short edge).")
@click.option("--media", help="The paper: A4, letter ..., or its name in IPP.")
@click.option("--color", help="mono or color.")
@click.option("--pages", help="Only these: 1-3,7.")
@click.option("--name", help="What the job is called; the file's name when left out.")
@click.option("--notify", help="Mails to be sent of a job that goes by mail: done,error,trace,pages.")
@click.option("--hold", is_flag=True, help="Keep it here until it is released.")
@click.option("--pin", help="Keep it at the printer's office until somebody names this there.")
@click.option("--keep", is_flag=True, help="Keep these options for later jobs there; without any, forget those kept.")
@click.option("-o", "further", multiple=True, metavar="KEY=VALUE", help="Another option by its name in IPP; again.")
@click.pass_obj
@with_json
def print_(context: Context, /, **given: Any) -> _Answer:
    """Print FILE, - is standard input."""
    options = {
        "copies": given["copies"],
        "sides": _SHORT.get(given["sides"] or "", given["sides"]),
        "media": given["media"],
        "print-color-mode": given["color"],
        "page-ranges": given["pages"],
    }
    wanted = {name: text for name, text in options.items() if text}
    for pair in given["further"]:
        name, equals, text = pair.partition("=")
        if not name or not equals:
            fail(f"{screens.safe(pair)} is no option; write -o KEY=VALUE, e.g. -o number-up=2")
        wanted[name] = text
    file = given["file"]
    name = given["name"] or ("document" if file == "-" else os.path.basename(file))
    with click.open_file(file, "rb") as document:
        answer = context.ask(
            "print_document",
            document=document,
            to=given["to"],
            name=name,
            user=who(),
            declared=mimetypes.guess_type(file)[0],
            options=json.dumps(wanted) if wanted else None,
            notify=given["notify"],
            hold=given["hold"] or None,
            pin=given["pin"],
            keep=given["keep"] or None,
        )
    words = f"Job {answer['id']} for {screens.safe(answer['queue'])}: {answer['octets']} octets, {answer['word']}."
    return answer, [words]


@click.command()
@click.option("--all", "everything", is_flag=True, help="Also what is over.")
@click.option("--to", help="Only of this destination, group or printer.")
@click.pass_obj
@with_json
def jobs(context: Context, /, everything: bool, to: str | None) -> _Answer:
    """List print jobs, newest first."""
    answer = context.ask("print_jobs", all=everything or None, queue=to)
    rows = [
        {**row, "state": row["word"], "pages": _count(row["impressions"]), "why": row["message"]} for row in answer
    ]
    nothing = "There are no print jobs." if everything else "No print job is under way; --all also lists what is over."
    return answer, screens.table(rows, _COLUMNS, nothing)


def _count(number: int) -> str:
    return str(number) if number >= 0 else ""


@click.group()
def job() -> None:
    """Look at a print job and steer it; ID is its number."""


@job.command()
@click.argument("id", type=int)
@click.pass_obj
@with_json
def show(context: Context, /, id: int) -> _Answer:  # noqa: A002
    """Show the job ID: what it is, how it stands at each printer, and how sure that is."""
    answer = context.ask("print_job", id=id)
    return answer, [screens.safe(line) for line in answer["words"]]


def _steering(act: str, text: str) -> click.Command:
    @click.argument("id", type=int)
    @click.pass_obj
    @with_json
    def steer(context: Context, /, id: int) -> _Answer:  # noqa: A002
        answer = context.ask("steer_job", id=id, act=act)
        return answer, [screens.safe(answer["words"])]

    return click.command(act, help=text)(steer)


for _act, _text in (
    ("cancel", "Cancel the job ID, also at the printer, and take its mails out of the outbox."),
    ("hold", "Keep the job ID here until it is released."),
    ("release", "Let the held job ID go on; of one that nobody knows the end of, ask the printer once more."),
    ("reprint", "Print the job ID once more, as a new job."),
):
    job.add_command(_steering(_act, _text))
