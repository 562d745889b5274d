"""The command that does what a page of the manager does, for whoever wants it in a terminal or a script."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from urllib.parse import unquote

COMMANDS: Mapping[str, str] = {
    "/": "mailshare status --watch",
    "/accounts": "mailshare account list",
    "/accounts/new": "mailshare account add ADDRESS --collect URL --relay URL",
    "/accounts/*": "mailshare account show {}",
    "/accounts/*/timer": "mailshare account change {} --every 5",
    "/accounts/*/try": "mailshare route --dry-run --account {} --last 20",
    "/accounts/*/probe": "mailshare account probe {}",
    "/accounts/*/delete": "mailshare account delete {}",
    "/users": "mailshare user list",
    "/users/new": "mailshare user add NAME --generate",
    "/users/paste": "mailshare user import FILE --check",
    "/users/passwords": "mailshare user passwd NAME --generate",
    "/users/*": "mailshare user show {}",
    "/users/*/handout": "mailshare user handout {}",
    "/users/*/delete": "mailshare user delete {}",
    "/work": "mailshare admin list",
    "/work/*": "mailshare admin show {}",
    "/outbox": "mailshare outbox list",
    "/outbox/*": "mailshare why {}",
    "/mailboxes": "mailshare mailboxes",
    "/mailboxes/*": "mailshare mailboxes",
    "/log": "mailshare log",
    "/log/*": "mailshare log --day {}",
    "/trace": "mailshare why ID",
    "/trace/*": "mailshare why {}",
    "/print": "mailshare print FILE --to PRINTER",
    "/printers": "mailshare jobs",
    "/printers/*": "mailshare printers test {}",
    "/printers/jobs/*": "mailshare job show {}",
    "/fax": "mailshare fax queue",
    "/fax/*": "mailshare fax show {}",
    "/fax/send": "mailshare fax send FILE --to NUMBER",
    "/fax/poll": "mailshare fax poll NUMBER --to NAME",
    "/fax/received": "mailshare fax received",
    "/fax/received/*": "mailshare why {}",
    "/fax/boxes": "mailshare fax boxes",
    "/fax/boxes/*": "mailshare fax box {}",
    "/book": "mailshare fax book",
    "/book/*": "mailshare fax book",
    "/book/entries/*": "mailshare fax book",
    "/fax/covers": "mailshare fax send FILE --to NUMBER",
    "/health": "mailshare doctor --all",
    "/settings": "mailshare manager list",
    "/setup": "mailshare setup",
    "/setup/*": "mailshare setup",
}
"""Address to command; ``*`` is one part of the address, which stands in the command for ``{}``."""


def command_beside(path: str) -> str:
    """The command; empty where there is none."""
    if path in COMMANDS:
        return COMMANDS[path]
    parts = path.split("/")
    for place in range(len(parts) - 1, 1, -1):
        known = COMMANDS.get("/".join([*parts[:place], "*", *parts[place + 1 :]]))
        if known is not None and parts[place]:
            return known.format(shlex.quote(unquote(parts[place])))
    return ""
