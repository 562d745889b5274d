"""What the first run chose about this computer: its name, where it listens, and with which certificates.

It lies in a file of the data directory, beside the store and not in it: it must be known before the store opens, it
belongs to this computer and not to the mail, and the configuration file is never written. What stands in the
configuration file counts first; this adds what is not said there.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
from typing import Any

from attrs import asdict, field, frozen

from mailshare.config.endpoint_strings import escaped

FILE = "chosen.json"
SERVICES = ("pop3", "pop3s", "smtp", "submission", "submissions", "device", "web")
INSIDE_TLS = frozenset({"pop3s", "submissions"})


@frozen
class Door:
    """A port that was chosen.

    :ivar tls: spoken from the first octet; else, where there are certificates, with STLS or STARTTLS.
    :ivar interface: address to listen on; empty = all.
    """

    service: str
    port: int
    tls: bool = False
    interface: str = ""


@frozen
class Chosen:
    """What was chosen.

    :ivar hostname: counts where the file names none.
    :ivar kind: ``authority`` (one of our own making), ``own`` (brought along), ``plain``, or empty.
    :ivar certificates: directory of PEM files; empty without TLS.
    :ivar trusted: networks besides those of the file.
    """

    hostname: str = ""
    kind: str = ""
    certificates: str = ""
    trusted: tuple[str, ...] = ()
    doors: tuple[Door, ...] = field(factory=tuple)


def chosen_of(data: str) -> Chosen:
    """What lies in a data directory; nothing when there is no such file.

    :raises ValueError: it is damaged.
    """
    try:
        with open(os.path.join(data, FILE), encoding="utf-8") as stream:
            found = json.load(stream)
    except FileNotFoundError:
        return Chosen()
    except OSError as error:
        raise ValueError(error.strerror) from error
    return _read(found)


def _read(found: Any) -> Chosen:
    """The value of the JSON text; ``ValueError`` for whatever it is not."""
    try:
        doors = tuple(Door(**one) for one in found.pop("doors"))
        made = Chosen(**{**found, "trusted": tuple(found["trusted"])}, doors=doors)
        for network in made.trusted:
            ipaddress.ip_network(network)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("it is not what the first run writes") from error
    if any(one.service not in SERVICES or not 0 <= one.port <= 65535 for one in doors):
        raise ValueError("it names a listener that there is not")
    return made


def write_chosen(data: str, chosen: Chosen) -> None:
    """Keep it, whole or not at all."""
    path = os.path.join(data, FILE)
    descriptor = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(asdict(chosen), stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    os.rename(f"{path}.new", path)


def forget_chosen(data: str) -> None:
    """As if nothing had been chosen."""
    with contextlib.suppress(FileNotFoundError):
        os.remove(os.path.join(data, FILE))


def endpoint_of(door: Door, certificates: str) -> str:
    """A door as a string for Twisted."""
    interface = f":interface={escaped(door.interface)}" if door.interface else ""
    return f"tls:{escaped(certificates)}:{door.port}{interface}" if door.tls else f"tcp:{door.port}{interface}"
