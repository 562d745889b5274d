"""What the first run asks of this computer: ports, certificates, and a backup to start over from."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, BinaryIO

from attrs import evolve
from zope.interface import implementer

from mailshare.assembly.opening import Threads
from mailshare.assembly.own_authority import OwnAuthority, certificates_directory, write_pem
from mailshare.assembly.port_survey import Port, first_free, look, network_of, own_addresses, suggested_name
from mailshare.assembly.restoring import checked_copy, checked_file
from mailshare.config import Config
from mailshare.config.chosen import INSIDE_TLS, Chosen, Door, write_chosen
from mailshare.config.endpoint_strings import port_of
from mailshare.core.address import is_domain
from mailshare.core.errors import ConfigFault, MailshareError, PeerFault
from mailshare.core.values import SECOND
from mailshare.interfaces import IFirstRun, IStore

USUAL: Mapping[str, tuple[int, ...]] = {
    "pop3s": (995, 8995, 9995),
    "submissions": (465, 8465, 9465),
    "pop3": (110, 8110, 9110),
    "submission": (587, 8587, 9587),
    "smtp": (25, 8025, 9025),
    "web": (8443, 9443, 10443),
}
"""The port of each service, and what is taken in its place when it cannot be had."""
_WANTED = {"plain": ("pop3", "smtp"), "": ("pop3s", "submissions", "web")}
_KINDS = ("authority", "own", "plain")
_MOST_NETWORKS = 20


@implementer(IFirstRun)
class FirstRun:
    """The first run of one office; also for whoever changes his mind later.

    :param reload: takes over the configuration of now, whole or not at all.
    :param exchange: starts the office over, with another store; called when the answer is on its way.
    """

    def __init__(
        self,
        store: IStore,
        reactor: Any,
        config: Callable[[], Config],
        own: OwnAuthority,
        threads: Threads,
        *,
        reload: Callable[[], Awaitable[Mapping[str, object]]],
        exchange: Callable[[], None],
    ) -> None:
        self._store = store
        self._reactor = reactor
        self._config = config
        self._own = own
        self._threads = threads
        self._reload = reload
        self._exchange = exchange

    # ------------------------------------------------------------------ where we are

    async def reached(self) -> str:
        """The step that comes next; empty when it is over."""
        found = await self._store.settings.get("office", "first run")
        return str(found[0]) if found is not None else ""

    async def reach(self, step: str) -> None:
        """Go on."""
        await self._store.settings.put("office", "first run", step)

    async def trouble(self) -> str:
        """Why the last restore ended with the store of before."""
        found = await self._store.settings.get("office", "restore failed")
        return str(found[0]) if found is not None else ""

    def decided(self) -> Collection[str]:
        """Steps that the configuration file has settled."""
        return self._config().tables.web.decided

    # ------------------------------------------------------------------ looking

    async def survey(self) -> Mapping[str, object]:
        """What there is to choose from."""
        addresses = await self._threads.run(own_addresses)
        config = self._config()
        chosen, hostname = config.chosen, config.tables.server.hostname
        ports = await self._threads.run(lambda: [self._row(service, config) for service in USUAL])
        given = hostname != "localhost"
        return {
            "hostname": hostname if given else await self._threads.run(suggested_name),
            "hostname_declared": given and hostname != chosen.hostname,
            "addresses": list(addresses),
            "kind": chosen.kind or "authority",
            "path": chosen.certificates if chosen.kind == "own" and not self._pasted(config) else "",
            "trusted": list(chosen.trusted or dict.fromkeys(network_of(one) for one in addresses)),
            "certificates_declared": bool(config.tables.listen.certificates),
            "ports": ports,
        }

    def _pasted(self, config: Config) -> bool:
        return config.chosen.certificates == certificates_directory(config, "own")

    def _row(self, service: str, config: Config) -> dict[str, object]:
        """One service: its usual port, how that is, and what to take."""
        ours = self._ours(config)
        declared = [text for name, text in config.tables.listen.endpoints() if name == service]
        if service == "web":  # the one in use now is no reason against one with TLS
            declared = [text for text in declared if text.startswith(("tls:", "ssl:"))]
        usual, *_ = USUAL[service]
        mine = next((one.port for one in config.chosen.doors if one.service == service), 0)
        taken: set[int] = ours - {one.port for one in config.chosen.doors}
        first = look(usual, ours - taken)
        offered = mine or first_free(USUAL[service], ours - taken).number
        return {
            "service": service,
            "usual": usual,
            "state": _state(first, mine, taken),
            "holder": first.holder,
            "port": offered,
            "declared": declared,
            "in_tls": bool(mine) if config.chosen.doors else service in _WANTED[""],
            "in_plain": bool(mine) if config.chosen.doors else service in _WANTED["plain"],
        }

    @staticmethod
    def _ours(config: Config) -> set[int]:
        return {port_of(one.endpoint) or 0 for one in config.listeners} - {0}

    # ------------------------------------------------------------------ choosing

    async def listen(self, wishes: Mapping[str, Any]) -> Sequence[str]:
        """Take over names, ports and certificates."""
        config = self._config()
        kind = str(wishes.get("kind", ""))
        if kind not in _KINDS:
            raise PeerFault("Choose where the certificates come from", code=400)
        before = config.chosen
        hostname = _hostname(str(wishes.get("hostname", "")), config)
        trusted = _networks(wishes.get("trusted", ())) if kind == "plain" else ()
        doors = _doors(wishes.get("ports", {}), kind)
        await self._free(doors, config)
        named = evolve(config, tables=evolve(config.tables, server=evolve(config.tables.server, hostname=hostname)))
        certificates, words = await self._certificates(kind, wishes, named)
        chosen = Chosen(hostname, kind, certificates, trusted, doors)
        write_chosen(config.data, chosen)
        try:
            answer = await self._reload()
        except MailshareError:
            write_chosen(config.data, before)
            raise
        if "server.hostname" in str(answer["needs_restart"]):
            words.append("Mail that is written down from now on bears the new name after the next start of the server.")
        return words

    async def _free(self, doors: Sequence[Door], config: Config) -> None:
        """See that what is wanted can be had.

        :raises ConfigFault: with all that cannot.
        """
        ours = self._ours(config)
        looked = await self._threads.run(lambda: [look(one.port, ours) for one in doors])
        words = {"taken": "is taken", "denied": "may not be opened by the user that the server runs as"}
        faults = [
            f"port {one.number} {words[one.state]}{f' by {one.holder}' if one.holder else ''}"
            for one in looked
            if one.state in words
        ]
        if faults:
            what = "; ".join(faults)
            raise ConfigFault(f"Nothing was changed: {what}. Choose another port, or free it and try again")

    async def _certificates(self, kind: str, wishes: Mapping[str, Any], config: Config) -> tuple[str, list[str]]:
        """The directory to serve from, and what is worth saying."""
        if kind == "plain":
            return "", ["Passwords and mail cross the network readable to everybody on it."]
        if kind == "authority":
            return await self._own.prepare(config), []
        from mailshare.shell.certificates import read_certificates  # noqa: PLC0415 - few bring their own
        from mailshare.shell.own_certificate import looked_at  # noqa: PLC0415 - as above

        path, pem = str(wishes.get("path", "")).strip(), str(wishes.get("pem", ""))
        if pem.strip():
            found = looked_at(pem, config.tables.server.hostname, self._now())
            place = certificates_directory(config, "own")
            write_pem(place, found.pem)
            return place, list(found.words)
        if not os.path.isabs(path):
            raise ConfigFault("Paste certificate and key, or write the whole path of the folder where they lie")
        await self._threads.run(lambda: read_certificates(path))
        found = looked_at(await self._threads.run(lambda: _joined(path)), config.tables.server.hostname, self._now())
        return path, list(found.words)

    def _now(self) -> int:
        return int(self._reactor.seconds() * SECOND)

    # ------------------------------------------------------------------ starting over

    async def restore(self, directory: str) -> None:
        """Start over with a backup that lies on this computer."""
        if not os.path.isabs(directory):
            raise ConfigFault(
                "Choose the file of a backup, or write the whole path of its folder on the server, from / on"
            )
        await self._start_over(lambda config: checked_copy(config, directory))

    async def restore_packed(self, packed: BinaryIO) -> None:
        """Start over with a backup that somebody sent."""
        await self._start_over(lambda config: checked_file(config, packed))

    async def _start_over(self, checked: Callable[[Config], None]) -> None:
        config = self._config()
        if config.tables.store.url == "memory:":
            raise ConfigFault("This office keeps its mail in memory; a backup needs a store on the disk")
        await self._threads.run(lambda: checked(config))
        await self._store.settings.put("office", "restore failed", "")
        self._exchange()


def _state(first: Port, mine: int, taken: set[int]) -> str:
    if mine:
        return "ours"
    return "declared" if first.number in taken else first.state


def _hostname(text: str, config: Config) -> str:
    name = text.strip().casefold().rstrip(".") or config.tables.server.hostname
    if not is_domain(name) or name.startswith("["):
        raise ConfigFault(f"{name[:80]!r} is not the name of a computer; write e.g. mail.office.example or mail.local")
    return name


def _networks(texts: Sequence[str]) -> tuple[str, ...]:
    found = []
    for text in texts[:_MOST_NETWORKS]:
        try:
            found.append(str(ipaddress.ip_network(text.strip(), strict=False)))
        except ValueError:
            raise ConfigFault(f"{text[:60]!r} is not a network; write e.g. 192.168.1.0/24") from None
    return tuple(dict.fromkeys(found))


def _doors(ports: Mapping[str, int], kind: str) -> tuple[Door, ...]:
    """The listeners that were ticked. What speaks TLS only has no place without certificates."""
    wanted = {service: number for service, number in ports.items() if service in USUAL and number}
    if kind == "plain":
        wanted = {service: number for service, number in wanted.items() if service in ("pop3", "smtp")}
    wrong = [str(number) for number in wanted.values() if not 1 <= number <= 65535]
    if wrong:
        raise ConfigFault(f"{wrong[0]} is not a port (1-65535)")
    if len(set(wanted.values())) < len(wanted):
        raise ConfigFault("Two services cannot listen on the same port; give each a port of its own")
    return tuple(Door(name, number, tls=name in INSIDE_TLS or name == "web") for name, number in wanted.items())


def _joined(path: str) -> str:
    """All PEM files of a folder, one after another."""
    texts = []
    for name in sorted(os.listdir(path)):
        if name.endswith(".pem"):
            with open(os.path.join(path, name), encoding="utf-8", errors="replace") as stream:
                texts.append(stream.read(100_000))
    return "\n".join(texts)
