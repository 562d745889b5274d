"""Listener strings: are they Twisted server endpoints, with a port that can be and files that exist?"""

from __future__ import annotations

import ipaddress
import os
import re

from mailshare.core.errors import ConfigFault

_SPLIT = re.compile(r"((?:\\.|[^\\:])*)(:|\Z)")
_WITH_PORT = {"tcp": 0, "tcp6": 0, "ssl": 0, "tls": 1}
_FILES = {"ssl": ("privateKey", "certKey", "extraCertChain"), "unix": ()}
_KNOWN = ("tcp", "tcp6", "ssl", "tls", "unix", "systemd")


def split_endpoint(text: str) -> list[str]:
    """The parts of an endpoint string between unescaped colons, still escaped."""
    parts, position = [], 0
    while True:
        match = _SPLIT.match(text, position)
        if match is None:
            raise ConfigFault("a backslash at the end escapes nothing")
        parts.append(match[1])
        position = match.end()
        if not match[2]:
            return parts


def port_of(text: str) -> int | None:
    """The TCP port an endpoint string names, or ``None`` when it names none.

    :raises ConfigFault: it is there and is no port.
    """
    parts = split_endpoint(text)
    if parts[0] == "haproxy":
        return port_of(text.partition(":")[2])
    if parts[0] not in _WITH_PORT:
        return None
    plain = [part for part in parts[1:] if "=" not in part]
    named = dict(part.split("=", 1) for part in parts[1:] if "=" in part)
    place = _WITH_PORT[parts[0]]
    word = named.get("port", plain[place] if len(plain) > place else "443" if parts[0] == "tls" else "")
    if not (word.isascii() and word.isdigit() and len(word) <= 5) or not 0 <= int(word) <= 65535:
        raise ConfigFault(f"{word or 'nothing'} is not a port (1-65535)")
    return int(word)


def interface_of(text: str) -> str:
    """The address that an endpoint string listens on; empty for all of them, and for what has none.

    :raises ConfigFault: it is there and is no address.
    """
    parts = split_endpoint(text)
    if parts[0] == "haproxy":
        return interface_of(text.partition(":")[2])
    named = dict(part.split("=", 1) for part in parts[1:] if "=" in part)
    written = re.sub(r"\\(.)", r"\1", named.get("interface", ""))
    if parts[0] in _WITH_PORT and written:
        try:
            ipaddress.ip_address(written.partition("%")[0])
        except ValueError as error:
            raise ConfigFault(f"{written!r} is not an address of this machine; write e.g. 192.168.1.10") from error
    return written


def without_tls(text: str) -> tuple[str, str]:
    """A ``tls:`` string as the same place without TLS, and its directory of certificates.

    Twisted's own reader of these strings never comes to an end when a file there holds an authority's own certificate.
    """
    parts = split_endpoint(text)[1:]
    named = next((part for part in parts if part.startswith("path=")), "")
    path = named or next((part for part in parts if "=" not in part), "")
    rest = list(parts)
    rest.remove(path)
    if not any("=" not in part or part.startswith("port=") for part in rest):
        rest.append("port=443")
    if not any(part.startswith("interface=") for part in rest):
        rest.append(r"interface=\:\:")
    return ":".join(["tcp", *rest]), re.sub(r"\\(.)", r"\1", path.removeprefix("path="))


def check_endpoint(text: str, directory: str) -> str:
    """Read a listener string whole.

    :param directory: relative paths in it start here.
    :returns: the same string with absolute paths.
    :raises ConfigFault: with the reason in words.
    """
    parts = split_endpoint(text)
    if parts[0] == "haproxy":
        return "haproxy:" + check_endpoint(text.partition(":")[2], directory)
    if parts[0] not in _KNOWN:
        raise ConfigFault(f"{parts[0]!r} is no kind of listener; write tcp:8110:interface=127.0.0.1 or tls:certs:8995")
    port_of(text)
    interface_of(text)
    parts = [_absolute(parts[0], number, part, directory) for number, part in enumerate(parts)]
    whole = ":".join(parts)
    from twisted.internet.endpoints import serverFromString  # noqa: PLC0415 - only needed to check and to start

    try:
        serverFromString(_NoReactor(), without_tls(whole)[0] if parts[0] == "tls" else whole)
    except Exception as error:  # parsers of any plugin may raise anything here
        if parts[0] == "systemd":
            return whole  # its sockets exist only when systemd starts us
        raise ConfigFault(f"is not an endpoint: {error}") from error
    return whole


class _NoReactor:
    """What endpoint parsers get while a string is only checked; they keep it and do not use it."""


def _absolute(kind: str, number: int, part: str, directory: str) -> str:
    """Make the path parts of ``tls:`` and ``ssl:`` absolute, and see that they exist."""
    name, equals, value = part.partition("=")
    if kind == "tls" and ((number == 1 and not equals) or name == "path"):
        path = _joined(directory, value if equals else part)
        check_certificates(path)
        return (f"{name}=" if equals else "") + escaped(path)
    if kind == "ssl" and equals and name in _FILES["ssl"]:
        path = _joined(directory, value)
        if not os.path.isfile(path):
            raise ConfigFault(f"the file {path} does not exist")
        return f"{name}={escaped(path)}"
    return part


def _joined(directory: str, escaped: str) -> str:
    return os.path.join(directory, re.sub(r"\\(.)", r"\1", escaped))


def escaped(path: str) -> str:
    """A path as a part of an endpoint string."""
    return re.sub(r"([\\:=])", r"\\\1", path)


def check_certificates(path: str) -> None:
    """See that a directory holds PEM files that a server can serve with.

    :raises ConfigFault: it does not.
    """
    from mailshare.shell.certificates import read_certificates  # noqa: PLC0415 - heavy, and only for files with TLS

    read_certificates(path)
