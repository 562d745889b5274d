"""Does a request come from our own pages, and does it mean us? Against foreign forms and against rebound names.

Source: RFC 6454 section 7 (Origin), W3C Fetch Metadata (Sec-Fetch-Site), RFC 9110 section 7.2 (Host).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import urlsplit

from mailshare.web.site import Refusal

SAFE = ("GET", "HEAD", "OPTIONS")
_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::(?P<port>[0-9]{1,5}))?\Z")


def named(host: str) -> str:
    """The name or address in a Host field, casefolded and without port; empty when it is none."""
    found = _HOST.match(host.strip())
    return found["name"].casefold().rstrip(".") if found else ""


def host_refusal(host: str, known: Collection[str]) -> Refusal:
    """Whether a request may be for us.

    An address in numbers passes: no name stands for it that a stranger could point here. ``localhost`` passes too.

    :param known: names of this server, casefolded.
    """
    name = named(host)
    # Programs that look for settings ask autoconfig.DOMAIN, which is pointed here by who runs the local DNS.
    if name.removeprefix("autoconfig.") in known or name == "localhost" or _is_address(name):
        return None
    shown = name or "that host"
    return 421, f"This server does not answer as {shown}. Its owner can allow that: [web] names in the configuration"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def origin_refusal(method: str, scheme: str, host: str, origin: str, fetch_site: str) -> Refusal:
    """Whether a request that changes something comes from one of our own pages.

    Browsers send ``Sec-Fetch-Site`` to trustworthy places only, so on plain HTTP of a local network ``Origin`` decides:
    scheme, name and port are those that were asked for. Programs have neither, and show a token instead.
    """
    if method in SAFE:
        return None
    asked = _place(f"{scheme}://{host}")
    by_origin = asked is not None and _place(origin) == asked
    ours = fetch_site in ("same-origin", "none") if fetch_site else by_origin
    return None if ours else (403, "This did not come from a page of this server, so nothing was done")


def _place(origin: str) -> tuple[str, str, int] | None:
    """Scheme, name and port; ``None`` for what is no origin of a page, and equal to nothing then."""
    try:
        parts = urlsplit(origin.strip().casefold())
        port = parts.port or _PORTS[parts.scheme]
    except (KeyError, ValueError):
        return None
    return parts.scheme, parts.netloc.removesuffix(f":{parts.port}").rstrip("."), port
