"""The command that makes out what somebody needs to connect a mail program."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable
from typing import Any

import click

from mailshare.cli.calling import Context, Refused, with_json

# As in mailshare.web.handout.FORMATS, which brings too much for a quick --help; a test compares them.
FORMATS = (
    "text",
    "page",
    "autoconfig",
    "autodiscover",
    "mobileconfig",
    "srv",
    "certificate",
    "thunderbird",
    "msmtp",
    "mpop",
    "fetchmail",
    "getmail",
)
_WITH_CAUTIONS = ("text", "page")


@click.command("handout")
@click.argument("name")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", help="What to make out; text is a slip.")
@click.option("--authority", help="Where the desk keeps the certificate of a private authority.")
@click.option("--sign", is_flag=True, help="Sign the mobileconfig with the server's own key.")
@click.option("--output", type=click.Path(dir_okay=False), help="Write it there, for the owner's eyes only.")
@click.pass_obj
@with_json
def user_handout(
    context: Context, /, name: str, form: str, authority: str | None, sign: bool, output: str | None
) -> tuple[Any, Iterable[str]]:
    """Make out what the user NAME needs to connect a mail program; never a password."""
    if authority:
        authority = os.path.expanduser(authority)
    answer = context.ask("handout", name=name, format=form, authority=authority, sign=sign or None)
    octets = base64.b64decode(answer["base64"]) if "base64" in answer else str(answer["text"]).encode()
    if form not in _WITH_CAUTIONS:
        for caution in answer["cautions"]:
            click.echo(f"! {caution['text']}", err=True)
    if output:
        _write(output, octets)
        return answer, [f"Wrote {output}; its usual name is {answer['file_name']}."]
    if "base64" in answer:
        as_json = click.get_current_context().params.get("as_json")
        if not as_json:
            raise Refused("A signed profile is no text; say where to write it with --output FILE")
        return answer, []
    if form == "page":
        return answer["page"], [json.dumps(answer["page"], ensure_ascii=False, indent=2)]
    return answer, str(answer["text"]).removesuffix("\n").split("\n")


def _write(path: str, octets: bytes) -> None:
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            stream.write(octets)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}") from error
