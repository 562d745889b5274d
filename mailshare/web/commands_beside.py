"""The command that does what a page of the manager does, for whoever wants it in a terminal or a script."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from urllib.parse import unquote

_WHOLE: Mapping[str, str] = {
    "/": "mailshare status --watch",
    "/accounts": "mailshare account list",
    "/users": "mailshare user logins",
    "/users/new": "mailshare user add NAME --generate",
    "/work": "mailshare admin list",
    "/outbox": "mailshare outbox list",
    "/mailboxes": "mailshare mailboxes",
    "/log": "mailshare log",
    "/printers": "mailshare jobs",
    "/fax": "mailshare fax queue",
    "/health": "mailshare doctor --all",
    "/settings": "mailshare manager list",
}
_OF_ONE: Mapping[str, str] = {
    "/users": "mailshare user show",
    "/accounts": "mailshare account show",
    "/work": "mailshare admin show",
    "/log": "mailshare log --day",
    "/trace": "mailshare why",
    "/fax": "mailshare fax show",
}


def command_beside(path: str) -> str:
    """The command; empty where there is none."""
    if path in _WHOLE:
        return _WHOLE[path]
    start, _, name = path.rpartition("/")
    return f"{_OF_ONE[start]} {shlex.quote(unquote(name))}" if start in _OF_ONE and name else ""
