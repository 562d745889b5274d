"""Logins of IPP clients: HTTP Basic with the names and passwords of the office (RFC 7617)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable

from mailshare.core.errors import MailshareError

CHALLENGE = b'Basic realm="mailshare", charset="UTF-8"'
_MOST = 1_000

Check = Callable[[str, bytes, str], Awaitable[str]]
"""``(name, password, address of the client)`` to the login.

:raises LoginRefused: it is none.
"""


def read_basic(header: str) -> tuple[str, bytes] | None:
    """Name and password of an ``Authorization`` field; ``None`` when it is none of this kind."""
    scheme, _, text = header.strip().partition(" ")
    if scheme.lower() != "basic" or len(text) > _MOST:
        return None
    try:
        octets = base64.b64decode(text.strip(), validate=True)
        name, colon, password = octets.partition(b":")
        return (name.decode("utf-8"), password) if colon and name else None
    except (binascii.Error, ValueError):
        return None


async def logged_in(header: str, peer: str, check: Check) -> str:
    """The login of a request, or nothing."""
    found = read_basic(header)
    if found is None:
        return ""
    try:
        return await check(*found, peer)
    except MailshareError:
        return ""
