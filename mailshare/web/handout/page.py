"""A person's page as data that a template shows and programs read, and as a slip of paper."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mailshare.web.handout.cautions import cautions
from mailshare.web.handout.description import Door, Handout
from mailshare.web.handout.plain_text import shown

_LABELS = {
    "pop3": ("Incoming server (POP3)", "Incoming port", "Incoming security"),
    "smtp": ("Outgoing server (SMTP)", "Outgoing port", "Outgoing security"),
}
_TLS = {"implicit": "SSL/TLS", "starttls": "STARTTLS", "none": "none"}
_WIDTH = 72
_HINT = "The one that was set for this login. Nobody can look it up; whoever runs the server can set a new one."


def page(handout: Handout) -> dict[str, Any]:
    """Everything that the page of one person shows, as JSON values.

    :returns: ``login``, ``name``, ``address``, ``values`` (rows of ``label`` and ``value`` to copy), ``servers``,
        ``addresses`` (for each identity what others may write to), ``authority`` (fingerprint and certificate, or
        ``None``), ``password_hint`` (never the password), ``cautions`` (rows of ``code`` and ``text``) and
        ``discovery``: who may find the settings alone.
    """
    authority = handout.authority
    return {
        "login": handout.login,
        "name": handout.name,
        "address": str(handout.address),
        "hostname": handout.hostname,
        "password_hint": _HINT,
        "values": [{"label": label, "value": value} for label, value in _values(handout)],
        "servers": [_server(door) for door in sorted(handout.doors, key=lambda one: (one.protocol, one.rank))],
        "addresses": [{"address": str(one.address), "usable": list(one.usable)} for one in handout.identities],
        "authority": {"name": authority.name, "sha256": authority.fingerprint, "pem": authority.pem}
        if authority
        else None,
        "cautions": [{"code": one.code, "text": one.text} for one in cautions(handout)],
        "discovery": _discovery(handout),
    }


def _values(handout: Handout) -> Iterator[tuple[str, str]]:
    yield "Your name", handout.name
    yield "E-mail address", str(handout.address)
    yield "User name", handout.login
    for protocol, labels in _LABELS.items():
        door = handout.best(protocol)
        if door is not None:
            yield from zip(labels, (door.host, str(door.port), _TLS[door.tls]), strict=True)
    if handout.authority is not None:
        yield "SHA-256 fingerprint", handout.authority.fingerprint


def _server(door: Door) -> dict[str, Any]:
    return {
        "protocol": door.protocol,
        "host": door.host,
        "port": door.port,
        "tls": door.tls,
        "near_only": door.near,
    }


def _discovery(handout: Handout) -> dict[str, Any]:
    """Which address forms lead a searching program here, and which to the provider."""
    provider = {one.address.domain for one in handout.identities} - {handout.local_domain, handout.hostname, ""}
    return {
        "finds_this_server": f"{handout.login}@{handout.local_domain}" if handout.local_domain else "",
        "needs": "the local network's DNS, with the records of the format srv, or a page that serves autoconfig",
        "finds_the_provider": sorted(provider),
    }


def slip(handout: Handout) -> str:
    """The page for a printer: plain text, 72 columns, in English."""
    return slip_text(page(handout))


def slip_text(page: Mapping[str, Any], told: Callable[[str], str] = str) -> str:
    """The page for a printer: plain text, 72 columns.

    :param page: as :func:`page` makes it.
    :param told: says a sentence in the reader's language.
    """
    title = told(f"Mail for {page['name']}")
    lines = [title, "=" * min(_WIDTH, len(title)), ""]
    rows = [(told(row["label"]), row["value"]) for row in page["values"]]
    password = told("Password")
    width = max(len(label) for label, _ in (*rows, (password, "")))
    for label, value in rows:
        lines += _row(label, width, shown(value))
    lines += _row(password, width, "____________________________________")
    for identity in page["addresses"]:
        if identity["usable"]:
            lines += ["", told(f"Others write to you ({shown(identity['address'])}) as")]
            for text in identity["usable"]:
                lines += textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="    ")
    for caution in page["cautions"]:
        lines += ["", *textwrap.wrap(f"! {told(caution['text'])}", _WIDTH, subsequent_indent="  ")]
    return "\n".join(lines) + "\n"


def _row(label: str, width: int, value: str) -> list[str]:
    """A label and its value, folded under itself where it is long (fingerprints)."""
    parts = textwrap.wrap(value, max(_WIDTH - width - 2, 20), break_on_hyphens=False) or [""]
    return [f"{(label if not number else ''):<{width}}  {part}" for number, part in enumerate(parts)]
