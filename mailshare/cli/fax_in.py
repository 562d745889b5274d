"""``mailshare fax received``, ``give`` and ``box``: faxes that came in, and the boxes that keep some of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from mailshare.cli import screens
from mailshare.cli.admin import who
from mailshare.cli.calling import Context, with_json
from mailshare.cli.faxing import fax

__all__ = ["fax"]

_Answer = tuple[Any, Iterable[str]]
_RECEIVED = ("at", "caller", "station", "called", "pages", "words", "trace")
_FAXES = ("id", "since", "caller", "pages", "trace")
_PAST = ("at", "what", "who", "to")


@fax.command("received")
@click.option("--days", type=click.IntRange(1, 400), default=30, show_default=True, help="How far back.")
@click.pass_obj
@with_json
def fax_received(context: Context, days: int) -> _Answer:
    """List faxes that came in, newest first."""
    answer = context.ask("fax_received", days=days)
    return answer, screens.table(answer, _RECEIVED, "No fax came in.")


@fax.command("poll")
@click.argument("number")
@click.option("--to", "to", multiple=True, required=True, help="Login of who gets it, or box:NAME; repeat.")
@click.option("--sep", help="Which box of the far machine is meant (ITU-T T.30 SEP), digits.")
@click.option("--pwd", help="Password of that box (ITU-T T.30 PWD).")
@click.option("--as", "user", help="Login in whose name; ADMIN when left out.")
@click.option("--at", help="When it is fetched: 18:30, 2026-12-24 18:30, +8h; at once when left out.")
@click.option("--deadline", help="When no call begins any more, likewise; fax.lifetime when left out.")
@click.option("--priority", type=click.Choice(("urgent", "normal", "later")), help="later = in cheap hours.")
@click.pass_obj
@with_json
def fax_poll(context: Context, /, number: str, to: tuple[str, ...], **facts: str | None) -> _Answer:
    """Fetch what the fax machine at NUMBER offers (polling)."""
    answer = context.ask("fax_poll", number=number, to=list(to), **facts)
    return answer, [f"Fax {answer['fax']} fetches it for {screens.safe(', '.join(to))}; follow it: mailshare fax queue"]


@fax.command("give")
@click.argument("trace")
@click.option("--to", "to", multiple=True, required=True, help="Login name, mail address or fax number; repeat.")
@click.option("--from", "mailbox", help="Whose mailbox it is taken from, where several have it.")
@click.option("--keep", is_flag=True, help="It stays where it is, too.")
@click.pass_obj
@with_json
def fax_give(context: Context, trace: str, to: tuple[str, ...], mailbox: str | None, keep: bool) -> _Answer:
    """Give the fax TRACE, which came in, to somebody else; it leaves the mailbox that it lies in."""
    answer = context.ask("fax_give", trace=trace, to=list(to), mailbox=mailbox, keep=keep or None, by=who())
    source = f"; it is out of the mailbox of {screens.safe(answer['from'])}" if answer["from"] else ""
    return answer, [f"Fax {screens.safe(answer['trace'])} was given to {screens.safe(', '.join(answer['to']))}{source}"]


@fax.command("box")
@click.argument("name")
@click.option("--release", type=int, metavar="ID", help="Give this fax out, to --to or to those whose box it is.")
@click.option("--print", "print_", type=int, metavar="ID", help="Print this fax at the printer that --to names.")
@click.option("--delete", type=int, metavar="ID", help="Take this fax out of the box.")
@click.option("--to", "to", multiple=True, help="Login name, mail address or printer; repeat.")
@click.pass_obj
@with_json
def fax_box(
    context: Context, name: str, release: int | None, print_: int | None, delete: int | None, to: tuple[str, ...]
) -> _Answer:
    """Tell what lies in the box NAME and who fetched from it; or give out, print or delete one fax of it."""
    wanted = [(act, one) for act, one in (("release", release), ("print", print_), ("delete", delete)) if one]
    if len(wanted) > 1:
        raise click.UsageError("One of --release, --print and --delete at a time")
    if wanted:
        [(act, number)] = wanted
        done = context.ask("steer_fax_box", name=name, id=number, act=act, to=list(to) or None, by=who())
        return done, [screens.safe(done["words"])]
    answer = context.ask("fax_box", name=name)
    past = [{**one, "to": ", ".join(one["to"])} for one in answer["past"]]
    wrong = [f"{screens.safe(one['user'])}: {one['count']} wrong codes this hour" for one in answer["wrong_codes"]]
    head = f"{screens.safe(answer['name'])}, {answer['kind']}, for {screens.safe(answer['to']) or 'everybody'}"
    return answer, [
        head,
        *screens.table(answer["faxes"], _FAXES, "It is empty."),
        *screens.table(past, _PAST, "Nobody fetched anything lately."),
        *wrong,
    ]
