"""Where a command takes a new password from: made up, standard input, or asked for."""

from __future__ import annotations

import secrets
import sys
from typing import Any

import click

from mailshare.cli.calling import Refused

_SYLLABLES = tuple(first + second for first in "bdfghjklmnprstvwz" for second in "aeiou")


def made_up() -> str:
    """Sixteen letters that can be read out on the telephone, in groups of four: about 51 bits."""
    pairs = [secrets.choice(_SYLLABLES) for _ in range(8)]
    return "-".join("".join(pairs[place : place + 2]) for place in range(0, 8, 2))


def given_password(*, generate: bool, stdin: bool) -> str:
    """The password by the options that were given.

    :raises Refused: it is empty.
    """
    if generate:
        return made_up()
    if stdin:
        given = sys.stdin.readline().rstrip("\r\n")
    else:
        given = str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    if not given:
        raise Refused("The password is empty; give one, or use --generate")
    return given


def password_options(command: Any) -> Any:
    """Add ``--generate`` and ``--stdin`` to a command."""
    command = click.option("--generate", is_flag=True, help="Make a password up and print it.")(command)
    return click.option("--stdin", is_flag=True, help="Read the password from standard input.")(command)
