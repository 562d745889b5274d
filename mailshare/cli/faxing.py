"""``mailshare fax``: send and receive faxes, and look after them."""

from __future__ import annotations

import os
from base64 import b64decode
from collections.abc import Iterable
from typing import Any

import click

from mailshare.cli import screens
from mailshare.cli.calling import Context, with_json

_Answer = tuple[Any, Iterable[str]]
_QUEUE = ("id", "state", "user", "number", "attempts", "next", "reply")
_ACTIVITY = ("at", "way", "number", "pages", "seconds", "tries", "result")
_LINES = ("name", "kind", "free", "doing", "calls", "pages", "trouble")
_LEDGER = ("pages", "at", "line", "rate", "ecm", "remote", "cost")
_CALLS = ("at", "cause", "line", "pages", "seconds", "reply")


@click.group()
def fax() -> None:
    """Send faxes and look after them."""


@fax.command("send")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--to", "to", multiple=True, required=True, help="Number, name of the address book, or address; repeat.")
@click.option("--as", "user", help="Login of the sender, who gets the reports; ADMIN when left out.")
@click.option("--subject", help="For reports and the cover page; the file's name when left out.")
@click.option("--text", help="Words that go before the file, or onto the cover page.")
@click.option("--at", help="When it goes out: 18:30, 2026-12-24 18:30, +8h; at once when left out.")
@click.option("--deadline", help="When no call begins any more, likewise; fax.lifetime when left out.")
@click.option("--cover", help="Cover sheet: standard, none, or the name of a [[fax_cover]].")
@click.option("--password", help="That the far machine asks for (ITU-T T.30 PWD), as that of a box there.")
@click.option("--receipt", is_flag=True, help="The sender is told at once that it was taken.")
@click.option("--forecast", is_flag=True, help="Send nothing; say how long it takes and what it costs.")
@click.option("--priority", type=click.Choice(("urgent", "normal", "later")), help="later = in cheap hours.")
@click.pass_obj
@with_json
def fax_send(
    context: Context, /, file: str, to: tuple[str, ...], receipt: bool, forecast: bool, **facts: str | None
) -> _Answer:
    """Send FILE: a PDF, a TIFF or another picture, or a text."""
    flags = {"receipt": receipt or None, "forecast": forecast or None}
    answer = context.ask("fax_send", file=os.path.abspath(file), to=list(to), **flags, **facts)
    if forecast:
        return answer, screens.table(answer["forecast"], ("number", "pages", "seconds", "cost", "too_dear"), "")
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
    calls = [
        {**one, "pages": one.get("X-Fax-Pages", ""), "seconds": one.get("X-Fax-Duration", "")}
        for one in answer["calls"]
    ]
    damaged = answer["damaged_rows"]
    mended = [f"{damaged} rows of its document were damaged and mended"] if damaged else []
    carried = [{**one, "cost": one["cost"] or ""} for one in answer["ledger"] if one["pages"]]
    return answer, [
        head,
        *mended,
        *screens.table(calls, _CALLS, "It was not called yet."),
        *(screens.table(carried, _LEDGER, "") if carried else []),
    ]


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
    return answer, screens.table(answer, _LINES, "There is no line.")


@fax.command("number")
@click.argument("number")
@click.option("--forget", is_flag=True, help="Forget it: the next call begins as the first did.")
@click.pass_obj
@with_json
def fax_number(context: Context, number: str, forget: bool) -> _Answer:
    """Tell what calls to NUMBER have taught: its machine, rate, error correction, and hours in which it is busy."""
    if forget:
        answer = context.ask("forget_fax_number", number=number)
        return answer, [f"What was known of {screens.safe(answer['number'])} is forgotten"]
    answer = context.ask("fax_number", number=number)
    way = f"{answer['max_rate']} bit/s at most, with{'' if answer['ecm'] else 'out'} error correction"
    hours = ", ".join(f"{hour}:00" for hour in answer["busy_hours"])
    good = f"it went well at {answer['rate'] or 'an unknown rate'} over {screens.safe(answer['line'])}, {answer['at']}"
    busy = f"{answer['calls']} call{'s' if answer['calls'] != 1 else ''}, {answer['busy']} of them found it busy"
    return answer, [
        f"{screens.safe(answer['number'])}: the next call begins with {way}",
        busy + (f"; mostly so at {hours}" if hours else ""),
        *([f"It calls itself {screens.safe(answer['remote'])}"] if answer["remote"] else []),
        *([f"Last time {good}"] if answer["at"] else []),
    ]


@fax.command("boxes")
@click.pass_obj
@with_json
def fax_boxes(context: Context) -> _Answer:
    """List the boxes for faxes that came in, and how many wait in each."""
    answer = context.ask("fax_boxes")
    return answer, screens.table(answer, ("name", "kind", "to", "poll", "waiting", "since"), "There is no box.")


@fax.command("book")
@click.pass_obj
@with_json
def fax_book(context: Context) -> _Answer:
    """List the address book."""
    answer = context.ask("fax_book")
    return answer, screens.table(answer, ("name", "short", "number", "who"), "The address book is empty.")


@fax.command("receive")
@click.option("--now", is_flag=True, required=True, help="Fetch now, whatever the timetable says.")
@click.pass_obj
@with_json
def fax_receive(context: Context, now: bool) -> _Answer:
    """Fetch from the mailboxes whose mail may be faxes, and tell what came of it."""
    del now  # there is nothing else yet that could be meant
    answer = context.ask("fax_receive")
    return answer, [
        f"{screens.safe(one['account'])}: {screens.safe(one['text'])}; "
        + (f"fax {', '.join(str(number) for number in one['faxes'])}" if one["faxes"] else "no fax among it")
        for one in answer
    ]


@fax.command("report")
@click.argument("id", type=int)
@click.option("--out", type=click.Path(dir_okay=False), help="Where to put it; fax-ID.pdf when left out.")
@click.pass_obj
@with_json
def fax_report(context: Context, id: int, out: str | None) -> _Answer:  # noqa: A002
    """Write the transmission report of a fax, a PDF."""
    answer = context.ask("fax_report", id=id)
    return {"file": _written(answer, out)}, [f"The report is {_named(answer, out)}"]


@fax.command("activity")
@click.option("--days", type=click.IntRange(1, 400), default=7, show_default=True, help="How far back.")
@click.option("--out", type=click.Path(dir_okay=False), help="Also as a PDF file.")
@click.pass_obj
@with_json
def fax_activity(context: Context, days: int, out: str | None) -> _Answer:
    """List what was sent and received, newest first."""
    answer = context.ask("fax_activity", days=days, pdf=bool(out) or None)
    if out:
        _written(answer, out)
    lines = screens.table(answer["rows"], _ACTIVITY, "No fax was sent or received.")
    return {"rows": answer["rows"]}, [*lines, *([f"The journal is {out}"] if out else [])]


def _named(answer: Any, out: str | None) -> str:
    return out or str(answer["name"])


def _written(answer: Any, out: str | None) -> str:
    """Put the file of an answer where it is wanted; whoever asks for it may read it, and nobody else."""
    name = _named(answer, out)
    try:
        with open(name, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as stream:
            stream.write(b64decode(answer["data"]))
    except OSError as fault:
        raise click.ClickException(f"{name} cannot be written: {fault.strerror}") from fault
    return name
