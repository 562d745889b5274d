"""The rarer settings of an account towards its provider: limits of a run, other ways out, the daily cap.

They stand among the account's ``options``; docs/reference/configuration.md tells them. Reading never fails, for mail
must go on with settings of an older file: a value that makes no sense counts as not given, and
:func:`provider_faults` tells the configuration about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from attrs import field, frozen

from mailshare.core.address import is_domain
from mailshare.core.errors import ConfigFault
from mailshare.core.servers import parse_server
from mailshare.core.values import Account, Server

NUMBERS: Mapping[str, int] = {
    "max_size": 0,
    "session_messages": 1,
    "session_octets": 1,
    "session_seconds": 1,
    "daily_cap": 0,
}
"""The options that are whole numbers, each with its least value."""
PROVIDER_OPTIONS = (*NUMBERS, "fallback", "flush_receives", "routes")
"""All names that are read here."""


@frozen
class ProviderOptions:
    """What an account's options say about the provider.

    :ivar max_size: octets of the largest message that is collected unasked; 0 = the general limit.
    :ivar session_messages: messages fetched in one session; the rest follows in the next one at once.
    :ivar session_octets: octets fetched in one session, at least one message.
    :ivar session_seconds: seconds after which a session begins no further message.
    :ivar daily_cap: recipients that the provider takes in one day of the account's zone; 0 = no cap.
    :ivar routes: recipient domain (or ``.domain`` for all below it) to the server that takes its mail.
    :ivar fallback: servers to send through while the account's own cannot be used, in order.
    :ivar flush_receives: a flush of the outbox collects too.
    """

    max_size: int = 0
    session_messages: int = 1000
    session_octets: int = 250_000_000
    session_seconds: int = 900
    daily_cap: int = 0
    routes: Mapping[str, Server] = field(factory=dict, hash=False)
    fallback: tuple[Server, ...] = ()
    flush_receives: bool = True

    @classmethod
    def of(cls, account: Account) -> ProviderOptions:
        """Read an account's options."""
        options = account.options
        faulty = {name for name, _ in provider_faults(options)}
        numbers = {name: int(str(options[name])) for name in NUMBERS if name in options and name not in faulty}
        routes, fallback = options.get("routes"), options.get("fallback", ())
        return cls(
            routes={domain.casefold(): server for domain, server in _routes(routes) if server is not None},
            fallback=tuple(server for _, server in _fallback(fallback) if server is not None),
            flush_receives=options.get("flush_receives") is not False,
            **numbers,
        )

    def servers_for(self, account: Account, domain: str) -> tuple[Server, ...]:
        """The servers that mail to a domain may leave by, the first choice first; empty when there is none."""
        name = domain.casefold().rstrip(".")
        found = self.routes.get(name)
        parent = name
        while found is None and parent:
            found = self.routes.get(f".{parent}")
            parent = parent.partition(".")[2]
        if found is not None:
            return (found,)
        return (account.relay, *self.fallback) if account.relay is not None else self.fallback


def provider_faults(options: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """``(option, what is wrong with it)`` of each of these options that makes no sense."""
    for name, least in NUMBERS.items():
        value = options.get(name, least)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            yield name, f"must be a whole number, {least} or more"
    if not isinstance(options.get("flush_receives", True), bool):
        yield "flush_receives", "must be true or false"
    routes, fallback = options.get("routes", {}), options.get("fallback", ())
    if not isinstance(routes, Mapping):
        yield "routes", 'must be a table: routes = { "partner.example" = "submissions://login@host" }'
    if isinstance(fallback, str) or not isinstance(fallback, Sequence):
        yield "fallback", 'must be a list: fallback = ["submissions://login@host"]'
    for domain, server in _routes(routes):
        if not is_domain(domain.removeprefix(".")):
            yield "routes", f"{domain!r} is not a domain"
        if server is None:
            yield "routes", f"the way to {domain!r} is no server to send through; write submissions://login@host"
    for text, server in _fallback(fallback):
        if server is None:
            yield "fallback", f"{text!r} is no server to send through; write submissions://login@host"


def _routes(routes: object) -> Iterator[tuple[str, Server | None]]:
    for domain, url in routes.items() if isinstance(routes, Mapping) else ():
        yield str(domain), _smtp(url)


def _fallback(fallback: object) -> Iterator[tuple[str, Server | None]]:
    for url in fallback if isinstance(fallback, list | tuple) else ():
        yield str(url)[:100], _smtp(url)


def _smtp(url: object) -> Server | None:
    try:
        server = parse_server(str(url))
    except ConfigFault:
        return None
    return server if server.protocol == "smtp" else None
