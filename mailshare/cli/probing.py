"""Commands that try what a provider does."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import click

from mailshare.cli import screens
from mailshare.cli.calling import Context, with_json
from mailshare.cli.people import account

__all__ = ["account"]
_Answer = tuple[Any, Iterable[str]]
_COLUMNS = ("header", "present", "trusted", "inside", "distinct", "together", "copies")


@account.command("probe")
@click.argument("address")
@click.option("--write", is_flag=True, help="Keep what was found as settings by hand.")
@click.pass_obj
@with_json
def account_probe(context: Context, /, address: str, write: bool) -> _Answer:
    """Look how the provider marks the mail of the account ADDRESS (or number); nothing is fetched or deleted.

    The newest 50 headers are read. PRESENT is the share of the mail that has the field, TRUSTED where only the provider
    writes, INSIDE with an own address in it; COPIES is messages per Message-ID.
    """
    answer = context.ask("probe_account", address=address, write=write or None)
    mails = max(answer["mails"], 1)
    rows = [
        {**row, **{name: f"{round(100 * row[name] / mails)} %" for name in ("present", "trusted", "inside")}}
        for row in answer["kinds"]
    ]
    lines = [*screens.table(rows, _COLUMNS, "No message lies there."), *map(screens.safe, answer["words"])]
    if answer["written"]:
        lines.append("Written as settings of the account.")
    elif answer["file"]:
        lines.append(f"As settings: {screens.safe(answer['file'])}")
    return answer, lines


@account.command("test-tag")
@click.argument("address")
@click.option("--wait", type=int, default=120, show_default=True, help="Seconds to wait for the message.")
@click.option("--look", is_flag=True, help="Send nothing; look for the message that was sent.")
@click.pass_obj
@with_json
def account_test_tag(context: Context, /, address: str, wait: int, look: bool) -> _Answer:
    """Send a message to mail+probe@ through the account ADDRESS (or number), and see whether it comes back."""
    ends = time.monotonic() + wait
    answer = context.ask("test_tag", address=address, look=look or None)
    while answer["state"] == "waiting" and time.monotonic() < ends:
        time.sleep(min(5, max(ends - time.monotonic(), 0)))
        answer = context.ask("test_tag", address=address, look=True)
    return answer, [_TAG_WORDS[answer["state"]]]


_TAG_WORDS = {
    "works": "Tagged addresses work here: answers to mail+name@ find their owner.",
    "does not": "Tagged addresses do not work here: the message was refused or lost, or came without its tag.",
    "waiting": "The message is not back yet. Ask again later with --look; after an hour it counts as lost.",
    "never": "No test was made yet.",
}
