"""What a queue says of itself by DNS-SD, so that phones and desktops find it: services and their TXT records.

Sources: PWG 5100.14 section 4.2 and the printing profile of Bonjour for the keys, RFC 6763 sections 6 and 7.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence

from attrs import field, frozen

from mailshare.core.print_abilities import MODEL, Abilities

IPP, IPPS, LPD, SOCKET = "_ipp._tcp", "_ipps._tcp", "_printer._tcp", "_pdl-datastream._tcp"
SUBTYPES = ("_print", "_universal")
"""``_universal`` is what iOS and iPadOS look for, ``_print`` what IPP Everywhere clients do."""

_MOST_LABEL = 63
_MOST_STRING = 255
_PRINTER_TYPE = 0x1046  # bits of CUPS: print black, duplex, sort and the like; clients that know it want it
_COLOR, _DUPLEX = 0x8, 0x10


@frozen
class Announcement:
    """One service of one queue.

    :ivar kind: ``_ipp._tcp`` ...
    :ivar instance: name of the service, the same for all of a queue.
    :ivar port: 0 = the queue is not reached so (the flagship rule of RFC 6763 section 8).
    :ivar facts: the TXT record, in order.
    :ivar subtypes: under which it is found, too.
    """

    kind: str
    instance: str
    port: int
    facts: Mapping[str, str] = field(factory=dict)
    subtypes: tuple[str, ...] = ()


@frozen
class Queue:
    """What is announced of one queue.

    :ivar title: for people; ``note`` where the printer is.
    :ivar uuid: of the queue, as IPP tells it; ``model`` its ``printer-make-and-model``.
    :ivar host: name by which it is reached, as the services say.
    """

    name: str
    title: str
    note: str
    uuid: str
    host: str
    abilities: Abilities
    model: str = MODEL


@frozen
class Ports:
    """Where the queue is reached; 0 = not by that protocol.

    :ivar upgrade: at ``ipp`` TLS is to be had, too, by HTTP Upgrade.
    """

    ipp: int = 0
    ipps: int = 0
    lpd: int = 0
    socket: int = 0
    upgrade: bool = False


def local_host(hostname: str) -> str:
    """The name within the network, without a dot at its end, that services of a server of that name point to."""
    return (hostname.partition(".")[0] or "mailshare") + ".local"


def instance_name(title: str) -> str:
    """``TITLE via mail``, cut to what a label holds: a printer that is shared otherwise keeps its own name."""
    return _cut(title.replace(".", " "), " via mail")


def numbered(name: str, number: int) -> str:
    """What a service is called when that many have the name already, itself included (RFC 6763 appendix D)."""
    return name if number == 1 else _cut(name, f" ({number})")


def _cut(text: str, ending: str) -> str:
    octets = text.encode()[: _MOST_LABEL - len(ending)]
    return octets.decode("utf-8", "ignore").strip() + ending


def announcements(queue: Queue, ports: Ports, taken: Collection[str] = ()) -> Sequence[Announcement]:
    """The services of one queue.

    :param taken: names of other queues.
    """
    wanted = instance_name(queue.title or queue.name)
    name = next(one for number in itertools.count(1) if (one := numbered(wanted, number)) not in taken)
    facts = _facts(queue)
    out = []
    path = {"rp": f"ipp/print/{queue.name}"}
    if ports.ipp:
        facts["adminurl"] = page = f"http://{queue.host}:{ports.ipp}/ipp/print/{queue.name}/"
        tls = {"TLS": "1.3"} if ports.upgrade else {}
        out.append(Announcement(IPP, name, ports.ipp, _txt({**facts, **path, **tls}), SUBTYPES))
    if ports.ipps:
        # The page by the same protocol: what IPP tells of itself in ``printer-more-info``.
        secure = {"adminurl": f"https://{queue.host}:{ports.ipps}/ipp/print/{queue.name}/", "TLS": "1.3"}
        out.append(Announcement(IPPS, name, ports.ipps, _txt({**facts, **path, **secure}), SUBTYPES))
        facts["adminurl"] = page if ports.ipp else secure["adminurl"]
    out.append(Announcement(LPD, name, ports.lpd, _txt({**facts, "rp": queue.name}) if ports.lpd else {}))
    if ports.socket:
        out.append(Announcement(SOCKET, name, ports.socket, _txt(facts)))
    return out


def _facts(queue: Queue) -> dict[str, str]:
    can = queue.abilities
    duplex = len(can.sides) > 1
    kind = _PRINTER_TYPE | (_COLOR if can.color else 0) | (_DUPLEX if duplex else 0)
    return {
        "txtvers": "1",
        "qtotal": "1",
        "rp": "",
        "ty": queue.model,
        "product": f"({queue.title or queue.name})",
        "adminurl": "",
        "note": queue.note,
        "priority": "50",
        "pdl": ",".join(can.formats),
        "UUID": queue.uuid,
        "Color": "T" if can.color else "F",
        "Duplex": "T" if duplex else "F",
        "Copies": "T",
        "URF": ",".join(can.urf),
        "kind": "document",
        "printer-type": hex(kind),
    }


def _txt(facts: Mapping[str, str]) -> Mapping[str, str]:
    """Each string with its key within 255 octets (RFC 6763 section 6.1); a list is cut at a comma."""
    out = {}
    for key, value in facts.items():
        room = _MOST_STRING - len(key) - 1
        text = value.encode()[:room].decode("utf-8", "ignore")
        out[key] = text.rpartition(",")[0] if len(text) < len(value) and "," in text else text
    return out
