"""What the engines of both servers share: SMTP replies as octets, and the events that the generic shell knows.

Source: RFC 5321 section 4.2 (replies), RFC 2034 (enhanced codes in them).
"""

from __future__ import annotations

import re
from functools import lru_cache

from attrs import frozen

from mailshare.core.errors import Enhanced

_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
_MOST = 480


@frozen
class Answered:
    """An event: a command came and the engine has answered it alone. Nobody needs to do anything.

    Engines give it out so that the shell sees each command: deadlines start again and faults are counted.
    """


@frozen
class StartTLS:
    """An event: the go-ahead is queued; the shell sends it, starts TLS and calls ``engine.secured()``."""


ANSWERED = Answered()
START_TLS = StartTLS()


def printable(text: str, most: int = _MOST) -> str:
    """The text with everything replaced that has no place in a reply or a log, cut at ``most`` characters."""
    if len(text) <= most and text.isascii() and text.isprintable():
        return text
    return _UNPRINTABLE.sub("?", text[:most])


@lru_cache(maxsize=128)  # nearly all that a server says is one of a few dozen sentences
def reply(code: int, enhanced: Enhanced | None, *lines: str) -> bytes:
    """An SMTP reply.

    :param enhanced: goes in front of each line; ``None`` for replies that have none (RFC 2034 section 4: the greeting,
        the answer to ``EHLO``, 354 and 334).
    :param lines: at least one; unprintable characters become question marks, so that no text can forge a reply.
    """
    status = f"{enhanced[0]}.{enhanced[1]}.{enhanced[2]} " if enhanced else ""
    if len(lines) == 1:
        return f"{code} {status}{printable(lines[0])}\r\n".encode()
    last = len(lines) - 1
    return "".join(
        f"{code}{' ' if number == last else '-'}{status}{printable(line)}\r\n" for number, line in enumerate(lines)
    ).encode()
