"""Addresses of devices: a scheme, a host and port or a path, and options behind a question mark."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

from attrs import field, frozen

from mailshare.core.errors import ConfigFault

_KNOWN: Mapping[str, tuple[int, tuple[str, ...], str]] = {
    "ipp": (631, (), "ipp://HOST/ipp/print"),
    "ipps": (631, ("ca", "name"), "ipps://HOST/ipp/print"),
    "cups": (631, (), "cups://HOST/printers/NAME"),
    "socket": (9100, ("pjl", "takes"), "socket://HOST"),
    "lpd": (515, ("takes",), "lpd://HOST/QUEUE"),
}
SCHEMES = (*_KNOWN, "dir", "cmd")
"""Kinds of devices that need no extension."""


@frozen
class DeviceURI:
    """An address taken apart.

    :ivar path: with its leading slash, or empty; percent signs are read.
    :ivar options: what stands behind the question mark.
    """

    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""
    options: Mapping[str, str] = field(factory=dict, hash=False)


def scheme_of(text: str) -> str:
    """What stands before the first colon, in small letters; empty when there is none."""
    before, colon, _ = text.partition(":")
    return before.lower() if colon else ""


def check_device(text: str) -> None:
    """It is the address of a device of one of :data:`SCHEMES`.

    :raises ConfigFault: it is not, in words that say what to write.
    """
    scheme = scheme_of(text)
    if scheme == "dir":
        read_folder(text)
    elif scheme == "cmd":
        read_command(text)
    else:
        read_uri(text)


def read_uri(text: str) -> DeviceURI:
    """The parts of ``scheme://host:port/path?option=value``.

    :raises ConfigFault: it is none, or has options that nobody knows.
    """
    scheme = scheme_of(text)
    default_port, options, example = _KNOWN[scheme]
    if scheme == "cups" and "/" not in text:
        text = f"cups://localhost/printers/{text.partition(':')[2]}"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port or default_port
    except ValueError as error:
        raise ConfigFault(f"{text!r} is no address of a printer: {error}; write {example}") from error
    path = unquote(parts.path)
    if not host or not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigFault(f"{text!r} names no computer; write {example}")
    if parts.username or parts.password:
        raise ConfigFault(f"{scheme}://{host} has a login in it, for which there is no use")
    if scheme == "cups" and not path.startswith(("/printers/", "/classes/")):
        raise ConfigFault(f"{text!r} names no queue; write {example}")
    if scheme == "lpd" and (not path.strip("/") or not path.isascii() or " " in path):
        raise ConfigFault(f"{text!r} names no queue; write {example}")
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    _check_options(text, given, options)
    return DeviceURI(scheme, host, port, path, given)


def read_folder(text: str) -> DeviceURI:
    """``dir:FOLDER``, or ``dir:FOLDER?ticket=yes``; the folder stands in ``path``.

    :raises ConfigFault: it is none.
    """
    path, _, query = text.partition(":")[2].partition("?")
    if not path:
        raise ConfigFault(f"{text!r} says not where; write dir:FOLDER")
    given = dict(parse_qsl(query, keep_blank_values=True))
    _check_options(text, given, ("ticket",))
    return DeviceURI("dir", path=path, options=given)


def read_command(text: str) -> tuple[str, ...]:
    """The words of ``cmd:PROGRAM ARGUMENT ...``; quotes as a shell has them, nothing else of a shell.

    :raises ConfigFault: there are none, or a quote has no end.
    """
    try:
        words = tuple(shlex.split(text.partition(":")[2]))
    except ValueError as error:
        raise ConfigFault(f"{text!r} cannot be taken apart: {error}") from error
    if not words:
        raise ConfigFault(f"{text!r} names no program; write cmd:/path/of/program ARGUMENT ...")
    return words


def _check_options(text: str, given: Mapping[str, str], known: tuple[str, ...]) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        has = f"it knows {', '.join(known)}" if known else "it has none"
        raise ConfigFault(f"{text!r} has an option that is not known here: {', '.join(unknown)}; {has}")


def takes(address: DeviceURI) -> tuple[str, ...]:
    """Media types that a device takes which cannot be asked; the option ``takes``, with commas."""
    return tuple(one for one in address.options.get("takes", "").split(",") if one)


def yes(value: str | None) -> bool:
    """An option that is on."""
    return (value or "").lower() in ("yes", "true", "1", "on")
