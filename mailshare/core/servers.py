"""A server of the provider written as one URL, read into a :class:`~mailshare.core.values.Server` value.

``pop3s://mail%40company.example@pop.isp.example:995?ca=/etc/isp.pem``. The scheme gives protocol, port and TLS;
``?tls=`` may say otherwise. There is no opportunistic mode, and a password never stands in such a URL: secrets are
references of their own.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote, urlsplit

from mailshare.core.address import is_domain
from mailshare.core.errors import ConfigFault
from mailshare.core.values import Server

# scheme: (protocol, TLS mode, port). RFC 8314 section 7.3 for the implicit ones.
_SCHEMES: dict[str, tuple[str, str, int]] = {
    "pop3": ("pop3", "starttls", 110),
    "pop3s": ("pop3", "implicit", 995),
    "imap": ("imap", "starttls", 143),
    "imaps": ("imap", "implicit", 993),
    "smtp": ("smtp", "starttls", 587),
    "submission": ("smtp", "starttls", 587),
    "submissions": ("smtp", "implicit", 465),
    "smtps": ("smtp", "implicit", 465),
}
_TLS_MODES = ("implicit", "starttls", "none")
_OPTIONS = ("tls", "ca", "auth", "name", "window", "connections", "limit")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]+\Z")


def _fault(url: str, reason: str) -> ConfigFault:
    return ConfigFault(f"{_shown(url)}: {reason}")


def _shown(url: str) -> str:
    """The URL without what might be a password, printable and short, for an error text."""
    safe = re.sub(r"(//[^/@:]*):[^/]*@", r"\1:...@", url)
    return ascii(safe)[1:-1][:200]


def parse_server(url: str) -> Server:
    """Read a server URL.

    :param url: ``scheme://[login@]host[:port][?option=value&...]``; schemes ``pop3 pop3s imap imaps smtp submission
        submissions smtps``; the login is percent-decoded and may hold an ``@``. Options: ``tls`` (``implicit``,
        ``starttls``, ``none``), ``ca`` (file of further trusted certificates), ``auth`` (SASL mechanisms to use, comma
        separated), ``name`` (the host name the certificate must bear), ``window`` (pipelined commands),
        ``connections`` (parallel ones), ``limit`` (octets of the largest message taken).
    :raises ConfigFault: with the reason, never with a password.
    """
    if any(ord(char) < 33 or ord(char) == 127 or 0xD800 <= ord(char) <= 0xDFFF for char in url):
        raise _fault(url, "blanks and control characters are not allowed here")
    scheme, separator, _ = url.partition("://")
    if not separator or scheme.lower() not in _SCHEMES:
        raise _fault(url, f"must start with one of {', '.join(f'{name}://' for name in _SCHEMES)}")
    protocol, tls, port = _SCHEMES[scheme.lower()]
    # A login is often a mail address; the last @ ends it.
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise _fault(url, "the IPv6 address in brackets is not valid") from error
    userinfo, _, location = parts.netloc.rpartition("@")
    if ":" in userinfo:
        raise _fault(url, "a password does not belong into the URL; give it as a secret reference")
    host, port = _host_and_port(url, location, port)
    if parts.path not in ("", "/") or parts.fragment:
        raise _fault(url, "nothing but ?options may follow the host")
    options = _options(url, parts.query)
    tls_word = options.pop("tls", tls)
    if tls_word not in _TLS_MODES:
        raise _fault(url, f"tls={tls_word} is unknown; use one of {', '.join(_TLS_MODES)}")
    login = unquote(userinfo)
    if any(ord(char) < 32 or ord(char) == 127 for char in login):
        raise _fault(url, "the login name holds control characters")
    return Server(protocol, host, port, tls_word, login, options)


def _host_and_port(url: str, location: str, default: int) -> tuple[str, int]:
    if location.startswith("["):
        host, bracket, rest = location[1:].partition("]")
        if not bracket or not _IPV6.match(host):
            raise _fault(url, "the IPv6 address in brackets is not valid")
        colon, port = rest[:1], rest[1:]
        if rest and colon != ":":
            raise _fault(url, "after the IPv6 address only :port may follow")
    else:
        host, colon, port = location.partition(":")
        if not is_domain(host):
            raise _fault(url, "the host name is missing or not valid")
    if not colon:
        return host.rstrip("."), default
    if not port.isascii() or not port.isdigit() or len(port) > 5 or not 0 < int(port) < 65536:
        raise _fault(url, "the port must be a number from 1 to 65535")
    return host.rstrip("."), int(port)


def _options(url: str, query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    if not query:
        return options
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True)
    except ValueError as error:
        raise _fault(url, "options are written ?name=value&name=value") from error
    for name, value in pairs:
        if name not in _OPTIONS:
            raise _fault(url, f"the option {name!a} is unknown; known are {', '.join(_OPTIONS)}")
        if name in options:
            raise _fault(url, f"the option {name} is given twice")
        if not value:
            raise _fault(url, f"the option {name} has no value")
        if name in ("window", "connections", "limit") and not (value.isascii() and value.isdigit() and int(value) > 0):
            raise _fault(url, f"{name} must be a whole number above 0")
        options[name] = value
    return options


def format_server(server: Server) -> str:
    """Write a server as the URL that :func:`parse_server` reads back to an equal value."""
    wanted = (server.protocol, server.tls)
    fitting = (name for name, (protocol, tls, _) in _SCHEMES.items() if (protocol, tls) == wanted)
    scheme = next(fitting, server.protocol)
    _, tls, port = _SCHEMES[scheme]
    login = f"{_quote(server.login)}@" if server.login else ""
    host = f"[{server.host}]" if ":" in server.host else server.host
    options = dict(server.options)
    if tls != server.tls:
        options = {"tls": server.tls, **options}
    place = host if server.port == port else f"{host}:{server.port}"
    query = "&".join(f"{name}={_quote(value)}" for name, value in options.items())
    return f"{scheme}://{login}{place}" + (f"?{query}" if query else "")


def _quote(text: str) -> str:
    safe = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~@,/"
    return "".join(chr(octet) if octet in safe else f"%{octet:02X}" for octet in text.encode())
