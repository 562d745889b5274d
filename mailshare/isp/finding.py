"""Finds the servers of an address: the list of known providers, what the provider publishes, the DNS, and guesses.

Only ways with TLS are given. Sources: Mozilla's autoconfig 1.1 (draft-ietf-mailmaint-autoconfig), RFC 6186, RFC 8314.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeVar
from urllib.parse import quote
from xml.etree import ElementTree as ET

from twisted.internet.defer import Deferred

from mailshare.core.address import Address, is_domain
from mailshare.core.errors import PeerFault
from mailshare.core.known_providers import Way, server_url, ways_of
from mailshare.isp.flight import all_of

T = TypeVar("T")
Get = Callable[[str], Awaitable[bytes]]
"""The body of a page, or nothing when there is none; never raises."""
Srv = Callable[[str], Awaitable[Sequence[tuple[str, int]]]]
"""``(host, port)`` of an SRV name, best first; never raises."""
Open = Callable[[str, int], Awaitable[bool]]
"""Whether something listens there; never raises."""

_MOST_XML = 65_536
_COLLECT = {
    ("pop3", "SSL"): "pop3s",
    ("pop3", "STARTTLS"): "pop3",
    ("imap", "SSL"): "imaps",
    ("imap", "STARTTLS"): "imap",
}
_RELAY = {"SSL": "submissions", "STARTTLS": "submission"}
_SRV_COLLECT = (("_pop3s._tcp", "pop3s"), ("_imaps._tcp", "imaps"))
_SRV_RELAY = (("_submissions._tcp", "submissions"), ("_submission._tcp", "submission"))
_GUESSED_COLLECT = (
    ("pop3s", ("pop", "pop3", "mail"), 995),
    ("imaps", ("imap", "mail"), 993),
)
_GUESSED_RELAY = (("submissions", ("smtp", "mail"), 465), ("submission", ("smtp", "mail"), 587))


class Finder:
    """Looks in all these places, the surest first."""

    def __init__(self, get: Get, srv: Srv, listens: Open) -> None:
        self._get = get
        self._srv = srv
        self._listens = listens

    async def find(self, text: str) -> Sequence[Way]:
        """Ways for an address; empty when nothing is found.

        :raises PeerFault: it is no address.
        """
        address = Address.parse(text)
        domain = address.domain.casefold()
        if not is_domain(domain) or domain.startswith("["):
            raise PeerFault(f"{text[:100]!r} is not an address; write it as name@company.example", code=400)
        plain = str(address)
        return ways_of(plain) or await self._published(plain, domain) or await self._dns(plain, domain) or (
            await self._guessed(plain, domain)
        )

    async def _published(self, address: str, domain: str) -> Sequence[Way]:
        """What the provider says of itself."""
        urls = (
            f"https://autoconfig.{domain}/mail/config-v1.1.xml?emailaddress={quote(address)}",
            f"https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml",
        )
        read = [read_autoconfig(page, address) for page in await _together(self._get(url) for url in urls)]
        return next((ways for ways in read if ways), ())

    async def _dns(self, address: str, domain: str) -> Sequence[Way]:
        names = (*_SRV_COLLECT, *_SRV_RELAY)
        answers = await _together(self._srv(f"{name}.{domain}") for name, _ in names)
        urls = {
            name: server_url(kind, address, *found[0])
            for (name, kind), found in zip(names, answers, strict=True)
            if found
        }
        collects, relays = ([urls[name] for name, _ in kinds if name in urls] for kinds in (_SRV_COLLECT, _SRV_RELAY))
        return [Way(one, relays[0] if relays else "", "the provider's DNS") for one in collects]

    async def _guessed(self, address: str, domain: str) -> Sequence[Way]:
        collects = await self._answering(_GUESSED_COLLECT, address, domain)
        relays = await self._answering(_GUESSED_RELAY, address, domain)
        return [Way(one, relays[0] if relays else "", "a guess that answers") for one in collects]

    async def _answering(
        self, guesses: Sequence[tuple[str, Sequence[str], int]], address: str, domain: str
    ) -> Sequence[str]:
        tries = [(kind, f"{name}.{domain}", port) for kind, names, port in guesses for name in names]
        answers = await _together(self._listens(host, port) for _, host, port in tries)
        found: dict[str, str] = {}
        for (kind, host, port), answer in zip(tries, answers, strict=True):
            if answer:
                found.setdefault(kind, server_url(kind, address, host, port))
        return list(found.values())


async def _together(asked: Iterable[Awaitable[T]]) -> list[T]:
    """All answers, asked for at the same time; none of these ever fails."""
    return await all_of([Deferred.fromCoroutine(_plain(one)) for one in asked])


async def _plain(one: Awaitable[T]) -> T:
    return await one


def read_autoconfig(octets: bytes, address: str) -> Sequence[Way]:
    """Ways from a provider's file; empty when it is none. Entities and document types are not read at all."""
    if not octets or len(octets) > _MOST_XML or b"<!" in octets.replace(b"<!--", b""):
        return ()
    try:
        tree = ET.fromstring(octets)  # noqa: S314 - what could blow up or reach out was refused above
    except ET.ParseError:
        return ()
    collects = [one for server in tree.iter("incomingServer") if (one := _server(server, address, relay=False))]
    relays = [one for server in tree.iter("outgoingServer") if (one := _server(server, address, relay=True))]
    collects.sort(key=lambda one: not one.startswith("pop3s"))
    return [Way(one, relays[0] if relays else "", "the provider's own description") for one in collects[:4]]


def _server(element: ET.Element, address: str, *, relay: bool) -> str:
    facts: Mapping[str, str] = {child.tag: (child.text or "").strip() for child in element}
    host, port = facts.get("hostname", ""), facts.get("port", "")
    security = facts.get("socketType", "")
    kind = _RELAY.get(security, "") if relay else _COLLECT.get((element.get("type", ""), security), "")
    if not kind or not is_domain(host) or not port.isascii() or not port.isdigit() or not 0 < int(port[:6]) < 65_536:
        return ""
    local, _, domain = address.rpartition("@")
    login = facts.get("username", "%EMAILADDRESS%").replace("%EMAILADDRESS%", address)
    login = login.replace("%EMAILLOCALPART%", local).replace("%EMAILDOMAIN%", domain)
    return server_url(kind, login, host, int(port)) if login.isprintable() and len(login) < 320 else ""
