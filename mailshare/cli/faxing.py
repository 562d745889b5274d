"""``mailshare fax``: send and receive faxes, and look after them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import click

from mailshare.cli import screens
from mailshare.cli.calling import Context, with_json

_Answer = tuple[Any, Iterable[str]]
_QUEUE = ("id", "state", "user", "number", "attempts", "next", "reply")
_CALLS = ("at", "cause", "line", "X-Fax-Pages", "X-Fax-Duration", "reply")


@click.group()
def fax() -> None:
    """Send faxes and look after them."""


@fax.command("send")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--to", "to", multiple=True, required=True, help="Number, name of the address book, or address; repeat.")
@click.option("--as", "user", help="Login of the sender, who gets the reports; ADMIN when left out.")
@click.option("--subject", help="For reports and the cover page; the file's name when left out.")
@click.option("--text", help="Words that go before the file, or onto the cover page.")
@click.pass_obj
@with_json
def fax_send(context: Context, /, file: str, to: tuple[str, ...], **facts: str | None) -> _Answer:
    """Send FILE: a PDF, a TIFF or another picture, or a text."""
    answer = context.ask("fax_send", file=os.path.abspath(file), to=list(to), **facts)
    numbers = ", ".join(str(one) for one in answer["faxes"])
    return answer, [f"Fax {numbers} of {screens.safe(answer['user'])}; follow it: mailshare fax queue"]


@fax.command("queue")
@click.option("--all", "everything", is_flag=True, help="Also faxes that are over.")
@click.pass_obj
@with_json
def fax_queue(context: Context, everything: bool) -> _Answer:
    """List faxes, newest first."""
    answer = context.ask("fax_queue", all=everything or None)
    return answer, screens.table(answer, _QUEUE, "No fax waits.")


@fax.command("show")
@click.argument("id", type=int)
@click.pass_obj
@with_json
def fax_show(context: Context, id: int) -> _Answer:  # noqa: A002
    """Tell of one fax, call by call."""
    answer = context.ask("fax_show", id=id)
    head = f"Fax {answer['id']} to {screens.safe(answer['number'])}: {screens.safe(answer['state'])}"
    return answer, [head, *screens.table(answer["calls"], _CALLS, "It was not called yet.")]


@fax.command("cancel")
@click.argument("id", type=int)
@click.pass_obj
@with_json
def fax_cancel(context: Context, id: int) -> _Answer:  # noqa: A002
    """Give a fax up, also in the middle of a call."""
    answer = context.ask("fax_cancel", id=id)
    return answer, [f"Fax {answer['id']} is given up"]


@fax.command("resend")
@click.argument("id", type=int)
@click.pass_obj
@with_json
def fax_resend(context: Context, id: int) -> _Answer:  # noqa: A002
    """Send a fax that is over once more, from its first page."""
    answer = context.ask("fax_resend", id=id)
    return answer, [f"Fax {', '.join(str(one) for one in answer['faxes'])} sends it again"]


@fax.command("lines")
@click.pass_obj
@with_json
def fax_lines(context: Context) -> _Answer:
    """List the lines and what was seen of them."""
    answer = context.ask("fax_lines")
    return answer, screens.table(answer, ("name", "free", "calls", "pages", "trouble"), "There is no line.")


@fax.command("book")
@click.pass_obj
@with_json
def fax_book(context: Context) -> _Answer:
    """List the address book."""
    answer = context.ask("fax_book")
    return answer, screens.table(answer, ("name", "short", "number", "who"), "The address book is empty.")
