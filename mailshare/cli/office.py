"""Commands that look at the office and steer its outbox."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import click

from mailshare.cli import screens
from mailshare.cli.calling import Context, with_json

_Answer = tuple[Any, Iterable[str]]
_NAMED = 100
_OUTBOX = ("id", "state", "from", "to", "size", "attempts", "next", "why")


@click.command()
@click.option("--watch", is_flag=True, help="Go on printing whenever something changes; end with Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.pass_obj
def status(context: Context, watch: bool, as_json: bool) -> None:
    """Show the six indicators and what each account did last."""
    answer = context.ask("status")
    _print_status(answer, as_json)
    if not watch:
        return
    try:
        for kind, value in context.watch():
            if kind == "indicators":
                if value != answer["indicators"]:
                    answer = {**answer, "indicators": value}
                    _print_status(answer, True) if as_json else click.echo(screens.lamps(value))
            elif kind == "status":
                before, answer = answer, value
                if as_json or {**before, "indicators": value["indicators"]} != value:
                    _print_status(value, as_json)
    except KeyboardInterrupt:
        return


def _print_status(answer: Any, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False))
    else:
        for line in screens.status(answer):
            click.echo(line)


@click.command()
@click.argument("account", required=False)
@click.pass_obj
@with_json
def sendreceive(context: Context, account: str | None) -> _Answer:
    """Collect and send now, for ACCOUNT (address or number) or for all."""
    answer = context.ask("send_receive", account=account)
    lines = [f"{screens.safe(address)}: {screens.safe(facts['text'])}" for address, facts in answer.items()]
    return answer, lines or ["There is no enabled account yet, so there is nothing to collect or send."]


@click.command()
@click.pass_obj
@with_json
def mailboxes(context: Context) -> _Answer:
    """Count the messages of each local mailbox."""
    answer = context.ask("mailboxes")
    return answer, screens.table(answer, ("user", "messages", "unread", "octets"), "There are no mailboxes yet.")


@click.group()
def outbox() -> None:
    """List and steer what waits for the provider."""


@outbox.command("list")
@click.option("--account", help="Only of this account (address or number).")
@click.option("--all", "everything", is_flag=True, help="Also what is done.")
@click.pass_obj
@with_json
def outbox_list(context: Context, account: str | None, everything: bool) -> _Answer:
    """List the rows, newest first."""
    answer = context.ask("outbox", account=account, all=everything or None)
    return answer, screens.table(answer, _OUTBOX, "The outbox is empty.")


def _steering(act: str, text: str) -> click.Command:
    @click.argument("ids", nargs=-1, type=int)
    @click.option("--message", help="All rows of the message with this trace or Message-ID.")
    @click.option("--account", help="All rows of this account (address or number).")
    @click.option("--route", help="All rows that would leave by the server with this host name.")
    @click.option("--all", "everything", is_flag=True, help="All rows.")
    @click.option("--yes", is_flag=True, help="Do not ask before many are deleted.")
    @click.pass_obj
    @with_json
    def command(
        context: Context, /, ids: tuple[int, ...], everything: bool, yes: bool, **which: str | None
    ) -> _Answer:
        given = {name: value for name, value in which.items() if value}
        if act == "delete" and not ids and not yes:
            click.confirm("Delete all of these from the outbox?", abort=True)
        answer = context.ask("steer", act=act, ids=list(ids) or None, all=everything or None, **given)
        lines = [f"{act}: {answer['changed']} of {answer['asked']} rows changed"]
        if act == "delete" and answer["rows"]:
            rows = " ".join(map(str, answer["rows"][:_NAMED]))
            lines.append(f"Back within 30 seconds: mailshare outbox undelete {rows}")
        return answer, lines

    command.__doc__ = text
    return click.command(act)(command)


for _act, _text in (
    ("retry", "Try these rows now."),
    ("hold", "Keep these rows back until they are released."),
    ("release", "Let held rows go on."),
    ("delete", "Cancel these rows; they are not sent. For 30 seconds undelete brings them back."),
):
    outbox.add_command(_steering(_act, _text))


@outbox.command("undelete")
@click.argument("ids", nargs=-1, type=int, required=True)
@click.pass_obj
@with_json
def outbox_undelete(context: Context, ids: tuple[int, ...]) -> _Answer:
    """Bring back rows that were deleted in the last 30 seconds, queued or held as they were."""
    answer = context.ask("steer", act="undelete", ids=list(ids))
    lines = [f"undelete: {answer['changed']} of {answer['asked']} rows are back"]
    if answer["changed"] < answer["asked"]:
        lines.append("What was deleted longer ago stays deleted.")
    return answer, lines


@click.command()
@click.argument("id")
@click.pass_obj
@with_json
def why(context: Context, id: str) -> _Answer:  # noqa: A002
    """Tell what became of a message and why, by its trace, its Message-ID, or its row in the outbox."""
    answer = context.ask("why", id=id)
    return answer, screens.reasons(answer)


@click.command()
@click.option("--day", help="YYYY-MM-DD in the server's zone; today when left out.")
@click.option("--kind", "kinds", multiple=True, help="Only lines of this kind; may be given several times.")
@click.option("--run", help="Everything of this collection run instead; mailshare why names the run of a message.")
@click.option("--days", "list_days", is_flag=True, help="List the days that have lines.")
@click.pass_obj
@with_json
def log(context: Context, day: str | None, kinds: tuple[str, ...], run: str | None, list_days: bool) -> _Answer:
    """Print the journal of a day."""
    if list_days:
        found = context.ask("days")
        return found, found
    events: list[Any] = []
    after = 0
    while True:
        page = context.ask("log", day=day, kinds=list(kinds) or None, after=after or None, run=run)
        events += page["events"]
        after = page["next"]
        if not after:
            empty = "The journal holds no line of this run." if run else "Nothing happened on that day."
            return {"day": page["day"], "events": events}, screens.journal(events, empty)


@click.command("reload")
@click.pass_obj
@with_json
def reload_(context: Context) -> _Answer:
    """Let the running server read its configuration file again, as SIGHUP does."""
    answer = context.ask("reload")
    return answer, [f"{name}: {screens.safe(value)}" for name, value in answer.items()]
