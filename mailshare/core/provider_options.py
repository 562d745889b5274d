"""The rarer settings of an account towards its provider: limits of a run, other ways out, the daily cap.

They stand among the account's ``options``; docs/reference/configuration.md tells them. Reading never fails, for mail
must go on with settings of an older file: a value that makes no sense counts as not given, and
:func:`provider_faults` tells the configuration about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from attrs import field, frozen

from mailshare.core.address import Address, is_domain
from mailshare.core.derived import derived
from mailshare.core.errors import ConfigFault, PeerFault
from mailshare.core.folders import Folder, folder_faults, folders_of
from mailshare.core.servers import parse_server
from mailshare.core.values import Account, Server

NUMBERS: Mapping[str, int] = {
    "max_size": 0,
    "session_messages": 1,
    "session_octets": 1,
    "session_seconds": 1,
    "daily_cap": 0,
    "daily_messages": 0,
    "recipients_per_message": 1,
    "messages_per_connection": 1,
}
"""The options that are whole numbers, each with its least value."""
SWITCHES = ("flush_receives", "idle", "look_sooner")
"""The options that are true or false; each is true unless it is switched off."""
PROVIDER_OPTIONS = (*NUMBERS, *SWITCHES, "fallback", "folders", "routes")
"""All names that are read here."""


@frozen
class ProviderOptions:
    """What an account's options say about the provider.

    :ivar max_size: octets of the largest message that is collected unasked; 0 = the general limit.
    :ivar session_messages: messages fetched in one session; the rest follows in the next one at once.
    :ivar session_octets: octets fetched in one session, at least one message.
    :ivar session_seconds: seconds after which a session begins no further message.
    :ivar daily_cap: recipients that the provider takes in one day of the account's zone; 0 = no cap.
    :ivar daily_messages: messages likewise.
    :ivar recipients_per_message: recipients of one transaction; more are sent in several (RFC 5321 section 4.5.3.1.8
        lets everybody count on a hundred).
    :ivar messages_per_connection: after which a connection is left and another made.
    :ivar routes: recipient domain (or ``.domain`` for all below it) to the server that takes its mail, or to the
        address of another account whose servers do.
    :ivar fallback: servers to send through while the account's own cannot be used, in order.
    :ivar folders: those that are collected from, over IMAP; none = the inbox, and what the server says is for junk.
    :ivar flush_receives: a flush of the outbox collects too.
    :ivar idle: an IMAP server is listened to between the runs (RFC 2177).
    :ivar look_sooner: look between the runs while mail is likely or somebody waits for it.
    """

    max_size: int = 0
    session_messages: int = 5000
    session_octets: int = 250_000_000
    session_seconds: int = 900
    daily_cap: int = 0
    daily_messages: int = 0
    recipients_per_message: int = 100
    messages_per_connection: int = 1000
    routes: Mapping[str, Server | Address] = field(factory=dict, hash=False)
    fallback: tuple[Server, ...] = ()
    folders: tuple[Folder, ...] = ()
    flush_receives: bool = True
    idle: bool = True
    look_sooner: bool = True

    @staticmethod
    def of(account: Account) -> ProviderOptions:
        """Read an account's options, once for each account."""
        return _options_of(account)

    def route_for(self, domain: str) -> Server | Address | None:
        """What ``routes`` says of a recipient's domain: the longest name that fits; ``None`` = nothing."""
        name = domain.casefold().rstrip(".")
        found = self.routes.get(name)
        parent = name
        while found is None and parent:
            found = self.routes.get(f".{parent}")
            parent = parent.partition(".")[2]
        return found


@derived
def _options_of(account: Account) -> ProviderOptions:
    options = account.options
    faulty = {name for name, _ in provider_faults(options)}
    numbers = {name: int(str(options[name])) for name in NUMBERS if name in options and name not in faulty}
    routes, fallback = options.get("routes"), options.get("fallback", ())
    return ProviderOptions(
        routes={domain.casefold(): server for domain, server in _routes(routes) if server is not None},
        fallback=tuple(server for _, server in _fallback(fallback) if server is not None),
        folders=folders_of(options),
        flush_receives=options.get("flush_receives") is not False,
        idle=options.get("idle") is not False,
        look_sooner=options.get("look_sooner") is not False,
        **numbers,
    )


def provider_faults(options: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """``(option, what is wrong with it)`` of each of these options that makes no sense."""
    for name, least in NUMBERS.items():
        value = options.get(name, least)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            yield name, f"must be a whole number, {least} or more"
    for name in SWITCHES:
        if not isinstance(options.get(name, True), bool):
            yield name, "must be true or false"
    for wrong in folder_faults(options):
        yield "folders", wrong
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


def _routes(routes: object) -> Iterator[tuple[str, Server | Address | None]]:
    for domain, where in routes.items() if isinstance(routes, Mapping) else ():
        yield str(domain), _other_account(str(where)) or _smtp(where)


def _other_account(text: str) -> Address | None:
    """``account:mail@other.example``: the mail leaves by that account."""
    kind, _, address = text.partition(":")
    try:
        return Address.parse(address) if kind == "account" else None
    except PeerFault:
        return None


def _fallback(fallback: object) -> Iterator[tuple[str, Server | None]]:
    for url in fallback if isinstance(fallback, list | tuple) else ():
        yield str(url)[:100], _smtp(url)


def _smtp(url: object) -> Server | None:
    try:
        server = parse_server(str(url))
    except ConfigFault:
        return None
    return server if server.protocol == "smtp" else None
